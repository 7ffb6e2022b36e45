"""The clocks of a work order: milestones and pauses as rows.

Source: domain.md 6.2 and 6.3. Clocks in working minutes run in the handling office's
time and stand still while the work order waits for its customer; clocks in days run
through everything. A change of the calendar counts open clocks anew.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils.timezone import now

from complaints import limits
from complaints.models import Clock, Complaint, Milestone, Pause
from complaints.workflow import CLOSED, State
from crm.audit import services as audit
from crm.jobs.models import Job
from crm.org.calendar import (
    Due,
    WorkCalendar,
    add_working_time,
    working_minutes_between,
)
from crm.org.models import Office
from crm.org.queries import calendar_of

FROM_THE_START = (
    Clock.FIRST,
    Clock.CONTACT,
    Clock.RESOLUTION,
    Clock.LEGAL,
    Clock.APPEAL,
)
EACH_ROUND = (Clock.RESOLUTION, Clock.LEGAL, Clock.APPEAL)
MET_BY_ANSWER = FROM_THE_START  # who answers has made contact
WARN_SHARE = 4  # a warning when a quarter of the time is left,
LAW_WARNS = timedelta(hours=24)  # and a day before the law's limit (domain.md 2.1)
LOOK_BACK = timedelta(
    days=15
)  # for working time before a moment: longer than any feast
LAST_HOUR = timedelta(hours=1)
COLUMNS = ["due_at", "legal_due_at", "is_provisional"]  # of a work order, for lists
CHUNK = 500


def due_of(row: Milestone, calendar: WorkCalendar, pauses: list[Pause]) -> Due:
    """When a clock runs out. A pause adds the working time that fell into it before then;
    one that lasts still adds what has fallen into it so far. A granted extension is a
    moment that nothing moves."""
    if row.extended_to:
        return Due(row.extended_to, False)
    if row.minutes is None:
        return Due(row.starts_at + timedelta(days=row.days or 0), False)
    return _after(row.minutes, row.starts_at, calendar, pauses)


def _after(
    minutes: int, start: datetime, calendar: WorkCalendar, pauses: list[Pause]
) -> Due:
    total = float(minutes)
    due = add_working_time(calendar, start, minutes)
    for pause in pauses:
        begins = max(pause.from_at, start)
        ends = pause.until_at or now()
        if begins >= due.at or ends <= begins:
            continue
        total += working_minutes_between(calendar, begins, ends)
        due = add_working_time(calendar, start, round(total))
    return due


def warned_at(
    row: Milestone, due: datetime, calendar: WorkCalendar, pauses: list[Pause]
) -> datetime:
    """When handlers hear that a clock runs out: in their working time, before it does."""
    if row.minutes is not None and not row.extended_to:
        early = row.minutes * (WARN_SHARE - 1) // WARN_SHARE
        return min(due, _after(early, row.starts_at, calendar, pauses).at)
    left = (due - row.starts_at) / WARN_SHARE
    if row.kind in limits.LEGAL:
        left = min(left, LAW_WARNS)
    return _working_moment_before(calendar, due - left)


def _working_moment_before(calendar: WorkCalendar, at: datetime) -> datetime:
    """`at` if it is worked, else an hour before work last ended: time to act is left.
    `at` itself where nobody works for weeks."""
    found = at
    for begins, ends in calendar.spans_from(at - LOOK_BACK):
        if begins > at:
            break
        found = at if at < ends else max(begins, ends - LAST_HOUR)
    return found


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


def planned(
    complaint: Complaint,
    calendar: WorkCalendar,
    at: datetime,
    clocks: tuple[str, ...] = FROM_THE_START,
    turn: int = 1,
) -> list[Milestone]:
    """The clocks that would start at `at`, the earliest first; nothing is saved."""
    rows = []
    for clock, found in limits.fitting(complaint).items():
        if clock not in clocks:
            continue
        limit, due = limits.binding(found, calendar, at)
        row = Milestone(
            complaint=complaint,
            kind=clock,
            round=turn,
            limit=limit,
            starts_at=at,
            minutes=limit.minutes,
            days=limit.days,
        )
        _set_due(row, due, calendar, [])
        rows.append(row)
    return sorted(rows, key=lambda row: row.due_at)


def _set_due(
    row: Milestone, due: Due, calendar: WorkCalendar, pauses: list[Pause]
) -> None:
    row.due_at, row.is_provisional = due.at, due.is_provisional
    if row.told == 0:
        row.next_at = warned_at(row, due.at, calendar, pauses)
    elif row.told == 1:
        row.next_at = add_working_time(calendar, due.at, 0).at


def start(complaint: Complaint, calendar: WorkCalendar) -> None:
    """Save a new work order together with its clocks. Two queries beside the limits."""
    rows = planned(complaint, calendar, complaint.opened_at)
    _take(complaint, rows)
    complaint.save(force_insert=complaint.pk is None)
    Milestone.objects.bulk_create(rows)


def _take(complaint: Complaint, rows: list[Milestone]) -> None:
    """The columns that lists read: the earliest running clock, the earliest of the law."""
    legal = [row.due_at for row in rows if row.kind in limits.LEGAL]
    complaint.due_at = min((row.due_at for row in rows), default=None)
    complaint.legal_due_at = min(legal, default=None)
    complaint.is_provisional = any(row.is_provisional for row in rows)


def settle(complaint: Complaint) -> None:
    """Set those columns (COLUMNS) from the rows; who calls saves them. One query. While
    it waits for its customer only what does not stand still counts, if anything does."""
    rows = list(complaint.milestones.filter(met_at=None))
    if complaint.state == State.SUSPENDED:
        rows = [row for row in rows if row.minutes is None] or rows
    _take(complaint, rows)


def begin(
    complaint: Complaint, at: datetime, clocks: tuple[str, ...], turn: int
) -> None:
    """Start further clocks of a work order that is under way."""
    calendar = calendar_of(complaint.handling_office)
    Milestone.objects.bulk_create(planned(complaint, calendar, at, clocks, turn))


def replan(complaint: Complaint, at: datetime) -> list[Milestone]:
    """The work order has become one of another type. A clock that both types have goes on
    from where it began, so that no change of type restarts the law's; those of the new
    type alone begin now; those of the old alone are dropped and returned. What is met
    stays. Who calls saves COLUMNS."""
    calendar, turn = calendar_of(complaint.handling_office), complaint.rounds
    pauses = list(complaint.pauses.all())
    running = {row.kind: row for row in complaint.milestones.filter(met_at=None)}
    met = complaint.milestones.exclude(met_at=None).filter(round=turn)
    done = set(met.values_list("kind", flat=True))
    fresh = []
    for row in planned(complaint, calendar, at, turn=turn):
        old = running.pop(row.kind, None)
        if old is not None:
            [again] = planned(complaint, calendar, old.starts_at, (row.kind,), turn)
            old.limit, old.minutes, old.days = again.limit, again.minutes, again.days
            _set_due(old, due_of(old, calendar, pauses), calendar, pauses)
            old.save()
        elif row.kind not in done:
            fresh.append(row)
    Milestone.objects.bulk_create(fresh)
    dropped = list(running.values())
    complaint.milestones.filter(pk__in=[row.pk for row in dropped]).delete()
    settle(complaint)
    return dropped


def moved(complaint: Complaint, before: str, after: str, at: datetime) -> None:
    """What a move of the workflow does to the clocks; who calls saves COLUMNS. A pause
    ends before anything is met, so that what waited is never counted as late."""
    if before == State.SUSPENDED:
        complaint.pauses.filter(until_at=None).update(until_at=at)
        count_anew(complaint, calendar_of(complaint.handling_office))
    if before == State.NEW and after != State.CANCELLED:
        meet(complaint, at, Clock.FIRST)
    if after == State.REPLIED:
        meet(complaint, at, *MET_BY_ANSWER)
        begin(complaint, at, (Clock.FOLLOW_UP,), complaint.rounds)
    elif after in CLOSED:
        meet(complaint, at, *Clock.values)
    elif after == State.SUSPENDED:
        Pause.objects.create(complaint=complaint, from_at=at)
        working = complaint.milestones.filter(met_at=None, minutes__isnull=False)
        working.update(next_at=None)
    elif after == State.REOPENED:
        meet(complaint, at, Clock.FOLLOW_UP)
        begin(complaint, at, EACH_ROUND, complaint.rounds)
    settle(complaint)


def meet(complaint: Complaint, at: datetime, *kinds: str) -> None:
    """What the clocks of these kinds wait for has happened; settle() comes after it."""
    rows = complaint.milestones.filter(kind__in=kinds, met_at=None)
    rows.update(met_at=at, next_at=None)


def count_anew(complaint: Complaint, calendar: WorkCalendar) -> bool:
    """Count the running clocks again; whether one has changed, so that COLUMNS must be
    saved. Three queries, and one for each clock."""
    pauses, changed = list(complaint.pauses.all()), False
    is_waiting = any(pause.until_at is None for pause in pauses)
    for row in complaint.milestones.filter(met_at=None):
        due = due_of(row, calendar, pauses)
        changed |= (due.at, due.is_provisional) != (row.due_at, row.is_provisional)
        _set_due(row, due, calendar, pauses)
        if is_waiting and row.minutes is not None:
            row.next_at = None
        row.save(update_fields=["due_at", "is_provisional", "next_at"])
    settle(complaint)
    return changed


def again_step(job: Job) -> bool:
    """Job: after a change of the calendar of an office (none: of all), count the open
    work orders of it and below anew, a chunk a step; one line in the trail for each that
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
            complaint.save(update_fields=COLUMNS)
            details = {"due": f"{complaint.due_at}"}
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


def shown(complaint: Complaint) -> list[tuple[Milestone, list]]:
    """The milestones of a work order, each with how its due time came about. 5 queries."""
    calendar = calendar_of(complaint.handling_office)
    pauses = list(complaint.pauses.all())
    rows = complaint.milestones.select_related("limit__office")
    return [
        (row, list(spans_of(row, calendar, pauses)) if row.minutes else [])
        for row in rows
    ]
