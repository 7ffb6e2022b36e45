"""Findings: who is answerable, with objection and ruling; and units that help.

Source: domain.md 7.2, R-CMP-16, R-CMP-19, R-KPI (fault and duty). The seed knows no
objection; an employee has one here (own judgement, domain.md 7.2).
"""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Sum
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from complaints.models import CoHandler, Complaint, Finding
from complaints.services import locked, may_over, require_over
from crm.access.capabilities import may, require
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.audit import services as audit
from crm.errors import Refused
from crm.hooks.services import emit
from crm.notify.services import tell
from crm.org.models import Office

FOUND = gettext_noop("A finding concerns your unit")  # translated when they are read
HELP = gettext_noop("Your help is asked for a work order")
WHOLE = 100


@transaction.atomic
def add(
    complaint: Complaint,
    *,
    by: User,
    basis: str,
    office: Office,
    share: int,
    note: str,
    user: User | None = None,
    team: str = "",
) -> Finding:
    """A unit, a team of it or a person there is answerable for so many percent.

    Refused: "finding.share" when the shares of one basis pass 100, "finding.person".
    """
    complaint = locked(complaint)
    if not may_over(by, "finding.add", complaint):
        raise PermissionDenied("finding.add")
    standing = complaint.findings.filter(basis=basis).exclude(state="lifted")
    given = standing.aggregate(n=Sum("share"))["n"] or 0
    if given + share > WHOLE:
        message = _("The shares would be %(n)s %%: at most 100.")
        raise Refused("finding.share", message % {"n": given + share})
    if user is not None:
        posted = Posting.objects.filter(user=user, office__path__startswith=office.path)
        if not posted.exists():
            raise Refused("finding.person", _("This person does not work there."))
    finding = Finding.objects.create(
        complaint=complaint,
        basis=basis,
        office=office,
        user=user,
        team=team,
        share=share,
        note=note,
        found_by=by,
        found_at=now(),
    )
    _tell(office, FOUND, complaint, f"finding:{finding.pk}", user)
    _record(by, "added", finding)
    return finding


def _tell(
    office: Office, subject: str, complaint: Complaint, key: str, also: User | None
) -> None:
    posted = Posting.objects.filter(office=office, role=Role.SUPERVISOR)
    people = {p.user for p in posted.select_related("user")} | (
        {also} if also else set()
    )
    for person in people:
        tell(
            person,
            "finding",
            subject=subject,
            body=complaint.ref,
            url=complaint.get_absolute_url(),
            key=f"{key}:{person.pk}",
            is_public=True,
        )


def _fresh(finding: Finding, *states: str) -> Finding:
    rows = Finding.objects.select_for_update(of=("self",))
    row = rows.select_related("complaint__office", "office", "user").get(pk=finding.pk)
    if row.state not in states:
        raise Refused("finding.state", _("This is not open any more."))
    return row


def may_object(user: User, finding: Finding) -> bool:
    """The person concerned, or a supervisor of the unit."""
    return finding.user_id == user.pk or may(user, "finding.object", finding.office)


@transaction.atomic
def object_to(finding: Finding, *, by: User, objection: str) -> Finding:
    """The unit, or the person, says why it is not so. Once."""
    finding = _fresh(finding, Finding.State.STANDS)
    if not may_object(by, finding):
        raise PermissionDenied("finding.object")
    finding.state = Finding.State.OBJECTED
    finding.objection, finding.objected_by = objection, by
    finding.save(update_fields=["state", "objection", "objected_by"])
    _record(by, "objected", finding)
    return finding


def may_rule(user: User, finding: Finding) -> bool:
    """A supervisor of the office above the unit, who did not find it."""
    above = Office.objects.get_parent(finding.office) or finding.office
    is_other = user.pk not in (finding.found_by_id, finding.objected_by_id)
    return is_other and may(user, "finding.rule", above)


@transaction.atomic
def rule(finding: Finding, *, by: User, upholds: bool, ruling: str) -> Finding:
    """The level above decides on an objection."""
    finding = _fresh(finding, Finding.State.OBJECTED)
    if not may_rule(by, finding):
        raise PermissionDenied("finding.rule")
    states = Finding.State
    finding.state = states.UPHELD if upholds else states.LIFTED
    finding.ruling, finding.ruled_by, finding.ruled_at = ruling, by, now()
    finding.save(update_fields=["state", "ruling", "ruled_by", "ruled_at"])
    _record(by, finding.state, finding)
    return finding


def _record(by: User, what: str, finding: Finding) -> None:
    details: dict[str, Any] = {
        "basis": finding.basis,
        "share": finding.share,
        "unit": finding.office.code,
    }
    audit.record(
        by,
        f"finding.{what}",
        finding.complaint,
        office=finding.office,
        details=details,
    )
    data = {"ref": finding.complaint.ref, "finding": finding.pk, **details}
    emit("finding.moved", [finding.office], data | {"state": finding.state})


# --- units that help --------------------------------------------------------------------


@transaction.atomic
def ask_help(
    complaint: Complaint, *, by: User, office: Office, request: str
) -> CoHandler:
    """Ask a unit to help; it sees the work order through its own page. Once each unit."""
    complaint = locked(complaint)
    require_over(by, "complaint.move", complaint)
    helper, made = CoHandler.objects.get_or_create(
        complaint=complaint,
        office=office,
        defaults={"request": request, "asked_by": by, "asked_at": now()},
    )
    if not made:
        raise Refused("helper.asked", _("This unit has been asked already."))
    _tell(office, HELP, complaint, f"helper:{helper.pk}", None)
    audit.record(by, "complaint.help_asked", complaint, office=office)
    return helper


@transaction.atomic
def reply(helper: CoHandler, *, by: User, text: str) -> CoHandler:
    helper = CoHandler.objects.select_for_update(of=("self",)).get(pk=helper.pk)
    require(by, "complaint.move", helper.office)
    if helper.replied_at:
        raise Refused("helper.replied", _("This has been answered already."))
    helper.reply, helper.replied_by, helper.replied_at = text, by, now()
    helper.save(update_fields=["reply", "replied_by", "replied_at"])
    audit.record(by, "complaint.help_given", helper.complaint, office=helper.office)
    return helper


@transaction.atomic
def rate(helper: CoHandler, *, by: User, rating: int) -> CoHandler:
    """How well the unit helped, 1 to 5, by those who have the work order."""
    helper = CoHandler.objects.select_for_update(of=("self",)).get(pk=helper.pk)
    require_over(by, "complaint.move", locked(helper.complaint))
    if helper.replied_at is None or helper.rating is not None:
        raise Refused("helper.rating", _("Rate an answer, once."))
    helper.rating = rating
    helper.save(update_fields=["rating"])
    audit.record(by, "complaint.help_rated", helper.complaint, office=helper.office)
    return helper
