"""Figures of delivery quality from the tallies: of an office, of those below it, by month.

The caller has settled that the office may be seen. Days are days of acceptance, both
included; only items that have reached their evaluation day by `at` stand in a rate.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import Sum
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localdate

from crm.org.models import Office, paths_above
from delivery.models import ServiceCount
from delivery.models.tallies import COUNTS
from delivery.quality import pickups
from delivery.quality.metrics import METRICS, Metric
from delivery.quality.rates import WEAK_SCANS, Share, scan_completeness

SERVICE = ("complaints", "upheld", "appeals", "appeals_upheld")
SUMMED = (*COUNTS, "unripe")
# COST: written out; Django would spend more on putting forty sums together than the
# database on adding them.
_RIPE = ", ".join(
    f"COALESCE(sum({name}) FILTER (WHERE ripe_on <= %(at)s), 0)" for name in COUNTS
)
_OF_DAYS = """
FROM delivery_officetally WHERE office_id = ANY(%(offices)s)
  AND day BETWEEN %(first)s AND %(last)s AND (%(product)s = '' OR product = %(product)s)"""
_UNRIPE = "COALESCE(sum(items) FILTER (WHERE ripe_on > %(at)s), 0)"
SUMS = f"SELECT office_id, {_RIPE}, {_UNRIPE} {_OF_DAYS} GROUP BY 1"
MONTHS = f"""
SELECT date_trunc('month', day)::date, {_RIPE}, {_UNRIPE} {_OF_DAYS} GROUP BY 1 ORDER BY 1"""
NOTHING = dict.fromkeys((*COUNTS, *SERVICE, "unripe"), 0)


@dataclass(frozen=True)
class Span:
    """Which items: accepted in these days, of a product or of all, evaluated by `at`."""

    first: date
    last: date
    product: str = ""
    at: date = field(default_factory=localdate)

    def of(self, tallies: Any) -> Any:
        rows = tallies.filter(day__range=(self.first, self.last))
        return rows.filter(product=self.product) if self.product else rows


@dataclass(frozen=True)
class Figure:
    """One metric of one unit, as pages show it."""

    metric: Metric
    share: Share

    @property
    def value(self) -> float | None:
        """In percent, or per so many."""
        share = self.share
        return share.percent if share.per == 1 else share.value

    @property
    def shown(self) -> SafeString:
        """The value with two places, green or red beside a target."""
        if self.value is None:
            return format_html("{}", "—")
        tone = {True: "tone-ok", False: "tone-bad", None: ""}[self.is_met]
        return format_html('<span class="{}">{}</span>', tone, f"{self.value:.2f}")

    @property
    def spoilt(self) -> int:
        return self.share.denominator - self.share.numerator

    @property
    def is_met(self) -> bool | None:
        if self.value is None or self.metric.target is None:
            return None
        if self.metric.is_low_good:
            return self.value <= self.metric.target
        return self.value >= self.metric.target


def _values(span: Span) -> dict[str, Any]:
    return {
        "first": span.first,
        "last": span.last,
        "at": span.at,
        "product": span.product,
    }


def counts_of(office: Office, span: Span) -> dict[str, int]:
    """Sums of an office with all below it. Three queries."""
    return counts_by_office([office], span)[office.pk]


def counts_by_office(
    offices: Iterable[Office], span: Span
) -> dict[int, dict[str, int]]:
    """Sums of several offices, each with all below it: COUNTS, complaints and appeals,
    pickups due, and how many items are `unripe`, not evaluated yet. Three queries."""
    units = list(offices)
    values = _values(span) | {"offices": [unit.pk for unit in units]}
    found: dict[int, dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(SUMS, values)
        for office, *sums in cursor.fetchall():
            found[office] = dict(zip(SUMMED, map(int, sums), strict=True))
    service = _service(units, span)
    if not span.product:  # orders know none: of one product there is nothing to say
        collected = pickups.counts_by_office(units, span.first, span.last)
        for unit in units:
            service[unit.pk]["pickups_due"] = collected[unit.pk].due
            service[unit.pk]["pickups_timely"] = collected[unit.pk].timely
    return {
        unit.pk: NOTHING | found.get(unit.pk, {}) | service[unit.pk] for unit in units
    }


def _service(offices: list[Office], span: Span) -> dict[int, dict[str, int]]:
    """Complaints and appeals of offices, each with all below it. One query."""
    rows = span.of(ServiceCount.objects.all()).order_by()
    sums = {name: Sum(name, default=0) for name in SERVICE}
    found = {office.pk: dict.fromkeys(SERVICE, 0) for office in offices}
    at = {office.path: office.pk for office in offices}
    for row in rows.values("office__path").annotate(**sums):
        for path in paths_above(row["office__path"]):
            if path in at:
                for name in SERVICE:
                    found[at[path]][name] += row[name]
    return found


HISTOGRAM = """
SELECT u.days, sum(u.n) FROM delivery_officetally t,
       unnest(t.transit, t.transit_items) AS u (days, n)
WHERE t.office_id = %s AND t.day BETWEEN %s AND %s AND t.ripe_on <= %s
  AND (%s = '' OR t.product = %s) GROUP BY 1 ORDER BY 1"""


def histogram(office: Office, span: Span) -> dict[int, int]:
    """Days in transit → items delivered after them. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            HISTOGRAM,
            [office.pk, span.first, span.last, span.at, span.product, span.product],
        )
        return {days: int(items) for days, items in cursor.fetchall()}


def months_of(office: Office, span: Span) -> dict[date, dict[str, int]]:
    """The same sums by month of acceptance. One query."""
    with connection.cursor() as cursor:
        cursor.execute(MONTHS, _values(span) | {"offices": [office.pk]})
        return {
            month: NOTHING | dict(zip(SUMMED, map(int, sums), strict=True))
            for month, *sums in cursor.fetchall()
        }


def figures(counts: dict[str, int]) -> list[Figure]:
    """Every metric that has anything to divide by."""
    found = [Figure(metric, metric.share(counts)) for metric in METRICS]
    return [figure for figure in found if figure.share.denominator]


def is_weak(counts: dict[str, int]) -> bool:
    """Whether so few items are completely scanned that rates say little."""
    value = scan_completeness(counts).value
    return value is not None and value < WEAK_SCANS
