"""Addresses of risks, emergency plans and incidents."""

from django.urls import path

from crm.risk import breach_views, incident_views, views

app_name = "risk"
urlpatterns = [
    path("", views.risks, name="risks"),
    path("breach/", breach_views.breach_report, name="breach"),
    path("new/", views.risk_new, name="risk_new"),
    path("<int:pk>/", views.risk, name="risk"),
    path("plans/<int:pk>/", views.plan, name="plan"),
    path("plans/<int:pk>/add/<str:what>/", views.plan_add, name="plan_add"),
    path(
        "plans/<int:pk>/contacts/<int:contact>/drop/",
        views.contact_drop,
        name="contact_drop",
    ),
    path("incidents/", incident_views.incidents, name="incidents"),
    path("incidents/<int:pk>/", incident_views.incident, name="incident"),
    path(
        "incidents/<int:pk>/act/<str:act>/",
        incident_views.incident_act,
        name="incident_act",
    ),
]
