"""Addresses of delivery quality."""

from django.urls import path

from delivery.quality import standard_views, views

app_name = "quality"
urlpatterns = [
    path("", views.board, name="board"),
    path("routes/", views.route_list, name="routes"),
    path("routes/premium/", standard_views.premium, name="premium"),
    path("items/", views.item_list, name="items"),
    path("items/<str:waybill>/", views.item, name="item"),
    path("customer/<int:pk>/", views.for_customer, name="for_customer"),
    path("standards/", standard_views.standards, name="standards"),
    path("standards/<int:pk>/", standard_views.standard, name="standard"),
]
