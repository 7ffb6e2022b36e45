"""Key contract customers month by month, and what service does for staying.

Sources: R-GRD-11, R-GRD-12 (number, volume and revenue of key contract customers each
month), R-GRD-28 (customers' stability before and after service).
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils.timezone import get_current_timezone

from crm.org.models import Office
from customers.models import KeyMonth, ServiceEffect
from customers.queries import add_months
from customers.shards import loaded_offices, offices_in

FREEZE_DAY = 10  # of the month after: until then late imports still count

# Key: a grade that brings benefits, a strategic class, or a high value.
KEEP = """
INSERT INTO customers_keymonth
    (month, customer_id, office_id, pieces, revenue, base_pieces, base_revenue)
SELECT %(month)s, c.id, c.office_id, coalesce(t.pieces, 0), coalesce(t.revenue, 0),
       coalesce(t.base_pieces, 0), coalesce(t.base, 0)
FROM customers_customer c
LEFT JOIN customers_customertrend t ON t.customer_id = c.id AND t.month = %(month)s
LEFT JOIN customers_customergrade g ON g.customer_id = c.id
LEFT JOIN customers_customervalue v ON v.customer_id = c.id
WHERE c.office_id = ANY(%(offices)s) AND c.segment = 'contract'
  AND c.merged_into_id IS NULL AND c.erased_at IS NULL
  AND (jsonb_array_length(g.benefits) > 0 OR c.strategic_class <> ''
       OR v.value_class = 'high')
ON CONFLICT (month, customer_id) DO UPDATE
SET office_id = excluded.office_id, pieces = excluded.pieces, revenue = excluded.revenue,
    base_pieces = excluded.base_pieces, base_revenue = excluded.base_revenue"""
EFFECT = """
WITH members AS MATERIALIZED (
    SELECT m.id, s.id AS survivor, s.office_id FROM customers_customer m
    JOIN customers_customer s ON s.id = coalesce(m.merged_into_id, m.id)
    WHERE s.office_id = ANY(%(offices)s) AND s.erased_at IS NULL),
used AS (
    SELECT m.survivor AS id, m.office_id,
       coalesce(sum(u.revenue) FILTER (WHERE u.month < %(month)s), 0) AS before,
       coalesce(sum(u.revenue) FILTER (WHERE u.month > %(month)s), 0) AS after
    FROM customers_usagemonth u JOIN members m ON m.id = u.customer_id
    WHERE u.month BETWEEN %(first)s AND %(last)s GROUP BY 1, 2),
banded AS (
    SELECT *, ntile(5) OVER (ORDER BY before, id) AS band FROM used WHERE before > 0),
acted AS (
    SELECT customer_id, 'alert' AS action FROM customers_alert a
    JOIN banded b ON b.id = a.customer_id
    WHERE closed_by_id IS NOT NULL AND closed_at >= %(from)s AND closed_at < %(to)s
    UNION SELECT customer_id, 'complaint' FROM customers_timelineentry e
    JOIN banded b ON b.id = e.customer_id
    WHERE kind = 'complaint' AND NOT is_open AND at >= %(from)s AND at < %(to)s
    UNION SELECT customer_id, 'task' FROM customers_task t
    JOIN banded b ON b.id = t.customer_id
    WHERE done_by_id IS NOT NULL AND kind <> 'alert'
      AND done_at >= %(from)s AND done_at < %(to)s)
INSERT INTO customers_serviceeffect
    (month, office_id, action, band, customers, stayed, before, after)
SELECT %(month)s, b.office_id, coalesce(a.action, 'none'), b.band, count(*),
       count(*) FILTER (WHERE b.after > 0), sum(b.before), sum(b.after)
FROM banded b LEFT JOIN acted a ON a.customer_id = b.id GROUP BY 2, 3, 4"""


def keep_months(office: Office, today: date) -> None:
    """Write the last whole month of an office's shard, as long as it is not frozen."""
    month = add_months(today, -1)
    offices = offices_in(office)
    kept = KeyMonth.objects.filter(month=month, customer__office__in=offices)
    if today.day > FREEZE_DAY and kept.exists():
        return
    if not loaded_offices(offices, month):
        return  # a month of zeros would be no news
    served = add_months(month, -3)
    effects = ServiceEffect.objects.filter(month=served, office__in=offices)
    zone = get_current_timezone()
    begins, ends = (
        datetime.combine(add_months(served, n), datetime.min.time(), zone)
        for n in (0, 1)
    )
    with connection.cursor() as cursor:
        kept.delete()
        cursor.execute(KEEP, {"month": month, "offices": offices})
        effects.delete()
        span = {
            "month": served,
            "first": add_months(served, -3),
            "last": month,
            "from": begins,
            "to": ends,
        }
        cursor.execute(EFFECT, span | {"offices": offices})


# --- what the page shows ----------------------------------------------------------------

MOVED = """
WITH kept AS (
    SELECT coalesce(c.merged_into_id, c.id) AS id, k.month, min(k.office_id) AS office_id,
       sum(k.pieces) AS pieces, sum(k.revenue) AS revenue,
       sum(k.base_pieces) AS base_pieces, sum(k.base_revenue) AS base_revenue
    FROM customers_keymonth k JOIN customers_customer c ON c.id = k.customer_id
    WHERE k.month IN (%(month)s, %(previous)s) AND c.erased_at IS NULL GROUP BY 1, 2)
SELECT o.path, count(n.id), count(p.id),
       count(n.id) FILTER (WHERE p.id IS NULL), count(p.id) FILTER (WHERE n.id IS NULL),
       count(n.id) FILTER (WHERE n.pieces > 0),
       coalesce(sum(n.pieces), 0), coalesce(sum(p.pieces), 0),
       coalesce(sum(n.base_pieces), 0), coalesce(sum(n.revenue), 0),
       coalesce(sum(p.revenue), 0), coalesce(sum(n.base_revenue), 0)
FROM (SELECT * FROM kept WHERE month = %(month)s) n
FULL JOIN (SELECT * FROM kept WHERE month = %(previous)s) p ON p.id = n.id
JOIN org_office o ON o.id = coalesce(n.office_id, p.office_id)
WHERE o.path LIKE %(path)s GROUP BY o.path"""


@dataclass
class Movement:
    """Key customers of an office and below in a month, beside the month before (previous)
    and the same days of last year (base)."""

    number: int = 0
    previous_number: int = 0
    joined: int = 0
    left: int = 0
    active: int = 0
    pieces: int = 0
    previous_pieces: int = 0
    base_pieces: int = 0
    revenue: Decimal = Decimal(0)
    previous_revenue: Decimal = Decimal(0)
    base_revenue: Decimal = Decimal(0)

    def __add__(self, other: "Movement") -> "Movement":
        mine, more = vars(self), vars(other)
        return Movement(**{name: mine[name] + more[name] for name in mine})

    @staticmethod
    def change(now: Any, then: Any) -> float | None:
        """Change in percent; None from nothing."""
        return float(100 * (now - then) / then) if then else None

    @property
    def revenue_change(self) -> float | None:
        return self.change(self.revenue, self.previous_revenue)

    @property
    def revenue_year(self) -> float | None:
        return self.change(self.revenue, self.base_revenue)

    @property
    def pieces_change(self) -> float | None:
        return self.change(self.pieces, self.previous_pieces)

    @property
    def pieces_year(self) -> float | None:
        return self.change(self.pieces, self.base_pieces)


def movements(office: Office, month: date) -> dict[str, Movement]:
    """Movement by path of the owning office, at or below `office`. One query."""
    params = {
        "month": month,
        "previous": add_months(month, -1),
        "path": office.path + "%",
    }
    with connection.cursor() as cursor:
        cursor.execute(MOVED, params)
        return {row[0]: Movement(*row[1:]) for row in cursor.fetchall()}


@dataclass(frozen=True)
class Effect:
    """Customers who were served, beside as many of the same size who were not: shares who
    stayed, and revenue after ÷ before, in percent; None where there is nobody to compare."""

    action: str
    customers: int
    stayed: float
    others_stayed: float | None
    revenue: float
    others_revenue: float | None


def effects_of(office: Office, month: date) -> list[Effect]:
    """What each kind of service did in a month, at an office and below. One query.

    The unserved are weighed by the served ones' bands, so that size does not decide.
    """
    rows = ServiceEffect.objects.filter(
        month=month, office__path__startswith=office.path
    ).values_list("action", "band", "customers", "stayed", "before", "after")
    bands: dict[tuple[str, int], list[float]] = {}
    for action, band, customers, stayed, before, after in rows:
        sums = bands.setdefault((action, band), [0.0] * 4)
        figures = (float(customers), float(stayed), float(before), float(after))
        for place, figure in enumerate(figures):
            sums[place] += figure
    return [
        found
        for action in ServiceEffect.Action.values
        if (found := _effect(action, bands)) is not None
    ]


def _effect(action: str, bands: dict[tuple[str, int], list[float]]) -> Effect | None:
    own = {band: sums for (name, band), sums in bands.items() if name == action}
    if not own:
        return None
    others = {band: bands.get(("none", band)) for band in own}
    number, stayed, before, after = (
        sum(sums[place] for sums in own.values()) for place in range(4)
    )
    others_stayed = others_revenue = None
    if action != "none" and all(others.values()):
        would_stay = sum(own[b][0] * o[1] / o[0] for b, o in others.items() if o)
        would_bring = sum(own[b][2] * o[3] / o[2] for b, o in others.items() if o)
        others_stayed = 100 * would_stay / number
        others_revenue = 100 * would_bring / before
    return Effect(
        action,
        int(number),
        100 * stayed / number,
        others_stayed,
        100 * after / before,
        others_revenue,
    )
