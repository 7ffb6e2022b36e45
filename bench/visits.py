"""`python -m bench.visits`: a season's visits planned, proved against a bound, moved, counted.

First 3,000 customers of 25 managers with absences and 200 appointments; then 100,000
visits of 800 managers; then a million visits in the table, for the pages' statements.
With ortools installed the same windows go to its solver, too.
"""

import csv
import io
import os
import random
import shutil
import time
from datetime import date, timedelta
from datetime import time as clock
from importlib.util import find_spec

from bench.parts import FOLDER, best, say

TODAY = date(2026, 11, 23)
ROADS = [f"{a}{b}路" for a in "珞喻中山解放和平友谊" for b in "东西南北"]
STORED = int(os.environ.get("BENCH_VISITS", "1000000"))


def people(office, count: int, first: int) -> list:
    from crm.access.models import Posting, User

    made = User.objects.bulk_create(
        User(username=f"v{first + n}", full_name=f"v{first + n}", password="!")
        for n in range(count)
    )
    Posting.objects.bulk_create(
        Posting(user=user, office=office, role="manager", valid_from=date(2020, 1, 1))
        for user in made
    )
    return made


def customers(cursor, office, users: list, each: int, first: int) -> list[int]:
    """Customers with an address in one of 13 districts, on one of the roads."""
    from customers.models import CustomerAddress

    rng = random.Random(first)
    field = CustomerAddress._meta.get_field("text")
    rows, places = io.StringIO(), io.StringIO()
    writer, place_writer = csv.writer(rows), csv.writer(places)
    ids = list(range(first, first + each * len(users)))
    for n, pk in enumerate(ids):
        manager = users[n // each].pk
        writer.writerow(
            [pk, office.pk, f"V{pk}", "corporate", "contract", f"V{pk}", "v", "v", "{}"]
            + [manager, "now()"]
        )
        region = f"4201{rng.randint(1, 13):02d}"
        text = f"武汉市武昌区{rng.choice(ROADS)}{rng.randint(1, 300)}号"
        sealed = "\\x" + field.sealed(text).hex()
        place_writer.writerow(
            [pk, "pickup", sealed, region, "430000", "B", 80, "import"]
        )
    for table, columns, data in (
        (
            "customers_customer",
            "id, office_id, code, kind, segment, name, pinyin, initials, name_bigrams, "
            "manager_id, created_at",
            rows,
        ),
        (
            "customers_customeraddress",
            "customer_id, type, text, region, postcode, quality, score, source",
            places,
        ),
    ):
        data.seek(0)
        cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN (FORMAT csv)", data)
    return ids


VISITS = """
INSERT INTO delivery_visit (type, way, customer_id, office_id, visitor_id, is_given, source,
    note, first_day, due_on, priority, state, minutes, place, is_pinned, why, misses,
    made_at, reason)
SELECT 'regular', 'visit', c.id, c.office_id, c.manager_id, false, 'bench:' || c.id, '',
       %(today)s::date + (c.id * 7919 %% 50)::int,
       %(today)s::date + (c.id * 7919 %% 50)::int + (c.id * 104729 %% 18)::int,
       1 + c.id %% 9, 'open', 60, 0, false, '{}', 0, now(), ''
FROM customers_customer c WHERE c.id = ANY(%(ids)s)"""


def appointments(users: list, count: int) -> None:
    from delivery.models import Visit

    rng = random.Random(5)
    rows = list(Visit.objects.filter(visitor__in=users).order_by("pk"))
    for row in rng.sample(rows, count):
        day = TODAY + timedelta(days=rng.randrange(50))
        while day.weekday() > 4:
            day += timedelta(days=1)
        Visit.objects.filter(pk=row.pk).update(
            day=day,
            first_day=day,
            due_on=day,
            at=clock(rng.randint(9, 16)),
            is_pinned=True,
        )


def proof(users: list, days_of) -> None:
    """The first goal: windows kept against a flow that knows nothing of our method."""
    from delivery import planning, visits
    from delivery.models import Visit

    began = time.perf_counter()
    loads = planning.plan_people([user.pk for user in users], TODAY)
    seconds = time.perf_counter() - began
    total = planning.Load()
    for load in loads.values():
        total.add(load)
    say("3,000 visits of 25 people planned", f"{seconds:.2f} s")
    say(
        "windows kept / bound / gap",
        f"{total.kept} / {total.bound} / {total.gap}; behind the window {total.late}, "
        f"without a day {total.unplaced}",
    )
    flow, over, outside = days_of(users)
    say("windows that a maximum flow (scipy) keeps", str(flow))
    say(
        "days over capacity beside appointments / kept outside the window",
        f"{over} / {outside}",
    )
    before = dict(Visit.objects.filter(visitor__in=users).values_list("pk", "day"))
    rng = random.Random(9)
    loose = Visit.objects.running().filter(visitor__in=users, is_pinned=False)
    missed = rng.sample(list(loose.filter(day__isnull=False)), 30)
    for row in missed:
        visits.miss(row, by=None, words="")
    after = dict(Visit.objects.filter(visitor__in=users).values_list("pk", "day"))
    gone = {row.pk for row in missed}
    moved = sum(before[pk] != after[pk] for pk in before if pk not in gone)
    share = 100 * moved / (len(before) - len(gone))
    say("other visits moved by 30 misses", f"{moved} = {share:.2f} % (≤ 10)")


def figures(users: list) -> tuple[int, int, int]:
    """What scipy's maximum flow keeps, days over capacity, kept visits outside windows."""
    from delivery import planning

    flow = over = outside = 0
    persons = planning.people_of([u.pk for u in users], TODAY)
    dues = planning._due([u.pk for u in users])
    for user in users:
        person, mine = persons[user.pk], dues[user.pk]
        days = planning.horizon(person.calendar, TODAY)
        room = [0 if person.is_away(d) else person.visits for d in days]
        for due in mine:
            if due.is_pinned and due.day in days:
                room[days.index(due.day)] -= 1
        loose = [d for d in mine if not d.is_pinned]
        flow += flow_of(loose, days, room) + len(mine) - len(loose)
        used = [sum(due.day == day for due in loose) for day in days]
        over += sum(n > max(0, slots) for n, slots in zip(used, room, strict=True))
        placed = [due for due in loose if due.day and due.day <= due.due_on]
        outside += sum(due.day < due.first_day for due in placed)
    return flow, over, outside


def flow_of(loose: list, days: list[date], room: list[int]) -> int:
    import numpy as np
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_flow

    first_day = 1 + len(loose)
    end = first_day + len(days)
    edges = [(0, n, 1) for n in range(1, first_day)]
    for n, due in enumerate(loose, 1):
        edges += [
            (n, first_day + m, 1)
            for m, day in enumerate(days)
            if due.first_day <= day <= due.due_on
        ]
    edges += [(first_day + m, end, max(0, slots)) for m, slots in enumerate(room)]
    rows, columns, values = (np.array(part) for part in zip(*edges, strict=True))
    graph = csr_matrix((values.astype(np.int32), (rows, columns)), (end + 1, end + 1))
    return maximum_flow(graph, 0, end).flow_value


def solver() -> None:
    """The same windows for ortools' CP-SAT, kept windows first, then districts a day."""
    from ortools.sat.python import cp_model

    from delivery.scheduling import Wanted, schedule

    rng = random.Random(3)
    wanted = []
    for key in range(150):
        first = rng.randrange(40)
        area = f"4201{rng.randint(1, 13):02d}"
        wanted.append(Wanted(key, first, min(39, first + rng.randrange(12)), 4, area))
    room = [5] * 40
    began = time.perf_counter()
    ours = schedule(wanted, room)
    ours_ms = 1000 * (time.perf_counter() - began)
    trips = {(day, wanted[key].area) for key, day in ours.day.items()}
    model = cp_model.CpModel()
    put = {
        (o.key, d): model.new_bool_var("")
        for o in wanted
        for d in range(o.first, o.last + 1)
    }
    kept = []
    for o in wanted:
        mine = [put[o.key, d] for d in range(o.first, o.last + 1)]
        model.add_at_most_one(mine)
        kept += mine
    goes = {}
    for d in range(40):
        here = [put[o.key, d] for o in wanted if (o.key, d) in put]
        model.add(sum(here) <= room[d])
        for o in wanted:
            if (o.key, d) in put:
                trip = goes.setdefault((d, o.area), model.new_bool_var(""))
                model.add_implication(put[o.key, d], trip)
    model.add(sum(kept) == ours.kept)
    model.minimize(sum(goes.values()))
    for seconds in (5, 60):
        solver = cp_model.CpSolver()
        solver.parameters.max_time_in_seconds = seconds
        solver.parameters.num_workers = 2
        solver.solve(model)
        theirs = sum(solver.value(one) for one in kept)
        journeys = sum(solver.value(one) for one in goes.values())
        bound = solver.best_objective_bound
        say(
            f"150 visits, CP-SAT after {seconds} s: kept, districts a day (its bound)",
            f"{theirs}, {journeys} (≥ {bound:.0f})",
        )
    say(
        "150 visits, ours: kept, districts a day, time",
        f"{ours.kept}, {len(trips)}, {ours_ms:.1f} ms",
    )


def crowd(cursor, office) -> None:
    from delivery import planning

    users = people(office, 800, 100)
    ids = customers(cursor, office, users, 125, 100_000)
    cursor.execute(VISITS, {"today": TODAY, "ids": ids})
    cursor.execute("VACUUM ANALYZE delivery_visit")
    began = time.perf_counter()
    total = planning.Load()
    pks = [user.pk for user in users]
    for start in range(0, len(pks), planning.CHUNK):
        for load in planning.plan_people(
            pks[start : start + planning.CHUNK], TODAY
        ).values():
            total.add(load)
    seconds = time.perf_counter() - began
    say("100,000 visits of 800 people planned, one process", f"{seconds:.1f} s (≤ 60)")
    say("kept / bound / gap", f"{total.kept} / {total.bound} / {total.gap}")
    began = time.perf_counter()
    again = planning.Load()
    for start in range(0, len(pks), planning.CHUNK):
        for load in planning.plan_people(
            pks[start : start + planning.CHUNK], TODAY
        ).values():
            again.add(load)
    seconds = time.perf_counter() - began
    say("the same once more, nothing changed", f"{seconds:.1f} s, moved {again.moved}")


PAST = """
INSERT INTO delivery_visit (type, way, customer_id, office_id, visitor_id, is_given, source,
    note, first_day, due_on, priority, state, minutes, place, is_pinned, why, misses,
    made_at, reason, closed_at, day)
SELECT 'regular', 'visit', 100000 + n %% 100000, %(office)s,
       (%(users)s::bigint[])[1 + n %% 800], false, 'past:' || n, '', d.day, d.day, 4, 'done',
       60, 0, false, '{}', 0, now(), '', now(), d.day
FROM generate_series(1, %(count)s) n
CROSS JOIN LATERAL (SELECT %(today)s::date - (n %% 1000)::int AS day) d"""


def pages(cursor, office) -> None:
    """Statements of the pages beside a million visits: milliseconds at the database."""
    from crm.access.models import Posting, User
    from delivery import visit_lists, visit_rules
    from delivery.models import Visit

    manager = User.objects.get(username="v100")
    boss = User.objects.create(username="boss", full_name="boss", password="!")
    Posting.objects.create(
        user=boss, office=office, role="supervisor", valid_from=date(2020, 1, 1)
    )
    sizes = {}
    for count in (0, STORED):
        if count:
            users = list(
                User.objects.filter(username__startswith="v1").values_list(
                    "pk", flat=True
                )
            )
            users = (users * 800)[:800]
            params = {
                "office": office.pk,
                "users": users,
                "count": count,
                "today": TODAY,
            }
            cursor.execute(PAST, params)
            cursor.execute("VACUUM ANALYZE delivery_visit")
        total = Visit.objects.count()
        work = {
            "a manager's day": lambda: list(
                Visit.objects.visible_to(manager)
                .running()
                .filter(visitor=manager, day=TODAY)
                .for_list()
            ),
            "a page of the list (overdue)": lambda: list(
                visit_lists.narrowed(
                    Visit.objects.visible_to(boss), {"state": "overdue"}
                )
                .for_list()
                .order_by("due_on", "pk")[:51]
            ),
            "the board's counts": lambda: visit_lists.counts_of(
                Visit.objects.visible_to(boss), TODAY.replace(day=1), TODAY
            ),
            "the board's people": lambda: visit_lists.by_person(
                Visit.objects.visible_to(boss), TODAY.replace(day=1), TODAY
            ),
            "the rules' night of a prefecture": lambda: [
                visit_rules.strike(rule, office, TODAY)
                for rule in visit_rules.rules_at(office)
            ],
        }
        for name, act in work.items():
            sizes.setdefault(name, []).append((total, 1000 * best(act)))
    for name, rows in sizes.items():
        say(name, ", ".join(f"{ms:.1f} ms at {total:,}" for total, ms in rows))


def main() -> None:
    from crm import embedded

    try:
        with embedded.running(FOLDER):
            measure()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)


def measure() -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    from crm.access.models import Absence
    from crm.org import holidays
    from tests import factories as make

    root = make.office("420000", "湖北省", "province")
    office = make.office("420100", "武汉市", "prefecture", root)
    for year in (2026, 2027):
        holidays.load_year(year)
    print("| figure | value |\n|---|---|")
    with connection.cursor() as cursor:
        users = people(office, 25, 0)
        ids = customers(cursor, office, users, 120, 1)
        cursor.execute(VISITS, {"today": TODAY, "ids": ids})
        rng = random.Random(2)
        for user in users:
            first = TODAY + timedelta(days=rng.randrange(45))
            Absence.objects.create(
                user=user, first_day=first, last_day=first + timedelta(days=4)
            )
        appointments(users, 200)
        proof(users, figures)
        crowd(cursor, office)
        pages(cursor, office)
    if find_spec("ortools"):
        solver()


if __name__ == "__main__":
    main()
