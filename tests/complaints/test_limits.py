"""Limits: the earliest of law, provincial rule, promise and grade; more time for one."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.timezone import now

from complaints import clocks, extensions, limits
from complaints.kinds import Kind
from complaints.models import Extension, Limit
from crm.audit.models import AuditEvent
from crm.errors import Refused
from customers.models import CustomerGrade
from tests import factories as make


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


def days_of(complaint, clock: str) -> timedelta:
    return complaint.milestones.get(kind=clock).due_at - complaint.opened_at


@pytest.mark.parametrize("kind", Kind.values)
def test_every_type_has_a_first_answer_and_an_end(cast, kind):
    row = make.complaint(cast.lin, cast.wuhan, kind=kind)
    assert {"first", "resolution"} <= {m.kind for m in row.milestones.all()}
    assert row.due_at is not None


def test_the_law_gives_a_complaint_7_an_appeal_15_an_enquiry_30_or_60_days(cast):
    complaint = make.complaint(cast.lin, cast.wuhan)
    assert days_of(complaint, "legal") == timedelta(days=7)
    appeal = make.complaint(cast.lin, cast.wuhan, kind="appeal")
    assert days_of(appeal, "appeal") == timedelta(days=15)
    enquiry = make.complaint(cast.lin, cast.wuhan, kind="enquiry")
    assert days_of(enquiry, "legal") == timedelta(days=30)
    abroad = make.complaint(cast.lin, cast.wuhan, kind="enquiry", scope="abroad")
    assert days_of(abroad, "legal") == timedelta(days=60)


def rule(cast, **facts) -> Limit:
    facts = {
        "kind": "complaint",
        "clock": "legal",
        "basis": "province",
        "minutes": None,
        "days": 5,
        "channel": "",
        "source": "Henan",
        "since": now().date(),
        **facts,
    }
    return limits.add_limit(by=cast.chen, office=cast.wuhan, **facts)


def test_the_earliest_binds_and_says_whose_it_is(cast):
    earlier = rule(cast)
    rule(cast, days=20)  # later than the law: it binds nothing
    row = make.complaint(cast.lin, cast.wuhan)
    assert days_of(row, "legal") == timedelta(days=5)
    assert row.milestones.get(kind="legal").limit == earlier
    elsewhere = make.complaint(cast.mei, cast.yichang)
    assert days_of(elsewhere, "legal") == timedelta(days=7)
    limits.end_limit(earlier, by=cast.chen)
    Limit.objects.filter(pk=earlier.pk).update(until=now() - timedelta(days=1))
    assert days_of(make.complaint(cast.lin, cast.wuhan), "legal") == timedelta(days=7)
    row.refresh_from_db()
    assert days_of(row, "legal") == timedelta(days=5)  # keeps what it was given


def test_a_limit_of_one_channel_is_its_alone(cast):
    rule(cast, clock="first", basis="promise", days=None, minutes=30, channel="wechat")
    hotline = make.complaint(cast.lin, cast.wuhan)
    wechat = make.complaint(cast.lin, cast.wuhan, channel="wechat")
    assert hotline.milestones.get(kind="first").minutes == 120
    assert wechat.milestones.get(kind="first").minutes == 30


def test_a_key_customers_grade_hastens_the_first_answer(cast):
    key = make.customer(cast.wuhan)
    CustomerGrade.objects.create(
        customer=key,
        code="gold",
        name="金",
        rank=1,
        benefits=["priority_queue"],
        since=now(),
    )
    row = make.complaint(cast.lin, cast.wuhan, customer=key)
    first = row.milestones.get(kind="first")
    assert (first.minutes, first.limit.basis) == (30, "tier")
    assert days_of(row, "legal") == timedelta(days=7)  # no grade moves the law


def test_who_may_make_and_end_limits(cast, client):
    with pytest.raises(PermissionDenied):
        limits.add_limit(by=cast.lin, office=cast.wuhan, clock="first", minutes=1)
    mine = rule(cast)
    with pytest.raises(PermissionDenied):
        limits.end_limit(mine, by=cast.mei)
    with pytest.raises(Refused, match="cannot be ended"):
        limits.end_limit(Limit.objects.get(code="complaint.law"), by=cast.chen)
    with pytest.raises(Refused, match="counted in days"):
        rule(cast, minutes=10, days=None)
    make.sign_in(client, cast.mei)
    assert (
        client.post(reverse("complaints:limit_end", args=[mine.pk])).status_code == 404
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"minutes": "5", "days": "5"}, "either working minutes or calendar days"),
        ({"minutes": "", "days": ""}, "either working minutes or calendar days"),
        ({"days": "999"}, "shorter than a year"),
        ({"office": "420500"}, "Select a valid choice"),
        ({"source": ""}, "This field is required"),
        ({"minutes": "5", "days": ""}, "counted in days"),
    ],
)
def test_a_limit_that_cannot_be_comes_back(cast, client, changes, said):
    make.sign_in(client, cast.chen)
    form = {
        "office": "420100",
        "kind": "complaint",
        "clock": "legal",
        "basis": "province",
        "days": "5",
        "minutes": "",
        "channel": "",
        "source": "省条例",
        "since": "2026-11-01",
    }
    before = Limit.objects.count()
    answer = client.post(reverse("complaints:limit_add"), {**form, **changes})
    assert (answer.status_code, Limit.objects.count()) == (422, before)
    assert said in answer.content.decode()
    client.post(reverse("complaints:limit_add"), form)
    assert Limit.objects.count() == before + 1


# --- more time --------------------------------------------------------------------------


@pytest.fixture
def asked(cast):
    row = make.complaint(cast.lin, cast.wuhan).milestones.get(kind="legal")
    return extensions.ask(
        row,
        by=cast.yong,
        until_at=row.due_at + timedelta(days=5),
        reason="寄件人出国，已与其书面约定",
    )


def test_the_law_moves_only_by_the_province_with_a_reason(cast, asked):
    boss = make.user("province", ("supervisor", cast.hubei))
    for nobody in (cast.chen, cast.mei, cast.yong):
        with pytest.raises(PermissionDenied):
            extensions.decide(asked, by=nobody, grants=True)
    extensions.decide(asked, by=boss, grants=True)
    row = asked.milestone
    row.refresh_from_db()
    assert row.due_at == asked.until_at
    assert row.complaint.legal_due_at == asked.until_at
    clocks.count_anew(row.complaint, clocks.calendar_of(cast.wuhan))
    row.refresh_from_db()
    assert row.due_at == asked.until_at  # nothing counts it back
    event = AuditEvent.objects.get(action="complaint.extension_granted")
    assert event.details["reason"] == asked.reason
    with pytest.raises(Refused, match="decided already"):
        extensions.decide(asked, by=boss, grants=False)


def test_a_promise_moves_by_the_offices_own_supervisor_but_not_by_who_asked(cast):
    row = make.complaint(cast.lin, cast.wuhan).milestones.get(kind="resolution")
    later = row.due_at + timedelta(days=1)
    mine = extensions.ask(row, by=cast.chen, until_at=later, reason="等待查询结果")
    with pytest.raises(PermissionDenied):
        extensions.decide(mine, by=cast.chen, grants=True)
    other = make.user("other", ("supervisor", cast.wuhan))
    extensions.decide(mine, by=other, grants=False)
    row.refresh_from_db()
    assert row.due_at < later


def test_the_database_refuses_one_person_for_both(cast, asked):
    with pytest.raises(IntegrityError), transaction.atomic():
        Extension.objects.update(decided_by=asked.asked_by)


def test_more_time_is_asked_once_for_what_runs_and_to_later(cast, asked, client):
    row = asked.milestone
    with pytest.raises(Refused, match="asked for this already"):
        extensions.ask(row, by=cast.yong, until_at=asked.until_at, reason="再次")
    first = row.complaint.milestones.get(kind="first")
    with pytest.raises(Refused, match="after the one due now"):
        extensions.ask(first, by=cast.yong, until_at=first.due_at, reason="更早")
    clocks.meet(row.complaint, now(), "first")
    with pytest.raises(Refused, match="met already"):
        extensions.ask(first, by=cast.yong, until_at=asked.until_at, reason="已经")
    make.sign_in(client, cast.yong)
    url = reverse("complaints:extend", args=[row.complaint.milestones.first().pk])
    pk = row.complaint.milestones.get(kind="contact").pk
    url = reverse("complaints:extend", args=[pk])
    answer = client.post(url, {f"{pk}-until_at": "gestern", f"{pk}-reason": "KEEP ME"})
    assert answer.status_code == 422
    assert "KEEP ME" in answer.content.decode()
    make.sign_in(client, cast.mei)
    assert client.post(url, {}).status_code == 404
    decide = reverse("complaints:decide_extension", args=[asked.pk])
    assert client.post(decide, {}).status_code == 404


def test_a_supervisor_decides_on_the_page_of_the_working(cast, client, asked):
    boss = make.user("province", ("supervisor", cast.hubei))
    url = reverse("complaints:working", args=[asked.milestone.complaint.ref])
    make.sign_in(client, cast.chen)
    assert "Grant" not in client.get(url).content.decode()
    make.sign_in(client, boss)
    assert "Grant" in client.get(url).content.decode()
    decide = reverse("complaints:decide_extension", args=[asked.pk])
    client.post(decide, {"grants": "on"})
    assert "Granted" in client.get(url).content.decode()
