"""Disturbances: noted, decided by somebody else, their items excused and let back."""

from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.services import enqueue
from crm.notify.models import Message
from crm.notify.services import tell
from customers.models import Customer
from customers.services import tell_supervisors
from delivery import messaging
from delivery.models import Disturbance, MailItem
from delivery.quality.marks import Mark

State = Disturbance.State
DECIDED = gettext_noop("A disturbance that you noted is decided")
SMS_SUBJECT = gettext_noop("News of your mail")  # translated when it is read
LONGEST_WAY = 60  # days that an item may have been on its way before it began
REAPPLIED_DAYS = 120  # items that are brought in late are excused by the night
# What was late before it began is not excused by it.
TOUCHED = """
UPDATE delivery_mailitem m SET disturbance_id = %(pk)s
FROM org_office o, org_office a
WHERE m.accepted_on = %(day)s AND m.disturbance_id IS NULL
  AND o.id = m.office_id AND a.id = m.accepted_by_id
  AND (o.path LIKE %(area)s OR a.path LIKE %(area)s)
  AND (m.due_at IS NULL
       OR m.due_at >= (%(first)s::date)::timestamp AT TIME ZONE 'Asia/Shanghai')
  AND (%(places)s = '{}' OR m.from_region = ANY(%(places)s::text[])
       OR m.to_region = ANY(%(places)s::text[]))
  AND LEAST(COALESCE(m.e_delivered_at, m.delivered_at),
            COALESCE(m.e_returned_at, m.returned_at), 'infinity')
      >= (%(first)s::date)::timestamp AT TIME ZONE 'Asia/Shanghai'"""
LET_BACK = """
UPDATE delivery_mailitem SET disturbance_id = NULL
WHERE accepted_on = %(day)s AND disturbance_id = %(pk)s"""
MARK = "INSERT INTO delivery_tallymark (day) VALUES (%s)"


@transaction.atomic
def propose(row: Disturbance, *, by: User) -> Disturbance:
    """Note a disturbance; those above who may decide are told."""
    require(by, "disturbance.note", row.office)
    row.made_by = by
    row.save()
    audit.record(by, "disturbance.noted", row, office=row.office)
    tell_supervisors(
        row.office,
        gettext_noop("A disturbance of the network is to be decided"),
        key=f"disturbance:{row.pk}",
        url=row.get_absolute_url(),
        but=by,
    )
    return row


@transaction.atomic
def decide(row: Disturbance, *, by: User, approved: bool, decision: str) -> Disturbance:
    """Approve or refuse it; approved, its items are excused in the back.

    Refused("disturbance.own") for who noted it, ("disturbance.state") the second time.
    """
    row = Disturbance.objects.select_for_update(of=("self",)).get(pk=row.pk)
    require(by, "disturbance.decide", row.office)
    if row.made_by_id == by.pk:
        raise Refused("disturbance.own", _("Somebody else decides what you noted."))
    if row.state != State.PROPOSED:
        raise Refused("disturbance.state", _("This is decided already."))
    row.state = State.APPROVED if approved else State.REFUSED
    row.decided_by, row.decided_at, row.decision = by, now(), decision
    row.save(update_fields=["state", "decided_by", "decided_at", "decision"])
    audit.record(by, f"disturbance.{row.state}", row, office=row.office)
    tell(
        row.made_by,
        "system",
        subject=DECIDED,
        body=f"{row} · {row.get_state_display()}",
        url=row.get_absolute_url(),
        key=f"disturbance:{row.pk}:decided",
    )
    if approved and row.is_excusing:
        enqueue("delivery.excuse", {"disturbance_id": row.pk}, by=by)
    if approved and row.sms:
        enqueue("delivery.announce", {"disturbance_id": row.pk}, by=by)
    return row


def entitled_to(row: Disturbance) -> QuerySet[Customer]:
    """Customers of the area whose grade brings news of disturbances (R-GRD-08)."""
    return Customer.objects.filter(
        office__path__startswith=row.office.path,
        merged_into=None,
        grade__benefits__contains="disturbance_sms",
    )


@transaction.atomic
def announce_step(job: Job) -> bool:
    """Job: tell the entitled customers of an approved disturbance; twice is once."""
    row = Disturbance.objects.select_related("office").get(
        pk=job.params["disturbance_id"]
    )
    key = f"disturbance:{row.pk}"
    messaging.send(
        messaging.mobiles_of(entitled_to(row)),
        purpose=Message.Purpose.SERVICE,
        subject=SMS_SUBJECT,
        body=row.sms,
        key=f"{key}:sms",
        at=now(),
    )
    row.told = Message.objects.filter(key__startswith=f"{key}:sms:").count()
    row.save(update_fields=["told"])
    job.done_units = row.told
    return True


@transaction.atomic
def withdraw(row: Disturbance, *, by: User) -> Disturbance:
    """Let the items of an approved one back into the rates."""
    row = Disturbance.objects.select_for_update(of=("self",)).get(pk=row.pk)
    require(by, "disturbance.decide", row.office)
    if row.made_by_id == by.pk:
        raise Refused("disturbance.own", _("Somebody else decides what you noted."))
    if row.state != State.APPROVED:
        raise Refused("disturbance.state", _("Only an approved one can be withdrawn."))
    row.state, row.decided_by, row.decided_at = State.ENDED, by, now()
    row.save(update_fields=["state", "decided_by", "decided_at"])
    audit.record(by, "disturbance.ended", row, office=row.office)
    enqueue("delivery.excuse", {"disturbance_id": row.pk}, by=by)
    return row


def excuse_step(job: Job) -> bool:
    """Job: excuse the items of an approved disturbance, or let those of a withdrawn one
    back; one day of acceptance a step."""
    row = Disturbance.objects.select_related("office").get(
        pk=job.params["disturbance_id"]
    )
    first = row.first - timedelta(days=LONGEST_WAY)
    day = date.fromisoformat(job.cursor.get("next", f"{first}"))
    if day > min(row.last, localdate()):
        rows = MailItem.objects.filter(
            disturbance_id=row.pk, accepted_on__range=(first, row.last)
        )
        offices = _fates(rows, "office__name")
        row.touched = sum(items for _name, items, *_rest in offices)
        row.report = {"offices": offices, "products": _fates(rows, "product")}
        row.save(update_fields=["touched", "report"])
        return True
    values: dict[str, Any] = {
        "pk": row.pk,
        "day": day,
        "area": f"{row.office.path}%",
        "first": row.first,
        "places": row.places,
    }
    with connection.cursor() as cursor:
        cursor.execute(TOUCHED if row.state == State.APPROVED else LET_BACK, values)
        if cursor.rowcount:
            job.done_units += cursor.rowcount
            cursor.execute(MARK, [day])
    job.cursor = {"next": f"{day + timedelta(days=1)}"}
    return False


def _fates(rows: QuerySet[MailItem], by: str) -> list[list]:
    """[name, items, delivered, of those beyond their limit, returned, neither], most
    first."""
    marked = rows.annotate(
        came=F("marks").bitand(Mark.DELIVERED.value),
        timely=F("marks").bitand(Mark.ON_TIME.value),
        went_back=F("marks").bitand(Mark.RETURNED.value),
    )
    groups = (
        marked.order_by()
        .values(by)
        .annotate(
            items=Count("waybill"),
            delivered=Count("waybill", filter=Q(came__gt=0)),
            late=Count("waybill", filter=Q(came__gt=0, timely=0)),
            back=Count("waybill", filter=Q(came=0, went_back__gt=0)),
            still=Count("waybill", filter=Q(came=0, went_back=0)),
        )
    )
    names = (by, "items", "delivered", "late", "back", "still")
    return [[*row] for row in groups.order_by("-items", by).values_list(*names)]


def again_step(job: Job) -> bool:
    """Job: each night, excuse what was brought in since of lately disturbed days."""
    rows = Disturbance.objects.filter(
        state=State.APPROVED,
        is_excusing=True,
        last__gte=localdate() - timedelta(days=REAPPLIED_DAYS),
    )
    for row in rows:
        enqueue("delivery.excuse", {"disturbance_id": row.pk})
    return True
