"""Delivering the outbox: one message a step, at least once, suppressed at the last gate."""

import logging
from datetime import datetime, timedelta

from django.db.models import Min
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_noop, override

from crm.notify import channels
from crm.notify.models import Message, Suppression
from crm.notify.services import HOUSE_LANGUAGE, queue_message

MAX_ATTEMPTS = 5
# How many messages of a purpose one contact gets in so many days, whoever sends them.
CAPS = {Message.Purpose.MARKETING: ((7, 2), (90, 8))}
logger = logging.getLogger(__name__)


def is_suppressed(message: Message) -> bool:
    """Whether this contact gets no such message: it was stopped, or the cap is reached."""
    if message.contact_index is None:
        return False
    rows = Suppression.objects.filter(
        contact_index=message.contact_index, purpose=message.purpose
    )
    return rows.exists() or _is_capped(message)


def _is_capped(message: Message) -> bool:
    had = Message.objects.filter(
        contact_index=message.contact_index,
        purpose=message.purpose,
        state=Message.State.SENT,
    )
    return any(
        had.filter(sent_at__gt=now() - timedelta(days=days)).count() >= most
        for days, most in CAPS.get(Message.Purpose(message.purpose), ())
    )


def deliver_step(job) -> bool:
    """Job: send the oldest waiting message; return True when none is left.

    RACE: the row is locked and skipped by others; a crash after the send and before the
    commit sends it again, never not at all.
    """
    at = now()
    waiting = Message.objects.select_for_update(skip_locked=True).pending(at)
    message = waiting.order_by("due_at", "pk").first()
    if message is None:
        return True
    if is_suppressed(message):
        message.state = Message.State.SUPPRESSED
    else:
        _try_to_send(message, at)
    message.save(update_fields=["state", "sent_at", "attempts", "due_at"])
    return False


def _try_to_send(message: Message, at: datetime) -> None:
    try:
        channels.send(message)
    except Exception as error:  # noqa: BLE001 - a channel may fail in any way
        message.attempts += 1
        message.due_at = at + timedelta(seconds=30 * 2**message.attempts)
        logger.warning("%s not sent: %s", message, type(error).__name__)
        if message.attempts >= MAX_ATTEMPTS:
            message.state = Message.State.FAILED
    else:
        message.state, message.sent_at = Message.State.SENT, at


def oldest_waiting() -> datetime | None:
    return Message.objects.pending(now()).aggregate(oldest=Min("due_at"))["oldest"]


DIGEST_LINES = 100
DIGEST = gettext_noop("Your news of the day: %(n)s")


def digest_step(job) -> bool:
    """Job, each morning: what is held for one person becomes one e-mail.

    RACE: rows are locked; what comes meanwhile waits for tomorrow.
    """
    held = Message.objects.select_for_update(skip_locked=True, of=("self",))
    held = held.filter(state=Message.State.HELD).order_by("pk")
    first = held.select_related("to_user").first()
    if first is None or first.to_user is None:
        return True
    mine = list(held.filter(to_user=first.to_user))
    if not first.to_user.is_active:
        _finish(mine, Message.State.SUPPRESSED)
        return False
    lines = [f"· {row.subject}\n{row.body}" for row in mine[:DIGEST_LINES]]
    if len(mine) > DIGEST_LINES:
        lines.append(f"+ {len(mine) - DIGEST_LINES}")
    with override(first.to_user.language or HOUSE_LANGUAGE):
        subject = gettext(DIGEST) % {"n": len(mine)}
    queue_message(
        Message.Channel.EMAIL,
        subject=subject,
        body="\n\n".join(lines),
        to_address=first.to_user.email or first.to_address,
    )
    _finish(mine, Message.State.SENT)
    job.done_units += len(mine)
    return False


def _finish(rows: list[Message], state: str) -> None:
    done = Message.objects.filter(pk__in=[row.pk for row in rows])
    done.update(state=state, sent_at=now())
