"""Pages of risks: the register with its matrix, one risk, emergency plans."""

from typing import Any

from django.contrib import messages
from django.db.models import OuterRef, Subquery
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import once
from crm.dashboards.reckoned import BY_NAME, KPIS
from crm.errors import Refused
from crm.library.models import Document
from crm.risk import services
from crm.risk.forms import ContactForm, DrillForm, RiskForm
from crm.risk.models import Incident, Risk, Warning

MOST = 500
FIELDS = {"risk.owner": "owner"}


@needs("risk.see")
def risks(request: AuthedRequest) -> HttpResponse:
    """The register, the heaviest first, and the matrix; the plans and open incidents."""
    rows = Risk.objects.visible_to(request.user).select_related("office", "owner")
    warned = Warning.objects.filter(risk=OuterRef("pk")).order_by("-first")
    rows = rows.annotate(newest=Subquery(warned.values("period")[:1]))
    found = sorted(
        rows.exclude(state=Risk.State.CLOSED)[:MOST], key=lambda row: -row.weight
    )
    matrix = [
        (
            likelihood,
            [
                sum(
                    row.likelihood == likelihood and row.impact == impact
                    for row in found
                )
                for impact in range(1, 6)
            ],
        )
        for likelihood in range(5, 0, -1)
    ]
    plans = Document.objects.visible_to(request.user).filter(
        kind=Document.Kind.EMERGENCY, current__isnull=False
    )
    context = {
        "risks": found,
        "matrix": matrix,
        "plans": plans.select_related("office"),
        "open": Incident.objects.visible_to(request.user)
        .exclude(state=Incident.State.CLOSED)
        .select_related("office"),
        "may_keep": may(request.user, "risk.keep"),
        "today": localdate(),
    }
    return render(request, "risk/risks.html", context)


@needs("risk.see")
def risk(request: AuthedRequest, pk: int) -> HttpResponse:
    """One risk: its warnings; changed by who keeps the register."""
    rows = Risk.objects.visible_to(request.user)
    row = get_object_or_404(rows.select_related("office", "owner", "made_by"), pk=pk)
    may_keep = may(request.user, "risk.keep", row.office)
    sent = request.POST if request.method == "POST" and may_keep else None
    form = _form(request, sent, row) if may_keep else None
    if sent is not None and form is not None and form.is_valid():
        if _kept(request, form):
            return redirect(row)
        row.refresh_from_db()
    context = {
        "risk": row,
        "form": form,
        "kpi": BY_NAME.get(row.kpi),
        "warnings": row.warnings.all()[:24],
        "today": localdate(),
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "risk/risk.html", context, status=status)


def _form(request: AuthedRequest, sent: Any, row: Risk | None = None) -> RiskForm:
    kpis = [(kpi.name, kpi.label) for kpi in KPIS]
    return RiskForm(sent, by=request.user, kpis=kpis, instance=row)


def _kept(request: AuthedRequest, form: RiskForm) -> str:
    """The address of the risk that was kept; "" with a fault on the form."""

    def act() -> str:
        row = form.save(commit=False)
        row.owner = form.cleaned_data["owner"]
        return services.keep(row, by=request.user).get_absolute_url()

    try:
        return once(request, act)
    except Refused as refusal:
        form.add_error(FIELDS.get(refusal.code), str(refusal))
    return ""


@needs("risk.keep")
def risk_new(request: AuthedRequest) -> HttpResponse:
    sent = request.POST if request.method == "POST" else None
    form = _form(request, sent)
    if sent is not None and form.is_valid():
        url = _kept(request, form)
        if url:
            return redirect(url)
    status = 422 if form.errors else 200
    return render(request, "risk/risk_new.html", {"form": form}, status=status)


def _plan(request: AuthedRequest, pk: int) -> Document:
    rows = Document.objects.visible_to(request.user).filter(
        kind=Document.Kind.EMERGENCY
    )
    return get_object_or_404(rows.select_related("office", "current"), pk=pk)


def _plan_page(request: AuthedRequest, row: Document, **forms: Any) -> HttpResponse:
    context = {
        "plan": row,
        "contacts": row.contacts.all(),
        "drills": row.drills.select_related("noted_by"),
        "may_keep": may(request.user, "risk.keep", row.office),
        "contact_form": ContactForm(),
        "drill_form": DrillForm(initial={"held_on": localdate()}),
        **forms,
    }
    wrong = any(form.errors for form in forms.values())
    return render(request, "risk/plan.html", context, status=422 if wrong else 200)


@needs("risk.see")
def plan(request: AuthedRequest, pk: int) -> HttpResponse:
    """An emergency plan: its text, whom it names, when it was practised."""
    return _plan_page(request, _plan(request, pk))


@require_POST
@needs("risk.keep")
def plan_add(request: AuthedRequest, pk: int, what: str) -> HttpResponse:
    """A contact, or a drill that was held."""
    row = _plan(request, pk)
    forms = {"contact": ContactForm, "drill": DrillForm}
    if what not in forms:
        raise Http404
    form = forms[what](request.POST)
    if form.is_valid():
        add = {"contact": services.add_contact, "drill": services.note_drill}[what]

        def act() -> str:
            add(row, form.save(commit=False), by=request.user)
            return request.path

        try:
            once(request, act)
            messages.success(request, _("Saved."))
            return redirect("risk:plan", row.pk)
        except Refused as refusal:
            form.add_error("held_on", str(refusal))
    return _plan_page(request, row, **{f"{what}_form": form})


@require_POST
@needs("risk.keep")
def contact_drop(request: AuthedRequest, pk: int, contact: int) -> HttpResponse:
    row = _plan(request, pk)
    services.drop_contact(get_object_or_404(row.contacts, pk=contact), by=request.user)
    return redirect("risk:plan", row.pk)
