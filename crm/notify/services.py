"""queue_message() and tell(): news goes into the outbox in the caller's transaction."""

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext, override

from crm.audit import services as audit
from crm.errors import Refused
from crm.fields import blind_index
from crm.jobs.services import enqueue
from crm.notify.events import CHANNELS, DIGEST, EMAIL, EVENTS, IN_APP, SMS, USUAL
from crm.notify.models import Message, Preference

HOUSE_LANGUAGE = "zh-hans"  # of who has chosen none


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
    is_held: bool = False,
) -> Message:
    """Put one message into the outbox; with a `key`, the same news is queued once.

    An in-app message is delivered by being written; the others wait for a worker, and
    those that are held for the day's digest.
    """
    at = now()
    is_in_app = channel == Message.Channel.IN_APP
    state = Message.State.SENT if is_in_app else Message.State.PENDING
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
        "state": Message.State.HELD if is_held else state,
        "sent_at": at if is_in_app else None,
    }
    if key is None:
        message, created = Message.objects.create(**fields), True
    else:
        message, created = Message.objects.get_or_create(key=key, defaults=fields)
    if created and not is_in_app and not is_held:
        enqueue("notify.deliver")
    return message


def channels_of(user: Any, event: str) -> Collection[str]:
    """How `user` wants to be told of `event`. One query, once per instance."""
    if not hasattr(user, "_preferences"):
        rows = user.preferences.values_list("event", "channels")
        user._preferences = {name: frozenset(wanted) for name, wanted in rows}
    wanted = user._preferences.get(event, USUAL)
    return wanted | USUAL if EVENTS[event].is_fixed else wanted


@transaction.atomic
def tell(
    user: Any,
    event: str,
    *,
    subject: str,
    key: str,
    body: str = "",
    url: str = "",
    is_public: bool = False,
) -> None:
    """Tell one person of an event, once for each `key`, in every way they have chosen.

    `subject` is an English message id (gettext_noop) or a sentence: in the application
    it is translated when it is read, elsewhere into the reader's language now. Mail and
    SMS leave the house: they carry the body only if it `is_public`, such as the number of
    a work order.
    """
    if not user.is_active:
        return
    ways = channels_of(user, event)
    if IN_APP in ways:
        facts: dict[str, Any] = {
            "subject": subject,
            "body": body,
            "url": url,
            "key": key,
        }
        queue_message(IN_APP, to_user=user, **facts)
    with override(user.language or HOUSE_LANGUAGE):
        said = gettext(subject)
    link = settings.PUBLIC_URL + url if url else ""
    outside = body if is_public else ""
    whole = "\n".join(part for part in (outside, link) if part)
    if user.email and EMAIL in ways:
        facts = {"subject": said, "body": whole, "to_address": user.email}
        queue_message(EMAIL, key=f"{key}:e"[:120], **facts)
    elif user.email and DIGEST in ways:
        facts = {"subject": said, "body": whole, "to_address": user.email}
        queue_message(EMAIL, to_user=user, key=f"{key}:d"[:120], is_held=True, **facts)
    if user.mobile and SMS in ways:
        facts = {
            "subject": said,
            "body": f"{said} {outside}".strip(),
            "to_address": user.mobile,
        }
        queue_message(SMS, key=f"{key}:s"[:120], **facts)


@transaction.atomic
def choose(user: Any, wanted: dict[str, list[str]]) -> None:
    """Keep how `user` wants to be told of each event.

    Refused: "channel.email", "channel.mobile" where the address is missing.
    """
    asked = {channel for channels in wanted.values() for channel in channels}
    if asked & {EMAIL, DIGEST} and not user.email:
        raise Refused(
            "channel.email", gettext("Your e-mail address is missing in your profile.")
        )
    if SMS in asked and not user.mobile:
        raise Refused(
            "channel.mobile", gettext("Your mobile number is missing in your profile.")
        )
    for event in EVENTS:
        channels = [name for name in CHANNELS if name in wanted.get(event, [])]
        Preference.objects.update_or_create(
            user=user, event=event, defaults={"channels": channels}
        )
    audit.record(user, "user.told_how", user)
