"""Addresses of boards and the audit trail."""

from django.urls import path

from crm.dashboards import views

app_name = "dashboards"
urlpatterns = [
    path("board/", views.board, name="board"),
    path("board/compute/", views.compute, name="compute"),
    path("audit/", views.audit_trail, name="audit"),
]
