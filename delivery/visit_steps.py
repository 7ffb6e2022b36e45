"""What is done with a visit beside logging it; pictures; the calendar feed."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, needs
from crm.audit import services as audit
from crm.errors import Refused
from crm.files import MAX_BYTES
from crm.notify.services import HOUSE_LANGUAGE
from crm.web import picture
from delivery import feeds, visit_log, visits
from delivery.models import CalendarFeed, VisitPhoto, VisitReport
from delivery.visit_forms import DropForm, GiveForm, MissForm, PutForm
from delivery.visit_page import one, visit_page
from delivery.visit_views import visible, visitors_under

STEPS: dict[str, tuple[Any, Any]] = {
    "put": (PutForm, visits.put),
    "miss": (MissForm, visits.miss),
    "drop": (DropForm, visits.drop),
    "give": (GiveForm, visits.give),
    "free": (None, visits.free),
}


@require_POST
@needs("visit.log")
def step(request: AuthedRequest, pk: int, what: str) -> HttpResponse:
    """Fix its day, give the day back, miss it, drop it, let somebody else go."""
    if what not in STEPS:
        raise Http404
    row = one(request, pk)
    form_class, act = STEPS[what]
    typed: dict[str, Any] = {}
    form = None
    if form_class is not None:
        people = {"people": visitors_under(request.user)} if what == "give" else {}
        form = form_class(request.POST, **people)
        if not form.is_valid():
            return visit_page(request, row, 422, **{what: form})
        typed = form.cleaned_data
    try:
        act(row, by=request.user, **typed)
    except Refused as refusal:
        if form is None:
            messages.error(request, str(refusal))
            return redirect(row)
        field = {"visit.double": "day", "visit.past": "day", "visit.far": "day"}
        form.is_double = refusal.code == "visit.double"
        form.add_error(field.get(refusal.code), str(refusal))
        return visit_page(request, one(request, pk), 422, **{what: form})
    messages.success(request, _("Done."))
    return redirect(row)


@require_POST
@needs("visit.log")
def photo(request: AuthedRequest, pk: int) -> HttpResponse:
    """A picture, sent as soon as it is taken."""
    row = one(request, pk)
    file = request.FILES.get("photo")
    if file is None:
        return redirect(row)
    try:
        data = file.read(MAX_BYTES + 1)
        visit_log.add_photo(row, by=request.user, data=data, key=_key(request))
    except Refused as refusal:
        if request.headers.get("X-Quiet"):
            return HttpResponse(str(refusal), status=422, content_type="text/plain")
        messages.error(request, str(refusal))
    return HttpResponse(status=204) if request.headers.get("X-Quiet") else redirect(row)


def _key(request: AuthedRequest) -> uuid.UUID | None:
    try:
        return uuid.UUID(request.POST.get("key", ""))
    except ValueError:
        return None


@needs("visit.view")
def show_photo(request: AuthedRequest, pk: str) -> HttpResponse:
    """A picture to whoever may see its visit; never stored on the way."""
    rows = VisitPhoto.objects.filter(visit__in=visible(request))
    found = get_object_or_404(rows.select_related("visit"), pk=pk)
    audit.record(request.user, "visit.photo_seen", found.visit)
    return picture(found.path)


@require_POST
@needs("visit.log")
def become(request: AuthedRequest, pk: int, what: str) -> HttpResponse:
    """What was found becomes an opportunity or a correction request, in one tap."""
    row = one(request, pk)
    report = get_object_or_404(VisitReport, visit=row)
    if what == "opportunity":
        visit_log.to_opportunity(report, by=request.user)
        messages.success(request, _("The opportunity is on the customer's page."))
    elif what == "correction":
        visit_log.to_correction(report, by=request.user)
        messages.success(request, _("The correction request is made."))
    else:
        raise Http404
    return redirect(row)


@needs("visit.log")
def feed(request: AuthedRequest) -> HttpResponse:
    """One's calendar address: made, shown once, revoked."""
    address = ""
    if request.method == "POST":
        if "revoke" in request.POST:
            feeds.revoke(by=request.user)
            messages.success(request, _("The address does not work any more."))
            return redirect("delivery:feed")
        address = feeds.make(by=request.user)
    row = CalendarFeed.objects.filter(user=request.user).first()
    return render(request, "delivery/feed.html", {"feed": row, "address": address})


@login_not_required
def ics(request: AuthedRequest, token: str) -> HttpResponse:
    """The calendar itself. SECURITY: the token is the only key; 404 for any other."""
    user = feeds.reader_of(token[:64])
    if user is None:
        raise Http404
    with override(user.language or HOUSE_LANGUAGE):
        body = feeds.calendar_of(user)
    return HttpResponse(body, content_type="text/calendar; charset=utf-8")
