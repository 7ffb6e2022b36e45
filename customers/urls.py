"""Addresses of customers."""

from django.urls import path

from customers import (
    directory_views,
    duplicate_views,
    list_views,
    privacy_views,
    record_views,
    today_views,
    views,
)

app_name = "customers"
urlpatterns = [
    path("", views.customer_list, name="list"),
    path("search/", views.search, name="search"),
    path("today/", today_views.today, name="today"),
    path("today/<int:pk>/done/", today_views.done, name="task_done"),
    path("corrections/", today_views.corrections, name="corrections"),
    path("directory/", directory_views.entries, name="directory"),
    path("directory/<int:pk>/", directory_views.entry_page, name="organisation"),
    path("directory/<int:pk>/hand/", directory_views.hand_over, name="hand_over"),
    path(
        "directory/<int:pk>/answer/",
        directory_views.answer,
        name="organisation_answer",
    ),
    path(
        "directory/<int:pk>/convert/",
        directory_views.convert,
        name="organisation_convert",
    ),
    path("tools/", list_views.tools, name="tools"),
    path("views/", list_views.save_view, name="view_save"),
    path("views/<int:pk>/drop/", list_views.drop_view, name="view_drop"),
    path("bulk/", list_views.bulk, name="bulk"),
    path("bulk/<int:pk>/", list_views.bulk_job, name="bulk_job"),
    path("exports/", list_views.exports, name="exports"),
    path("exports/ask/", list_views.ask_export, name="export_ask"),
    path("exports/<uuid:pk>/decide/", list_views.decide_export, name="export_decide"),
    path("exports/<uuid:pk>/file/", list_views.fetch_export, name="export_fetch"),
    path("retention/", privacy_views.retention, name="retention"),
    path("<int:pk>/privacy/", privacy_views.page, name="privacy"),
    path("<int:pk>/privacy/data/", privacy_views.data, name="privacy_data"),
    path("<int:pk>/privacy/hold/", privacy_views.hold, name="privacy_hold"),
    path("<int:pk>/privacy/erase/", privacy_views.erase, name="privacy_erase"),
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
    path("<int:pk>/summary/", views.summary, name="summary"),
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
