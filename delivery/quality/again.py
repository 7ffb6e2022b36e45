"""Items counted anew when a standard or the calendar changes: day by day, in the back."""

from datetime import date, timedelta

from django.db import connection
from django.utils.timezone import localdate

from crm.jobs.models import Job
from crm.jobs.services import enqueue
from crm.org.models import Office
from delivery.models import NOT_HANDED_OVER
from delivery.quality.merging import TOUCHED, reckon_touched
from delivery.quality.workdays import fill

NEXT_DAY = """
SELECT min(accepted_on) FROM delivery_mailitem
WHERE accepted_on >= %s AND accepted_on <= %s AND accepted_on <> %s"""
OF_DAY = """
INSERT INTO touched SELECT waybill, accepted_on FROM delivery_mailitem
WHERE accepted_on = %s ORDER BY waybill FOR UPDATE"""


def workdays_step(job: Job) -> bool:
    """Job: follow the calendars; items accepted since (some weeks before) are counted anew."""
    changed = fill()
    if changed:
        since = changed - timedelta(days=60)
        params = {"first": f"{since}", "last": f"{localdate()}"}
        enqueue("delivery.reckon", params)
    return True


def ask_for_reckoning(first: date, last: date) -> Job:
    """Queue counting the items anew that were accepted in these days."""
    return enqueue("delivery.reckon", {"first": f"{first}", "last": f"{last}"})


def reckon_step(job: Job) -> bool:
    """Job: one day of acceptance a step; True behind the last."""
    first = job.cursor.get("next", job.params["first"])
    last = min(date.fromisoformat(job.params["last"]), localdate())
    with connection.cursor() as cursor:
        cursor.execute(NEXT_DAY, [first, last, NOT_HANDED_OVER])
        day: date | None = cursor.fetchone()[0]
        if day is None:
            return True
        cursor.execute(TOUCHED)
        cursor.execute(OF_DAY, [day])
        job.done_units += cursor.rowcount
        reckon_touched(cursor)
    job.cursor = {"next": f"{day + timedelta(days=1)}"}
    return False


MARK_DAYS_OF = """
INSERT INTO delivery_tallymark (day) SELECT DISTINCT day FROM delivery_officetally
WHERE office_id = %s"""


def recount(office: Office) -> None:
    """The office counts for others above it now: all days that it has are counted anew."""
    with connection.cursor() as cursor:
        cursor.execute(MARK_DAYS_OF, [office.pk])
