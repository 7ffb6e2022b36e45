"""Routing rules with their dry run, desks, and suspicions of buck-passing."""

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from complaints import passing, routing, services
from complaints.models import BuckPassing, Desk, RoutingRule
from complaints.order_forms import JudgeForm
from complaints.routing_forms import DeskForm, RuleForm, SampleForm
from crm.access import duty
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import once
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.org.queries import ancestry
from customers.models import Customer


def _page(
    request: AuthedRequest, status: int = 200, tried: object = None, **forms: object
) -> HttpResponse:
    mine = offices_of(request.user, "supervisor")
    customers = Customer.objects.visible_to(request.user)
    everywhere = offices_of(request.user)
    above = {path for p in request.user.postings_now for path in ancestry(p.office)}
    in_force = Q(office__in=everywhere) | Q(office__path__in=above)
    rules = RoutingRule.objects.filter(in_force).order_by(
        "office__path", "position", "pk"
    )
    desks = Desk.objects.filter(office__in=everywhere).select_related("office")
    context = {
        "rules": rules.select_related("office", "target_office", "desk"),
        "desks": desks.prefetch_related("members"),
        "tried": tried,
        "offices": mine,
        "may_edit": may(request.user, "routing.edit"),
        "rule_form": forms.get("rule") or RuleForm(offices=mine),
        "desk_form": forms.get("desk")
        or DeskForm(offices=mine, people=duty.under(request.user)),
        "sample_form": forms.get("sample")
        or SampleForm(offices=everywhere, customers=customers),
    }
    return render(request, "complaints/routing.html", context, status=status)


@needs("routing.view")
def rules(request: AuthedRequest) -> HttpResponse:
    """The rules in their order; with a sample in the address: who would get it."""
    if "office" not in request.GET:
        return _page(request)
    sample = SampleForm(
        request.GET,
        offices=offices_of(request.user),
        customers=Customer.objects.visible_to(request.user).select_related("office"),
    )
    tried = None
    if sample.is_valid():
        tried = services.drafted(**sample.cleaned_data)
    return _page(request, 422 if sample.errors else 200, tried, sample=sample)


@require_POST
@needs("routing.edit")
def usual(request: AuthedRequest) -> HttpResponse:
    """The usual rules for an office that has none."""
    mine = offices_of(request.user, "supervisor")
    office = get_object_or_404(mine, code=_sent(request, "office"))
    if not routing.add_usual(office, by=request.user):
        messages.error(request, _("This office has rules already."))
    return redirect("complaints:routing")


@require_POST
@needs("routing.edit")
def add_rule(request: AuthedRequest) -> HttpResponse:
    form = RuleForm(request.POST, offices=offices_of(request.user, "supervisor"))
    if not form.is_valid():
        return _page(request, 422, rule=form)
    once(request, lambda: str(routing.save_rule(form.rule(), by=request.user).pk))
    return redirect("complaints:routing")


def _sent(request: AuthedRequest, name: str) -> str:
    return request.POST.get(name, "").replace("\0", "")


def _rule(request: AuthedRequest, pk: int) -> RoutingRule:
    mine = offices_of(request.user, "supervisor")
    return get_object_or_404(RoutingRule.objects.filter(office__in=mine), pk=pk)


@require_POST
@needs("routing.edit")
def remove_rule(request: AuthedRequest, pk: int) -> HttpResponse:
    routing.remove_rule(_rule(request, pk), by=request.user)
    return redirect("complaints:routing")


@require_POST
@needs("routing.edit")
def save_desk(request: AuthedRequest) -> HttpResponse:
    """A new desk, or the members of one that the office has by this name."""
    mine = offices_of(request.user, "supervisor")
    name, code = _sent(request, "name"), _sent(request, "office")
    old = Desk.objects.filter(office__in=mine, office__code=code, name=name).first()
    form = DeskForm(
        request.POST, instance=old, offices=mine, people=duty.under(request.user)
    )
    if not form.is_valid():
        return _page(request, 422, desk=form)
    members = list(form.cleaned_data["members"])
    desk = form.save(commit=False)
    try:
        with transaction.atomic():
            routing.save_desk(desk, by=request.user, members=members)
    except IntegrityError:  # RACE: somebody else has just made it
        form.add_error("name", _("There is a desk of this name already."))
        return _page(request, 422, desk=form)
    return redirect("complaints:routing")


@needs("complaint.judge")
def suspicions(request: AuthedRequest) -> HttpResponse:
    """Signs of buck-passing in one's area, those to be judged first."""
    mine = offices_of(request.user, "supervisor")
    rows = BuckPassing.objects.filter(office__in=mine)
    related = rows.select_related("complaint", "office", "decided_by")
    context = {
        "rows": related.order_by("decided_at", "-raised_at")[:200],
        "waiting": rows.filter(state=BuckPassing.State.RAISED).count(),
        "form": JudgeForm(),
    }
    return render(request, "complaints/suspicions.html", context)


@require_POST
@needs("complaint.judge")
def judge(request: AuthedRequest, pk: int) -> HttpResponse:
    mine = offices_of(request.user, "supervisor")
    row = get_object_or_404(BuckPassing.objects.filter(office__in=mine), pk=pk)
    form = JudgeForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say why."))
        return redirect("complaints:suspicions")
    try:
        passing.judge(
            row,
            by=request.user,
            confirms="confirm" in request.POST,
            note=form.cleaned_data["note"],
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("complaints:suspicions")
