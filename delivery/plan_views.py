"""Pages of supervisors: how visits stand, plans over lists, rules, who has how much room."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm.access.capabilities import AuthedRequest, may, needs, require
from crm.access.models import User
from crm.access.once import once
from crm.access.scoping import offices_of
from crm.audit import services as audit
from crm.errors import Refused
from crm.web import keyset_page
from customers.models import SavedView
from customers.seasons import month_span
from delivery import planning, visit_lists, visit_rules
from delivery import plans as service
from delivery.models import Visit, VisitCapacity, VisitPlan, VisitRule
from delivery.visit_forms import CapacityForm, PlanForm, RuleForm
from delivery.visit_views import dress, visible, visitors_under

State = Visit.State
PEOPLE = 200


class MonthForm(forms.Form):
    month = forms.DateField(input_formats=["%Y-%m"], required=False)
    office = forms.CharField(required=False, max_length=20)

    def clean_month(self) -> Any:
        month = self.cleaned_data["month"]
        if month and not 2000 <= month.year <= 2100:
            raise forms.ValidationError(_("This year is far away."))
        return month


@needs("visit.board")
def board(request: AuthedRequest) -> HttpResponse:
    """Coverage of running plans, overdue, visits against plan by person, mix of results;
    each number opens its rows. Ten queries, and the frame's."""
    form = MonthForm(request.GET)
    if not form.is_valid():
        raise Http404
    first, last = month_span(form.cleaned_data["month"] or localdate())
    offices = offices_of(request.user, "supervisor")
    rows = visible(request)
    if code := form.cleaned_data["office"]:
        office = get_object_or_404(offices, code=code)
        rows = rows.filter(customer__office__path__startswith=office.path)
    today = localdate()
    counts = visit_lists.counts_of(rows, first, last)
    people = visit_lists.by_person(rows, first, last)
    results = visit_lists.by_result(rows, first, last)
    running = VisitPlan.objects.visible_to(request.user).filter(
        due_on__gte=today - timedelta(days=60)
    )
    context = {
        "first": first,
        "last": last,
        "counts": counts,
        "share": 100 * counts["kept"] / counts["due"] if counts["due"] else None,
        "people": people,
        "results": results,
        "total": sum(count for _value, _label, count, _share in results),
        "plans": _covered(list(running[:8]), request.user),
        "offices": offices.filter(depth__lte=3)[:200],
        "code": form.cleaned_data["office"],
    }
    return render(request, "delivery/board.html", context)


def _covered(plans: list[VisitPlan], user: User) -> list[VisitPlan]:
    """Put on each plan how many of its names the reader sees, and how many are done."""
    rows = Visit.objects.visible_to(user).filter(plan__in=plans).order_by()
    counted = rows.values_list("plan").annotate(
        Count("pk"), done=Count("pk", filter=Q(state=State.DONE))
    )
    counts = {plan: (seen, done) for plan, seen, done in counted}
    for plan in plans:
        plan.seen, plan.done = counts.get(plan.pk, (0, 0))
        plan.share = 100 * plan.done / plan.seen if plan.seen else 0
    return plans


@needs("visit.plan")
def plans(request: AuthedRequest) -> HttpResponse:
    """Plans and a form for a new one."""
    offices = offices_of(request.user, "supervisor")
    views = SavedView.objects.visible_to(request.user)
    sent = request.POST if request.method == "POST" else None
    form = PlanForm(sent, offices=offices, views=views)
    counted = None
    if sent is not None and form.is_valid():
        draft, whom = form.save(commit=False), _whom(form.cleaned_data)
        if "sure" in sent:

            def act() -> str:
                return service.make(
                    draft, by=request.user, whom=whom
                ).get_absolute_url()

            return redirect(once(request, act))
        counted = service.counted(draft, by=request.user, whom=whom)
    rows = VisitPlan.objects.visible_to(request.user).select_related(
        "office", "made_by"
    )
    page = keyset_page(rows, ["-made_at", "-pk"], request.GET.get("after", ""))
    _covered(page.rows, request.user)
    context = {"page": page, "form": form, "counted": counted}
    status = 422 if form.errors else 200
    return render(request, "delivery/plans.html", context, status=status)


def _whom(typed: dict[str, Any]) -> dict[str, Any]:
    if typed["whom"] == "view":
        return {"view": typed["view"].pk, "name": typed["view"].name}
    return {
        "product": typed["product"],
        "since": f"{typed['since']}",
        "until": f"{typed['until']}",
    }


@needs("visit.plan")
def plan(request: AuthedRequest, pk: int) -> HttpResponse:
    """The counter by office, and the names that are still open."""
    rows = VisitPlan.objects.visible_to(request.user).select_related(
        "office", "made_by"
    )
    row = get_object_or_404(rows, pk=pk)
    mine = visible(request).filter(plan=row).exclude(state=State.DONE)
    page = keyset_page(
        mine.for_list(), ["due_on", "pk"], request.GET.get("after", ""), cap=None
    )
    dress(page.rows, request.user)
    covers = visit_lists.coverage(row, request.user)
    context = {"plan": row, "covers": covers, "page": page}
    return render(request, "delivery/plan.html", context)


def _rule_saved(request: AuthedRequest, form: RuleForm) -> bool:
    def act() -> str:
        visit_rules.save_rule(form.save(commit=False), by=request.user)
        return reverse("delivery:rules")

    try:
        once(request, act)
    except Refused as refusal:
        form.add_error("leader", str(refusal))
        return False
    messages.success(request, _("Saved. It holds from tonight."))
    return True


@needs("visit.view")
def rules(request: AuthedRequest) -> HttpResponse:
    """What makes visits due here; supervisors add rules of their offices."""
    offices = offices_of(request.user, "supervisor")
    is_boss = may(request.user, "visit.rule")
    sent = request.POST if request.method == "POST" else None
    if sent is not None:
        require(request.user, "visit.rule")
    form = RuleForm(sent, offices=offices, user=request.user)
    if sent is not None and form.is_valid() and _rule_saved(request, form):
        return redirect("delivery:rules")
    rows = VisitRule.objects.visible_to(request.user).select_related("office")
    found, names = list(rows), visit_rules.grade_names()
    for row in found:
        row.may_edit = is_boss and visit_rules.may_keep(request.user, row)
        row.grade_said = names.get(row.grade, row.grade)
    context = {"rows": found, "form": form if is_boss else None}
    status = 422 if form.errors else 200
    return render(request, "delivery/rules.html", context, status=status)


@needs("visit.rule")
def rule(request: AuthedRequest, pk: int) -> HttpResponse:
    """Change a rule: of one's own office, or of the house at the top of the tree."""
    rows = VisitRule.objects.visible_to(request.user).select_related("office")
    row = get_object_or_404(rows, pk=pk)
    offices = offices_of(request.user, "supervisor")
    sent = request.POST if request.method == "POST" else None
    form = RuleForm(sent, instance=row, offices=offices, user=request.user)
    if sent is not None and form.is_valid() and _rule_saved(request, form):
        return redirect("delivery:rules")
    context = {"rule": row, "form": form}
    status = 422 if form.errors else 200
    return render(request, "delivery/rule.html", context, status=status)


@needs("visit.board")
def people(request: AuthedRequest) -> HttpResponse:
    """Who has how much room and how each plan stands: kept, the bound, the gap."""
    today = localdate()
    open_now = dict(
        visible(request)
        .running()
        .order_by()
        .exclude(visitor=None)
        .values_list("visitor")
        .annotate(Count("pk"))
    )
    found = list(visitors_under(request.user)[:PEOPLE])
    known = planning.people_of([user.pk for user in found], today)
    loads = planning.loads_of(list(known), today) if known else {}
    loads = {user.pk: planning.Load() for user in found} | loads
    total = planning.Load()
    for user in found:
        user.open_visits = open_now.get(user.pk, 0)
        user.room = known.get(user.pk)
        user.load = loads[user.pk] if user.open_visits else None
        if user.load:
            total.add(user.load)
    context = {"people": found, "total": total, "horizon": planning.HORIZON}
    return render(request, "delivery/people.html", context)


@needs("visit.board")
def capacity(request: AuthedRequest, pk: int) -> HttpResponse:
    """How many visits and calls a day somebody makes."""
    user = get_object_or_404(visitors_under(request.user), pk=pk)
    known = planning.people_of([user.pk], localdate()).get(user.pk)
    row = VisitCapacity.objects.filter(user=user).first() or VisitCapacity(
        user=user,
        visits=known.visits if known else 0,
        calls=known.calls if known else 0,
    )
    sent = request.POST if request.method == "POST" else None
    form = CapacityForm(sent, instance=row)
    if sent is not None and form.is_valid():
        form.save()
        planning.plan_soon(user.pk)
        details = {"visits": row.visits, "calls": row.calls}
        audit.record(request.user, "visit.capacity", user, details=details)
        messages.success(request, _("Saved."))
        return redirect("delivery:people")
    context = {"person": user, "form": form}
    status = 422 if form.errors else 200
    return render(request, "delivery/capacity.html", context, status=status)
