"""Addresses of the first page and the wall."""

from django.urls import path

from crm.front import views

app_name = "front"
urlpatterns = [
    path("now/", views.front, name="front"),
    path("wall/", views.wall, name="wall"),
]
