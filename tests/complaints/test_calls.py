"""The call screen: what opens it, what is looked up, the draft, the end of a call."""

import hashlib
import hmac
import json
import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from complaints import calls
from complaints.models import Call, Category, Complaint, Seat
from complaints.services import nudge
from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from tests import factories as make


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


@pytest.fixture
def lin(cast, client):
    return make.sign_in(client, cast.lin)


def typed(**changes) -> dict:
    return {
        "phone": "13900000001",
        "kind": "complaint",
        "subcategory": Category.objects.get(code="101").pk,
        "channel": "hotline",
        "description": "邮件五天没有送到。",
        **changes,
    }


def test_the_plain_address_opens_a_form_without_the_number_in_it(lin):
    answer = lin.get("/call", {"from": "13900000001", "to": "11183", "call_id": "a1"})
    call = Call.objects.get()
    assert answer.status_code == 303
    assert answer.url == reverse("call:form", args=[call.token])
    assert "139" not in answer.url
    page = lin.get(answer.url).content.decode()
    assert 'value="13900000001"' in page
    again = lin.get("/call", {"from": "13900000001", "call_id": "a1"})
    assert again.url == answer.url
    raw = Call.objects.extra(select={"raw": "number"}).values_list("raw", flat=True)
    assert b"139" not in bytes(raw[0])


def test_somebody_elses_call_is_neither_opened_nor_read(cast, lin):
    calls.open_call(by=cast.chen, office=cast.wuhan, call_id="a1")
    assert lin.get("/call", {"call_id": "a1"}).url == reverse("complaints:list")
    form = reverse("call:form", args=[Call.objects.get().token])
    assert lin.get(form).status_code == 404
    with pytest.raises(Refused, match="Somebody else"):
        calls.open_call(by=cast.lin, office=cast.wuhan, call_id="a1")
    with pytest.raises(PermissionDenied):
        calls.open_call(by=cast.yong, office=cast.wuhan)


def test_what_is_typed_outlives_a_reload_and_two_forms_stand_side_by_side(lin):
    first = lin.get(reverse("complaints:new")).url
    lin.post(first + "keep/", typed(description="第一个电话"))
    second = lin.get(reverse("complaints:new")).url
    assert second != first
    assert lin.get(reverse("complaints:new")).url == second  # still empty: the same
    lin.post(second + "keep/", typed(description="第二个电话"))
    assert "第一个电话" in lin.get(first).content.decode()
    page = lin.get(second).content.decode()
    assert "第二个电话" in page
    assert first in page
    raw = Call.objects.extra(select={"raw": "draft"}).values_list("raw", flat=True)
    assert all(b"phone" not in bytes(one) for one in raw)


def test_a_draft_has_an_end(lin):
    form = lin.get(reverse("complaints:new")).url
    lin.post(form + "keep/", typed(description="短"))
    huge = lin.post(form + "keep/", typed(description="长" * 30_000))
    assert huge.status_code == 413
    assert "短" in lin.get(form).content.decode()


def test_a_number_is_asked_for_once_a_call(cast, lin, monkeypatch):
    make.customer(cast.wuhan, phone="13900000001", name="王秀英", kind="individual")
    monkeypatch.setattr("customers.services.LOOKUPS_PER_HOUR", 1)
    form = lin.get(reverse("complaints:new")).url
    for text in ("一", "二", "三"):
        seen = lin.post(form + "look/", typed(description=text)).content.decode()
        assert "王" in seen
    assert AuditEvent.objects.filter(action="customer.looked_up").count() == 1


def test_the_screen_tells_due_times_office_script_and_open_work_beforehand(cast, lin):
    customer = make.customer(cast.wuchang, phone="13900000001")
    opened = make.complaint(
        cast.chen, cast.wuhan, item_no="RA123456785CN", caller_phone="13911112222"
    )
    form = lin.get(reverse("complaints:new")).url
    seen = lin.post(
        form + "look/", typed(item_no="ra123456785cn", customer=customer.pk)
    ).content.decode()
    assert "Legal limit" in seen
    assert "handled by 武昌区" in seen
    assert "I am sorry that it is late" in seen
    assert opened.ref in seen
    assert "Add a reminder instead" in seen
    assert Complaint.objects.count() == 1  # nothing saved yet


def test_a_reminder_instead_of_a_second_complaint(cast, lin):
    opened = make.complaint(cast.lin, cast.wuhan, caller_phone="13900000001")
    form = lin.get(reverse("complaints:new")).url
    data = typed(nudge=opened.ref, description="又来电催")
    assert lin.post(form, data).status_code == 404  # not before the number is looked up
    lin.post(form + "look/", data)
    lin.post(form, data)
    lin.post(form, data)  # the button twice
    opened.refresh_from_db()
    assert (opened.nudges, Complaint.objects.count()) == (1, 1)
    line = opened.moves.last()
    assert (line.what, line.note) == ("nudged", "又来电催")
    assert Call.objects.get().wrap_up == "reminded"
    stranger = make.complaint(cast.mei, cast.yichang, caller_phone="13700000000")
    form = lin.get(reverse("complaints:new")).url
    assert lin.post(form, typed(nudge=stranger.ref)).status_code == 404


def test_chasing_again_and_again_moves_it_forward(cast):
    row = make.complaint(cast.lin, cast.wuhan)
    for _time in range(4):
        row = nudge(row, by=cast.lin, note="催")
    assert (row.nudges, row.rank) == (4, 3)


def test_saving_in_a_call_leads_to_the_wrap_up_and_one_key_ends_it(cast, lin):
    calls.take_seat(by=cast.lin, extension="8001")
    url = lin.get("/call", {"from": "13900000001", "call_id": "a1"}).url
    answer = lin.post(url, typed())
    call = Call.objects.get()
    assert answer.url == reverse("call:wrap_up", args=[call.token])
    assert Seat.objects.get().state == "wrap_up"
    page = lin.get(answer.url).content.decode()
    assert re.search(r'value="logged"[^>]*checked', page)
    done = lin.post(answer.url, {"wrap_up": "logged"})
    call.refresh_from_db()
    assert done.url == reverse("complaints:new")
    assert (call.wrap_up, call.draft) == ("logged", "")
    assert call.complaint == Complaint.objects.get()
    assert Seat.objects.get().state == "ready"
    assert lin.get(url).url == call.complaint.get_absolute_url()


def test_a_call_may_end_without_a_work_order(cast, lin):
    url = lin.get("/call", {"from": "13900000001", "call_id": "a1"}).url
    lin.post(url + "wrap-up/", {"wrap_up": "nonsense"})
    assert Call.objects.get().done_at is None
    lin.post(url + "wrap-up/", {"wrap_up": "wrong"})
    assert Call.objects.get().wrap_up == "wrong"
    assert not Complaint.objects.exists()


def test_each_type_asks_for_what_it_needs(cast, lin):
    form = lin.get(reverse("complaints:new")).url
    wrong = lin.post(form, typed(kind="recall", subcategory=""), follow=True)
    assert "Which item?" in wrong.content.decode()
    assert wrong.status_code == 422
    lin.post(form, typed(kind="recall", subcategory="", item_no="ra 123456785 cn"))
    made = Complaint.objects.get()
    assert (made.kind, made.item_no, made.category) == (
        "recall",
        "RA123456785CN",
        "other",
    )


def test_markup_and_rare_characters_are_kept_and_shown_as_text(cast, lin):
    form = lin.get(reverse("complaints:new")).url
    nasty = "<script>alert(1)</script> 𠮷野家 🐼 {{ x }} ' -- \u202e"
    lin.post(form, typed(description=nasty, demand=nasty, caller_name=nasty[:50]))
    made = Complaint.objects.get()
    assert made.text == nasty
    page = lin.get(made.get_absolute_url()).content.decode()
    assert "<script>alert" not in page
    assert "𠮷野家 🐼" in page


def test_ten_megabytes_of_text_come_back_with_an_error(cast, lin):
    form = lin.get(reverse("complaints:new")).url
    answer = lin.post(form, typed(description="长" * 3_500_000))
    assert answer.status_code in (400, 413, 422)
    assert not Complaint.objects.exists()


# --- the exchange -----------------------------------------------------------------------


def told(body: dict | bytes, adapter: str = "generic", signature: str | None = None):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    key = settings.TELEPHONY_KEY.encode()
    right = "sha256=" + hmac.new(key, raw, hashlib.sha256).hexdigest()
    return Client(enforce_csrf_checks=True).post(
        reverse("call:telephony_event", args=[adapter]),
        raw,
        content_type="application/json",
        headers={"X-Signature": right if signature is None else signature},
    )


def event(kind: str, **more) -> dict:
    return {
        "event": kind,
        "call_id": "c-7",
        "from": "13900000001",
        "to": "11183",
        "extension": "8001",
        **more,
    }


def test_it_rings_at_the_seat_it_is_for_and_nowhere_else(cast, lin):
    calls.take_seat(by=cast.lin, extension="8001")
    calls.take_seat(by=cast.chen, extension="8002")
    for _twice in range(2):
        assert told(event("ringing")).status_code == 200
    card = lin.get(reverse("call:ringing")).content.decode()
    assert "139******01" in card
    assert "13900000001" not in card
    call = Call.objects.get()
    told(event("answered"))
    assert Seat.objects.get(user=cast.lin).state == "talking"
    url = lin.get(reverse("call:answer", args=[call.token])).url
    assert 'value="13900000001"' in lin.get(url).content.decode()
    assert "139" not in lin.get(reverse("call:ringing")).content.decode()
    told(event("ended"))
    assert Seat.objects.get(user=cast.lin).state == "wrap_up"
    make.sign_in(lin, cast.chen)
    assert "notice" not in lin.get(reverse("call:ringing")).content.decode()
    assert lin.get(reverse("call:answer", args=[call.token])).status_code == 404


def test_news_out_of_order_and_from_another_dialect_is_understood(cast):
    calls.take_seat(by=cast.lin, extension="8001")
    told(event("ended"))
    told(event("answered"))
    assert Call.objects.get().answered_at
    words = {"Linkedid": "77", "CallerIDNum": "13911112222", "DestExten": "8001"}
    told({"Event": "DialBegin", **words}, "asterisk")
    assert Call.objects.get(call_id="77").user == cast.lin


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"event": "ringing"}', 400),
        (b'{"event": "sneezing", "call_id": "1"}', 400),
        (b'{"event": "ringing", "call_id": {"a": 1}}', 400),
        (b'{"event": "ringing", "call_id": "1", "at": "gestern"}', 400),
        (b'{"event": "ringing", "call_id": "1\\u0000"}', 400),
        (b" " * 10_001, 413),
        (b"\xff\xfe", 400),
    ],
)
def test_what_makes_no_sense_is_answered_so(db, body, code):
    assert told(body).status_code == code
    assert not Call.objects.exists()


def test_only_the_exchange_is_believed(db):
    for signature in ("", "sha256=" + "0" * 64, "é"):
        assert told(event("ringing"), signature=signature).status_code == 403
    assert told(event("ringing"), "unknown").status_code == 404
    assert not Call.objects.exists()


def test_a_seat_is_one_persons_and_breaks_are_said(cast, lin):
    calls.take_seat(by=cast.chen, extension="8001")
    lin.post(reverse("call:seat"), {"extension": "8001"})
    assert Seat.objects.get().user == cast.lin
    lin.post(reverse("call:seat"), {"state": "break"})
    assert Seat.objects.get().state == "break"
    lin.post(reverse("call:seat"), {"state": "flying"})
    lin.post(reverse("call:seat"), {"extension": "<b>"})
    assert (Seat.objects.get().state, Seat.objects.get().extension) == ("break", "8001")
    assert "/call/ringing/" in lin.get(reverse("complaints:list")).content.decode()


def test_old_drafts_and_numbers_are_forgotten(cast):
    old = calls.open_call(by=cast.lin, office=cast.wuhan, number="13900000001")
    calls.keep_draft(old, {"description": "很久以前"})
    Call.objects.update(rang_at=now() - timedelta(days=31))
    fresh = calls.open_call(by=cast.lin, office=cast.wuhan, number="13900000002")
    run_inline(enqueue("complaints.calls"))
    Call.objects.filter(pk=old.pk).update(done_at=now() - timedelta(days=31))
    run_inline(enqueue("complaints.calls"))
    old.refresh_from_db()
    fresh.refresh_from_db()
    assert (old.draft, old.number) == ("", "")
    assert fresh.number


@pytest.mark.django_db(transaction=True)
def test_the_whole_call_works_outside_the_transaction_of_a_test():
    """Locks want a transaction: a test that has one of its own would not notice."""
    cast, client = make.cast(), Client()
    make.holidays_of(2026, 2027)
    order = make.complaint(cast.chen, cast.wuhan, item_no="RA123456785CN")
    make.sign_in(client, cast.lin)
    calls.take_seat(by=cast.lin, extension="8001")
    url = client.get("/call", {"from": "13900000001", "call_id": "a1"}).url
    data = typed(item_no="RA123456785CN")
    assert order.ref in client.post(url + "look/", data).content.decode()
    assert client.post(url + "find/", {"q": "王"}).status_code == 200
    assert client.post(url + "keep/", data).status_code == 204
    assert client.post(url, data).url.endswith("/wrap-up/")
    second = client.get("/call", {"from": "13900000001", "call_id": "a2"}).url
    client.post(second + "look/", data)
    assert client.post(second, {**data, "nudge": order.ref}).status_code == 302
    make.sign_in(client, cast.yong)
    for action, given in (
        ("claim", {}),
        ("contact", {"how": "phone", "at": "2020-01-01T00:00", "note": "已联系"}),
        ("note", {"note": "备注"}),
        ("merge", {"into": "C-1"}),
    ):
        address = reverse("complaints:act", args=[order.ref, action])
        assert client.post(address, given).status_code in (302, 422)
    for name in ("reveal", "change", "skip", "claim_propose", "help_ask"):
        address = reverse(f"complaints:{name}", args=[order.ref])
        assert client.post(address, {}).status_code in (200, 302, 422), name
    assert client.post(reverse("complaints:next")).status_code == 302
