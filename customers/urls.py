"""Addresses of customers."""

from django.urls import path

from customers import views

app_name = "customers"
urlpatterns = [
    path("", views.customer_list, name="list"),
    path("search/", views.search, name="search"),
    path("<int:pk>/", views.detail, name="detail"),
    path("phones/<int:pk>/reveal/", views.reveal, name="reveal"),
]
