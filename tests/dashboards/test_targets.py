"""Targets: the grid, who may set what, children against their parent, last year's."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.urls import reverse

from crm.audit.models import AuditEvent
from crm.dashboards import boards, targets
from crm.dashboards.models import Target
from crm.dashboards.periods import Kind, span_of
from crm.dashboards.reckoned import BY_NAME
from tests import factories as make

YEAR = 2026
ONLINE, REVENUE, ABANDONED = (
    BY_NAME[name] for name in ("online_share", "revenue", "abandon_rate")
)


@pytest.fixture
def boss(cast):
    return make.user("boss", ("supervisor", cast.hubei))


def page(kpi: str, office, kind: str = "year") -> str:
    query = f"?kpi={kpi}&office={office.code}&kind={kind}&year={YEAR}"
    return reverse("dashboards:targets") + query


def cell(office, first: str = "2026-01-01") -> str:
    return f"t-{office.pk}-{first}"


def test_the_grid_keeps_all_of_its_cells_and_strikes_the_emptied(client, cast, boss):
    make.sign_in(client, boss)
    url = page("online_share", cast.hubei)
    sent = {cell(cast.hubei): "40", cell(cast.wuhan): "45.5", cell(cast.yichang): "35"}
    for _time in range(2):  # sent twice is once
        assert client.post(url, sent).status_code == 302
    assert Target.objects.count() == 3
    assert Target.objects.get(office=cast.wuhan).value == Decimal("45.50")
    assert client.post(url, sent | {cell(cast.yichang): ""}).status_code == 302
    assert not Target.objects.filter(office=cast.yichang).exists()
    changes = AuditEvent.objects.filter(action="kpi.targets").values_list(
        "details", flat=True
    )
    assert [details["changed"] for details in changes.order_by("pk")] == [3, 0, 1]
    body = client.get(url).content.decode()
    assert 'value="45.50"' in body


@pytest.mark.parametrize(
    ("kpi", "sent", "words"),
    [
        ("online_share", {"wuhan": "101"}, "More than 100"),
        ("online_share", {"wuhan": "-1"}, "Between 0"),
        ("online_share", {"wuhan": "many"}, "Not a number"),
        ("online_share", {"wuhan": "NaN"}, "Not a number|Between 0"),
        ("online_share", {"wuhan": "1e99"}, "Between 0|More than"),
        ("revenue", {"hubei": "100", "wuhan": "60", "yichang": "50"}, "add up to 110"),
        ("online_share", {"hubei": "80", "wuhan": "70", "yichang": "75"}, "all reach"),
        ("abandon_rate", {"hubei": "5", "wuhan": "7", "yichang": "8"}, "all reach"),
    ],
)
def test_a_wrong_target_is_told_at_its_cell_and_nothing_is_lost(
    client, cast, boss, kpi, sent, words
):
    make.sign_in(client, boss)
    client.cookies["language"] = "en"
    typed = {cell(getattr(cast, name)): value for name, value in sent.items()}
    answer = client.post(page(kpi, cast.hubei), typed)
    assert answer.status_code == 422
    said = list(answer.context["wrong"].values())
    assert len(said) == 1
    assert any(part in said[0] for part in words.split("|"))
    assert not Target.objects.exists()
    body = answer.content.decode()
    assert 'aria-invalid="true"' in body
    for value in sent.values():
        assert f'value="{value}' in body


def test_parents_that_their_children_can_fill_are_taken(cast, boss):
    span = span_of("year", date(YEAR, 1, 1))
    pks = [one.pk for one in (cast.hubei, cast.wuhan, cast.yichang)]
    for kpi, values in (
        (REVENUE, (100, 60, 40)),
        (ONLINE, (80, 70, 90)),
        (ABANDONED, (5, 4, 8)),
    ):
        wanted = {
            (pk, span): Decimal(value) for pk, value in zip(pks, values, strict=True)
        }
        assert targets.keep(kpi, cast.hubei, [span], wanted, by=boss) == 3


def test_targets_are_set_from_above(client, cast, boss):
    span = span_of("year", date(YEAR, 1, 1))
    Target.objects.create(
        office=cast.wuhan, kpi="online_share", kind="year", first="2026-01-01", value=50
    )
    make.sign_in(client, cast.chen)  # supervisor of Wuhan
    url = page("online_share", cast.wuhan)
    sent = {cell(cast.wuhan): "10", cell(cast.wuchang): "60"}
    assert client.post(url, sent).status_code == 302
    found = dict(Target.objects.values_list("office__code", "value"))
    assert found == {cast.wuhan.code: 50, cast.wuchang.code: 60}
    assert not targets.may_set(cast.chen, cast.wuhan)
    assert targets.may_set(cast.chen, cast.wuchang)
    assert targets.may_set(boss, cast.hubei)
    foreign = client.post(page("online_share", cast.yichang), {cell(cast.yichang): "1"})
    assert foreign.status_code == 422
    wanted = {(cast.yichang.pk, span): Decimal(1)}
    with pytest.raises(PermissionDenied):
        targets.keep(ONLINE, cast.yichang, [span], wanted, by=cast.chen)


def test_a_grid_leaves_what_another_has_set_meanwhile(client, cast, boss):
    make.sign_in(client, boss)
    url = page("online_share", cast.hubei)
    held = {cell(cast.wuhan).replace("t-", "s-"): "", cell(cast.wuhan): ""}
    Target.objects.create(
        office=cast.wuhan, kpi="online_share", kind="year", first="2026-01-01", value=50
    )  # after the page was made
    assert client.post(url, held | {cell(cast.hubei): "40"}).status_code == 302
    found = dict(Target.objects.values_list("office__code", "value"))
    assert found == {cast.hubei.code: 40, cast.wuhan.code: 50}


def test_two_who_change_one_cell_are_told(client, cast, boss):
    make.sign_in(client, boss)
    url = page("online_share", cast.hubei)
    Target.objects.create(
        office=cast.wuhan, kpi="online_share", kind="year", first="2026-01-01", value=50
    )
    name = cell(cast.wuhan)
    stale = {name.replace("t-", "s-"): "45", name: "55"}
    answer = client.post(url, stale | {cell(cast.hubei): "40"})
    assert answer.status_code == 422
    assert "meanwhile" in answer.content.decode()
    assert 'value="55.00"' in answer.content.decode()
    assert list(Target.objects.values_list("value", flat=True)) == [50]
    fresh = {name.replace("t-", "s-"): "50.00", name: "55"}
    assert client.post(url, fresh).status_code == 302
    assert Target.objects.get().value == 55


def test_last_years_targets_fill_the_empty_cells_only(client, cast, boss):
    for office, first, value in (
        (cast.hubei, "2025-01-01", 40),
        (cast.wuhan, "2025-01-01", 45),
        (cast.wuhan, "2026-01-01", 50),
    ):
        Target.objects.create(
            office=office, kpi="online_share", kind="month", first=first, value=value
        )
    make.sign_in(client, boss)
    sent = {
        "kpi": "online_share",
        "office": cast.hubei.code,
        "kind": "month",
        "year": YEAR,
    }
    for _time in range(2):
        assert client.post(reverse("dashboards:targets_copy"), sent).status_code == 302
    rows = Target.objects.filter(first="2026-01-01").values_list(
        "office__code", "value"
    )
    assert dict(rows) == {cast.hubei.code: 40, cast.wuhan.code: 50}


def test_a_target_goes_before_the_houses_and_stands_on_the_board(client, cast, boss):
    call = make.complaint(cast.lin, cast.wuhan, channel="web")
    span = span_of("month", call.opened_at.date())
    Target.objects.create(
        office=cast.wuhan,
        kpi="online_share",
        kind="month",
        first=span.first,
        value=30,
        benchmark=25,
    )
    cells, _here = boards.board(cast.wuhan, span, only_aggregates=False, kpis=[ONLINE])
    assert (cells[0].target, cells[0].benchmark, cells[0].is_met) == (30, 25, True)
    line = boards.league(ONLINE, cast.hubei, span, only_aggregates=False)[0]
    assert (line.office, line.target) == (cast.wuhan, 30)


def test_a_negative_target_is_refused_by_the_table(cast):
    with pytest.raises(IntegrityError):
        Target.objects.create(
            office=cast.wuhan, kpi="x", kind="month", first="2026-01-01", value=-1
        )


@pytest.mark.parametrize(
    "query", ["kpi=nonsense", "year=1066", "kind=week", "office=x"]
)
def test_a_wrong_question_is_told(client, cast, boss, query):
    make.sign_in(client, boss)
    assert client.get(f"{reverse('dashboards:targets')}?{query}").status_code == 422


def test_grids_have_the_periods_of_one_year():
    counts = {kind: len(targets.spans_of(kind, YEAR)) for kind in targets.GRIDS}
    assert counts == {
        Kind.MONTH: 12,
        Kind.QUARTER: 4,
        Kind.HALF: 2,
        Kind.YEAR: 1,
        Kind.SEASON: 1,
    }
    (season,) = targets.spans_of(Kind.SEASON, YEAR)
    assert (season.first.year, season.first.month) == (YEAR, 6)


def test_what_others_reach_is_kept_beside_a_target(client, cast, boss):
    make.sign_in(client, boss)
    url = page("online_share", cast.hubei)
    bad = client.post(url, {"b-2026-01-01": "38.5"})
    assert bad.status_code == 422
    assert "target first" in bad.content.decode()
    assert 'value="38.5"' in bad.content.decode()
    sent = {cell(cast.hubei): "40", "b-2026-01-01": "viel"}
    assert client.post(url, sent).status_code == 422
    assert client.post(url, sent | {"b-2026-01-01": "38.5"}).status_code == 302
    assert Target.objects.get().benchmark == Decimal("38.50")
    assert 'value="38.50"' in client.get(url).content.decode()
    make.sign_in(client, cast.chen)  # below: reads the one above it, sets none
    own = page("online_share", cast.wuhan)
    client.post(own, {"b-2026-01-01": "1"})
    assert Target.objects.get().benchmark == Decimal("38.50")
    make.sign_in(client, boss)
    client.post(url, sent | {"b-2026-01-01": ""})
    assert Target.objects.get().benchmark is None
