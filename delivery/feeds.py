"""The calendar that a phone or a desktop program subscribes to: one per person, by a token.

Appointments have a time, other visits are whole days; what is dropped or moved is simply
not there any more at the next reading. SECURITY: the address is the key: kept as a digest,
replaced or revoked at once, worth nothing once its owner may not log visits any more.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from icalendar import Calendar, Event

from crm.access.capabilities import may, require
from crm.access.models import User
from crm.audit import services as audit
from delivery.models import CalendarFeed, Visit
from delivery.visit_words import due_because

BACK, AHEAD = timedelta(days=31), timedelta(days=120)
ZONE = ZoneInfo("Asia/Shanghai")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


@transaction.atomic
def make(*, by: User) -> str:
    """A new address for one's calendar; the one before ends. It is shown once."""
    require(by, "visit.log")
    token = secrets.token_urlsafe(24)
    facts = {"digest": _digest(token), "made_at": now(), "read_at": None}
    CalendarFeed.objects.update_or_create(user=by, defaults=facts)
    audit.record(by, "visit.feed_made", by)
    return settings.PUBLIC_URL + reverse("delivery:ics", args=[token])


@transaction.atomic
def revoke(*, by: User) -> None:
    if CalendarFeed.objects.filter(user=by).delete()[0]:
        audit.record(by, "visit.feed_revoked", by)


def reader_of(token: str) -> User | None:
    """Whose calendar a token opens; None when it does not, or not any more."""
    feed = CalendarFeed.objects.filter(digest=_digest(token)).select_related("user")
    row = feed.first()
    if row is None or not may(row.user, "visit.log"):
        return None
    CalendarFeed.objects.filter(pk=row.pk).update(read_at=now())
    return row.user


def calendar_of(user: User) -> bytes:
    """The person's planned visits as iCalendar (RFC 5545). Two queries."""
    calendar = Calendar()
    calendar.add("prodid", "-//Postal CRM//Visits//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", _("Visits of %(who)s") % {"who": user})
    calendar.add(
        "refresh-interval", timedelta(minutes=30), parameters={"value": "DURATION"}
    )
    today = localdate()
    rows = Visit.objects.running().filter(
        visitor=user, day__range=(today - BACK, today + AHEAD)
    )
    for visit in rows.for_list().order_by("day", "at", "pk"):
        calendar.add_component(_event(visit, user))
    calendar.add_missing_timezones()
    return calendar.to_ical()


def _event(visit: Visit, user: User) -> Event:
    event = Event()
    event.add("uid", f"visit-{visit.pk}@postal-crm")
    event.add("dtstamp", visit.made_at)
    name = visit.customer.name_for(user)
    event.add("summary", f"{visit.get_type_display()} · {name}")
    event.add("description", due_because(visit))
    event.add("url", settings.PUBLIC_URL + visit.get_absolute_url())
    if visit.day is None:
        raise ValueError("a visit without a day is no event")
    if visit.at is None:
        event.add("dtstart", visit.day)
        event.add("dtend", visit.day + timedelta(days=1))
        event.add("transp", "TRANSPARENT")
    else:
        begins = datetime.combine(visit.day, visit.at, ZONE)
        event.add("dtstart", begins)
        event.add("dtend", begins + timedelta(minutes=visit.minutes))
    return event
