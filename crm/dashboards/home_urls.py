"""Addresses without a prefix: the front door and the health pages."""

from django.urls import path

from crm.dashboards import views

urlpatterns = [
    path("", views.home, name="home"),
    path("health/", views.health_report, name="health"),
    path("health/live", views.live, name="live"),
]
