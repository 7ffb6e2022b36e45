"""How long each kind of work order may take: rows (Limit), of which the earliest binds.

Source: domain.md 2.1 and 6.2. What is law comes from secondary pages and is data: an
office adds its provincial rule or a promise of its own, nobody edits a row in use.
"""

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from complaints.kinds import Kind, Scope
from complaints.models import Basis, Clock, Complaint, Limit
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.org.calendar import Due, WorkCalendar, add_working_time
from crm.org.models import Office
from crm.org.queries import ancestry
from customers.grades import benefits_of

DAY = 450  # working minutes of a day of 7.5 hours
OWN = gettext_noop("Own rule")  # translated when it is read
EXPRESS_LAW = "快递暂行条例第二十八条"
POST_LAW = "邮政法第四十九条"
APPEAL_RULE = "邮政用户申诉处理办法"
K, C, B = Kind, Clock, Basis
# (code, type, clock, basis, working minutes, calendar days, source[, further facts])
SEEDS: tuple[tuple, ...] = (
    ("pickup.first", K.PICKUP_DISPATCH, C.FIRST, B.PROMISE, 15, None, OWN),
    ("pickup.done", K.PICKUP_DISPATCH, C.RESOLUTION, B.PROMISE, 120, None, OWN),
    ("chase.first", K.DELIVERY_CHASE, C.FIRST, B.PROMISE, 120, None, OWN),
    ("chase.done", K.DELIVERY_CHASE, C.RESOLUTION, B.PROMISE, DAY, None, OWN),
    ("enquiry.first", K.ENQUIRY, C.FIRST, B.PROMISE, 120, None, OWN),
    ("enquiry.done", K.ENQUIRY, C.RESOLUTION, B.PROMISE, DAY, None, OWN),
    (
        *("enquiry.law", K.ENQUIRY, C.LEGAL, B.LAW, None, 30, POST_LAW),
        {"is_abroad": False},
    ),
    (
        *("enquiry.law.abroad", K.ENQUIRY, C.LEGAL, B.LAW, None, 60, POST_LAW),
        {"is_abroad": True},
    ),
    ("complaint.first", K.COMPLAINT, C.FIRST, B.PROMISE, 120, None, OWN),
    (
        *("complaint.first.key", K.COMPLAINT, C.FIRST, B.TIER, 30, None, OWN),
        {"benefit": "priority_queue"},
    ),
    ("complaint.contact", K.COMPLAINT, C.CONTACT, B.PROMISE, 240, None, OWN),
    ("complaint.done", K.COMPLAINT, C.RESOLUTION, B.PROMISE, 3 * DAY, None, OWN),
    ("complaint.law", K.COMPLAINT, C.LEGAL, B.LAW, None, 7, EXPRESS_LAW),
    ("appeal.first", K.APPEAL, C.FIRST, B.PROMISE, DAY, None, OWN),
    ("appeal.done", K.APPEAL, C.RESOLUTION, B.PROMISE, None, 10, OWN),
    ("appeal.law", K.APPEAL, C.APPEAL, B.LAW, None, 15, APPEAL_RULE),
    ("appeal.check.law", K.APPEAL, C.FOLLOW_UP, B.LAW, None, 5, APPEAL_RULE),
    ("address.first", K.ADDRESS_CHANGE, C.FIRST, B.PROMISE, 60, None, OWN),
    ("address.done", K.ADDRESS_CHANGE, C.RESOLUTION, B.PROMISE, DAY, None, OWN),
    ("recall.first", K.RECALL, C.FIRST, B.PROMISE, 60, None, OWN),
    ("recall.done", K.RECALL, C.RESOLUTION, B.PROMISE, DAY, None, OWN),
    ("problem.first", K.PROBLEM_ITEM, C.FIRST, B.PROMISE, 240, None, OWN),
    ("problem.done", K.PROBLEM_ITEM, C.RESOLUTION, B.PROMISE, 2 * DAY, None, OWN),
    ("claim.first", K.CLAIM, C.FIRST, B.PROMISE, DAY, None, OWN),
    ("claim.done", K.CLAIM, C.RESOLUTION, B.PROMISE, None, 30, OWN),
    (
        *("claim.done.key", K.CLAIM, C.RESOLUTION, B.TIER, None, 7, OWN),
        {"benefit": "green_channel"},
    ),
    *(
        (f"{kind}.{clock}", kind, clock, B.PROMISE, minutes, None, OWN)
        for kind in (K.CONSULTATION, K.SUGGESTION, K.COMMENDATION)
        for clock, minutes in ((C.FIRST, DAY), (C.RESOLUTION, 3 * DAY))
    ),
    # What was answered is looked after, and closed: no work order stays open for ever.
    *(
        (f"{kind}.check", kind, C.FOLLOW_UP, B.PROMISE, 2 * DAY, None, OWN)
        for kind in K
    ),
)
LEGAL = {Clock.LEGAL, Clock.APPEAL}


def seeds() -> list[Limit]:
    """The rules that every place begins with."""
    rows = []
    for code, kind, clock, basis, minutes, days, source, *more in SEEDS:
        facts: dict[str, Any] = more[0] if more else {}
        rows.append(
            Limit(
                code=code,
                kind=kind,
                clock=clock,
                basis=basis,
                minutes=minutes,
                days=days,
                source=source,
                since=date(2020, 1, 1),
                **facts,
            )
        )
    return rows


def fitting(complaint: Complaint) -> dict[str, list[Limit]]:
    """The limits that fit a work order, by clock. One query, another for a customer."""
    rows = Limit.objects.in_force(localdate()).filter(kind=complaint.kind)
    rows = rows.filter(channel__in=["", complaint.channel])
    is_abroad = complaint.scope == Scope.ABROAD
    rows = rows.filter(Q(is_abroad=None) | Q(is_abroad=is_abroad))
    here = Q(office__path__in=ancestry(complaint.handling_office))
    found: dict[str, list[Limit]] = defaultdict(list)
    wanted = list(rows.filter(Q(office=None) | here))
    is_asked = any(row.benefit for row in wanted)
    benefits = benefits_of(complaint.customer_id) if is_asked else []
    for row in wanted:
        if not row.benefit or row.benefit in benefits:
            found[row.clock].append(row)
    return found


def reckon(limit: Limit, calendar: WorkCalendar, start: datetime) -> Due:
    """When a limit that begins at `start` runs out, nothing paused."""
    if limit.minutes is None:
        return Due(start + timedelta(days=limit.days or 0), False)
    return add_working_time(calendar, start, limit.minutes)


def binding(
    limits: list[Limit], calendar: WorkCalendar, start: datetime
) -> tuple[Limit, Due]:
    """The earliest of law, provincial rule, promise and tier."""
    reckoned = [(limit, reckon(limit, calendar, start)) for limit in limits]
    return min(reckoned, key=lambda pair: (pair[1].at, pair[0].pk or 0))


@transaction.atomic
def add_limit(*, by: User, office: Office, **facts: Any) -> Limit:
    """A rule of an office for it and those below. It can bind only earlier than those
    above, never later. Refused("limit.no_end") when a law is given working minutes."""
    require(by, "limit.edit", office)
    if facts["clock"] in LEGAL and facts["minutes"]:
        raise Refused("limit.legal_days", _("A legal limit is counted in days."))
    limit = Limit.objects.create(office=office, **facts)
    details = {"limit": str(limit), "source": limit.source}
    audit.record(by, "limit.added", limit, office=office, details=details)
    return limit


@transaction.atomic
def end_limit(limit: Limit, *, by: User) -> None:
    """From tomorrow on it binds nothing new; work orders keep what they were given.

    Refused("limit.seed") for the rules that every place begins with.
    """
    limit = Limit.objects.select_for_update(of=("self",)).get(pk=limit.pk)
    if limit.office is None:
        message = _("The rules of law and of the company cannot be ended here.")
        raise Refused("limit.seed", message)
    require(by, "limit.edit", limit.office)
    if limit.until is None:
        limit.until = localdate()
        limit.save(update_fields=["until"])
        audit.record(by, "limit.ended", limit, office=limit.office)
