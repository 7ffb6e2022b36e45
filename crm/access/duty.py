"""Who is at work: shifts, where somebody has any, and absences, which always count."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.timezone import localdate

from crm.access.capabilities import may
from crm.access.models import Absence, Posting, Shift, User
from crm.audit import services as audit

ROSTER = timedelta(days=7)  # who has a shift so near works by shifts


def on_duty(people: Iterable[User], at: datetime) -> list[User]:
    """Those of `people` who work at `at`. Two queries."""
    wanted = list(people)
    today = localdate(at)
    away = Absence.objects.filter(first_day__lte=today, last_day__gte=today)
    absent = set(away.filter(user__in=wanted).values_list("user", flat=True))
    near = Shift.objects.filter(
        user__in=wanted, ends_at__gt=at - ROSTER, starts_at__lt=at + ROSTER
    )
    rostered, working = set(), set()
    for user, starts_at, ends_at in near.values_list("user", "starts_at", "ends_at"):
        rostered.add(user)
        if starts_at <= at < ends_at:
            working.add(user)
    return [
        user
        for user in wanted
        if user.pk not in absent and (user.pk not in rostered or user.pk in working)
    ]


def under(user: User) -> QuerySet[User]:
    """The people whose duty `user` keeps: those posted at or below their offices."""
    inside = Q(pk__in=[])
    for posting in user.posts("supervisor"):
        inside |= Q(office__path__startswith=posting.office.path)
    posted = Posting.objects.in_force(localdate()).filter(inside)
    return User.objects.filter(pk__in=posted.values("user")).order_by("full_name")


def _require_over(by: User, person: User) -> None:
    if not may(by, "duty.edit") or not under(by).filter(pk=person.pk).exists():
        raise PermissionDenied("duty.edit")


@transaction.atomic
def add_absence(
    person: User,
    *,
    by: User,
    first_day: date,
    last_day: date,
    reason: str = "",
    substitute: User | None = None,
) -> Absence:
    """Days away; the substitute makes the visits whose whole window lies in them."""
    _require_over(by, person)
    facts: dict[str, Any] = {"first_day": first_day, "last_day": last_day}
    facts["substitute"] = substitute
    row = Absence.objects.create(user=person, reason=reason, **facts)
    audit.record(by, "duty.absence_added", person, details={"days": str(row)})
    return row


@transaction.atomic
def add_shift(
    person: User, *, by: User, starts_at: datetime, ends_at: datetime
) -> Shift:
    """The same shift twice is one."""
    _require_over(by, person)
    row, _made = Shift.objects.update_or_create(
        user=person, starts_at=starts_at, defaults={"ends_at": ends_at}
    )
    audit.record(by, "duty.shift_added", person, details={"hours": str(row)})
    return row


@transaction.atomic
def remove(row: Absence | Shift, *, by: User) -> None:
    _require_over(by, row.user)
    audit.record(by, "duty.removed", row.user, details={"was": str(row)})
    row.delete()
