"""Addresses of complaints."""

from django.urls import path

from complaints import views

app_name = "complaints"
urlpatterns = [
    path("", views.complaint_list, name="list"),
    path("new/", views.new, name="new"),
    path("caller/", views.caller, name="caller"),
    path("files/<uuid:pk>/", views.download, name="download"),
    path("for-customer/<int:pk>/", views.for_customer, name="for_customer"),
    path("<str:ref>/", views.detail, name="detail"),
    path("<str:ref>/working/", views.working, name="working"),
    path("<str:ref>/move/", views.move, name="move"),
    path("<str:ref>/correct/", views.correct, name="correct"),
    path("<str:ref>/files/", views.attach, name="attach"),
]
