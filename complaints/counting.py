"""Figures of the board from the ledger of counts, and the job that adds it up."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection
from django.db.models import Sum
from django.utils.timezone import localdate, now

from complaints.models import Complaint, OrderCount
from crm.jobs.models import Job
from crm.org.models import Office

DAYS = 30  # of the board, today among them
ALL_BEFORE = date(1970, 1, 1)
KEPT_DAYS = 62
# Readers see the lines before or after, never both: one statement.
FOLD = """
WITH several AS (
    SELECT day, office_id, category FROM complaints_ordercount
    GROUP BY 1, 2, 3 HAVING count(*) > 1 OR (day < %(old)s AND day <> %(before)s)
    UNION SELECT DISTINCT %(before)s::date, office_id, '' FROM complaints_ordercount
    WHERE day < %(old)s AND day <> %(before)s
), folded AS (
    DELETE FROM complaints_ordercount c USING several s
    WHERE (c.day, c.office_id, c.category) = (s.day, s.office_id, s.category)
    RETURNING c.day, c.office_id, c.category, c.opened, c.open
)
INSERT INTO complaints_ordercount (day, office_id, category, opened, open)
SELECT CASE WHEN day < %(old)s THEN %(before)s ELSE day END AS kept, office_id,
       CASE WHEN day < %(old)s THEN '' ELSE category END AS class,
       sum(opened), sum(open)
FROM folded GROUP BY 1, 2, 3
HAVING sum(opened) <> 0 OR sum(open) <> 0 ORDER BY 1, 2, 3
"""


@dataclass(frozen=True)
class OrderFigures:
    open: int
    overdue: int
    recent: int
    daily: list[int]  # the last 30 days, oldest first
    by_category: list[tuple[str, str, int]]  # (value, label, count), most first


def figures(office: Office) -> OrderFigures:
    """Work orders taken in at or below `office`; the view has settled that it may be seen.
    Two queries; only what is past the law is counted row by row."""
    today = localdate()
    since = today - timedelta(days=DAYS - 1)
    lines = OrderCount.objects.filter(office__path__startswith=office.path)
    daily, by_category, is_open = [0] * DAYS, dict.fromkeys(Complaint.Group, 0), 0
    sums = lines.values_list("day", "category").annotate(n=Sum("opened"), o=Sum("open"))
    for day, category, opened, open_ in sums.order_by():
        is_open += open_
        if since <= day <= today:
            daily[(day - since).days] += opened
            by_category[Complaint.Group(category)] += opened
    labels = dict(Complaint.Group.choices)
    ordered = sorted(by_category.items(), key=lambda pair: -pair[1])
    at = now()
    scope = Complaint.objects.filter(office__path__startswith=office.path)
    return OrderFigures(
        open=is_open,
        overdue=scope.overdue(at).past_the_law(at).count(),
        recent=sum(daily),
        daily=daily,
        by_category=[(g, str(labels[g]), n) for g, n in ordered if n],
    )


def fold_step(job: Job) -> bool:
    """Job: add up the ledger's lines, days of more than two months in one.

    RACE: an advisory lock lets one at a time; lines that come meanwhile are not seen.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('complaints.fold'))")
        old = localdate() - timedelta(days=KEPT_DAYS)
        cursor.execute(FOLD, {"old": old, "before": ALL_BEFORE})
        job.done_units += cursor.rowcount
    return True
