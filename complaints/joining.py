"""Duplicates merged and unmerged, parts split off, many work orders under one incident."""

import uuid
from typing import Any

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from complaints import clocks
from complaints.handling import begun
from complaints.models import Complaint, ComplaintMove, Joining
from complaints.services import (
    create_complaint,
    locked,
    move,
    note_move,
    write_timeline,
)
from complaints.workflow import State
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.org.queries import calendar_of

JOINED = ComplaintMove.What.JOINED


def _other(ref: str, by: User, complaint: Complaint) -> Complaint:
    """The other work order by its number, among those that `by` sees."""
    found = Complaint.objects.visible_to(by).filter(ref=ref).first()
    if found is None:
        raise Refused("join.unknown", _("No work order of yours has this number."))
    if found.pk == complaint.pk:
        raise Refused("join.itself", _("This is the same work order."))
    return found


@transaction.atomic
def merge(
    complaint: Complaint, *, by: User, into: str, note: str, sure: bool = False
) -> Complaint:
    """It is a duplicate of `into`, which stays and counts one more reminder; work orders
    under it go along. Where caller, customer and item all differ, `by` must be `sure`.
    Returns the survivor. Refused: "join.…".

    RACE: both are locked in the order of their numbers.
    """
    other = _other(into, by, complaint)
    for pk in sorted((complaint.pk, other.pk)):
        locked(Complaint(pk=pk))
    complaint, survivor = begun(complaint, "merge", by), locked(other)
    if not survivor.is_open:
        raise Refused("join.closed", _("The other work order is closed."))
    if complaint.joined.filter(undone_at=None).exists():
        message = _("It has duplicates of its own: merge the other one into it.")
        raise Refused("join.chain", message)
    if not sure and not _alike(complaint, survivor):
        message = _("Caller, customer and item differ. Tick that they belong together.")
        raise Refused("join.differ", message)
    if survivor.parent_id == complaint.pk:
        raise Refused("join.child", _("The other one stands under it."))
    children = list(complaint.children.values_list("pk", flat=True))
    if children and survivor.parent_id:
        raise Refused("join.levels", _("An incident cannot stand under another one."))
    Complaint.objects.filter(pk__in=children).update(parent=survivor)
    Joining.objects.create(
        survivor=survivor,
        merged=complaint,
        before=complaint.state,
        moved_children=children,
        at=now(),
        by=by,
    )
    move(
        complaint,
        by=by,
        after=State.MERGED,
        note=f"→ {survivor.ref} {note}",
        what=JOINED,
        merged_into=survivor,
    )
    survivor.nudges += 1 + complaint.nudges
    _joined(survivor, by, f"← {complaint.ref} {note}", "nudges")
    return survivor


def _alike(one: Complaint, other: Complaint) -> bool:
    """Whether caller, customer or item are the same."""
    return (
        (one.customer_id is not None and one.customer_id == other.customer_id)
        or (one.item_no != "" and one.item_no == other.item_no)
        or (one.caller_phone != "" and one.caller_phone == other.caller_phone)
    )


@transaction.atomic
def unmerge(complaint: Complaint, *, by: User, note: str) -> Complaint:
    """It was none: it stands again as it stood, its clocks run on as if it had never been
    merged, and what stood under it comes back."""
    complaint = begun(complaint, "unmerge", by)
    joining = complaint.joinings.select_for_update().get(undone_at=None)
    survivor = locked(joining.survivor)
    ends = complaint.closed_at
    complaint.state, complaint.merged_into = joining.before, None
    complaint.closed_at = None
    complaint.milestones.filter(met_at=ends).update(met_at=None)
    if joining.before == State.SUSPENDED:  # it waits for its customer as before
        complaint.pauses.filter(until_at=ends).update(until_at=None)
    clocks.count_anew(complaint, calendar_of(complaint.handling_office))
    moved = Complaint.objects.filter(pk__in=joining.moved_children, parent=survivor)
    moved.update(parent=complaint)
    joining.undone_at = now()
    joining.save(update_fields=["undone_at"])
    columns = ("state", "merged_into", "closed_at", *clocks.COLUMNS)
    _joined(complaint, by, f"↩ {survivor.ref} {note}", *columns)
    survivor.nudges = max(0, survivor.nudges - 1 - complaint.nudges)
    _joined(survivor, by, f"↪ {complaint.ref} {note}", "nudges")
    return complaint


@transaction.atomic
def split(
    complaint: Complaint, *, by: User, description: str, token: uuid.UUID, **facts: Any
) -> Complaint:
    """A second matter of the same call becomes a work order of its own."""
    complaint = begun(complaint, "split", by)
    made = create_complaint(
        by=by,
        office=complaint.office,
        description=description,
        caller_phone=complaint.caller_phone,
        caller_name=complaint.caller_name,
        customer=complaint.customer,
        channel=complaint.channel,
        token=token,
        **facts,
    )
    _joined(complaint, by, f"⇉ {made.ref}")
    return made


@transaction.atomic
def adopt(complaint: Complaint, *, by: User, parent: str) -> Complaint:
    """Put it under an incident; an empty number takes it out. One answer to the incident
    answers all of them. Refused: "join.…"."""
    complaint = begun(complaint, "adopt", by)
    found = _other(parent, by, complaint) if parent else None
    if found and (found.parent_id or complaint.children.exists()):
        raise Refused("join.levels", _("An incident cannot stand under another one."))
    if found and not found.is_open:
        raise Refused("join.closed", _("The other work order is closed."))
    complaint.parent = found
    _joined(complaint, by, f"⊂ {found.ref}" if found else "⊄", "parent")
    return complaint


def _joined(complaint: Complaint, by: User, note: str, *columns: str) -> None:
    complaint.version += 1
    complaint.rank = complaint.rank_now()
    complaint.save(update_fields=["version", "rank", *columns])
    state = complaint.state
    note_move(complaint, by, state, state, now(), note.strip(), JOINED)
    write_timeline(complaint)
    audit.record(by, "complaint.joined", complaint, office=complaint.office)
