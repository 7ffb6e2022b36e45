"""Addresses of delivery quality."""

from django.urls import path

from delivery.quality import (
    batch_views,
    disturbance_views,
    inspection_views,
    pickup_views,
    risk_views,
    score_views,
    standard_views,
    views,
    volume_views,
)

app_name = "quality"
urlpatterns = [
    path("", views.board, name="board"),
    path("routes/", views.route_list, name="routes"),
    path("routes/premium/", standard_views.premium, name="premium"),
    path("volume/", volume_views.volume, name="volume"),
    path("scores/", score_views.board, name="scores"),
    path("scores/schemes/", score_views.schemes, name="score_schemes"),
    path("risks/", risk_views.risks, name="risks"),
    path("risks/<int:pk>/act/", risk_views.act, name="risk_act"),
    path("items/", views.item_list, name="items"),
    path("items/<str:waybill>/", views.item, name="item"),
    path("customer/<int:pk>/", views.for_customer, name="for_customer"),
    path("pickups/", pickup_views.board, name="pickups"),
    path("pickups/orders/", pickup_views.orders, name="pickup_orders"),
    path("pickups/sheets/", pickup_views.sheets, name="sheets"),
    path("pickups/sheets/<int:pk>/", pickup_views.sheet, name="sheet"),
    path("pickups/sheets/<int:pk>/csv/", pickup_views.export, name="sheet_csv"),
    path("pickups/sheets/<int:pk>/bulletin/", pickup_views.bulletin, name="bulletin"),
    path("pickups/sheets/<int:pk>/<slug:what>/", pickup_views.step, name="sheet_step"),
    path("disturbances/", disturbance_views.disturbances, name="disturbances"),
    path("disturbances/<int:pk>/", disturbance_views.disturbance, name="disturbance"),
    path(
        "disturbances/<int:pk>/<slug:what>/",
        disturbance_views.step,
        name="disturbance_step",
    ),
    path("inspections/", inspection_views.inspections, name="inspections"),
    path("inspections/<int:pk>/", inspection_views.inspection, name="inspection"),
    path("inspections/<int:pk>/end/", inspection_views.end, name="inspection_end"),
    path(
        "inspections/<int:pk>/<int:check>/note/",
        inspection_views.check_note,
        name="check_note",
    ),
    path(
        "inspections/<int:pk>/<int:check>/improve/",
        inspection_views.check_mend,
        name="check_mend",
    ),
    path(
        "inspections/<int:pk>/<int:check>/photo/",
        inspection_views.photo,
        name="check_photo",
    ),
    path("batches/", batch_views.batches, name="batches"),
    path("batches/<int:pk>/", batch_views.batch, name="batch"),
    path("standards/", standard_views.standards, name="standards"),
    path("standards/<int:pk>/", standard_views.standard, name="standard"),
]
