"""Pages of the score: what a unit came to and why, the league, schemes."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from crm import charts
from crm.access.capabilities import AuthedRequest, may, may_everywhere, needs
from crm.access.once import answered, once
from crm.errors import Refused
from crm.org.models import Office
from crm.web import csv_answer
from customers.queries import add_months
from customers.seasons import month_span
from delivery.models import Score, ScoreScheme
from delivery.quality import scores
from delivery.quality.score_forms import SchemeForm, ScoreFilter
from delivery.quality.scores import COURIER, Standing
from delivery.quality.scoring import MEASURES
from delivery.quality.views import READERS

PAGE_ROWS = 100
TILES = 60
HISTORY = 12


@needs("delivery.view")
def board(request: AuthedRequest) -> HttpResponse:
    """One unit's score and how it adds up; the units below it as tiles and as a league.
    Six queries, and the frame's, whatever the number of units."""
    form = ScoreFilter(request.GET, by=request.user, roles=READERS)
    if not form.is_valid():
        return render(request, "quality/scores.html", {"form": form}, status=422)
    office, month = form.cleaned_data["office"], form.cleaned_data["month"]
    start = _start(request)
    if "csv" in request.GET:
        rows = scores.league(office, month, form.compared)
        return csv_answer(_lines(rows), f"scores-{office.code}-{month:%Y-%m}.csv")
    rows = scores.league(office, month, form.compared, start=start, rows=PAGE_ROWS + 1)
    courier = form.cleaned_data["courier"]
    history = _history(office, courier, month)
    first, last = month_span(month)
    context = {
        "form": form,
        "office": office,
        "courier": courier,
        "score": history.get(month),
        "parts": _parts(history.get(month)),
        "trend": _trend(history),
        "address": form.address,
        "span_address": f"since={first}&until={last}",
        "level": form.compared,
        "is_of_couriers": form.compared == COURIER,
        "rows": rows[:PAGE_ROWS],
        "tiles": _tiles(rows),
        "next_start": start + PAGE_ROWS if len(rows) > PAGE_ROWS else None,
        "start": start,
        "above": Office.objects.filter(
            pk__in=form.fields["office"].queryset, path=office.path[: -Office.steplen]
        ).first(),
        "earlier": add_months(month, -1),
        "later": add_months(month, 1),
        "may_list": may(request.user, "item.view"),
    }
    return render(request, "quality/scores.html", context)


def _start(request: AuthedRequest) -> int:
    asked = request.GET.get("start", "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 0


def _history(office: Office, courier: str, month: date) -> dict[date, Score]:
    """The last twelve months of a unit, the newest last. The caller may see the office."""
    # SECURITY: the form has settled that the office may be seen.
    rows = Score.objects.filter(
        office=office,
        courier=courier,
        month__range=(add_months(month, 1 - HISTORY), month),
    )
    return {row.month: row for row in rows.select_related("scheme").order_by("month")}


def _parts(score: Score | None) -> list[dict[str, Any]]:
    """The lines of a score with their names; what was not measured says so."""
    if score is None:
        return []
    return [
        line
        | {
            "label": MEASURES[line["measure"]].label,
            "which": MEASURES[line["measure"]].which,
            "share": float(line["points"]) / line["weight"] * 100
            if line["points"] and line["weight"]
            else 0,
        }
        for line in score.lines
    ]


def _trend(history: dict[date, Score]) -> Any:
    if len(history) < 2:
        return ""
    names = [f"{month:%Y-%m}" for month in history]
    values = [float(row.value) for row in history.values()]
    return charts.columns(names, values, unit=_("points"), label=_("Score by month"))


def _tiles(rows: list[Standing]) -> list[Standing]:
    """At the same place each month, so that the eye finds its own: by code."""
    if len(rows) > TILES:
        return []
    return sorted(rows, key=lambda row: (row.office.path, row.courier))


def _lines(rows: list[Standing]) -> Iterator[list]:
    yield [
        *(_("Rank"), _("Rank a month before"), _("Code"), _("Office"), _("Courier")),
        *(_("Items"), _("Not judged yet"), _("Score"), _("Band")),
    ]
    for row in rows:
        yield [
            *(row.place or "", row.place_before or "", row.office.code, row.office),
            *(row.courier, row.items, row.unripe, row.value, row.band_name),
        ]


@needs("standard.view")
def schemes(request: AuthedRequest) -> HttpResponse:
    """How scores are made up, month after month, and a form for the next scheme."""
    if url := answered(request):
        return redirect(url)
    rows = list(ScoreScheme.objects.select_related("made_by").prefetch_related("parts"))
    may_edit = may_everywhere(request.user, "standard.edit")
    sent = request.POST if request.method == "POST" else None
    form = SchemeForm(sent, last=rows[0] if rows else None)
    if sent is not None and form.is_valid():
        draft, parts = form.save(commit=False), form.parts()

        def act() -> str:
            scores.keep_scheme(draft, parts, by=request.user)
            return request.path

        try:
            url = once(request, act)
            messages.success(request, _("Kept. Scores are being counted anew."))
            return redirect(url)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    context = {
        "rows": [(row, _scheme_lines(row)) for row in rows],
        "form": form,
        "may_edit": may_edit,
    }
    status = 422 if form.errors else 200
    return render(request, "quality/score_schemes.html", context, status=status)


def _scheme_lines(row: ScoreScheme) -> list[tuple[Any, Any]]:
    return [(MEASURES[part.measure].label, part) for part in row.parts.all()]
