"""The gate: the two-stage review, and the pilot with business supervisors."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_POST

from campaigns import review as service
from campaigns.forms import (
    DecisionForm,
    PilotFindingForm,
    PilotUserForm,
    ReviewForm,
    RiskFormSet,
)
from campaigns.models import (
    OrientationReview,
    PilotFinding,
    PilotUser,
    ReviewRisk,
    Season,
)
from campaigns.models.seasons import of_customers
from campaigns.season_views import frame_of, season_of
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.models import Posting
from crm.access.once import once
from crm.access.roles import Role
from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.org.queries import ancestry

State = OrientationReview.State


def _found(season: Season) -> OrientationReview | None:
    rows = OrientationReview.objects.filter(season=season)
    return rows.select_related("initiator", "countersigned_by").first()


SAID = {
    "review.written": pgettext_lazy("review", "written"),
    "review.submitted": pgettext_lazy("review", "handed in"),
    "review.signed": pgettext_lazy("review", "countersigned"),
    "review.sent_back": pgettext_lazy("review", "sent back"),
}


def _signers(season: Season) -> list[str]:
    """Who may countersign: the service department of the season's office and above."""
    rows = Posting.objects.in_force(localdate()).filter(
        role=Role.REVIEWER, office__path__in=ancestry(season.office)
    )
    return sorted({f"{row.user}" for row in rows.select_related("user")})


def _trail(row: OrientationReview | None) -> list[AuditEvent]:
    """What was done with it, newest first."""
    if row is None:
        return []
    events = AuditEvent.objects.filter(target=f"campaigns.orientationreview:{row.pk}")
    found = list(events.order_by("-pk")[:20])
    for event in found:
        event.said = SAID.get(event.action, event.action)
    return found


def _page(request: AuthedRequest, season: Season, **bound: Any) -> HttpResponse:
    row = _found(season)
    frame = frame_of(request, season, "review")
    is_draft = season.state == Season.State.DRAFT
    waits = row is not None and row.state == State.SUBMITTED and is_draft
    may_write = frame["may_plan"] and is_draft
    if waits and row.initiator_id != request.user.pk:
        may_write = False
    risks = ReviewRisk.objects.filter(review=row) if row else ReviewRisk.objects.none()
    forms: dict[str, Any] = {}
    if may_write:
        forms = {
            "review": ReviewForm(instance=row),
            "risks": RiskFormSet(queryset=risks),
        }
    if waits and may(request.user, "season.review", season.office):
        forms["decision"] = DecisionForm()
    may_note = season.is_open and may(request.user, "member.note")
    if may_note and is_draft:
        forms["pilot"] = PilotUserForm(None, by=request.user)
    users = season.pilot_users.filter(_seen(request))
    users = users.select_related("customer__office", "decided_by")
    users = users.prefetch_related("findings__noted_by")
    for one in users:
        one.shown = one.customer.name_for(request.user)
    context = frame | {
        "review": row,
        "risks": risks,
        "forms": forms | bound,
        "may_write": may_write,
        "signers": _signers(season) if waits else [],
        "may_note": may_note,
        "pilots": users,
        "finding_form": PilotFindingForm() if may_note else None,
        "trail": _trail(row),
        "reward": sum(one.reward for user in users for one in user.findings.all()),
    }
    return render(
        request, "campaigns/review.html", context, status=422 if bound else 200
    )


@needs("season.view")
def review(request: AuthedRequest, code: str) -> HttpResponse:
    """Stage 1: read or write the assessment."""
    season = season_of(request, code)
    if request.method != "POST":
        return _page(request, season)
    if not may(request.user, "season.plan", season.office):
        raise Http404
    row = _found(season)
    form = ReviewForm(request.POST, instance=row)
    kept = ReviewRisk.objects.filter(review=row) if row else ReviewRisk.objects.none()
    risks = RiskFormSet(request.POST, queryset=kept)
    if not (form.is_valid() and risks.is_valid()):
        return _page(request, season, review=form, risks=risks)
    lines = [
        one.instance
        for one in risks.forms
        if one not in risks.deleted_forms and one.instance.words
    ]
    try:
        facts = form.cleaned_data
        service.write(season, by=request.user, facts=facts, risks=lines)
        if "submit" in request.POST:
            service.submit(season, by=request.user)
        messages.success(request, _("Saved."))
        return redirect("campaigns:review", season.code)
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return _page(request, season, review=form, risks=risks)


@require_POST
@needs("season.review")
def decide(request: AuthedRequest, code: str) -> HttpResponse:
    """Stage 2: countersign, or send back."""
    season = season_of(request, code)
    form = DecisionForm(request.POST)
    if form.is_valid():
        try:
            service.decide(
                season,
                by=request.user,
                is_signed="sign" in request.POST,
                reply=form.cleaned_data["reply"],
            )
            messages.success(request, _("Done."))
            return redirect("campaigns:review", season.code)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return _page(request, season, decision=form)


@require_POST
@needs("member.note")
def pilot_apply(request: AuthedRequest, code: str) -> HttpResponse:
    """A customer applies for the pilot."""
    season = season_of(request, code)
    form = PilotUserForm(
        request.POST, by=request.user, instance=PilotUser(season=season)
    )
    if not form.is_valid():
        return _page(request, season, pilot=form)

    def act() -> str:
        service.apply(form.save(commit=False), by=request.user)
        return f"{season.get_absolute_url()}review/#pilot"

    try:
        return redirect(once(request, act))
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return _page(request, season, pilot=form)


def _seen(request: AuthedRequest) -> Q:
    """Pilot users of the reader's customers or offices."""
    return of_customers(request.user, "supervisor", "planner", "reviewer")


def _pilot(request: AuthedRequest, season: Season, pk: int) -> PilotUser:
    rows = season.pilot_users.filter(_seen(request))
    rows = rows.select_related("customer__office", "season__office")
    return get_object_or_404(rows, pk=pk)


@require_POST
@needs("season.plan")
def pilot_decide(request: AuthedRequest, code: str, pk: int) -> HttpResponse:
    """Take an applicant into the pilot, or not."""
    season = season_of(request, code)
    try:
        service.accept(
            _pilot(request, season, pk),
            by=request.user,
            is_accepted="accept" in request.POST,
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(f"{season.get_absolute_url()}review/#pilot")


@require_POST
@needs("member.note")
def pilot_found(request: AuthedRequest, code: str, pk: int) -> HttpResponse:
    """A problem or suggestion of a pilot user, with its reward."""
    season = season_of(request, code)
    row = _pilot(request, season, pk)
    form = PilotFindingForm(request.POST, instance=PilotFinding(user=row))
    if form.is_valid():

        def act() -> str:
            service.found(form.save(commit=False), by=request.user)
            return f"{season.get_absolute_url()}review/#pilot"

        try:
            return redirect(once(request, act))
        except Refused as refusal:
            form.add_error(None, str(refusal))
    first = next(iter(form.errors.values()))[0]
    messages.error(request, first)
    return redirect(f"{season.get_absolute_url()}review/#pilot")
