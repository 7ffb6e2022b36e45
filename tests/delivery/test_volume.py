"""Volume: forecasts by day that add up, their back-test, capacity, the page."""

from datetime import date, timedelta

import numpy as np
import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate

from crm.audit.models import AuditEvent
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from delivery.models import DeliveryCapacity, OfficeTally, VolumeDay, WorkDay
from delivery.models.tallies import COUNTS
from delivery.quality import volumes
from tests import factories as make

TODAY = date(2026, 11, 23)  # a Monday
WEEK = (100, 90, 80, 90, 120, 60, 20)  # Monday to Sunday


def tallied(
    office, days: dict[date, int], product: str = "标快", after: int = 2
) -> None:
    """Items of some days, all handed out so many days later."""
    OfficeTally.objects.bulk_create(
        OfficeTally(
            office=office,
            day=day,
            ripe_on=day,
            product=product,
            transit=[after],
            transit_items=[items],
            **dict.fromkeys(COUNTS, 0) | {"items": items},
        )
        for day, items in days.items()
    )


def weekly(times: float = 1, days: int = 120) -> dict[date, int]:
    found = (TODAY - timedelta(days=back) for back in range(1, days + 1))
    return {day: round(WEEK[day.weekday()] * times) for day in found}


def forecast(*offices) -> None:
    volumes.forecast([o.pk for o in offices], offices[0].pk, TODAY)


@pytest.fixture
def autumn(cast):
    """Four months of a plain week: two parts in Wuhan, one in Yichang."""
    parts = {cast.wuchang: 1, cast.yichang: 3}
    for office, times in parts.items():
        tallied(office, weekly(times))
    tallied(cast.wuhan, weekly(1))
    tallied(cast.hubei, weekly(4))
    forecast(cast.hubei, cast.wuhan, cast.wuchang, cast.yichang)
    return cast


def test_a_plain_week_is_said_exactly(autumn):
    found = volumes.outlook(autumn.wuhan)
    assert [row["day"] for row in found.ahead] == [
        TODAY + timedelta(days=n) for n in range(28)
    ]
    assert [row["expected"] for row in found.ahead[:7]] == pytest.approx(WEEK)
    assert found.error == pytest.approx(0)
    assert len(found.behind) == 8 * 7


def test_what_is_accepted_is_handed_out_as_long_after_as_it_was(autumn):
    ahead = volumes.outlook(autumn.wuhan).ahead
    # Two days later each: Monday has Saturday's.
    assert [row["deliveries"] for row in ahead[:4]] == pytest.approx([60, 20, 100, 90])


def test_parts_add_up_to_the_whole(autumn):
    def said(office) -> list[float]:
        return [row["expected"] for row in volumes.outlook(office).ahead]

    parts = np.array(said(autumn.wuhan)) + np.array(said(autumn.yichang))
    assert said(autumn.hubei) == pytest.approx(parts)


def test_a_growing_office_is_told_better_than_by_its_last_week(cast):
    noise = np.random.default_rng(5).normal(1, 0.15, 400)
    days = weekly(10, 200)
    noisy = {d: max(int(n * noise[k]), 0) for k, (d, n) in enumerate(days.items())}
    tallied(cast.hubei, noisy)
    forecast(cast.hubei)
    found = volumes.outlook(cast.hubei)
    assert 5 < found.error < found.naive_error < 40


def test_a_holiday_is_like_sunday_and_a_make_up_day_like_monday(cast):
    tallied(cast.hubei, weekly())
    tuesday, saturday = date(2026, 11, 24), date(2026, 11, 28)
    WorkDay.objects.filter(day=tuesday).delete()
    WorkDay.objects.filter(day=saturday).delete()
    WorkDay.objects.create(day=tuesday, ordinal=1, is_worked=False)
    WorkDay.objects.create(day=saturday, ordinal=1, is_worked=True)
    forecast(cast.hubei)
    said = {r["day"]: r["expected"] for r in volumes.outlook(cast.hubei).ahead}
    assert said[tuesday] == pytest.approx(WEEK[6])
    assert said[saturday] == pytest.approx(WEEK[0])


def test_last_years_peak_is_expected_again(cast):
    days = weekly(1, 516)
    for day in days:
        if date(2025, 12, 1) <= day <= date(2025, 12, 14):
            days[day] *= 2
    tallied(cast.hubei, days)
    forecast(cast.hubei)
    said = [row["expected"] for row in volumes.outlook(cast.hubei).ahead]
    second_week = sum(said[10:17]) / sum(WEEK)
    assert 1.8 < second_week < 2.1
    assert sum(said[:4]) / sum(WEEK[:4]) < 1.3


def test_the_same_day_last_year_moves_with_the_spring_festival():
    # 17 February 2026 and 29 January 2025 are the first days of the lunar years.
    assert volumes.same_day_last_year(date(2026, 2, 17)) == date(2025, 1, 29)
    assert volumes.same_day_last_year(date(2026, 2, 10)) == date(2025, 1, 22)
    # 6 February 2027 is near enough for the last days of 2026.
    assert volumes.same_day_last_year(date(2026, 12, 31)) == date(2026, 1, 11)
    assert volumes.same_day_last_year(date(2026, 6, 1)) == date(2025, 6, 2)


def test_a_day_that_is_only_half_brought_in_is_no_slump(cast):
    days = weekly()
    days[TODAY - timedelta(days=1)] = 0
    days[TODAY - timedelta(days=2)] = 3
    tallied(cast.hubei, days)
    forecast(cast.hubei)
    ahead = volumes.outlook(cast.hubei).ahead
    assert ahead[0]["day"] == TODAY - timedelta(days=2)
    assert ahead[0]["expected"] == pytest.approx(WEEK[5])


def test_nothing_is_said_of_nothing(cast):
    forecast(cast.hubei)
    assert not VolumeDay.objects.exists()
    found = volumes.outlook(cast.hubei)
    assert (found.ahead, found.error) == ([], None)
    tallied(cast.hubei, {TODAY - timedelta(days=1): 50})
    forecast(cast.hubei)
    assert all(np.isfinite(r["expected"]) for r in volumes.outlook(cast.hubei).ahead)


def test_the_job_does_every_office_and_twice_is_once(autumn):
    for _again in range(2):
        run_inline(enqueue("delivery.volume", {"day": f"{TODAY}"}))
    assert VolumeDay.objects.filter(office=autumn.wuchang).count() == 56 + 28
    assert VolumeDay.objects.values("office").distinct().count() == 4


def test_the_page_sets_capacity_and_warns(autumn, sign_in):
    client = sign_in(autumn.chen)
    url = reverse("quality:volume")
    question = f"{url}?office={autumn.wuhan.code}"
    assert client.post(question, {"pieces": "-3"}).status_code == 422
    assert client.post(question, {"pieces": "90"}).status_code == 302
    page = client.get(question)
    loads = [row["load"] for row in page.context["outlook"].ahead[:3]]
    assert loads == pytest.approx([66.67, 22.22, 111.11], abs=0.01)
    assert (
        client.get(f"{question}&product=标快").context["outlook"].ahead[0]["load"]
        is None
    )
    assert AuditEvent.objects.filter(action="capacity.set").exists()
    client.post(question, {"pieces": ""})
    assert not DeliveryCapacity.objects.exists()


def test_the_busiest_days_are_named_against_the_mean(cast, sign_in):
    quiet = {localdate() - timedelta(days=n): 10 for n in range(1, 60)}
    peak = localdate() - timedelta(days=20)
    tallied(cast.wuhan, quiet | {peak: 600})
    page = sign_in(cast.chen).get(
        reverse("quality:volume"), {"office": cast.wuhan.code}
    )
    first = page.context["busiest"][0]
    assert (first["day"], first["items"]) == (peak, 600)
    assert first["times"] == pytest.approx(600 / ((58 * 10 + 600) / 59))


def test_an_analyst_reads_and_sets_nothing(autumn, sign_in):
    client = sign_in(autumn.zheng)
    url = f"{reverse('quality:volume')}?office={autumn.wuhan.code}"
    assert client.get(url).context["capacity_form"] is None
    assert client.post(url, {"pieces": "5"}).status_code == 403
    with pytest.raises(PermissionDenied):
        volumes.set_capacity(autumn.yichang, 5, by=autumn.chen)
    stranger = sign_in(make.user("y.s", ("supervisor", autumn.yichang)))
    assert stranger.get(url).status_code == 422
