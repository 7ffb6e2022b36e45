"""The board of delivery quality, routes, and the list of items behind every figure."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils.timezone import localdate, localtime
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _

from crm import charts
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.models import User
from crm.audit import services as audit
from crm.org.models import Office
from crm.web import csv_answer, keyset_page
from customers.models import Customer
from customers.queries import add_months
from customers.seasons import month_span
from delivery.models import Disturbance, ItemEvent, MailItem
from delivery.quality import figures, item_page, rates, routes
from delivery.quality.figures import Figure, Span
from delivery.quality.forms import ItemFilter, SpanForm
from delivery.quality.metrics import BY_NAME
from delivery.quality.which import CHOICES, narrowed

READERS = ("supervisor", "analyst")
SEERS = ("supervisor", "agent", "handler", "inspector", "manager")
TILES = (
    ("on_time_rate", "clock-check"),
    ("delivery_success_rate", "package-check"),
    ("delivered_72h_rate", "timer"),
    ("loss_rate", "package-x"),
)
COLUMNS = ("on_time_rate", "delivery_success_rate", "first_attempt_rate", "loss_rate")
PERCENTS = (50, 80, 90, 95, 99)
TREND_MONTHS = 6
LIST_CAP = 10_000
EXPORT_ROWS = 100_000
LONGEST = 40  # routes listed
LABELS = dict(CHOICES)


def asked(request: AuthedRequest) -> SpanForm:
    return SpanForm(request.GET, by=request.user, roles=READERS)


@needs("delivery.view")
def board(request: AuthedRequest) -> HttpResponse:
    """All figures of an office and its units; each number opens its items.

    The figures are kept for a minute, as long as tallies may lag behind. Eight queries, and
    the frame's, whatever the number of items; none of the eight where they are kept.
    """
    form = asked(request)
    if not form.is_valid():
        return render(request, "quality/board.html", {"form": form}, status=422)
    office, span = form.cleaned_data["office"], form.span
    may_list = may(request.user, "item.view")
    key = f"board:{get_language()}:{office.pk}:{span.at}:{may_list}:{form.address}"
    key = hashlib.sha256(key.encode()).hexdigest()
    body = cache.get_or_set(
        key, lambda: _figures(form, may_list=may_list), settings.FIGURES_KEPT_SECONDS
    )
    context = {
        "form": form,
        "office": office,
        "span": span,
        "address": form.address,
        "body": body,
        "earlier": month_span(add_months(span.first.replace(day=1), -1)),
        "later": month_span(add_months(span.first.replace(day=1), 1)),
    }
    return render(request, "quality/board.html", context)


def _figures(form: SpanForm, *, may_list: bool) -> str:
    """The figures as HTML: the same for whoever may see the office."""
    office, span = form.cleaned_data["office"], form.span
    units = list(Office.objects.under(office).filter(depth=office.depth + 1))
    by_office = figures.counts_by_office([office, *units], span)
    counts = by_office[office.pk]
    transit = figures.histogram(office, span)
    context = {
        "span": span,
        "address": form.address,
        "counts": counts,
        "tiles": _tiles(counts),
        "figures": figures.figures(counts),
        "is_weak": figures.is_weak(counts),
        "units": _units(units, by_office),
        "columns": [BY_NAME[name] for name in COLUMNS],
        "percentiles": [(p, rates.percentile(transit, p)) for p in PERCENTS],
        "tail": rates.tail_ratio(transit),
        "days_chart": _days_chart(transit),
        "stages": _stages(counts),
        "trend": _trend(office, span),
        "ratings": _ratings(counts),
        "may_list": may_list,
    }
    return render_to_string("quality/_board.html", context)


def _tiles(counts: dict[str, int]) -> list[tuple[Figure, str]]:
    return [
        (Figure(BY_NAME[name], BY_NAME[name].share(counts)), icon)
        for name, icon in TILES
    ]


def _units(
    units: list[Office], by_office: dict[int, dict[str, int]]
) -> list[dict[str, Any]]:
    """The offices one level down, the best on time first; too few items are not ranked."""
    rows = []
    for unit in units:
        counts = by_office[unit.pk]
        if not counts["items"]:
            continue
        cells = [Figure(BY_NAME[n], BY_NAME[n].share(counts)) for n in COLUMNS]
        few = counts["items"] < rates.FEWEST
        rows.append({"office": unit, "counts": counts, "cells": cells, "is_few": few})
    rows.sort(key=lambda row: (row["is_few"], -(row["cells"][0].value or 0)))
    for place, row in enumerate(rows, 1):
        row["rank"] = None if row["is_few"] else place
        row["is_weak"] = figures.is_weak(row["counts"])
    return rows


def _days_chart(transit: dict[int, int]) -> Any:
    """How many items took how many days; what lies behind two weeks is one column."""
    if not transit:
        return ""
    names = [str(n) for n in range(15)] + ["15+"]
    values = [transit.get(n, 0) for n in range(15)]
    values.append(sum(items for days, items in transit.items() if days >= 15))
    label = _("Items by days in transit")
    return charts.columns(names, values, unit=_("items"), label=label)


def _stages(counts: dict[str, int]) -> list[tuple[str, float]] | None:
    hours = rates.stage_hours(counts)
    if hours is None:
        return None
    names = {
        "origin": _("Origin handling"),
        "transport": _("Transport"),
        "dest": _("Destination handling"),
        "delivery": _("Delivery"),
    }
    return [(names[stage], value) for stage, value in hours.items()]


def _trend(office: Office, span: Span) -> list[dict[str, Any]]:
    """The months up to the span's last, with what each came to."""
    last = span.last.replace(day=1)
    first = add_months(last, 1 - TREND_MONTHS)
    wide = Span(first, month_span(last)[1], span.product, span.at)
    rows = []
    for month, counts in figures.months_of(office, wide).items():
        shares = [Figure(BY_NAME[n], BY_NAME[n].share(counts)) for n in COLUMNS]
        begins, ends = month_span(month)
        rows.append({"first": begins, "last": ends, "counts": counts, "cells": shares})
    return rows


def _ratings(counts: dict[str, int]) -> list[tuple[str, float, int]]:
    found = []
    for label, name in ((_("On time"), "on_time"), (_("Not on time"), "late")):
        rated = counts[f"rated_{name}"]
        mean = rates.mean_rating(counts[f"rating_{name}"], rated)
        if mean is not None:
            found.append((label, mean, rated))
    return found


def seen_items(request: AuthedRequest) -> Any:
    return MailItem.objects.visible_to(request.user)


def read_key(text: str) -> tuple | None:
    day, _tilde, waybill = text.partition("~")
    with suppress(ValueError):
        return (date.fromisoformat(day), waybill) if waybill else None
    return None


def write_key(row: MailItem) -> str:
    return f"{row.accepted_on}~{row.waybill}"


@needs("item.view")
def item_list(request: AuthedRequest) -> HttpResponse:
    """The items behind a figure, or one waybill; the same question as the board's."""
    if wanted := request.GET.get("q", "").strip().upper().replace(" ", ""):
        return _search(request, wanted)
    form = ItemFilter(request.GET, by=request.user, roles=SEERS)
    if not form.is_valid():
        return render(request, "quality/items.html", {"form": form}, status=422)
    rows = narrowed_items(request.user, form)
    if "csv" in request.GET:
        return _exported(request, form, rows)
    page = keyset_page(
        rows.select_related("office"),
        ["accepted_on", "waybill"],
        request.GET.get("after", ""),
        cap=LIST_CAP,
        read_key=read_key,
        write_key=write_key,
    )
    context = {
        "form": form,
        "page": page,
        "which": LABELS[form.cleaned_data["which"] or "all"],
        "today": localdate(),
        "kept": [
            (name, form.cleaned_data[name])
            for name in ("from_region", "to_region", "courier")
            if form.cleaned_data[name]
        ],
        "may_export": may(request.user, "item.export"),
    }
    return render(request, "quality/items.html", context)


def narrowed_items(user: User, form: ItemFilter) -> Any:
    """What the question asks for, of what the user sees."""
    found = form.cleaned_data
    rows = MailItem.objects.visible_to(user).filter(
        office__path__startswith=found["office"].path
    )
    rows = narrowed(rows, found["which"] or "all", form.span)
    for name in ("from_region", "to_region"):
        if found[name]:
            rows = rows.filter(**{name: found[name]})
    if found["courier"]:
        rows = rows.of_courier(found["courier"])
    return rows


def _search(request: AuthedRequest, wanted: str) -> HttpResponse:
    if seen_items(request).filter(waybill=wanted).exists():
        return redirect("quality:item", wanted)
    if row := item_page.look_up(request.user, wanted):
        return _shown(request, row)
    messages.error(request, _("There is no item “%(n)s” here.") % {"n": wanted[:40]})
    return redirect("quality:items")


def _exported(request: AuthedRequest, form: ItemFilter, rows: Any) -> HttpResponse:
    if not may(request.user, "item.export"):
        raise Http404
    details = {"question": form.address, "which": form.cleaned_data["which"]}
    office = form.cleaned_data["office"]
    audit.record(request.user, "items.exported", office, office=office, details=details)
    return csv_answer(_lines(rows), f"items-{form.cleaned_data['since']}.csv")


def _lines(rows: Any) -> Iterator[list]:
    yield [
        *(
            _("Waybill"),
            _("Office"),
            _("Product"),
            pgettext("route", "From"),
            _("Destination"),
        ),
        *(_("Accepted at"), _("Due until"), _("Delivered at"), _("Days"), _("State")),
    ]
    ordered = rows.select_related("office").order_by("accepted_on", "waybill")
    for row in ordered[:EXPORT_ROWS].iterator(chunk_size=2000):
        times = [row.accepted, row.due_at, row.delivered]
        yield [
            *(row.waybill, row.office, row.product, row.from_region, row.to_region),
            *(f"{localtime(at):%Y-%m-%d %H:%M}" if at else "" for at in times),
            row.days if row.days is not None else "",
            row.state_word,
        ]


@needs("item.view")
def item(request: AuthedRequest, waybill: str) -> HttpResponse:
    """One item: its way, what was promised, how it counts and why."""
    rows = seen_items(request).select_related("office", "accepted_by")
    return _shown(request, get_object_or_404(rows, waybill=waybill))


def _shown(request: AuthedRequest, row: MailItem) -> HttpResponse:
    # SECURITY: of an item that the reader may see.
    events = ItemEvent.objects.filter(waybill=row.waybill).select_related("office")
    customers = Customer.objects.visible_to(request.user)
    context = {
        "item": row,
        "events": events.order_by("at", "event_id"),
        "words": item_page.words(row),
        "standard": item_page.standard_of(row),
        "customer": customers.filter(pk=row.customer_id).first(),
        "disturbance": Disturbance.objects.filter(pk=row.disturbance_id).first(),
        "may_complain": may(request.user, "complaint.create"),
    }
    return render(request, "quality/item.html", context)


@needs("delivery.view")
def route_list(request: AuthedRequest) -> HttpResponse:
    """From where to where: volume, on time, steadiness; premium routes apart."""
    form = asked(request)
    if not form.is_valid():
        return render(request, "quality/routes.html", {"form": form}, status=422)
    office, span = form.cleaned_data["office"], form.span
    found = routes.routes_of(office, span)
    context = {
        "form": form,
        "office": office,
        "span": span,
        "address": form.address,
        "heat": routes.heat(found),
        "premium": [row for row in found if row.premium],
        "routes": [row for row in found if not row.premium][:LONGEST],
        "may_list": may(request.user, "item.view"),
    }
    return render(request, "quality/routes.html", context)


@needs("customer.view")
def for_customer(request: AuthedRequest, pk: int) -> HttpResponse:
    """The panel on the customer page: how the last weeks' items went, by product."""
    customer = get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)
    lines = item_page.of_customer(customer)
    return render(request, "quality/_for_customer.html", {"lines": lines})
