"""Volume of the months ahead by office, product and month, with a back-test beside it.

Last year's same days (by the lunar calendar in January and February) times the growth of
the last three months; without a year behind it, the mean of the last three months. Sums
of parts are the whole: figures roll up by adding. Source: R-GRD-26, domain.md 5.4.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Q, Sum

from crm.jobs.models import Job
from crm.org.models import Office
from customers.models import Forecast
from customers.queries import add_months
from customers.seasons import Span, month_span, year_before
from customers.shards import loaded_offices, offices_in, spread

AHEAD = 6  # months forecast
TESTED = 12  # months behind that are forecast again from what was known before them
HISTORY = 28  # months read: the tested ones, a year before them, and a quarter
GROWTH = (0.5, 2.0)  # a quarter's growth beyond these is an accident, no trend

DAYS = """
SELECT s.office_id, d.product, d.day, sum(d.pieces)
FROM customers_usageday d JOIN customers_customer c ON c.id = d.customer_id
JOIN customers_customer s ON s.id = coalesce(c.merged_into_id, c.id)
WHERE d.day >= %(first)s AND d.day <= %(last)s AND s.office_id = ANY(%(offices)s)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""


class Series:
    """Pieces by day, from `first` on; asked for sums of spans."""

    def __init__(self, first: date, days: int, pieces: dict[date, int]) -> None:
        by_day = np.zeros(days + 1)
        for day, number in pieces.items():
            by_day[(day - first).days + 1] = number
        self.first = first
        self.begins = min(pieces)
        self._sums = np.cumsum(by_day)

    def total(self, span: Span) -> float:
        """Pieces of a span, both ends in it; days outside the series count nothing."""
        most = len(self._sums) - 1
        low = min(max((span[0] - self.first).days, 0), most)
        high = min(max((span[1] - self.first).days + 1, 0), most)
        return float(self._sums[high] - self._sums[low])

    def has(self, span: Span) -> bool:
        """Whether the series had begun in the first month of a span."""
        return self.begins <= month_span(span[0])[1]


def expect(series: Series, month: date, known: date) -> float:
    """Pieces expected in `month` by somebody who knows all up to the month `known`."""
    recent = month_span(add_months(known, -2), 3)
    level, base = series.total(recent), year_before(month_span(month))
    if not series.has(base):
        return level / 3
    quarter = year_before(recent)
    last_year, growth = series.total(quarter), 1.0
    if last_year > 0 and series.has(quarter):
        growth = min(max(level / last_year, GROWTH[0]), GROWTH[1])
    return series.total(base) * growth


def naive(series: Series, month: date) -> float | None:
    """What last year's same calendar month would say; None before there was one."""
    span = month_span(add_months(month, -12))
    return series.total(span) if series.has(span) else None


def spread_step(job: Job) -> bool:
    """Job: one job for each prefecture, and one for what the province itself keeps."""
    spread("customers.forecast", job)
    return True


def forecast_step(job: Job) -> bool:
    """Job: forecast all offices and products of a prefecture anew. One query over days."""
    office = Office.objects.get(code=job.params["office"])
    known = add_months(date.fromisoformat(job.params["day"]), -1)
    offices = offices_in(office)
    if not loaded_offices(offices, known):
        known = add_months(known, -1)  # the ledger of the last month has not come yet
    made = list(_forecasts(offices, known))
    Forecast.objects.filter(office__in=offices).delete()
    Forecast.objects.bulk_create(made, batch_size=1000)
    job.result = {"forecasts": len(made)}
    return True


def _forecasts(offices: list[int], known: date) -> Iterator[Forecast]:
    first, last = add_months(known, -HISTORY), month_span(known)[1]
    days = (last - first).days + 1
    with connection.cursor() as cursor:
        cursor.execute(DAYS, {"first": first, "last": last, "offices": offices})
        rows = cursor.fetchall()
    tested = [add_months(known, -back) for back in range(TESTED - 1, -1, -1)]
    ahead = [add_months(known, n) for n in range(1, AHEAD + 1)]
    for (office, product), found in groupby(rows, key=lambda row: row[:2]):
        series = Series(first, days, {row[2]: row[3] for row in found})
        facts: dict[str, Any] = {"office_id": office, "product": product}
        for month in tested:
            before = add_months(month, -1)
            if not series.has(month_span(before)):
                continue
            yield Forecast(
                **facts,
                month=month,
                pieces=expect(series, month, before),
                naive=naive(series, month),
                actual=int(series.total(month_span(month))),
            )
        for month in ahead:
            said, was = expect(series, month, known), naive(series, month)
            yield Forecast(**facts, month=month, pieces=said, naive=was)


# --- what the page shows ----------------------------------------------------------------


@dataclass(frozen=True)
class Outlook:
    """Forecast rows of an office and below by month, and the mean error of the back-test:
    Σ|said − came| ÷ Σ came, in percent, beside that of last year's calendar month over
    the same series and months; None without any."""

    months: list[dict[str, Any]]
    error: float | None
    naive_error: float | None


def outlook(office: Office, product: str = "") -> Outlook:
    """One query. Every product when none is named."""
    rows = Forecast.objects.filter(office__path__startswith=office.path)
    if product:
        rows = rows.filter(product=product)
    both = Q(naive__isnull=False, actual__isnull=False)
    sums = rows.values("month").annotate(
        said=Sum("pieces"),
        was=Sum("naive"),
        came=Sum("actual"),
        tested_said=Sum("pieces", filter=both),
        tested_was=Sum("naive", filter=both),
        tested_came=Sum("actual", filter=both),
    )
    months = [dict(row) for row in sums.order_by("month")]
    tested = [row for row in months if row["tested_came"] is not None]
    if not tested:
        known = [row for row in months if row["came"] is not None]
        return Outlook(months, _error(known, "said", "came"), None)
    errors = [
        _error(tested, f"tested_{name}", "tested_came") for name in ("said", "was")
    ]
    return Outlook(months, errors[0], errors[1])


def _error(rows: list[dict[str, Any]], said: str, came: str) -> float | None:
    whole = sum(row[came] for row in rows)
    if not whole:
        return None
    return 100 * sum(abs(row[said] - row[came]) for row in rows) / whole
