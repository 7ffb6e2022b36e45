"""After the answer: follow-up, archive with a finding, reopening until satisfied.

Source: domain.md 6.3, R-CMP-24, R-CMP-36, R-CMP-37.
"""

from contextlib import suppress
from typing import Any

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from complaints import measures
from complaints.findings import WHOLE
from complaints.handling import begun
from complaints.kinds import Severity
from complaints.models import Complaint, Finding, Outcome
from complaints.services import move, tell_handlers
from complaints.workflow import State
from crm.access.models import User
from crm.errors import Refused
from delivery.models import VisitType
from delivery.visits import request_visit

AGAIN = gettext_noop("The customer is not satisfied")  # translated when it is read
Check = Outcome.Check
WHO = ("liable_office", "liable_user", "liable_team")
BY_WHOM = ("measure_office", "measure_owner", "measure_due")


@transaction.atomic
def check(
    complaint: Complaint,
    *,
    by: User,
    result: str,
    satisfaction: int | None,
    note: str,
) -> Complaint:
    """The follow-up call. Not satisfied: reopened to the same office, a round later."""
    complaint = begun(complaint, "check", by)
    _require_other(complaint, by)
    facts = {
        "check_result": result,
        "satisfaction": satisfaction,
        "checked_by": by,
        "checked_at": now(),
    }
    Outcome.objects.update_or_create(complaint=complaint, defaults=facts)
    if result == Check.UNSATISFIED:
        return _again(complaint, by, note)
    return move(complaint, by=by, after=State.FOLLOW_UP, note=note)


def _require_other(complaint: Complaint, by: User) -> None:
    """Who answered neither asks the customer how it was nor closes it."""
    mine = Outcome.objects.filter(complaint=complaint, answered_by=by)
    if complaint.needs_finding and mine.exists():
        message = _("You answered it: a colleague makes the follow-up and closes it.")
        raise Refused("check.self", message)


def _again(complaint: Complaint, by: User, note: str) -> Complaint:
    complaint = move(complaint, by=by, after=State.REOPENED, note=note)
    key = f"again:{complaint.pk}:{complaint.rounds}"
    tell_handlers(complaint, AGAIN, key, "order.asked")
    return complaint


@transaction.atomic
def reopen(complaint: Complaint, *, by: User, note: str) -> Complaint:
    """The customer is not satisfied, whenever they say so: back to the office that
    answered, with a round more and clocks of its own."""
    return _again(begun(complaint, "reopen", by), by, note)


@transaction.atomic
def archive(complaint: Complaint, *, by: User, **finding: Any) -> Complaint:
    """Close it. Complaints, appeals, claims and problem items only after a follow-up and
    with liability, cause and corrective action (or that none is needed). Who is liable
    becomes a finding, if none was made before.

    Refused: "archive.follow_up", "archive.finding", "check.self".
    """
    complaint = begun(complaint, "archive", by)
    _require_other(complaint, by)
    if complaint.needs_finding:
        if complaint.state != State.FOLLOW_UP:
            raise Refused("archive.follow_up", _("Call the customer first: follow-up."))
        has_measure = finding.get("measure") or not finding.get("measure_needed", True)
        if not (finding.get("liability") and finding.get("cause") and has_measure):
            message = _("Liability, cause and corrective action are missing.")
            raise Refused("archive.finding", message)
    who = {name: finding.pop(name, None) for name in WHO}
    doer = {name: finding.pop(name, None) for name in BY_WHOM}
    if finding:
        Outcome.objects.update_or_create(complaint=complaint, defaults=finding)
    liability = finding.get("liability")
    is_named = complaint.findings.filter(basis=Finding.Basis.FAULT).exists()
    if liability not in (None, "", Outcome.Liability.NONE) and not is_named:
        Finding.objects.create(
            complaint=complaint,
            basis=Finding.Basis.FAULT,
            office=who["liable_office"] or complaint.handling_office,
            user=who["liable_user"],
            team=who["liable_team"] or "",
            share=WHOLE,
            note=finding.get("cause_note", "")
            or str(Outcome.Cause(finding["cause"]).label),
            found_by=by,
            found_at=now(),
        )
    if finding.get("measure") and finding.get("measure_needed", True):
        measures.give(
            complaint,
            by=by,
            what=finding["measure"],
            office=doer["measure_office"]
            or who["liable_office"]
            or complaint.handling_office,
            owner=doer["measure_owner"],
            due_on=doer["measure_due"],
        )
    _have_visited(complaint, by)
    return move(
        complaint, by=by, after=State.ARCHIVED, note=finding.get("cause_note", "")
    )


def _have_visited(complaint: Complaint, by: User) -> None:
    """After a serious complaint the customer's manager calls in person (domain.md 5.3)."""
    customer = complaint.customer
    is_serious = complaint.severity != Severity.NORMAL and complaint.needs_finding
    if not is_serious or customer is None or customer.manager_id is None:
        return
    with suppress(Refused):  # the record was merged or erased meanwhile
        request_visit(
            customer,
            type=VisitType.COMPLAINT,
            source=f"complaint:{complaint.ref}",
            by=by,
            note=complaint.ref,
        )
