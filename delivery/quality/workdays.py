"""Working days as numbers, so that SQL can count J+n.

The calendar is the province's: an item belongs to several offices on its way.
"""

from datetime import date, timedelta

from django.utils.timezone import localdate

from crm.org.models import Office
from crm.org.queries import calendar_of
from delivery.models import WorkDay

FIRST = date(2005, 1, 1)
YEARS_AHEAD = 2


def workdays() -> list[WorkDay]:
    """All days from 2005 to the end of the year after next, in order."""
    root = Office.objects.filter(depth=1).first()
    if root is None:
        return []
    calendar = calendar_of(root)
    day, last = FIRST, date(localdate().year + YEARS_AHEAD, 12, 31)
    found, ordinal = [], 0
    while day <= last:
        is_worked = bool(calendar.windows_on(day))
        ordinal += is_worked
        found.append(WorkDay(day=day, ordinal=ordinal, is_worked=is_worked))
        day += timedelta(days=1)
    return found


def fill() -> date | None:
    """Write the days that differ; the first of them that had another number, else None."""
    known = {row.day: (row.ordinal, row.is_worked) for row in WorkDay.objects.all()}
    rows = [
        row for row in workdays() if known.get(row.day) != (row.ordinal, row.is_worked)
    ]
    WorkDay.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["day"],
        update_fields=["ordinal", "is_worked"],
        batch_size=2000,
    )
    return min((row.day for row in rows if row.day in known), default=None)
