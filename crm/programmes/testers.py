"""Business supervisors on their way: applied, taken by another, trying services for a term.

Sources: R-ORG-48, R-ORG-49.
"""

from datetime import date, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.programmes.models import BusinessSupervisor, Programme, Trial

State = BusinessSupervisor.State
LONGEST_DAYS = 3 * 366  # of a term


@transaction.atomic
def apply(row: BusinessSupervisor, *, by: User) -> BusinessSupervisor:
    """An application that came in. Refused("tester.early") for one of a coming day."""
    require(by, "staff.manage", row.office)
    if row.applied_on > localdate():
        raise Refused("tester.early", _("This day has not come."))
    row.noted_by = by
    row.save()
    audit.record(by, "tester.applied", row, office=row.office)
    return row


def _locked(row: BusinessSupervisor, *states: str) -> BusinessSupervisor:
    rows = BusinessSupervisor.objects.select_for_update(of=("self",))
    found = rows.select_related("office").get(pk=row.pk)
    if found.state not in states:
        raise Refused(
            "tester.state", _("Somebody else has dealt with this application.")
        )
    return found


def _decided(row: BusinessSupervisor, by: User, state: str, what: str) -> None:
    row.state, row.decided_by, row.decided_at = state, by, now()
    row.save()
    audit.record(by, f"tester.{what}", row, office=row.office)


@transaction.atomic
def take(
    row: BusinessSupervisor, *, by: User, first: date, last: date
) -> BusinessSupervisor:
    """Taken for a term, by another than who noted the application. Refused: "tester.same",
    "tester.term"."""
    row = _locked(row, State.APPLIED)
    require(by, "staff.manage", row.office)
    if by.pk == row.noted_by_id:
        raise Refused(
            "tester.same", _("Whoever noted the application does not decide.")
        )
    if last < first or (last - first).days > LONGEST_DAYS:
        raise Refused(
            "tester.term", _("A term ends after it begins, and within three years.")
        )
    row.first, row.last = first, last
    _decided(row, by, State.APPROVED, "taken")
    return row


@transaction.atomic
def refuse(row: BusinessSupervisor, *, by: User, reason: str) -> BusinessSupervisor:
    """Not taken, by another, with a reason. Refused: "tester.same", "tester.reason"."""
    row = _locked(row, State.APPLIED)
    require(by, "staff.manage", row.office)
    if by.pk == row.noted_by_id:
        raise Refused(
            "tester.same", _("Whoever noted the application does not decide.")
        )
    if not reason:
        raise Refused("tester.reason", _("Say why."))
    row.reason = reason
    _decided(row, by, State.REFUSED, "refused")
    return row


@transaction.atomic
def end(row: BusinessSupervisor, *, by: User, reason: str) -> BusinessSupervisor:
    """The term ends today, before its time. Refused("tester.reason")."""
    row = _locked(row, State.APPROVED)
    require(by, "staff.manage", row.office)
    if not reason:
        raise Refused("tester.reason", _("Say why."))
    row.reason, row.state = reason, State.ENDED
    today = localdate()
    row.first, row.last = min(row.first or today, today), min(row.last or today, today)
    row.save()
    audit.record(by, "tester.ended", row, office=row.office)
    return row


def could_try(tester: BusinessSupervisor, on: date) -> bool:
    """Whether a day lies in somebody's term."""
    return (
        tester.state in (State.APPROVED, State.ENDED)
        and tester.first is not None
        and tester.last is not None
        and tester.first <= on <= tester.last
    )


@transaction.atomic
def note(trial: Trial, *, by: User) -> Trial:
    """What somebody found who tried a service. Refused: "trial.term" for a day outside
    their term or one that has not come, "trial.where" for a programme that does not reach
    their office."""
    tester = _locked(trial.tester, State.APPROVED, State.ENDED)
    require(by, "staff.manage", tester.office)
    if trial.on > localdate() or not could_try(tester, trial.on):
        raise Refused("trial.term", _("This day lies outside their term."))
    seen = Programme.objects.visible_to(by).filter(pk=trial.programme_id).exists()
    if not seen or not trial.programme.office.contains(tester.office):
        raise Refused("trial.where", _("The programme does not reach this office."))
    trial.noted_by = by
    trial.save()
    audit.record(by, "tester.tried", tester, office=tester.office)
    return trial


def forget_step(job: Job) -> bool:
    """Job, each night: a year after they were refused or their term ended, names and phones
    go; what they said of services stays."""
    before = localdate() - timedelta(365)
    rows = BusinessSupervisor.objects.filter(
        Q(state=State.REFUSED, decided_at__date__lt=before)
        | Q(state__in=(State.APPROVED, State.ENDED), last__lt=before)
    ).exclude(is_forgotten=True)
    job.result = {"forgotten": rows.update(name="", phone="", is_forgotten=True)}
    return True
