"""Figures of persons: the last step of the drill, and one's own."""

from datetime import date

import pytest
from django.urls import reverse
from django.utils.timezone import localdate, now

from complaints.models import Complaint
from crm.audit.models import AuditEvent
from crm.dashboards import people
from crm.dashboards.periods import span_of
from crm.dashboards.reckoned import BY_NAME
from tests import factories as make
from tests.dashboards.test_figures import order

REOPENED = BY_NAME["reopen_rate"]
OCTOBER = {"kind": "month", "day": "2026-10-01"}


def close(cast, where, day: str, **facts) -> None:
    """A work order that was closed on a day."""
    facts |= {"state": "archived", "due_at": None, "closed_at": now()}
    one = order(cast, where, day, **facts)
    Complaint.objects.filter(pk=one.pk).update(closed_at=one.opened_at)


@pytest.fixture
def closed(cast):
    """In October: Yong closed four, one of them twice; one was nobody's; one of Yichang."""
    for number, (where, owner, rounds) in enumerate(
        [
            *[(cast.wuhan, cast.yong, 1 + (n == 0)) for n in range(4)],
            (cast.wuhan, None, 1),
            (cast.yichang, cast.mei, 1),
        ]
    ):
        close(cast, where, f"2026-10-{number + 10}", owner=owner, rounds=rounds)


def test_a_figure_opens_its_people_and_each_of_them_their_rows(client, cast, closed):
    make.sign_in(client, cast.chen)
    where = reverse("dashboards:kpi", args=["reopen_rate"])
    page = client.get(where, {"office": cast.wuhan.code, **OCTOBER})
    lines = page.context["people"]
    found = [
        (line.user, line.share.numerator, line.share.denominator) for line in lines
    ]
    assert found == [(None, 0, 1), (cast.yong, 1, 4)]  # low is good
    for person, count in ((cast.yong.pk, 4), (people.NOBODY, 1)):
        asked = {"office": cast.wuhan.code, **OCTOBER, "person": person}
        rows = client.get(f"{where}rows/bottom/", asked)
        assert len(rows.context["lines"]) == count
    assert AuditEvent.objects.filter(action="kpi.drilled").count() == 2


@pytest.mark.parametrize("person", ["-1", "yong", "9" * 30, "%00", "1 OR 1=1"])
def test_a_person_that_is_none_is_a_page_that_is_not_there(client, cast, person):
    make.sign_in(client, cast.chen)
    where = reverse("dashboards:rows", args=["reopen_rate", "bottom"])
    asked = {"office": cast.wuhan.code, **OCTOBER, "person": person}
    assert client.get(where, asked).status_code == 404


def test_nobody_sees_persons_of_a_sister_office(client, cast, closed):
    make.sign_in(client, cast.chen)
    where = reverse("dashboards:rows", args=["reopen_rate", "bottom"])
    own = {"office": cast.wuhan.code, **OCTOBER, "person": cast.mei.pk}
    assert client.get(where, own).context["lines"] == []
    foreign = {**own, "office": cast.yichang.code}
    assert client.get(where, foreign).status_code == 404


def test_the_api_names_them_to_who_may_drill(client, cast, closed):
    url = reverse("api-kpi-detail", args=["reopen_rate"])
    asked = {"office": cast.wuhan.code, **OCTOBER}
    make.sign_in(client, cast.chen)
    found = client.get(url, asked).json()["people"]
    assert [(one["user"], one["denominator"]) for one in found] == [
        (None, 1),
        (cast.yong.username, 4),
    ]
    make.sign_in(client, cast.of_role("analyst"))
    assert client.get(url, OCTOBER).json()["people"] == []


def test_an_analyst_sees_no_persons(client, cast, closed):
    make.sign_in(client, cast.of_role("analyst"))
    where = reverse("dashboards:kpi", args=["reopen_rate"])
    page = client.get(where, OCTOBER)
    assert page.context["people"] == []


def test_everybody_sees_their_own_and_only_their_own(client, cast):
    today = localdate()
    for owner in (cast.yong, cast.yong, None):
        close(cast, cast.wuhan, f"{today}", owner=owner)
    make.sign_in(client, cast.yong)
    page = client.get(reverse("dashboards:mine"))
    shares = {row.kpi.name: row.line.share for row in page.context["rows"]}
    assert shares["reopen_rate"].denominator == 2
    rows = client.get(reverse("dashboards:mine_rows", args=["reopen_rate", "bottom"]))
    assert len(rows.context["lines"]) == 2
    wrong = reverse("dashboards:mine_rows", args=["retention_rate", "bottom"])
    assert client.get(wrong).status_code == 404


def test_a_figure_without_persons_says_so_by_having_none(cast):
    span = span_of("month", date(2026, 10, 1))
    assert people.people(BY_NAME["retention_rate"], cast.wuhan, span) == []
    assert people.people(BY_NAME["complaint_rate"], cast.wuhan, span) == []


def test_one_query_names_all_persons(cast, closed, django_assert_num_queries):
    span = span_of("month", date(2026, 10, 1))
    with django_assert_num_queries(3):
        people.people(REOPENED, cast.wuhan, span)
