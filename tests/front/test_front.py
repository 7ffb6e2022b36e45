"""The supervisor's first page and the wall: each number opens what it counts."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import localdate, now

from complaints.models import Call, Complaint
from crm.dashboards.periods import Kind, last_ended
from crm.front import standing
from crm.programmes.models import UnitRequest
from crm.risk import services as risks
from crm.risk.models import Incident
from delivery.models import Visit
from tests import factories as make


@pytest.fixture
def late(cast):
    """One late thing of each kind that the tiles count."""
    make.holidays_of(2026, 2027)
    customer = make.customer(cast.wuhan, manager=cast.zhao)
    order = make.complaint(cast.lin, cast.wuhan, customer=customer)
    Complaint.objects.filter(pk=order.pk).update(due_at=now() - timedelta(days=20))
    order.milestones.update(due_at=now() - timedelta(days=1))
    visit = make.visit(customer)
    Visit.objects.filter(pk=visit.pk).update(
        first_day=localdate() - timedelta(9), due_on=localdate() - timedelta(2)
    )
    make.alert(customer)
    UnitRequest.objects.create(
        asking=cast.wuhan,
        asked=cast.hubei,
        subject="x",
        text="x",
        made_by=cast.chen,
        made_at=now() - timedelta(days=3),
        due_at=now() - timedelta(days=1),
    )
    for state in ("open", "closed"):
        row = Incident(office=cast.wuhan, kind="data", grade="minor", title=state)
        row.text, row.noticed_at, row.leader = "x", now(), cast.chen
        risks.declare(row, by=cast.chen)
        if state == "closed":
            risks.contain(row, by=cast.chen)
            for duty in row.duties.all():
                risks.told(duty, by=cast.chen, how="电话")
            risks.close(row, by=cast.chen, cause="x")


def test_each_tile_is_the_number_of_rows_behind_it(cast, client, late):
    make.sign_in(client, cast.chen)
    tiles = standing.tiles_of(cast.chen)
    assert len(tiles) <= 8
    counts = {tile.icon: tile.count for tile in tiles}
    assert all(counts[name] == 1 for name in ("inbox", "handshake", "siren"))
    for tile in tiles:
        page = client.get(tile.url)
        assert page.status_code == 200, tile.url
        total = page.context["page"].total
        assert total == tile.count, tile.url


def test_a_sister_sees_none_of_it(cast, late):
    assert [tile.count for tile in standing.tiles_of(cast.mei)] == [0] * 8


def test_it_is_where_a_supervisor_lands_and_nobody_else(cast, client):
    make.sign_in(client, cast.chen)
    assert client.get("/").url == reverse("front:front")
    assert client.get("/now/").status_code == 200
    assert client.get("/now/?office=420500").status_code == 404
    assert client.get("/wall/?office=420500").status_code == 404
    make.sign_in(client, cast.lin)
    assert client.get("/").url == reverse("complaints:new")
    assert client.get("/now/").status_code == 403


def test_who_has_changed_places_is_named(cast, client):
    top = make.user("top", ("supervisor", cast.hubei))
    span = last_ended(Kind.MONTH, localdate())
    for at, better, worse in (
        (span.first, cast.wuhan, cast.yichang),
        (span.previous.first, cast.yichang, cast.wuhan),
    ):
        for office, share in ((better, 40), (worse, 20)):
            make_calls(office, at, share)
    found = standing.movers_of(cast.hubei, cells_of(cast.hubei))
    assert {(mover.line.office, mover.climbed) for mover in found} == {
        (cast.wuhan, 1),
        (cast.yichang, -1),
    }
    make.sign_in(client, top)
    assert client.get("/now/").status_code == 200


def cells_of(office):
    span = last_ended(Kind.MONTH, localdate())
    kpis = [standing.BY_NAME["service_level"]]
    return standing.boards.board(office, span, only_aggregates=False, kpis=kpis)[0]


def make_calls(office, day, quick: int) -> None:
    """Forty calls, of which `quick` were answered at once."""
    at = f"{day}T10:00:00+08:00"
    Call.objects.bulk_create(
        Call(
            office=office,
            call_id=f"{office.pk}-{day}-{n}",
            rang_at=at,
            answered_at=at if n < quick else f"{day}T10:05:00+08:00",
            ended_at=f"{day}T10:06:00+08:00",
        )
        for n in range(40)
    )


def test_the_wall_shows_sums_has_no_links_and_looks_again(cast, client):
    make_calls(cast.wuhan, localdate(), 30)
    make.sign_in(client, cast.chen)
    page = client.get("/wall/").content.decode()
    main = page[page.index("<main") : page.index("</main>")]
    assert "<a " not in main
    assert 'hx-trigger="every 30s"' in main
    assert "75" in re.sub(r"<[^>]+>", "", main)
    assert "data-idle" not in page


def test_the_page_costs_the_same_whatever_stands_below(cast, client):
    make.sign_in(client, cast.chen)
    client.get("/now/")
    with CaptureQueriesContext(connection) as seen:
        client.get("/now/")
    few = len(seen)
    for n in range(5):
        make.office(f"42019{n}", f"区{n}", "county", cast.wuhan)
        make.customer(cast.wuhan)
    with CaptureQueriesContext(connection) as seen:
        client.get("/now/")
    assert len(seen) == few
