"""What people write down, ask for, plan and finish at a customer."""

import uuid
from datetime import date
from typing import Any

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.org.models import Office
from customers.models import (
    CorrectionRequest,
    Customer,
    Opportunity,
    ServicePoint,
    Task,
    TimelineEntry,
)
from customers.services import locked


@transaction.atomic
def add_note(customer: Customer, *, by: User, kind: str, text: str) -> TimelineEntry:
    """Write down what was heard: a need, news, a competitor's move, a recommendation."""
    row = locked(customer)
    require(by, "customer.edit", row.office)
    note = TimelineEntry.objects.create(
        customer=row,
        kind=kind,
        at=now(),
        title=message_id(TimelineEntry.Note(kind)),
        text=text,
        by=by,
        source=f"note:{uuid.uuid4()}",
    )
    audit.record(by, "customer.noted", row, office=row.office, details={"kind": kind})
    return note


def message_id(choice: Any) -> str:
    """The English source of a choice's label: what is stored to be translated later."""
    with override("en"):
        return str(choice.label)


@transaction.atomic
def pin_point(
    customer: Customer,
    *,
    by: User | None,
    text: str,
    tone: str = ServicePoint.Tone.INFO,
    valid_until: date | None = None,
    source: str = "",
) -> ServicePoint:
    """Put a service point on a customer; with a `source` the same fact is one point."""
    row = locked(customer)
    require(by, "customer.edit", row.office)
    facts = {"customer": row, "text": text, "tone": tone, "valid_until": valid_until}
    point, _made = ServicePoint.objects.update_or_create(
        source=source or f"pin:{uuid.uuid4()}", defaults={**facts, "by": by}
    )
    audit.record(by, "customer.point_pinned", row, office=row.office)
    return point


@transaction.atomic
def unpin_point(point: ServicePoint, *, by: User) -> None:
    require(by, "customer.edit", point.customer.office)
    audit.record(
        by, "customer.point_unpinned", point.customer, office=point.customer.office
    )
    point.delete()


@transaction.atomic
def request_correction(
    customer: Customer, *, by: User, office: Office, field: str, wanted: str
) -> CorrectionRequest:
    """Say that a record is wrong. The caller has settled that `by` knows the customer."""
    require(by, "customer.correct")
    row = CorrectionRequest.objects.create(
        customer=customer, raised_by=by, office=office, field=field, wanted=wanted
    )
    details = {"field": field}
    audit.record(
        by, "correction.asked", customer, office=customer.office, details=details
    )
    return row


@transaction.atomic
def decide_correction(
    request: CorrectionRequest, *, by: User, applied: bool, reply: str
) -> None:
    """Answer a request; applying it means that the record has been changed by hand.

    Refused("correction.decided") when somebody was faster.
    """
    row = CorrectionRequest.objects.select_for_update().get(pk=request.pk)
    require(by, "customer.edit", row.customer.office)
    if row.state != CorrectionRequest.State.OPEN:
        raise Refused("correction.decided", _("Somebody has answered it already."))
    states = CorrectionRequest.State
    row.state = states.APPLIED if applied else states.DECLINED
    row.reply, row.decided_by, row.decided_at = reply, by, now()
    row.save(update_fields=["state", "reply", "decided_by", "decided_at"])
    details = {"state": row.state}
    audit.record(
        by,
        "correction.decided",
        row.customer,
        office=row.customer.office,
        details=details,
    )


@transaction.atomic
def save_opportunity(customer: Customer, *, by: User, **facts: Any) -> Opportunity:
    """Begin an opportunity or a cooperation project; its way is on the timeline."""
    row = locked(customer)
    require(by, "customer.edit", row.office)
    found = Opportunity.objects.create(customer=row, owner=by, **facts)
    _opportunity_entry(found)
    audit.record(by, "opportunity.created", row, office=row.office)
    return found


@transaction.atomic
def move_opportunity(opportunity: Opportunity, *, by: User, **facts: Any) -> None:
    """Change stage, problems, evaluation or date. Won and lost ones want an evaluation."""
    row = Opportunity.objects.select_for_update().get(pk=opportunity.pk)
    require(by, "customer.edit", row.customer.office)
    for name, value in facts.items():
        setattr(row, name, value)
    if not row.is_open and not row.evaluation:
        message = _("Write an evaluation: what decided it?")
        raise Refused("opportunity.evaluation", message)
    row.save()
    _opportunity_entry(row)
    details = {"stage": row.stage}
    office = row.customer.office
    audit.record(by, "opportunity.moved", row.customer, office=office, details=details)


def _opportunity_entry(row: Opportunity) -> None:
    source = f"opportunity:{row.pk}"
    facts = {
        "customer": row.customer,
        "kind": "opportunity",
        "at": now(),
        "title": message_id(Opportunity.Kind(row.kind)),
        "text": row.title,
        "by": row.owner,
        "state": message_id(Opportunity.Stage(row.stage)),
        "is_open": row.is_open,
    }
    TimelineEntry.objects.update_or_create(source=source, defaults=facts)


@transaction.atomic
def finish_task(task: Task, *, by: User) -> None:
    """Tick a task off; twice is once. Refused("task.alert") for what an answer ends."""
    row = Task.objects.select_for_update().get(pk=task.pk)
    require(by, "task.view", row.customer.office)
    if row.alert:
        raise Refused("task.alert", _("Answer the alert: say what came of it."))
    if row.done_at is None:
        row.done_at, row.done_by = now(), by
        row.save(update_fields=["done_at", "done_by"])
        audit.record(by, "task.done", row.customer, office=row.customer.office)


TASK_TITLES = {
    "stale": gettext_noop("Check the record with the customer"),
    "contract": gettext_noop("Contract ends"),
    "list": gettext_noop("Build or mend the recipient list"),
    "item_risk": gettext_noop("An item of theirs may come late"),
    "stock": gettext_noop("Propose what to do with the cards left over"),
    "list_end": gettext_noop("Hand back or destroy the recipient list"),
}
