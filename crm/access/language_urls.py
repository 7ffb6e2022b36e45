"""The address of the language switch."""

from django.urls import path

from crm.access import views

urlpatterns = [path("language/", views.language, name="language")]
