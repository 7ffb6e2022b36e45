"""Addresses of complaints."""

from django.urls import path

from complaints import call_views, clock_views, views

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
    path("<str:ref>/", views.detail, name="detail"),
    path("<str:ref>/working/", clock_views.working, name="working"),
    path("<str:ref>/move/", views.move, name="move"),
    path("<str:ref>/correct/", views.correct, name="correct"),
    path("<str:ref>/files/", views.attach, name="attach"),
]
