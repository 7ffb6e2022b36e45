"""The public addresses: short, for they go by SMS."""

from django.urls import path

from delivery import survey_views

urlpatterns = [path("s/<str:token>/", survey_views.survey, name="survey")]
