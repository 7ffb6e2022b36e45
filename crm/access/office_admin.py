"""Changing the office tree and the calendars: here, because org lies below access."""

from datetime import date, time

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from crm.access.capabilities import require, require_everywhere
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.services import enqueue
from crm.org import holidays
from crm.org.models import CalendarDay, HolidayYear, Office, WorkWindow


@transaction.atomic
def create_office(*, by: User, parent: Office, **facts: object) -> Office:
    """Add an office below `parent`. The code is unique in the company."""
    require(by, "office.manage", parent)
    office = Office.objects.add_child(parent, facts)
    audit.record(
        by, "office.created", office, office=office, details={"code": office.code}
    )
    return office


@transaction.atomic
def change_office(office: Office, *, by: User, **facts: object) -> Office:
    """Change facts of an office; not its place in the tree."""
    office = Office.objects.select_for_update().get(pk=office.pk)
    require(by, "office.manage", office)
    before = {name: getattr(office, name) for name in facts}
    for name, value in facts.items():
        setattr(office, name, value)
    office.save(update_fields=list(facts))
    changed = {n: [str(before[n]), str(v)] for n, v in facts.items() if before[n] != v}
    audit.record(by, "office.changed", office, office=office, details=changed)
    return office


@transaction.atomic
def move_office(office: Office, *, by: User, parent: Office) -> Office:
    """Move an office with all below it; what can be seen of its rows moves with it.

    Refused("office.into_itself") when `parent` lies inside the office.
    """
    require(by, "office.manage", office)
    require(by, "office.manage", parent)
    if office.contains(parent):
        raise Refused("office.into_itself", _("An office cannot move below itself."))
    old_path = office.path
    Office.objects.move(office, parent, "sorted-child")
    office = Office.objects.get(pk=office.pk)
    details = {"from": old_path, "to": office.path}
    audit.record(by, "office.moved", office, office=office, details=details)
    for hearer in settings.OFFICE_MOVED_HEARERS:
        import_string(hearer)(office)
    return office


@transaction.atomic
def set_windows(
    office: Office,
    *,
    by: User,
    windows: list[tuple[int, time, time]],
    inherit: bool = False,
) -> None:
    """Replace the working windows of an office; with `inherit`, it uses those above it."""
    require(by, "calendar.manage", office)
    WorkWindow.objects.filter(office=office).delete()
    if not inherit:
        WorkWindow.objects.bulk_create(
            WorkWindow(office=office, weekday=day, starts=starts, ends=ends)
            for day, starts, ends in windows
        )
    details = {"windows": len(windows), "inherit": inherit}
    audit.record(by, "calendar.windows_set", office, office=office, details=details)
    _calendar_changed(office, by)


def _require_calendar(by: User, office: Office | None) -> None:
    """The country's days move every limit: they need a posting at the top."""
    if office is None:
        require_everywhere(by, "calendar.manage")
    else:
        require(by, "calendar.manage", office)


@transaction.atomic
def set_day(
    office: Office | None, *, by: User, day: date, is_working: bool, name: str
) -> None:
    """Set an exception for an office and below, or for the country (office None)."""
    _require_calendar(by, office)
    CalendarDay.objects.update_or_create(
        office=office, date=day, defaults={"is_working": is_working, "name": name}
    )
    details = {"date": str(day), "is_working": is_working}
    audit.record(
        by,
        "calendar.day_set",
        office or "calendar:national",
        office=office,
        details=details,
    )
    _calendar_changed(office, by)


def _calendar_changed(office: Office | None, by: User) -> None:
    """What runs by the calendar is counted anew, by jobs of the apps above."""
    for kind in settings.CALENDAR_JOBS:
        enqueue(kind, {"office": office.code} if office else {}, by=by)


@transaction.atomic
def remove_day(day: CalendarDay, *, by: User) -> None:
    _require_calendar(by, day.office)
    details = {"date": str(day.date)}
    audit.record(by, "calendar.day_removed", day, office=day.office, details=details)
    day.delete()
    _calendar_changed(day.office, by)


@transaction.atomic
def confirm_year(year: int, *, by: User) -> None:
    """Mark a year's national days, as they stand in the table, as the decreed ones."""
    require_everywhere(by, "calendar.manage")
    if not CalendarDay.objects.filter(office=None, date__year=year).exists():
        holidays.load_year(year)
    HolidayYear.objects.update_or_create(year=year, defaults={"is_official": True})
    audit.record(by, "calendar.year_confirmed", f"org.holidayyear:{year}")
    _calendar_changed(None, by)
