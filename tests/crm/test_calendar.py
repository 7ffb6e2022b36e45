"""Working time: windows, exceptions of both kinds, inheritance, provisional years."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.org import holidays
from crm.org.calendar import (
    SHANGHAI,
    NoWorkingTime,
    WorkCalendar,
    add_working_time,
    working_minutes_between,
)
from crm.org.models import CalendarDay, HolidayYear, WorkWindow
from crm.org.queries import calendar_of
from tests import factories as make

FEBRUARY = WorkCalendar(
    weekly={day: ((time(9), time(17)),) for day in range(5)},
    exceptions={
        date(2026, 2, 14): True,  # a Saturday worked
        **{date(2026, 2, day): False for day in range(16, 24)},
    },
    official_years=frozenset({2026}),
)
MOMENTS = st.datetimes(datetime(2025, 12, 1), datetime(2027, 2, 1)).map(
    lambda moment: moment.replace(tzinfo=SHANGHAI)
)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=SHANGHAI)


def test_a_make_up_saturday_counts_and_the_festival_does_not():
    due = add_working_time(FEBRUARY, at(2026, 2, 13, 16, 30), 8 * 60)
    assert due.at == at(2026, 2, 14, 16, 30)
    after = add_working_time(FEBRUARY, at(2026, 2, 14, 16, 0), 120)
    assert after.at == at(2026, 2, 24, 10, 0)


def test_zero_minutes_give_the_next_working_moment():
    assert add_working_time(FEBRUARY, at(2026, 2, 15, 12), 0).at == at(2026, 2, 24, 9)
    assert add_working_time(FEBRUARY, at(2026, 2, 13, 10), 0).at == at(2026, 2, 13, 10)


def test_several_windows_a_day_leave_the_pause_out():
    due = add_working_time(WorkCalendar(), at(2026, 11, 23, 11, 30), 60)
    assert due.at == at(2026, 11, 23, 14, 30)


def test_a_year_without_a_decree_makes_the_result_provisional():
    assert not add_working_time(FEBRUARY, at(2026, 3, 2, 9), 60).is_provisional
    assert add_working_time(FEBRUARY, at(2026, 12, 31, 16), 120).is_provisional


def test_a_calendar_without_working_time_says_so():
    with pytest.raises(NoWorkingTime):
        add_working_time(WorkCalendar(weekly={}), at(2026, 1, 1), 1)


@given(MOMENTS, st.integers(0, 5000), st.integers(0, 5000))
def test_adding_is_additive_and_never_goes_back(start, first, second):
    step = add_working_time(FEBRUARY, start, first).at
    assert step >= start
    both = add_working_time(FEBRUARY, start, first + second).at
    twice = add_working_time(FEBRUARY, step, second).at
    assert working_minutes_between(FEBRUARY, both, twice) == 0


@given(MOMENTS, st.integers(0, 5000))
def test_what_was_added_is_what_lies_between(start, minutes):
    due = add_working_time(FEBRUARY, start, minutes).at
    assert working_minutes_between(FEBRUARY, start, due) == pytest.approx(minutes)


def test_minutes_backwards_are_negative():
    early, late = at(2026, 3, 2, 9), at(2026, 3, 2, 12)
    assert working_minutes_between(FEBRUARY, late, early) == -180


def test_a_moment_in_another_zone_is_the_same_moment():
    utc = datetime(2026, 3, 2, 1, tzinfo=UTC)  # 09:00 in Shanghai
    assert add_working_time(FEBRUARY, utc, 60).at == at(2026, 3, 2, 10)


def test_the_decreed_days_of_2026_are_loaded_with_their_make_up_days(db):
    holidays.load_year(2026)
    days = dict(CalendarDay.objects.values_list("date", "is_working"))
    assert days[date(2026, 2, 14)] is True
    assert days[date(2026, 2, 23)] is False
    assert HolidayYear.objects.get(year=2026).is_official
    assert holidays.load_year(2026) == len(days)  # again: the same days, not twice


def test_2027_is_provisional_and_asked_for_from_november(db):
    holidays.load_year(2026)
    holidays.load_year(2027)
    assert holidays.missing_year(date(2026, 10, 31)) is None
    assert holidays.missing_year(date(2026, 11, 1)) == 2027
    HolidayYear.objects.filter(year=2027).update(is_official=True)
    assert holidays.missing_year(date(2026, 11, 1)) is None


def test_an_office_inherits_hours_and_days_and_the_nearest_wins(cast):
    holidays.load_year(2026)
    WorkWindow.objects.create(
        office=cast.hubei, weekday=0, starts="09:00", ends="10:00"
    )
    assert calendar_of(cast.wuchang).windows_on(date(2026, 3, 2)) == (
        (time(9), time(10)),
    )
    WorkWindow.objects.create(
        office=cast.wuhan, weekday=0, starts="08:00", ends="12:00"
    )
    assert calendar_of(cast.wuchang).windows_on(date(2026, 3, 2)) == (
        (time(8), time(12)),
    )
    assert calendar_of(cast.yichang).windows_on(date(2026, 3, 2)) == (
        (time(9), time(10)),
    )
    CalendarDay.objects.create(
        office=cast.wuhan, date=date(2026, 3, 2), is_working=False
    )
    assert calendar_of(cast.wuchang).windows_on(date(2026, 3, 2)) == ()
    assert calendar_of(cast.yichang).windows_on(date(2026, 3, 2)) != ()


def test_a_calendar_costs_three_queries(cast, django_assert_num_queries):
    make.holidays_of(2026)
    with django_assert_num_queries(3):
        calendar_of(cast.wuchang)


def test_a_span_longer_than_a_day_is_right_over_a_month_end():
    due = add_working_time(FEBRUARY, at(2026, 1, 30, 9), 9 * 60)
    assert due.at == at(2026, 2, 2, 10)
    assert due.at - at(2026, 1, 30, 9) > timedelta(days=2)
