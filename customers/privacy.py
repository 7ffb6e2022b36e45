"""What PIPL asks: everything about one person, erasure, and how long each thing is kept."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.module_loading import import_string
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from customers import recipients
from customers.exporting import forget_exports
from customers.merging import relations
from customers.models import (
    AlertReport,
    CorrectionRequest,
    Customer,
    CustomerPhone,
    ImportedChange,
    Merge,
    RecipientList,
    Task,
    TimelineEntry,
)
from customers.models.choices import Segment
from customers.services import locked

ERASED = "已删除"
CHUNK = 500


@transaction.atomic
def subject_data(customer: Customer, *, by: User, reason: str) -> dict[str, Any]:
    """All that is stored about one customer, clear, table by table (PIPL art. 45).

    Tables of the apps above are found by their keys to the customer. Cost: one query a
    table.
    """
    require(by, "customer.erase", customer.office)
    details = {"reason": reason}
    audit.record(
        by, "customer.data_exported", customer, office=customer.office, details=details
    )
    found = {"customer": [_plain(customer)]}
    for label, model, field in relations(moving=False):
        rows = model._base_manager.filter(**{field: customer})
        found[label] = [_plain(row) for row in rows]
    reports = AlertReport.objects.filter(alert__customer=customer)
    found["alert reports"] = [_plain(row) for row in reports]
    return found


def _plain(row: Any) -> dict[str, Any]:
    """A row as JSON can carry it; indexes and search columns are not about the person."""
    hidden = ("_index", "pinyin", "initials", "name_bigrams", "token")
    return {
        column.name: str(value)
        for column in row._meta.concrete_fields
        if not column.name.endswith(hidden)
        and (value := getattr(row, column.attname)) not in (None, "")
    }


@transaction.atomic
def erase(customer: Customer, *, by: User | None, reason: str) -> None:
    """Remove what tells who a customer was; codes and figures stay for statistics.

    Refused("erase.hold") under legal hold, ("erase.open") while something is unsettled:
    a complaint, a bill, a contract. Members merged into it go too.
    """
    row = locked(customer)
    require(by, "customer.erase", row.office)
    members = [row, *Customer.objects.select_for_update().filter(merged_into=row)]
    if any(one.legal_hold for one in members):
        message = _("The record is under legal hold: it may not be erased.")
        raise Refused("erase.hold", message)
    if any(map(_unsettled, members)):
        message = _("A complaint, a bill or a contract is not settled yet.")
        raise Refused("erase.open", message)
    for one in members:
        _erase(one)
        details = {"reason": reason}
        audit.record(by, "customer.erased", one, office=row.office, details=details)


@transaction.atomic
def set_hold(customer: Customer, *, by: User, on: bool) -> None:
    """Put a record under legal hold, or release it: held ones are neither erased nor merged."""
    row = locked(customer)
    require(by, "customer.erase", row.office)
    row.legal_hold = on
    row.save(update_fields=["legal_hold"])
    details = {"on": on}
    audit.record(by, "customer.hold_set", row, office=row.office, details=details)


def _unsettled(customer: Customer) -> bool:
    today = localdate()
    running = customer.contracts.filter(ends_on__gte=today, ended_on=None)
    unpaid = customer.receivables.filter(paid__lt=F("amount"))
    open_now = customer.timeline.filter(is_open=True)
    return running.exists() or unpaid.exists() or open_now.exists()


def _erase(customer: Customer) -> None:
    for path in settings.CUSTOMER_ERASERS:
        import_string(path)(customer)
    for related in (
        "phones",
        "addresses",
        "contacts",
        "external_ids",
        "service_points",
    ):
        getattr(customer, related).all().delete()
    TimelineEntry.objects.filter(customer=customer).update(text="")
    CorrectionRequest.objects.filter(customer=customer).update(wanted="", reply="—")
    for listed in customer.recipient_lists.filter(closed_at=None):
        recipients.destroy(listed, by=None)
    customer.opportunities.update(title=ERASED, problems="", evaluation="")
    customer.alerts.exclude(state="closed").delete()
    customer.alerts.update(note="")
    AlertReport.objects.filter(alert__customer=customer).delete()
    Task.objects.filter(customer=customer, done_at=None).delete()
    ImportedChange.objects.filter(table="Customer", row=customer.pk).delete()
    merges = Merge.objects.filter(Q(loser=customer) | Q(survivor=customer))
    merges.update(replaced="")
    for contract in customer.contracts.all():
        for file in contract.files.all():
            file.path.unlink(missing_ok=True)
            file.delete()
    customer.aliases, customer.credit_code = [], ""
    customer.signing_habit = customer.service_plan = customer.membership = ""
    customer.household = None
    customer.set_id_number("")
    customer.set_name(ERASED)
    customer.erased_at = now()
    customer.version += 1
    customer.save()


@dataclass(frozen=True)
class Keeping:
    """How long one class of data is kept, what is due, and what becomes of it."""

    name: Any
    days: int
    basis: Any
    due: Callable[[], QuerySet]
    forget: Callable[[QuerySet], Any]


def _before(days: int) -> Any:
    return now() - timedelta(days=days)


def _idle_prospects() -> QuerySet:
    """Prospects that never sent anything and that nobody touched for two years."""
    rows = Customer.objects.filter(
        segment=Segment.PROSPECT,
        legal_hold=False,
        erased_at=None,
        merged_into=None,
        created_at__lt=_before(730),
    )
    touched = TimelineEntry.objects.filter(at__gte=_before(730)).values("customer")
    return rows.exclude(pk__in=touched)


def _erase_rows(rows: QuerySet) -> None:
    for customer in rows[:CHUNK]:
        try:
            erase(customer, by=None, reason="retention")
        except Refused:
            continue  # unsettled: it is due again tomorrow


def _ended_lists() -> QuerySet:
    before = localdate() - timedelta(days=30)
    return RecipientList.objects.filter(
        closed_at=None, ends_on__lt=before, customer__legal_hold=False
    )


def _destroy_lists(rows: QuerySet) -> None:
    for listed in rows[:CHUNK]:
        recipients.destroy(listed, by=None)


RETENTION = (
    Keeping(
        gettext_lazy("Recipient lists after the end of their agreement"),
        30,
        gettext_lazy("Handed back or deleted when the agreement ends (PIPL art. 21)"),
        _ended_lists,
        _destroy_lists,
    ),
    Keeping(
        gettext_lazy("Phone numbers only seen in a complaint"),
        180,
        gettext_lazy("Shortest time needed (PIPL art. 19)"),
        lambda: CustomerPhone.objects.filter(
            level="maybe", customer__created_at__lt=_before(180)
        ).exclude(customer__timeline__at__gte=_before(180)),
        lambda rows: rows.delete(),
    ),
    Keeping(
        gettext_lazy("Prospects without any dealings"),
        730,
        gettext_lazy("Shortest time needed (PIPL art. 19)"),
        _idle_prospects,
        _erase_rows,
    ),
    Keeping(
        gettext_lazy("What imports replaced"),
        90,
        gettext_lazy("Needed to take an import back"),
        lambda: ImportedChange.objects.filter(made_at__lt=_before(90)),
        lambda rows: rows.delete(),
    ),
    Keeping(
        gettext_lazy("Correction requests that are answered"),
        1095,
        gettext_lazy("Proof of handling"),
        lambda: CorrectionRequest.objects.filter(decided_at__lt=_before(1095)),
        lambda rows: rows.delete(),
    ),
)


def retain_step(job: Job) -> bool:
    """Job: forget what is kept no longer, one class a step; what went is in the trail."""
    place = job.cursor.get("class", 0)
    if place == len(RETENTION):
        forget_exports()
        audit.record(job.actor, "retention.kept", details=job.result)
        return True
    keeping = RETENTION[place]
    rows = keeping.due()
    job.result = {**job.result, str(place): rows.count()}
    keeping.forget(rows)
    job.cursor = {"class": place + 1}
    return False


def as_json(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1)
