"""The supervisor's first page, and the wall."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.timezone import localdate, localtime

from crm.access.capabilities import AuthedRequest, needs
from crm.access.scoping import offices_of
from crm.dashboards.figure_views import address
from crm.dashboards.forms import near
from crm.dashboards.periods import Kind, last_ended, span_of
from crm.front import standing
from crm.org.models import Office

SECONDS = 30  # between two looks of the wall


def _office(request: AuthedRequest) -> tuple[Office, list[Office]]:
    """The office that is asked for, else the highest that one supervises."""
    allowed = offices_of(request.user, "supervisor")
    asked = request.GET.get("office", "")[:20].replace("\0", "")
    office = allowed.first() if not asked else allowed.filter(code=asked).first()
    if office is None:
        raise Http404
    return office, near(allowed, office.code)


@needs("front.see")
def front(request: AuthedRequest) -> HttpResponse:
    """What is late now, how we stand against target, who moved most."""
    office, offices = _office(request)
    span = last_ended(Kind.MONTH, localdate())
    found = standing.standing_of(office)
    context = {
        "office": office,
        "offices": offices,
        "span": span,
        "tiles": standing.tiles_of(request.user),
        "standing": found,
        "movers": standing.movers_of(office, found.cells),
        "address": address(office, span),
        "at": localtime(),
    }
    return render(request, "front/front.html", context)


@needs("front.see")
def wall(request: AuthedRequest) -> HttpResponse:
    """Readable at five metres: today's figures, what is late; looks again by itself.

    SECURITY: it shows sums only, and nothing to press. It is not locked by idleness, for
    nobody sits before it; its session ends after a day as any other.
    """
    office, _offices = _office(request)
    today, _read = standing.today_of(office)
    month = standing.standing_of(office)
    context = {
        "office": office,
        "today": today,
        "day": span_of(Kind.DAY, localdate()),
        "cells": [cell for cell in month.cells if cell.value is not None][:4],
        "tiles": standing.tiles_of(request.user)[:4],
        "at": localtime(),
        "seconds": SECONDS,
        "idle_seconds": 0,
    }
    return render(request, "front/wall.html", context)
