"""Periods: where they begin and end, the one before, and which days of last year compare."""

from datetime import date, timedelta

import pytest

from crm.dashboards.periods import Kind, Span, last_ended, span_of

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("kind", "day", "first", "last", "label"),
    [
        ("day", "2026-11-23", "2026-11-23", "2026-11-23", "2026-11-23"),
        ("week", "2026-11-22", "2026-11-16", "2026-11-22", "2026 W47"),
        ("week", "2026-11-23", "2026-11-23", "2026-11-29", "2026 W48"),
        ("week", "2027-01-01", "2026-12-28", "2027-01-03", "2026 W53"),
        ("ten_days", "2026-11-10", "2026-11-01", "2026-11-10", "2026-11-01 – 11-10"),
        ("ten_days", "2026-11-11", "2026-11-11", "2026-11-20", "2026-11-11 – 11-20"),
        ("ten_days", "2024-02-29", "2024-02-21", "2024-02-29", "2024-02-21 – 02-29"),
        ("month", "2024-02-10", "2024-02-01", "2024-02-29", "2024-02"),
        ("quarter", "2026-12-31", "2026-10-01", "2026-12-31", "2026 Q4"),
        ("half", "2026-06-30", "2026-01-01", "2026-06-30", "2026 H1"),
        ("half", "2026-07-01", "2026-07-01", "2026-12-31", "2026 H2"),
        ("year", "2026-07-01", "2026-01-01", "2026-12-31", "2026"),
        ("season", "2027-02-20", "2026-06-01", "2027-05-31", "2026/27"),
        ("season", "2026-06-01", "2026-06-01", "2027-05-31", "2026/27"),
    ],
)
def test_a_day_lies_in_one_period_of_each_kind(kind, day, first, last, label):
    span = span_of(kind, date.fromisoformat(day))
    assert (f"{span.first}", f"{span.last}", span.label) == (first, last, label)


@pytest.mark.parametrize("kind", list(Kind))
def test_periods_of_a_kind_tile_the_calendar(kind):
    span = span_of(kind, date(2023, 12, 28))
    while span.first.year < 2026:
        after = span.following
        assert after.first == span.last + DAY
        assert after.previous == span
        assert span_of(kind, span.first) == span_of(kind, span.last) == span
        span = after


@pytest.mark.parametrize("kind", list(Kind))
def test_the_last_that_ended_is_over_and_the_next_is_not(kind):
    today = date(2026, 11, 23)
    span = last_ended(kind, today)
    assert span.has_ended(today)
    assert not span.following.has_ended(today)


def test_last_years_january_is_found_by_the_spring_festival():
    """The festival fell on 2025-01-29 and on 2026-02-17: nineteen days later."""
    month = span_of("month", date(2026, 1, 10))
    shift = date(2026, 2, 17) - date(2025, 1, 29)
    compared = month.year_before
    assert compared == Span(
        Kind.MONTH, date(2026, 1, 1) - shift, date(2026, 1, 31) - shift
    )
    eve = span_of("day", date(2026, 2, 16))
    assert eve.year_before.first == date(2025, 1, 28)


def test_other_periods_compare_with_the_same_days():
    assert span_of("month", date(2026, 11, 1)).year_before == span_of(
        "month", date(2025, 11, 1)
    )
    assert span_of("ten_days", date(2026, 11, 12)).year_before.first == date(
        2025, 11, 11
    )
    monday = span_of("week", date(2026, 11, 23))
    assert monday.year_before.first.weekday() == 0
    assert monday.year_before.first == date(2025, 11, 24)
    assert span_of("year", date(2026, 5, 5)).year_before == span_of(
        "year", date(2025, 5, 5)
    )
