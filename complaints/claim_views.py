"""Claims with their lists, findings with objection and ruling, units that help."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, QuerySet, Sum
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from complaints import claims, findings
from complaints.claim_forms import (
    ClaimForm,
    DecisionForm,
    FindingForm,
    HelpForm,
    PayForm,
    RateForm,
    RecoverForm,
    WordsForm,
)
from complaints.models import Claim, CoHandler, Complaint, Finding
from complaints.order_views import order_page, visible
from crm.access.capabilities import AuthedRequest, needs
from crm.access.models import User
from crm.access.once import once
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.web import keyset_page

VIEWS = {
    "decide": {"state": "proposed"},
    "pay": {"state": "approved"},
    "over": {"is_over_limit": True},
    "unusual": {"is_unusual": True},
    "paid": {"state__in": ["paid", "recovered"]},
    "recover": {"state": "paid"},
    "all": {},
}


def _claims(request: AuthedRequest) -> QuerySet[Claim]:
    related = ("complaint__handling_office", "proposed_by", "decided_by")
    return claims.visible(request.user).select_related(*related)


@needs("claim.view")
def claim_list(request: AuthedRequest) -> HttpResponse:
    """Claims of one's area; those of the green channel first where one decides."""
    view = request.GET.get("view", "decide")
    if view not in VIEWS:
        raise Http404
    rows = _claims(request).filter(**VIEWS[view])
    page = keyset_page(
        rows, ["-is_green", "-proposed_at", "-pk"], request.GET.get("after", "")
    )
    for row in page.rows:
        row.may_decide = row.state == "proposed" and claims.may_decide(
            request.user, row
        )
    figures = rows.order_by().aggregate(
        n=Count("pk"), yuan=Sum("amount"), back=Sum("recovered")
    )
    context = {"page": page, "view": view, "figures": figures}
    return render(request, "complaints/claims.html", context)


def _order(request: AuthedRequest, ref: str):
    return get_object_or_404(visible(request).for_list(), ref=ref)


@require_POST
@needs("claim.propose")
def propose(request: AuthedRequest, ref: str) -> HttpResponse:
    complaint = _order(request, ref)
    form = ClaimForm(request.POST)
    if form.is_valid():
        if "try" in request.POST:
            return order_page(request, complaint, claim=form, tried=form.suggestion)
        try:
            typed = form.cleaned_data
            once(
                request,
                lambda: str(claims.propose(complaint, by=request.user, **typed).pk),
            )
            return redirect(complaint)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return order_page(request, complaint, 422, claim=form)


def _grant(row: Claim, *, by: User, decision: str) -> Claim:
    return claims.decide(row, by=by, grants=True, decision=decision)


def _refuse(row: Claim, *, by: User, decision: str) -> Claim:
    return claims.decide(row, by=by, grants=False, decision=decision)


CLAIM_STEPS: dict[str, tuple[Any, Any]] = {
    "grant": (DecisionForm, _grant),
    "refuse": (DecisionForm, _refuse),
    "pay": (PayForm, claims.pay),
    "recover": (RecoverForm, claims.recover),
}


@require_POST
@needs("claim.view")
def claim_step(request: AuthedRequest, pk: int, step: str) -> HttpResponse:
    claim = get_object_or_404(_claims(request), pk=pk)
    return _step(request, claim, step, CLAIM_STEPS)


def _step(request: AuthedRequest, row: Any, step: str, steps: dict) -> HttpResponse:
    """One step of a row that belongs to a work order; what is wrong is said above it."""
    if step not in steps:
        raise Http404
    form_class, service = steps[step]
    form = form_class(request.POST)
    if form.is_valid():
        try:
            service(row, by=request.user, **form.cleaned_data)
        except Refused as refusal:
            messages.error(request, str(refusal))
    else:
        for field, errors in form.errors.items():
            label = form.fields[field].label or field
            messages.error(request, f"{label}: {errors[0]}")
    return redirect(row.complaint)


@require_POST
@needs("finding.add")
def finding_add(request: AuthedRequest, ref: str) -> HttpResponse:
    complaint = _order(request, ref)
    form = FindingForm(request.POST)
    if form.is_valid():
        try:
            typed = form.cleaned_data
            once(
                request,
                lambda: str(findings.add(complaint, by=request.user, **typed).pk),
            )
            return redirect(complaint)
        except Refused as refusal:
            form.add_error("share", str(refusal))
    return order_page(request, complaint, 422, finding=form)


def _object(row: Finding, *, by: User, text: str) -> Finding:
    return findings.object_to(row, by=by, objection=text)


def _uphold(row: Finding, *, by: User, text: str) -> Finding:
    return findings.rule(row, by=by, upholds=True, ruling=text)


def _lift(row: Finding, *, by: User, text: str) -> Finding:
    return findings.rule(row, by=by, upholds=False, ruling=text)


FINDING_STEPS: dict[str, tuple[Any, Any]] = {
    "object": (WordsForm, _object),
    "uphold": (WordsForm, _uphold),
    "lift": (WordsForm, _lift),
}


def findings_of(user: User) -> QuerySet[Finding]:
    """Of work orders that one sees, of one's own units, and about oneself."""
    related = ("complaint", "office", "user", "found_by", "objected_by", "ruled_by")
    rows = Finding.objects.select_related(*related)
    mine = offices_of(user, "supervisor")
    seen = rows.filter(complaint__in=Complaint.objects.visible_to(user))
    return seen | rows.filter(office__in=mine) | rows.filter(user=user)


@needs("complaint.view")
def finding_list(request: AuthedRequest) -> HttpResponse:
    """Findings that concern one: of one's area, units and oneself; the open ones first."""
    rows = list(findings_of(request.user).order_by("-found_at")[:200])
    for row in rows:
        row.may_object = row.state == "stands" and findings.may_object(
            request.user, row
        )
        row.may_rule = row.state == "objected" and findings.may_rule(request.user, row)
    rows.sort(key=lambda row: not row.may_rule)
    context = {"rows": rows, "words": WordsForm()}
    return render(request, "complaints/findings.html", context)


@require_POST
@needs("complaint.view")
def finding_step(request: AuthedRequest, pk: int, step: str) -> HttpResponse:
    finding = get_object_or_404(findings_of(request.user), pk=pk)
    _step(request, finding, step, FINDING_STEPS)
    return redirect("complaints:findings")


@require_POST
@needs("complaint.move")
def help_ask(request: AuthedRequest, ref: str) -> HttpResponse:
    complaint = _order(request, ref)
    form = HelpForm(request.POST)
    if form.is_valid():
        try:
            findings.ask_help(complaint, by=request.user, **form.cleaned_data)
            return redirect(complaint)
        except Refused as refusal:
            form.add_error("office", str(refusal))
    return order_page(request, complaint, 422, help=form)


HELP_STEPS: dict[str, tuple[Any, Any]] = {
    "reply": (WordsForm, findings.reply),
    "rate": (RateForm, findings.rate),
}


@require_POST
@needs("complaint.move")
def help_step(request: AuthedRequest, pk: int, step: str) -> HttpResponse:
    rows = CoHandler.objects.select_related("complaint", "office")
    helper = get_object_or_404(rows.filter(complaint__in=visible(request)), pk=pk)
    return _step(request, helper, step, HELP_STEPS)
