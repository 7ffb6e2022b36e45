"""Addresses of accounts, users, offices and calendars."""

from django.urls import path

from crm.access import admin_views, duty_views, views

app_name = "access"
urlpatterns = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("unlock/", views.unlock, name="unlock"),
    path("second-factor/", views.second_factor, name="second_factor"),
    path("second-factor/setup/", views.second_factor_setup, name="second_factor_setup"),
    path("profile/", views.profile, name="profile"),
    path("profile/password/", views.password, name="password"),
    path("profile/keys/", views.token_new, name="token_new"),
    path("profile/keys/<int:pk>/end/", views.token_end, name="token_end"),
    path("profile/sessions/<uuid:pk>/end/", views.end_session, name="end_session"),
    path("duty/", duty_views.roster, name="duty"),
    path("duty/<slug:what>/", duty_views.add, name="duty_add"),
    path("duty/<slug:what>/<int:pk>/remove/", duty_views.remove, name="duty_remove"),
    path("users/", admin_views.users, name="users"),
    path("users/new/", admin_views.user_new, name="user_new"),
    path("users/<int:pk>/", admin_views.user_edit, name="user"),
    path("users/<int:pk>/reset/", admin_views.user_reset, name="user_reset"),
    path("users/<int:pk>/postings/new/", admin_views.posting_new, name="posting_new"),
    path(
        "postings/<int:pk>/approve/",
        admin_views.posting_act,
        {"act": "approve"},
        name="posting_approve",
    ),
    path(
        "postings/<int:pk>/end/",
        admin_views.posting_act,
        {"act": "end"},
        name="posting_end",
    ),
    path("offices/", admin_views.offices, name="offices"),
    path("offices/new/", admin_views.office_new, name="office_new"),
    path("offices/<str:code>/", admin_views.office_edit, name="office"),
    path("calendar/", admin_views.calendar, name="calendar"),
    path(
        "calendar/<str:code>/windows/",
        admin_views.calendar_windows,
        name="calendar_windows",
    ),
    path("calendar/<str:code>/days/", admin_views.calendar_day, name="calendar_day"),
    path(
        "calendar/days/<int:pk>/remove/",
        admin_views.calendar_day_remove,
        name="day_remove",
    ),
    path(
        "calendar/years/<int:year>/confirm/",
        admin_views.calendar_year,
        name="calendar_year",
    ),
]
