"""Addresses of calls, and where the exchange reports."""

from django.urls import path

from complaints import call_views, seat_views, telephony_views

app_name = "call"
urlpatterns = [
    path("call", call_views.pop, name="pop"),
    path("call/ringing/", seat_views.ringing, name="ringing"),
    path("call/seat/", seat_views.seat, name="seat"),
    path("call/<uuid:token>/", call_views.form, name="form"),
    path("call/<uuid:token>/look/", call_views.look, name="look"),
    path("call/<uuid:token>/keep/", call_views.keep, name="keep"),
    path("call/<uuid:token>/find/", call_views.find, name="find"),
    path("call/<uuid:token>/answer/", seat_views.answer, name="answer"),
    path("call/<uuid:token>/wrap-up/", call_views.wrap_up, name="wrap_up"),
    path(
        "hooks/telephony/<slug:adapter>/",
        telephony_views.telephony_event,
        name="telephony_event",
    ),
]
