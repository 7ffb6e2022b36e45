"""The watch: whom a rule strikes, once each, and what people make of it."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils.timezone import localdate, now

from crm.errors import Refused
from crm.jobs.services import enqueue
from crm.notify.models import Message
from customers import alerts, merging, privacy, watch_night, watch_rules
from customers.alert_words import said
from customers.models import (
    Alert,
    CustomerTrend,
    CustomerValue,
    Task,
    TimelineEntry,
    UsageDay,
    UsageMonth,
    WatchRule,
)
from customers.notes import finish_task
from customers.partitions import ensure_partition
from customers.queries import add_months
from customers.seasons import month_span, spring_festival, year_before
from tests import factories as make
from tests.customers.test_grading import compute, publish, scheme_of, used

MONTH = add_months(localdate(), -1)
LAST_DAY = month_span(MONTH)[1]


def rule_of(office, kind, level=1, **facts) -> WatchRule:
    facts = {"segments": ["contract"], "percent": 10, "days": 30, **facts}
    return WatchRule.objects.create(office=office, kind=kind, level=level, **facts)


def months(customer, *amounts, last: date = MONTH) -> None:
    """Revenue of the months up to `last`, the newest first."""
    for back, amount in enumerate(amounts):
        UsageMonth.objects.create(
            customer=customer,
            month=add_months(last, -back),
            lines=1,
            pieces=int(amount) // 10,
            revenue=amount,
        )


def seen(customer, last: date = LAST_DAY, **facts) -> None:
    """What the value job has found of a customer."""
    facts = {"first_on": last, "days_12": 50, "revenue_12": 5000, **facts}
    CustomerValue.objects.update_or_create(
        customer=customer,
        defaults={
            "mean_spending": 9,
            "last_on": last,
            "until": localdate(),
            "purchase_days": 5,
            **facts,
        },
    )


def night() -> None:
    """The watch's jobs, as the clock starts them."""
    enqueue("customers.trends")
    make.run_jobs("customers.trends")
    make.run_jobs("customers.alert")


@pytest.fixture
def firm(cast):
    found = make.customer(cast.wuchang, segment="contract", manager=cast.zhao)
    seen(found)
    return found


def test_a_month_over_ten_percent_below_last_year_is_told_once(cast, firm):
    rule = rule_of(cast.hubei, "year")
    months(firm, 899, *[1000] * 13)
    steady = make.customer(cast.wuchang, segment="contract")
    months(steady, 900, *[1000] * 13)
    night()
    night()
    alert = Alert.objects.get()
    assert (alert.rule, alert.customer, alert.owner) == (rule, firm, cast.zhao)
    assert alert.evidence["now"] == 899
    assert alert.evidence["then"] == 1000
    assert "899" in said(alert)
    assert "10 %" in said(alert)
    task = Task.objects.get(source=alert.source)
    assert (task.assignee, task.due_on) == (cast.zhao, alert.due_on)
    assert TimelineEntry.objects.get(source=alert.source).customer == firm
    assert Message.objects.get(to_user=cast.zhao).url == reverse("customers:alerts")


def test_the_nearest_rule_holds_and_one_that_is_off_strikes_nobody(cast, firm):
    months(firm, 800, *[1000] * 13)
    rule_of(cast.hubei, "year")
    own = rule_of(cast.wuhan, "year", percent=30)
    night()
    assert not Alert.objects.exists()
    own.delete()
    WatchRule.objects.update(is_on=False)
    night()
    assert not Alert.objects.exists()


@pytest.mark.parametrize(
    ("kind", "facts", "amounts", "strikes"),
    [
        ("year", {"at_least": 1001}, [0, *[1000] * 13], False),
        ("year", {}, [0] * 14, False),  # nothing to fall from
        ("year", {}, [-50, *[1000] * 13], True),  # refunds only
        ("quarter_year", {}, [800] * 3 + [1000] * 12, True),
        ("quarter_year", {}, [900] * 3 + [1000] * 12, False),
        ("quarter_year", {"segments": ["standard"]}, [100] * 3 + [1000] * 12, False),
    ],
)
def test_what_counts_as_a_fall(cast, firm, kind, facts, amounts, strikes):
    rule_of(cast.hubei, kind, **facts)
    months(firm, *amounts)
    night()
    assert Alert.objects.exists() is strikes


def test_what_all_customers_do_is_season(cast, firm):
    """Three months at half of the three before are no alarm where everybody halved."""
    rule_of(cast.hubei, "quarter", percent=20)
    others = [make.customer(cast.wuhan, segment="contract") for _one in range(9)]
    for other in others:
        months(other, *[500] * 3, *[1000] * 3)
    months(firm, *[450] * 3, *[1000] * 3)
    night()
    assert not Alert.objects.exists()
    UsageMonth.objects.filter(customer=firm, month=MONTH).update(revenue=0)
    night()
    assert Alert.objects.get().customer == firm


def test_without_the_months_usage_nobody_is_suspected(cast, firm):
    """A ledger that has not come yet looks like a customer who has gone."""
    rule_of(cast.hubei, "year")
    rule_of(cast.hubei, "silent", level=3)
    months(firm, 0, *[1000] * 13)
    seen(firm, MONTH - timedelta(days=12))
    night()
    assert not Alert.objects.exists()


def test_silence_is_measured_from_the_last_day_that_was_loaded(cast, firm):
    rule_of(cast.hubei, "silent", level=3, often=40)
    rule_of(cast.hubei, "silent", level=4, often=1, days=90)
    make_last = make.customer(cast.wuhan)
    seen(make_last, LAST_DAY)
    weekly, monthly, gone = (
        firm,
        *(make.customer(cast.wuhan, segment="contract") for _one in range(2)),
    )
    seen(weekly, LAST_DAY - timedelta(days=30))
    seen(monthly, LAST_DAY - timedelta(days=30), days_12=12)
    seen(gone, LAST_DAY - timedelta(days=90))
    night()
    found = {row.customer: row for row in Alert.objects.all()}
    assert set(found) == {weekly, gone}
    assert (found[weekly].level, found[gone].level) == (3, 4)
    assert found[weekly].evidence["days"] == 30


def test_a_graver_alert_takes_over_and_a_return_ends_it(cast, firm):
    rule_of(cast.hubei, "silent", level=3)
    rule_of(cast.hubei, "silent", level=4, days=60)
    seen(make.customer(cast.wuhan))
    seen(firm, LAST_DAY - timedelta(days=40))
    night()
    seen(firm, LAST_DAY - timedelta(days=60))
    night()
    red, churned = Alert.objects.order_by("pk")
    assert (red.outcome, churned.state) == ("overtaken", "open")
    assert Task.objects.get(source=red.source).done_at is not None
    seen(firm)
    night()
    churned.refresh_from_db()
    assert (churned.state, churned.outcome) == ("closed", "recovered")
    assert not Task.objects.filter(kind="alert", done_at=None).exists()


def test_what_a_person_has_in_hand_is_theirs_to_close(cast, firm):
    rule_of(cast.hubei, "silent", level=3)
    seen(make.customer(cast.wuhan))
    seen(firm, LAST_DAY - timedelta(days=40))
    night()
    alert = Alert.objects.get()
    alerts.take_alert(alert, by=cast.zhao)
    seen(firm)
    night()
    alert.refresh_from_db()
    assert alert.state == "taken"
    task = Task.objects.get(source=alert.source)
    with pytest.raises(Refused, match="Answer the alert"):
        finish_task(task, by=cast.zhao)
    alerts.close_alert(alert, by=cast.zhao, outcome="kept", note="休假")
    assert Task.objects.get(source=alert.source).done_by == cast.zhao
    with pytest.raises(Refused):
        alerts.close_alert(alert, by=cast.zhao, outcome="lost", note="")


def test_after_an_answer_the_family_is_quiet_and_then_asks_again(cast, firm):
    rule = rule_of(cast.hubei, "year")
    months(firm, 500, *[1000] * 13)
    night()
    alerts.close_alert(Alert.objects.get(), by=cast.zhao, outcome="false", note="x")
    rule_of(cast.hubei, "quarter_year")
    night()
    assert Alert.objects.count() == 1
    later = now() - timedelta(days=watch_night.QUIET_DAYS + 1)
    Alert.objects.update(closed_at=later, episode="2020-01-01")
    night()
    assert Alert.objects.filter(state="open").count() >= 1
    hits = watch_rules.hits_of(WatchRule.objects.all(), type(cast.wuhan).objects.all())
    assert hits[rule.pk]["false_rate"] == 1.0


def test_contracts_grades_arrears_and_odds(cast, firm):
    for kind in ("contract", "arrears"):
        rule_of(cast.hubei, kind, level=3)
    rule_of(cast.hubei, "alive", level=2, percent=50)
    today = localdate()
    firm.contracts.create(
        office=firm.office,
        number="HT-9",
        starts_on=today - timedelta(days=400),
        ends_on=today - timedelta(days=5),
    )
    firm.receivables.create(
        office=firm.office,
        number="B9",
        issued_on=today - timedelta(days=99),
        due_on=today - timedelta(days=40),
        amount=700,
    )
    seen(firm, alive=0.2, value_class="high")
    night()
    kinds = {row.rule.kind: said(row) for row in Alert.objects.select_related("rule")}
    assert set(kinds) == {"contract", "arrears", "alive"}
    assert "HT-9" in kinds["contract"]
    assert "700" in kinds["arrears"]
    firm.contracts.create(
        office=firm.office,
        number="HT-10",
        starts_on=today,
        ends_on=today + timedelta(days=300),
    )
    firm.receivables.update(paid=Decimal(700))
    seen(firm, alive=0.9, value_class="high")
    night()
    assert not Alert.objects.exclude(outcome="recovered").exists()


def test_a_fallen_grade_is_told(cast, firm):
    used(firm, 300_000, months=range(1, 7))
    scheme = scheme_of(cast.wuhan, valid_from=date(2026, 1, 1))
    publish(compute(scheme, date(2026, 6, 30)), cast)
    UsageMonth.objects.filter(customer=firm).update(revenue=0)
    rules = scheme.parsed()
    second = scheme_of(cast.wuhan, replace(rules, protection=1))
    publish(compute(second, date(2026, 9, 30)), cast)
    assert second.version == 2
    rule_of(cast.hubei, "grade", days=60)
    night()
    alert = Alert.objects.get()
    assert alert.evidence["before"] != alert.evidence["after"]
    night()
    assert Alert.objects.count() == 1


def test_a_complaint_opened_again_is_told_at_once(cast, firm):
    rule_of(cast.hubei, "complaint", level=2)
    complaint = make.complaint(cast.lin, cast.wuchang, customer=firm)
    for after in ("accepted", "in_progress", "replied", "reopened"):
        complaint = make.push(complaint, cast.chen, after)
    alert = Alert.objects.get()
    assert alert.evidence["ref"] == complaint.ref
    assert Task.objects.get(source=alert.source).assignee == cast.zhao
    for after in ("in_progress", "replied", "reopened"):
        complaint = make.push(complaint, cast.chen, after)
    assert Alert.objects.count() == 1


def test_usage_of_a_merged_record_counts_for_its_survivor(cast, firm):
    rule_of(cast.hubei, "year")
    other = make.customer(cast.wuchang, segment="contract")
    months(firm, 100, *[1000] * 13)
    months(other, 950)
    night()
    assert Alert.objects.get().customer == firm
    merging.merge(firm, other, by=None)
    night()
    assert Alert.objects.get().outcome == "recovered"
    assert CustomerTrend.objects.get(customer=firm).revenue == 1050


def test_erasing_takes_open_alerts_and_notes_along(cast, firm):
    rule_of(cast.hubei, "year")
    months(firm, 100, *[1000] * 13)
    night()
    alerts.close_alert(Alert.objects.get(), by=cast.zhao, outcome="lost", note="张先生")
    privacy.erase(firm, by=cast.chen, reason="asked")
    assert Alert.objects.get().note == ""


def test_the_database_keeps_alerts_whole(cast, firm):
    rule = rule_of(cast.hubei, "year")
    facts = {"rule": rule, "customer": firm, "level": 1, "raised_at": now()}
    facts |= {"due_on": localdate()}
    Alert.objects.create(episode="a", **facts)
    broken = [
        {"episode": "b"},  # a second open one
        {"episode": "a", "state": "closed", "outcome": "kept", "closed_at": now()},
        {"episode": "c", "state": "closed"},  # closed without an outcome
    ]
    for wrong in broken:
        with pytest.raises(IntegrityError), transaction.atomic():
            Alert.objects.create(**facts, **wrong)
    with pytest.raises(IntegrityError), transaction.atomic():
        rule_of(cast.hubei, "year")


# --- the calendar -----------------------------------------------------------------------


def test_january_is_compared_by_the_lunar_calendar():
    assert spring_festival(2026) == date(2026, 2, 17)
    first, last = year_before(month_span(date(2026, 2, 1)))
    assert spring_festival(2026) - date(2026, 2, 1) == spring_festival(2025) - first
    assert (last - first).days == 27
    assert year_before(month_span(date(2026, 3, 1))) == month_span(date(2025, 3, 1))
    assert year_before(month_span(date(2025, 12, 1), 3)) == month_span(
        date(2024, 12, 1), 3
    )
    assert year_before(month_span(date(2024, 2, 1)))[1] == date(2023, 2, 10)


def test_a_february_is_set_beside_the_same_days_before_the_festival(cast):
    """The rush of three weeks before the festival lies in January 2025, February 2026."""
    firm = make.customer(cast.wuchang, segment="contract")
    with connection.cursor() as cursor:
        for month in (date(2025, 1, 1), date(2025, 2, 1)):
            ensure_partition(cursor, month, "customers_usageday")
    UsageDay.objects.create(
        day=date(2025, 1, 14), customer=firm, pieces=5, revenue=500, cost=0
    )
    UsageDay.objects.create(
        day=date(2025, 1, 12), customer=firm, pieces=5, revenue=77, cost=0
    )
    months(firm, 480, last=date(2026, 2, 1))
    watch_night.renew_trends([firm.pk], date(2026, 3, 5))
    trend = CustomerTrend.objects.get()
    assert (trend.month, trend.revenue, trend.base) == (date(2026, 2, 1), 480, 500)
