"""Retention and new customers: the real ledger's figures, snapshots, board = list."""

import json
import re

import pytest
from django.core.management import call_command
from django.urls import reverse

from crm.dashboards import retention
from crm.dashboards.kpis import new_customer_rate, retention_rate
from crm.dashboards.models import KpiSnapshot
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.transfer.forms import EXAMPLE
from customers.models import Customer
from customers.queries import Period, retention_by_office, retention_group
from tests import factories as make
from tests.transfer.test_import import HEADER, bring_in

H1_97 = Period.parse("1997-01-01..1997-06-30")
H2_97 = Period.parse("1997-07-01..1997-12-31")
H1_98 = Period.parse("1998-01-01..1998-06-30")


@pytest.fixture
def ledger(cast):
    bring_in(EXAMPLE.read_bytes(), cast.wuhan)
    return cast


def test_the_real_ledger_gives_the_known_figures(ledger):
    kept = retention_rate(ledger.wuhan, H2_97, H1_98)
    assert (kept.numerator, kept.denominator, kept.target) == (322, 619, 0.8)
    assert kept.value == pytest.approx(0.5202, abs=5e-5)
    fresh = new_customer_rate(ledger.wuhan, H2_97, H1_98)
    assert (fresh.numerator, fresh.denominator, fresh.target) == (193, 619, 0.5)
    early = retention_rate(ledger.wuhan, H1_97, H2_97)
    assert (early.numerator, early.denominator) == (619, 2357)
    assert new_customer_rate(ledger.wuhan, H1_97, H2_97).numerator == 0
    counts = retention_by_office(ledger.wuhan, H2_97, H1_98)[ledger.wuhan.pk]
    assert counts.won_back == 193


def test_dates_inside_a_month_are_counted_from_the_lines(ledger):
    base, current = (
        Period.parse("1997-07-15..1997-12-20"),
        Period.parse("1998-01-02..1998-06-29"),
    )
    by_lines = retention_by_office(ledger.wuhan, base, current)[ledger.wuhan.pk]
    groups = {
        name: retention_group(Customer.objects.all(), name, base, current).count()
        for name in ("base", "retained", "new", "won_back")
    }
    assert groups == {
        "base": by_lines.base,
        "retained": by_lines.retained,
        "new": by_lines.new,
        "won_back": by_lines.won_back,
    }
    assert 0 < by_lines.base < 619


def test_rates_roll_up_by_adding(ledger):
    content = (
        HEADER + "A,1997-08-01,1,1\nA,1998-02-01,1,1\nB,1998-02-01,1,1\n"
    ).encode()
    bring_in(content, ledger.yichang)
    whole = retention_rate(ledger.hubei, H2_97, H1_98)
    assert (whole.numerator, whole.denominator) == (323, 620)
    assert new_customer_rate(ledger.yichang, H2_97, H1_98).value == 1.0


def test_nothing_to_divide_by_is_no_rate(cast):
    assert retention_rate(cast.wuhan, H2_97, H1_98).value is None


def test_the_job_stores_each_office_once_and_again_the_same(ledger):
    def figures():
        return list(
            KpiSnapshot.objects.filter(current_first=H1_98.first)
            .order_by("office__path", "kpi")
            .values_list("office__code", "kpi", "numerator", "denominator")
        )

    for _time in range(2):
        job = retention.ask_for_retention(ledger.hubei, H2_97, H1_98, by=None)
        Job.objects.filter(pk=job.pk).update(key=None)
        assert run_inline(job).state == "done"
        found = figures()
        assert ("420000", "retention_rate", 322, 619) in found
        assert ("420100", "new_customer_rate", 193, 619) in found
        assert ("420500", "retention_rate", 0, 0) in found
        assert len(found) == 8


def test_two_clicks_are_one_job(ledger):
    first = retention.ask_for_retention(ledger.wuhan, H2_97, H1_98, by=ledger.chen)
    second = retention.ask_for_retention(ledger.wuhan, H2_97, H1_98, by=ledger.chen)
    assert first.pk == second.pk


def test_the_shell_prints_one_json_line(ledger, capsys):
    call_command(
        "kpi",
        "retention_rate",
        office="420100",
        base=str(H2_97),
        current=str(H1_98),
        json=True,
    )
    said = json.loads(capsys.readouterr().out)
    assert said == {
        "numerator": 322,
        "denominator": 619,
        "value": 322 / 619,
        "target": 0.8,
    }


def test_every_number_of_the_board_opens_exactly_its_customers(ledger, client):
    make.sign_in(client, ledger.chen)
    dates = {
        "base_first": H2_97.first,
        "base_last": H2_97.last,
        "current_first": H1_98.first,
        "current_last": H1_98.last,
    }
    page = client.get(reverse("dashboards:board"), dates).content.decode()
    assert "52.02" in page
    assert "31.18" in page
    links = re.findall(r'href="(/customers/\?[^"]+)"><span class="bn">([^<]+)', page)
    for url, name in links:
        shown = re.search(rf'{name}</span>.*?<span class="bv">([\d,]+)<', page, re.S)
        rows = client.get(url.replace("&amp;", "&")).content.decode()
        counted = re.search(r'<p class="muted">([\d,]+) row', rows)
        expected = shown.group(1).replace(",", "")
        if expected == "0":
            assert "No customer matches" in rows
        else:
            assert counted.group(1) == expected, name
    assert len(links) == 5


def test_an_analyst_sees_figures_and_no_way_to_the_customers(ledger, client):
    make.sign_in(client, ledger.zheng)
    page = client.get(reverse("dashboards:board")).content.decode()
    assert "/customers/?" not in page
    assert client.get("/customers/").status_code == 403


def test_an_analyst_sees_no_figure_of_fewer_than_five(cast, client):
    rows = "".join(f"C{n},2026-01-05,1,1\nC{n},2026-07-05,1,1\n" for n in range(3))
    bring_in((HEADER + rows).encode(), cast.wuchang)
    dates = {"base_first": "2026-01-01", "base_last": "2026-06-30"}
    dates |= {"current_first": "2026-07-01", "current_last": "2026-10-31"}
    url = reverse("dashboards:board")
    make.sign_in(client, cast.chen)
    assert client.get(url, dates).context["board"].counts.base == 3
    make.sign_in(client, cast.zheng)
    seen = client.get(url, dates).context["board"]
    assert (seen.counts.base, seen.ranking) == (0, [])
    one_day = client.get(url, {**dates, "current_last": "2026-07-01"})
    assert one_day.status_code == 422


def test_dates_that_cross_are_answered_beside_the_field(cast, client):
    make.sign_in(client, cast.chen)
    answer = client.get(
        reverse("dashboards:board"),
        {"base_first": "2026-05-01", "base_last": "2026-01-01"},
    )
    assert answer.status_code == 422
    assert "The period ends before it begins." in answer.content.decode()


def test_the_button_queues_the_job_for_the_dates_of_the_board(ledger, client):
    make.sign_in(client, ledger.chen)
    data = {
        "office": "420100",
        "base_first": "1997-07-01",
        "base_last": "1997-12-31",
        "current_first": "1998-01-01",
        "current_last": "1998-06-30",
    }
    answer = client.post(reverse("dashboards:compute"), data)
    assert answer.status_code == 302
    job = Job.objects.get(kind="dashboards.retention")
    assert job.params == {"office": "420100", "base": str(H2_97), "current": str(H1_98)}
    foreign = client.post(reverse("dashboards:compute"), {**data, "office": "420500"})
    assert foreign.status_code == 404
