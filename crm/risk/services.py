"""Risks and incidents on their way.

Sources: R-RSK-07, 08, 14, 15. Clocks of an incident: data leaks go to the local postal
administration at once (Interim Regulation on Express Delivery, art. 34), large ones to the
cyberspace administration of the province within four hours (rules on reporting network
incidents, art. 4), and to the persons concerned without delay (PIPL, art. 57); what "at
once" is in hours is own judgement.
"""

from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.capabilities import require
from crm.access.models import Posting, User
from crm.access.roles import CAPABILITIES, Role
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.library.models import Document
from crm.notify.services import tell
from crm.org.models import Office, paths_above
from crm.risk.models import Contact, Drill, Duty, Entry, Incident, Kind, Risk

State, Grade, Whom = Incident.State, Incident.Grade, Duty.Whom
OPENED = gettext_noop("An incident is open")
LATE = gettext_noop("Somebody has not been told of an incident in time")
REVIEW = gettext_noop("A risk is to be looked at again")
# (kinds, grades, whom, hours, rule); None: all
CLOCKS: tuple[tuple[Any, Any, str, int, str], ...] = (
    (None, None, Whom.LEADERS, 1, gettext_noop("Rules of the house")),
    (
        {Kind.DATA},
        None,
        Whom.POSTAL,
        2,
        gettext_noop("Interim Regulation on Express Delivery, art. 34: at once"),
    ),
    (
        {Kind.DATA, Kind.SYSTEM},
        {Grade.LARGE, Grade.MAJOR},
        Whom.NETWORK,
        4,
        gettext_noop("Reporting of network incidents, art. 4: four hours"),
    ),
    (
        {Kind.DATA},
        None,
        Whom.PERSONS,
        72,
        gettext_noop("Personal Information Protection Law, art. 57"),
    ),
)


# --- risks ----------------------------------------------------------------------------------


@transaction.atomic
def keep(risk: Risk, *, by: User) -> Risk:
    """Enter a risk, or change one. Refused("risk.owner") for an owner without a posting at,
    below or above the office."""
    before = Risk.objects.filter(pk=risk.pk).values("likelihood", "impact", "state")
    was = before.first()
    require(by, "risk.keep", risk.office)
    if not _is_near(risk.owner, risk.office, "risk.see"):
        raise Refused(
            "risk.owner", _("This person is not posted there, or may not open it.")
        )
    if was is None:
        risk.made_by = by
    risk.save()
    now_is = {"likelihood": risk.likelihood, "impact": risk.impact, "state": risk.state}
    details = {"before": was, "after": now_is}
    audit.record(by, "risk.kept", risk, office=risk.office, details=details)
    return risk


def _is_near(user: User, office: Office, capability: str) -> bool:
    """Whether somebody who may open it is posted at, above or below the office."""
    return any(
        posting.office.contains(office) or office.contains(posting.office)
        for posting in user.posts(*CAPABILITIES[capability])
    )


# --- emergency plans ------------------------------------------------------------------------


@transaction.atomic
def add_contact(document: Document, contact: Contact, *, by: User) -> Contact:
    require(by, "risk.keep", document.office)
    contact.document = document
    contact.save()
    audit.record(by, "plan.contact_added", document, office=document.office)
    return contact


@transaction.atomic
def drop_contact(contact: Contact, *, by: User) -> None:
    require(by, "risk.keep", contact.document.office)
    audit.record(
        by, "plan.contact_dropped", contact.document, office=contact.document.office
    )
    contact.delete()


@transaction.atomic
def note_drill(document: Document, drill: Drill, *, by: User) -> Drill:
    """A drill that was held. Refused("drill.day") for one to come."""
    require(by, "risk.keep", document.office)
    if drill.held_on > localdate():
        raise Refused("drill.day", _("This day is still to come."))
    drill.document, drill.noted_by = document, by
    drill.save()
    audit.record(by, "plan.drilled", document, office=document.office)
    return drill


# --- incidents ------------------------------------------------------------------------------


@transaction.atomic
def declare(incident: Incident, *, by: User) -> Incident:
    """Open an incident: its clocks run from when it was noticed; supervisors here and above
    are told. Refused("incident.future", "incident.leader")."""
    require(by, "incident.declare", incident.office)
    if incident.noticed_at > now():
        raise Refused("incident.future", _("This moment is still to come."))
    if not _is_near(incident.leader, incident.office, "incident.declare"):
        raise Refused(
            "incident.leader", _("This person is not posted there, or may not open it.")
        )
    if incident.plan and not incident.plan.office.contains(incident.office):
        message = _("This plan is not one of this office or of one above.")
        raise Refused("incident.plan", message)
    incident.made_by = by
    incident.save()
    Duty.objects.bulk_create(
        Duty(
            incident=incident,
            whom=whom,
            rule=rule,
            due_at=incident.noticed_at + timedelta(hours=hours),
        )
        for kinds, grades, whom, hours, rule in CLOCKS
        if (kinds is None or incident.kind in kinds)
        and (grades is None or incident.grade in grades)
    )
    for user in {incident.leader, *_leaders(incident.office)}:
        _tell(user, OPENED, incident, "opened")
    audit.record(by, "incident.declared", incident, office=incident.office)
    return incident


def _leaders(office: Office) -> list[User]:
    """The supervisors of an office and of those above."""
    posted = Posting.objects.leading(*paths_above(office.path))
    return [posting.user for posting in posted]


def _tell(user: User, subject: str, incident: Incident, what: str) -> None:
    tell(
        user,
        "incident",
        subject=subject,
        body=incident.title,
        url=incident.get_absolute_url(),
        key=f"incident:{incident.pk}:{what}:{user.pk}",
    )


def may_lead(user: User, incident: Incident) -> bool:
    """Its leader, and who supervises the office."""
    return user.pk == incident.leader_id or any(
        posting.office.contains(incident.office)
        for posting in user.posts(Role.SUPERVISOR)
    )


def _locked(incident: Incident, by: User, *states: str) -> Incident:
    rows = Incident.objects.select_for_update(of=("self",)).select_related("office")
    row = rows.get(pk=incident.pk)
    if not may_lead(by, row):
        raise PermissionDenied("incident.lead")
    if row.state not in states:
        raise Refused("incident.state", _("The incident is not at this step."))
    return row


@transaction.atomic
def log(incident: Incident, *, by: User, text: str) -> Entry:
    """A line of what was done."""
    row = _locked(incident, by, State.OPEN, State.CONTAINED)
    return Entry.objects.create(incident=row, at=now(), by=by, text=text)


@transaction.atomic
def told(duty: Duty, *, by: User, how: str) -> Duty:
    """Somebody was told. Refused("duty.told") the second time."""
    _locked(duty.incident, by, State.OPEN, State.CONTAINED)
    row = Duty.objects.select_for_update(of=("self",)).get(pk=duty.pk)
    if row.told_at:
        raise Refused("duty.told", _("It is noted already."))
    row.told_at, row.told_by, row.how = now(), by, how
    row.save()
    details = {"whom": row.whom, "late": row.told_at > row.due_at}
    incident = duty.incident
    audit.record(by, "incident.told", incident, office=incident.office, details=details)
    return row


@transaction.atomic
def contain(incident: Incident, *, by: User) -> Incident:
    """It is under control."""
    row = _locked(incident, by, State.OPEN)
    row.state, row.contained_at = State.CONTAINED, now()
    row.save(update_fields=["state", "contained_at"])
    audit.record(by, "incident.contained", row, office=row.office)
    return row


@transaction.atomic
def close(incident: Incident, *, by: User, cause: str) -> Incident:
    """Cause and lessons are known. Refused("incident.untold") while somebody is to be
    told, ("incident.cause") without a cause."""
    row = _locked(incident, by, State.CONTAINED)
    if row.duties.filter(told_at=None).exists():
        message = _("Somebody is still to be told of it.")
        raise Refused("incident.untold", message)
    if not cause.strip():
        raise Refused("incident.cause", _("Write down cause and lessons."))
    row.state, row.closed_at, row.cause = State.CLOSED, now(), cause
    row.save()
    audit.record(by, "incident.closed", row, office=row.office)
    return row


def watch_step(job: Job) -> bool:
    """Job, every few minutes: late duties are told to the leader and the supervisors, risks
    whose day of review has come to their owner; each once. Twice tells once."""
    late = Duty.objects.filter(told_at=None, due_at__lt=now()).exclude(
        incident__state=State.CLOSED
    )
    for duty in late.select_related("incident__office", "incident__leader"):
        incident = duty.incident
        for user in {incident.leader, *_leaders(incident.office)}:
            _tell(user, LATE, incident, f"late:{duty.pk}")
    due = Risk.objects.filter(state=Risk.State.WATCHED, review_on__lte=localdate())
    for risk in due.select_related("owner"):
        tell(
            risk.owner,
            "incident",
            subject=REVIEW,
            body=risk.title,
            url=risk.get_absolute_url(),
            key=f"risk:{risk.pk}:{risk.review_on}",
        )
    return True
