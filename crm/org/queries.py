"""The calendar of an office, put together from the tree."""

from collections import defaultdict
from datetime import date, timedelta

from django.db.models import Q

from crm.org.calendar import OFFICE_HOURS, Windows, WorkCalendar
from crm.org.models import (
    CalendarDay,
    HolidayYear,
    Office,
    WorkWindow,
    paths_above,
)


def ancestry(office: Office) -> list[str]:
    """Paths from the root to the office itself."""
    return paths_above(office.path)


def has_biu_team(office: Office) -> bool:
    """Whether the office, or one above it, has a business-intelligence team (R-ORG-07)."""
    return Office.objects.filter(path__in=ancestry(office), has_biu_team=True).exists()


def calendar_of(office: Office) -> WorkCalendar:
    """The working calendar in force at `office`. Cost: three queries.

    Windows come from the nearest office that has any; exceptions from every level, the
    nearest winning over those above it and over the national arrangement.
    """
    paths = ancestry(office)
    by_path: dict[str, dict[int, list]] = defaultdict(lambda: defaultdict(list))
    windows = WorkWindow.objects.filter(office__path__in=paths).order_by(
        "weekday", "starts"
    )
    for path, weekday, starts, ends in windows.values_list(
        "office__path", "weekday", "starts", "ends"
    ):
        by_path[path][weekday].append((starts, ends))
    nearest = by_path[max(by_path, key=len)] if by_path else None
    weekly: dict[int, Windows] = (
        {day: tuple(spans) for day, spans in nearest.items()}
        if nearest
        else dict.fromkeys(range(5), OFFICE_HOURS)
    )
    days = CalendarDay.objects.filter(Q(office=None) | Q(office__path__in=paths))
    exceptions: dict[date, bool] = {}
    rows = days.values_list("office__path", "date", "is_working")
    for _path, day, is_working in sorted(rows, key=lambda row: len(row[0] or "")):
        exceptions[day] = is_working
    official = HolidayYear.objects.filter(is_official=True).values_list(
        "year", flat=True
    )
    return WorkCalendar(weekly, exceptions, frozenset(official))


def next_working_day(office: Office, day: date) -> date:
    """The day itself, or the next that is worked at an office; itself where none is within
    two months. Three queries."""
    calendar = calendar_of(office)
    for offset in range(60):
        found = day + timedelta(days=offset)
        if calendar.windows_on(found):
            return found
    return day
