"""Time in each step, at each office that a work order passed."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from complaints import handling, stages
from complaints.models import ComplaintMove
from tests import factories as make


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


@pytest.fixture
def passed(cast):
    """New 2 h and accepted 3 h at Wuhan (with a note between), assigned 5 h at Wuchang."""
    order = make.push(make.complaint(cast.lin, cast.wuhan), cast.yong, "accepted")
    order = handling.add_note(order, by=cast.yong, note="x")
    order = handling.assign(order, by=cast.chen, office=cast.wuchang, note="转办")
    make.push(order, cast.chen, "in_progress")
    start = now() - timedelta(hours=20)
    for move, hours in zip(order.moves.all(), (0, 2, 3, 5, 10), strict=True):
        at = start + timedelta(hours=hours)
        ComplaintMove.objects.filter(pk=move.pk).update(at=at)
    return order


def cells(stage) -> dict:
    pairs = zip(stages.STEPS, stage.cells, strict=True)
    return {str(step): cell for step, cell in pairs if cell}


def test_each_office_answers_for_its_own_hours(cast, passed):
    since, until = now() - timedelta(days=1), now() + timedelta(days=1)
    wuhan, wuchang = stages.by_office([cast.wuhan.path], since, until)
    assert cells(wuhan) == {
        "new": (1, 2.0),
        "accepted": (1, 3.0),
    }  # the note ends nothing
    assert cells(wuchang) == {"assigned": (1, 5.0)}  # in progress still runs
    assert stages.by_office([cast.yichang.path], since, until) == []
    assert stages.by_office([], since, until) == []
    assert stages.by_office([cast.wuhan.path], until, until) == []


def test_the_median_is_not_moved_by_one_that_lay_long(cast):
    for hours in (1, 2, 90):
        order = make.push(make.complaint(cast.lin, cast.wuhan), cast.yong, "accepted")
        first = order.moves.first()
        first.at -= timedelta(hours=hours)
        first.save()
    (row,) = stages.by_office(
        [cast.hubei.path], now() - timedelta(days=1), now() + timedelta(days=1)
    )
    count, hours = cells(row)["new"]
    assert (count, round(hours, 1)) == (3, 2.0)


def test_the_report_shows_it(cast, client, passed):
    make.sign_in(client, cast.chen)
    body = client.get(reverse("complaints:report")).content.decode()
    assert "Time in each step" in body
    assert "武昌区" in body
    make.sign_in(client, cast.mei)
    assert "武昌区" not in client.get(reverse("complaints:report")).content.decode()
