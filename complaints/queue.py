"""The next work order for somebody: the oldest due of their skill, no picking.

Source: anchors.md 5.1 (14), R-CMP-39, R-CMP-49.
"""

from collections.abc import Iterator

from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext as _

from complaints.models import Complaint, ComplaintMove
from complaints.services import locked, note_move
from complaints.workflow import AT_WORK, State
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused

WORTH_ASKING = sorted(AT_WORK - {State.SUSPENDED})


def _sources(user: User) -> Iterator[Q]:
    """Where work for `user` comes from: each of their desks, and each office where they
    handle or take work, as far as no desk has it. COST: one index walk each."""
    for desk in user.desks.values_list("pk", flat=True):
        yield Q(desk=desk)
    offices = {p.office_id for p in user.posts("agent", "handler", "supervisor")}
    for office in sorted(offices):
        yield Q(desk=None, handling_office=office)


@transaction.atomic
def next_for(user: User) -> Complaint | None:
    """One's own first, then what nobody has: rank, then due time. It is `user`'s from
    then on. None when nothing is to do.

    RACE: rows that somebody else is being given are passed over, not waited for.
    """
    require(user, "complaint.move")
    rows = Complaint.objects.open().filter(state__in=WORTH_ASKING)
    skipped = ComplaintMove.objects.filter(
        by=user,
        what=ComplaintMove.What.SKIPPED,
        at__gte=now().replace(hour=0, minute=0),
    )
    rows = rows.exclude(pk__in=skipped.values("complaint"))
    order = ("rank", "due_at", "pk")
    found = rows.filter(owner=user).order_by(*order).first()
    if found is not None:
        return found
    free = rows.filter(owner=None).order_by(*order)
    free = free.select_for_update(skip_locked=True, of=("self",))
    firsts = [free.filter(source).first() for source in _sources(user)]
    waiting = [row for row in firsts if row is not None]
    if not waiting:
        return None
    found = min(waiting, key=lambda row: (row.rank, row.due_at, row.pk))
    found.owner = user
    found.version += 1
    found.save(update_fields=["owner", "version"])
    state, what = found.state, ComplaintMove.What.CLAIMED
    note_move(found, user, state, state, now(), "", what)
    audit.record(user, "complaint.claimed", found, office=found.office)
    return found


@transaction.atomic
def skip(complaint: Complaint, *, by: User, reason: str) -> None:
    """Give back what `next_for` gave, with a reason that supervisors count; today it does
    not come to `by` again. Refused("queue.not_yours")."""
    complaint = locked(complaint)
    if complaint.owner_id != by.pk or not complaint.is_open:
        raise Refused("queue.not_yours", _("This work order is not yours."))
    complaint.owner = None
    complaint.version += 1
    complaint.save(update_fields=["owner", "version"])
    state, what = complaint.state, ComplaintMove.What.SKIPPED
    note_move(complaint, by, state, state, now(), reason, what)
    audit.record(by, "complaint.skipped", complaint, office=complaint.office)
