"""Contracts and receivables: what a customer may owe, owes, and for how long."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm import files
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.org.models import Office
from customers.models import Contract, ContractFile, Customer, Receivable, UsageMonth
from customers.queries import add_months, member_ids
from customers.services import locked

# Days overdue by bucket: the last one is open (domain.md 5.5).
BUCKETS = ((0, 30), (31, 60), (61, 90), (91, 180), (181, None))
CONTRACT_ALERTS = (60, 30, 7)  # days before the end (R-CUS-19)
CONTRACT_ALERT_DAYS = CONTRACT_ALERTS[0]


@dataclass(frozen=True)
class Ageing:
    """Unpaid amounts of one or many customers on a day, in yuan.

    `overdue` follows BUCKETS; `rate` is overdue ÷ revenue of the last twelve whole months,
    None without revenue (domain.md 5.5).
    """

    not_due: Decimal = Decimal(0)
    overdue: list[Decimal] = field(default_factory=lambda: [Decimal(0)] * len(BUCKETS))
    oldest_days: int = 0
    revenue: Decimal = Decimal(0)

    @property
    def arrears(self) -> Decimal:
        return sum(self.overdue, Decimal(0))

    @property
    def owed(self) -> Decimal:
        return self.not_due + self.arrears

    @property
    def rate(self) -> Decimal | None:
        return self.arrears / self.revenue if self.revenue > 0 else None


def _bucket(low: int, high: int | None, today: date) -> Q:
    late = Q(due_on__lt=today - timedelta(days=max(low, 1) - 1))
    return late if high is None else late & Q(due_on__gte=today - timedelta(days=high))


def _ageing(bills: Any, months: Any, today: date) -> Ageing:
    """From querysets of receivables and month sums. Cost: two queries."""
    open_amount = F("amount") - F("paid")
    sums = {
        f"b{index}": Sum(open_amount, filter=_bucket(low, high, today))
        for index, (low, high) in enumerate(BUCKETS)
    }
    unpaid = bills.filter(paid__lt=F("amount"))
    found = unpaid.aggregate(rest=Sum(open_amount, filter=Q(due_on__gte=today)), **sums)
    oldest = unpaid.order_by("due_on").values_list("due_on", flat=True).first()
    whole = {
        "month__gte": add_months(today, -12),
        "month__lt": today.replace(day=1),
    }
    revenue = months.filter(**whole).aggregate(
        one=Coalesce(Sum("revenue"), Decimal(0))
    )["one"]
    return Ageing(
        not_due=found["rest"] or Decimal(0),
        overdue=[found[f"b{i}"] or Decimal(0) for i in range(len(BUCKETS))],
        oldest_days=max(0, (today - oldest).days) if oldest else 0,
        revenue=revenue,
    )


def ageing_of(customer: Customer, today: date | None = None) -> Ageing:
    """What one customer owes. Cost: four queries."""
    bills = Receivable.objects.filter(customer=customer)
    months = UsageMonth.objects.filter(customer__in=member_ids(customer))
    return _ageing(bills, months, today or localdate())


def ageing_of_office(office: Office, today: date | None = None) -> Ageing:
    """What the customers of an office and those below it owe: the arrears rate's parts."""
    below = {"customer__office__path__startswith": office.path}
    bills = Receivable.objects.filter(**below)
    months = UsageMonth.objects.filter(**below)
    return _ageing(bills, months, today or localdate())


@transaction.atomic
def save_contract(customer: Customer, *, by: User | None, **facts: Any) -> Contract:
    """Put a contract into the ledger. Refused("contract.twice") for a known number."""
    row = locked(customer)
    require(by, "contract.edit", row.office)
    try:
        with transaction.atomic():
            contract = Contract.objects.create(customer=row, office=row.office, **facts)
    except IntegrityError as error:
        if "contract_once" not in str(error):
            raise
        message = _("This office has a contract of this number already.")
        raise Refused("contract.twice", message) from error
    details = {"number": contract.number}
    audit.record(by, "contract.created", row, office=row.office, details=details)
    return contract


@transaction.atomic
def change_terms(contract: Contract, *, by: User, **terms: Any) -> None:
    """Put the terms of a contract right; number and period stay."""
    row = Contract.objects.select_for_update().get(pk=contract.pk)
    require(by, "contract.edit", row.office)
    for name, value in terms.items():
        setattr(row, name, value)
    row.save(update_fields=list(terms))
    details = {"number": row.number, "fields": sorted(terms)}
    audit.record(
        by, "contract.changed", row.customer, office=row.office, details=details
    )


@transaction.atomic
def end_contract(contract: Contract, *, by: User, on: date) -> None:
    """End a contract before its time. Refused("contract.ended") outside its period."""
    row = Contract.objects.select_for_update().get(pk=contract.pk)
    require(by, "contract.edit", row.office)
    if row.ended_on or not row.starts_on <= on <= row.ends_on:
        message = _("The contract does not run on that day.")
        raise Refused("contract.ended", message)
    row.ended_on = on
    row.save(update_fields=["ended_on"])
    details = {"number": row.number, "on": on.isoformat()}
    audit.record(by, "contract.ended", row.customer, office=row.office, details=details)


@transaction.atomic
def attach_file(
    contract: Contract, *, by: User, name: str, data: bytes
) -> ContractFile:
    """Keep a scan; Refused("file.…") when it is no PDF or picture, or too big."""
    require(by, "contract.edit", contract.office)
    content_type, clean = files.inspect(data)
    file = ContractFile.objects.create(
        contract=contract,
        name=name[:120],
        content_type=content_type,
        size=len(clean),
        added_by=by,
    )
    file.path.parent.mkdir(parents=True, exist_ok=True)
    file.path.write_bytes(clean)
    audit.record(
        by,
        "contract.file_added",
        contract.customer,
        office=contract.office,
        details={"file": str(file.pk)},
    )
    return file
