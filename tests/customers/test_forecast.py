"""The forecast: by the lunar calendar, tested on months that have passed."""

from datetime import date, timedelta

import pytest
from django.db import connection
from django.urls import reverse

from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from customers.forecast import GROWTH, Series, expect, naive, outlook
from customers.models import Forecast, UsageDay
from customers.partitions import ensure_partition
from customers.queries import add_months
from customers.seasons import month_span, spring_festival
from tests import factories as make

FIRST = date(2024, 1, 1)


def series_of(daily, last: date = date(2026, 10, 31)) -> Series:
    days = (last - FIRST).days + 1
    dates = [FIRST + timedelta(days=n) for n in range(days)]
    return Series(FIRST, days, {day: n for day in dates if (n := daily(day))})


def test_a_rush_before_the_festival_is_expected_where_the_festival_is():
    """Ten a day, forty in the three weeks before the Spring Festival."""

    def daily(day: date) -> int:
        ahead = (spring_festival(day.year) - day).days
        return 40 if 0 < ahead <= 21 else 10

    series = series_of(daily)
    for month in (date(2025, 1, 1), date(2025, 2, 1), date(2026, 2, 1)):
        came = series.total(month_span(month))
        said = expect(series, month, add_months(month, -1))
        was = naive(series, month)
        assert abs(said - came) < abs(was - came)
        assert said == pytest.approx(came, rel=0.12)


def test_growth_is_taken_along_within_bounds():
    doubled = series_of(lambda day: 10 if day < date(2025, 11, 1) else 15)
    month = date(2026, 5, 1)
    assert expect(doubled, month, date(2026, 4, 1)) == pytest.approx(31 * 15, rel=0.02)
    exploded = series_of(lambda day: 1 if day < date(2025, 11, 1) else 900)
    assert expect(exploded, month, date(2026, 4, 1)) == 31 * GROWTH[1]


def test_without_a_year_the_level_of_three_months_is_all():
    young = series_of(lambda day: 12 if day >= date(2026, 5, 1) else 0)
    assert expect(young, date(2026, 11, 1), date(2026, 10, 1)) == 12 * 92 / 3
    assert naive(young, date(2026, 11, 1)) is None


def test_forecasts_add_up_over_offices_and_products(client, cast):
    firms = {office: make.customer(office) for office in (cast.wuhan, cast.wuchang)}
    today = date(2026, 11, 20)
    with connection.cursor() as cursor:
        for back in range(20):
            month = add_months(today, -back)
            ensure_partition(cursor, month, "customers_usageday")
            UsageDay.objects.bulk_create(
                UsageDay(
                    day=month,
                    customer=firm,
                    product=product,
                    pieces=100 + back,
                    revenue=1,
                    cost=0,
                )
                for firm in firms.values()
                for product in ("标快", "")
            )
    for _twice in range(2):
        params = {"office": cast.wuhan.code, "day": f"{today}"}
        job = run_inline(enqueue("customers.forecast", params))
        assert job.state == "done", job.error
    assert Forecast.objects.filter(actual=None).count() == 6 * 4
    whole, part = outlook(cast.hubei), outlook(cast.wuchang, "标快")
    for all_of_it, one in zip(whole.months, part.months, strict=True):
        assert all_of_it["said"] == pytest.approx(4 * one["said"])
    assert whole.error == pytest.approx(part.error)
    assert whole.naive_error is not None
    assert outlook(cast.yichang).months == []
    make.sign_in(client, cast.chen)
    page = client.get(reverse("customers:forecast"), {"product": "标快"})
    assert page.status_code == 200
    assert "2026-11" in page.content.decode()
    assert (
        client.get(
            reverse("customers:forecast"), {"office": cast.yichang.code}
        ).status_code
        == 404
    )


def test_the_clock_spreads_the_work(cast):
    run_inline(enqueue("customers.forecasts"))
    offices = Job.objects.filter(kind="customers.forecast").values_list(
        "params__office"
    )
    assert {row[0] for row in offices} == {
        cast.hubei.code,
        cast.wuhan.code,
        cast.yichang.code,
    }
