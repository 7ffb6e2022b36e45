"""Addresses of customers."""

from django.urls import path

from customers import duplicate_views, record_views, today_views, views

app_name = "customers"
urlpatterns = [
    path("", views.customer_list, name="list"),
    path("search/", views.search, name="search"),
    path("today/", today_views.today, name="today"),
    path("today/<int:pk>/done/", today_views.done, name="task_done"),
    path("corrections/", today_views.corrections, name="corrections"),
    path("new/", record_views.new, name="new"),
    path("likely/", record_views.likely, name="likely"),
    path("duplicates/", duplicate_views.queue, name="duplicates"),
    path("duplicates/sweep/", duplicate_views.sweep, name="sweep"),
    path("duplicates/<int:pk>/", duplicate_views.pair, name="pair"),
    path("duplicates/<int:pk>/different/", duplicate_views.different, name="different"),
    path("merges/<int:pk>/undo/", duplicate_views.undo, name="unmerge"),
    path(
        "contracts/files/<uuid:pk>/", record_views.contract_file, name="contract_file"
    ),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/edit/", record_views.edit, name="edit"),
    path("<int:pk>/verify/", record_views.verify, name="verify"),
    path("<int:pk>/timeline/", views.timeline, name="timeline"),
    path("<int:pk>/behaviour/", record_views.behaviour, name="behaviour"),
    path("<int:pk>/duplicates/", duplicate_views.of_customer, name="of_customer"),
    path("<int:pk>/panels/<slug:name>/", record_views.panel, name="panel"),
    path(
        "<int:pk>/panels/<slug:name>/<int:row>/<slug:action>/",
        record_views.panel_row,
        name="panel_row",
    ),
    path("<int:pk>/reveal/<slug:field>/<int:row>/", views.reveal, name="reveal"),
]
