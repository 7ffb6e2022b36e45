"""One item explained, and a customer's items summed up."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Avg, Count, F, Q
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _

from crm.access.capabilities import may
from crm.access.models import User
from crm.audit import services as audit
from customers.models import Customer
from customers.queries import member_ids
from delivery.models import DeliveryStandard, MailItem
from delivery.quality.marks import Mark
from delivery.quality.rates import Share
from delivery.quality.reckoning import spans
from delivery.quality.which import WHICH

PANEL_DAYS = 90
SAID = ("on_time", "in_72h", "first_attempt", "delivered", "returned", "damaged")


ROWS = MailItem.objects.select_related("office", "accepted_by")


def look_up(user: User, waybill: str) -> MailItem | None:
    """Any item by its whole number, for who may: an agent with a caller on the line. It is
    noted; an item names nobody."""
    if not may(user, "item.lookup"):
        return None
    row = ROWS.filter(waybill=waybill).first()
    if row is not None:
        audit.record(user, "item.looked_up", row, office=row.office)
    return row


def standard_of(row: MailItem) -> DeliveryStandard | None:
    """What held for it when it was accepted. One query."""
    is_local = row.from_region and row.from_region == row.to_region
    relation = row.relation or ("same_city" if is_local else "")
    for first, last, rule in spans(
        DeliveryStandard.objects.all(), row.product, relation
    ):
        if first <= row.accepted_on <= last:
            return rule
    return None


def words(row: MailItem) -> list[tuple[str, bool]]:
    """How it counts, in words: (what is counted, whether it is in)."""
    marks = Mark(row.marks)
    found = []
    for name in SAID:
        label, there, _absent = WHICH[name]
        found.append((str(label), there in marks))
    if Mark.SCANNED not in marks:
        found.append((_("A scan is missing"), True))
    if Mark.WANTED in marks:
        found.append((_("Requirement met"), Mark.WANTED_MET in marks))
    return found


@dataclass(frozen=True)
class ProductLine:
    """Items of one customer and product within the last weeks (R-DLV-08)."""

    product: str
    items: int
    on_time: Share
    late_open: int  # due, and still on their way
    days: float | None


def of_customer(customer: Customer, today: date | None = None) -> list[ProductLine]:
    """By product, of the last 90 days. One query, by the customer's index."""
    today = today or localdate()
    since = today - timedelta(days=PANEL_DAYS)
    rows = MailItem.objects.filter(
        customer__in=member_ids(customer),
        accepted_on__gt=since,
        flaw="",
        disturbance_id=None,
    ).annotate(
        in_time=F("marks").bitand(int(Mark.ON_TIME)),
        is_done=F("marks").bitand(int(Mark.DELIVERED | Mark.RETURNED)),
        is_delivered=F("marks").bitand(int(Mark.DELIVERED)),
    )
    over = Q(due_at__lt=now()) | Q(is_delivered__gt=0)  # it is known which
    counted = rows.order_by("product").values("product")
    sums: Any = counted.annotate(
        items=Count("waybill"),
        known=Count("waybill", filter=over),
        good=Count("waybill", filter=Q(in_time__gt=0)),
        open=Count("waybill", filter=Q(due_at__lt=now(), is_done=0)),
        mean=Avg("days"),
    )
    return [
        ProductLine(
            row["product"],
            row["items"],
            Share(row["good"], row["known"]),
            row["open"],
            row["mean"],
        )
        for row in sums
    ]
