"""What screens and KPIs read of customers and their usage."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.utils.timezone import localdate

from crm.org.models import Office
from customers.models import Customer, Usage, UsageMonth

FIRST_YEAR, LAST_YEAR = 1980, 2100


@dataclass(frozen=True)
class Period:
    """Whole days, both ends included. Written 2026-01-01..2026-06-30."""

    first: date
    last: date

    @classmethod
    def parse(cls, written: str) -> "Period":
        """ValueError unless it reads FIRST..LAST with FIRST not after LAST."""
        first, last = (date.fromisoformat(part) for part in written.split(".."))
        if first > last or first.year < FIRST_YEAR or last.year > LAST_YEAR:
            raise ValueError(written)
        return cls(first, last)

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"

    @property
    def is_whole_months(self) -> bool:
        return self.first.day == 1 and (self.last + timedelta(days=1)).day == 1


def add_months(day: date, months: int) -> date:
    """The first day of the month `months` after that of `day`."""
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


@dataclass(frozen=True)
class MonthSum:
    month: date
    pieces: int = 0
    revenue: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)


def member_ids(customer: Customer) -> list[int]:
    """The customer's id and those of the customers merged into it: whose usage is its."""
    merged = Customer.objects.filter(merged_into=customer)
    return [customer.pk, *merged.values_list("pk", flat=True)]


def months_of(
    customer: Customer, *, today: date | None = None, count: int = 13
) -> list[MonthSum]:
    """The last `count` months up to today's, oldest first, zero where nothing was sent."""
    last = (today or localdate()).replace(day=1)
    first = add_months(last, 1 - count)
    rows = UsageMonth.objects.filter(
        customer__in=member_ids(customer), month__gte=first, month__lte=last
    )
    sums = {
        row["month"]: MonthSum(**row)
        for row in rows.values("month").annotate(
            pieces=Sum("pieces"), revenue=Sum("revenue"), cost=Sum("cost")
        )
    }
    months = [add_months(first, index) for index in range(count)]
    return [sums.get(month, MonthSum(month)) for month in months]


# One row per customer with usage in either period, then counted by owning office; merged
# customers count as their survivor. The month sums serve whole months; other periods read
# the lines of their partitions.
RETENTION = """
WITH active AS (
    SELECT customer_id,
           bool_or({day} BETWEEN %(base_first)s AND %(base_last)s) AS in_base,
           bool_or({day} BETWEEN %(current_first)s AND %(current_last)s) AS in_current
    FROM {table}
    WHERE {day} BETWEEN %(base_first)s AND %(base_last)s
       OR {day} BETWEEN %(current_first)s AND %(current_last)s
    GROUP BY customer_id),
one AS (
    SELECT coalesce(c.merged_into_id, c.id) AS id, bool_or(in_base) AS in_base,
           bool_or(in_current) AS in_current
    FROM active JOIN customers_customer c ON c.id = active.customer_id GROUP BY 1)
SELECT c.office_id, count(*) FILTER (WHERE in_base),
       count(*) FILTER (WHERE in_base AND in_current),
       count(*) FILTER (WHERE NOT in_base),
       count(*) FILTER (WHERE NOT in_base AND (EXISTS (
           SELECT 1 FROM customers_usagemonth m
           WHERE m.customer_id = c.id AND m.month < {before}) OR EXISTS (
           SELECT 1 FROM customers_customer x JOIN customers_usagemonth m
               ON m.customer_id = x.id AND m.month < {before}
           WHERE x.merged_into_id = c.id)))
FROM one JOIN customers_customer c ON c.id = one.id
JOIN org_office o ON o.id = c.office_id
WHERE o.path LIKE %(path)s
GROUP BY c.office_id"""
BEFORE = "date_trunc('month', %(base_first)s::date)"


SMALLEST_CELL = 5  # reliability.md 4.2: what an analyst may see at the least


@dataclass(frozen=True)
class Retention:
    """Customers of one office: with usage in the base period, in both, in the current one
    only, and of those last how many had usage before the base period (流失重获)."""

    base: int = 0
    retained: int = 0
    new: int = 0
    won_back: int = 0

    @property
    def is_telling(self) -> bool:
        """Whether a figure stands for fewer than five customers: it could name them."""
        parts = (
            self.base,
            self.retained,
            self.base - self.retained,
            self.new,
            self.won_back,
        )
        return any(0 < part < SMALLEST_CELL for part in parts)

    def __add__(self, other: "Retention") -> "Retention":
        return Retention(
            self.base + other.base,
            self.retained + other.retained,
            self.new + other.new,
            self.won_back + other.won_back,
        )


def retention_by_office(
    office: Office, base: Period, current: Period
) -> dict[int, Retention]:
    """Counts by owning office at or below `office`; they roll up by adding.

    Cost: one query, a GROUP BY over the month sums (or lines) of both periods. A base
    period that begins inside a month counts that month's earlier usage as none before it.
    """
    whole = base.is_whole_months and current.is_whole_months
    table, day = (
        ("customers_usagemonth", "month") if whole else ("customers_usage", "posted_on")
    )
    values = {
        "base_first": base.first,
        "base_last": base.last,
        "current_first": current.first,
        "current_last": current.last,
        "path": office.path + "%",
    }
    with connection.cursor() as cursor:
        cursor.execute(RETENTION.format(table=table, day=day, before=BEFORE), values)
        return {row[0]: Retention(*row[1:]) for row in cursor.fetchall()}


def used_by(rows: QuerySet) -> Q:
    """Whether the outer customer, or one merged into it, has a row among `rows`.

    COST: the merged ones are few and found once; the rest is an index probe a customer.
    """
    merged = rows.filter(customer__merged_into__isnull=False)
    survivors = merged.values("customer__merged_into")
    return Q(Exists(rows.filter(customer=OuterRef("pk")))) | Q(pk__in=survivors)


def _active(period: Period) -> Q:
    """Whether the outer customer has usage in `period`."""
    if period.is_whole_months:
        return used_by(
            UsageMonth.objects.filter(month__gte=period.first, month__lte=period.last)
        )
    return used_by(
        Usage.objects.filter(posted_on__gte=period.first, posted_on__lte=period.last)
    )


def _before(period: Period) -> Q:
    return used_by(UsageMonth.objects.filter(month__lt=period.first.replace(day=1)))


GROUPS = ("base", "retained", "lost", "new", "won_back")


def retention_group(
    customers: QuerySet[Customer], group: str, base: Period, current: Period
) -> QuerySet[Customer]:
    """The customers behind one figure of retention_by_office: the same rules, as rows."""
    if group == "base":
        return customers.filter(_active(base))
    if group == "retained":
        return customers.filter(_active(base), _active(current))
    if group == "lost":
        return customers.filter(_active(base), ~_active(current))
    fresh = customers.filter(_active(current), ~_active(base))
    return fresh.filter(_before(base)) if group == "won_back" else fresh
