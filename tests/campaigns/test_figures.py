"""Kept, new, won back: the real ledger as two seasons, its names, its offices."""

import io
import json
from datetime import date

import pytest
from django.core.management import call_command

from campaigns import figures, seasons
from campaigns.models import CardOrder, Season
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.transfer import services as transfer
from crm.transfer.forms import EXAMPLE
from customers import merging
from customers.models import Customer
from tests import factories as make
from tests.seasons import ordered, season

HALVES = (
    ("1997H1", date(1997, 1, 1), date(1997, 6, 30)),
    ("1997H2", date(1997, 7, 1), date(1997, 12, 31)),
    ("1998H1", date(1998, 1, 1), date(1998, 6, 30)),
)


def three_halves(office) -> list[Season]:
    found: list[Season] = []
    for code, first, last in HALVES:
        previous = found[-1] if found else None
        facts = {"first_day": first, "last_day": last, "posting_on": None}
        found.append(season(office, code, previous=previous, **facts))
    return found


def said(capsys) -> dict:
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def bring(office, content: bytes, **options):
    """Import card orders through the kernel, as a person would."""
    batch = transfer.upload(
        io.BytesIO(content),
        by=None,
        office=office,
        target="orders",
        file_name="orders.csv",
        options=options,
    )
    batch = transfer.start_import(batch, by=None, mapping=batch.mapping)
    run_inline(Job.objects.get(key=f"import:{batch.pk}"))
    batch.refresh_from_db()
    return batch


@pytest.fixture
def ledger(cast, capsys):
    found = three_halves(cast.wuhan)
    for row in found:
        call_command(
            "import_orders",
            str(EXAMPLE),
            office=cast.wuhan.code,
            season=row.code,
            map="customer_id=code,date=ordered_on,pieces=pieces,amount=revenue",
        )
        result = said(capsys)
        assert result["imported"] == CardOrder.objects.filter(season=row).count() > 0
    return found


def test_the_real_ledger_gives_the_known_figures(ledger, cast, capsys):
    counts = figures.counts_of(ledger[2], cast.hubei)
    assert (counts.base, counts.kept, counts.new, counts.won_back) == (
        619,
        322,
        193,
        193,
    )
    assert counts.lost == 297
    for name, numerator in (
        ("retention_rate", 322),
        ("won_back_rate", 193),
        ("new_customer_rate", 193),
    ):
        call_command("kpi", name, office="420000", season="1998H1", json=True)
        found = said(capsys)
        assert (found["numerator"], found["denominator"]) == (numerator, 619)
    assert found["target"] == 0.5
    assert found["value"] == pytest.approx(0.3118, abs=5e-5)


def test_every_number_opens_as_many_names(ledger, cast):
    seasons.freeze_base(ledger[2], by=None, is_sure=True)
    row = Season.objects.get(pk=ledger[2].pk)
    counts = figures.counts_of(row, cast.hubei)
    everybody = Customer.objects.filter(merged_into=None)
    names = {
        group: figures.group_of(everybody, group, row).count()
        for group in figures.GROUPS
    }
    assert names == {
        "base": 619,
        "kept": 322,
        "lost": 297,
        "unexplained": 297,
        "new": 193,
        "won_back": 193,
        "followed": counts.followed,
        "waiting": 619,
    }


def test_customers_spread_over_three_offices_keep_keys_lines_and_totals(ledger, cast):
    customers = list(Customer.objects.order_by("pk"))
    keys = {row.pk: row.code for row in customers}
    before = figures.counts_of(ledger[2], cast.hubei)
    lines = CardOrder.objects.count()
    homes = [cast.wuhan, cast.wuchang, cast.yichang]
    for number, row in enumerate(customers):
        Customer.objects.filter(pk=row.pk).update(office=homes[number % 3])
    parts = figures.counts_by_office(ledger[2], cast.hubei)
    assert sorted(parts) == sorted(home.pk for home in homes)
    assert sum(parts.values(), figures.SeasonCounts()) == before
    assert figures.counts_of(ledger[2], cast.wuhan).base < before.base
    assert {row.pk: row.code for row in Customer.objects.all()} == keys
    assert CardOrder.objects.count() == lines


def test_the_frozen_base_stays_when_orders_come_later(cast):
    last = season(cast.wuhan, "2026")
    now = season(cast.wuhan, "2027", previous=last)
    first, second = make.customer(cast.wuhan), make.customer(cast.wuhan)
    ordered(last, first)
    assert seasons.freeze_base(now, by=cast.chen, is_sure=True) == 1
    ordered(last, second)
    now.refresh_from_db()
    assert figures.counts_of(now, cast.wuhan).base == 1
    with pytest.raises(Refused, match="frozen"):
        seasons.freeze_base(now, by=cast.chen, is_sure=True)


def test_a_merged_customer_counts_once(cast):
    last = season(cast.wuhan, "2026")
    now = season(cast.wuhan, "2027", previous=last)
    one, two = make.customer(cast.wuhan), make.customer(cast.wuhan)
    ordered(last, one)
    ordered(now, two)
    merging.merge(one, two, by=cast.chen)
    counts = figures.counts_of(now, cast.wuhan)
    assert (counts.base, counts.kept, counts.new) == (1, 1, 0)
    kept = figures.group_of(Customer.objects.filter(merged_into=None), "kept", now)
    assert kept.count() == 1


def test_offers_and_orders_called_off_do_not_count(cast):
    row = season(cast.wuhan)
    ordered(row, make.customer(cast.wuhan), state="offer")
    ordered(row, make.customer(cast.wuhan), state="dropped", reason="停办")
    assert figures.counts_of(row, cast.wuhan) == figures.SeasonCounts()


def test_a_line_outside_every_season_is_rejected_and_makes_no_customer(cast):
    season(cast.wuhan, "2026", first_day=date(2026, 1, 1), last_day=date(2026, 6, 30))
    batch = bring(
        cast.wuhan,
        "客户代码,订购日期,枚数,订单额\nA1,2026-03-01,100,300\nA2,2025-03-01,5,9\n".encode(),
    )
    assert (batch.imported, batch.rejected) == (1, 1)
    assert batch.rejections.get().reason == "season_days"
    assert not Customer.objects.filter(code="A2").exists()


def test_the_same_file_again_and_the_same_number_again_add_nothing(cast):
    season(cast.wuhan, "2026", first_day=date(2026, 1, 1), last_day=date(2026, 6, 30))
    text = "客户代码,订购日期,枚数,订单额,订单号\nA1,2026-03-01,100,300,K-1\n"
    assert bring(cast.wuhan, text.encode()).imported == 1
    assert bring(cast.wuhan, text.encode()).duplicates == 1
    more = text.replace("A1,", "A9,")
    assert bring(cast.wuhan, more.encode()).duplicates == 1
    assert CardOrder.objects.count() == 1


def test_an_import_of_orders_is_taken_back_with_the_customers_it_made(cast):
    season(cast.wuhan, "2026", first_day=date(2026, 1, 1), last_day=date(2026, 6, 30))
    batch = bring(
        cast.wuhan, "客户代码,订购日期,枚数,订单额\nA1,2026-03-01,1,3\n".encode()
    )
    transfer.revert_import(batch, by=None)
    run_inline(Job.objects.get(key=f"revert:{batch.pk}"))
    assert not CardOrder.objects.exists()
    assert not Customer.objects.filter(code="A1").exists()


def test_a_closed_season_takes_no_orders(cast):
    row = season(
        cast.wuhan, "2026", first_day=date(2026, 1, 1), last_day=date(2026, 6, 30)
    )
    seasons.close(row, by=cast.chen)
    batch = bring(
        cast.wuhan, "客户代码,订购日期,枚数,订单额\nA1,2026-03-01,1,3\n".encode()
    )
    assert (batch.imported, batch.rejected) == (0, 1)


def test_the_shell_names_an_unknown_season(cast, capsys):
    with pytest.raises(SystemExit) as stop:
        call_command(
            "import_orders", str(EXAMPLE), office=cast.wuhan.code, season="1900"
        )
    assert stop.value.code == 2
    assert "1900" in capsys.readouterr().err
