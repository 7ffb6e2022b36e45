"""Grading: the rule, the same rule as a statement, runs, overrides, what it entitles to."""

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction

from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from customers import grade_runs, grade_steps, grades, grading, merging
from customers.models import (
    Customer,
    CustomerGrade,
    GradeAssessment,
    GradeChange,
    GradeRun,
    GradeScheme,
    TimelineEntry,
    UsageMonth,
)
from tests import factories as make

UNTIL = date(2026, 9, 30)
GUANGDONG = grading.PRESETS["guangdong"]
GRADE_ZERO = GUANGDONG.grades[-1]


def scheme_of(office, rules=GUANGDONG, **facts) -> GradeScheme:
    facts = {"name": "客户分级", "valid_from": date(2026, 1, 1), **facts}
    return grade_runs.save_scheme(GradeScheme(office=office, **facts), rules, by=None)


def compute(scheme: GradeScheme, until: date = UNTIL, office=None) -> GradeRun:
    run = grade_runs.start_run(scheme, office or scheme.office, until, by=None)
    make.run_jobs("customers.grade")
    run.refresh_from_db()
    assert run.state == "computed"
    return run


def publish(run: GradeRun, cast) -> GradeRun:
    other = make.user(f"boss{run.pk}", ("supervisor", cast.hubei))
    grade_runs.propose_run(run, by=other)
    grade_runs.approve_run(run, by=cast.chen)
    job = Job.objects.get(key=f"publish:{run.pk}")
    assert run_inline(job).state == "done", job.error
    run.refresh_from_db()
    assert run.state == "published"
    return run


def used(customer: Customer, amount, *, months=(9,), cost=0) -> None:
    for month in months:
        UsageMonth.objects.create(
            customer=customer,
            month=date(2026, month, 1),
            lines=1,
            pieces=1,
            revenue=Decimal(amount) / len(months),
            cost=Decimal(cost) / len(months),
        )


def owes(customer: Customer, days: int) -> None:
    customer.receivables.create(
        office=customer.office,
        number=f"B{customer.pk}",
        issued_on=UNTIL - timedelta(days=days + 30),
        due_on=UNTIL - timedelta(days=days),
        amount=100,
    )


def crowd(cast, number: int = 120, seed: int = 7) -> list[Customer]:
    """Customers of every sort: rich and poor, in arrears, refunded, merged, idle."""
    rng, found = random.Random(seed), []
    for place in range(number):
        office = rng.choice([cast.wuhan, cast.wuchang])
        customer = make.customer(
            office,
            segment=rng.choice(["contract", "contract", "standard", "casual"]),
            strategic_class=rng.choice(["", "", "", "media", "leader"]),
            is_headquarters=rng.random() < 0.2,
        )
        if place % 9:
            amount = rng.choice([-50, 0, 900, 12_000, 12_000, 250_000, 6_000_000])
            months = rng.sample(range(1, 10), rng.randint(1, 9))
            used(customer, amount, months=months, cost=rng.choice([0, amount * 0.7]))
        if rng.random() < 0.2:
            owes(customer, rng.choice([1, 31, 61, 91, 200]))
        if rng.random() < 0.3:
            customer.contracts.create(
                office=office,
                number=f"HT{place}",
                starts_on=date(2026, 1, 1),
                ends_on=date(2026, 12, 31),
                credit_days=rng.choice([0, 20, 45, 90]),
            )
        found.append(customer)
    merging.merge(found[1], found[2], by=None)
    return found


def stored(run: GradeRun) -> dict[int, grading.Judgement]:
    found = {}
    for row in run.assessments.all():
        rules = run.scheme.parsed()
        points = {name: getattr(row, f"{name}_points") for name in grading.DIMENSIONS}
        found[row.customer_id] = grading.Judgement(
            points,
            row.score,
            row.by_amount,
            row.by_score,
            rules.rank(row.computed),
            rules.rank(row.grade),
            row.below,
            row.rule,
        )
    return found


@pytest.mark.parametrize("name", ["guangdong", "hubei", "three"])
def test_the_statement_says_what_the_rule_says_and_every_score_adds_up(cast, name):
    crowd(cast)
    rules = replace(
        grading.PRESETS[name], factors={cast.wuchang.code: 0.8}, protection=2
    )
    scheme = scheme_of(cast.wuhan, rules)
    first = publish(compute(scheme, date(2026, 6, 30)), cast)
    second = compute(scheme)
    assert second.before == first
    for run in (first, second):
        judged = stored(run)
        assert len(judged) == run.customers > 60
        for row in run.assessments.select_related("run__scheme"):
            assert judged[row.customer_id] == grading.judge(
                rules, grades.inputs_of(row)
            )
            why = grades.explain(row)
            assert sum(line[-1] for line in why.lines) == row.score
    assert {j.rule for j in stored(second).values()} >= {"score", "no_usage"}
    eight_tenths = second.assessments.filter(customer__office=cast.wuchang).first()
    assert eight_tenths.thresholds[0] == rules.grades[0].amount * 0.8


def judged(rules=GUANGDONG, **facts) -> grading.Judgement:
    facts = {
        "amount": Decimal(300_000), "share": 0.99, "margin": 0.3, "arrears_days": 0,
        "credit_days": 0, "months": 12, **facts,
    }  # fmt: skip
    return grading.judge(rules, grading.Inputs(**facts))


def test_the_grade_is_the_lower_of_amount_and_one_and_score():
    best = judged()
    assert (best.score, best.by_amount, best.by_score) == (Decimal(93), 2, 0)
    assert (best.grade, best.rule) == (1, "amount")  # gold by amount, and one better
    poor = judged(arrears_days=80, margin=0, credit_days=90, months=1, share=0.5)
    assert (poor.by_amount, poor.by_score, poor.grade) == (2, 4, 4)
    assert poor.rule == "score"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"amount": Decimal(0)}, (4, "no_usage")),
        ({"amount": Decimal(0), "strategic_class": "media"}, (3, "strategic")),
        ({"arrears_days": 91}, (3, "capped")),
        ({"arrears_days": 90}, (1, "score")),
        ({"held": "diamond"}, (0, "protected")),
        ({"held": "diamond", "below": 1}, (1, "amount")),
        ({"held": "diamond", "arrears_days": 91}, (3, "capped")),
        ({"held": "gold"}, (1, "amount")),
        ({"held": "gone"}, (1, "amount")),
    ],
)
def test_raises_caps_and_protection(facts, expected):
    found = judged(**facts)
    assert (found.grade, found.rule) == expected


def test_the_first_five_of_an_office_are_key_accounts_whatever_they_send(cast):
    firms = [make.customer(cast.wuhan, segment="contract") for _n in range(8)]
    for number, firm in enumerate(firms):
        used(firm, 100 * (number + 1))
    run = compute(scheme_of(cast.wuhan, grading.PRESETS["hubei"]))
    rows = run.assessments.order_by("-amount")
    assert [row.grade for row in rows] == ["key"] * 5 + ["ordinary"] * 3
    assert {row.rule for row in rows[:5]} == {"top"}


def test_all_equal_and_a_giant_and_nobody(cast):
    assert compute(scheme_of(cast.yichang)).customers == 0
    firms = [make.customer(cast.wuhan, segment="contract") for _n in range(6)]
    for firm in firms:
        used(firm, 50_000)
    run = compute(scheme_of(cast.wuhan))
    assert len({(r.share, r.grade, r.score) for r in run.assessments.all()}) == 1
    used(firms[0], 9_999_999_999, months=(8,))
    again = compute(scheme_of(cast.wuhan))
    assert again.assessments.get(customer=firms[0]).by_amount == 0


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"weights": dict.fromkeys(grading.DIMENSIONS, 17)}, "weights", "sum"),
        ({"grades": GUANGDONG.grades[:1]}, "grades", "codes"),
        ({"grades": GUANGDONG.grades[:2] * 2}, "grades", "codes"),
        ({"grades": (*GUANGDONG.grades[1::-1], GRADE_ZERO)}, "amount", "falling"),
        ({"grades": GUANGDONG.grades[:4]}, "amount", "gap"),
        ({"cap_grade": "iron"}, "cap_grade", "unknown"),
        ({"top": 5}, "top_grade", "unknown"),
        ({"ladders": {"42": (1, 0)}}, "ladders", "length"),
        ({"ladders": {"42": (9, 9, 3, 1, 0)}}, "ladders", "falling"),
        ({"factors": {"42": 0}}, "factors", "range"),
        ({"tables": {"credit": ((30, 70), (0, 100))}}, "credit", "bounds"),
        ({"tables": {"revenue": ((0.9, 50), (0.5, 60))}}, "revenue", "points"),
    ],
)
def test_rules_that_cannot_be_are_refused_with_their_field(change, field, reason):
    with pytest.raises(grading.Wrong) as found:
        grading.check(replace(GUANGDONG, **change))
    assert (found.value.field, found.value.reason) == (field, reason)


def test_presets_are_valid_and_survive_the_database():
    for rules in grading.PRESETS.values():
        grading.check(rules)
        assert grading.from_json(rules.as_json()) == rules


def test_kills_and_shuffled_rows_leave_the_same_grades(cast, monkeypatch):
    crowd(cast)
    make.customer(cast.yichang, segment="contract")
    scheme = scheme_of(cast.hubei)
    first = stored(compute(scheme))
    with connection.cursor() as cursor:  # another order on disk
        cursor.execute(
            "UPDATE customers_customer SET version = version WHERE id % 3 = 0"
        )
        cursor.execute("UPDATE customers_usagemonth SET lines = lines WHERE pieces = 1")
    grade_runs.cancel_run(GradeRun.objects.get(), by=make_boss(cast))
    assert not GradeAssessment.objects.exists()
    run = grade_runs.start_run(scheme, cast.hubei, UNTIL, by=None)
    jobs = Job.objects.filter(kind="customers.grade", state="queued").order_by("pk")
    run_inline(jobs.get())
    assert jobs.count() == run.shards == 3
    real = grade_steps._ladders
    deaths = iter([True, False, True, True, False, False])

    def dies(*arguments):
        if next(deaths, False):
            raise RuntimeError("killed")
        return real(*arguments)

    monkeypatch.setattr(grade_steps, "_ladders", dies)
    for _time in range(4):
        Job.objects.update(due_at="2026-01-01T00:00Z")
        for job in jobs.all():
            run_inline(job)
    run.refresh_from_db()
    assert (run.state, run.shards_done) == ("computed", 3)
    assert stored(run) == first
    assert run.customers == len(first)


def make_boss(cast):
    return make.user("boss", ("supervisor", cast.hubei))


def test_nobodys_grade_changes_before_a_second_person_has_approved(cast):
    firm = make.customer(cast.wuhan, segment="contract")
    used(firm, 300_000, months=range(1, 10))
    run = compute(scheme_of(cast.wuhan))
    with pytest.raises(Refused, match="moved on"):
        grade_runs.approve_run(run, by=cast.chen)
    grade_runs.propose_run(run, by=cast.chen)
    with pytest.raises(Refused, match="Somebody else"):
        grade_runs.approve_run(run, by=cast.chen)
    with pytest.raises(PermissionDenied):
        grade_runs.approve_run(run, by=cast.zhao)
    assert not CustomerGrade.objects.exists()
    GradeRun.objects.update(state="computed")
    run.refresh_from_db()
    publish(run, cast)
    held = CustomerGrade.objects.get()
    assert (held.code, held.run) == (run.assessments.get().grade, run)
    assert GradeChange.objects.get().after == held.name
    assert TimelineEntry.objects.get(kind="grade").ref == held.name
    with pytest.raises(Refused, match="moved on"):
        grade_runs.cancel_run(run, by=cast.chen)
    with transaction.atomic(), pytest.raises(IntegrityError):
        GradeRun.objects.update(approved_by=cast.chen, proposed_by=cast.chen)


def test_publishing_again_rewrites_no_unchanged_row(cast):
    firms = [make.customer(cast.wuhan, segment="contract") for _n in range(4)]
    for firm in firms:
        used(firm, 300_000)
    scheme = scheme_of(cast.wuhan)
    publish(compute(scheme, date(2026, 6, 30)), cast)
    with connection.cursor() as cursor:
        sql = "SELECT customer_id, xmin::text, since FROM customers_customergrade"
        cursor.execute(f"{sql} ORDER BY 1")
        before = cursor.fetchall()
        publish(compute(scheme, date(2026, 7, 31)), cast)
        cursor.execute(f"{sql} ORDER BY 1")
        assert cursor.fetchall() == before
    used(firms[0], 9_000_000, months=(8,))
    publish(compute(scheme, date(2026, 8, 31)), cast)
    assert GradeChange.objects.filter(customer=firms[0]).count() == 2
    assert GradeChange.objects.count() == 5


def test_a_scheme_that_a_run_uses_is_neither_changed_nor_deleted(cast):
    boss = make_boss(cast)
    scheme = scheme_of(cast.wuhan)
    compute(scheme)
    for act in (grade_runs.delete_scheme, lambda s, by: grade_runs.save_scheme(
        s, GUANGDONG, by=by
    )):  # fmt: skip
        with pytest.raises(Refused, match="run"):
            act(scheme, by=boss)
    draft = grade_runs.copy_scheme(scheme, by=boss)
    assert (draft.version, draft.state) == (2, "draft")
    grade_runs.delete_scheme(draft, by=boss)
    with pytest.raises(Refused, match="not hold"):
        grade_runs.start_run(scheme, cast.yichang, UNTIL, by=None)
    with pytest.raises(Refused, match="not come"):
        grade_runs.start_run(scheme, cast.wuhan, date(2100, 1, 1), by=None)
