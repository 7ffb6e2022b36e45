"""National holidays, loaded once into our own table and never asked at run time.

The State Council decrees each year's arrangement in the autumn before. The library has
the decreed ones; a later year gets the computed statutory days only and is provisional.
"""

from datetime import date

import holidays
from django.db import transaction
from django.utils.timezone import localdate

from crm.org.models import CalendarDay, HolidayYear

# The last year whose decree the pinned release of `holidays` carries; an operator
# confirms later years on the calendar page.
LAST_OFFICIAL_YEAR = 2026


@transaction.atomic
def load_year(year: int, *, is_official: bool | None = None) -> int:
    """Replace the national days of `year`; return how many exceptions it has."""
    official = year <= LAST_OFFICIAL_YEAR if is_official is None else is_official
    source = holidays.country_holidays("CN", years=year, language="zh_CN")
    days = {
        day: CalendarDay(date=day, is_working=False, name=name[:60])
        for day, name in source.items()
        if day.year == year
    }
    if official:  # make-up days are policy, never computed
        for day in source.weekend_workdays:
            if day.year == year:
                days[day] = CalendarDay(date=day, is_working=True, name="调休上班")
    CalendarDay.objects.filter(office=None, date__year=year).delete()
    CalendarDay.objects.bulk_create(days.values())
    HolidayYear.objects.update_or_create(year=year, defaults={"is_official": official})
    return len(days)


def missing_year(today: date | None = None) -> int | None:
    """From 1 November: next year, if its arrangement is not confirmed yet."""
    today = today or localdate()
    wanted = today.year + 1 if today.month >= 11 else today.year
    confirmed = HolidayYear.objects.filter(year=wanted, is_official=True).exists()
    return None if confirmed else wanted
