"""Periods that figures are kept for, from a day to a year and a card season; pure.

A week begins on Monday; ten days (旬) are 1–10, 11–20 and the rest of the month. Sources:
R-KPI-03; domain.md 5.4 for comparing with last year around the Spring Festival.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import models
from django.utils.translation import pgettext_lazy

from customers.queries import add_months
from customers.seasons import month_span, spring_festival, year_before

DAY = timedelta(days=1)
ISO_WEEKS = 52  # a year before, by weeks


class Kind(models.TextChoices):
    DAY = "day", pgettext_lazy("period", "Day")
    WEEK = "week", pgettext_lazy("period", "Week")
    TEN_DAYS = "ten_days", pgettext_lazy("period", "Ten days")
    MONTH = "month", pgettext_lazy("period", "Month")
    QUARTER = "quarter", pgettext_lazy("period", "Quarter")
    HALF = "half", pgettext_lazy("period", "Half-year")
    YEAR = "year", pgettext_lazy("period", "Year")
    SEASON = "season", pgettext_lazy("period", "Card season")


# Days after its end when a period's figures are final: scans, payments and answers that
# come late still count until then (own judgement).
SETTLES = {
    Kind.DAY: 3,
    Kind.WEEK: 3,
    Kind.TEN_DAYS: 3,
    Kind.MONTH: 5,
    Kind.QUARTER: 10,
    Kind.HALF: 10,
    Kind.YEAR: 15,
    Kind.SEASON: 15,
}
MONTHS = {
    Kind.MONTH: 1,
    Kind.QUARTER: 3,
    Kind.HALF: 6,
    Kind.YEAR: 12,
    Kind.SEASON: 12,
}
# A card season is named after the year of its draw; from drawing up the plan in the June
# before to the end of May, when reports are in (domain.md 4.2), it is a year for every office.
SEASON_BEGINS = 6


@dataclass(frozen=True)
class Span:
    """A period of a kind: whole days, both ends included."""

    kind: Kind
    first: date
    last: date

    @property
    def label(self) -> str:
        """As it is written beside a figure."""
        year = self.first.year
        if self.kind == Kind.DAY:
            return f"{self.first}"
        if self.kind == Kind.MONTH:
            return f"{self.first:%Y-%m}"
        if self.kind == Kind.QUARTER:
            return f"{year} Q{(self.first.month + 2) // 3}"
        if self.kind == Kind.HALF:
            return f"{year} H{1 if self.first.month == 1 else 2}"
        if self.kind == Kind.YEAR:
            return f"{year}"
        if self.kind == Kind.SEASON:
            return f"{year}/{self.last:%y}"
        if self.kind == Kind.WEEK:
            iso = self.first.isocalendar()
            return f"{iso.year} W{iso.week:02}"
        return f"{self.first} – {self.last:%m-%d}"

    @property
    def final_on(self) -> date:
        """From this day on its figures do not change any more."""
        return self.last + (SETTLES[self.kind] + 1) * DAY

    def has_ended(self, today: date) -> bool:
        return self.last < today

    @property
    def previous(self) -> "Span":
        return span_of(self.kind, self.first - DAY)

    @property
    def following(self) -> "Span":
        return span_of(self.kind, self.last + DAY)

    @property
    def year_before(self) -> "Span":
        """The days of last year to compare with: the same dates, but by the distance from
        the Spring Festival in January and February (domain.md 5.4), and the same weekdays
        for days and weeks."""
        if self.kind in MONTHS:
            first, last = year_before((self.first, self.last))
            return Span(self.kind, first, last)
        if {self.first.month, self.last.month} & {1, 2}:
            year = self.last.year
            shift = spring_festival(year) - spring_festival(year - 1)
        elif self.kind == Kind.TEN_DAYS:
            return span_of(self.kind, self.first.replace(year=self.first.year - 1))
        else:
            shift = 7 * ISO_WEEKS * DAY
        return Span(self.kind, self.first - shift, self.last - shift)


def _ten_days(day: date) -> tuple[date, date]:
    if day.day <= 10:
        return day.replace(day=1), day.replace(day=10)
    if day.day <= 20:
        return day.replace(day=11), day.replace(day=20)
    return day.replace(day=21), month_span(day)[1]


def _months(count: int) -> Callable[[date], tuple[date, date]]:
    def read(day: date) -> tuple[date, date]:
        month = (day.month - 1) // count * count + 1
        first = day.replace(month=month, day=1)
        return first, add_months(first, count) - DAY

    return read


def _season(day: date) -> tuple[date, date]:
    first = date(day.year - (day.month < SEASON_BEGINS), SEASON_BEGINS, 1)
    return first, add_months(first, 12) - DAY


READ: dict[Kind, Callable[[date], tuple[date, date]]] = {
    Kind.DAY: lambda day: (day, day),
    Kind.WEEK: lambda day: (
        day - day.weekday() * DAY,
        day + (6 - day.weekday()) * DAY,
    ),
    Kind.TEN_DAYS: _ten_days,
    **{kind: _months(count) for kind, count in MONTHS.items()},
    Kind.SEASON: _season,
}


def span_of(kind: str, day: date) -> Span:
    """The period of this kind that a day lies in."""
    found = Kind(kind)
    return Span(found, *READ[found](day))


def last_ended(kind: str, today: date) -> Span:
    """The newest period of this kind that is over."""
    return span_of(kind, today).previous
