"""queue_message(): news goes into the outbox in the caller's transaction."""

from typing import Any

from django.db import transaction
from django.utils.timezone import now

from crm.fields import blind_index
from crm.jobs.services import enqueue
from crm.notify.models import Message


@transaction.atomic
def queue_message(
    channel: str,
    *,
    subject: str,
    body: str = "",
    url: str = "",
    to_user: Any = None,
    to_address: str = "",
    purpose: str = Message.Purpose.SERVICE,
    key: str | None = None,
) -> Message:
    """Put one message into the outbox; with a `key`, the same news is queued once.

    An in-app message is delivered by being written; the others wait for a worker.
    """
    at = now()
    is_in_app = channel == Message.Channel.IN_APP
    fields = {
        "channel": channel,
        "purpose": purpose,
        "to_user": to_user,
        "to_address": to_address,
        "contact_index": blind_index(to_address) if to_address else None,
        "subject": subject,
        "body": body,
        "url": url,
        "due_at": at,
        "state": Message.State.SENT if is_in_app else Message.State.PENDING,
        "sent_at": at if is_in_app else None,
    }
    if key is None:
        message, created = Message.objects.create(**fields), True
    else:
        message, created = Message.objects.get_or_create(key=key, defaults=fields)
    if created and not is_in_app:
        enqueue("notify.deliver")
    return message
