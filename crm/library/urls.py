"""Addresses of documents."""

from django.urls import path

from crm.library import views

app_name = "library"
urlpatterns = [
    path("", views.documents, name="documents"),
    path("new/", views.document_new, name="document_new"),
    path("<int:pk>/", views.document, name="document"),
    path("<int:pk>/edit/", views.document_edit, name="document_edit"),
    path("<int:pk>/act/", views.document_act, name="document_act"),
    path("<int:pk>/read/", views.confirm, name="confirm"),
]
