"""Due visits onto working days: read for some people, schedule, write what changed.

The night plans everybody, prefecture by prefecture; a miss, an appointment or a button
plans one person at once. RACE: a lock per person keeps the night and a button apart.
"""

import json
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils.timezone import localdate, localtime

from crm.access.models import Absence, Posting
from crm.jobs.services import enqueue
from crm.org.calendar import WorkCalendar
from crm.org.queries import calendar_of
from customers.models import CustomerAddress
from delivery.models import Visit, VisitCapacity, Way
from delivery.scheduling import Schedule, Wanted, most, schedule

HORIZON = 40  # working days ahead
CHUNK = 200  # people a step of a job
VISITS, CALLS = 5, 12  # a day, of a manager
LEADER_VISITS, LEADER_CALLS = 1, 4
RANKS = 3  # grades that weigh more, from the top
ROAD = re.compile(r"([\u4e00-\u9fff]{1,6}?(?:大道|路|街|巷|道))")
LOCK = "SELECT pg_advisory_xact_lock(hashtext('visits'), %s)"


@dataclass
class Load:
    """What one person's plan holds: the figures that the planning page shows."""

    kept: int = 0
    bound: int = 0
    late: int = 0  # planned behind their window: no slot was free in it
    unplaced: int = 0
    moved: int = 0

    @property
    def gap(self) -> int:
        return self.bound - self.kept

    def add(self, other: "Load") -> None:
        for name in vars(other):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True, slots=True)
class Due:
    """An open visit as it is read."""

    pk: int
    visitor: int
    way: str
    type: str
    first_day: date
    due_on: date
    priority: int
    day: date | None
    is_pinned: bool
    rank: int | None
    value: str
    customer: int
    not_before: date | None


@dataclass
class Person:
    calendar: WorkCalendar
    visits: int
    calls: int
    away: list[tuple[date, date]] = field(default_factory=list)

    def is_away(self, day: date) -> bool:
        return any(first <= day <= last for first, last in self.away)


def horizon(calendar: WorkCalendar, today: date) -> list[date]:
    """The next working days from today on, at most HORIZON."""
    days: list[date] = []
    for offset in range(3 * HORIZON):
        day = today + timedelta(days=offset)
        if calendar.windows_on(day):
            days.append(day)
        if len(days) == HORIZON:
            break
    return days


def people_of(users: Collection[int], today: date) -> dict[int, Person]:
    """Calendar, capacity and absences of some people. Four queries and the calendars."""
    postings = Posting.objects.in_force(today).filter(
        user__in=users, role__in=["manager", "supervisor"], user__is_active=True
    )
    calendars: dict[int, WorkCalendar] = {}
    found: dict[int, Person] = {}
    for posting in postings.select_related("office").order_by("user", "role", "pk"):
        if posting.user_id in found:
            continue
        if posting.office_id not in calendars:
            calendars[posting.office_id] = calendar_of(posting.office)
        is_manager = posting.role == "manager"
        found[posting.user_id] = Person(
            calendars[posting.office_id],
            VISITS if is_manager else LEADER_VISITS,
            CALLS if is_manager else LEADER_CALLS,
        )
    for row in VisitCapacity.objects.filter(user__in=found):
        found[row.user_id].visits, found[row.user_id].calls = row.visits, row.calls
    away = Absence.objects.filter(user__in=found, last_day__gte=today)
    for user, first, last in away.values_list("user", "first_day", "last_day"):
        found[user].away.append((first, last))
    return found


def _due(users: Collection[int]) -> dict[int, list[Due]]:
    rows = Visit.objects.running().filter(visitor__in=users)
    found: dict[int, list[Due]] = defaultdict(list)
    for row in rows.order_by("pk").values_list(
        "pk",
        "visitor",
        "way",
        "type",
        "first_day",
        "due_on",
        "priority",
        "day",
        "is_pinned",
        "customer__grade__rank",
        "customer__value__value_class",
        "customer",
        "not_before",
    ):
        due = Due(*row)
        found[due.visitor].append(due)
    return found


def _areas(customers: Collection[int]) -> dict[int, str]:
    """District and road of each customer's pick-up address, or else of the first.

    COST: one query; addresses are opened, some 10 µs each.
    """
    rows = CustomerAddress.objects.filter(customer__in=customers).exclude(region="")
    found: dict[int, str] = {}
    picked = set()
    for customer, region, kind, address in rows.order_by("pk").values_list(
        "customer", "region", "type", "text"
    ):
        is_pickup = kind == CustomerAddress.Type.PICKUP
        if customer in picked or (customer in found and not is_pickup):
            continue
        road = ROAD.search(_behind_region(address))
        found[customer] = region + (road.group(1) if road else "")
        if is_pickup:
            picked.add(customer)
    return found


def _behind_region(address: str) -> str:
    """What follows province, city and district."""
    return re.split(r"[省市区县]", address)[-1]


def weight_of(due: Due) -> int:
    """Whom to keep first when not all can be: by purpose, then grade, then value."""
    top = max(0, RANKS - due.rank) if due.rank is not None else 0
    return 8 * due.priority + 2 * top + (due.value == "high")


def plan_people(users: Collection[int], today: date | None = None) -> dict[int, Load]:
    """Plan some people's open visits; what each one's plan holds.

    Within a transaction; a visit that a person has fixed stays where it is. Cost: eight
    queries and one a calendar, whatever the number; some 2 ms a person.
    """
    today = today or localdate()
    with transaction.atomic():
        with connection.cursor() as cursor:
            for user in sorted(users):
                cursor.execute(LOCK, [user])
        people, dues = people_of(users, today), _due(users)
        areas = _areas({due.customer for rows in dues.values() for due in rows})
        loads, changes = {}, []
        for user in users:
            load, changed = _plan_one(people.get(user), dues[user], areas, today)
            loads[user] = load
            changes += changed
        _write(changes)
    return loads


def _plan_one(
    person: Person | None, dues: list[Due], areas: dict[int, str], today: date
) -> tuple[Load, list[tuple]]:
    """One person's plan: (its figures, (pk, day, why) of what differs)."""
    total = Load()
    changes: list[tuple] = []
    if person is None:
        return Load(unplaced=len(dues)), [
            (due.pk, None, {"code": "left"}) for due in dues
        ]
    days = horizon(person.calendar, today)
    for way, slots in ((Way.VISIT, person.visits), (Way.CALL, person.calls)):
        mine = [due for due in dues if due.way == way]
        room = [0 if person.is_away(day) else slots for day in days]
        load, changed = _place(mine, days, room, areas, today)
        total.add(load)
        changes += changed
    return total, changes


def _at(days: list[date], day: date | None) -> int | None:
    """The index of a working day; None of any other."""
    if day is None:
        return None
    at = bisect_left(days, day)
    return at if at < len(days) and days[at] == day else None


def _wanted(due: Due, days: list[date], area: str, start: int) -> Wanted | None:
    """The visit with its window as indexes, empty where it has passed; None when it
    opens behind the horizon. What is planned for today stays, what is new comes after."""
    held = _at(days, due.day)
    if due.is_pinned:
        return Wanted(due.pk, 0, 0, 9, area, held, True)
    first = bisect_left(days, max(due.first_day, due.not_before or due.first_day))
    if first == len(days):
        return None
    is_begun = held is not None and held < start
    earliest = first if is_begun else max(first, start)
    last = bisect_right(days, due.due_on) - 1
    return Wanted(due.pk, earliest, last, weight_of(due), area, held)


def _place(
    dues: list[Due],
    days: list[date],
    room: list[int],
    areas: dict[int, str],
    today: date,
) -> tuple[Load, list[tuple]]:
    if not days:
        return Load(unplaced=len(dues)), [
            (due.pk, None, {"code": "calendar"}) for due in dues if not due.is_pinned
        ]
    start = _first_open(days, today)
    wanted = {}
    for due in dues:
        one = _wanted(due, days, areas.get(due.customer, ""), start)
        if one is not None:
            wanted[due.pk] = one
    fixed = [o for o in wanted.values() if o.is_pinned and o.held is not None]
    elsewhere = sum(o.is_pinned for o in wanted.values()) - len(
        fixed
    )  # as somebody wished
    inside = [o for o in wanted.values() if not o.is_pinned and o.last >= o.first]
    plan = schedule(fixed + inside, room)
    left = list(room)
    for day in plan.day.values():
        left[day] -= 1
    rest = [
        Wanted(
            o.key,
            max(o.last + 1, o.first, start),
            len(days) - 1,
            o.weight,
            o.area,
            o.held,
        )
        for o in wanted.values()
        if not o.is_pinned and o.key not in plan.day
    ]
    rest = [o for o in rest if o.first <= o.last]
    later = schedule(rest, left) if rest else Schedule()
    load = Load(
        kept=plan.kept + elsewhere,
        bound=plan.bound + elsewhere,
        late=later.kept,
        unplaced=len(wanted) - plan.kept - later.kept - elsewhere,
        moved=len(plan.moved) + len(later.moved),
    )
    return load, list(_changes(dues, days, room, plan, later, wanted))


def _first_open(days: list[date], today: date) -> int:
    """New visits go onto today only while the day is young."""
    is_begun = days[0] == today and localdate() == today and localtime().hour >= 9
    return 1 if is_begun and len(days) > 1 else 0


def _changes(
    dues: list[Due],
    days: list[date],
    room: list[int],
    plan: Schedule,
    later: Schedule,
    wanted: dict[int, Wanted],
) -> Iterable[tuple]:
    """(pk, day, why) of each visit whose day changes."""
    for due in dues:
        if due.is_pinned:
            continue
        if due.pk in plan.day:
            day = days[plan.day[due.pk]]
            company = plan.company.get(due.pk, 0)
            why: dict[str, Any] = {"code": "near" if company > 0 else "window"}
            why |= {"n": company} if company > 0 else {}
        elif due.pk in later.day:
            day, why = days[later.day[due.pk]], {"code": "late"}
        elif due.pk in wanted:
            one = wanted[due.pk]
            slots = sum(max(0, n) for n in room[max(0, one.first) :])
            day, why = None, {"code": "full" if slots else "capacity"}
        else:
            day, why = None, {"code": "ahead"}
        if due.day and day and day != due.day:
            why["from"] = f"{due.day}"
        if day != due.day or day is None:
            yield due.pk, day, why


WRITE = """
UPDATE delivery_visit v SET day = d.day::date, why = d.why::jsonb, place = 0
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS d(id, day, why)
WHERE v.id = d.id AND v.state = 'open' AND NOT v.is_pinned
    AND (v.day IS DISTINCT FROM d.day::date OR v.why <> d.why::jsonb)"""


def _write(changes: list[tuple]) -> None:
    if not changes:
        return
    ids = [pk for pk, _day, _why in changes]
    days = [f"{day}" if day else None for _pk, day, _why in changes]
    whys = [json.dumps(why) for _pk, _day, why in changes]
    with connection.cursor() as cursor:
        cursor.execute(WRITE, [ids, days, whys])


# --- asked for ---------------------------------------------------------------------------


def plan_soon(user_id: int | None) -> None:
    """Have a person's plan made by a worker, once the caller has committed."""
    if user_id is not None:
        enqueue("delivery.plan_user", {"user": user_id})


def loads_of(users: Collection[int], today: date) -> dict[int, Load]:
    """The figures of people's plans as they stand: kept within their windows, what could
    be kept at most, planned late, not placed. Five queries and the calendars."""
    people, dues = people_of(users, today), _due(users)
    return {user: _load_of(people.get(user), dues[user], today) for user in users}


def _load_of(person: Person | None, dues: list[Due], today: date) -> Load:
    days = horizon(person.calendar, today) if person else []
    if person is None or not days:
        return Load(unplaced=len(dues))
    total, last = Load(), days[-1]
    for way, slots in ((Way.VISIT, person.visits), (Way.CALL, person.calls)):
        room = [0 if person.is_away(day) else slots for day in days]
        mine = [due for due in dues if due.way == way and due.first_day <= last]
        total.add(_figures(mine, days, room))
    return total


def _figures(mine: list[Due], days: list[date], room: list[int]) -> Load:
    free = list(room)
    pinned = [due for due in mine if due.is_pinned]
    for due in pinned:
        if (at := _at(days, due.day)) is not None:
            free[at] -= 1
    loose = []
    for due in mine:
        one = None if due.is_pinned else _wanted(due, days, "", 0)
        if one is not None and one.last >= one.first:
            loose.append(one)
    in_time = [d for d in mine if d.day and (d.is_pinned or d.day <= d.due_on)]
    return Load(
        kept=len(in_time),
        bound=max(most(loose, free) + len(pinned), len(in_time)),
        late=sum(d.day is not None for d in mine) - len(in_time),
        unplaced=sum(d.day is None for d in mine),
    )
