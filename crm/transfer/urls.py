"""Addresses of imports."""

from django.urls import path

from crm.transfer import views

app_name = "transfer"
urlpatterns = [
    path("", views.import_list, name="list"),
    path("new/", views.new, name="new"),
    path("<uuid:pk>/", views.detail, name="detail"),
    path("<uuid:pk>/preview/", views.show_preview, name="preview"),
    path("<uuid:pk>/start/", views.start, name="start"),
    path("<uuid:pk>/progress/", views.progress, name="progress"),
    path("<uuid:pk>/rejected.csv", views.rejected, name="rejected"),
    path("<uuid:pk>/correct.csv", views.correct, name="correct"),
    path("<uuid:pk>/revert/", views.revert, name="revert"),
]
