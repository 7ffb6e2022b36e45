"""Standing orders for workbooks: each period once, ended with the right to read."""

from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from crm.access.models import Posting
from crm.dashboards import standing
from crm.dashboards.models import StandingExport
from crm.errors import Refused
from crm.jobs.models import Job
from crm.notify.models import Message
from tests import factories as make

URL = reverse("dashboards:exports")
TODAY = date(2026, 11, 23)


@pytest.fixture
def ordered(cast) -> StandingExport:
    return standing.order(cast.wuhan, "month", by=cast.chen, today=TODAY)


def told() -> list[str]:
    return list(
        Message.objects.filter(subject=standing.READY).values_list("url", flat=True)
    )


def test_it_is_told_of_from_the_next_period_on_and_once(client, cast, ordered):
    assert not standing.send(ordered, TODAY)
    december = date(2026, 12, 1)
    assert [standing.send(ordered, december) for _twice in range(2)] == [True, False]
    make.sign_in(client, cast.chen)
    (link,) = told()
    answer = client.get(link)
    assert answer.status_code == 200
    assert "figures-420100-month-2026-11-01" in answer.headers["Content-Disposition"]


def test_missed_nights_are_caught_up_by_the_newest(cast, ordered):
    assert standing.send(ordered, date(2027, 3, 2))
    (link,) = told()
    assert "day=2027-02-01" in link


def test_who_may_not_read_there_any_more_is_told_nothing(client, cast, ordered):
    Posting.objects.filter(user=cast.chen).delete()
    standing.standing_step(Job(kind="dashboards.standing"))
    assert told() == []
    assert not StandingExport.objects.exists()


def test_the_form_orders_once_and_ends(client, cast):
    make.sign_in(client, cast.chen)
    asked = {"office": cast.wuhan.code, "kind": "week"}
    for _twice in range(2):
        assert client.post(URL, asked).status_code == 302
    row = StandingExport.objects.get()
    assert (row.owner, row.office, row.kind) == (cast.chen, cast.wuhan, "week")
    client.post(reverse("dashboards:export_end", args=[row.pk]))
    assert not StandingExport.objects.exists()


@pytest.mark.parametrize(
    "wrong", [{"kind": "century"}, {"office": "420500"}, {"office": "nowhere"}]
)
def test_a_sister_office_or_an_unknown_period_is_refused(client, cast, wrong):
    make.sign_in(client, cast.chen)
    asked = {"office": cast.wuhan.code, "kind": "week", **wrong}
    assert client.post(URL, asked).status_code == 422
    assert not StandingExport.objects.exists()


def test_nobody_ends_somebody_elses(cast, ordered):
    other = make.sign_in(Client(), cast.mei)
    where = reverse("dashboards:export_end", args=[ordered.pk])
    assert other.post(where).status_code in (403, 404)
    assert StandingExport.objects.exists()


def test_there_is_an_end_to_what_one_may_order(cast, monkeypatch):
    monkeypatch.setattr(standing, "MOST", 1)
    standing.order(cast.wuhan, "month", by=cast.chen, today=TODAY)
    standing.order(cast.wuhan, "month", by=cast.chen, today=TODAY)
    with pytest.raises(Refused):
        standing.order(cast.wuhan, "week", by=cast.chen, today=TODAY)


def test_a_crafted_office_is_no_error(client, cast):
    make.sign_in(client, cast.chen)
    assert client.post(URL, {"office": "\0", "kind": "week"}).status_code == 422
