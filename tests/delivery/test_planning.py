"""What makes visits due, and which day they get."""

from datetime import date, timedelta

import pytest
from django.utils.timezone import localdate, now

from crm.access.models import Absence
from crm.jobs.services import enqueue
from customers.ledger import save_contract
from customers.models import CustomerGrade, CustomerValue
from delivery import planning, planning_night, visit_rules, visits
from delivery.models import Visit, VisitCapacity, VisitRule, VisitType
from delivery.visit_log import log as log_visit
from tests import factories as make

MONDAY = date(2026, 11, 23)
pytestmark = pytest.mark.django_db


@pytest.fixture
def monday(time_machine):
    """A Monday before work."""
    time_machine.move_to("2026-11-23 07:00+08:00", tick=False)
    make.holidays_of(2026, 2027)
    return MONDAY


def graded(where, code="diamond", rank=0, since=None, **facts):
    customer = make.customer(where, **facts)
    CustomerGrade.objects.create(
        customer=customer, code=code, name=code, rank=rank, since=since or now()
    )
    return customer


def night(office):
    """What the night's job does for a prefecture."""
    made = 0
    for rule in visit_rules.rules_at(office):
        made += visit_rules.strike(rule, office, localdate())
    return made


def test_a_grade_makes_its_regular_visit_due_once(cast, monday):
    diamond = graded(cast.wuhan, manager=cast.zhao)
    assert night(cast.wuhan) == 1
    assert night(cast.wuhan) == 0
    visit = Visit.objects.get(customer=diamond)
    assert visit.type == VisitType.REGULAR
    assert visit.visitor == cast.zhao
    assert monday <= visit.first_day <= visit.due_on <= monday + timedelta(days=31)


def test_the_nearest_offices_rule_holds(cast, monday):
    county = graded(cast.wuchang, manager=cast.zhao)
    city = graded(cast.wuhan, manager=cast.zhao)
    VisitRule.objects.create(
        office=cast.wuchang, type="regular", grade="diamond", days=10, slack=2
    )
    night(cast.wuhan)
    assert Visit.objects.get(customer=county).rule.days == 10
    assert Visit.objects.get(customer=city).rule.days == 30


def test_the_next_regular_visit_counts_from_the_last_one(cast, monday, time_machine):
    diamond = graded(cast.wuhan, manager=cast.zhao, since=now() - timedelta(days=99))
    night(cast.wuhan)
    first = Visit.objects.get(customer=diamond)
    assert first.due_on == monday + timedelta(days=visit_rules.NOTICE)  # long overdue
    log(first, cast.zhao)
    night(cast.wuhan)
    second = Visit.objects.running().get(customer=diamond)
    assert second.due_on == monday + timedelta(days=30)


def log(visit, by, **facts):
    facts = {"visited_on": localdate(), "result": "fine", **facts}
    return log_visit(visit, by=by, **facts)


def test_a_first_contract_is_visited_on_days_7_30_and_90(cast, monday):
    customer = make.customer(cast.wuhan, manager=cast.zhao)
    for number, starts in (("HT-1", monday), ("HT-2", monday + timedelta(days=1))):
        save_contract(
            customer,
            by=None,
            number=number,
            starts_on=starts,
            ends_on=monday + timedelta(days=365),
        )
    night(cast.wuhan)
    due = Visit.objects.filter(type="new_contract").values_list("due_on", flat=True)
    assert sorted(due) == [monday + timedelta(days=n) for n in (14, 30)]


def test_an_open_alert_is_visited_within_three_working_days(cast, monday):
    customer = make.customer(cast.wuhan, manager=cast.zhao)
    alert = make.alert(customer, level=2)
    night(cast.wuhan)
    visit = Visit.objects.get(customer=customer, type="alert")
    assert visit.due_on == monday + timedelta(days=3)
    alert.state, alert.closed_at = "closed", now()
    alert.outcome, alert.note = "kept", "ok"
    alert.save()
    assert visit_rules.pass_over(cast.wuhan, planning_night.ALERT_CLOSED) == 1
    visit.refresh_from_db()
    assert visit.state == "dropped"


def test_a_leader_visits_who_sends_for_much(cast, monday):
    customer = make.customer(cast.wuchang, manager=cast.zhao)
    CustomerValue.objects.create(
        customer=customer,
        until=monday,
        purchase_days=9,
        first_on=monday - timedelta(days=300),
        last_on=monday,
        mean_spending=9,
        revenue_12=600_000,
    )
    night(cast.wuhan)
    visit = Visit.objects.get(customer=customer, type="leadership")
    assert visit.visitor == cast.chen
    assert visit.is_given


def due(customer, first, last, **facts):
    facts = {"type": "regular", "source": f"t:{customer.pk}:{first}", **facts}
    return visits.request_visit(customer, first_day=first, due_on=last, **facts)


def planned(visit):
    visit.refresh_from_db()
    return visit.day


def test_visits_keep_to_working_days_capacity_and_absences(cast, monday):
    VisitCapacity.objects.create(user=cast.zhao, visits=1, calls=1)
    Absence.objects.create(
        user=cast.zhao, first_day=monday, last_day=monday + timedelta(days=1)
    )
    rows = [
        due(make.customer(cast.wuhan, manager=cast.zhao), monday, MONDAY + timedelta(8))
        for _n in range(4)
    ]
    load = planning.plan_people([cast.zhao.pk])[cast.zhao.pk]
    days = sorted(planned(row) for row in rows)
    assert days == [date(2026, 11, d) for d in (25, 26, 27, 30)]
    assert (load.kept, load.bound, load.gap) == (4, 4, 0)


def test_who_cannot_be_kept_comes_next_and_says_so(cast, monday):
    VisitCapacity.objects.create(user=cast.zhao, visits=1, calls=1)
    rows = [
        due(make.customer(cast.wuhan, manager=cast.zhao), monday, monday)
        for _n in range(2)
    ]
    load = planning.plan_people([cast.zhao.pk])[cast.zhao.pk]
    assert sorted(planned(row) for row in rows) == [monday, monday + timedelta(days=1)]
    assert (load.kept, load.bound, load.late) == (1, 1, 1)
    late = next(row for row in rows if row.day > monday)
    assert late.why["code"] == "late"


def test_a_manager_without_capacity_is_named(cast, monday):
    VisitCapacity.objects.create(user=cast.zhao, visits=0, calls=0)
    row = due(make.customer(cast.wuhan, manager=cast.zhao), monday, monday)
    planning.plan_people([cast.zhao.pk])
    assert planned(row) is None
    assert row.why["code"] == "capacity"


def test_a_miss_is_planned_again_and_the_others_stay(cast, monday):
    rows = [
        due(make.customer(cast.wuhan, manager=cast.zhao), monday, monday + timedelta(9))
        for _n in range(10)
    ]
    planning.plan_people([cast.zhao.pk])
    before = {row.pk: planned(row) for row in rows}
    missed = next(row for row in rows if row.day == monday)
    visits.miss(missed, by=cast.zhao, words="门卫说出差")
    after = {row.pk: planned(row) for row in rows}
    changed = [pk for pk in before if before[pk] != after[pk]]
    assert changed == [missed.pk]
    assert after[missed.pk] > monday
    assert missed.misses == 1


def test_leave_over_the_whole_window_sends_the_substitute(cast, monday):
    other = make.user("sub", ("manager", cast.wuhan))
    Absence.objects.create(
        user=cast.zhao,
        first_day=monday,
        last_day=monday + timedelta(days=4),
        substitute=other,
    )
    inside = due(make.customer(cast.wuhan, manager=cast.zhao), monday, monday)
    beyond = due(
        make.customer(cast.wuhan, manager=cast.zhao), monday, monday + timedelta(days=9)
    )
    assert inside.visitor == other
    assert beyond.visitor == cast.zhao


def test_open_visits_follow_the_customers_manager(cast, monday):
    customer = make.customer(cast.wuhan, manager=cast.zhao)
    row = due(customer, monday, monday + timedelta(days=5))
    other = make.user("next", ("manager", cast.wuhan))
    customer.manager = other
    customer.save()
    planning_night.follow_managers([cast.wuhan.pk], monday)
    row.refresh_from_db()
    assert row.visitor == other


def test_the_night_makes_and_plans_what_is_due(cast, monday):
    diamond = graded(cast.wuhan, manager=cast.zhao)
    enqueue("delivery.night")
    make.run_jobs("delivery.night")
    make.run_jobs("delivery.plan_office")
    visit = Visit.objects.get(customer=diamond)
    assert visit.day is not None
    assert visit.first_day <= visit.day <= visit.due_on


def test_planning_costs_the_same_queries_for_one_visit_and_for_thirty(
    cast, monday, django_assert_num_queries
):
    due(make.customer(cast.wuhan, manager=cast.zhao), monday, monday + timedelta(9))
    with django_assert_num_queries(12):
        planning.plan_people([cast.zhao.pk])
    for _n in range(30):
        due(make.customer(cast.wuhan, manager=cast.zhao), monday, monday + timedelta(9))
    with django_assert_num_queries(12):
        planning.plan_people([cast.zhao.pk])
