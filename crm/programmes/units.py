"""Requests between units, and the reports that units owe each other.

Sources: R-ORG-15, 35, 39, 45; times run in the asked unit's working time (domain.md 6.2).
"""

from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Avg, Count, F, Q
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.capabilities import require
from crm.access.models import Posting, User
from crm.access.roles import CAPABILITIES
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.notify.services import tell
from crm.org.calendar import add_working_time
from crm.org.models import Office
from crm.org.queries import calendar_of
from crm.programmes.models import DutyReport, ReportDuty, UnitRequest
from customers.queries import add_months

State = UnitRequest.State
ASKED = gettext_noop("Another unit asks yours for something")
WITHDRAWN = gettext_noop("A unit has withdrawn its request")
ANSWERED = gettext_noop("Your unit's request is answered")
LATE = gettext_noop("A request of another unit is late")
DUE = gettext_noop("A report of your unit is due")
COMMENTED = gettext_noop("Your unit's report is commented")


def _tell_unit(office: Office, subject: str, body: str, url: str, key: str) -> None:
    """Everybody who speaks for a unit."""
    posted = Posting.objects.in_force(localdate()).filter(
        office=office, role__in=CAPABILITIES["unit.ask"]
    )
    for posting in posted.select_related("user"):
        tell(
            posting.user,
            "unit",
            subject=subject,
            body=body,
            url=url,
            key=f"{key}:{posting.user_id}",
        )


@transaction.atomic
def ask(row: UnitRequest, *, by: User) -> UnitRequest:
    """One's unit asks another. Refused("request.self")."""
    require(by, "unit.ask", row.asking)
    if row.asking == row.asked:
        raise Refused("request.self", _("A unit cannot ask itself."))
    row.made_by, row.made_at = by, now()
    row.due_at = add_working_time(
        calendar_of(row.asked), row.made_at, row.hours * 60
    ).at
    row.save()
    key = f"request:{row.pk}:asked"
    _tell_unit(row.asked, ASKED, row.subject, row.get_absolute_url(), key)
    audit.record(by, "request.asked", row, office=row.asking)
    return row


def _locked(row: UnitRequest, *states: str) -> UnitRequest:
    rows = UnitRequest.objects.select_for_update(of=("self",))
    found = rows.select_related("asking", "asked").get(pk=row.pk)
    if found.state not in states:
        raise Refused("request.state", _("Somebody else has dealt with it already."))
    return found


@transaction.atomic
def take(row: UnitRequest, *, by: User) -> UnitRequest:
    """Somebody of the asked unit sees to it."""
    row = _locked(row, State.OPEN)
    require(by, "unit.ask", row.asked)
    row.state, row.taken_by = State.TAKEN, by
    row.save(update_fields=["state", "taken_by"])
    audit.record(by, "request.taken", row, office=row.asked)
    return row


@transaction.atomic
def answer(row: UnitRequest, *, by: User, words: str) -> UnitRequest:
    """The asked unit answers."""
    row = _locked(row, State.OPEN, State.TAKEN)
    require(by, "unit.ask", row.asked)
    row.reply, row.replied_by, row.replied_at = words, by, now()
    row.state = State.ANSWERED
    row.save()
    key = f"request:{row.pk}:answered:{row.replied_at}"
    _tell_unit(row.asking, ANSWERED, row.subject, row.get_absolute_url(), key)
    audit.record(by, "request.answered", row, office=row.asked)
    return row


@transaction.atomic
def close(row: UnitRequest, *, by: User, rating: int | None) -> UnitRequest:
    """The asking unit is served, and says how well, 1 to 5 (R-ORG-15)."""
    row = _locked(row, State.ANSWERED)
    require(by, "unit.ask", row.asking)
    row.state, row.rating, row.closed_at = State.CLOSED, rating, now()
    row.save()
    audit.record(by, "request.closed", row, office=row.asking)
    return row


@transaction.atomic
def ask_again(row: UnitRequest, *, by: User, words: str) -> UnitRequest:
    """The answer does not do: the asked unit has it again, with as much time as at first;
    what was answered stays in the text."""
    row = _locked(row, State.ANSWERED)
    require(by, "unit.ask", row.asking)
    row.text = f"{words}\n\n— {row.reply}\n\n{row.text}"[:4000]
    row.state, row.reply, row.replied_by, row.replied_at = State.OPEN, "", None, None
    row.taken_by = None
    row.due_at = add_working_time(calendar_of(row.asked), now(), row.hours * 60).at
    row.save()
    key = f"request:{row.pk}:again:{row.due_at}"
    _tell_unit(row.asked, ASKED, row.subject, row.get_absolute_url(), key)
    audit.record(by, "request.asked_again", row, office=row.asking)
    return row


@transaction.atomic
def withdraw(row: UnitRequest, *, by: User, words: str) -> UnitRequest:
    """The asking unit needs it no more, or asked by mistake: nobody is measured by it."""
    row = _locked(row, State.OPEN, State.TAKEN)
    require(by, "unit.ask", row.asking)
    row.state, row.closed_at = State.WITHDRAWN, now()
    row.text = f"{words}\n\n{row.text}"[:4000]
    row.save(update_fields=["state", "closed_at", "text"])
    key = f"request:{row.pk}:withdrawn"
    _tell_unit(row.asked, WITHDRAWN, row.subject, row.get_absolute_url(), key)
    audit.record(by, "request.withdrawn", row, office=row.asking)
    return row


def tallies(user: User, since: date) -> list[Any]:
    """(asked unit, how many, in time, mean rating) of the requests that one sees. One
    query."""
    rows = UnitRequest.objects.visible_to(user).filter(made_at__date__gte=since)
    rows = rows.exclude(state=State.WITHDRAWN)
    counted = rows.order_by().values_list("asked__name")
    counted = counted.annotate(
        n=Count("pk"),
        in_time=Count("pk", filter=Q(replied_at__lte=F("due_at"))),
        mean=Avg("rating"),
    )
    return list(counted.order_by("-n", "asked__name"))


# --- reports --------------------------------------------------------------------------------


@transaction.atomic
def owe(duty: ReportDuty, *, by: User) -> ReportDuty:
    """From now on a unit reports every month. Refused("duty.self")."""
    require(by, "report.manage", duty.reader)
    if duty.office == duty.reader:
        raise Refused("duty.self", _("A unit cannot report to itself."))
    duty.made_by = by
    duty.save()
    audit.record(by, "report.owed", duty, office=duty.reader)
    due_reports(localdate())
    return duty


@transaction.atomic
def release(duty: ReportDuty, *, by: User) -> None:
    """No report from now on; what was filed stays."""
    require(by, "report.manage", duty.reader)
    ReportDuty.objects.filter(pk=duty.pk).update(is_active=False)
    audit.record(by, "report.released", duty, office=duty.reader)


def due_reports(today: date) -> int:
    """The reports about last month that are not laid out yet; how many. Once each."""
    this = today.replace(day=1)
    month = add_months(this, -1)
    rows = [
        DutyReport(duty=duty, month=month, due_on=this.replace(day=duty.day))
        for duty in ReportDuty.objects.filter(is_active=True).exclude(
            reports__month=month
        )
    ]
    DutyReport.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


@transaction.atomic
def file(report: DutyReport, *, by: User, text: str) -> DutyReport:
    """The unit files its report; it may file again until it is commented.
    Refused("report.commented")."""
    row = DutyReport.objects.select_for_update(of=("self",)).get(pk=report.pk)
    require(by, "unit.ask", report.duty.office)
    if row.commented_by_id:
        raise Refused("report.commented", _("It is commented already."))
    row.text, row.filed_by, row.filed_at = text, by, now()
    row.save()
    audit.record(by, "report.filed", row, office=report.duty.office)
    return row


@transaction.atomic
def comment(report: DutyReport, *, by: User, words: str) -> DutyReport:
    """Its reader guides the unit. Refused("report.missing") before it is filed."""
    row = DutyReport.objects.select_for_update(of=("self",)).get(pk=report.pk)
    duty = report.duty
    require(by, "report.manage", duty.reader)
    if row.filed_at is None:
        raise Refused("report.missing", _("It is not filed yet."))
    row.comment, row.commented_by = words, by
    row.save()
    key = f"report:{row.pk}:commented:{row.comment[:20]}"
    _tell_unit(duty.office, COMMENTED, f"{row}", row.get_absolute_url(), key)
    audit.record(by, "report.commented", row, office=duty.reader)
    return row


def late_step(job: Job) -> bool:
    """Job, daily: lay out the month's reports, tell of those due within three days and of
    late requests, each once. Twice comes to the same."""
    today = localdate()
    made = due_reports(today)
    waiting = DutyReport.objects.filter(filed_at=None, duty__is_active=True)
    for report in waiting.select_related("duty__office"):
        if (report.due_on - today).days <= 3:
            key = f"report:{report.pk}:due"
            url = report.get_absolute_url()
            _tell_unit(report.duty.office, DUE, f"{report}", url, key)
    late = UnitRequest.objects.filter(
        state__in=[State.OPEN, State.TAKEN], due_at__lt=now()
    )
    for row in late.select_related("asked"):
        key = f"request:{row.pk}:late:{row.due_at}"
        _tell_unit(row.asked, LATE, row.subject, row.get_absolute_url(), key)
    job.result = {"reports": made}
    return True
