"""Short messages to many customers at once, each number and each key once."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import QuerySet
from django.utils.timezone import now

from crm import text
from crm.jobs.services import enqueue
from crm.notify.models import Message
from customers.models import Customer, CustomerPhone


def mobiles_of(customers: QuerySet[Customer]) -> list[CustomerPhone]:
    """The primary mobiles that may be written to, one for each number. One query."""
    phones = CustomerPhone.objects.filter(
        customer__in=customers.order_by().values("pk"),
        is_primary=True,
        is_invalid=False,
        opted_out=False,
    )
    by_number: dict[bytes, CustomerPhone] = {}
    for phone in phones.order_by("pk"):
        by_number.setdefault(bytes(phone.number_index), phone)
    return [phone for phone in by_number.values() if text.is_mobile(phone.number)]


def send(
    phones: Iterable[CustomerPhone],
    *,
    purpose: str,
    subject: str,
    body: str,
    key: str,
    at: datetime,
) -> int:
    """Queue one message for each phone's customer; how many are new. `key` names the
    occasion: a second time nothing is sent. What is suppressed stops at the last gate."""
    kept = Message.objects.filter(key__startswith=f"{key}:")
    before = kept.count()
    Message.objects.bulk_create(
        [
            Message(
                channel=Message.Channel.SMS,
                purpose=purpose,
                to_address=phone.number,
                contact_index=phone.number_index,
                subject=subject,
                body=body,
                key=f"{key}:{phone.customer_id}",
                due_at=max(at, now()),
            )
            for phone in phones
        ],
        ignore_conflicts=True,
        batch_size=1000,
    )
    sent = kept.count() - before
    if sent:
        enqueue("notify.deliver", due_at=max(at, now()))
    return sent
