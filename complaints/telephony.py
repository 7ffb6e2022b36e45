"""What exchanges tell us about calls: one event of ours, an adapter for each dialect.

The exchange posts to /hooks/telephony/<adapter>/ and signs the body: header X-Signature,
"sha256=" and the HMAC in hex under TELEPHONY_KEY.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware, now

NEAR = timedelta(days=1)  # an exchange reports what happens, not history


class NotUnderstood(ValueError):
    """The exchange's words make no event; the text says what is missing."""


@dataclass(frozen=True)
class Event:
    """A call rings, is answered or has ended."""

    kind: str
    call_id: str
    number: str  # who calls
    called: str  # which of our numbers
    extension: str  # which seat
    at: datetime

    RINGING, ANSWERED, ENDED = "ringing", "answered", "ended"


def generic(said: dict[str, Any]) -> Event:
    """Our own words: event, call_id, from, to, extension, at (ISO 8601, optional)."""
    kind = _word(said, "event")
    if kind not in (Event.RINGING, Event.ANSWERED, Event.ENDED):
        raise NotUnderstood("event: ringing, answered or ended")
    return Event(
        kind=kind,
        call_id=_word(said, "call_id"),
        number=_word(said, "from", needed=False),
        called=_word(said, "to", needed=False)[:20],
        extension=_word(said, "extension", needed=False),
        at=_moment(said.get("at")),
    )


ASTERISK = {
    "DialBegin": Event.RINGING,
    "BridgeEnter": Event.ANSWERED,
    "Hangup": Event.ENDED,
}


def asterisk(said: dict[str, Any]) -> Event:
    """Events of Asterisk's manager as JSON: DialBegin, BridgeEnter, Hangup."""
    kind = ASTERISK.get(_word(said, "Event"))
    if kind is None:
        raise NotUnderstood("Event: DialBegin, BridgeEnter or Hangup")
    return Event(
        kind=kind,
        call_id=_word(said, "Linkedid"),
        number=_word(said, "CallerIDNum", needed=False),
        called=_word(said, "Exten", needed=False)[:20],
        extension=_word(said, "DestExten", needed=False),
        at=_moment(said.get("Timestamp")),
    )


ADAPTERS: dict[str, Callable[[dict[str, Any]], Event]] = {
    "generic": generic,
    "asterisk": asterisk,
}


def is_signed(body: bytes, signature: str) -> bool:
    """Whether the exchange, and nobody else, sent `body`."""
    key = settings.TELEPHONY_KEY.encode()
    right = "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), signature.encode())


def _word(said: dict[str, Any], name: str, *, needed: bool = True) -> str:
    value = said.get(name, "")
    is_word = isinstance(value, str | int) and not isinstance(value, bool)
    if not is_word or len(str(value)) > 64 or "\0" in str(value):
        raise NotUnderstood(f"{name}: a short text")
    if needed and not str(value):
        raise NotUnderstood(f"{name}: missing")
    return str(value)


def _moment(value: Any) -> datetime:
    """The exchange's clock, or ours where it says nothing."""
    if value in (None, ""):
        return now()
    try:
        if isinstance(value, bool):
            raise ValueError
        if isinstance(value, int | float) or value.replace(".", "", 1).isdecimal():
            return datetime.fromtimestamp(float(value), UTC)
        found = parse_datetime(value)
    except (ValueError, AttributeError, OverflowError, OSError):
        found = None
    if found is None or not is_aware(found) or abs(found - now()) > NEAR:
        raise NotUnderstood("at: a moment of today with its zone")
    return found
