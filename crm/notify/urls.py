"""Addresses of the inbox."""

from django.urls import path

from crm.notify import views

app_name = "notify"
urlpatterns = [
    path("", views.inbox, name="inbox"),
    path("how/", views.preferences, name="preferences"),
    path("read/", views.read_all, name="read_all"),
]
