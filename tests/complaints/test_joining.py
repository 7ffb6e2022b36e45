"""Duplicates, parts, incidents; and the next work order for somebody."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from complaints import handling, joining, queue, routing
from complaints.models import Complaint, ComplaintMove, Desk, RoutingRule
from crm.access import duty
from crm.access.models import Absence, Shift
from crm.errors import Refused
from customers.models import CustomerGrade
from tests import factories as make


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


@pytest.fixture
def pair(cast):
    return [make.complaint(cast.lin, cast.wuhan) for _two in range(2)]


def test_a_duplicate_goes_into_the_other_and_comes_back_as_it_was(cast, pair):
    first, second = pair
    child = make.complaint(cast.lin, cast.wuhan)
    joining.adopt(child, by=cast.yong, parent=second.ref)
    second = make.push(second, cast.yong, "accepted")
    clocks = dict(second.milestones.values_list("kind", "due_at"))
    survivor = joining.merge(second, by=cast.yong, into=first.ref, note="同一邮件")
    second.refresh_from_db()
    child.refresh_from_db()
    assert (second.state, second.merged_into, second.due_at) == ("merged", first, None)
    assert (child.parent, survivor.nudges) == (first, 1)
    back = joining.unmerge(second, by=cast.yong, note="不是同一件")
    child.refresh_from_db()
    first.refresh_from_db()
    assert (back.state, back.merged_into, child.parent) == ("accepted", None, second)
    assert first.nudges == 0
    assert dict(back.milestones.values_list("kind", "due_at")) == clocks
    assert back.milestones.get(kind="first").met_at  # it was met before
    assert back.milestones.get(kind="legal").met_at is None


def test_what_cannot_be_merged_is_said(cast, pair):
    first, second = pair
    foreign = make.complaint(cast.mei, cast.yichang)
    for into, said in (
        (first.ref, "same"),
        (foreign.ref, "No work"),
        ("C-1", "No work"),
    ):
        with pytest.raises(Refused, match=said):
            joining.merge(first, by=cast.yong, into=into, note="")
    joining.merge(second, by=cast.yong, into=first.ref, note="")
    third = make.complaint(cast.lin, cast.wuhan)
    with pytest.raises(Refused, match="is closed"):
        joining.merge(third, by=cast.yong, into=second.ref, note="")
    odd = make.complaint(cast.lin, cast.wuhan, caller_phone="13911113333")
    with pytest.raises(Refused, match="Caller, customer and item differ"):
        joining.merge(odd, by=cast.yong, into=third.ref, note="")
    joining.merge(odd, by=cast.yong, into=third.ref, note="", sure=True)
    with pytest.raises(Refused, match="duplicates of its own"):
        joining.merge(first, by=cast.yong, into=third.ref, note="")


def test_one_answer_to_an_incident_answers_all_that_can_be_answered(cast):
    incident, *many = [make.complaint(cast.lin, cast.wuhan) for _n in range(5)]
    for row in many:
        joining.adopt(row, by=cast.yong, parent=incident.ref)
    make.push(many[0], cast.yong, "cancelled")
    for row in (incident, *many[1:]):
        make.push(row, cast.yong, "accepted")
    handling.answer(incident, by=cast.yong, text="暴雨延误", how="sms", at=now())
    states = list(Complaint.objects.order_by("pk").values_list("state", flat=True))
    assert states == ["replied", "cancelled", "replied", "replied", "replied"]
    with pytest.raises(Refused, match="under another"):
        joining.adopt(
            make.complaint(cast.lin, cast.wuhan), by=cast.lin, parent=many[1].ref
        )


def test_a_second_matter_becomes_a_work_order_of_its_own(cast, client, pair):
    make.sign_in(client, cast.lin)
    order = pair[0]
    url = reverse("complaints:act", args=[order.ref, "split"])
    data = {
        "kind": "suggestion",
        "description": "希望周末也投递",
        "token": "8f14e45f-ceea-467f-a0e6-0242ac120002",
    }
    for _twice in range(2):
        client.post(url, data)
    assert Complaint.objects.count() == 3
    made = Complaint.objects.latest("pk")
    assert (made.kind, made.caller_phone) == ("suggestion", order.caller_phone)
    assert made.ref in order.moves.last().note


# --- routing ----------------------------------------------------------------------------


@pytest.fixture
def rules(cast):
    boss = make.user("province", ("supervisor", cast.hubei))
    routing.add_usual(cast.hubei, by=boss)
    return boss


def test_the_usual_rules_send_it_where_the_seeds_say(cast, rules):
    casual = make.customer(cast.wuchang, kind="individual", segment="casual")
    contract = make.customer(cast.wuchang, segment="contract")
    key = make.customer(cast.wuchang, segment="standard")
    CustomerGrade.objects.create(
        customer=key,
        code="gold",
        name="金",
        rank=1,
        benefits=["priority_queue"],
        since=now(),
    )
    expected = [
        ({"customer": casual}, cast.wuhan, False),
        ({"customer": None}, cast.wuhan, False),
        ({"customer": contract}, cast.wuchang, False),
        ({"customer": key}, cast.wuchang, True),
        ({"customer": casual, "severity": "major"}, cast.hubei, True),
        (
            {"customer": None, "severity": "urgent", "scope": "country"},
            cast.hubei,
            False,
        ),
        ({"customer": None, "severity": "urgent", "scope": "city"}, cast.wuhan, False),
    ]
    for facts, office, is_fast in expected:
        made = make.complaint(cast.lin, cast.wuhan, **facts)
        assert (made.handling_office, made.is_fast_lane) == (office, is_fast), facts
    assert made.rank == 3
    assert not routing.add_usual(cast.hubei, by=rules)


def test_an_offices_own_rule_stands_before_the_provinces(cast, rules, client):
    desk = routing.save_desk(
        Desk(name="专席", office=cast.wuhan), by=cast.chen, members=[cast.yong]
    )
    rule = RoutingRule(
        office=cast.wuhan,
        position=1,
        kind="claim",
        target="office",
        target_office=cast.wuchang,
        desk=desk,
        gives_person=True,
    )
    routing.save_rule(rule, by=cast.chen)
    made = make.complaint(cast.lin, cast.wuhan, kind="claim")
    assert (made.handling_office, made.desk, made.owner) == (
        cast.wuchang,
        desk,
        cast.yong,
    )
    make.sign_in(client, cast.chen)
    sample = {"office": "420100", "kind": "claim", "severity": "normal"}
    page = client.get(reverse("complaints:routing"), sample).content.decode()
    assert "专席" in page
    assert "rule 1 of 武汉市" in page
    assert Complaint.objects.count() == 1  # a dry run saves nothing
    wrong = client.get(reverse("complaints:routing"), {**sample, "customer": "NO"})
    assert wrong.status_code == 422
    routing.remove_rule(rule, by=cast.chen)
    made.refresh_from_db()
    assert made.routed_by is None


def test_who_is_away_or_off_shift_is_given_nothing(cast):
    at = now()
    other = make.user("second", ("handler", cast.wuhan))
    people = [cast.yong, other]
    assert duty.on_duty(people, at) == people
    Absence.objects.create(user=cast.yong, first_day=at.date(), last_day=at.date())
    day = timedelta(days=1)
    Absence.objects.filter(user=cast.yong).update(
        first_day=at.date() - day, last_day=at.date() + day
    )
    assert duty.on_duty(people, at) == [other]
    Shift.objects.create(user=other, starts_at=at + day, ends_at=at + 2 * day)
    assert duty.on_duty(people, at) == []
    Shift.objects.create(user=other, starts_at=at - day / 2, ends_at=at + day / 4)
    assert duty.on_duty(people, at) == [other]
    rule = RoutingRule(office=cast.wuhan, position=1, target="taker", gives_person=True)
    routing.save_rule(rule, by=cast.chen)
    assert make.complaint(cast.lin, cast.wuhan).owner == other


def test_the_roster_is_kept_by_supervisors_of_the_people(cast, client):
    make.sign_in(client, cast.chen)
    shift = {
        "shift-user": cast.yong.pk,
        "shift-starts_at": "2026-12-01T08:00",
        "shift-ends_at": "2026-12-01T06:00",
    }
    url = reverse("access:duty_add", args=["shift"])
    assert client.post(url, shift).status_code == 422
    client.post(url, {**shift, "shift-ends_at": "2026-12-01T16:00"})
    row = Shift.objects.get()
    foreign = {**shift, "shift-user": cast.mei.pk, "shift-ends_at": "2026-12-01T16:00"}
    assert client.post(url, foreign).status_code == 422
    make.sign_in(client, cast.mei)
    remove = reverse("access:duty_remove", args=["shift", row.pk])
    assert client.post(remove).status_code == 404
    make.sign_in(client, cast.chen)
    client.post(remove)
    assert not Shift.objects.exists()


# --- the next one -----------------------------------------------------------------------


def test_next_gives_what_is_grave_first_then_what_is_due_first(cast, client):
    plain, grave = (
        make.complaint(cast.lin, cast.wuhan, severity=severity)
        for severity in ("normal", "urgent")
    )
    make.sign_in(client, cast.yong)
    answer = client.post(reverse("complaints:next"))
    assert answer.url == grave.get_absolute_url()
    grave.refresh_from_db()
    assert grave.owner == cast.yong
    assert client.post(reverse("complaints:next")).url == grave.get_absolute_url()
    skip = reverse("complaints:skip", args=[grave.ref])
    assert client.post(skip, {"reason": ""}).url == grave.get_absolute_url()
    assert client.post(skip, {"reason": "要等仓库回复"}).url == plain.get_absolute_url()
    line = ComplaintMove.objects.get(what="skipped")
    assert (line.by, line.note) == (cast.yong, "要等仓库回复")


def test_a_desks_work_is_for_its_members(cast):
    desk = Desk.objects.create(name="专席", office=cast.wuhan)
    row = make.complaint(cast.lin, cast.wuhan)
    Complaint.objects.update(desk=desk)
    assert queue.next_for(cast.yong) is None
    desk.members.add(cast.yong)
    assert queue.next_for(cast.yong) == row


def test_somebody_elses_and_foreign_work_is_not_given(cast):
    row = make.complaint(cast.lin, cast.wuhan)
    assert queue.next_for(cast.mei) is None
    assert queue.next_for(cast.yong) == row
    assert queue.next_for(cast.lin) is None
    with pytest.raises(Refused, match="not yours"):
        queue.skip(row, by=cast.lin, reason="x")
