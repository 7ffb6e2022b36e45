"""Corrective actions: due, done, judged by what happened afterwards.

Source: R-CMP-37, R-CMP-38, domain.md 6.3 (archive names one, or none is needed).
"""

from datetime import date, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from complaints.models import Complaint, CorrectiveAction
from crm.access.capabilities import may
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.notify.services import tell
from crm.org.models import Office

GIVEN = gettext_noop("A corrective action for you")  # translated when they are read
DONE = gettext_noop("A corrective action is done: did it help?")
USUAL = timedelta(days=30)
COMPARED = timedelta(days=30)  # before the complaint, and after the action was done


@transaction.atomic
def give(
    complaint: Complaint,
    *,
    by: User,
    what: str,
    office: Office,
    owner: User | None = None,
    due_on: date | None = None,
) -> CorrectiveAction:
    """What a complaint made necessary, for an office or a person of it."""
    row = CorrectiveAction.objects.create(
        complaint=complaint,
        office=office,
        owner=owner,
        what=what,
        made_by=by,
        made_at=now(),
        due_on=due_on or localdate() + USUAL,
    )
    _tell(owner, GIVEN, row)
    _record(by, "given", row)
    return row


def _tell(user: User | None, subject: str, row: CorrectiveAction) -> None:
    if user is not None:
        tell(
            user,
            "measure",
            subject=subject,
            body=row.what,
            url="/complaints/measures/",
            key=f"measure:{row.pk}:{subject == DONE}:{user.pk}",
        )


def _locked(row: CorrectiveAction) -> CorrectiveAction:
    rows = CorrectiveAction.objects.select_for_update(of=("self",))
    return rows.select_related("office", "complaint", "made_by").get(pk=row.pk)


def may_do(user: User, row: CorrectiveAction) -> bool:
    return row.owner_id == user.pk or may(user, "measure.do", row.office)


def may_judge(user: User, row: CorrectiveAction) -> bool:
    is_other = row.done_by_id != user.pk
    over = may(user, "measure.judge", row.office)
    return is_other and (over or may(user, "measure.judge", row.complaint.office))


@transaction.atomic
def do(row: CorrectiveAction, *, by: User, words: str) -> CorrectiveAction:
    """It is done: how. Refused("measure.done")."""
    row = _locked(row)
    if not may_do(by, row):
        raise PermissionDenied("measure.do")
    if row.done_at:
        raise Refused("measure.done", _("It is done already."))
    row.done_at, row.done_by, row.done_note = now(), by, words
    row.save(update_fields=["done_at", "done_by", "done_note"])
    _tell(row.made_by, DONE, row)
    _record(by, "done", row)
    return row


@transaction.atomic
def judge(
    row: CorrectiveAction, *, by: User, helps: bool, words: str
) -> CorrectiveAction:
    """Whether it helped. What did not is done again. Refused("measure.judged")."""
    row = _locked(row)
    if not may_judge(by, row):
        raise PermissionDenied("measure.judge")
    if row.done_at is None or row.is_effective is not None:
        raise Refused("measure.judged", _("There is nothing to judge here."))
    row.is_effective, row.judged_by = helps, by
    row.judged_at, row.judged_note = now(), words
    row.save(update_fields=["is_effective", "judged_by", "judged_at", "judged_note"])
    if not helps:
        facts: dict[str, Any] = {"office": row.office, "owner": row.owner}
        give(row.complaint, by=by, what=row.what, **facts)
    _record(by, "judged", row)
    return row


def before_and_after(row: CorrectiveAction) -> tuple[int, int, int]:
    """(work orders of this cause's category at the office in the 30 days up to the
    complaint, those since it was done, days since, at most 30). Two queries."""
    order = row.complaint
    alike = Complaint.objects.filter(handling_office__path__startswith=row.office.path)
    if order.subcategory_id:
        alike = alike.filter(subcategory=order.subcategory_id)
    else:
        alike = alike.filter(category=order.category)
    first = order.opened_at - COMPARED
    before = alike.filter(opened_at__gt=first, opened_at__lte=order.opened_at)
    done_at = row.done_at or now()
    until = min(now(), done_at + COMPARED)
    after = alike.filter(opened_at__gt=done_at, opened_at__lte=until)
    return before.count(), after.count(), (until - done_at).days


def _record(by: User, what: str, row: CorrectiveAction) -> None:
    audit.record(by, f"measure.{what}", row, office=row.office)
