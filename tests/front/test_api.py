"""The API of the house: what one sees and no more; asking and declaring once."""

import json
from datetime import timedelta

import pytest
from django.utils.timezone import now

from crm.library.models import Reading
from crm.programmes.models import UnitRequest
from crm.risk.models import Incident
from tests import factories as make
from tests.routes_house import things

API = "/api/v1"


@pytest.fixture
def house(cast):
    make.holidays_of(2026, 2027)
    return things(cast, cast.wuhan, cast.chen, cast.lin)


def rows(client, name: str) -> list:
    return client.get(f"{API}/{name}/").json()["results"]


LISTS = (
    *("documents", "programmes", "walks", "staff-events", "unit-requests"),
    *("unit-reports", "risks", "incidents", "service-costs"),
)


@pytest.mark.parametrize("name", LISTS)
def test_each_list_has_ones_own_rows_and_nothing_of_a_sister(cast, client, house, name):
    make.sign_in(client, cast.chen)
    assert rows(client, name)
    make.sign_in(client, cast.mei)
    assert rows(client, name) == []


def test_a_document_is_confirmed_once(cast, client, house):
    make.sign_in(client, cast.chen)
    url = f"{API}/documents/{house['paper']['pk']}/read/"
    first = client.post(url).json()
    assert client.post(url).json() == first
    assert Reading.objects.get(user=cast.chen).read_at is not None


def test_a_request_is_asked_once_and_its_faults_are_named(cast, client, house):
    make.sign_in(client, cast.yong)
    before = UnitRequest.objects.count()
    sent = {"asking": cast.wuhan.pk, "asked": cast.yichang.pk, "hours": 8}
    sent |= {"subject": "查件", "text": "请查"}
    for _twice in range(2):
        answer = client.post(
            f"{API}/unit-requests/",
            json.dumps(sent),
            content_type="application/json",
            headers={"Idempotency-Key": "a-request"},
        )
        assert answer.status_code == 201
    assert UnitRequest.objects.count() == before + 1
    bad = client.post(
        f"{API}/unit-requests/",
        json.dumps(sent | {"hours": 0, "more": 1}),
        content_type="application/json",
    )
    assert bad.status_code == 400
    assert "more" in bad.content.decode()


def test_another_system_declares_an_incident_once(cast, client):
    make.sign_in(client, cast.lin)
    sent = {
        "office": cast.wuhan.pk,
        "kind": "system",
        "grade": "minor",
        "title": "中断",
        "text": "x",
        "noticed_at": f"{now() - timedelta(minutes=5):%Y-%m-%dT%H:%M:%S}",
        "leader": "chen",
    }
    for _twice in range(2):
        answer = client.post(
            f"{API}/incidents/",
            json.dumps(sent),
            content_type="application/json",
            headers={"Idempotency-Key": "an-incident"},
        )
        assert answer.status_code == 201, answer.content
    assert Incident.objects.count() == 1
    future = json.dumps(sent | {"noticed_at": "2099-01-01T10:00:00"})
    bad = client.post(f"{API}/incidents/", future, content_type="application/json")
    assert bad.status_code in (400, 409, 422)
    assert Incident.objects.count() == 1
