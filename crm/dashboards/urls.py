"""Addresses of boards and the audit trail."""

from django.urls import path

from crm.dashboards import (
    assessment_views,
    bulletin_views,
    combined_views,
    cost_views,
    figure_views,
    improve_views,
    standing_views,
    target_views,
    views,
)

app_name = "dashboards"
urlpatterns = [
    path("board/", views.board, name="board"),
    path("board/compute/", views.compute, name="compute"),
    path("figures/", figure_views.figures, name="figures"),
    path("figures/mine/", figure_views.mine, name="mine"),
    path(
        "figures/mine/<str:name>/<str:side>/", figure_views.mine_rows, name="mine_rows"
    ),
    path("figures/export/", figure_views.export, name="export"),
    path("exports/", standing_views.exports, name="exports"),
    path("exports/<int:pk>/end/", standing_views.export_end, name="export_end"),
    path("targets/", target_views.targets, name="targets"),
    path("targets/copy/", target_views.copy, name="targets_copy"),
    path("figures/<str:name>/", figure_views.kpi, name="kpi"),
    path("figures/<str:name>/improve/", improve_views.kpi_improve, name="kpi_improve"),
    path("figures/<str:name>/rows/<str:side>/", figure_views.rows, name="rows"),
    path("costs/", cost_views.costs, name="costs"),
    path("combined/", combined_views.combined, name="combined"),
    path("combined/weights/", combined_views.weights, name="weights"),
    path("assessment/", assessment_views.assessments, name="assessments"),
    path("assessment/mine/", assessment_views.assessment_mine, name="assessment_mine"),
    path(
        "assessment/rules/", assessment_views.assessment_rules, name="assessment_rules"
    ),
    path("assessment/<int:pk>/", assessment_views.assessment, name="assessment"),
    path(
        "assessment/lines/<int:pk>/improve/",
        improve_views.line_improve,
        name="line_improve",
    ),
    path(
        "assessment/<int:pk>/act/",
        assessment_views.assessment_act,
        name="assessment_act",
    ),
    path(
        "assessment/<int:pk>/export/",
        assessment_views.assessment_export,
        name="assessment_export",
    ),
    path(
        "assessment/<int:pk>/cases/",
        assessment_views.assessment_cases,
        name="assessment_cases",
    ),
    path(
        "assessment/lines/<int:pk>/<str:what>/",
        assessment_views.line_act,
        name="line_act",
    ),
    path("bulletins/", bulletin_views.bulletins, name="bulletins"),
    path("bulletins/<int:pk>/", bulletin_views.bulletin, name="bulletin"),
    path("bulletins/<int:pk>/act/", bulletin_views.bulletin_act, name="bulletin_act"),
    path(
        "bulletins/<int:pk>/file/<str:kind>/",
        bulletin_views.bulletin_file,
        name="bulletin_file",
    ),
    path("audit/", views.audit_trail, name="audit"),
]
