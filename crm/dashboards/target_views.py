"""The grid of targets: units by periods of a year, for one KPI."""

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, needs
from crm.dashboards import targets as grid
from crm.dashboards.cells import shown_numbers, typed_numbers
from crm.dashboards.forms import GridForm
from crm.dashboards.reckoned import BY_NAME
from crm.dashboards.registry import UNITS
from crm.errors import Refused


def _address(asked: dict[str, Any]) -> str:
    query = {
        "kpi": asked["kpi"],
        "office": asked["office"].code,
        "kind": asked["kind"],
        "year": asked["year"],
    }
    return f"{reverse('dashboards:targets')}?{urlencode(query)}"


def _names(units: list, spans: list) -> dict[Any, str]:
    return {
        (unit.pk, span): f"t-{unit.pk}-{span.first}" for unit in units for span in spans
    }


def _held(units: list, spans: list) -> dict[Any, str]:
    return {
        (unit.pk, span): f"s-{unit.pk}-{span.first}" for unit in units for span in spans
    }


def _benchmarks(
    request: AuthedRequest, known: dict, targets: dict, office: Any, spans: list
) -> tuple[dict[Any, Decimal], dict[Any, str]]:
    """What others reach, as typed; wrong where the office has no target beside it."""
    if request.method != "POST":
        rows = {span: known.get((office.pk, span)) for span in spans}
        return {
            span: row.benchmark
            for span, row in rows.items()
            if row and row.benchmark is not None
        }, {}
    found, wrong = typed_numbers(request, {span: f"b-{span.first}" for span in spans})
    for span in found:
        if (office.pk, span) not in targets:
            wrong[span] = _("Set the office's target first.")
    return found, wrong


@transaction.atomic
def _kept(
    request: AuthedRequest, about: Any, typed: dict, others: dict, shown: dict
) -> int:
    """Targets and benchmarks, both or neither; how many changed."""
    changed = grid.keep(*about, typed, by=request.user, shown=shown)
    return changed + grid.keep_benchmarks(*about, others, by=request.user)


@needs("kpi.target")
def targets(request: AuthedRequest) -> HttpResponse:
    """Look at a grid, or keep all of it at once."""
    form = GridForm(request.GET, by=request.user)
    if not form.is_valid():
        return render(request, "dashboards/targets.html", {"form": form}, status=422)
    asked = form.cleaned_data
    kpi, office = BY_NAME[asked["kpi"]], asked["office"]
    units, spans = grid.units_of(office), grid.spans_of(asked["kind"], asked["year"])
    known = grid.set_before(kpi, units, spans)
    typed: dict[grid.Key, Decimal] = {key: row.value for key, row in known.items()}
    wrong: dict[grid.Key, str] = {}
    if request.method == "POST":
        fixed = {unit.pk for unit in units if not grid.may_set(request.user, unit)}
        sent, wrong = typed_numbers(request, _names(units, spans))
        kept = {key: value for key, value in typed.items() if key[0] in fixed}
        typed = {
            key: value for key, value in sent.items() if key[0] not in fixed
        } | kept
        wrong |= grid.faults(kpi, office, units, typed)
    others, odd = _benchmarks(request, known, typed, office, spans)
    if request.method == "POST" and not wrong and not odd:
        shown = shown_numbers(request, _held(units, spans))
        try:
            changed = _kept(request, (kpi, office, spans), typed, others, shown)
            messages.success(request, _("%(n)s targets changed.") % {"n": changed})
            return redirect(_address(asked))
        except Refused as refusal:
            form.add_error(None, str(refusal))
    rows = [
        {
            "unit": unit,
            "may_set": grid.may_set(request.user, unit),
            "cells": [_cell(request, unit, span, typed, wrong) for span in spans],
        }
        for unit in units
    ]
    context = {
        "form": form,
        "kpi": kpi,
        "unit": UNITS[kpi.unit],
        "office": office,
        "spans": spans,
        "rows": rows,
        "benchmarks": _others(request, spans, others, odd),
        "may_benchmark": grid.may_set(request.user, office),
        "wrong": wrong | odd,
        "asked": asked,
    }
    status = 422 if wrong or odd or form.errors else 200
    return render(request, "dashboards/targets.html", context, status=status)


def _others(
    request: AuthedRequest, spans: list, others: dict, odd: dict
) -> list[dict[str, Any]]:
    """The row of benchmarks: what was typed, else what is kept."""
    return [
        {
            "name": f"b-{span.first}",
            "value": request.POST.get(f"b-{span.first}", others.get(span, "")),
            "wrong": odd.get(span, ""),
            "span": span,
        }
        for span in spans
    ]


def _cell(
    request: AuthedRequest, unit: Any, span: Any, typed: dict, wrong: dict
) -> dict[str, Any]:
    """What an input shows: what was typed, wrong or not, else what is set."""
    name, key = f"t-{unit.pk}-{span.first}", (unit.pk, span)
    value = typed.get(key, "")
    if key in wrong and name in request.POST:
        value = request.POST[name]
    shown = request.POST.get(f"s{name[1:]}", value)
    return {
        "name": name,
        "held": f"s{name[1:]}",
        "shown": shown,
        "value": value,
        "wrong": wrong.get(key, ""),
        "span": span,
    }


@require_POST
@needs("kpi.target")
def copy(request: AuthedRequest) -> HttpResponse:
    """Fill a year's empty cells from the year before."""
    form = GridForm(request.POST, by=request.user)
    if not form.is_valid():
        raise Http404
    asked = form.cleaned_data
    kpi = BY_NAME[asked["kpi"]]
    number = grid.copy_year(
        kpi, asked["office"], asked["kind"], asked["year"], by=request.user
    )
    messages.success(request, _("%(n)s targets copied.") % {"n": number})
    return redirect(_address(asked))
