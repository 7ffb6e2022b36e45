"""What people do with complaints."""

import uuid
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.utils.timezone import localdate, localtime, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from complaints import clocks, routing
from complaints.kinds import NEEDS_FINDING
from complaints.models import (
    Attachment,
    Call,
    CaseTerms,
    Category,
    Claim,
    CoHandler,
    Complaint,
    ComplaintMove,
    CorrectiveAction,
    Extension,
    Outcome,
    QualityCheck,
)
from complaints.workflow import CLOSED, State, may_move
from crm import files, text
from crm.access.capabilities import may, require
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.audit import services as audit
from crm.errors import Refused
from crm.fields import blind_index
from crm.hooks.services import emit
from crm.notify.services import tell
from crm.org.models import Office
from crm.org.queries import calendar_of
from customers.alerts import raise_complaint
from customers.models import Customer
from customers.records import note_maybe_phone
from customers.services import add_timeline_entry, limit
from delivery import surveys

SURVEYED_AS = "complaints"  # as surveys name us
AT_ONCE = 3  # what ranks so high is told at once, not found in the list
ARRIVED = gettext_noop("A new work order for you")  # translated when they are read
REMINDED = gettext_noop("The customer asks again")


def next_ref() -> str:
    """C-yyyymmdd-nnnnnn, from a sequence: unique and rising, gaps are possible."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('complaints_ref')")
        return f"C-{localtime():%Y%m%d}-{cursor.fetchone()[0] % 1_000_000:06d}"


def _sent_before(token: uuid.UUID, by: User) -> Complaint | None:
    """RACE: two clicks of one form take turns; the second finds what the first made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [str(token)])
    sent_before = Complaint.objects.filter(token=token).first()
    if sent_before and sent_before.created_by_id != by.pk:
        raise Refused(
            "complaint.token", _("This form was sent by somebody else: open a new one.")
        )
    return sent_before


def drafted(
    office: Office,
    customer: Customer | None,
    *,
    subcategory: Category | None = None,
    **facts: Any,
) -> Complaint:
    """The work order as it would be saved: where it goes (routing.py), what it brings."""
    if subcategory:
        facts["category"] = subcategory.group
        facts["severity"] = facts.get("severity") or subcategory.severity
    complaint = Complaint(
        customer=customer,
        office=office,
        subcategory=subcategory,
        **facts,
    )
    way = routing.route(complaint)
    complaint.handling_office, complaint.routed_by = way.office, way.rule
    complaint.desk, complaint.owner = way.desk, way.owner
    complaint.is_fast_lane = way.is_fast_lane
    complaint.rank = complaint.rank_now()
    complaint.needs_finding = complaint.kind in NEEDS_FINDING
    return complaint


@transaction.atomic
def create_complaint(
    *,
    by: User,
    office: Office,
    description: str,
    caller_phone: str,
    customer: Customer | None = None,
    token: uuid.UUID | None = None,
    **facts: Any,
) -> Complaint:
    """Log a work order and start its clocks. The same form sent twice gives one.

    `facts` are further columns: kind, category, subcategory, channel, item_no, demand,
    caller_name, party, mood, scope, severity, is_forwarded, is_violation. A subcategory
    brings its class and severity.
    """
    require(by, "complaint.create", office)
    token = token or uuid.uuid4()
    if sent_before := _sent_before(token, by):
        return sent_before
    number = text.normalise_phone(caller_phone)
    complaint = drafted(office, customer, **facts)
    complaint.ref, complaint.token = next_ref(), token
    complaint.caller_phone = number
    complaint.caller_index = blind_index(number) if number else None
    complaint.created_by, complaint.opened_at = by, now()
    complaint.text = description
    clocks.start(complaint, calendar_of(complaint.handling_office))
    note_move(complaint, by, "", State.NEW, complaint.opened_at)
    write_timeline(complaint)
    if customer:
        note_maybe_phone(customer, complaint.caller_phone)
    if complaint.owner or complaint.rank <= AT_ONCE:
        tell_handlers(complaint, ARRIVED, f"new:{complaint.pk}")
    details = {
        "kind": complaint.kind,
        "category": complaint.category,
        "customer": customer.pk if customer else None,
    }
    audit.record(by, "complaint.created", complaint, office=office, details=details)
    announce(complaint, "order.created")
    return complaint


def announce(complaint: Complaint, event: str) -> None:
    """Tell the systems that want to hear of it. One query when none does."""
    times = ("opened_at", "due_at", "legal_due_at")
    data = {name: getattr(complaint, name) for name in times}
    data = {name: at.isoformat() if at else None for name, at in data.items()}
    names = ("ref", "kind", "category", "state", "severity", "channel", "version")
    data |= {name: getattr(complaint, name) for name in names}
    data["office"] = complaint.office.code
    data["handling_office"] = complaint.handling_office.code
    emit(event, [complaint.office, complaint.handling_office], data)


def note_move(
    complaint: Complaint,
    by: User | None,
    before: str,
    after: str,
    at: datetime,
    note: str = "",
    what: str = ComplaintMove.What.MOVED,
) -> None:
    ComplaintMove.objects.create(
        complaint=complaint,
        what=what,
        at=at,
        by=by,
        before=before,
        after=after,
        office=complaint.handling_office,
        note=note,
    )


def move(
    complaint: Complaint,
    *,
    by: User | None,
    after: str,
    note: str,
    what: str = ComplaintMove.What.MOVED,
    **columns: Any,
) -> Complaint:
    """Lead a work order that `locked` gave to its next state; `columns` change with it.
    Rights and what the step asks for are the caller's (handling.py, closing.py).

    Refused("complaint.moved_already") when the step is not open from where it stands:
    somebody else was first, or the page was old.
    """
    before, at = complaint.state, now()
    if not may_move(before, after):
        message = _(
            "The complaint is now “%(state)s”; this step is not open from there."
        )
        raise Refused(
            "complaint.moved_already",
            message % {"state": complaint.get_state_display()},
        )
    for name, value in columns.items():
        setattr(complaint, name, value)
    complaint.state = after
    complaint.closed_at = at if after in CLOSED else None
    complaint.rounds += after == State.REOPENED
    complaint.version += 1
    clocks.moved(complaint, before, after, at)
    if "handling_office" in columns:  # another office, other working hours
        clocks.count_anew(complaint, calendar_of(complaint.handling_office))
    changed = ["state", "closed_at", "rounds", "version", *clocks.COLUMNS, *columns]
    complaint.save(update_fields=changed)
    if after == State.REOPENED:  # the next round is asked about anew
        surveys.close(SURVEYED_AS, complaint.ref)
    note_move(complaint, by, before, after, at, note, what)
    write_timeline(complaint)
    if after == State.REOPENED and complaint.customer is not None:
        url = complaint.get_absolute_url()
        raise_complaint(complaint.customer, complaint.ref, url)
    details = {"from": before, "to": after}
    audit.record(
        by, "complaint.moved", complaint, office=complaint.office, details=details
    )
    announce(complaint, "order.moved")
    return complaint


@transaction.atomic
def nudge(complaint: Complaint, *, by: User, note: str) -> Complaint:
    """The customer asks again (催办): counted, told to who handles it, and every second
    time the work order comes further forward. Refused("complaint.closed")."""
    require(by, "complaint.nudge")
    complaint = locked(complaint)
    if not complaint.is_open:
        raise Refused("complaint.closed", _("This work order is closed: reopen it."))
    complaint.nudges += 1
    complaint.version += 1
    complaint.rank = complaint.rank_now()
    complaint.save(update_fields=["nudges", "version", "rank"])
    what = ComplaintMove.What.NUDGED
    note_move(complaint, by, complaint.state, complaint.state, now(), note, what)
    key = f"nudge:{complaint.pk}:{complaint.nudges}"
    tell_handlers(complaint, REMINDED, key, "order.asked")
    audit.record(by, "complaint.nudged", complaint, office=complaint.office)
    announce(complaint, "order.reminded")
    return complaint


def people_of(complaint: Complaint) -> list[User]:
    """Who is responsible: its owner, else the handlers of its office, else its
    supervisors."""
    if complaint.owner and complaint.owner.is_active:
        return [complaint.owner]
    posted = Posting.objects.in_force(localdate()).select_related("user")
    here = list(posted.filter(office=complaint.handling_office))
    for role in (Role.HANDLER, Role.SUPERVISOR):
        if found := [posting.user for posting in here if posting.role == role]:
            return found
    return []


def tell_handlers(
    complaint: Complaint, subject: str, key: str, event: str = "order.came"
) -> None:
    """News of a work order for whoever is responsible."""
    for user in people_of(complaint):
        tell(
            user,
            event,
            subject=subject,
            body=complaint.ref,
            url=complaint.get_absolute_url(),
            key=f"{key}:{user.pk}",
            is_public=True,
        )


def locked(complaint: Complaint) -> Complaint:
    """The work order as it is now, nobody else changing it until this transaction ends."""
    rows = Complaint.objects.select_for_update(of=("self",))
    related = rows.select_related("office", "handling_office", "customer", "owner")
    return related.get(pk=complaint.pk)


REVEALS_PER_HOUR = 60  # a handler calls back no faster


@transaction.atomic
def reveal_caller(complaint: Complaint, *, by: User) -> str:
    """The caller's number for a call back, in the trail before it is shown.

    Refused("lookup.too_many") after 60 in an hour.
    """
    complaint = locked(complaint)
    require_over(by, "complaint.move", complaint)
    limit(by, "complaint.revealed", REVEALS_PER_HOUR, "lookup.too_many")
    audit.record(by, "complaint.revealed", complaint, office=complaint.office)
    return complaint.caller_phone


def may_over(user: User, capability: str, complaint: Complaint) -> bool:
    """The handling office acts; the office that took it in, until it is accepted, and
    its supervisors always; and members of the desk that has it."""
    if may(user, capability, complaint.handling_office):
        return True
    desk = complaint.desk_id and user.desks.filter(pk=complaint.desk_id)
    if desk and may(user, capability) and desk.exists():
        return True
    over = [p.office for p in user.posts("supervisor")]
    is_supervisor = any(office.contains(complaint.office) for office in over)
    may_take = complaint.state == State.NEW or is_supervisor
    return may_take and may(user, capability, complaint.office)


def require_over(by: User, capability: str, complaint: Complaint) -> None:
    if not may_over(by, capability, complaint):
        raise PermissionDenied(capability)


@transaction.atomic
def attach_file(
    complaint: Complaint, *, by: User, name: str, data: bytes
) -> Attachment:
    """Keep a file with a complaint; Refused("file.…") when it is not of a known kind."""
    if not may(by, "complaint.attach", complaint.handling_office):
        require(by, "complaint.attach", complaint.office)
    content_type, clean = files.inspect(data)
    attachment = Attachment(
        complaint=complaint,
        name=name[:120],
        content_type=content_type,
        size=len(clean),
        added_by=by,
    )
    attachment.path.parent.mkdir(parents=True, exist_ok=True)
    attachment.path.write_bytes(clean)
    attachment.save(force_insert=True)
    audit.record(by, "complaint.file_added", complaint, office=complaint.office)
    return attachment


def write_timeline(complaint: Complaint) -> None:
    if complaint.customer is None:
        return
    with override("en"):  # message ids, translated when they are shown
        is_complaint = complaint.kind == Complaint.Kind.COMPLAINT
        title = str(
            complaint.get_category_display()
            if is_complaint
            else complaint.get_kind_display()
        )
        state = str(complaint.get_state_display())
    add_timeline_entry(
        complaint.customer,
        kind="complaint",
        at=complaint.opened_at,
        ref=complaint.ref,
        title=title,
        source=f"complaint:{complaint.pk}",
        url=complaint.get_absolute_url(),
        state=state,
        is_open=complaint.is_open,
    )


def forget_customer(customer: Customer) -> None:
    """The customer is erased: numbers and states stay, words, callers and files go."""
    rows = Complaint.objects.filter(customer=customer)
    for attachment in Attachment.objects.filter(complaint__in=rows):
        attachment.path.unlink(missing_ok=True)
        attachment.delete()
    ComplaintMove.objects.filter(complaint__in=rows).update(note="")
    Outcome.objects.filter(complaint__in=rows).update(
        answer="", cause_note="", measure="—"
    )
    Extension.objects.filter(milestone__complaint__in=rows).update(reason="—")
    CoHandler.objects.filter(complaint__in=rows).update(request="—", reply="")
    CorrectiveAction.objects.filter(complaint__in=rows).update(
        what="—", done_note="", judged_note=""
    )
    QualityCheck.objects.filter(complaint__in=rows).update(
        note="", appeal="", ruling="", coaching=""
    )
    Claim.objects.filter(complaint__in=rows).update(reason="—", decision="")
    blank = {"number": "", "number_index": None, "looked_index": None, "draft": ""}
    Call.objects.filter(complaint__in=rows).update(**blank, looked_item=None)
    CaseTerms.objects.filter(complaint__in=rows).update(terms=[])
    rows.update(
        caller_name="",
        caller_phone="",
        caller_index=None,
        text="—",
        demand="",
        new_address="",
        item_no="",
    )
