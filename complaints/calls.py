"""Calls: ringing at a seat, the form that one opens, its draft, how it was wrapped up.

Source: issue "Complaints", point 1; anchors.md 2.2 and 5.1. The number of a caller goes
into a row, sealed, and never into an address that is kept.
"""

import json
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext as _

from complaints.kinds import Kind
from complaints.models import Call, Complaint, Seat
from complaints.services import nudge
from complaints.telephony import Event
from crm import text
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.fields import blind_index
from crm.jobs.models import Job
from crm.org.models import Office
from customers.models import Customer
from customers.services import LOOKUPS_PER_HOUR, limit

DRAFT_CHARS = 20_000
RINGS_FOR = timedelta(minutes=10)  # a call that nobody opened is shown no longer
KEPT_DAYS = 30  # a draft that nobody went on with
GUESSED = {
    Kind.CONSULTATION: Call.WrapUp.SOLVED,
    Kind.COMMENDATION: Call.WrapUp.SOLVED,
    Kind.ENQUIRY: Call.WrapUp.INFORMED,
}


def _sealed_number(number: str) -> dict[str, Any]:
    normal = text.normalise_phone(number)
    return {"number": normal, "number_index": blind_index(normal) if normal else None}


@transaction.atomic
def take_seat(*, by: User, extension: str) -> Seat:
    """Calls of an extension ring at `by`'s screen from now on, and nobody else's."""
    require(by, "complaint.create")
    with connection.cursor() as cursor:  # RACE: two people at one desk take turns
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('complaints.seat'))")
    Seat.objects.filter(extension=extension).exclude(user=by).delete()
    facts = {"extension": extension, "state": Seat.State.READY, "since": now()}
    seat, _made = Seat.objects.update_or_create(user=by, defaults=facts)
    audit.record(by, "seat.taken", details={"extension": extension})
    return seat


@transaction.atomic
def leave_seat(*, by: User) -> None:
    """Nothing rings at `by`'s screen any more."""
    Seat.objects.filter(user=by).delete()
    audit.record(by, "seat.left")


def set_state(user: User, state: str) -> None:
    """Ready, talking, wrap-up or break; nothing where `user` has no seat."""
    Seat.objects.filter(user=user).exclude(state=state).update(state=state, since=now())


@transaction.atomic
def note_event(event: Event) -> Call:
    """What the exchange says: a call rings, is answered, has ended. The same news twice
    changes nothing; news may come out of order. The ringing seat's agent gets it."""
    facts = {
        "called": event.called,
        "rang_at": event.at,
        **_sealed_number(event.number),
    }
    call, _made = Call.objects.select_for_update().get_or_create(
        call_id=event.call_id, defaults=facts
    )
    seat = Seat.objects.filter(extension=event.extension).select_related("user").first()
    if seat and call.user_id is None:
        call.user = seat.user
    if event.kind == Event.ANSWERED and call.answered_at is None:
        call.answered_at = event.at
        if seat and call.opened_at is None:  # a colleague picked it up
            call.user = seat.user
        if seat:
            set_state(seat.user, Seat.State.TALKING)
    if event.kind == Event.ENDED and call.ended_at is None:
        call.ended_at = event.at
        if call.user and call.answered_at:
            set_state(call.user, Seat.State.WRAP_UP)
    call.save(update_fields=["user", "answered_at", "ended_at"])
    return call


def ringing(user: User) -> QuerySet[Call]:
    """Calls at `user`'s seat whose form is not open yet, the oldest first."""
    at = now()
    fresh = Q(rang_at__gte=at - RINGS_FOR, ended_at=None)
    return Call.objects.of(user).filter(fresh, opened_at=None, done_at=None)


@transaction.atomic
def open_call(
    *, by: User, office: Office, number: str = "", called: str = "", call_id: str = ""
) -> Call:
    """The form for a call: the one that rang, or a new one. An agent who opens a form
    without a number gets the empty one they have, if any.

    Refused("call.taken") when it rings at somebody else's seat.
    """
    require(by, "complaint.create", office)
    if call_id:
        facts = {"called": called, "rang_at": now(), **_sealed_number(number)}
        rows = Call.objects.select_for_update(of=("self",))
        call, _made = rows.get_or_create(call_id=call_id, defaults=facts)
        if call.user_id not in (None, by.pk):
            raise Refused("call.taken", _("Somebody else has taken this call."))
    else:
        empty = Call.objects.of(by).drafts().filter(draft="", number_index=None)
        found = None if number else empty.order_by("-opened_at").first()
        call = found or Call(called=called, rang_at=now(), **_sealed_number(number))
    call.user, call.office = by, office
    is_new = call.opened_at is None
    call.opened_at = call.opened_at or now()
    call.save()
    if is_new:
        audit.record(by, "call.opened", call, office=office)
    return call


def keep_draft(call: Call, typed: dict[str, str]) -> None:
    """Keep what has been typed so far. Refused("call.too_long") beyond 20,000 signs."""
    draft = json.dumps(typed, ensure_ascii=False) if any(typed.values()) else ""
    if len(draft) > DRAFT_CHARS:
        raise Refused("call.too_long", _("This is too long to be kept as a draft."))
    if draft != call.draft:  # RACE: a late request writes nothing onto a finished call
        call.draft, call.saved_at = draft, now()
        unfinished = Call.objects.filter(pk=call.pk, done_at=None)
        unfinished.update(draft=draft, saved_at=call.saved_at)


def drafted(call: Call) -> dict[str, str]:
    """What was typed, or what the call itself tells."""
    return json.loads(call.draft) if call.draft else {}


def guess(call: Call) -> str:
    """The wrap-up that the work order suggests."""
    if call.complaint is None:
        return Call.WrapUp.SOLVED
    return GUESSED.get(Kind(call.complaint.kind), Call.WrapUp.LOGGED)


@transaction.atomic
def finish(
    call: Call, *, by: User, wrap_up: str, complaint: Complaint | None = None
) -> None:
    """The call is done: what was typed is forgotten, the agent is ready. Twice is once."""
    call = Call.objects.select_for_update(of=("self",)).get(pk=call.pk, user=by)
    if call.done_at is None:
        call.done_at, call.wrap_up, call.draft = now(), wrap_up, ""
        call.complaint = complaint or call.complaint
        call.save(update_fields=["done_at", "wrap_up", "draft", "complaint"])
        details = {"wrap_up": wrap_up, "call": call.call_id or ""}
        audit.record(by, "call.done", call.complaint or call, details=details)
    set_state(by, Seat.State.READY)


@transaction.atomic
def remind(call: Call, complaint: Complaint, *, by: User, note: str) -> None:
    """A reminder instead of a second work order: one a call, however often it is sent."""
    call = Call.objects.select_for_update(of=("self",)).get(pk=call.pk, user=by)
    if call.done_at is None:
        nudge(complaint, by=by, note=note)
        finish(call, by=by, wrap_up=Call.WrapUp.REMINDED, complaint=complaint)


@transaction.atomic
def look_item(call: Call, item_no: str, *, by: User) -> None:
    """Asking what is open for an item is counted and in the trail, once a call.

    Refused("lookup.too_many") after 120 in an hour.
    """
    index = blind_index(item_no)
    if call.looked_item is None or bytes(call.looked_item) != index:
        limit(by, "item.looked_up", LOOKUPS_PER_HOUR, "lookup.too_many")
        audit.record(by, "item.looked_up", call)
        call.looked_item = index
        call.save(update_fields=["looked_item"])


def open_work(
    call_number: str, customer: Customer | None, item_no: str
) -> QuerySet[Complaint]:
    """Open work orders of the same caller, customer or item, the most urgent first.

    SECURITY: of any bureau: who knows the whole number or item may know that it is open.
    """
    same = Q(pk__in=[])
    if normal := text.normalise_phone(call_number):
        same |= Q(caller_index=blind_index(normal))
    if customer:
        same |= Q(customer=customer)
    if item_no:
        same |= Q(item_no=item_no)
    rows = Complaint.objects.open().filter(same)
    return rows.select_related("handling_office", "subcategory").order_by("due_at")


def forget_step(job: Job) -> bool:
    """Job: drafts that nobody went on with for a month are forgotten, numbers of calls of
    which nothing came too."""
    old = now() - timedelta(days=KEPT_DAYS)
    stale = Call.objects.filter(done_at=None, rang_at__lt=old)
    job.done_units += stale.update(draft="", done_at=now(), wrap_up=Call.WrapUp.SILENT)
    over = Call.objects.exclude(done_at=None).exclude(draft="")
    over.update(draft="")
    bare = Call.objects.filter(complaint=None, done_at__lt=old).exclude(number="")
    job.done_units += bare.update(number="", number_index=None, looked_index=None)
    return True
