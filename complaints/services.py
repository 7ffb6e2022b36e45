"""What people do with complaints."""

import uuid

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _
from django.utils.translation import override

from complaints import clocks, sla
from complaints.models import Attachment, Complaint, ComplaintMove
from complaints.workflow import CLOSED, State, may_move
from crm import files, text
from crm.access.capabilities import may, require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.org.models import Office
from crm.org.queries import calendar_of
from customers.alerts import raise_complaint
from customers.models import Customer
from customers.records import note_maybe_phone
from customers.services import add_timeline_entry


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


@transaction.atomic
def create_complaint(
    *,
    by: User,
    office: Office,
    category: str,
    description: str,
    caller_phone: str,
    customer: Customer | None = None,
    caller_name: str = "",
    channel: str = Complaint.Channel.HOTLINE,
    item_no: str = "",
    token: uuid.UUID | None = None,
) -> Complaint:
    """Log a complaint and start its clocks. The same form sent twice gives one complaint.

    The customer's own office handles it, or the office that took it in.
    """
    require(by, "complaint.create", office)
    token = token or uuid.uuid4()
    if sent_before := _sent_before(token, by):
        return sent_before
    opened = now()
    handling = customer.office if customer else office
    calendar = calendar_of(handling)
    due = sla.deadlines(calendar, opened)
    complaint = Complaint.objects.create(
        ref=next_ref(),
        token=token,
        customer=customer,
        caller_name=caller_name,
        caller_phone=text.normalise_phone(caller_phone),
        office=office,
        handling_office=handling,
        created_by=by,
        category=category,
        channel=channel,
        item_no=item_no,
        text=description,
        opened_at=opened,
        **due.columns(),
    )
    clocks.start(complaint, calendar)
    ComplaintMove.objects.create(complaint=complaint, at=opened, by=by, after=State.NEW)
    _write_timeline(complaint)
    if customer:
        note_maybe_phone(customer, complaint.caller_phone)
    details = {"category": category, "customer": customer.pk if customer else None}
    audit.record(by, "complaint.created", complaint, office=office, details=details)
    return complaint


@transaction.atomic
def move_complaint(
    complaint: Complaint, *, by: User, after: str, note: str
) -> Complaint:
    """Move a complaint to its next state, with a note.

    Refused("complaint.moved_already") when the move is not open from where it stands:
    somebody else was first, or the page was old.
    """
    locked = Complaint.objects.select_for_update(of=("self",)).select_related(
        "office", "handling_office", "customer"
    )
    complaint = locked.get(pk=complaint.pk)
    _require_over(by, "complaint.move", complaint)
    before = complaint.state
    if not may_move(before, after):
        message = _(
            "The complaint is now “%(state)s”; this step is not open from there."
        )
        raise Refused(
            "complaint.moved_already",
            message % {"state": complaint.get_state_display()},
        )
    complaint.state = after
    complaint.closed_at = now() if after in CLOSED else None
    complaint.save(update_fields=["state", "closed_at"])
    ComplaintMove.objects.create(
        complaint=complaint, at=now(), by=by, before=before, after=after, note=note
    )
    clocks.moved(complaint, before, after, now())
    _write_timeline(complaint)
    if after == State.REOPENED and complaint.customer is not None:
        url = complaint.get_absolute_url()
        raise_complaint(complaint.customer, complaint.ref, url)
    details = {"from": before, "to": after}
    audit.record(
        by, "complaint.moved", complaint, office=complaint.office, details=details
    )
    return complaint


def _require_over(by: User, capability: str, complaint: Complaint) -> None:
    """The handling office acts; the office that took it in, until it is accepted, and
    its supervisors always."""
    if may(by, capability, complaint.handling_office):
        return
    is_supervisor = any(
        p.office.contains(complaint.office) for p in by.posts("supervisor")
    )
    if complaint.state != State.NEW and not is_supervisor:
        raise PermissionDenied(capability)
    require(by, capability, complaint.office)


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


def _write_timeline(complaint: Complaint) -> None:
    if complaint.customer is None:
        return
    with override("en"):  # message ids, translated when they are shown
        title = str(complaint.get_category_display())
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
    rows.update(caller_name="", caller_phone="", text="—", item_no="")
