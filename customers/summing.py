"""Sums by day, rebuilt from the lines wherever a month's sum has changed.

A month row that an import touches is marked (`is_summed` = false) by that same import;
this job takes marked rows, some at a time, deletes their days and sums the lines anew. So
it may run twice, die anywhere, or come late: the days follow from the lines alone.
"""

from datetime import date

from django.db import connection

from crm.jobs.models import Job
from customers.partitions import ensure_partition, month_after

CHUNK = 20_000  # customers of one month

# RACE: locked rows are left to whoever holds them; an import that touches a row again
# waits for this transaction and marks it anew.
TAKE = """
CREATE TEMP TABLE taken ON COMMIT DROP AS
SELECT customer_id, month FROM customers_usagemonth
WHERE NOT is_summed AND month = %s ORDER BY customer_id LIMIT %s FOR UPDATE SKIP LOCKED"""
FORGET = """
DELETE FROM customers_usageday d USING taken t
WHERE d.customer_id = t.customer_id AND d.day >= %(first)s AND d.day < %(next)s"""
SUM = """
INSERT INTO customers_usageday (day, customer_id, product, region, payment,
                                pieces, revenue, cost)
SELECT u.posted_on, u.customer_id, u.product, u.region, u.payment,
       sum(u.pieces), sum(u.revenue), sum(u.cost)
FROM customers_usage u JOIN taken t ON t.customer_id = u.customer_id
WHERE u.posted_on >= %(first)s AND u.posted_on < %(next)s
GROUP BY 1, 2, 3, 4, 5"""
MARK = """
UPDATE customers_usagemonth m SET is_summed = true FROM taken t
WHERE m.customer_id = t.customer_id AND m.month = t.month"""
MONTHS = "SELECT month FROM customers_usagemonth WHERE NOT is_summed LIMIT 1"


def days_step(job: Job) -> bool:
    """Job: bring the days of one month up to date for a chunk of customers."""
    with connection.cursor() as cursor:
        cursor.execute(MONTHS)
        found = cursor.fetchone()
        if found is None:
            return True
        month: date = found[0]
        ensure_partition(cursor, month, "customers_usageday")
        cursor.execute(TAKE, [month, CHUNK])
        taken = cursor.rowcount
        span = {"first": month, "next": month_after(month)}
        cursor.execute(FORGET, span)
        cursor.execute(SUM, span)
        cursor.execute(MARK)
        cursor.execute("DROP TABLE taken")
    job.done_units += taken
    return taken == 0  # all that is left is locked: the next slot takes it
