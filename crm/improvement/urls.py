"""Addresses of front-line feedback."""

from django.urls import path

from crm.improvement import views

app_name = "improvement"
urlpatterns = [
    path("", views.mine, name="mine"),
    path("bulletin/", views.bulletin, name="bulletin"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/decide/", views.decide, name="decide"),
]
