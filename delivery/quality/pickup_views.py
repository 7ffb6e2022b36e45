"""Pages of pickups: rates by unit, orders behind them, the assessment."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.models import User
from crm.access.once import answered, once
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.org.models import Office
from crm.web import csv_answer, keyset_page
from customers.queries import add_months
from customers.seasons import month_span
from delivery.models import PickupLine, PickupOrder, PickupSheet
from delivery.quality import pickups, rates
from delivery.quality import sheets as service
from delivery.quality.forms import BasesForm, OrderFilter, SheetForm, SpanForm

Which = OrderFilter.Which
READERS = ("supervisor", "analyst")
SEERS = ("supervisor", "agent", "handler", "inspector")
LIST_CAP = 10_000
STEPS = {"sign": service.sign, "drop": service.drop}


@needs("pickup.view")
def board(request: AuthedRequest) -> HttpResponse:
    """Timely pickup by unit: the total is summed, never the mean of the units."""
    form = SpanForm(request.GET, by=request.user, roles=READERS)
    if not form.is_valid():
        return render(request, "quality/pickups.html", {"form": form}, status=422)
    office, span = form.cleaned_data["office"], form.span
    units = list(Office.objects.under(office).filter(depth=office.depth + 1))
    found = pickups.counts_by_office([office, *units], span.first, span.last)
    rows = [(unit, found[unit.pk]) for unit in units if found[unit.pk].due]
    rows.sort(key=lambda row: (row[1].is_few, -(row[1].timely_rate.value or 0)))
    ranked = [counts for _unit, counts in rows if not counts.is_few]
    context = {
        "form": form,
        "office": office,
        "span": span,
        "address": form.address,
        "whole": found[office.pk],
        "rows": rows,
        "met": sum(counts.is_met for counts in ranked),
        "excellent": sum(counts.is_excellent for counts in ranked),
        "below": sum(not counts.is_met for counts in ranked),
        "fewest": rates.FEWEST,
        "may_list": may(request.user, "pickup.order"),
        "earlier": month_span(add_months(span.first.replace(day=1), -1)),
        "later": month_span(add_months(span.first.replace(day=1), 1)),
    }
    return render(request, "quality/pickups.html", context)


@needs("pickup.order")
def orders(request: AuthedRequest) -> HttpResponse:
    """The orders behind a figure."""
    form = OrderFilter(request.GET, by=request.user, roles=SEERS)
    if not form.is_valid():
        return render(request, "quality/orders.html", {"form": form}, status=422)
    which = form.cleaned_data["which"] or Which.DUE
    rows = _narrowed(PickupOrder.objects.visible_to(request.user), form, which)
    page = keyset_page(
        rows.select_related("office"),
        ["due_on", "pk"],
        request.GET.get("after", ""),
        cap=LIST_CAP,
    )
    context = {"form": form, "page": page, "which": Which(which).label}
    return render(request, "quality/orders.html", context)


def _narrowed(
    rows: QuerySet[PickupOrder], form: OrderFilter, which: str
) -> QuerySet[PickupOrder]:
    office, span = form.cleaned_data["office"], form.span
    rows = rows.filter(
        office__path__startswith=office.path, due_on__range=(span.first, span.last)
    )
    if span.product:
        rows = rows.filter(product=span.product)
    if which == Which.CANCELLED:
        return rows.filter(is_due=False)
    narrowing: dict[str, dict[str, Any]] = {
        Which.DUE: {},
        Which.TIMELY: {"is_timely": True},
        Which.MISSED: {"is_timely": False},
        Which.CALLED: {"said_in_time__isnull": False},
    }
    return rows.filter(is_due=True, **narrowing[which])


@needs("pickup.sheet")
def sheets(request: AuthedRequest) -> HttpResponse:
    """The assessments, and a form for a new proposal."""
    if url := answered(request):
        return redirect(url)
    rows = PickupSheet.objects.visible_to(request.user).select_related("office")
    may_propose = may(request.user, "pickup.propose")
    sent = request.POST if request.method == "POST" else None
    offices = offices_of(request.user, "supervisor")
    form = SheetForm(sent, offices=offices, last=rows.first())
    if sent is not None and may_propose and form.is_valid():
        draft = form.save(commit=False)
        try:
            url = once(
                request,
                lambda: service.propose(draft, by=request.user).get_absolute_url(),
            )
            return redirect(url)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    page = keyset_page(rows, ["-first", "-pk"], request.GET.get("after", ""))
    context = {"page": page, "form": form if may_propose else None}
    status = 422 if sent is not None else 200
    return render(request, "quality/sheets.html", context, status=status)


def _seen(request: AuthedRequest, pk: int) -> PickupSheet:
    rows = PickupSheet.objects.visible_to(request.user)
    rows = rows.select_related("office", "made_by", "signed_by")
    return get_object_or_404(rows, pk=pk)


def _lines(row: PickupSheet) -> list[PickupLine]:
    lines = list(row.lines.select_related("unit"))
    return sorted(lines, key=lambda line: (line.standing, line.timely / line.due))


def _hide_pay_of_others(lines: list[PickupLine], user: User) -> None:
    """SECURITY: a unit's supervisor reads the sheet, and the pay of the own unit only."""
    own = [posting.office for posting in user.posts("supervisor")]
    for line in lines:
        if not any(office.contains(line.unit) for office in own):
            line.base = None


@needs("pickup.sheet")
def sheet(request: AuthedRequest, pk: int) -> HttpResponse:
    """One assessment: its lines, the pay behind them, and what may be done with it."""
    row = _seen(request, pk)
    lines = _lines(row)
    if not may(request.user, "pickup.sheet", row.office):
        _hide_pay_of_others(lines, request.user)
    is_open = row.state == PickupSheet.State.PROPOSED
    may_base = is_open and may(request.user, "pickup.base", row.office)
    failing = [line for line in lines if line.standing == PickupLine.Standing.DEDUCTED]
    sent = request.POST if request.method == "POST" else None
    form = BasesForm(sent, lines=failing)
    if sent is not None:
        if not may_base:
            raise Http404
        if form.is_valid():
            service.set_bases(row, form.bases, by=request.user)
            messages.success(request, _("Kept."))
            return redirect(row)
    context = {
        "sheet": row,
        "lines": lines,
        "form": form,
        "bases": {line.pk: field for line, field in form.rows()} if may_base else {},
        "due": sum(line.due for line in lines),
        "timely": sum(line.timely for line in lines),
        "seen": service.fingerprint(row),
        "may_sign": is_open
        and may(request.user, "pickup.sign", row.office)
        and row.made_by_id != request.user.pk,
        "may_drop": is_open and may(request.user, "pickup.propose", row.office),
        "may_export": row.state == PickupSheet.State.SIGNED
        and may(request.user, "pickup.export", row.office),
    }
    status = 422 if form.errors else 200
    return render(request, "quality/sheet.html", context, status=status)


@needs("pickup.sign")
@require_POST
def step(request: AuthedRequest, pk: int, what: str) -> HttpResponse:
    """Sign a proposal off, or drop it."""
    row = _seen(request, pk)
    if what not in STEPS:
        raise Http404
    try:
        facts = {"seen": request.POST.get("seen", "")} if what == "sign" else {}
        STEPS[what](row, by=request.user, **facts)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row)


@needs("pickup.export")
@require_POST
def export(request: AuthedRequest, pk: int) -> HttpResponse:
    """The file for finance."""
    row = _seen(request, pk)
    try:
        rows = service.export(row, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(reverse("quality:sheet", args=[pk]))
    return csv_answer(rows, f"pickup-{row.payroll_month:%Y-%m}.csv")


@needs("pickup.sheet")
def bulletin(request: AuthedRequest, pk: int) -> HttpResponse:
    """The units below the line by name (R-KPI-18), to print."""
    row = _seen(request, pk)
    lines = _lines(row)
    due, timely = sum(line.due for line in lines), sum(line.timely for line in lines)
    ranked = [line for line in lines if line.standing != PickupLine.Standing.FEW]
    met = [line for line in ranked if line.standing == PickupLine.Standing.FREE]
    context = {
        "sheet": row,
        "share": rates.Share(timely, due),
        "met": len(met),
        "excellent": sum(line.is_excellent for line in met),
        "failing": service.failing_of(row),
    }
    return render(request, "quality/bulletin.html", context)
