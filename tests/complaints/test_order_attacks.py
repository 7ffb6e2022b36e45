"""What an attacker of the work orders found, each a test that keeps it mended."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import now

from complaints import calls, closing, extensions, handling, joining, services
from complaints.models import Call, Complaint, Outcome
from complaints.services import forget_customer, may_over
from crm.access.models import Absence, Posting, Shift, User
from crm.audit.models import AuditEvent
from crm.errors import Refused
from tests import factories as make


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


@pytest.fixture
def order(cast):
    return make.complaint(cast.lin, cast.wuhan)


def test_no_change_of_type_restarts_or_drops_the_law(cast, order):
    limit = order.milestones.get(kind="legal")
    asked = extensions.ask(
        limit,
        by=cast.yong,
        until_at=limit.due_at + timedelta(days=1),
        reason="等待寄件人",
    )
    with pytest.raises(Refused, match="supervisor changes its type"):
        handling.convert(
            order, by=cast.yong, kind="consultation", subcategory=None, note="x"
        )
    order.refresh_from_db()
    assert order.kind == "complaint"
    handling.convert(order, by=cast.yong, kind="enquiry", subcategory=None, note="x")
    begun = order.milestones.get(kind="legal")
    assert begun.starts_at == limit.starts_at
    assert begun.due_at - begun.starts_at == timedelta(days=30)
    assert begun.extensions.get() == asked


def test_there_is_no_way_round_the_finding(cast, order):
    order = make.push(order, cast.yong, "accepted", "in_progress", "suspended")
    with pytest.raises(PermissionDenied):
        handling.step(order, "cancel", by=cast.yong, note="x")
    other = make.push(make.complaint(cast.lin, cast.wuhan), cast.yong, "accepted")
    other = handling.convert(
        other, by=cast.yong, kind="enquiry", subcategory=None, note="x"
    )
    other = handling.answer(other, by=cast.yong, text="答复", how="phone", at=now())
    with pytest.raises(Refused, match="follow-up"):
        closing.archive(other, by=cast.lin)


def test_who_answered_neither_follows_up_nor_closes(cast, order):
    order = make.push(order, cast.chen, "accepted")
    order = handling.answer(order, by=cast.chen, text="答复", how="phone", at=now())
    with pytest.raises(Refused, match="a colleague"):
        closing.check(
            order, by=cast.chen, result="satisfied", satisfaction=5, note="ok"
        )
    with pytest.raises(PermissionDenied):  # nor somebody of another office
        closing.check(order, by=cast.mei, result="satisfied", satisfaction=5, note="ok")


def test_the_allowance_of_lookups_holds_for_everything_on_the_screen(
    cast, client, monkeypatch
):
    for name in ("customers.services", "complaints.calls"):
        monkeypatch.setattr(f"{name}.LOOKUPS_PER_HOUR", 1)
    foreign = make.complaint(
        cast.mei, cast.yichang, caller_phone="13911112222", item_no="EA1"
    )
    make.sign_in(client, cast.lin)
    form = client.get(reverse("complaints:new")).url
    client.post(form + "look/", {"phone": "13900000009", "item_no": "EA0"})
    seen = client.post(form + "look/", {"phone": "13911112222", "item_no": "ea1"})
    assert foreign.ref not in seen.content.decode()
    assert "in an hour" in seen.content.decode()
    sent = {"phone": "13911112222", "item_no": "EA1", "nudge": foreign.ref}
    assert client.post(form, sent).status_code == 404
    assert AuditEvent.objects.filter(action="item.looked_up").count() == 1


def test_forgetting_a_person_takes_answers_and_calls_along(cast):
    customer = make.customer(cast.wuhan)
    call = calls.open_call(by=cast.lin, office=cast.wuhan, number="13900000001")
    order = make.complaint(cast.lin, cast.wuhan, customer=customer, token=call.token)
    call.complaint = order
    call.save()
    Outcome.objects.create(complaint=order, answer="已告知王秀英 13900000001")
    forget_customer(customer)
    call.refresh_from_db()
    assert (call.number, call.number_index) == ("", None)
    assert Outcome.objects.get().answer == ""


def test_what_one_owned_is_not_ones_own_at_another_office(cast, order):
    handling.claim(order, by=cast.yong)
    Posting.objects.filter(user=cast.yong).update(office=cast.yichang)
    moved = User.objects.get(pk=cast.yong.pk)
    order.refresh_from_db()
    assert not may_over(moved, "complaint.move", order)
    assert not Complaint.objects.visible_to(moved).exists()


def test_an_incidents_answer_ends_where_ones_rights_end(cast):
    incident, foreign = (make.complaint(cast.lin, cast.wuhan) for _two in range(2))
    joining.adopt(foreign, by=cast.yong, parent=incident.ref)
    make.push(incident, cast.yong, "accepted")
    handling.assign(foreign, by=cast.chen, office=cast.yichang, note="x")
    handling.answer(incident, by=cast.yong, text="已处理", how="sms", at=now())
    foreign.refresh_from_db()
    assert foreign.state == "assigned"


def test_a_call_that_rings_at_a_seat_is_its_agents(cast):
    call = calls.open_call(by=cast.lin, office=cast.wuhan)
    Call.objects.filter(pk=call.pk).update(call_id="7", opened_at=None)
    with pytest.raises(Refused, match="Somebody else"):
        calls.open_call(by=cast.chen, office=cast.wuhan, call_id="7")


def test_what_is_closed_is_not_rewritten(cast, order):
    order = make.push(order, cast.yong, "cancelled")
    with pytest.raises(Refused, match="closed"):
        handling.change(
            order, by=cast.yong, shown={"demand": ""}, typed={"demand": "改"}
        )


def test_one_call_is_one_reminder(cast, order):
    call = calls.open_call(by=cast.lin, office=cast.wuhan)
    for _time in range(3):
        calls.remind(call, order, by=cast.lin, note="催")
    order.refresh_from_db()
    assert order.nudges == 1


def test_merging_makes_no_circle(cast):
    a, b, c, x = (make.complaint(cast.lin, cast.wuhan) for _four in range(4))
    joining.adopt(c, by=cast.yong, parent=b.ref)
    joining.adopt(x, by=cast.yong, parent=a.ref)
    with pytest.raises(Refused, match="under another"):
        joining.merge(a, by=cast.yong, into=c.ref, note="")


def test_unmerged_it_waits_for_its_customer_as_before(cast, order):
    other = make.complaint(cast.lin, cast.wuhan)
    order = make.push(order, cast.yong, "accepted", "in_progress", "suspended")
    joining.merge(order, by=cast.yong, into=other.ref, note="")
    order = joining.unmerge(Complaint.objects.get(pk=order.pk), by=cast.yong, note="")
    assert order.state == "suspended"
    assert order.pauses.get().until_at is None
    assert order.milestones.get(kind="resolution").next_at is None


def test_a_late_request_writes_no_draft_onto_a_finished_call(cast):
    call = calls.open_call(by=cast.lin, office=cast.wuhan)
    late = Call.objects.get(pk=call.pk)
    calls.finish(call, by=cast.lin, wrap_up="wrong")
    calls.keep_draft(late, {"description": "zu spät"})
    assert Call.objects.get().draft == ""


def test_more_time_has_an_end(cast, order):
    row = order.milestones.get(kind="legal")
    with pytest.raises(Refused, match="60 days"):
        extensions.ask(
            row, by=cast.yong, until_at=now() + timedelta(days=400), reason="永远不到期"
        )


@pytest.mark.parametrize(
    ("what", "given"),
    [
        ("shift", {"starts_at": "0001-01-01T00:00", "ends_at": "2026-11-23T00:00"}),
        ("shift", {"starts_at": "2026-11-22T00:00", "ends_at": "2026-11-24T00:00"}),
        ("absence", {"first_day": "0001-01-01", "last_day": "2026-11-23"}),
        ("absence", {"first_day": "9999-12-01", "last_day": "9999-12-31"}),
    ],
)
def test_no_roster_reaches_to_the_end_of_time(cast, client, what, given):
    make.sign_in(client, cast.chen)
    data = {f"{what}-{name}": value for name, value in given.items()}
    data[f"{what}-user"] = cast.yong.pk
    url = reverse("access:duty_add", args=[what])
    assert client.post(url, data).status_code == 422
    assert not Shift.objects.exists()
    assert not Absence.objects.exists()
    assert client.get(reverse("access:duty")).status_code == 200


def test_odd_values_are_answered_in_words(cast, client, order):
    make.sign_in(client, cast.chen)
    form = client.get(reverse("complaints:new")).url
    presence = reverse("complaints:presence", args=[order.ref])
    for url, data, expected in (
        (form + "look/", {"description": "长" * 25_000}, 200),
        (form, {"description": "长" * 25_000}, 422),
        (form, {"nudge": "\0"}, 404),
        (reverse("complaints:routing_usual"), {"office": "\0"}, 404),
        (reverse("complaints:desk_save"), {"office": "\0", "name": "\0"}, 422),
        (presence, {"version": "9" * 5000}, 200),
    ):
        assert client.post(url, data).status_code == expected, url


def test_a_part_asks_for_what_its_type_needs(cast, client, order):
    make.sign_in(client, cast.lin)
    url = reverse("complaints:act", args=[order.ref, "split"])
    for kind in ("recall", "complaint"):
        answer = client.post(url, {"kind": kind, "description": "另一件事"})
        assert answer.status_code == 422
    assert Complaint.objects.count() == 1


def test_names_of_strangers_are_not_told(cast, client, order):
    make.sign_in(client, cast.yong)
    services.move(order, by=cast.yong, after="accepted", note="")
    url = reverse("complaints:act", args=[order.ref, "assign"])
    pages = []
    for name in ("mei", "nobody-at-all"):
        sent = {"office": "420100", "owner": name, "note": "给他"}
        pages.append(client.post(url, sent).content.decode())
    assert all("Nobody of this name works there." in page for page in pages)


def test_the_callers_number_is_told_to_who_calls_back_and_counted(
    cast, client, order, monkeypatch
):
    url = reverse("complaints:reveal", args=[order.ref])
    monkeypatch.setattr("complaints.services.REVEALS_PER_HOUR", 1)
    make.sign_in(client, cast.zhao)
    assert client.post(url).status_code == 403
    make.sign_in(client, cast.yong)
    assert "tel:+8613800138000" in client.post(url).content.decode()
    assert "in an hour" in client.post(url).content.decode()
    assert AuditEvent.objects.filter(action="complaint.revealed").count() == 1


def test_no_promise_is_moved_past_the_law(cast, order):
    row = order.milestones.get(kind="resolution")
    with pytest.raises(Refused, match="law's limit ends"):
        extensions.ask(
            row,
            by=cast.yong,
            until_at=order.legal_due_at + timedelta(hours=1),
            reason="等待寄件人",
        )


def test_an_address_that_is_only_posted_to_leads_up(cast, client, order):
    make.sign_in(client, cast.yong)
    answer = client.get(reverse("complaints:act", args=[order.ref, "assign"]))
    assert answer.url == order.get_absolute_url()
    answer = client.get("/complaints/limits/add/")
    assert answer.url == reverse("complaints:limits")
    assert client.get("/hooks/telephony/generic/").status_code == 405


def test_a_work_order_is_found_by_its_number_in_the_box(cast, client, order):
    make.sign_in(client, cast.chen)
    found = client.post(reverse("customers:search"), {"q": order.ref.lower()})
    assert found.url == order.get_absolute_url()
