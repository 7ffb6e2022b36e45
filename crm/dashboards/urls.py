"""Addresses of boards and the audit trail."""

from django.urls import path

from crm.dashboards import figure_views, target_views, views

app_name = "dashboards"
urlpatterns = [
    path("board/", views.board, name="board"),
    path("board/compute/", views.compute, name="compute"),
    path("figures/", figure_views.figures, name="figures"),
    path("targets/", target_views.targets, name="targets"),
    path("targets/copy/", target_views.copy, name="targets_copy"),
    path("figures/<str:name>/", figure_views.kpi, name="kpi"),
    path("figures/<str:name>/rows/<str:side>/", figure_views.rows, name="rows"),
    path("audit/", views.audit_trail, name="audit"),
]
