"""Addresses of complaints."""

from django.urls import path

from complaints import (
    call_views,
    claim_views,
    clock_views,
    order_views,
    report_views,
    routing_views,
    views,
)

app_name = "complaints"
urlpatterns = [
    path("", views.complaint_list, name="list"),
    path("new/", call_views.new, name="new"),
    path("files/<uuid:pk>/", views.download, name="download"),
    path("for-customer/<int:pk>/", views.for_customer, name="for_customer"),
    path("limits/", clock_views.limit_list, name="limits"),
    path("limits/add/", clock_views.limit_add, name="limit_add"),
    path("limits/<int:pk>/end/", clock_views.limit_end, name="limit_end"),
    path("clocks/", clock_views.export, name="clock_export"),
    path("clocks/<int:pk>/", clock_views.extend, name="extend"),
    path("extensions/<int:pk>/", clock_views.decide, name="decide_extension"),
    path("routing/", routing_views.rules, name="routing"),
    path("routing/usual/", routing_views.usual, name="routing_usual"),
    path("routing/add/", routing_views.add_rule, name="routing_add"),
    path("routing/<int:pk>/remove/", routing_views.remove_rule, name="routing_remove"),
    path("desks/", routing_views.save_desk, name="desk_save"),
    path("suspicions/", routing_views.suspicions, name="suspicions"),
    path("suspicions/<int:pk>/", routing_views.judge, name="judge"),
    path("claims/", claim_views.claim_list, name="claims"),
    path("claims/<int:pk>/<slug:step>/", claim_views.claim_step, name="claim_step"),
    path("findings/", claim_views.finding_list, name="findings"),
    path(
        "findings/<int:pk>/<slug:step>/",
        claim_views.finding_step,
        name="finding_step",
    ),
    path("help/<int:pk>/<slug:step>/", claim_views.help_step, name="help_step"),
    path("report/", report_views.report, name="report"),
    path("report/regulator/", report_views.regulator, name="regulator"),
    path("next/", order_views.take_next, name="next"),
    path("<str:ref>/", order_views.detail, name="detail"),
    path("<str:ref>/working/", clock_views.working, name="working"),
    path("<str:ref>/do/<slug:action>/", order_views.act, name="act"),
    path("<str:ref>/claim/", claim_views.propose, name="claim_propose"),
    path("<str:ref>/finding/", claim_views.finding_add, name="finding_add"),
    path("<str:ref>/help/", claim_views.help_ask, name="help_ask"),
    path("<str:ref>/change/", order_views.change, name="change"),
    path("<str:ref>/reveal/", order_views.reveal, name="reveal"),
    path("<str:ref>/skip/", order_views.skip, name="skip"),
    path("<str:ref>/presence/", order_views.presence, name="presence"),
    path("<str:ref>/correct/", views.correct, name="correct"),
    path("<str:ref>/files/", views.attach, name="attach"),
]
