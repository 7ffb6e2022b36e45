"""The clocks of a complaint: milestones and pauses as rows, warnings, escalation.

Source: domain.md 6.2 and 6.3. First answer and promise run in the handling office's
working time and stand still while the complaint waits for its customer; the legal limit
runs through everything. A change of the calendar counts open clocks anew.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils.timezone import localdate, now
from django.utils.translation import gettext_noop

from complaints.models import Complaint, Milestone, Pause
from complaints.sla import FIRST_ANSWER_MINUTES, LEGAL_DAYS, PROMISE_MINUTES
from complaints.workflow import CLOSED
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.audit import services as audit
from crm.jobs.models import Job
from crm.notify.services import queue_message
from crm.org.calendar import (
    Due,
    WorkCalendar,
    add_working_time,
    working_minutes_between,
)
from crm.org.models import Office
from crm.org.queries import calendar_of

Kind = Milestone.Kind
WARN_SHARE = 4  # a warning when a quarter of the time is left
HIGHER_UP = timedelta(hours=4)  # after each of these the next level is told
SWEPT = 200
CHUNK = 500
SOON = gettext_noop("Almost due")  # translated when they are read
LATE = gettext_noop("Overdue")


def due_of(row: Milestone, calendar: WorkCalendar, pauses: list[Pause]) -> Due:
    """When a clock runs out. A pause adds the working time that fell into it before then;
    one that lasts still adds what has fallen into it so far."""
    if row.minutes is None:
        return Due(row.starts_at + timedelta(days=row.days or 0), False)
    minutes = float(row.minutes)
    due = add_working_time(calendar, row.starts_at, row.minutes)
    for pause in pauses:
        begins = max(pause.from_at, row.starts_at)
        ends = pause.until_at or now()
        if begins >= due.at or ends <= begins:
            continue
        minutes += working_minutes_between(calendar, begins, ends)
        due = add_working_time(calendar, row.starts_at, round(minutes))
    return due


def spans_of(
    row: Milestone, calendar: WorkCalendar, pauses: list[Pause]
) -> Iterator[tuple[datetime, datetime, float]]:
    """How a due time came about: the working spans up to it, each with the minutes that
    count, those of pauses left out. They add up to the clock's minutes."""
    for begins, ends in calendar.spans_from(row.starts_at):
        if begins >= row.due_at:
            return
        ends = min(ends, row.due_at)
        paused = sum(
            max(
                0.0,
                (
                    min(ends, p.until_at or now()) - max(begins, p.from_at)
                ).total_seconds(),
            )
            for p in pauses
        )
        yield begins, ends, ((ends - begins).total_seconds() - paused) / 60


def _milestone(
    complaint: Complaint,
    kind: str,
    calendar: WorkCalendar,
    *,
    at: datetime,
    minutes: int | None = None,
    days: int | None = None,
    turn: int = 1,
) -> Milestone:
    row = Milestone(
        complaint=complaint,
        kind=kind,
        round=turn,
        starts_at=at,
        minutes=minutes,
        days=days,
    )
    _set_due(row, due_of(row, calendar, []))
    return row


def _set_due(row: Milestone, due: Due) -> None:
    row.due_at, row.is_provisional = due.at, due.is_provisional
    warn_at = due.at - (due.at - row.starts_at) / WARN_SHARE
    row.next_at = warn_at if row.told == 0 else due.at + HIGHER_UP * (row.told - 1)


def start(complaint: Complaint, calendar: WorkCalendar) -> None:
    """The three clocks of a new complaint."""
    at = complaint.opened_at
    Milestone.objects.bulk_create(
        [
            _milestone(
                complaint, Kind.FIRST, calendar, at=at, minutes=FIRST_ANSWER_MINUTES
            ),
            _milestone(
                complaint, Kind.RESOLUTION, calendar, at=at, minutes=PROMISE_MINUTES
            ),
            _milestone(complaint, Kind.LEGAL, calendar, at=at, days=LEGAL_DAYS),
        ]
    )


def moved(complaint: Complaint, before: str, after: str, at: datetime) -> None:
    """What a move of the workflow does to the clocks."""
    if before == "new" and after != "cancelled":
        _meet(complaint, at, Kind.FIRST)
    if after == "replied":
        _meet(complaint, at, *Kind.values)
    if after in CLOSED:
        _meet(complaint, at, *Kind.values)
    if after == "suspended":
        Pause.objects.create(complaint=complaint, from_at=at)
        working = complaint.milestones.filter(met_at=None, minutes__isnull=False)
        working.update(next_at=None)
    elif before == "suspended":
        complaint.pauses.filter(until_at=None).update(until_at=at)
        count_anew(complaint, calendar_of(complaint.handling_office))
    if after == "reopened":
        calendar = calendar_of(complaint.handling_office)
        turn = complaint.milestones.filter(kind=Kind.RESOLUTION).count() + 1
        _milestone(
            complaint,
            Kind.RESOLUTION,
            calendar,
            at=at,
            minutes=PROMISE_MINUTES,
            turn=turn,
        ).save()


def _meet(complaint: Complaint, at: datetime, *kinds: str) -> None:
    rows = complaint.milestones.filter(kind__in=kinds, met_at=None)
    rows.update(met_at=at, next_at=None)


def count_anew(complaint: Complaint, calendar: WorkCalendar) -> bool:
    """Count open working clocks again; whether one has changed. The complaint's own
    columns follow, the promise never beyond the legal limit."""
    pauses, changed = list(complaint.pauses.all()), False
    is_waiting = any(pause.until_at is None for pause in pauses)
    for row in complaint.milestones.filter(met_at=None, minutes__isnull=False):
        due = due_of(row, calendar, pauses)
        changed |= (due.at, due.is_provisional) != (row.due_at, row.is_provisional)
        _set_due(row, due)
        if is_waiting:
            row.next_at = None
        row.save(update_fields=["due_at", "is_provisional", "next_at"])
        if row.round == 1:
            column = (
                "promised_due_at"
                if row.kind == Kind.RESOLUTION
                else "first_answer_due_at"
            )
            setattr(complaint, column, min(due.at, complaint.legal_due_at))
            complaint.is_provisional = due.is_provisional
    columns = ["promised_due_at", "first_answer_due_at", "is_provisional"]
    complaint.save(update_fields=columns)
    return changed


# --- jobs -------------------------------------------------------------------------------


def again_step(job: Job) -> bool:
    """Job: after a change of the calendar of an office (none: of all), count the open
    complaints of it and below anew, a chunk a step; one line in the trail for each that
    has changed."""
    rows = Complaint.objects.open().filter(pk__gt=job.cursor.get("after", 0))
    if code := job.params.get("office"):
        path = Office.objects.get(code=code).path
        rows = rows.filter(handling_office__path__startswith=path)
    chunk = list(
        rows.select_for_update(of=("self",))
        .select_related("handling_office")
        .order_by("pk")[:CHUNK]
    )
    calendars: dict[int, WorkCalendar] = {}
    for complaint in chunk:
        office = complaint.handling_office
        calendar = calendars.get(office.pk) or calendar_of(office)
        calendars[office.pk] = calendar
        if count_anew(complaint, calendar):
            details = {"promised": f"{complaint.promised_due_at}"}
            audit.record(
                job.actor,
                "complaint.clocks_counted",
                complaint,
                office=office,
                details=details,
            )
    if chunk:
        job.cursor = {"after": chunk[-1].pk}
    return len(chunk) < CHUNK


def sweep_step(job: Job) -> bool:
    """Job: warn who handles what is almost due; tell the supervisors of what is overdue,
    the nearest first and a level higher every four hours, up to the province.

    RACE: locked rows are left to whoever holds them; each telling has a key of its own.
    """
    rows = Milestone.objects.filter(next_at__lte=now()).order_by("next_at")
    rows = rows.select_for_update(of=("self",), skip_locked=True)
    found = list(rows.select_related("complaint__handling_office")[:SWEPT])
    for row in found:
        _tell(row)
        row.told += 1
        levels = row.complaint.handling_office.depth
        if row.told == 1:
            row.next_at = max(row.due_at, now())
        else:
            row.next_at = now() + HIGHER_UP if row.told <= levels else None
        row.save(update_fields=["told", "next_at"])
    job.done_units += len(found)
    return len(found) < SWEPT


def _tell(row: Milestone) -> None:
    office = row.complaint.handling_office
    subject = SOON if row.told == 0 else LATE
    for user in _people(office, row.told):
        queue_message(
            "in_app",
            subject=subject,
            body=f"{row.complaint.ref} {row.get_kind_display()}",
            to_user=user,
            url=row.complaint.get_absolute_url(),
            key=f"milestone:{row.pk}:{row.told}:{user.pk}",
        )


def _people(office: Office, told: int) -> list[User]:
    """Whom to tell: the office's handlers first (its supervisors, where it has none), then
    supervisors of it, of the office above, and so on."""
    postings = Posting.objects.in_force(localdate()).select_related("user")
    if told == 0:
        handlers = postings.filter(role=Role.HANDLER, office=office)
        if found := [posting.user for posting in handlers]:
            return found
    paths = [office.path[:end] for end in range(len(office.path), 0, -4)]
    for path in paths[max(told - 1, 0) :]:
        bosses = postings.filter(role=Role.SUPERVISOR, office__path=path)
        if found := [posting.user for posting in bosses]:
            return found
    return []


def shown(complaint: Complaint) -> list[tuple[Milestone, list]]:
    """The milestones of a complaint, each with how its due time came about. 5 queries."""
    calendar = calendar_of(complaint.handling_office)
    pauses = list(complaint.pauses.all())
    return [
        (row, list(spans_of(row, calendar, pauses)) if row.minutes else [])
        for row in complaint.milestones.all()
    ]
