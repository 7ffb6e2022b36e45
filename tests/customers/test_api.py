"""The customer API: same rows, masks and services as the pages; strict and idempotent."""

import uuid

import pytest

from customers.api import COLLECTIONS
from customers.models import Customer
from customers.panels import PANELS
from tests import factories as make

ROOT = "/api/v1/customers/"
NEW = {
    "office": "420100",
    "kind": "corporate",
    "name": "武汉东湖印刷有限公司",
    "phone": "13900000001",
    "address": "武汉市武昌区中山路1号",
    "industry": "press",
}


@pytest.fixture
def api(client, cast):
    make.sign_in(client, cast.chen)
    return client


def send(client, url: str, body, method: str = "post", **headers):
    call = getattr(client, method)
    return call(url, body, content_type="application/json", headers=headers)


def test_a_customer_is_made_once_for_one_key(api):
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, again = (send(api, ROOT, NEW, **key) for _time in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.json() == again.json()
    assert Customer.objects.count() == 1
    other = send(api, ROOT, {**NEW, "name": "x"}, **key)
    assert other.status_code == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"office": "420500"},
        {"office": "nowhere"},
        {"name": ""},
        {"phone": "12"},
        {"credit_code": "91420100MA4KMGEH6T"},
        {"manager": 1},
        {"version": 7},
        {"merged_into": 1},
        {"industry": "pigs"},
    ],
)
def test_wrong_and_unknown_fields_are_refused_by_name(api, wrong):
    answer = send(api, ROOT, {**NEW, **wrong})
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == set(wrong)
    assert not Customer.objects.exists()


def test_a_change_wants_the_version_that_was_read(api, cast):
    customer = make.customer(cast.wuhan)
    url = f"{ROOT}{customer.pk}/"
    version = api.get(url).json()["version"]
    good = send(api, url, {"version": version, "industry": "food"}, "patch")
    assert good.json()["industry"] == "food"
    late = send(api, url, {"version": version, "industry": "press"}, "patch")
    assert (late.status_code, late.json()["errors"]) == (409, {"industry": "food"})
    same = send(api, url, {"version": version, "industry": "food"}, "patch")
    assert same.status_code == 200
    assert send(api, url, {"industry": "food"}, "patch").status_code == 400
    assert (
        send(api, url, {"version": version, "manager": 1}, "patch").status_code == 400
    )


def test_lists_filter_and_search_gives_reasons(api, cast):
    firm = make.customer(cast.wuhan, segment="contract", phone="13900004321")
    make.customer(cast.wuhan)
    found = api.get(ROOT, {"segment": "contract"}).json()["results"]
    assert [row["id"] for row in found] == [firm.pk]
    assert api.get(ROOT, {"segment": "everything"}).status_code == 400
    hits = send(api, f"{ROOT}search/", {"q": "4321"}).json()["results"]
    assert [(row["id"], row["reason"]) for row in hits] == [
        (firm.pk, "end of the phone")
    ]


def test_collections_show_and_take_what_the_panels_do(api, cast):
    customer = make.customer(
        cast.wuhan, name="王秀英", kind="individual", phone="13900000001"
    )
    assert set(COLLECTIONS) == set(PANELS)
    base = f"{ROOT}{customer.pk}/collections/"
    for name in COLLECTIONS:
        body = api.get(f"{base}{name}/").content.decode()
        assert "13900000001" not in body
        assert "秀英" not in body
    good = {"number": "13900000002", "type": "mobile"}
    key = {"Idempotency-Key": str(uuid.uuid4())}
    assert send(api, f"{base}phones/", good, **key).status_code == 201
    assert send(api, f"{base}phones/", good, **key).status_code == 200
    assert send(api, f"{base}phones/", good).status_code == 409
    wrong = send(api, f"{base}phones/", {"number": "x", "type": "mobile"})
    assert set(wrong.json()["errors"]) == {"number"}
    extra = send(api, f"{base}phones/", {**good, "is_primary": True})
    assert set(extra.json()["errors"]) == {"is_primary"}
    assert send(api, f"{base}tasks/", {}).status_code == 404
    assert api.get(f"{base}passwords/").status_code == 404
    assert len(api.get(f"{base}phones/").json()["results"]) == 2


def test_who_may_not_write_may_not_write_here_either(client, cast):
    customer = make.customer(cast.wuhan)
    make.sign_in(client, cast.lin)
    url = f"{ROOT}{customer.pk}/collections/contracts/"
    data = {"number": "HT-1", "starts_on": "2026-01-01", "ends_on": "2026-12-31"}
    data |= {"billing": "cash", "credit_days": 30}
    assert send(client, url, data).status_code == 403
    make.sign_in(client, cast.mei)
    assert send(client, url, data).status_code == 404


def test_merging_and_undoing(api, cast):
    survivor, loser = make.customer(cast.wuhan), make.customer(cast.wuhan)
    far = make.customer(cast.yichang)
    url = f"{ROOT}{survivor.pk}/merge/"
    assert send(api, url, {"loser": far.pk}).status_code == 404
    assert send(api, url, {"loser": loser.pk, "take": ["password"]}).status_code == 400
    answer = send(api, url, {"loser": loser.pk, "take": ["name"]})
    assert answer.json()["name"] == loser.name
    assert api.get(f"{ROOT}{loser.pk}/").status_code == 404
    assert send(api, url, {"loser": loser.pk}).status_code == 404
    undone = send(api, f"{ROOT}{survivor.pk}/unmerge/", {})
    assert undone.json()["name"] == survivor.name
    assert send(api, f"{ROOT}{survivor.pk}/unmerge/", {}).status_code == 404


def test_the_summary_has_points_months_and_debts(api, cast):
    customer = make.customer(cast.wuhan, signing_habit="前台")
    found = api.get(f"{ROOT}{customer.pk}/summary/").json()
    assert found["service_points"][0]["text"] == "Signing: 前台"
    assert len(found["months"]) == 13
    assert set(found["overdue"]) == {"0-30", "31-60", "61-90", "91-180", "181-"}


def test_the_document_names_every_route(api):
    document = api.get("/api/v1/schema/").json()
    paths = set(document["paths"])
    for tail in ("", "{id}/", "search/", "{id}/merge/", "{id}/collections/{name}/"):
        assert f"/api/v1/customers/{tail}" in paths
    assert document["openapi"].startswith("3.")
