"""Addresses of webhooks."""

from django.urls import path

from crm.hooks import views

app_name = "hooks"
urlpatterns = [
    path("", views.endpoints, name="endpoints"),
    path("<int:pk>/", views.endpoint, name="endpoint"),
    path("<int:pk>/act/", views.act, name="act"),
    path("again/<uuid:pk>/", views.again, name="again"),
]
