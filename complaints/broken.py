"""A key customer's item broke its promise: the work order opens before they call.

Asks delivery what broke (delivery.quality.risks); R-DLV-12, R-CMP-12.
"""

import uuid

from django.db import transaction
from django.utils.timezone import localdate, localtime
from django.utils.translation import gettext as _
from django.utils.translation import override

from complaints.kinds import Channel, Kind
from complaints.services import create_complaint
from crm.access.capabilities import may
from crm.access.models import Posting, Role, User
from crm.jobs.models import Job
from crm.notify.services import HOUSE_LANGUAGE
from delivery.models import ItemRisk, MailItem
from delivery.quality import risks

A_STEP = 20
NAMESPACE = uuid.UUID("6a3c2f9e-2f0b-4a60-9d2c-5f4f8b1f7d11")
NOBODY = "-"  # noted instead of a work order where nobody may open one


@transaction.atomic
def open_step(job: Job) -> bool:
    """Job: a work order for each broken promise, once; True when none is left."""
    rows = risks.broken_without_order(A_STEP)
    for row in rows:
        risks.ordered(row, _opened(row) or NOBODY)
    job.done_units += len(rows)
    return len(rows) < A_STEP


def _opened(row: ItemRisk) -> str:
    """The ref of its work order, opened in the name of who answers for the customer."""
    customer = row.customer
    by = _in_whose_name(row)
    if by is None:
        return ""
    with override(HOUSE_LANGUAGE):
        text = _words(row)
    phone = customer.phones.filter(is_primary=True).first()
    order = create_complaint(
        by=by,
        office=customer.office,
        description=text,
        caller_phone=phone.number if phone else "",
        customer=customer,
        token=uuid.uuid5(NAMESPACE, row.waybill),
        kind=Kind.DELIVERY_CHASE,
        channel=Channel.SYSTEM,
        item_no=row.waybill,
    )
    return order.ref


def _words(row: ItemRisk) -> str:
    # SECURITY: for the order of the item's own customer.
    item = MailItem.objects.filter(
        waybill=row.waybill, accepted_on=row.accepted_on
    ).first()
    facts = {"waybill": row.waybill, "why": row.get_why_display()}
    facts["due"] = f"{localtime(row.due_at):%Y-%m-%d %H:%M}"
    if item and item.delivered:
        facts["came"] = f"{localtime(item.delivered):%Y-%m-%d %H:%M}"
        return (
            _(
                "Opened by the system: item %(waybill)s of this key customer was due"
                " %(due)s and was delivered %(came)s. Tell the customer first."
            )
            % facts
        )
    return (
        _(
            "Opened by the system: item %(waybill)s of this key customer was due"
            " %(due)s and has not been delivered. %(why)s. Tell the customer first."
        )
        % facts
    )


def _in_whose_name(row: ItemRisk) -> User | None:
    """The customer's manager, else the nearest supervisor."""
    customer = row.customer
    manager = customer.manager
    if (
        manager
        and manager.is_active
        and may(manager, "complaint.create", customer.office)
    ):
        return manager
    posted = Posting.objects.in_force(localdate()).filter(
        role=Role.SUPERVISOR, user__is_active=True
    )
    above = [
        posting
        for posting in posted.select_related("user", "office")
        if posting.office.contains(customer.office)
    ]
    nearest = max(above, key=lambda posting: posting.office.depth, default=None)
    return nearest.user if nearest else None
