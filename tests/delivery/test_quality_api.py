"""The API of delivery quality: rows in, items and figures out."""

import pytest

from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from delivery.models import MailItem
from tests import factories as make

OCTOBER = {"since": "2026-10-01", "until": "2026-10-31"}
API = "/api/v1/items/"


@pytest.fixture
def send(cast, sign_in):
    client = sign_in(cast.he)

    def send(what: str, rows: list[dict], office: str = "420100"):
        body = {"office": office, "rows": rows}
        url = f"{API}bring/{what}/"
        return client.post(url, body, content_type="application/json")

    return send


def test_items_and_events_come_in_by_the_api_twice_as_once(cast, send, sign_in):
    number = make.waybill(7)
    items = [{"waybill": number, "accepted_at": "2026-10-12T09:00:00+08:00"}]
    events = [
        {
            "event_id": "e1",
            "waybill": number,
            "code": "DELIVERED",
            "at": "2026-10-13T09:00:00+08:00",
        }
    ]
    assert send("events", events).json()["counts"] == {"accepted": 0, "flagged": 1}
    assert send("items", items).json()["imported"] == 1
    assert send("items", items).json()["duplicates"] == 1
    assert send("events", events).json()["duplicates"] == 1
    pickups = [{"ref": "P1", "promised_by": "2026-10-12T10:00+08:00"}]
    assert send("pickups", pickups).json()["imported"] == 1
    run_inline(enqueue("delivery.tally"))
    client = sign_in(cast.chen)
    listed = client.get(API, OCTOBER | {"which": "on_time"}).json()
    assert [row["waybill"] for row in listed["results"]] == [number]
    assert client.get(f"{API}{number}/").json()["days"] == 1
    found = client.get("/api/v1/delivery-quality/", OCTOBER).json()
    figures = {row["name"]: row for row in found["figures"]}
    assert figures["on_time_rate"]["value"] == 1
    assert figures["timely_pickup_rate"]["denominator"] == 1


def test_bad_rows_are_named_and_the_good_ones_go_in(send):
    answer = send(
        "items",
        [
            {"waybill": make.waybill(1), "accepted_at": "2026-10-12T09:00+08:00"},
            {"waybill": "SF123"},
            {"waybill": make.waybill(2), "accepted_at": "2999-01-01T09:00"},
            {"waybill": make.waybill(3), "office": "nowhere"},
        ],
    ).json()
    assert (answer["rows"], answer["imported"]) == (4, 1)
    assert [(bad["row"], bad["column"]) for bad in answer["rejected"]] == [
        *((2, "waybill"), (3, "accepted_at"), (4, "office")),
    ]
    assert MailItem.objects.count() == 1


@pytest.mark.parametrize(
    ("rows", "office"),
    [
        ([], "420100"),
        ([{"waybill": "x"}] * 1001, "420100"),
        ([{"waybil": "x"}], "420100"),
        ([{"accepted_at": "2026-10-12"}], "420100"),
        ([{"waybill": {"a": 1}}], "420100"),
        ([{"waybill": make.waybill(1)}], "420500"),  # next door
    ],
)
def test_a_bad_request_is_refused_whole(send, rows, office):
    assert send("items", rows, office).status_code == 400
    assert not MailItem.objects.exists()


def test_a_bad_question_is_a_400(cast, sign_in):
    client = sign_in(cast.chen)
    for url in (API, "/api/v1/delivery-quality/"):
        assert client.get(url, {"since": "soon"}).status_code == 400
        assert client.get(url, {"office": "420500"}).status_code == 400
