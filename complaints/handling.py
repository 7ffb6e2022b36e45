"""What people do with a work order that is open: take it, hand it over, answer it.

Source: domain.md 6.3; the table is workflow.py. Each function is one action of it: lock,
rights, refuse, change. Nothing here closes a work order: closing.py does.
"""

from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from complaints import clocks, passing
from complaints.kinds import NEEDS_FINDING
from complaints.limits import LEGAL
from complaints.models import Category, Clock, Complaint, ComplaintMove, Outcome
from complaints.services import (
    announce,
    locked,
    may_over,
    move,
    note_move,
    require_over,
    tell_handlers,
    write_timeline,
)
from complaints.workflow import ACTIONS, State
from crm.access.capabilities import may, require
from crm.access.models import Posting, User
from crm.audit import services as audit
from crm.errors import Refused
from crm.org.models import Office
from customers.records import Clash

What = ComplaintMove.What
HANDED = gettext_noop("A work order for you")  # translated when they are read
RETURNED = gettext_noop("A work order came back")


def begun(complaint: Complaint, action: str, by: User) -> Complaint:
    """The work order under lock, the action being open from where it stands and allowed
    to `by`. Refused("complaint.moved_already")."""
    complaint = locked(complaint)
    step = ACTIONS[action]
    if step.capability == "complaint.move":
        require_over(by, "complaint.move", complaint)
    elif not any(
        may(by, step.capability, office)
        for office in (complaint.office, complaint.handling_office)
    ):
        raise PermissionDenied(step.capability)
    if complaint.state not in step.before:
        message = _("The work order is now “%(state)s”: this is not open from there.")
        shown = {"state": complaint.get_state_display()}
        raise Refused("complaint.moved_already", message % shown)
    return complaint


def changed(
    complaint: Complaint, by: User | None, what: str, note: str, **columns: Any
) -> Complaint:
    """A change that leaves the state as it is: columns, history, trail."""
    for name, value in columns.items():
        setattr(complaint, name, value)
    complaint.version += 1
    complaint.save(update_fields=["version", *columns])
    note_move(complaint, by, complaint.state, complaint.state, now(), note, what)
    write_timeline(complaint)
    details = {"columns": sorted(columns)}
    audit.record(
        by, f"complaint.{what}", complaint, office=complaint.office, details=details
    )
    announce(complaint, "order.changed")
    return complaint


@transaction.atomic
def step(complaint: Complaint, action: str, *, by: User, note: str) -> Complaint:
    """The steps that ask for nothing but a note: accept, verify, start, suspend, cancel."""
    complaint = begun(complaint, action, by)
    after = ACTIONS[action].after
    if after is None:
        raise KeyError(action)
    if action == "cancel" and complaint.needs_finding and complaint.state != State.NEW:
        require(
            by, "complaint.extend", complaint.handling_office
        )  # no way round a finding
    columns: dict[str, Any] = {"owner": by} if action in ("verify", "start") else {}
    return move(complaint, by=by, after=after, note=note, **columns)


@transaction.atomic
def claim(complaint: Complaint, *, by: User) -> Complaint:
    """`by` answers for it from now on; what is new is accepted by that."""
    complaint = begun(complaint, "claim", by)
    if complaint.state == State.NEW:
        after = State.ACCEPTED
        return move(complaint, by=by, after=after, note="", what=What.CLAIMED, owner=by)
    return changed(complaint, by, What.CLAIMED, "", owner=by)


@transaction.atomic
def contact(
    complaint: Complaint, *, by: User, how: str, at: datetime, note: str
) -> Complaint:
    """The customer was spoken to: how, when, what was said. Meets the first contact's
    clock at the time it happened. Refused("contact.when")."""
    complaint = begun(complaint, "contact", by)
    if not complaint.opened_at <= at <= now():
        raise Refused("contact.when", _("Between its opening and now."))
    clocks.meet(complaint, at, Clock.CONTACT)
    clocks.settle(complaint)
    complaint.save(update_fields=clocks.COLUMNS)
    said = f"{Outcome.How(how).label}: {note}"
    owner = complaint.owner or by
    return changed(complaint, by, What.CONTACTED, said, owner=owner)


@transaction.atomic
def assign(
    complaint: Complaint,
    *,
    by: User,
    office: Office,
    note: str,
    owner: User | None = None,
) -> Complaint:
    """Hand it to an office, or to a person there. Any office of the company may be given
    work; the person must be posted there. Refused("assign.person", "assign.same")."""
    complaint = begun(complaint, "assign", by)
    if owner is not None:
        posted = Posting.objects.in_force(localdate()).filter(user=owner)
        if not any(office.path.startswith(p.office.path) for p in posted):
            raise Refused("assign.person", _("Nobody of this name works there."))
    is_same = (complaint.handling_office_id, complaint.owner_id) == (
        office.pk,
        owner.pk if owner else None,
    )
    if is_same and complaint.state == State.ASSIGNED:
        raise Refused("assign.same", _("It is there already."))
    columns = {
        "handling_office": office,
        "owner": owner,
        "desk": None,
        "escalated_to": None,
    }
    complaint = move(
        complaint,
        by=by,
        after=State.ASSIGNED,
        note=note,
        what=What.HANDED,
        **columns,
    )
    tell_handlers(complaint, HANDED, f"handed:{complaint.pk}:{complaint.version}")
    return complaint


@transaction.atomic
def give_back(complaint: Complaint, *, by: User, note: str) -> Complaint:
    """Not ours: back to whoever handed it here. Counted; twice is a suspicion of
    buck-passing. Refused("return.nowhere") when it has always been here."""
    complaint = begun(complaint, "return", by)
    lines = complaint.moves.exclude(office=complaint.handling_office)
    earlier = lines.select_related("office").order_by("-at", "-pk").first()
    origin = earlier.office if earlier else complaint.office
    here = complaint.handling_office
    if origin is None or origin.pk == here.pk:
        message = _("It came from nowhere else: hand it over or escalate it.")
        raise Refused("return.nowhere", message)
    complaint = move(
        complaint,
        by=by,
        after=State.RETURNED,
        note=note,
        handling_office=origin,
        owner=None,
        bounces=complaint.bounces + 1,
    )
    passing.note_bounce(complaint, here)
    tell_handlers(complaint, RETURNED, f"back:{complaint.pk}:{complaint.version}")
    return complaint


@transaction.atomic
def escalate(complaint: Complaint, *, by: User, note: str) -> Complaint:
    """To the office above, whose work it is from then on. Refused("escalate.top")."""
    complaint = begun(complaint, "escalate", by)
    above = Office.objects.get_parent(complaint.handling_office)
    if above is None:
        raise Refused("escalate.top", _("There is no office above this one."))
    complaint = move(
        complaint,
        by=by,
        after=State.ESCALATED,
        note=note,
        handling_office=above,
        owner=None,
        escalated_to=above,
    )
    tell_handlers(complaint, HANDED, f"up:{complaint.pk}:{complaint.version}")
    return complaint


@transaction.atomic
def answer(
    complaint: Complaint, *, by: User, text: str, how: str, at: datetime
) -> Complaint:
    """The customer has been told: what, how, when (R-CMP-23). An answer to an incident
    answers every work order under it that `by` may answer. Refused("answer.when")."""
    complaint = begun(complaint, "answer", by)
    if not complaint.opened_at <= at <= now():
        raise Refused("answer.when", _("Between its opening and now."))
    children = list(complaint.children.order_by("pk").values_list("pk", flat=True))
    _answer_one(complaint, by, text, how, at)
    for pk in children:
        child = locked(Complaint(pk=pk))
        is_ours = may_over(by, "complaint.move", child)
        if is_ours and child.state in ACTIONS["answer"].before:
            _answer_one(child, by, text, how, max(at, child.opened_at))
    return complaint


def _answer_one(
    complaint: Complaint, by: User, text: str, how: str, at: datetime
) -> None:
    facts = {"answer": text, "told_how": how, "told_at": at, "answered_by": by}
    Outcome.objects.update_or_create(complaint=complaint, defaults=facts)
    columns: dict[str, Any] = {"owner": complaint.owner or by}
    move(complaint, by=by, after=State.REPLIED, note=text, **columns)


@transaction.atomic
def convert(
    complaint: Complaint,
    *,
    by: User,
    kind: str,
    subcategory: Category | None,
    note: str,
) -> Complaint:
    """It is of another type: its history stays, the clocks that both have run on. Out of
    a limit of the law, and out of the duty of a finding, only a supervisor leads.

    Refused: "convert.same", "convert.law".
    """
    complaint = begun(complaint, "convert", by)
    if kind == complaint.kind:
        raise Refused("convert.same", _("It is of this type already."))
    before = complaint.get_kind_display()
    is_boss = may(by, "complaint.extend", complaint.handling_office)
    complaint.kind = kind
    needs = kind in NEEDS_FINDING or (complaint.needs_finding and not is_boss)
    columns: dict[str, Any] = {"kind": kind, "needs_finding": needs}
    if subcategory:
        columns |= {"subcategory": subcategory, "category": subcategory.group}
    dropped = clocks.replan(complaint, now())
    if not is_boss and any(row.kind in LEGAL for row in dropped):
        message = _("It has a limit of the law: a supervisor changes its type.")
        raise Refused("convert.law", message)
    complaint.save(update_fields=clocks.COLUMNS)
    said = f"{before} → {complaint.get_kind_display()}: {note}"
    return changed(complaint, by, What.CONVERTED, said, **columns)


@transaction.atomic
def change(
    complaint: Complaint, *, by: User, shown: dict[str, Any], typed: dict[str, Any]
) -> Complaint:
    """Set the fields of `typed` that differ from what their form had `shown` (rows by
    their ids). Raises Clash with what is there now where somebody else changed one of
    them, and writes nothing; changes to other fields stay (B13)."""
    complaint = locked(complaint)
    require_over(by, "complaint.move", complaint)
    if not complaint.is_open:
        raise Refused("complaint.closed", _("This work order is closed: reopen it."))
    is_row = {"subcategory"}
    columns = {f"{n}_id" if n in is_row else n: value for n, value in typed.items()}
    there = {n: getattr(complaint, f"{n}_id" if n in is_row else n) for n in typed}
    clashes = {n: v for n, v in there.items() if v not in (shown.get(n), typed[n])}
    if clashes:
        raise Clash(clashes)
    if not columns:
        return complaint
    if columns.get("subcategory_id"):
        columns["category"] = Category.objects.get(pk=typed["subcategory"]).group
    for name, value in columns.items():
        setattr(complaint, name, value)
    complaint.rank = complaint.rank_now()
    columns["rank"] = complaint.rank
    said = ", ".join(
        f"{n}: {shown.get(n) or '—'} → {typed[n] or '—'}" for n in sorted(typed)
    )
    return changed(complaint, by, What.CHANGED, said[:2000], **columns)


@transaction.atomic
def add_note(complaint: Complaint, *, by: User, note: str) -> Complaint:
    """A line for colleagues; whoever sees a work order may write one."""
    complaint = locked(complaint)
    if not Complaint.objects.visible_to(by).filter(pk=complaint.pk).exists():
        raise PermissionDenied("complaint.view")
    return changed(complaint, by, What.NOTED, note)
