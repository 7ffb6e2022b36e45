"""The workflow: each action, what it asks for, what it refuses, two people at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.urls import reverse
from django.utils.timezone import localtime, now

from complaints import closing, handling, passing, workflow
from complaints.models import BuckPassing, Category, Complaint, Milestone, Outcome
from complaints.order_forms import FORMS
from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.notify.models import Message
from tests import factories as make


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


@pytest.fixture
def order(cast):
    return make.complaint(cast.lin, cast.wuhan)


def url(order, action: str) -> str:
    return reverse("complaints:act", args=[order.ref, action])


def answered(order, by):
    order = make.push(order, by, "accepted")
    return handling.answer(order, by=by, text="已赔付并致歉", how="phone", at=now())


def test_the_table_is_whole():
    """Every state is reached and left, or is an end; every action has its form."""
    reached = {after for moves in workflow.MOVES.values() for after in moves}
    assert reached | {"new"} == set(workflow.State.values)
    ends = {state for state in workflow.State if not workflow.MOVES[state]}
    assert ends == {"cancelled", "merged"}
    assert set(FORMS) == set(workflow.ACTIONS)


def test_a_handler_takes_it_on_the_page_and_it_is_accepted(cast, client, order):
    make.sign_in(client, cast.yong)
    client.post(url(order, "claim"))
    order.refresh_from_db()
    assert (order.state, order.owner) == ("accepted", cast.yong)
    page = client.get(order.get_absolute_url()).content.decode()
    assert "Customer contacted" in page
    assert order.milestones.get(kind="first").met_at


def test_a_step_that_is_not_open_is_refused_and_keeps_what_was_typed(
    cast, client, order
):
    make.sign_in(client, cast.yong)
    answer = client.post(url(order, "suspend"), {"note": "my long note"})
    assert answer.status_code == 422
    make.push(order, cast.lin, "cancelled")
    answer = client.post(url(order, "accept"), {"note": ""})
    assert answer.status_code == 422
    assert client.post(url(order, "explode")).status_code == 404


def test_a_manager_reads_and_does_not_act(cast):
    customer = make.customer(cast.wuhan, manager=cast.zhao)
    order = make.complaint(cast.lin, cast.wuhan, customer=customer)
    with pytest.raises(PermissionDenied):
        handling.step(order, "accept", by=cast.zhao, note="x")
    handling.add_note(order, by=cast.zhao, note="我的客户，请尽快")
    with pytest.raises(PermissionDenied):
        handling.add_note(order, by=cast.mei, note="x")


def test_the_office_that_took_it_lets_go_once_it_is_accepted(cast):
    customer = make.customer(cast.yichang)
    order = make.complaint(cast.lin, cast.wuhan, customer=customer)
    order = handling.step(order, "accept", by=cast.mei, note="")
    with pytest.raises(PermissionDenied):
        handling.step(order, "start", by=cast.lin, note="x")
    handling.step(order, "start", by=cast.chen, note="supervisor")


def test_a_contact_meets_its_clock_at_the_time_it_happened(cast, order):
    at = now() - timedelta(seconds=1)
    Complaint.objects.update(opened_at=at - timedelta(hours=1))
    handling.contact(order, by=cast.yong, how="phone", at=at, note="已致电")
    assert order.milestones.get(kind="contact").met_at == at
    for wrong in (now() + timedelta(hours=1), at - timedelta(days=1)):
        with pytest.raises(Refused, match="Between its opening and now"):
            handling.contact(order, by=cast.yong, how="sms", at=wrong, note="x")


def test_handed_over_it_is_the_other_offices_work_and_they_are_told(cast, order):
    order = make.push(order, cast.yong, "accepted")
    order = handling.assign(
        order, by=cast.yong, office=cast.yichang, owner=cast.mei, note="应由宜昌处理"
    )
    assert (order.handling_office, order.owner) == (cast.yichang, cast.mei)
    assert Message.objects.get(to_user=cast.mei).subject == handling.HANDED
    with pytest.raises(Refused, match="of this name works there"):
        handling.assign(
            order, by=cast.mei, office=cast.yichang, owner=cast.yong, note="x"
        )
    with pytest.raises(PermissionDenied):
        handling.assign(order, by=cast.yong, office=cast.wuhan, note="back")


def test_sent_back_twice_is_a_suspicion_that_a_person_judges(cast, order):
    order = make.push(order, cast.yong, "accepted")
    for _time in range(2):
        order = handling.assign(order, by=cast.chen, office=cast.yichang, note="给你")
        order = handling.give_back(order, by=cast.mei, note="不归我们")
        assert (order.state, order.handling_office) == ("returned", cast.wuhan)
    assert order.bounces == 2
    suspicion = BuckPassing.objects.get()
    assert (suspicion.office, suspicion.sign) == (cast.yichang, "bounces")
    with pytest.raises(PermissionDenied):
        passing.judge(suspicion, by=cast.chen, confirms=True, note="x")
    passing.judge(suspicion, by=cast.mei, confirms=True, note="确属推诿")
    finding = order.findings.get()
    assert (finding.basis, finding.office) == ("duty", cast.yichang)
    with pytest.raises(Refused, match="judged already"):
        passing.judge(suspicion, by=cast.mei, confirms=False, note="y")


def test_what_always_was_here_is_not_sent_back(cast, order):
    order = handling.assign(order, by=cast.yong, office=cast.wuhan, note="本局")
    with pytest.raises(Refused, match="nowhere else"):
        handling.give_back(order, by=cast.yong, note="x")


def test_lying_for_half_of_its_time_is_a_suspicion_once(cast, order):
    order = handling.assign(order, by=cast.lin, office=cast.wuhan, note="派发")
    run_inline(enqueue("complaints.idle"))
    assert not BuckPassing.objects.exists()
    at = now()
    Milestone.objects.filter(kind="resolution").update(
        starts_at=at - timedelta(hours=4), due_at=at + timedelta(hours=1)
    )
    order.moves.update(at=at - timedelta(hours=3))
    for _time in range(2):
        run_inline(enqueue("complaints.idle"))
    assert BuckPassing.objects.get().sign == "idle"


def test_it_rises_office_by_office_to_the_top_and_no_further(cast):
    order = make.complaint(cast.lin, cast.wuhan, customer=make.customer(cast.wuchang))
    boss = make.user("province", ("supervisor", cast.hubei))
    order = make.push(order, cast.lin, "accepted", "in_progress")
    order = handling.escalate(order, by=cast.chen, note="县局解决不了")
    assert order.handling_office == cast.wuhan
    order = make.push(order, cast.chen, "in_progress")
    order = handling.escalate(order, by=cast.chen, note="市局也不行")
    order = make.push(order, boss, "in_progress")
    with pytest.raises(Refused, match="no office above"):
        handling.escalate(order, by=boss, note="x")


def test_an_answer_says_what_how_and_when(cast, order, client):
    order = make.push(order, cast.yong, "accepted")
    make.sign_in(client, cast.yong)
    answer = client.post(url(order, "answer"), {"text": "", "how": "smoke", "at": "x"})
    assert answer.status_code == 422
    client.post(
        url(order, "answer"),
        {"text": "已致歉", "how": "phone", "at": "2020-01-01T00:00"},
    )
    assert not Outcome.objects.exists()
    Complaint.objects.update(opened_at=now() - timedelta(days=1))
    at = localtime().strftime("%Y-%m-%dT%H:%M")
    client.post(
        url(order, "answer"), {"text": "已致歉并赔付", "how": "phone", "at": at}
    )
    order.refresh_from_db()
    assert order.state == "replied"
    assert order.outcome.told_how == "phone"


def test_a_complaint_is_archived_only_with_all_of_its_finding(cast, client, order):
    order = answered(order, cast.yong)
    make.sign_in(client, cast.lin)
    with pytest.raises(Refused, match="follow-up"):
        closing.archive(
            order, by=cast.lin, liability="none", cause="force", measure="x"
        )
    with pytest.raises(PermissionDenied):
        closing.check(
            order, by=cast.yong, result="satisfied", satisfaction=5, note="好"
        )
    order = closing.check(
        order, by=cast.lin, result="satisfied", satisfaction=4, note="好"
    )
    for missing in ({}, {"liability": "unit"}, {"liability": "none", "cause": "force"}):
        page = client.post(url(order, "archive"), missing)
        assert page.status_code == 422
    with pytest.raises(Refused, match="missing"):
        closing.archive(order, by=cast.lin, liability="none")
    client.post(
        url(order, "archive"),
        {
            "liability": "unit",
            "liable_office": "420100",
            "cause": "delivery",
            "none_needed": "on",
        },
    )
    order.refresh_from_db()
    assert order.state == "archived"
    finding = order.findings.get()
    assert (finding.office, finding.basis, finding.share) == (cast.wuhan, "fault", 100)
    assert not order.outcome.measure_needed
    answer = client.post(url(order, "archive"), {"liability": "none"})
    assert answer.status_code == 422  # closed a second time: said, nothing changed


def test_a_consultation_is_archived_without_a_finding(cast):
    order = make.complaint(cast.lin, cast.wuhan, kind="consultation")
    order = answered(order, cast.yong)
    assert closing.archive(order, by=cast.lin).state == "archived"


def test_not_satisfied_comes_back_until_it_is(cast, order):
    order = answered(order, cast.yong)
    order = closing.check(
        order, by=cast.lin, result="unsatisfied", satisfaction=1, note="还没收到"
    )
    assert (order.state, order.rounds, order.handling_office) == (
        "reopened",
        2,
        cast.wuhan,
    )
    assert Message.objects.filter(to_user=cast.yong, subject=closing.AGAIN).exists()
    order = handling.answer(order, by=cast.yong, text="已送达", how="phone", at=now())
    order = closing.reopen(order, by=cast.lin, note="又来电")
    assert order.rounds == 3
    assert order.milestones.filter(kind="legal").count() == 3


def test_another_type_keeps_the_history_and_begins_its_clocks(cast):
    order = make.complaint(cast.lin, cast.wuhan, kind="delivery_chase", item_no="EA1")
    order = handling.claim(order, by=cast.yong)
    order = handling.convert(
        order,
        by=cast.yong,
        kind="complaint",
        subcategory=Category.objects.get(code="101"),
        note="客户要求按投诉处理",
    )
    assert (order.kind, order.category) == ("complaint", "delay")
    running = set(order.milestones.filter(met_at=None).values_list("kind", flat=True))
    assert running == {"contact", "resolution", "legal"}  # the first answer was met
    assert order.legal_due_at - now() > timedelta(days=6)
    assert order.moves.last().what == "converted"
    with pytest.raises(Refused, match="of this type already"):
        handling.convert(
            order, by=cast.yong, kind="complaint", subcategory=None, note="x"
        )


# --- two at once ------------------------------------------------------------------------


def change_form(client, order) -> dict:
    page = client.get(order.get_absolute_url())
    form = page.context["change_form"]
    return {name: form[name].value() or "" for name in form.fields} | {
        "is_forwarded": "",
        "is_violation": "",
    }


def test_two_people_clash_over_one_field_only(cast, client, order):
    make.sign_in(client, cast.yong)
    mine, theirs = change_form(client, order), change_form(client, order)
    address = reverse("complaints:change", args=[order.ref])
    client.post(address, {**theirs, "severity": "major", "item_no": "EA1"})
    fine = client.post(address, {**mine, "demand": "要求道歉"})
    assert fine.status_code == 302
    clash = client.post(address, {**mine, "severity": "urgent"})
    assert clash.status_code == 409
    assert "it is now: major" in clash.content.decode()
    order.refresh_from_db()
    assert (order.severity, order.demand, order.item_no) == ("major", "要求道歉", "EA1")
    assert order.rank == 2


@pytest.mark.django_db(transaction=True)
def test_of_two_closing_at_once_one_wins():
    cast = make.cast()
    order = make.complaint(cast.lin, cast.wuhan)

    def attempt(_number: int) -> str:
        try:
            handling.step(order, "cancel", by=cast.lin, note="n")
        except Refused as refusal:
            return refusal.code
        finally:
            connections.close_all()
        return "done"

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(attempt, range(4)))
    assert outcomes == ["complaint.moved_already"] * 3 + ["done"]
    assert order.moves.count() == 2


def test_the_same_form_twice_acts_once(cast, client, order):
    make.sign_in(client, cast.yong)
    data = {"note": "备注", "token": "8f14e45f-ceea-467f-a0e6-0242ac120002"}
    for _twice in range(2):
        client.post(url(order, "note"), data)
    assert order.moves.filter(what="noted").count() == 1


def test_who_else_looks_is_shown(cast, client, order):
    address = reverse("complaints:presence", args=[order.ref])
    make.sign_in(client, cast.chen)
    client.post(address, {"version": "1", "writing": "1"})
    make.sign_in(client, cast.yong)
    seen = client.post(address, {"version": "1"}).content.decode()
    assert "Chen is writing" in seen
    handling.claim(order, by=cast.yong)
    assert "has changed" in client.post(address, {"version": "1"}).content.decode()
