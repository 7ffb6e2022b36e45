"""Clock tables over 2024–2026 with every make-up day, and properties of the arithmetic.

Source: reliability.md B47. The decreed days come from the table that `load_year` fills;
what the tests expect is written out from the State Council's notices.
"""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from complaints import clocks
from complaints.models import Milestone, Pause
from crm.org import holidays
from crm.org.calendar import (
    SHANGHAI,
    WorkCalendar,
    add_working_time,
    working_minutes_between,
)
from crm.org.models import CalendarDay, HolidayYear
from crm.org.queries import calendar_of
from tests import factories as make

MAKE_UP = [
    "2024-02-04",
    "2024-02-18",
    "2024-04-07",
    "2024-04-28",
    "2024-05-11",
    "2024-09-14",
    "2024-09-29",
    "2024-10-12",
    "2025-01-26",
    "2025-02-08",
    "2025-04-27",
    "2025-09-28",
    "2025-10-11",
    "2026-01-04",
    "2026-02-14",
    "2026-02-28",
    "2026-05-09",
    "2026-09-20",
    "2026-10-10",
]
# (from, to): first and last day off of each feast
FEASTS = [
    ("2024-02-10", "2024-02-17"),
    ("2024-10-01", "2024-10-07"),
    ("2025-01-28", "2025-02-04"),
    ("2025-10-01", "2025-10-08"),
    ("2026-02-15", "2026-02-23"),
    ("2026-10-01", "2026-10-07"),
]


def moment(day: str, hour: str = "09:00") -> datetime:
    return datetime.fromisoformat(f"{day}T{hour}").replace(tzinfo=SHANGHAI)


@pytest.fixture
def calendar(cast):
    make.holidays_of(2024, 2025, 2026)
    return calendar_of(cast.wuhan)


@pytest.mark.parametrize("day", MAKE_UP)
def test_a_make_up_day_is_worked(calendar, day):
    made_up = date.fromisoformat(day)
    assert made_up.weekday() >= 5
    assert working_minutes_between(
        calendar, moment(day, "00:00"), moment(day, "23:59")
    ) == pytest.approx(450)
    due = add_working_time(calendar, moment(day), 60)
    assert due.at == moment(day, "10:00")
    assert not due.is_provisional


def test_no_other_weekend_of_the_three_years_is_worked(calendar):
    day, worked = date(2024, 1, 1), []
    while day < date(2027, 1, 1):
        if day.weekday() >= 5 and calendar.windows_on(day):
            worked.append(f"{day}")
        day += timedelta(days=1)
    assert worked == MAKE_UP


@pytest.mark.parametrize(("first", "last"), FEASTS)
def test_a_feast_stands_still(calendar, first, last):
    eve = date.fromisoformat(first) - timedelta(days=1)
    after = date.fromisoformat(last) + timedelta(days=1)
    begins = datetime.combine(eve, datetime.min.time(), SHANGHAI)
    minutes = working_minutes_between(
        calendar, begins, datetime.combine(after, datetime.min.time(), SHANGHAI)
    )
    assert minutes == (450 if calendar.windows_on(eve) else 0)
    assert not any(
        calendar.windows_on(date.fromisoformat(first) + timedelta(days=n))
        for n in range((after - eve).days - 1)
    )


@pytest.mark.parametrize(
    ("start", "minutes", "due"),
    [
        (("2026-03-02", "11:30"), 60, ("2026-03-02", "14:30")),  # over lunch
        (("2026-03-02", "12:30"), 30, ("2026-03-02", "14:30")),  # within lunch
        (("2026-03-06", "17:30"), 60, ("2026-03-09", "09:00")),  # over a weekend
        (("2026-02-13", "17:30"), 60, ("2026-02-14", "09:00")),  # into a make-up day
        (("2026-02-14", "17:30"), 60, ("2026-02-24", "09:00")),  # over the festival
        (("2024-02-28", "17:30"), 480, ("2024-02-29", "18:00")),  # the leap day
        (("2024-12-31", "17:30"), 60, ("2025-01-02", "09:00")),  # over a new year
        (("2026-03-07", "23:59"), 1, ("2026-03-09", "08:31")),
    ],
)
def test_working_time_of_the_table(calendar, start, minutes, due):
    assert add_working_time(calendar, moment(*start), minutes).at == moment(*due)


def test_a_missing_year_is_monday_to_friday_and_provisional(cast):
    make.holidays_of(2026)
    due = add_working_time(calendar_of(cast.wuhan), moment("2027-10-01"), 60)
    assert due.at == moment("2027-10-01", "10:00")
    assert due.is_provisional
    HolidayYear.objects.all().delete()
    CalendarDay.objects.all().delete()
    assert add_working_time(calendar_of(cast.wuhan), moment("2026-10-01"), 60)


def test_a_year_that_arrives_moves_what_leant_on_it(cast):
    make.holidays_of(2025)
    row = make.complaint_at(cast.lin, cast.wuhan, moment("2025-12-31", "17:00"))
    assert row.is_provisional
    resolution = row.milestones.get(kind="resolution")
    assert resolution.due_at == moment("2026-01-05", "17:00")
    holidays.load_year(2026)  # off until the 3rd, the 4th is worked
    assert clocks.count_anew(row, calendar_of(cast.wuhan))
    resolution.refresh_from_db()
    assert resolution.due_at == moment("2026-01-06", "17:00")
    assert not row.is_provisional


# --- properties -------------------------------------------------------------------------

MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2026, 11, 1)).map(
    lambda at: at.replace(tzinfo=SHANGHAI, microsecond=0)
)
MINUTES = st.integers(0, 4000)
FEW = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@FEW
@given(start=MOMENTS, later=MOMENTS, first=MINUTES, second=MINUTES)
def test_adding_is_additive_and_monotonic(calendar, start, later, first, second):
    start, later = sorted((start, later))
    once = add_working_time(calendar, start, first + second).at
    twice = add_working_time(
        calendar, add_working_time(calendar, start, first).at, second
    ).at
    assert once == twice
    assert once <= add_working_time(calendar, later, first + second).at
    assert once <= add_working_time(calendar, start, first + second + 1).at


@FEW
@given(start=MOMENTS, minutes=st.integers(1, 4000), gap=MINUTES, long=MINUTES)
def test_a_pause_adds_exactly_the_working_time_that_fell_into_it(
    calendar, start, minutes, gap, long
):
    row = Milestone(starts_at=start, minutes=minutes)
    plain = clocks.due_of(row, calendar, []).at
    begins = start + timedelta(minutes=gap)
    pause = Pause(from_at=begins, until_at=begins + timedelta(minutes=long))
    due = clocks.due_of(row, calendar, [pause]).at
    lost = working_minutes_between(calendar, pause.from_at, pause.until_at)
    if begins >= plain:
        assert due == plain
    else:
        assert working_minutes_between(calendar, plain, due) == pytest.approx(
            round(lost), abs=1
        )
    assert due >= plain


@FEW
@given(start=MOMENTS, minutes=st.integers(4, 4000))
def test_a_warning_comes_at_work_and_before_the_limit(calendar, start, minutes):
    row = Milestone(starts_at=start, minutes=minutes, kind="resolution")
    due = clocks.due_of(row, calendar, []).at
    warned = clocks.warned_at(row, due, calendar, [])
    assert start <= warned <= due
    assert _is_working(calendar, warned)


@FEW
@given(start=MOMENTS, days=st.integers(1, 60))
def test_a_warning_of_the_law_comes_at_work_a_day_before(calendar, start, days):
    row = Milestone(starts_at=start, days=days, kind="legal")
    due = start + timedelta(days=days)
    warned = clocks.warned_at(row, due, calendar, [])
    assert warned <= due - min(timedelta(hours=24), timedelta(days=days) / 4)
    assert _is_working(calendar, warned)


def _is_working(calendar: WorkCalendar, at: datetime) -> bool:
    for begins, ends in calendar.spans_from(at - timedelta(days=15)):
        if begins > at:
            return False
        if at <= ends:
            return True
    return False
