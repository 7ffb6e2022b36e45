"""Once a minute: who is told that a clock runs out or has run out, and how high up.

Source: domain.md 6.2, anchors.md 2.3 and 3.1 (18, 22, 24). Telling is capped: each level
once for each clock, and one message a person and a sweep, however much is late.
"""

from collections import defaultdict

from django.urls import reverse
from django.utils.timezone import localdate, now
from django.utils.translation import gettext_noop, override

from complaints.models import Milestone
from complaints.services import people_of
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.jobs.models import Job
from crm.notify.services import tell
from crm.org.calendar import WorkCalendar, add_working_time
from crm.org.queries import ancestry, calendar_of

LADDER_MINUTES = 240  # of working time, after which the next level is told
SWEPT = 200
HOUSE_LANGUAGE = "zh-hans"  # of who has chosen none
SHOWN = 20  # lines of one message
SOON = gettext_noop("Almost due")  # translated when they are read
LATE = gettext_noop("Overdue")


def sweep_step(job: Job) -> bool:
    """Job: warn who handles what is almost due; tell the supervisors of what is overdue,
    the nearest first and a level higher every half working day, up to the province.

    RACE: locked rows are left to whoever holds them; rows and messages commit together.
    """
    rows = Milestone.objects.filter(next_at__lte=now()).order_by("next_at")
    rows = rows.select_for_update(of=("self",), skip_locked=True)
    found = list(
        rows.select_related("complaint__handling_office", "complaint__owner")[:SWEPT]
    )
    calendars: dict[int, WorkCalendar] = {}
    news: dict[tuple[User, str], list[Milestone]] = defaultdict(list)
    for row in found:
        office = row.complaint.handling_office
        if office.pk not in calendars:
            calendars[office.pk] = calendar_of(office)
        for user in _told(row):
            news[user, SOON if row.told == 0 else LATE].append(row)
        _step_up(row, calendars[office.pk])
    for (user, subject), told in news.items():
        _send(user, subject, told)
    job.done_units += len(found)
    return len(found) < SWEPT


def _step_up(row: Milestone, calendar: WorkCalendar) -> None:
    """When the clock speaks next: at its end, then level by level, then no more."""
    row.told += 1
    levels = row.complaint.handling_office.depth
    if row.told == 1:
        row.next_at = max(add_working_time(calendar, row.due_at, 0).at, now())
    elif row.told <= levels:
        row.next_at = add_working_time(calendar, now(), LADDER_MINUTES).at
    else:
        row.next_at = None
    row.save(update_fields=["told", "next_at"])


def _told(row: Milestone) -> list[User]:
    """Whom to tell: the owner or the office's handlers first (its supervisors, where it
    has none), then supervisors of it, of the office above, and so on."""
    complaint = row.complaint
    office = complaint.handling_office
    if row.told == 0 and (found := people_of(complaint)):
        return found
    postings = Posting.objects.in_force(localdate()).select_related("user", "office")
    upwards = ancestry(office)[::-1]
    for path in upwards[max(row.told - 1, 0) :]:
        bosses = list(postings.filter(role=Role.SUPERVISOR, office__path=path))
        if bosses:
            if row.told:
                complaint.escalated_to = bosses[0].office
                complaint.save(update_fields=["escalated_to"])
            return [posting.user for posting in bosses]
    return []


def _send(user: User, subject: str, rows: list[Milestone]) -> None:
    """One message, in the reader's language, for all that one sweep has to tell."""
    with override(user.language or HOUSE_LANGUAGE):
        lines = [f"{row.complaint.ref} {row.get_kind_display()}" for row in rows]
    more = [f"+ {len(lines) - SHOWN}"] if len(lines) > SHOWN else []
    one = rows[0].complaint
    everything = reverse("complaints:list") + "?view=overdue"
    tell(
        user,
        "order.clock",
        subject=subject,
        body="\n".join(lines[:SHOWN] + more),
        url=one.get_absolute_url() if len(rows) == 1 else everything,
        key=f"milestone:{rows[0].pk}:{rows[0].told}:{user.pk}",
        is_public=True,
    )
