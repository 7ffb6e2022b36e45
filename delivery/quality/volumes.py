"""Volume by day for the four weeks ahead, with a back-test: the whole house's shape of the
week and year, times each office's own level.

A day's kind (weekday; a public holiday counts as Sunday, a make-up day as Monday) has a
factor per product, taken from the whole house; an office's level is its mean of four
weeks over the factors of these days. Where a year is known, the same days of last year,
moved with the Spring Festival, say how much more than its own four weeks came. All of it
is linear in an office's counts, so forecasts of parts add up. Source: R-DLV-04, R-DLV-15.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Sum
from django.utils.timezone import localdate
from numpy.typing import NDArray

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.jobs.models import Job
from crm.org.models import Office
from customers.seasons import spring_festival
from delivery.models import DeliveryCapacity, OfficeTally, VolumeDay, WorkDay

Array = NDArray[np.float64]
AHEAD = 28  # days forecast
TESTED = 8  # weeks behind that are said again from what was known before them
SHAPE_DAYS, LEVEL_DAYS, WEEK = 56, 28, 7
YEAR = 364  # the same weekday
AROUND_FESTIVAL = 40  # days before and after it that move with it
GROWTH = (0.3, 4.0)  # what last year may say beyond these is an accident
LONGEST = 30  # days in transit that deliveries are spread over
HISTORY = YEAR + SHAPE_DAYS + TESTED * WEEK + AROUND_FESTIVAL
CHUNK = 300  # offices a step
LOADED = 0.3  # of a usual day's items: with less, a day has not been brought in yet
DAYS = """
SELECT product, day, sum(items + flawed + excluded)
FROM delivery_officetally WHERE office_id = ANY(%(offices)s) AND day BETWEEN %(first)s AND
     %(last)s GROUP BY 1, 2"""
BY_OFFICE = DAYS.replace("SELECT product", "SELECT office_id, product").replace(
    "1, 2", "1, 2, 3"
)
TRANSIT = """
SELECT t.product, u.days, sum(u.n) FROM delivery_officetally t,
       unnest(t.transit, t.transit_items) AS u (days, n)
WHERE t.office_id = ANY(%(offices)s) AND t.day BETWEEN %(first)s AND %(last)s
  AND u.days <= %(longest)s GROUP BY 1, 2"""


def same_day_last_year(day: date) -> date:
    """The day a year before that is most like it: as far from the Spring Festival near
    it, else the same weekday."""
    for year in (day.year, day.year + 1):
        offset = day - spring_festival(year)
        if abs(offset.days) <= AROUND_FESTIVAL:
            return spring_festival(year - 1) + offset
    return day - timedelta(days=YEAR)


@dataclass(frozen=True)
class Shape:
    """What all offices have in common, by product: series of the house from `first` on."""

    first: date
    kinds: NDArray[np.int64]  # of each day of the series and of those ahead
    totals: dict[str, Array]
    transit: dict[str, Array]  # share handed out after so many days
    # COST: the same for every office, and asked for each of them.
    kept: dict[tuple[str, int, int], tuple[float, Array]] = field(default_factory=dict)

    def at(self, day: date) -> int:
        return (day - self.first).days

    def factors(self, product: str, known: int) -> Array:
        """Of the days of each kind against the mean, from the eight weeks up to `known`."""
        window = slice(max(known + 1 - SHAPE_DAYS, 0), known + 1)
        counts, kinds = self.totals[product][window], self.kinds[window]
        mean = counts.mean() if len(counts) else 0.0
        found = np.ones(WEEK)
        for kind in range(WEEK):
            if mean > 0 and (kinds == kind).any():
                found[kind] = counts[kinds == kind].mean() / mean
        return found

    def growth(self, product: str, known: int, ahead: int) -> Array:
        """Of each day ahead: what last year's like days were above their own level."""
        found, counts = np.ones(ahead), self.totals[product]
        began = int(np.argmax(counts > 0))
        for offset in range(ahead):
            day = self.first + timedelta(days=known + 1 + offset)
            like = self.at(same_day_last_year(day))
            base = self.at(same_day_last_year(self.first + timedelta(days=known)))
            if base - LEVEL_DAYS < began:
                continue
            level = counts[base + 1 - LEVEL_DAYS : base + 1].mean()
            around = counts[max(like - 3, 0) : like + 4].mean()
            if level > 0:
                found[offset] = np.clip(around / level, *GROWTH)
        return found

    def pattern(self, product: str, known: int, ahead: int) -> tuple[float, Array]:
        """What the days up to `known` weigh together, and what each day ahead weighs."""
        key = (product, known, ahead)
        if key not in self.kept:
            factors = self.factors(product, known)
            behind = self.kinds[max(known + 1 - LEVEL_DAYS, 0) : known + 1]
            days = self.kinds[known + 1 : known + 1 + ahead]
            weights = factors[days] * self.growth(product, known, ahead)
            self.kept[key] = float(factors[behind].sum()), weights
        return self.kept[key]


def expected(
    shape: Shape, product: str, series: Array, known: int, ahead: int
) -> Array:
    """Items of the days after `known` (an index) by who knows all up to it."""
    usual, weights = shape.pattern(product, known, ahead)
    had = series[max(known + 1 - LEVEL_DAYS, 0) : known + 1].sum()
    return had / usual * weights if usual > 0 else 0.0 * weights


def naive(series: Array, known: int, ahead: int) -> Array:
    """The same weekday of the last known week."""
    week = series[max(known + 1 - WEEK, 0) : known + 1]
    if len(week) < WEEK:
        return np.full(ahead, week.mean() if len(week) else 0.0)
    return np.resize(week, ahead)


def handed_out(
    shape: Shape, product: str, series: Array, known: int, ahead: Array
) -> Array:
    """Of each day ahead: items accepted before it that are likely to be handed out then."""
    spread = shape.transit.get(product, np.zeros(LONGEST + 1))
    whole = np.concatenate([series[: known + 1], ahead])
    by_day = np.convolve(whole, spread)
    return by_day[known + 1 : known + 1 + len(ahead)]


def last_known(total: Array) -> int:
    """The last day that has been brought in: not much less than its weekday usually has."""
    for index in range(len(total) - 1, -1, -1):
        before = total[max(index - 4 * WEEK, 0) : index][::-1][WEEK - 1 :: WEEK]
        usual = np.median(before) if len(before) else 0
        if total[index] > 0 and total[index] >= LOADED * usual:
            return index
    return len(total) - 1


def volume_step(job: Job) -> bool:
    """Job: forecast some offices a step; True behind the last.

    Cost: their daily tallies of the last year and a half, and the root's.
    """
    after = job.cursor.get("after", 0)
    rows = Office.objects.filter(pk__gt=after).order_by("pk")
    units = list(rows[: CHUNK + 1])
    root = Office.objects.filter(depth=1).first()
    if root is None or not units:
        return True
    chunk = units[:CHUNK]
    today = date.fromisoformat(job.params.get("day", f"{localdate()}"))
    made = forecast([unit.pk for unit in chunk], root.pk, today)
    job.done_units += made
    job.cursor = {"after": chunk[-1].pk}
    return len(units) <= CHUNK


@transaction.atomic
def forecast(offices: list[int], root: int, today: date) -> int:
    """Replace the days of these offices; how many rows."""
    # RACE: two jobs of one night would both insert; the later one waits.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('delivery.volume'))")
    first, last = today - timedelta(days=HISTORY), today - timedelta(days=1)
    shape = _shape(root, first, last)
    VolumeDay.objects.filter(office__in=offices).delete()
    if not shape.totals:
        return 0
    known = last_known(np.sum(list(shape.totals.values()), axis=0))
    made = []
    for (office, product), series in _series(offices, first, last).items():
        if series[max(known + 1 - SHAPE_DAYS, 0) : known + 1].any():
            made += _rows(shape, office, product, series, known)
    VolumeDay.objects.bulk_create(made, batch_size=2000)
    return len(made)


def _shape(root: int, first: date, last: date) -> Shape:
    days = (last - first).days + 1
    ends = last + timedelta(days=AHEAD)
    worked = dict(
        WorkDay.objects.filter(day__range=(first, ends)).values_list("day", "is_worked")
    )
    kinds = []
    for offset in range(days + AHEAD):
        day = first + timedelta(days=offset)
        is_worked = worked.get(day, day.weekday() < 5)
        if is_worked == (day.weekday() < 5):
            kinds.append(day.weekday())
        else:
            kinds.append(0 if is_worked else 6)
    values: dict[str, Any] = {"offices": [root], "first": first, "last": last}
    values["longest"] = LONGEST
    totals: dict[str, Array] = {}
    transit: dict[str, Array] = {}
    with connection.cursor() as cursor:
        cursor.execute(DAYS, values)
        for product, day, items in cursor.fetchall():
            totals.setdefault(product, np.zeros(days))[(day - first).days] = items
        # What has come to its end: items of the last month are still on their way.
        ripe = last - timedelta(days=LONGEST)
        span = {"first": ripe - timedelta(days=SHAPE_DAYS), "last": ripe}
        cursor.execute(TRANSIT, values | span)
        for product, after, items in cursor.fetchall():
            transit.setdefault(product, np.zeros(LONGEST + 1))[after] = items
    for product, counts in transit.items():
        transit[product] = counts / max(counts.sum(), 1)
    return Shape(first, np.array(kinds), totals, transit)


def _series(
    offices: list[int], first: date, last: date
) -> dict[tuple[int, str], Array]:
    days = (last - first).days + 1
    found: dict[tuple[int, str], Array] = {}
    with connection.cursor() as cursor:
        cursor.execute(BY_OFFICE, {"offices": offices, "first": first, "last": last})
        for office, product, day, items in cursor.fetchall():
            key = (office, product)
            found.setdefault(key, np.zeros(days))[(day - first).days] = items
    return found


def _rows(
    shape: Shape, office: int, product: str, series: Array, known: int
) -> list[VolumeDay]:
    made = []
    began = int(np.argmax(series > 0))
    for back in range(TESTED, 0, -1):
        before = known - back * WEEK
        if before - WEEK < began:
            continue
        said = expected(shape, product, series, before, WEEK)
        was = naive(series, before, WEEK)
        for offset in range(WEEK):
            index = before + 1 + offset
            made.append(
                VolumeDay(
                    office_id=office,
                    product=product,
                    day=shape.first + timedelta(days=index),
                    expected=said[offset],
                    naive=was[offset],
                    actual=int(series[index]),
                )
            )
    said = expected(shape, product, series, known, AHEAD)
    was, out = (
        naive(series, known, AHEAD),
        handed_out(shape, product, series, known, said),
    )
    for offset in range(AHEAD):
        made.append(
            VolumeDay(
                office_id=office,
                product=product,
                day=shape.first + timedelta(days=known + 1 + offset),
                expected=said[offset],
                naive=was[offset],
                deliveries=out[offset],
            )
        )
    return made


# --- what the pages show ----------------------------------------------------------------


@dataclass(frozen=True)
class Outlook:
    """Days of an office; errors are Σ|said − came| ÷ Σ came of the back-test, percent."""

    behind: list[dict[str, Any]]
    ahead: list[dict[str, Any]]
    error: float | None
    naive_error: float | None


def outlook(office: Office, product: str = "") -> Outlook:
    """One query. Every product when none is named."""
    rows = VolumeDay.objects.filter(office=office)
    if product:
        rows = rows.filter(product=product)
    names = ("expected", "naive", "actual", "deliveries")
    sums = {f"{name}_sum": Sum(name) for name in names}
    days = rows.order_by("day").values_list("day").annotate(**sums)
    shown: list[dict[str, Any]] = [
        dict(zip(("day", *names), found, strict=True)) for found in days
    ]
    behind = [row for row in shown if row["actual"] is not None]
    ahead = [row for row in shown if row["actual"] is None]
    return Outlook(behind, ahead, _error(behind, "expected"), _error(behind, "naive"))


def _error(rows: list[dict[str, Any]], said: str) -> float | None:
    whole = sum(row["actual"] for row in rows)
    if not whole:
        return None
    return 100 * sum(abs(row[said] - row["actual"]) for row in rows) / whole


def days_of(office: Office, first: date, last: date) -> dict[date, int]:
    """Items by day of acceptance, with all that stand in no rate. One query."""
    rows = OfficeTally.objects.filter(office=office, day__range=(first, last))
    sums = (
        rows.order_by()
        .values("day")
        .annotate(n=Sum("items") + Sum("flawed") + Sum("excluded"))
    )
    return {row["day"]: row["n"] for row in sums}


@transaction.atomic
def set_capacity(office: Office, pieces: int | None, *, by: User) -> None:
    """What the office can hand out in a day; None takes it away."""
    require(by, "volume.plan", office)
    if pieces is None:
        DeliveryCapacity.objects.filter(office=office).delete()
    else:
        DeliveryCapacity.objects.update_or_create(
            office=office, defaults={"pieces": pieces, "set_by": by}
        )
    details = {"pieces": pieces}
    audit.record(by, "capacity.set", office, office=office, details=details)
