"""The API: keys, idempotency, every action of the workflow, one shape of error."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.timezone import localdate, localtime, now

from complaints import handling, measures
from complaints.models import Claim, Complaint
from complaints.workflow import ACTIONS
from crm.access import services, tokens
from crm.access.models import ApiToken
from crm.audit.models import AuditEvent
from crm.errors import Refused
from tests import factories as make

URL = "/api/v1/complaints/"
NEW = {"phone": "13900000001", "category": "loss", "text": "没有收到邮件"}


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


class Caller:
    """Another system with somebody's key."""

    def __init__(self, user) -> None:
        until = localdate() + timedelta(days=30)
        self.token = tokens.make_token(user, name="ERP", expires_on=until)
        self.client = Client()

    def ask(self, method: str, url: str, data=None, **headers):
        headers = {"Authorization": f"Bearer {self.token}", **headers}
        kind = "application/json"
        facts = {"data": data, "content_type": kind} if method == "post" else {}
        return getattr(self.client, method)(url, headers=headers, **facts)

    def do(self, order, name, key="", **data):
        headers = {"Idempotency-Key": key} if key else {}
        return self.ask("post", f"{URL}{order.ref}/do/{name}/", data, **headers)


@pytest.fixture
def lin(cast) -> Caller:
    return Caller(cast.lin)


@pytest.fixture
def yong(cast) -> Caller:
    return Caller(cast.yong)


def test_a_key_acts_with_its_owners_rights_and_needs_no_session(cast, lin):
    own, foreign = (
        make.complaint(cast.lin, cast.wuhan),
        make.complaint(cast.mei, cast.yichang),
    )
    answer = lin.ask("get", URL)
    assert [row["ref"] for row in answer.json()["results"]] == [own.ref]
    assert lin.ask("get", f"{URL}{foreign.ref}/").status_code == 404
    assert ApiToken.objects.get().last_used_at is not None


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer crm_wrong", "Basic abc", "Bearer \x7f"]
)
def test_a_wrong_key_opens_nothing(client, header):
    answer = client.get(URL, headers={"Authorization": header})
    assert answer.status_code == 401


def test_a_key_ends_by_its_day_by_hand_and_with_its_owner(cast, lin):
    ApiToken.objects.update(expires_on=localdate() - timedelta(days=1))
    assert lin.ask("get", URL).status_code == 401
    ApiToken.objects.update(expires_on=localdate())
    assert lin.ask("get", URL).status_code == 200
    cast.lin.is_active = False
    cast.lin.save()
    assert lin.ask("get", URL).status_code == 401


def test_keys_are_made_on_the_profile_and_shown_once(cast, client):
    make.sign_in(client, cast.lin)
    session = client.session
    session["password_at"] = now().timestamp()
    session.save()
    page = reverse("access:token_new")
    late = {"name": "ERP", "expires_on": localdate() + timedelta(days=400)}
    assert client.post(page, late).status_code == 422
    token = "8f14e45f-ceea-467f-a0e6-0242ac120002"
    sent = {"name": "ERP", "expires_on": localdate(), "token": token}
    made = client.post(page, sent)
    assert client.post(page, sent).status_code == 302  # loaded anew: no second key
    assert ApiToken.objects.count() == 1
    body = made.content.decode()
    token = body.split("shown only now:")[1].split("</code>")[0].split(">")[-1]
    assert tokens.user_of(token) == cast.lin
    assert token not in client.get(reverse("access:profile")).content.decode()
    row = ApiToken.objects.get()
    client.post(reverse("access:token_end", args=[row.pk]))
    assert tokens.user_of(token) is None


def test_ten_keys_are_enough(cast):
    for number in range(10):
        tokens.make_token(cast.lin, name=f"{number}", expires_on=localdate())
    with pytest.raises(Refused, match="ten keys"):
        tokens.make_token(cast.lin, name="11", expires_on=localdate())


def test_denials_of_keys_are_in_the_trail(cast):
    analyst = Caller(cast.zheng)
    assert analyst.ask("get", URL).status_code == 403
    assert AuditEvent.objects.filter(action="access.denied").exists()


def test_the_same_key_of_a_request_logs_one(lin):
    for _twice in range(2):
        answer = lin.ask("post", URL, NEW, **{"Idempotency-Key": "call-17"})
        assert answer.status_code == 201
    assert Complaint.objects.count() == 1
    lin.ask("post", URL, NEW, **{"Idempotency-Key": "call-18"})
    assert Complaint.objects.count() == 2


def test_everything_that_the_form_takes_can_be_logged(cast, lin):
    customer = make.customer(cast.wuhan)
    data = NEW | {
        "kind": "claim",
        "subcategory": "201",
        "demand": "赔偿",
        "item_no": "EA1CN",
        "mood": "angry",
        "party": "sender",
        "scope": "province",
        "customer": customer.pk,
        "caller_name": "王小明",
    }
    answer = lin.ask("post", URL, data)
    assert answer.status_code == 201, answer.json()
    order = Complaint.objects.get()
    assert (order.kind, order.subcategory.code, order.customer) == (
        "claim",
        "201",
        customer,
    )
    assert answer.json()["handling_office"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"phone": "12"}, "phone"),
        ({"category": "x"}, "category"),
        ({"subcategory": "999"}, "subcategory"),
        ({"text": "x"}, "text"),
        ({"text": "x" * 4001}, "text"),
        ({"customer": 99999999}, "customer"),
        ({"state": "archived"}, "state"),
        ({"owner": 1}, "owner"),
        ({"token": "no"}, "token"),
    ],
)
def test_what_is_wrong_is_named(lin, wrong, field):
    answer = lin.ask("post", URL, NEW | wrong)
    assert answer.status_code == 400
    assert field in answer.json()["errors"]
    assert not Complaint.objects.exists()


def test_a_work_order_is_led_to_its_end_by_the_api(cast, lin, yong):
    ref = lin.ask("post", URL, NEW).json()["ref"]
    order = Complaint.objects.get(ref=ref)
    Complaint.objects.update(opened_at=now() - timedelta(minutes=5))
    at = f"{localtime(now()):%Y-%m-%dT%H:%M}"
    for name, data in (
        ("claim", {}),
        ("contact", {"how": "phone", "at": at, "note": "已联系"}),
        ("start", {}),
        ("answer", {"text": "已找到并送达", "how": "phone", "at": at}),
    ):
        answer = yong.do(order, name, **data)
        assert answer.status_code == 200, (name, answer.json())
    assert answer.json()["state"] == "replied"
    answer = lin.do(order, "check", result="satisfied", satisfaction=5, note="满意")
    assert answer.json()["state"] == "follow_up"
    done = lin.do(order, "archive", liability="none", cause="other", none_needed=True)
    assert done.json()["state"] == "archived"
    lines = lin.ask("get", f"{URL}{ref}/history/").json()
    assert [line["by"] for line in lines][-1] == "lin"
    detail = lin.ask("get", f"{URL}{ref}/").json()
    assert {row["kind"] for row in detail["milestones"]} >= {"first", "legal"}
    assert detail["actions"] == [
        n for n, a in ACTIONS.items() if "archived" in a.before
    ]


def test_an_action_with_a_key_is_done_once(cast, yong):
    order = make.complaint(cast.lin, cast.wuhan)
    for _twice in range(2):
        answer = yong.do(order, "note", key="n-1", note="同一句话")
        assert answer.status_code == 200
    assert order.moves.filter(note="同一句话").count() == 1


def test_what_is_not_open_or_wrong_is_said_in_one_shape(cast, lin, yong):
    order = make.complaint(cast.lin, cast.wuhan)
    closed = yong.do(
        order, "answer", text="已经答复客户", how="phone", at="2020-01-01T00:00"
    )
    assert (closed.status_code, closed.json()["code"]) == (
        409,
        "complaint.moved_already",
    )
    wrong = yong.do(order, "contact", how="pigeon", note="")
    assert wrong.status_code == 400
    assert set(wrong.json()["errors"]) == {"how", "at", "note"}
    assert yong.do(order, "note", note="好的", owner="1").json()["errors"].keys() == {
        "owner"
    }
    assert yong.do(order, "note", note={"a": 1}).status_code == 400
    assert yong.do(order, "destroy").status_code == 404
    assert yong.do(order, "accept", version="99").status_code == 409
    assert yong.do(order, "accept", version=str(order.version)).status_code == 200
    assert lin.do(order, "cancel", note="不该由我").status_code in (403, 200)


def test_lists_are_filtered(cast, lin):
    make.complaint(cast.lin, cast.wuhan, kind="enquiry")
    done = make.push(make.complaint(cast.lin, cast.wuhan), cast.yong, "cancelled")

    def refs(query):
        return [r["ref"] for r in lin.ask("get", URL + query).json()["results"]]

    assert refs("?state=cancelled") == [done.ref]
    assert len(refs("?open=1")) == 1
    assert len(refs("?kind=enquiry")) == 1
    assert refs(f"?since={localdate() + timedelta(days=1)}") == []
    assert lin.ask("get", URL + "?since=yesterday").status_code == 400


def test_claims_findings_measures_and_feedback_speak_too(cast, yong):
    order = make.push(make.complaint(cast.lin, cast.wuhan), cast.yong, "accepted")
    boss = Caller(cast.chen)
    facts = {"regime": "universal", "mail": "recorded", "damage": "lost"}
    data = {"work_order": order.ref, "postage": "10", "loss": "50", **facts}
    made = yong.ask("post", "/api/v1/claims/", data, **{"Idempotency-Key": "c1"})
    assert made.status_code == 201, made.json()
    again = yong.ask("post", "/api/v1/claims/", data, **{"Idempotency-Key": "c1"})
    assert again.json()["id"] == made.json()["id"]
    assert Claim.objects.count() == 1
    url = f"/api/v1/claims/{made.json()['id']}/do/"
    assert yong.ask("post", url + "grant/", {"decision": "同意"}).status_code == 403
    assert (
        boss.ask("post", url + "grant/", {"decision": "同意"}).json()["state"]
        == "approved"
    )
    assert boss.ask("post", url + "pay/", {"voucher": "PZ1"}).json()["state"] == "paid"
    assert boss.ask("post", url + "pay/", {"voucher": "PZ1"}).status_code == 409
    row = measures.give(order, by=cast.chen, what="x", office=cast.wuhan)
    done = boss.ask("post", f"/api/v1/measures/{row.pk}/do/do/", {"words": "已做"})
    assert done.json()["done_note"] == "已做"
    sent = {"kind": "need", "title": "打印机", "text": "网点打印机坏了"}
    told = yong.ask("post", "/api/v1/feedback/", sent)
    assert (told.status_code, told.json()["by"]) == (201, "yong")
    for name in ("findings", "quality-checks", "topics"):
        assert boss.ask("get", f"/api/v1/{name}/").status_code == 200


def test_the_document_names_keys_and_actions(client, cast):
    make.sign_in(client, cast.lin)
    paths = client.get(reverse("api-schema")).json()
    assert "/api/v1/complaints/{ref}/do/{name}/" in paths["paths"]
    assert "token" in paths["components"]["securitySchemes"]


def test_a_key_that_came_with_another_request_is_refused(cast, lin, yong):
    first, second = (make.complaint(cast.lin, cast.wuhan) for _two in range(2))
    assert yong.do(first, "note", key="K", note="第一件").status_code == 200
    for other in (
        yong.do(second, "note", key="K", note="第二件"),
        yong.do(first, "note", key="K", note="别的话"),
        yong.ask(
            "post",
            "/api/v1/feedback/",
            {"kind": "need", "title": "x", "text": "网点缺打印机"},
            **{"Idempotency-Key": "K"},
        ),
    ):
        assert (other.status_code, other.json()["code"]) == (409, "request.key")
    assert not second.moves.filter(what="noted").exists()
    assert lin.do(second, "note", key="K", note="别人的键").status_code == 200


def test_a_replay_tells_nothing_of_what_has_left(cast, yong):
    order = make.push(make.complaint(cast.lin, cast.wuhan), cast.yong, "accepted")
    sent = {"office": "420500", "note": "转宜昌"}
    first = yong.do(order, "assign", key="K", **sent)
    assert first.status_code == 200
    order.refresh_from_db()
    handling.claim(order, by=cast.mei)
    again = yong.do(order, "assign", key="K", **sent)
    assert again.status_code == 404 or again.json() == {"ref": order.ref}


@pytest.mark.parametrize(
    "body",
    [
        b'{"note": "ab\\ud800cd"}',
        b'{"\\ud800": "abcd"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"note": [1]}',
        b"[]",
        b"null",
        b"\xff",
        b"",
    ],
)
def test_what_nobody_can_store_is_a_bad_request(cast, yong, body):
    order = make.complaint(cast.lin, cast.wuhan)
    url = f"{URL}{order.ref}/do/note/"
    headers = {"Authorization": f"Bearer {yong.token}"}
    answer = yong.client.post(
        url, body, content_type="application/json", headers=headers
    )
    assert answer.status_code == 400
    assert answer.json()["code"]


def test_a_new_password_a_disabled_account_and_a_missing_factor_end_keys(cast, lin):
    services.change_password(cast.lin, password="another-long-password-2", keep="")
    assert lin.ask("get", URL).status_code == 401
    again = Caller(cast.lin)
    cast.wuhan.requires_second_factor = True
    cast.wuhan.save()
    assert again.ask("get", URL).status_code == 401
    cast.wuhan.requires_second_factor = False
    cast.wuhan.save()
    cast.lin.must_change_password = True
    cast.lin.save()
    assert again.ask("get", URL).status_code == 401


def test_knocking_on_foreign_doors_with_a_key_is_in_the_trail(cast, lin):
    foreign = make.complaint(cast.mei, cast.yichang)
    lin.ask("get", f"{URL}{foreign.ref}/")
    event = AuditEvent.objects.get(action="access.denied")
    assert event.details == {"path": f"{URL}{foreign.ref}/", "status": 404}
