"""Pages of incidents: declared by anybody at the front line, led on a clock."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import answered, once
from crm.errors import Refused
from crm.risk import services
from crm.risk.forms import IncidentForm
from crm.risk.models import Incident
from crm.text import number_of, words_of
from crm.web import keyset_page

FIELDS = {
    "incident.plan": "plan",
    "incident.future": "noticed_at",
    "incident.leader": "leader",
}


@needs("incident.declare")
def incidents(request: AuthedRequest) -> HttpResponse:
    """The incidents that one may see, and the form that opens one."""
    sent = request.POST if request.method == "POST" else None
    if sent is not None and (done := answered(request)):
        return redirect(done)
    form = IncidentForm(sent, by=request.user)
    if sent is not None and form.is_valid():

        def act() -> str:
            row = form.save(commit=False)
            row.leader = form.cleaned_data["leader"]
            services.declare(row, by=request.user)
            seen = Incident.objects.visible_to(request.user).filter(pk=row.pk)
            return row.get_absolute_url() if seen.exists() else request.path

        try:
            url = once(request, act)
            messages.success(request, _("It is open: those who lead here are told."))
            return redirect(url)
        except Refused as refusal:
            form.add_error(FIELDS.get(refusal.code), str(refusal))
    rows = Incident.objects.visible_to(request.user).select_related("office", "leader")
    is_open = request.GET.get("state") == "open"
    if is_open:
        rows = rows.exclude(state=Incident.State.CLOSED)
    context = {
        "form": form,
        "is_open": is_open,
        "page": keyset_page(rows, ["-noticed_at", "-pk"], request.GET.get("after", "")),
    }
    status = 422 if form.errors else 200
    return render(request, "risk/incidents.html", context, status=status)


def _incident(request: AuthedRequest, pk: int) -> Incident:
    rows = Incident.objects.visible_to(request.user)
    return get_object_or_404(
        rows.select_related("office", "leader", "plan__current", "made_by"), pk=pk
    )


@needs("incident.declare")
def incident(request: AuthedRequest, pk: int) -> HttpResponse:
    """One incident: whom to tell by when, the log, the plan beside it."""
    row = _incident(request, pk)
    plan = row.plan
    context = {
        "incident": row,
        "duties": row.duties.select_related("told_by"),
        "log": row.log.select_related("by"),
        "contacts": plan.contacts.all() if plan else [],
        "may_lead": row.state != Incident.State.CLOSED
        and (services.may_lead(request.user, row)),
        "may_plan": plan is not None and may(request.user, "risk.see"),
        "at": now(),
    }
    return render(request, "risk/incident.html", context)


def _words(request: AuthedRequest, most: int) -> str:
    words = words_of(request.POST.get("words", ""), most)
    if len(words) < 2:
        raise Refused("words", _("Write a few words."))
    return words


def _told(request: AuthedRequest, row: Incident) -> None:
    typed = number_of(request.POST.get("duty", ""), 0)
    duty = get_object_or_404(row.duties, pk=typed)
    services.told(duty, by=request.user, how=_words(request, 200))


Act = Callable[[AuthedRequest, Incident], Any]
ACTS: dict[str, Act] = {
    "log": lambda request, row: services.log(
        row, by=request.user, text=_words(request, 1000)
    ),
    "told": _told,
    "contain": lambda request, row: services.contain(row, by=request.user),
    "close": lambda request, row: services.close(
        row, by=request.user, cause=_words(request, 4000)
    ),
}


@require_POST
@needs("incident.declare")
def incident_act(request: AuthedRequest, pk: int, act: str) -> HttpResponse:
    row = _incident(request, pk)
    if act not in ACTS:
        raise Http404
    try:
        ACTS[act](request, row)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row)
