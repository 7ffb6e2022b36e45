"""Seats: where one sits, whether one is free, and what rings there."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from complaints import calls
from complaints.call_forms import SeatForm
from complaints.call_views import intake_office
from complaints.models import Call, Seat
from crm import text
from crm.access.capabilities import AuthedRequest, needs


@needs("complaint.create")
def ringing(request: AuthedRequest) -> HttpResponse:
    """Calls at this agent's seat, asked for every other second."""
    rows = list(calls.ringing(request.user)[:3])
    for row in rows:
        row.masked = text.mask_phone(row.number) if row.number else ""
    return render(request, "complaints/_ringing.html", {"calls": rows})


@needs("complaint.create")
def answer(request: AuthedRequest, token: str) -> HttpResponse:
    """Open the form of a call that rings here."""
    call = get_object_or_404(Call.objects.of(request.user), token=token)
    if call.opened_at is None:
        calls.open_call(
            by=request.user,
            office=intake_office(request.user),
            call_id=call.call_id or "",
        )
    return redirect("call:form", call.token)


@require_POST
@needs("complaint.create")
def seat(request: AuthedRequest) -> HttpResponse:
    """Take a seat by its extension, or say whether one is free."""
    back = request.POST.get("next", "")
    if state := request.POST.get("state"):
        if state in Seat.State.values:
            calls.set_state(request.user, state)
    elif "leave" in request.POST:
        calls.leave_seat(by=request.user)
        request.session.pop("seat", None)
        messages.success(request, _("No call rings here any more."))
    else:
        posted = SeatForm(request.POST)
        if posted.is_valid():
            calls.take_seat(by=request.user, **posted.cleaned_data)
            request.session["seat"] = posted.cleaned_data["extension"]
            messages.success(request, _("Calls of this extension ring here now."))
        else:
            messages.error(request, _("An extension has 2 to 12 digits."))
    return redirect(back if back.startswith("/call/") else reverse("complaints:new"))
