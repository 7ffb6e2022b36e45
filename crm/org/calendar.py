"""Working-time arithmetic, pure: a WorkCalendar in, times and minutes out.

Times are aware; the calendar is read in its own time zone. Legal limits in calendar
days are not computed here: they run through nights and holidays.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Windows = tuple[tuple[time, time], ...]
OFFICE_HOURS: Windows = ((time(8, 30), time(12)), (time(14), time(18)))
MIDNIGHT = time(0)  # as an end it is 24:00
SHANGHAI = ZoneInfo("Asia/Shanghai")
HORIZON_DAYS = 3660  # a calendar without any working time must not loop for ever


@dataclass(frozen=True)
class WorkCalendar:
    """When an office works.

    `weekly` has the windows of each weekday (0 = Monday), in order and not overlapping.
    `exceptions` says of a date whether it is worked: a make-up day uses the windows of
    `makeup`, or those of Monday. `official_years` are years whose arrangement is decreed.
    """

    weekly: Mapping[int, Windows] = field(
        default_factory=lambda: dict.fromkeys(range(5), OFFICE_HOURS)
    )
    exceptions: Mapping[date, bool] = field(default_factory=dict)
    official_years: frozenset[int] = frozenset()
    zone: ZoneInfo = SHANGHAI

    def windows_on(self, day: date) -> Windows:
        is_working = self.exceptions.get(day)
        usual = self.weekly.get(day.weekday(), ())
        if is_working is None:
            return usual
        if not is_working:
            return ()
        return usual or next(
            (self.weekly[d] for d in sorted(self.weekly) if self.weekly[d]), ()
        )

    def spans_from(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Working spans from `start` on, the first cut to begin there."""
        local = start.astimezone(self.zone)
        for offset in range(HORIZON_DAYS):
            day = local.date() + timedelta(days=offset)
            for opens, closes in self.windows_on(day):
                begin = datetime.combine(day, opens, self.zone)
                last = day if closes > MIDNIGHT else day + timedelta(days=1)
                end = datetime.combine(last, closes, self.zone)
                if end > start:
                    yield max(begin, start), end


@dataclass(frozen=True)
class Due:
    """A moment in working time; provisional if it leans on a year not yet decreed."""

    at: datetime
    is_provisional: bool


def start_of(day: date) -> datetime:
    """Midnight of a day, here."""
    return datetime.combine(day, MIDNIGHT, SHANGHAI)


class NoWorkingTime(ValueError):
    """The calendar has no working time within ten years."""


def add_working_time(calendar: WorkCalendar, start: datetime, minutes: int) -> Due:
    """The moment when `minutes` of working time have passed since `start`.

    Zero minutes give the first working moment not before `start`. Raises NoWorkingTime.
    """
    left = timedelta(minutes=minutes)
    for begin, end in calendar.spans_from(start):
        if left <= end - begin:
            at = begin + left
            return Due(at, is_provisional(calendar, start, at))
        left -= end - begin
    raise NoWorkingTime


def working_minutes_between(
    calendar: WorkCalendar, start: datetime, end: datetime
) -> float:
    """Working minutes from `start` to `end`; negative if `end` is earlier."""
    if end < start:
        return -working_minutes_between(calendar, end, start)
    total = timedelta()
    for begin, close in calendar.spans_from(start):
        if begin >= end:
            break
        total += min(close, end) - begin
    return total.total_seconds() / 60


def is_provisional(calendar: WorkCalendar, start: datetime, end: datetime) -> bool:
    """Whether a year that the span touches has no decreed arrangement."""
    first = start.astimezone(calendar.zone).year
    last = end.astimezone(calendar.zone).year
    return any(year not in calendar.official_years for year in range(first, last + 1))
