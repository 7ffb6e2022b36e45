"""More time for a clock: asked with a reason, granted by somebody else higher up.

Source: domain.md 2.1: no tier and no hand moves a work order past the law's limit
without a reason and an approval; for the law's clocks the province approves.
"""

from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from complaints import clocks
from complaints.limits import LEGAL
from complaints.models import Complaint, Extension, Milestone
from complaints.services import locked, require_over
from crm.access.capabilities import may, require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.org.models import Office
from crm.org.queries import calendar_of

MOST = timedelta(days=60)


@transaction.atomic
def ask(
    milestone: Milestone, *, by: User, until_at: datetime, reason: str
) -> Extension:
    """Ask for more time. Refused: "extension.met", ".earlier", ".far", ".asked"."""
    complaint = locked(milestone.complaint)
    require_over(by, "complaint.move", complaint)
    milestone = Milestone.objects.select_for_update().get(pk=milestone.pk)
    if milestone.met_at:
        raise Refused("extension.met", _("This clock has been met already."))
    if until_at <= max(milestone.due_at, now()):
        raise Refused("extension.earlier", _("Choose a time after the one due now."))
    law = complaint.legal_due_at
    if milestone.kind not in LEGAL and law and until_at > law:
        raise Refused("extension.law", _("The law's limit ends before that."))
    if until_at > max(milestone.due_at, now()) + MOST:
        raise Refused("extension.far", _("At most 60 days more."))
    if milestone.extensions.filter(state=Extension.State.ASKED).exists():
        raise Refused("extension.asked", _("Somebody has asked for this already."))
    extension = Extension.objects.create(
        milestone=milestone,
        until_at=until_at,
        before_at=milestone.due_at,
        reason=reason,
        asked_by=by,
    )
    _record(by, "asked", complaint, extension)
    return extension


def may_decide(user: User, milestone: Milestone, complaint: Complaint) -> bool:
    """Supervisors over the handling office; for a limit of the law those of the province."""
    office: Office = complaint.handling_office
    if milestone.kind in LEGAL:
        office = Office.objects.get(path=office.path[: Office.steplen])
    return may(user, "complaint.extend", office)


@transaction.atomic
def decide(extension: Extension, *, by: User, grants: bool) -> Extension:
    """Grant or refuse; who asked cannot decide. Refused("extension.decided") when
    somebody was first or the clock has been met meanwhile."""
    complaint = locked(extension.milestone.complaint)
    milestone = Milestone.objects.select_for_update().get(pk=extension.milestone_id)
    extension = Extension.objects.select_for_update().get(pk=extension.pk)
    require(by, "complaint.extend", complaint.handling_office)
    is_asker = extension.asked_by_id == by.pk
    if is_asker or not may_decide(by, milestone, complaint):
        raise PermissionDenied("complaint.extend")
    if extension.state != Extension.State.ASKED or milestone.met_at:
        raise Refused("extension.decided", _("This has been decided already."))
    states = Extension.State
    extension.state = states.GRANTED if grants else states.REFUSED
    extension.decided_by, extension.decided_at = by, now()
    extension.save(update_fields=["state", "decided_by", "decided_at"])
    if grants:
        milestone.extended_to, milestone.told = extension.until_at, 0
        milestone.save(update_fields=["extended_to", "told"])
        clocks.count_anew(complaint, calendar_of(complaint.handling_office))
        complaint.save(update_fields=clocks.COLUMNS)
    _record(by, extension.state, complaint, extension)
    return extension


def _record(by: User, what: str, complaint: Complaint, extension: Extension) -> None:
    details = {
        "clock": extension.milestone.kind,
        "from": f"{extension.before_at}",
        "to": f"{extension.until_at}",
        "reason": extension.reason,
    }
    audit.record(
        by,
        f"complaint.extension_{what}",
        complaint,
        office=complaint.office,
        details=details,
    )
