"""The tallies, rebuilt from the items for days that something has touched.

A day's rows follow from its items alone, so the job may run twice, die anywhere, or come
late. Imports append marks in their own transaction; a mark that this job sees belongs to
items that it sees too.
"""

from datetime import date

from django.db import connection

from crm.jobs.models import Job
from customers.partitions import month_after
from delivery.models import CourierTally, OfficeTally, RouteTally
from delivery.models.tallies import COUNTED, COUNTS
from delivery.quality.marks import Mark

# RACE: one counter at a time; whoever comes second finds no marks left.
LOCK = "SELECT pg_advisory_xact_lock(hashtext('delivery.tally'))"
FIRST_MARK = "SELECT min(day) FROM delivery_tallymark"
# At most a month at once: one pass over its partition serves all its days.
TAKE = """
CREATE TEMP TABLE tally_taken ON COMMIT DROP AS
SELECT id, day FROM delivery_tallymark WHERE day >= %s AND day < %s"""
DAYS = "SELECT DISTINCT day FROM tally_taken ORDER BY 1"
GOOD = "flaw = '' AND disturbance_id IS NULL"


def _minutes(start: str, end: str) -> str:
    return f"extract(epoch FROM {end} - {start})::bigint / 60"


ACCEPTED = "COALESCE(e_accepted_at, accepted_at)"
DELIVERED = "COALESCE(e_delivered_at, delivered_at)"
STAGED = f"marks & {Mark.STAGED.value} <> 0"
# First the items with equal marks and days are put together: there are few kinds of them.
KINDS = f"""
CREATE TEMP TABLE tally_kind ON COMMIT DROP AS
SELECT accepted_on AS day, ripe_on, office_id, product, from_region, to_region, marks,
       CASE WHEN {GOOD} THEN days END AS days, flaw <> '' AS is_flawed,
       flaw = '' AND disturbance_id IS NOT NULL AS is_excluded, count(*) AS items,
       sum({_minutes(ACCEPTED, DELIVERED)}) FILTER (WHERE marks & 2 <> 0) AS minutes,
       sum({_minutes(ACCEPTED, "e_origin_out_at")}) FILTER (WHERE {STAGED}) AS origin_minutes,
       sum({_minutes("e_origin_out_at", "e_dest_in_at")}) FILTER (WHERE {STAGED})
           AS transport_minutes,
       sum({_minutes("e_dest_in_at", "e_out_at")}) FILTER (WHERE {STAGED}) AS dest_minutes,
       sum({_minutes("e_out_at", DELIVERED)}) FILTER (WHERE {STAGED}) AS delivery_minutes,
       sum(cardinality(ratings)) AS rated,
       sum(CASE WHEN ratings IS NOT NULL
                THEN (SELECT sum(r) FROM unnest(ratings) r) END) AS rating
FROM delivery_mailitem WHERE accepted_on = ANY(%s) GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10"""
KEY = "day, ripe_on, office_id, product, from_region, to_region"
_IS_GOOD = "NOT is_flawed AND NOT is_excluded"


def _sum(expression: str, condition: str) -> str:
    return f"COALESCE(sum({expression}) FILTER (WHERE {condition}), 0)"


def _marked(mark: Mark) -> str:
    return f"marks & {mark.value} <> 0"


_SUMS = {
    "items": _sum("items", _IS_GOOD),
    **{
        name: _sum("items", f"{_IS_GOOD} AND {_marked(Mark[name.upper()])}")
        for name in COUNTED
    },
    "undelivered": _sum("items", f"{_IS_GOOD} AND marks & 2 = 0"),
    "undelivered_twice": _sum(
        "items", f"{_IS_GOOD} AND marks & 2 = 0 AND {_marked(Mark.TWO_TRIES)}"
    ),
    **{
        name: _sum(name, _IS_GOOD)
        for name in (
            *("minutes", "origin_minutes", "transport_minutes", "dest_minutes"),
            "delivery_minutes",
        )
    },
    "rated_on_time": _sum("rated", f"{_IS_GOOD} AND {_marked(Mark.ON_TIME)}"),
    "rating_on_time": _sum("rating", f"{_IS_GOOD} AND {_marked(Mark.ON_TIME)}"),
    "rated_late": _sum("rated", f"{_IS_GOOD} AND NOT {_marked(Mark.ON_TIME)}"),
    "rating_late": _sum("rating", f"{_IS_GOOD} AND NOT {_marked(Mark.ON_TIME)}"),
    "flawed": _sum("items", "is_flawed"),
    "excluded": _sum("items", "is_excluded"),
}
_NAMES = ", ".join(COUNTS)
ROUTES = f"""
WITH transit AS (
    SELECT {KEY}, array_agg(days ORDER BY days) AS transit,
           array_agg(n ORDER BY days) AS transit_items
    FROM (SELECT {KEY}, days, sum(items) AS n FROM tally_kind WHERE days IS NOT NULL
          GROUP BY {KEY}, days) d GROUP BY {KEY}),
counts AS (SELECT {KEY}, {", ".join(f"{_SUMS[name]} AS {name}" for name in COUNTS)}
           FROM tally_kind GROUP BY {KEY})
INSERT INTO delivery_routetally ({KEY}, {_NAMES}, transit, transit_items)
SELECT {KEY}, {_NAMES}, COALESCE(transit, '{{}}'), COALESCE(transit_items, '{{}}')
FROM counts LEFT JOIN transit USING ({KEY}) ORDER BY day, office_id"""
# Each office counts in every office above it: paths of four letters a level.
OFFICES = f"""
WITH above AS (
    SELECT o.id AS below_id, a.id AS office_id FROM org_office o
    JOIN generate_series(4, 64, 4) AS cut ON cut <= length(o.path)
    JOIN org_office a ON a.path = left(o.path, cut)
    WHERE o.id IN (SELECT DISTINCT office_id FROM tally_kind)),
own AS (
    SELECT day, ripe_on, office_id, product, days, sum(items) AS n FROM tally_kind
    WHERE days IS NOT NULL GROUP BY 1, 2, 3, 4, 5),
transit AS (
    SELECT day, ripe_on, office_id, product, array_agg(days ORDER BY days) AS transit,
           array_agg(n ORDER BY days) AS transit_items
    FROM (SELECT day, ripe_on, a.office_id, product, days, sum(n) AS n
          FROM own JOIN above a ON a.below_id = own.office_id GROUP BY 1, 2, 3, 4, 5) d
    GROUP BY 1, 2, 3, 4),
counts AS (
    SELECT t.day, t.ripe_on, a.office_id, t.product,
           {", ".join(f"sum(t.{name}) AS {name}" for name in COUNTS)}
    FROM delivery_routetally t JOIN above a ON a.below_id = t.office_id
    WHERE t.day = ANY(%s) GROUP BY 1, 2, 3, 4)
INSERT INTO delivery_officetally (day, ripe_on, office_id, product, {_NAMES}, transit,
                                  transit_items)
SELECT day, ripe_on, office_id, product, {_NAMES}, COALESCE(transit, '{{}}'),
       COALESCE(transit_items, '{{}}')
FROM counts LEFT JOIN transit USING (day, ripe_on, office_id, product)
ORDER BY office_id, day"""
_COURIER = {
    name: f"count(*) FILTER (WHERE marks & {Mark[name.upper()].value} <> 0)"
    for name in (
        *("limited", "delivered", "on_time", "attempted", "first_attempt", "lost"),
        *("damaged", "by_operator", "false_signed", "returned"),
        *("plus_1", "plus_2", "plus_3"),
    )
}
COURIERS = f"""
INSERT INTO delivery_couriertally (day, ripe_on, office_id, courier, items,
                                   {", ".join(_COURIER)})
SELECT accepted_on, ripe_on, office_id, COALESCE(NULLIF(e_courier, ''), courier) AS who,
       count(*), {", ".join(_COURIER.values())}
FROM delivery_mailitem WHERE accepted_on = ANY(%s) AND {GOOD}
  AND (e_courier <> '' OR courier <> '') GROUP BY 1, 2, 3, 4"""
FORGET = """
DELETE FROM delivery_tallymark m USING tally_taken t WHERE t.id = m.id"""


def tally_step(job: Job) -> bool:
    """Job: count the marked days of one month anew; True when none is marked."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK)
        cursor.execute(FIRST_MARK)
        first: date | None = cursor.fetchone()[0]
        if first is None:
            return True
        cursor.execute(TAKE, [first, month_after(first.replace(day=1))])
        cursor.execute(DAYS)
        days = [day for (day,) in cursor.fetchall()]
        count_days(cursor, days)
        cursor.execute(FORGET)
        cursor.execute("DROP TABLE tally_taken")
    job.done_units += len(days)
    return False


def count_days(cursor, days: list[date]) -> None:
    """Replace all tallies of these days, of one month, within the caller's transaction.

    Cost: one pass over the days' items; the rest is over the kinds of them.
    """
    for table in (RouteTally, OfficeTally, CourierTally):
        cursor.execute(
            f"DELETE FROM {table._meta.db_table} WHERE day = ANY(%s)", [days]
        )
    cursor.execute("SET LOCAL work_mem = '128MB'")
    cursor.execute(KINDS, [days])
    cursor.execute(ROUTES)
    cursor.execute(OFFICES, [days])
    cursor.execute(COURIERS, [days])
    cursor.execute("DROP TABLE tally_kind")
