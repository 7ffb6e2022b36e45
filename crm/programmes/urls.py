"""Addresses of programmes, walkthroughs, contests, requests and reports."""

from django.urls import path

from crm.programmes import (
    people_views,
    staff_views,
    team_views,
    tester_views,
    unit_views,
    views,
    walk_views,
)

app_name = "programmes"
urlpatterns = [
    path("", views.programmes, name="programmes"),
    path("<int:pk>/", views.programme, name="programme"),
    path("<int:pk>/act/<str:act>/", views.programme_act, name="programme_act"),
    path("<int:pk>/add/<str:what>/", views.programme_add, name="programme_add"),
    path("<int:pk>/edit/", views.programme_edit, name="programme_edit"),
    path("<int:pk>/walk/", walk_views.walk_new, name="walk_new"),
    path("staff/", staff_views.events, name="events"),
    path("staff/<int:pk>/", staff_views.event, name="event"),
    path("people/", people_views.staff_list, name="staff"),
    path("people/<int:pk>/", people_views.person, name="person"),
    path("people/<int:pk>/photo/", people_views.person_photo, name="person_photo"),
    path("teams/", team_views.teams, name="teams"),
    path("teams/<int:pk>/", team_views.team, name="team"),
    path("teams/<int:pk>/<str:act>/", team_views.team_act, name="team_act"),
    path("supervisors/", tester_views.testers, name="testers"),
    path("supervisors/<int:pk>/", tester_views.tester, name="tester"),
    path("supervisors/<int:pk>/<str:act>/", tester_views.tester_act, name="tester_act"),
    path("requests/", unit_views.unit_requests, name="unit_requests"),
    path("requests/<int:pk>/", unit_views.unit_request, name="unit_request"),
    path(
        "requests/<int:pk>/act/<str:act>/",
        unit_views.unit_request_act,
        name="unit_request_act",
    ),
    path("reports/", unit_views.reports, name="reports"),
    path("reports/<int:pk>/", unit_views.report, name="report"),
    path("reports/<int:pk>/end/", unit_views.report_end, name="report_end"),
    path("walks/<int:pk>/", walk_views.walk, name="walk"),
    path("walks/<int:pk>/act/<str:act>/", walk_views.walk_act, name="walk_act"),
    path(
        "walks/<int:pk>/improve/<int:finding>/",
        walk_views.walk_improve,
        name="walk_improve",
    ),
]
