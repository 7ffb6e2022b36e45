"""How the night's work is cut: a job for each prefecture, so that workers share it; and
which offices have their month's usage by then."""

from datetime import date, timedelta

from django.db import connection
from django.db.models import Max
from django.utils.timezone import localdate

from crm.jobs.models import Job
from crm.jobs.services import enqueue
from crm.org.models import Office
from customers.models import CustomerValue
from customers.seasons import month_span

LATE_DAYS = 10  # a month whose last line is older than this has not been loaded yet
# Of the offices' owning customers with something sent in the month before, how many have
# sent in this one: half of five or more missing means that the ledger has not come whole.
LOADED = """
SELECT c.office_id FROM customers_customer c
LEFT JOIN customers_customertrend t ON t.customer_id = c.id AND t.month = %(month)s
WHERE c.office_id = ANY(%(offices)s) AND c.merged_into_id IS NULL
GROUP BY 1
HAVING count(*) FILTER (WHERE t.previous_pieces > 0) < 5
    OR 2 * count(*) FILTER (WHERE t.pieces > 0)
       >= count(*) FILTER (WHERE t.previous_pieces > 0)"""


def spread(kind: str, job: Job) -> None:
    """Queue `kind` for each prefecture, and for what the province itself keeps; as a step
    of `job`, so that doing it again queues nothing new."""
    for office in Office.objects.active().filter(depth__lte=2):
        params = {"office": office.code, "day": f"{localdate()}"}
        enqueue(kind, params, key=f"{kind}:{job.pk}:{office.code}")


def offices_in(office: Office) -> list[int]:
    """The ids of what one job works on: a prefecture with all below it, a province alone."""
    if office.depth == 1:
        return [office.pk]
    inside = Office.objects.filter(path__startswith=office.path)
    return list(inside.values_list("pk", flat=True))


def data_until(offices: list[int]) -> date | None:
    """The last day of which offices have usage; None without any."""
    rows = CustomerValue.objects.filter(customer__office__in=offices)
    return rows.aggregate(last=Max("last_on"))["last"]


def loaded_offices(offices: list[int], month: date) -> list[int]:
    """Those whose usage of the month has been loaded. Who sends less cannot be told from a
    ledger that has not come: a late office waits, and so does a prefecture whose newest
    line is older than ten days before the month's end."""
    until = data_until(offices)
    if until is None or until < month_span(month)[1] - timedelta(days=LATE_DAYS):
        return []
    with connection.cursor() as cursor:
        cursor.execute(LOADED, {"offices": offices, "month": month})
        return [row[0] for row in cursor.fetchall()]
