"""One customer's grade: why, its history, and grades set by hand."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import once
from crm.errors import Refused
from customers import grades
from customers.grade_forms import BENEFITS, DIMENSIONS, RULES, OverrideForm
from customers.models import Customer, CustomerGrade, GradeOverride, choices


def _why_context(request: AuthedRequest, customer: Customer) -> dict[str, Any]:
    held = CustomerGrade.objects.filter(customer=customer)
    row = grades.newest_assessment(customer)
    why = grades.explain(row) if row else None
    live = customer.grade_overrides.filter(state__in=["asked", "approved"])
    grade = held.select_related("run__scheme").first()
    override = live.select_related("asked_by", "decided_by").first()
    return {
        "customer": customer,
        "shown_customer": customer.name_for(request.user),
        "grade": grade,
        "why": why,
        "said": RULES[row.rule] if row else "",
        "lines": [
            (DIMENSIONS[name], _measure(name, measure), *rest)
            for name, measure, *rest in (why.lines if why else [])
        ],
        "benefits": [BENEFITS[key] for key in grade.benefits] if grade else [],
        "changes": grades.changes_of(customer),
        "override": override,
        "override_name": _name(grade, override),
    }


def _measure(name: str, value: Any) -> str:
    """A dimension's measure as people read it, with what it counts."""
    if name == "brand":
        known = dict(choices.StrategicClass.choices)
        return str(known.get(value, "—"))
    units = {
        "revenue": _("% of the customers have less revenue"),
        "profit": _("% of the revenue is profit"),
        "credit": _("days is the oldest arrears"),
        "payment": _("days of credit"),
        "loyalty": _("months of twelve with usage"),
    }
    figure = f"{100 * value:.0f}" if isinstance(value, float) else str(value)
    return f"{figure} {units[name]}"


def _name(grade: CustomerGrade | None, override: GradeOverride | None) -> str:
    """The name of the grade that is asked for; its code if the scheme has none such."""
    if override is None:
        return ""
    grades_of = grade.run.scheme.parsed().grades if grade and grade.run else ()
    return {g.code: g.name for g in grades_of}.get(override.code, override.code)


def _override_form(context: dict[str, Any], data: Any = None) -> OverrideForm:
    form = OverrideForm(data, auto_id="override-%s")
    if context["grade"] and context["grade"].run:
        rules = context["grade"].run.scheme.parsed()
        form.fields["code"].choices = [(g.code, g.name) for g in rules.grades]
    return form


@needs("customer.view")
def of_customer(request: AuthedRequest, pk: int) -> HttpResponse:
    """Why a customer has its grade; POST asks for another one by hand."""
    rows = Customer.objects.visible_to(request.user).select_related("office")
    customer = get_object_or_404(rows, pk=pk)
    context, status = _why_context(request, customer), 200
    form = _override_form(context, request.POST or None)
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                once(request, lambda: _asked(request, customer, form))
                context, status = _why_context(request, customer), 200
                form = _override_form(context)
            except Refused as refusal:
                beside = {"override.code": "code", "override.until": "until"}
                form.add_error(beside.get(refusal.code), str(refusal))
    context["form"] = form
    user, override = request.user, context["override"]
    context["may_override"] = may(user, "grading.override", customer.office)
    context["may_decide"] = (
        override is not None
        and override.state == "asked"
        and override.asked_by_id != user.pk
        and may(user, "grading.approve", customer.office)
    )
    context["is_page"] = not request.htmx  # opened by itself: to be printed
    name = "customers/grade.html" if context["is_page"] else "customers/_grade.html"
    return render(request, name, context, status=status)


def _asked(request: AuthedRequest, customer: Customer, form: OverrideForm) -> str:
    grades.ask_override(customer, by=request.user, **form.cleaned_data)
    return customer.get_absolute_url()


@require_POST
@needs("grading.override")
def override_act(request: AuthedRequest, pk: int, action: str) -> HttpResponse:
    """Approve, refuse or end a grade by hand."""
    seen = Customer.objects.visible_to(request.user)
    rows = GradeOverride.objects.filter(customer__in=seen)
    row = get_object_or_404(rows.select_related("customer__office"), pk=pk)
    try:
        if action == "end":
            grades.end_override(row, by=request.user)
        elif action in ("approve", "refuse"):
            approve = action == "approve"
            grades.decide_override(row, by=request.user, approve=approve)
        else:
            raise Http404
        messages.success(request, _("Done."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row.customer)
