"""What an import and the items have in common: the touched ones are reckoned anew.

Everything runs in the importer's transaction; the days whose tallies change are marked.
"""

from datetime import date

from crm.org.models import Office
from customers.partitions import ensure_partition
from delivery.models import NOT_HANDED_OVER
from delivery.quality.reckoning import BECOMES, RELATION, lay_out_rules, reckoned

TABLE = "delivery_mailitem"
TOUCHED = """
CREATE TEMP TABLE IF NOT EXISTS touched (waybill text PRIMARY KEY, accepted_on date)
ON COMMIT DROP;
TRUNCATE touched"""
ITEMS = """
(SELECT m.* FROM delivery_mailitem m JOIN touched t
 ON (m.waybill, m.accepted_on) = (t.waybill, t.accepted_on))"""
# Where an item was and where it is now are different rows when its month changes.
AGAIN = f"""
CREATE TEMP TABLE again ON COMMIT DROP AS
SELECT t.accepted_on AS was_on, z.* FROM (
    {reckoned(ITEMS, ["waybill", *BECOMES])}) z JOIN touched t USING (waybill)"""
_SET = ", ".join(f"{name} = a.{name}" for name in BECOMES)
_NEW = ", ".join(f"a.{name}" for name in BECOMES)
_OLD = ", ".join(f"m.{name}" for name in BECOMES)
PUT = f"""
UPDATE delivery_mailitem m SET {_SET} FROM again a
WHERE (m.waybill, m.accepted_on) = (a.waybill, a.was_on)
  AND ({_OLD}) IS DISTINCT FROM ({_NEW})"""
MOVE_KEYS = """
UPDATE delivery_mailkey k SET accepted_on = a.accepted_on FROM again a
WHERE k.waybill = a.waybill AND k.accepted_on <> a.accepted_on"""
MARK_DAYS = """
INSERT INTO delivery_tallymark (day)
SELECT day FROM (SELECT was_on AS day FROM again UNION SELECT accepted_on FROM again) d
WHERE day <> %s ORDER BY 1"""


def make_months(cursor, table: str, days: list[date]) -> None:
    """Partitions of `table` for the months of these days."""
    for month in sorted({day.replace(day=1) for day in days}):
        ensure_partition(cursor, month, table)


def lay_out_for(cursor, source: str) -> None:
    """The rules for the products and relations that occur in `source`."""
    cursor.execute(f"SELECT DISTINCT product, {RELATION} FROM {source} s")
    lay_out_rules(cursor, cursor.fetchall())


def reckon_touched(cursor) -> None:
    """Count the touched items anew, move those whose month changed, mark their days.

    The days are marked whatever changed: a rating or a courier counts in tallies too.
    """
    lay_out_for(cursor, ITEMS)
    cursor.execute("DROP TABLE IF EXISTS again")
    cursor.execute(AGAIN)
    cursor.execute("SELECT DISTINCT date_trunc('month', accepted_on)::date FROM again")
    make_months(cursor, TABLE, [month for (month,) in cursor.fetchall()])
    cursor.execute(PUT)
    cursor.execute(MOVE_KEYS)
    cursor.execute(MARK_DAYS, [NOT_HANDED_OVER])


def below(office: Office) -> str:
    """The pattern of paths at or below an office, for LIKE."""
    return f"{office.path}%"
