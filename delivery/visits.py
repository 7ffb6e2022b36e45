"""Visits: asked for, appointed, put on a day, missed, dropped, given away, put in order.

Other modules ask by `request_visit`; what it plans is written by delivery.planning.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from crm.access.capabilities import may, require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.hooks.services import emit
from crm.notify.services import tell
from customers.models import Customer
from customers.services import locked as locked_customer
from customers.services import tell_supervisors
from delivery import planning
from delivery.models import Visit, VisitType, Way
from delivery.planning_night import follow_manager
from delivery.visit_rules import PRIORITY, rule_for, window_of

APPOINTED = gettext_noop("An appointment for you")  # translated when it is read
GIVEN = gettext_noop("A visit for you")
MISSED = gettext_noop("A visit was missed three times")
TOO_OFTEN = 3
FARTHEST = timedelta(days=400)
ASKED_BY_RULE = (VisitType.ALERT, VisitType.COMPLAINT)  # whose windows are rules
State = Visit.State


def locked(visit: Visit) -> Visit:
    """The visit's row, locked behind its customer's; Refused("visit.closed") once it is
    done or dropped, saying by whom."""
    Customer.objects.select_for_update(of=("self",)).get(pk=visit.customer_id)
    rows = Visit.objects.select_for_update(of=("self",))
    row = rows.select_related("customer__office", "closed_by").get(pk=visit.pk)
    if row.state == State.OPEN:
        return row
    who = row.closed_by or _("the system")
    facts = {"who": who, "day": f"{row.closed_at:%Y-%m-%d}"}
    if row.state == State.DONE:
        message = _("%(who)s has logged this visit on %(day)s already.")
    else:
        message = _("%(who)s dropped this visit on %(day)s.")
    raise Refused("visit.closed", message % facts)


def may_act(user: User, visit: Visit) -> bool:
    """Whoever goes, and the supervisors of the office; the customer's managers, unless
    it was given to somebody else or is a leader's."""
    is_anothers = visit.is_given or visit.type == VisitType.LEADERSHIP
    if visit.visitor_id == user.pk or (visit.customer.is_of(user) and not is_anothers):
        return may(user, "visit.log")
    return may(user, "visit.give", visit.customer.office)


def _require(by: User | None, visit: Visit) -> None:
    if by is not None and not may_act(by, visit):
        raise PermissionDenied("visit.log")


@transaction.atomic
def request_visit(
    customer: Customer,
    *,
    type: str,
    source: str,
    by: User | None = None,
    first_day: date | None = None,
    due_on: date | None = None,
    way: str = "",
    visitor: User | None = None,
    note: str = "",
) -> Visit:
    """Have a customer visited; the same `source` again is the same visit.

    Without a window the type's rule gives it. Who goes: the customer's manager, or
    `visitor`. Planned by a worker a moment later. Rights are the caller's, which knows the
    reason. Cost: eight queries.
    """
    row = locked_customer(customer)
    if known := Visit.objects.filter(source=source).first():
        return known
    rule = rule_for(type, row.office) if type in ASKED_BY_RULE else None
    opens, ends = window_of(rule, row.office, localdate())
    opens = first_day or opens
    made = Visit.objects.create(
        type=type,
        way=way or (rule.way if rule else Way.VISIT),
        customer=row,
        office=row.office,
        visitor_id=visitor.pk if visitor else row.manager_id,
        is_given=visitor is not None,
        rule=rule,
        source=source,
        note=note,
        first_day=opens,
        due_on=max(opens, due_on or ends),
        priority=PRIORITY[VisitType(type)],
        asked_by=by,
    )
    follow_manager(made, localdate())
    made.refresh_from_db(fields=["visitor"])
    planning.plan_soon(made.visitor_id)
    audit.record(by, "visit.requested", made, office=row.office)
    return made


def clash(visit: Visit, day: date, at: time | None) -> str:
    """What speaks against a day and time, in words; "" when nothing. Four queries."""
    rows = Visit.objects.running().filter(visitor=visit.visitor_id, day=day)
    rows = rows.exclude(pk=visit.pk)
    if at is not None and (said := _overlap(rows, visit, day, at)):
        return said
    people = planning.people_of([visit.visitor_id] if visit.visitor_id else [], day)
    if not people:
        return _("Nobody is named who could go.")
    (person,) = people.values()
    if person.is_away(day):
        return _("Absent on this day.")
    if not person.calendar.windows_on(day):
        return _("No working day.")
    count = rows.filter(way=visit.way).count()
    if count < (person.visits if visit.way == Way.VISIT else person.calls):
        return ""
    said = ngettext(
        "%(n)s is planned for this day: it is full.",
        "%(n)s are planned for this day: it is full.",
        count,
    )
    return said % {"n": count}


def _overlap(rows: QuerySet[Visit], visit: Visit, day: date, at: time) -> str:
    begins = datetime.combine(day, at)
    ends = begins + timedelta(minutes=visit.minutes)
    for other in rows.exclude(at=None):
        start = datetime.combine(day, other.at or at)
        if start < ends and begins < start + timedelta(minutes=other.minutes):
            facts = {"at": f"{other.at:%H:%M}", "n": other.minutes}
            return _("There is an appointment at %(at)s (%(n)s minutes).") % facts
    return ""


def _check_day(day: date) -> None:
    if day < localdate():
        raise Refused("visit.past", _("This day has passed."))
    if day > localdate() + FARTHEST:
        raise Refused("visit.far", _("This day is too far away."))


@transaction.atomic
def appoint(
    customer: Customer,
    *,
    by: User,
    day: date,
    at: time,
    minutes: int = 60,
    note: str = "",
    even_so: bool = False,
    type: str = VisitType.APPOINTMENT,
    way: str = Way.VISIT,
) -> Visit:
    """A visit at the time the customer asked for (R-VIS-28). Only on working days, and
    not beside another appointment or on a full day unless `even_so`.

    Refused: "visit.past", "visit.far", "visit.nobody", "visit.double" (may be repeated
    with even_so).
    """
    row = locked_customer(customer)
    require(by, "visit.request", row.office)
    _check_day(day)
    if row.manager_id is None:
        message = _("The customer has no manager who could go: assign one first.")
        raise Refused("visit.nobody", message)
    made = _appointment(row, by, day, at, type)
    made.way, made.minutes, made.note = way, minutes, note
    if known := Visit.objects.filter(source=made.source).first():
        if known.state == State.OPEN:
            return known
        made.source += f":{now():%y%m%d%H%M%S%f}"
    if not even_so and (said := clash(made, day, at)):
        raise Refused("visit.double", said)
    made.save()
    follow_manager(made, localdate())
    made.refresh_from_db(fields=["visitor"])
    _tell(made, APPOINTED, by)
    planning.plan_soon(made.visitor_id)
    audit.record(by, "visit.appointed", made, office=row.office)
    emit("visit.appointed", [row.office], {"ref": made.ref, "day": f"{day}"})
    return made


def _appointment(
    customer: Customer, by: User, day: date, at: time, type_: str
) -> Visit:
    """Unsaved: the same wish has the same source."""
    return Visit(
        type=type_,
        customer=customer,
        office=customer.office,
        visitor_id=customer.manager_id,
        source=f"{type_}:{customer.pk}:{day}:{at:%H%M}",
        first_day=day,
        due_on=day,
        priority=PRIORITY[VisitType(type_)],
        day=day,
        at=at,
        is_pinned=True,
        why={"code": "asked"},
        asked_by=by,
    )


def _tell(visit: Visit, subject: str, by: User | None) -> None:
    """News for who goes, unless they did it themselves."""
    if visit.visitor and visit.visitor != by:
        tell(
            visit.visitor,
            "visit",
            subject=subject,
            url=visit.get_absolute_url(),
            key=f"visit:{visit.pk}:{visit.visitor_id}:{visit.day}:{visit.at}"[:110],
        )


@transaction.atomic
def put(
    visit: Visit, *, by: User, day: date, at: time | None = None, even_so: bool = False
) -> Visit:
    """Fix a visit on a day by hand: planning leaves it there.

    Refused: "visit.closed", "visit.past", "visit.far", "visit.double" (see appoint).
    """
    row = locked(visit)
    _require(by, row)
    _check_day(day)
    if not even_so and (said := clash(row, day, at)):
        raise Refused("visit.double", said)
    row.day, row.at, row.is_pinned, row.place = day, at, True, 0
    row.why = {"code": "hand", "by": str(by)}
    row.save(update_fields=["day", "at", "is_pinned", "place", "why"])
    _tell(row, GIVEN, by)
    planning.plan_soon(row.visitor_id)
    audit.record(by, "visit.put", row, office=row.office, details={"day": f"{day}"})
    return row


@transaction.atomic
def free(visit: Visit, *, by: User) -> Visit:
    """Give the day back to the plan."""
    row = locked(visit)
    _require(by, row)
    row.day = row.at = None
    row.is_pinned = False
    row.save(update_fields=["day", "at", "is_pinned"])
    if row.visitor_id:
        planning.plan_people([row.visitor_id])
    audit.record(by, "visit.freed", row, office=row.office)
    row.refresh_from_db()
    return row


@transaction.atomic
def miss(visit: Visit, *, by: User, words: str = "") -> Visit:
    """Nobody there, or no time: planned again, not for the same day; the others stay
    where they can, and its window stays what it was. The third miss is told upwards."""
    row = locked(visit)
    _require(by, row)
    row.misses += 1
    row.day = row.at = None
    row.is_pinned = False
    row.not_before = localdate() + timedelta(days=1)
    row.note = (f"{row.note} · {words}" if row.note else words)[:300]
    row.save()
    if row.visitor_id:
        planning.plan_people([row.visitor_id])
    if row.misses == TOO_OFTEN:
        key, url = f"missed:{row.pk}", row.get_absolute_url()
        tell_supervisors(row.customer.office, MISSED, key=key, url=url, but=by)
    audit.record(by, "visit.missed", row, office=row.office)
    row.refresh_from_db()
    return row


def may_drop(user: User, visit: Visit) -> bool:
    """An appointment or one's own visit: whoever goes or asked; others: a supervisor."""
    is_own = visit.type in (VisitType.APPOINTMENT, VisitType.OTHER, VisitType.ACTIVITY)
    if is_own and (visit.asked_by_id == user.pk or may_act(user, visit)):
        return True
    return may(user, "visit.give", visit.customer.office)


@transaction.atomic
def drop(visit: Visit, *, by: User, reason: str) -> Visit:
    """It will not take place; on a plan's list it still counts as not covered."""
    row = locked(visit)
    if not may_drop(by, row):
        raise PermissionDenied("visit.drop")
    row.state, row.reason = State.DROPPED, reason
    row.closed_by, row.closed_at = by, now()
    row.day = row.at = None
    row.is_pinned = False
    row.save()
    audit.record(by, "visit.dropped", row, office=row.office)
    return row


@transaction.atomic
def give(visit: Visit, *, by: User, to: User | None) -> Visit:
    """Let somebody else go; None gives it back to the customer's manager."""
    row = locked(visit)
    require(by, "visit.give", row.customer.office)
    before = row.visitor_id
    row.is_given, row.visitor = to is not None, to or row.customer.manager
    if not row.is_pinned:
        row.day = None
    row.save(update_fields=["is_given", "visitor", "day"])
    _tell(row, GIVEN, by)
    for user in {before, row.visitor_id} - {None}:
        planning.plan_soon(user)
    audit.record(by, "visit.given", row, office=row.office, details={"to": str(to)})
    return row


@transaction.atomic
def arrange(user: User, day: date, order: Sequence[int]) -> None:
    """Put one's own day in order; what is not named, or not on that day, stays behind."""
    rows = Visit.objects.running().filter(visitor=user, day=day).select_for_update()
    places: dict[int, Any] = {pk: n for n, pk in enumerate(order, 1)}
    changed = []
    for row in rows:
        row.place = places.get(row.pk, len(places) + 1)
        changed.append(row)
    Visit.objects.bulk_update(changed, ["place"])
