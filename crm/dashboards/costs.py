"""Service costs: noted by units month by month, and what they bought (R-KPI-32, R-KPI-33)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.dashboards.models import ServiceCost
from crm.dashboards.periods import Kind, Span, span_of
from crm.dashboards.reckoned import BY_NAME
from crm.dashboards.registry import read
from crm.errors import Refused
from crm.org.models import Office

Key = tuple[str, date]  # kind, first day of the month


def months_of(year: int) -> list[date]:
    return [date(year, month, 1) for month in range(1, 13)]


def noted(office: Office, year: int) -> dict[Key, Decimal]:
    """What the office itself noted. One query."""
    rows = ServiceCost.objects.filter(office=office, month__year=year)
    return {(row.kind, row.month): row.amount for row in rows}


@transaction.atomic
def keep(
    office: Office,
    year: int,
    wanted: dict[Key, Decimal],
    *,
    by: User,
    shown: dict[Key, Decimal | None],
    today: date,
) -> int:
    """Set an office's costs of a year: the cells that a page has `shown`; of these, what is
    not in `wanted`, or nought, is struck; how many changed. Cells as they were shown stay
    as they are now. Refused: "cost.month" for a month that has not begun, "cost.stale" for
    a cell that somebody else has changed otherwise meanwhile.
    """
    Office.objects.select_for_update().get(pk=office.pk)  # RACE: one grid at a time
    require(by, "cost.note", office)
    if any(month > today for _kind, month in wanted):
        raise Refused("cost.month", _("That month has not begun."))
    before, changed = noted(office, year), 0
    for key, was in shown.items():
        value, now = wanted.get(key) or None, before.get(key)
        if value in (was, now):
            continue
        if now != was:
            raise Refused(
                "cost.stale", _("Somebody else has changed this meanwhile: look again.")
            )
        changed += 1
        row: dict[str, Any] = {"office": office, "kind": key[0], "month": key[1]}
        if value is None:
            ServiceCost.objects.filter(**row).delete()
        else:
            facts = {"amount": value, "noted_by": by}
            ServiceCost.objects.update_or_create(**row, defaults=facts)
    details = {"year": year, "changed": changed}
    audit.record(by, "cost.noted", office, office=office, details=details)
    return changed


@dataclass(frozen=True)
class Benefit:
    """What service cost a unit and all below it in a year, and what stands against it."""

    office: Office
    cost: Decimal
    orders: int
    customers: int
    revenue: Decimal

    @property
    def per_order(self) -> Decimal | None:
        return self.cost / self.orders if self.cost and self.orders else None

    @property
    def per_customer(self) -> Decimal | None:
        return self.cost / self.customers if self.cost and self.customers else None

    @property
    def revenue_per_yuan(self) -> Decimal | None:
        return self.revenue / self.cost if self.cost else None


def benefits(units: Iterable[Office], year: int) -> list[Benefit]:
    """Cost beside work orders, customers and revenue, by unit. Four queries."""
    offices, span = list(units), of_year(year)
    names = ("cost_per_order", "cost_per_customer", "revenue")
    shares = read(offices, span, [BY_NAME[name] for name in names])
    found = []
    for unit in offices:
        by_order, by_customer, sold = (shares[unit.pk][name] for name in names)
        found.append(
            Benefit(
                unit,
                Decimal(by_order.numerator),
                int(by_order.denominator),
                int(by_customer.denominator),
                Decimal(sold.numerator),
            )
        )
    return found


def of_year(year: int) -> Span:
    return span_of(Kind.YEAR, date(year, 1, 1))
