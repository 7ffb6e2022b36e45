"""Lifetime value after the papers, and the classes that come of the ledger."""

import json
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils.timezone import localdate, now

from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.transfer import services as transfer
from crm.transfer.forms import EXAMPLE
from customers import lifetime, merging, value
from customers.models import CustomerValue, Usage, ValueFit, ValueTally
from customers.partitions import ensure_partition
from tests import factories as make

UNTIL = date(2026, 11, 22)


def sent(customer, *days: int, revenue: int = 100, until: date = UNTIL) -> None:
    """One usage line so many days before `until`, for each of `days`."""
    for ago in days:
        day = until - timedelta(days=ago)
        with connection.cursor() as cursor:
            ensure_partition(cursor, day.replace(day=1), "customers_usage")
            cursor.execute(
                "INSERT INTO customers_usage (posted_on, customer_id, source_id, line, "
                "pieces, revenue, product, region, payment, cost) "
                "VALUES (%s, %s, 0, 0, 1, %s, '', '', '', 0)",
                [day, customer.pk, revenue],
            )


def value_all(office, until: date = UNTIL):
    params = {"office": office.code, "day": f"{until}"}
    job = run_inline(enqueue("customers.value", params))
    assert job.state == "done", job.error
    return job


@pytest.fixture
def cdnow(cast):
    """The real ledger: 2,357 customers of 1997, at Wuhan."""
    with EXAMPLE.open("rb") as source:
        batch = transfer.upload(
            source, by=None, office=cast.wuhan, target="usage", file_name="cdnow.csv"
        )
    batch = transfer.start_import(batch, by=None, mapping=batch.mapping)
    assert run_inline(batch.job).state == "done"
    return cast


def test_the_papers_table_comes_out_of_the_imported_ledger(cdnow, capsys):
    arguments = ["--office", cdnow.wuhan.code, "--until", "1997-09-30"]
    call_command("lifetime_value", *arguments, "--horizon-weeks", "39", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["customers"] == 2357
    often, much = found["bg_nbd"], found["gamma_gamma"]
    published = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
    for name, figure in published.items():
        assert often[name] == pytest.approx(figure, rel=0.005)
    assert often["log_likelihood"] == pytest.approx(-9582.43, abs=0.01)
    assert round(found["expected_purchases"]) == 1653
    for name, figure in {"p": 6.25, "q": 3.74, "gamma": 15.44}.items():
        assert much[name] == pytest.approx(figure, rel=0.005)


def test_one_customer_of_the_paper_is_expected_to_buy_1_226_times():
    model = lifetime.BgNbd(0.2426, 4.4135, 0.7929, 2.4258, -9582.4)
    history = np.array([2.0]), np.array([30.43]), np.array([38.86])
    found = lifetime.expected_purchases(model, *history, 39)
    assert found[0] == pytest.approx(1.226, abs=0.001)
    alive = lifetime.probability_alive(model, *history)
    assert 0 < alive[0] < 1
    never = np.array([0.0]), np.array([0.0]), np.array([38.86])
    assert lifetime.probability_alive(model, *never)[0] == 1


def test_the_job_values_every_customer_once_and_again_is_the_same(cdnow):
    value_all(cdnow.wuhan, date(1997, 9, 30))
    names = [f.attname for f in CustomerValue._meta.concrete_fields]
    first = list(CustomerValue.objects.order_by("pk").values_list(*names))
    assert len(first) == 2357
    value_all(cdnow.wuhan, date(1997, 9, 30))
    assert list(CustomerValue.objects.order_by("pk").values_list(*names)) == first
    assert ValueFit.objects.get().repeaters == 946
    total = sum(row.customers for row in ValueTally.objects.all())
    assert total == 2357
    best = CustomerValue.objects.order_by("-value_36").first()
    assert best.value_36 > best.value_12 > 0
    assert (best.money, best.value_class) == (5, "high")


@pytest.mark.parametrize("place", ["customers.value._store", "customers.value._score"])
def test_a_run_that_dies_anywhere_gives_the_same(cdnow, monkeypatch, place):
    monkeypatch.setattr("customers.value.CHUNK", 500)
    params = {"office": cdnow.wuhan.code, "day": "1997-09-30"}
    times = []

    def dies(*arguments, **options):
        times.append(1)
        if len(times) == 2 or place.endswith("_score"):
            raise RuntimeError("killed")
        return original(*arguments, **options)

    original = getattr(value, place.rsplit(".", 1)[1])
    job = enqueue("customers.value", params)
    monkeypatch.setattr(place, dies)
    run_inline(job)
    monkeypatch.setattr(place, original)
    Job.objects.update(due_at=now())
    run_inline(job)
    job.refresh_from_db()
    assert job.state == "done"
    assert CustomerValue.objects.exclude(value_class="").count() == 2357


def test_a_ledger_that_carries_no_model_still_gives_scores(cast):
    firms = [make.customer(cast.wuhan) for _n in range(3)]
    for number, firm in enumerate(firms):
        sent(firm, *range(number + 1, 400, 30 * (number + 1)), revenue=1000)
    value_all(cast.wuhan)
    assert ValueFit.objects.get().problem == "few"
    rows = list(CustomerValue.objects.order_by("pk"))
    # Under five customers: fixed cut points.
    assert [(r.recency, r.frequency, r.money) for r in rows] == [
        (5, 3, 3), (5, 2, 2), (5, 2, 2),
    ]  # fmt: skip
    assert [row.alive for row in rows] == [None] * 3
    assert [row.frequency_class for row in rows] == ["medium", "low", "low"]


def test_equal_customers_get_equal_scores(cast):
    firms = [make.customer(cast.wuhan) for _n in range(60)]
    for firm in firms:
        sent(firm, 10, 40, 70)
    value_all(cast.wuhan)
    scores = CustomerValue.objects.values_list("recency", "frequency", "money")
    assert set(scores) == {(3, 3, 3)}
    assert ValueFit.objects.get().customers == 60


def test_refunds_are_no_purchase_and_a_giant_breaks_nothing(cast):
    firms = [make.customer(cast.wuhan) for _n in range(60)]
    for number, firm in enumerate(firms):
        sent(firm, *range(5 + number % 7, 300, 20 + number))
    sent(firms[0], 1, revenue=-500)
    sent(firms[1], 2, revenue=90_000_000)
    value_all(cast.wuhan)
    refunded = CustomerValue.objects.get(customer=firms[0])
    assert refunded.last_on == UNTIL - timedelta(days=5)
    for row in CustomerValue.objects.all():
        assert row.alive is None or 0 <= row.alive <= 1
        assert row.value_36 >= 0
    never = make.customer(cast.wuhan)
    value_all(cast.wuhan)
    assert not CustomerValue.objects.filter(customer=never).exists()


def test_merged_customers_count_as_their_survivor(cast):
    one, other = make.customer(cast.wuhan), make.customer(cast.wuhan)
    sent(one, 10)
    sent(other, 40, 70)
    value_all(cast.wuhan)
    merging.merge(one, other, by=None)
    value_all(cast.wuhan)
    row = CustomerValue.objects.get(customer=one)
    assert (row.purchase_days, row.first_on) == (3, UNTIL - timedelta(days=70))
    assert CustomerValue.objects.count() == 1


def test_usage_that_was_taken_back_leaves_no_value(cast):
    firm = make.customer(cast.wuhan)
    sent(firm, 10)
    value_all(cast.wuhan)
    Usage.objects.all().delete()
    value_all(cast.wuhan)
    assert not CustomerValue.objects.exists()


def test_the_night_makes_one_job_a_prefecture(cast):
    run_inline(enqueue("customers.values"))
    offices = {j.params["office"] for j in Job.objects.filter(kind="customers.value")}
    assert offices == {cast.hubei.code, cast.wuhan.code, cast.yichang.code}


def test_arrears_over_ninety_days_lower_the_value_class(cast):
    firms = [make.customer(cast.wuhan) for _n in range(10)]
    for number, firm in enumerate(firms):
        sent(firm, 10, revenue=100 * (number + 1))
    best = firms[-1]
    best.receivables.create(
        office=best.office,
        number="B1",
        issued_on=UNTIL - timedelta(days=150),
        due_on=UNTIL - timedelta(days=91),
        amount=Decimal(50),
    )
    value_all(cast.wuhan)
    rows = CustomerValue.objects.in_bulk([firms[-1].pk, firms[-2].pk])
    assert [rows[firms[-n].pk].value_class for n in (1, 2)] == ["medium", "high"]


def test_every_number_of_the_page_opens_exactly_its_customers(client, cast):
    for number in range(12):
        firm = make.customer(cast.wuchang, manager=cast.zhao)
        sent(firm, *range(1, 360, 5 + 9 * number), revenue=10 * (number + 1))
    value_all(cast.wuhan, localdate())
    make.sign_in(client, cast.chen)
    url = reverse("customers:values")
    page = client.get(url)
    assert page.status_code == 200
    for _label, cells in page.context["matrix"]:
        for worth, often, number in cells:
            query = {"value": worth, "often": often}
            assert len(client.get(url, query).context["page"].rows) == number
    sums = page.context["sums"]
    assert (sums["active"], sums["repeaters"]) == (12, 12)
    assert sums["loyalty"] == pytest.approx(
        sum(CustomerValue.objects.values_list("months_12", flat=True)) / 12
    )
    assert client.get(url, {"value": "huge"}).status_code == 404
    assert client.get(url, {"office": cast.yichang.code}).status_code == 404
    make.sign_in(client, cast.zhao)
    own = client.get(url)
    assert "matrix" not in own.context
    assert len(own.context["page"].rows) == 12
    panel = client.get(reverse("customers:value", args=[firm.pk])).content.decode()
    assert "BG/NBD" in panel
