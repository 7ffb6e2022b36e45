"""Months that the Spring Festival moves: which days of last year to compare with; pure.

The festival lies between 21 January and 20 February, so one year's January holds what the
other's February does. A span that ends with January or begins with February is compared
with the days that lie equally far from the festival; others with the same months, which
hold it in both years or in neither (domain.md 5.4).
"""

from datetime import date, timedelta

from borax.calendars.lunardate import LunarDate

from customers.queries import add_months

JANUARY, FEBRUARY = 1, 2

Span = tuple[date, date]


def spring_festival(year: int) -> date:
    """The solar date of the first day of the lunar year that begins in `year`."""
    return LunarDate(year, 1, 1).to_solar_date()


def month_span(first: date, months: int = 1) -> Span:
    """First and last day of so many months from that of `first` on."""
    return first.replace(day=1), add_months(first, months) - timedelta(days=1)


def year_before(span: Span) -> Span:
    """The days of last year that a span of whole months is compared with."""
    first, last = span
    if last.month != JANUARY and first.month != FEBRUARY:
        return add_months(first, -12), add_months(last, -11) - timedelta(days=1)
    year = first.year if first.month == FEBRUARY else last.year
    shift = spring_festival(year) - spring_festival(year - 1)
    return first - shift, last - shift


def months_in(span: Span) -> list[date]:
    """The months that a span consists of; none where it is not made of whole ones."""
    first, last = span
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    is_whole = month_span(first, count) == span
    return [add_months(first, n) for n in range(count)] if is_whole else []
