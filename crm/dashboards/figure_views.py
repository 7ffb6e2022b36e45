"""The pages of figures: a unit's board, one KPI with its league, the rows behind a number."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import get_language

from crm.access.capabilities import AuthedRequest, may, needs
from crm.audit import services as audit
from crm.dashboards import boards, people, sheets
from crm.dashboards.forms import FiguresForm
from crm.dashboards.periods import Kind, Span, span_of
from crm.dashboards.reckoned import BY_NAME
from crm.dashboards.registry import GROUPS, UNITS, Kpi
from crm.org.models import Office
from crm.org.queries import ancestry
from crm.web import keyset_page

SIDES = ("top", "bottom")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _asked(request: AuthedRequest) -> FiguresForm:
    return FiguresForm(request.GET, by=request.user)


def _kpi(name: str) -> Kpi:
    found = BY_NAME.get(name)
    if found is None:
        raise Http404
    return found


def _frame(request: AuthedRequest, form: FiguresForm) -> dict[str, Any]:
    """What every page of figures shows around them."""
    office, span = form.cleaned_data["office"], form.cleaned_data["span"]
    return {
        "form": form,
        "office": office,
        "span": span,
        "above": form.offices.filter(path__in=ancestry(office)).order_by("path"),
        "earlier": address(office, span.previous),
        "later": address(office, span.following),
        "address": address(office, span),
        "may_drill": may(request.user, "kpi.drill", office),
    }


def address(office: Office, span: Span) -> str:
    """The question as part of an address: explicit dates, so that a link keeps them."""
    return urlencode({"office": office.code, "kind": span.kind, "day": f"{span.first}"})


@needs("kpi.view")
def figures(request: AuthedRequest) -> HttpResponse:
    """All figures of an office in a period; each opens its KPI and its rows.

    The figures are kept as HTML for a minute. Cost where they are not: six queries for
    periods that are final, those of `registry.read` for those that settle.
    """
    form = _asked(request)
    if not form.is_valid():
        return render(request, "dashboards/figures.html", {"form": form}, status=422)
    context = _frame(request, form)
    office, span, drills = context["office"], context["span"], context["may_drill"]
    key = f"figures-page:{get_language()}:{office.pk}:{drills}:{context['address']}"
    context["body"] = cache.get_or_set(
        hashlib.sha256(key.encode()).hexdigest(),
        lambda: _body(office, span, hides=not drills),
        settings.FIGURES_KEPT_SECONDS,
    )
    return render(request, "dashboards/figures.html", context)


def _body(office: Office, span: Span, *, hides: bool) -> str:
    """The figures as HTML: the same for whoever may see the office."""
    cells, here = boards.board(office, span, only_aggregates=hides)
    by_name = {cell.kpi.name: cell for cell in cells}
    groups = [
        (label, [cell for cell in cells if cell.kpi.group == name])
        for name, label in GROUPS.items()
    ]
    context = {
        "span": span,
        "address": address(office, span),
        "tiles": [
            by_name[name]
            for name in boards.TILES
            if name in by_name and by_name[name].share.denominator
        ],
        "groups": [(label, found) for label, found in groups if found],
        "here": here,
    }
    return render_to_string("dashboards/_figures.html", context)


@needs("kpi.view")
def export(request: AuthedRequest) -> HttpResponse:
    """The board as a workbook: the same cells, the same ones hidden; in the trail."""
    form = _asked(request)
    if not form.is_valid():
        raise Http404
    office, span = form.cleaned_data["office"], form.cleaned_data["span"]
    hides = not may(request.user, "kpi.drill", office)
    cells, here = boards.board(office, span, only_aggregates=hides)
    units = boards.units_below(office)
    shares = boards.shares_of(units, span).shares if units else {}
    content = sheets.workbook(
        request.user,
        office,
        span,
        cells,
        here,
        [(unit, shares[unit.pk]) for unit in units],
        hides=hides,
    )
    details = {"kind": span.kind, "from": f"{span.first}", "to": f"{span.last}"}
    audit.record(request.user, "kpi.exported", office, office=office, details=details)
    answer = HttpResponse(content, content_type=XLSX)
    name = f"figures-{office.code}-{span.kind}-{span.first}.xlsx"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@needs("kpi.view")
def kpi(request: AuthedRequest, name: str) -> HttpResponse:
    """One KPI: its definition, its past, and the units below in order."""
    one, form = _kpi(name), _asked(request)
    if not form.is_valid():
        context: dict[str, Any] = {"form": form, "kpi": one}
        return render(request, "dashboards/kpi.html", context, status=422)
    context = _frame(request, form)
    office, span = context["office"], context["span"]
    hide = not context["may_drill"]
    cells, here = boards.board(
        office, span, only_aggregates=hide, kpis=boards.family_of(one)
    )
    context |= {
        "kpi": one,
        "unit": UNITS[one.unit],
        "cell": next((cell for cell in cells if cell.kpi == one), None),
        "here": here,
        "lines": boards.league(one, office, span, only_aggregates=hide),
        "people": [] if hide else people.people(one, office, span),
        "most_people": people.MOST,
        "nobody": people.NOBODY,
        "links": _links(one, office, span) if context["may_drill"] else {},
        "past": boards.past(one, office, span, only_aggregates=hide),
    }
    return render(request, "dashboards/kpi.html", context)


def _links(one: Kpi, office: Office, span: Span) -> dict[str, str]:
    """Where the rows behind both parts are listed."""
    if one.reckoned:
        return {side: one.reckoned.address(one, side, office, span) for side in SIDES}
    return {side: f"rows/{side}/?{address(office, span)}" for side in SIDES}


def _key(model: type[Model], text: str) -> tuple | None:
    """The key that an address names, whatever the model's kind of key is."""
    with suppress(ValidationError):
        key = model._meta.pk.to_python(text)
        return (key, key) if text else None
    return None


@needs("kpi.drill")
def rows(request: AuthedRequest, name: str, side: str) -> HttpResponse:
    """The rows behind a part of a figure: as many as the figure says."""
    one, form = _kpi(name), _asked(request)
    if side not in SIDES or not form.is_valid():
        raise Http404
    office, span = form.cleaned_data["office"], form.cleaned_data["span"]
    if not may(request.user, "kpi.drill", office):
        raise PermissionDenied
    behind = boards.rows_behind(one, side, office, span)
    if behind is None:
        raise Http404
    found, shows = behind
    query, person = address(office, span), request.GET.get("person", "")
    if person:
        found = people.rows_of(one, found, person)
        query += f"&person={person}"
    if found is None:
        raise Http404
    audit.record(
        request.user,
        "kpi.drilled",
        office,
        office=office,
        details={
            "kpi": name,
            "part": side,
            "from": f"{span.first}",
            "to": f"{span.last}",
            "person": person,
        },
    )
    context = {"office": office, "span": span, "address": query}
    context |= {"back": f"{reverse('dashboards:kpi', args=[name])}?{query}"}
    return _listed(request, one, side, found, shows, context)


def _listed(
    request: AuthedRequest,
    one: Kpi,
    side: str,
    found: QuerySet,
    shows: Callable[[Any], Any],
    context: dict[str, Any],
) -> HttpResponse:
    """A page of the rows behind a part."""
    page = keyset_page(
        found,
        ["-pk", "-pk"],
        request.GET.get("after", ""),
        cap=None,
        read_key=partial(_key, found.model),
        write_key=lambda row: str(row.pk),
    )
    context |= {
        "kpi": one,
        "part": getattr(one, side),
        "page": page,
        "lines": [shows(row) for row in page.rows],
    }
    return render(request, "dashboards/rows.html", context)


@needs("figures.mine")
def mine(request: AuthedRequest) -> HttpResponse:
    """One's own figures of this month beside the month before."""
    span, found = people.own(request.user)
    context = {"span": span, "rows": found}
    return render(request, "dashboards/mine.html", context)


@needs("figures.mine")
def mine_rows(request: AuthedRequest, name: str, side: str) -> HttpResponse:
    """The rows behind a part of one's own figure of this month."""
    one = _kpi(name)
    span = span_of(Kind.MONTH, localdate())
    found = people.own_rows(one, side, request.user, span) if side in SIDES else None
    if found is None:
        raise Http404
    context = {"span": span, "address": "", "back": reverse("dashboards:mine")}
    shows = getattr(one, side).rows.shows
    return _listed(request, one, side, found, shows, context)
