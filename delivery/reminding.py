"""The day's list and appointments near: told in the reader's working hours only."""

from datetime import datetime, timedelta

from django.db.models import Count, Q
from django.utils.timezone import localtime, now
from django.utils.translation import gettext_noop

from crm.access.models import User
from crm.jobs.models import Job
from crm.notify.models import Message
from crm.notify.services import tell
from delivery import planning
from delivery.models import Visit

TODAY = gettext_noop("Your visits today")  # translated when they are read
SOON = gettext_noop("An appointment within the hour")
NEAR = timedelta(hours=1)


def is_working(person: planning.Person, at: datetime) -> bool:
    """Whether somebody works at this very moment."""
    local = at.astimezone(person.calendar.zone)
    if person.is_away(local.date()):
        return False
    return next(person.calendar.spans_from(at), (None,))[0] == at


def remind_step(job: Job) -> bool:
    """Job, each few minutes: once a day the list, once an appointment the reminder."""
    at = now()
    today = localtime(at).date()
    waiting = Q(day=today) | Q(day=None, due_on__lt=today)
    counts = dict(
        Visit.objects.running()
        .filter(waiting)
        .exclude(visitor=None)
        .order_by()
        .values_list("visitor")
        .annotate(Count("pk"))
    )
    keys = {user: f"visits:{user}:{today}" for user in counts}
    told = set(
        Message.objects.filter(key__in=keys.values()).values_list("key", flat=True)
    )
    fresh = [user for user, key in keys.items() if key not in told]
    people = planning.people_of(fresh, today)
    for user in User.objects.filter(pk__in=people):
        if is_working(people[user.pk], at):
            tell(
                user,
                "visit",
                subject=TODAY,
                body=str(counts[user.pk]),
                url="/visits/",
                key=keys[user.pk],
            )
    _appointments(at)
    return True


def _appointments(at: datetime) -> None:
    begin, end = localtime(at), localtime(at + NEAR)
    if begin.date() != end.date():
        return
    rows = Visit.objects.running().filter(
        day=begin.date(), at__gt=begin.time(), at__lte=end.time()
    )
    found = list(rows.exclude(visitor=None).select_related("visitor"))
    users = [row.visitor_id or 0 for row in found]
    people = planning.people_of(users, begin.date())
    for row in found:
        person = people.get(row.visitor_id or 0)
        if person and is_working(person, at):
            key = f"visit:{row.pk}:soon:{row.day}:{row.at}"
            tell(
                row.visitor,
                "visit",
                subject=SOON,
                body=f"{row.at:%H:%M} {row.ref}",
                url=row.get_absolute_url(),
                key=key,
            )
