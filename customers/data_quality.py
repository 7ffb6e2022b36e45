"""How complete, accurate and fresh the records of each office are (R-CUS-02, 40)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import Sum
from django.utils.timezone import localdate, now

from crm.jobs.models import Job
from crm.org.models import Office
from customers.addresses import VERIFIED_DAYS
from customers.models import CustomerAddress, DataQuality, Recipient
from customers.queries import add_months

CLASSES = ("a", "b", "c", "d")
COUNTED = (*CLASSES, "without", "fresh", "reachable")

# A customer counts by its best address: that is the one it is reached at.
MEASURE = """
INSERT INTO customers_dataquality
    (office_id, month, a, b, c, d, without, fresh, reachable, measured_at)
SELECT k.office_id, %(month)s, count(*) FILTER (WHERE best = 'A'),
       count(*) FILTER (WHERE best = 'B'), count(*) FILTER (WHERE best = 'C'),
       count(*) FILTER (WHERE best = 'D'), count(*) FILTER (WHERE best IS NULL),
       count(*) FILTER (WHERE k.verified_on >= %(checked)s),
       count(*) FILTER (WHERE p.customer_id IS NOT NULL), %(at)s
FROM customers_customer k
LEFT JOIN (SELECT customer_id, min(quality) AS best FROM customers_customeraddress
           GROUP BY customer_id) x ON x.customer_id = k.id
LEFT JOIN (SELECT DISTINCT customer_id FROM customers_customerphone
           WHERE level = 'known' AND NOT is_invalid) p ON p.customer_id = k.id
WHERE k.merged_into_id IS NULL AND k.erased_at IS NULL
GROUP BY k.office_id
ON CONFLICT (office_id, month) DO UPDATE
SET a = excluded.a, b = excluded.b, c = excluded.c, d = excluded.d,
    without = excluded.without, fresh = excluded.fresh,
    reachable = excluded.reachable, measured_at = excluded.measured_at"""


def measure_step(job: Job) -> bool:
    """Job: let class A end after a year, then count. One step; running it again is the same.

    Cost: a pass each over addresses, recipients and customers.
    """
    before = localdate() - timedelta(days=VERIFIED_DAYS)
    for model in (CustomerAddress, Recipient):
        # Class A has every part, and its postcode fits: it falls to B, with its points.
        old = model._base_manager.filter(quality="A", verified_on__lt=before)
        old.exclude(postcode="").update(quality="B", score=100)
        old.filter(postcode="").update(quality="B", score=90)
    at, month = now(), localdate().replace(day=1)
    with connection.cursor() as cursor:
        cursor.execute(MEASURE, {"month": month, "at": at, "checked": before})
    # Offices that have no customer any more.
    DataQuality.objects.filter(month=month, measured_at__lt=at).delete()
    return True


@dataclass(frozen=True)
class Quality:
    """Customers of one office and below by the class of their best address.

    complete = (A + B) / all; accurate = A / (A + D), of those that delivery has tried;
    timely = checked within a year / all; reached = with a working number / all. A share
    without a denominator is None.
    """

    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0
    without: int = 0
    fresh: int = 0
    reachable: int = 0

    @property
    def customers(self) -> int:
        return self.a + self.b + self.c + self.d + self.without

    @property
    def cells(self) -> list[tuple[str, int]]:
        """(filter of the customer list, how many it gives)."""
        named = [(name, getattr(self, name)) for name in CLASSES]
        return [*named, ("none", self.without)]

    @property
    def complete(self) -> float | None:
        return (self.a + self.b) / self.customers if self.customers else None

    @property
    def timely(self) -> float | None:
        return self.fresh / self.customers if self.customers else None

    @property
    def reached(self) -> float | None:
        return self.reachable / self.customers if self.customers else None

    @property
    def accurate(self) -> float | None:
        tried = self.a + self.d
        return self.a / tried if tried else None


def quality_by_office(
    office: Office,
) -> tuple[Quality, Quality, list[tuple[Office, Quality]]]:
    """An office's figures with all below it, without them, and those of the offices right
    below it. Two queries."""
    month = DataQuality.objects.order_by("-month").values("month")[:1]
    rows = DataQuality.objects.filter(
        month__in=month, office__path__startswith=office.path
    ).values("office__path", *COUNTED)
    found = list(rows)

    def total(inside: list) -> Quality:
        return Quality(**{n: sum(row[n] for row in inside) for n in COUNTED})

    def below(child: Office) -> Quality:
        return total([r for r in found if r["office__path"].startswith(child.path)])

    children = Office.objects.filter(
        path__startswith=office.path, depth=office.depth + 1
    ).order_by("path")
    itself = [row for row in found if row["office__path"] == office.path]
    return total(found), total(itself), [(child, below(child)) for child in children]


def quality_by_month(office: Office, months: int = 13) -> list[tuple[str, Quality]]:
    """(month, figures) of an office and below, oldest first; months without one are left
    out. One query."""
    first = add_months(localdate().replace(day=1), 1 - months)
    inside = DataQuality.objects.filter(office__path__startswith=office.path)
    rows: Any = inside.filter(month__gte=first).values("month").order_by("month")
    rows = rows.annotate(**{f"sum_{name}": Sum(name) for name in COUNTED})
    return [
        (
            f"{row['month']:%Y-%m}",
            Quality(**{name: row[f"sum_{name}"] for name in COUNTED}),
        )
        for row in rows
    ]
