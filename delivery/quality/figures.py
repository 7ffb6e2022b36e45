"""Figures of delivery quality from the tallies: of an office, of those below it, by month.

The caller has settled that the office may be seen. Days are days of acceptance, both
included; only items that have reached their evaluation day by `at` stand in a rate.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import Q, Sum
from django.db.models.functions import TruncMonth
from django.utils.timezone import localdate

from crm.org.models import Office
from delivery.models import OfficeTally, ServiceCount
from delivery.models.tallies import COUNTS
from delivery.quality import pickups
from delivery.quality.rates import (
    METRICS,
    WEAK_SCANS,
    Metric,
    Share,
    scan_completeness,
)

SERVICE = ("complaints", "upheld", "appeals", "appeals_upheld")
SUMS: dict[str, Any] = {name: Sum(name, default=0) for name in COUNTS}
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

    @property
    def ripe(self) -> Q:
        return Q(ripe_on__lte=self.at)


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
    def spoilt(self) -> int:
        return self.share.denominator - self.share.numerator

    @property
    def is_met(self) -> bool | None:
        if self.value is None or self.metric.target is None:
            return None
        if self.metric.is_low_good:
            return self.value <= self.metric.target
        return self.value >= self.metric.target


def counts_of(office: Office, span: Span) -> dict[str, int]:
    """Sums of an office with all below it. Three queries."""
    return counts_by_office([office], span)[office.pk]


def counts_by_office(
    offices: Iterable[Office], span: Span
) -> dict[int, dict[str, int]]:
    """Sums of several offices, each with all below it: COUNTS, complaints and appeals,
    pickups due, and how many items are `unripe`, not evaluated yet. Three queries."""
    units = list(offices)
    rows = span.of(OfficeTally.objects.filter(office__in=units)).order_by()
    sums = {name: Sum(name, filter=span.ripe, default=0) for name in COUNTS}
    later = Sum("items", filter=~span.ripe, default=0)
    summed = rows.values("office").annotate(unripe=later, **sums)
    found = {row.pop("office"): row for row in summed}
    service = _service(units, span)
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
    for row in rows.values("office__path").annotate(**sums):
        for office in offices:
            if row["office__path"].startswith(office.path):
                for name in SERVICE:
                    found[office.pk][name] += row[name]
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
    rows = span.of(OfficeTally.objects.filter(office=office)).filter(span.ripe)
    by_month = rows.annotate(month=TruncMonth("day")).order_by("month")
    found: dict[date, dict[str, int]] = defaultdict(dict)
    for row in by_month.values("month").annotate(**SUMS):
        found[row.pop("month")] = NOTHING | row
    return dict(found)


def figures(counts: dict[str, int]) -> list[Figure]:
    """Every metric that has anything to divide by."""
    found = [Figure(metric, metric.share(counts)) for metric in METRICS]
    return [figure for figure in found if figure.share.denominator]


def is_weak(counts: dict[str, int]) -> bool:
    """Whether so few items are completely scanned that rates say little."""
    value = scan_completeness(counts).value
    return value is not None and value < WEAK_SCANS
