"""Ledgers of items: what an import of kind "items" checks, and how a chunk is loaded.

An item's key is its waybill. Facts of the same `version` are merged by the greater value,
a higher version replaces them: so files may come in any order, cut up, twice.
Source: domain.md 3.2; R-DLV-08, R-DLV-17.
"""

from datetime import date

from django.db import connection
from django.utils.translation import gettext_lazy as _

from crm.copying import copy_lines
from crm.transfer.targets import Loaded, Run, Target
from customers.partitions import month_after, partition_months
from delivery.models import NOT_HANDED_OVER
from delivery.quality.item_columns import COLUMNS, ORDER_COLUMNS
from delivery.quality.merging import (
    TABLE,
    TOUCHED,
    below,
    lay_out_for,
    make_months,
    reckon_touched,
)
from delivery.quality.reckoning import BECOMES, ZONE, reckoned

TEXTS = (
    *("waybill", "return_cause", "outcome", "product", "relation", "from_region"),
    *("to_region", "customer", "accepting", "office", "courier", "method"),
    *("requirement", "status"),
)
STAGING = """
CREATE TEMP TABLE IF NOT EXISTS item_staging (
    line bigint, waybill text, accepted_at timestamptz, promised_at timestamptz,
    attempted_at timestamptz, attempts smallint, delivered_at timestamptz,
    returned_at timestamptz, return_cause text DEFAULT '', outcome text DEFAULT '',
    product text DEFAULT '', relation text DEFAULT '', from_region text DEFAULT '',
    to_region text DEFAULT '', customer text DEFAULT '', accepting text DEFAULT '',
    office text DEFAULT '', courier text DEFAULT '', method text DEFAULT '',
    requirement text DEFAULT '', requirement_met boolean, ratings smallint[],
    status text DEFAULT '', version smallint,
    customer_id bigint, accepted_by_id int, to_office_id int, turn int DEFAULT 1
) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS item_fresh (waybill text) ON COMMIT DROP;
TRUNCATE item_staging; TRUNCATE item_fresh"""
OFFICES = """
UPDATE item_staging s SET {to} = o.id FROM org_office o
WHERE s.{column} <> '' AND o.code = s.{column} AND o.path LIKE %(below)s"""
CUSTOMERS = """
UPDATE item_staging s SET customer_id = c.id
FROM customers_customer c JOIN org_office o ON o.id = c.office_id
WHERE s.customer <> '' AND c.code = s.customer AND o.path LIKE %(below)s
  AND c.merged_into_id IS NULL"""
REFUSE = "DELETE FROM item_staging WHERE {column} <> '' AND {to} IS NULL RETURNING line"
REFUSE_FOREIGN = """
DELETE FROM item_staging s USING delivery_mailkey k
JOIN org_office o ON o.id = k.owner_id
WHERE k.waybill = s.waybill AND o.path NOT LIKE %(below)s AND %(path)s NOT LIKE o.path || '%%'
RETURNING line"""
TURNS = """
WITH turns AS (SELECT line, row_number() OVER (PARTITION BY waybill ORDER BY line) AS turn
               FROM item_staging)
UPDATE item_staging s SET turn = t.turn FROM turns t WHERE t.line = s.line AND t.turn > 1"""
DAY = f"COALESCE((accepted_at AT TIME ZONE '{ZONE}')::date, '{NOT_HANDED_OVER}')"
# Facts as a ledger gives them, in MailItem's names.
GIVEN = (
    *("to_office_id", "customer_id", "product", "relation", "from_region", "to_region"),
    *("courier", "status", "method", "requirement", "requirement_met", "ratings"),
    *("accepted_at", "promised_at", "attempted_at", "attempts", "delivered_at"),
    *("returned_at", "return_cause", "outcome"),
)
FROM_EVENTS = (
    "e_accepted_at timestamptz, e_accepted_by_id int, e_origin_out_at timestamptz,"
    " e_dest_in_at timestamptz, e_out_at timestamptz, e_office_id int,"
    " e_failed smallint, e_tries timestamptz[],"
    " e_delivered_at timestamptz, e_returned_at timestamptz, e_return_cause text,"
    " e_outcome text, e_false_signed boolean, e_flaw text"
)
_NO_EVENTS = ", ".join(
    f"{'NULL::' + kind if kind != 'text' else chr(39) * 2} AS {name}"
    for name, kind in (part.split() for part in FROM_EVENTS.split(", "))
)
NEW = f"""
(SELECT s.waybill, COALESCE(s.accepted_by_id, %(office)s) AS accepted_by_id,
        %(source)s AS source_id, COALESCE(s.version, 0) AS version,
        %(is_by_days)s AS is_by_days, {", ".join(f"s.{name}" for name in GIVEN)}, {_NO_EVENTS}
 FROM item_staging s JOIN item_fresh f USING (waybill) WHERE s.turn = %(turn)s)"""
KEEP_KEYS = f"""
WITH keys AS (
    INSERT INTO delivery_mailkey (waybill, accepted_on, owner_id)
    SELECT waybill, {DAY}, %(office)s FROM item_staging WHERE turn = %(turn)s
    ORDER BY waybill ON CONFLICT DO NOTHING RETURNING waybill)
INSERT INTO item_fresh SELECT waybill FROM keys"""
STORED = (
    *("waybill", "accepted_by_id", "source_id", "version", "is_by_days", *GIVEN),
    *(name for name in BECOMES if name != "accepted_by_id"),
)
INSERT = f"""
WITH put AS (INSERT INTO delivery_mailitem ({", ".join(STORED)})
    {reckoned(NEW, STORED)} RETURNING accepted_on, flaw)
SELECT accepted_on, count(*), count(*) FILTER (WHERE flaw <> '') FROM put GROUP BY 1"""
# RACE: keys in one order, so that two imports of the same items wait and do not deadlock.
LOCK = """
SELECT count(*) FROM (
    SELECT k.waybill FROM delivery_mailkey k JOIN item_staging s USING (waybill)
    WHERE s.turn = %(turn)s AND NOT EXISTS (SELECT 1 FROM item_fresh f
                                            WHERE f.waybill = s.waybill)
    ORDER BY k.waybill FOR UPDATE OF k) locked"""
_MERGED = ", ".join(
    f"CASE WHEN s.v > m.version THEN s.{name}"
    f" WHEN s.v = m.version THEN GREATEST(m.{name}, s.{name}) ELSE m.{name} END AS {name}"
    for name in GIVEN
)
_NAMES = ", ".join(GIVEN)
MERGE = f"""
WITH known AS (
    SELECT s.*, COALESCE(s.version, 0) AS v, k.accepted_on AS key_on
    FROM item_staging s JOIN delivery_mailkey k USING (waybill)
    WHERE s.turn = %(turn)s AND NOT EXISTS (SELECT 1 FROM item_fresh f
                                            WHERE f.waybill = s.waybill)),
merged AS (
    SELECT m.waybill, m.accepted_on, GREATEST(m.version, s.v)::smallint AS version,
           m.version < 0 AS is_shell, s.accepted_by_id AS accepting, {_MERGED}
    FROM known s JOIN delivery_mailitem m
         ON (m.waybill, m.accepted_on) = (s.waybill, s.key_on)),
put AS (
    UPDATE delivery_mailitem m SET
        ({_NAMES}) = (SELECT {", ".join(f"g.{name}" for name in GIVEN)}),
        version = g.version, is_by_days = %(is_by_days)s,
        source_id = CASE WHEN g.is_shell OR m.source_id = %(source)s
                         THEN %(source)s ELSE 0 END,
        accepted_by_id = CASE WHEN g.is_shell THEN COALESCE(g.accepting, %(office)s)
                              ELSE GREATEST(g.accepting, m.accepted_by_id) END
    FROM merged g WHERE (m.waybill, m.accepted_on) = (g.waybill, g.accepted_on)
      AND ({", ".join(f"m.{name}" for name in GIVEN)}, m.version)
          IS DISTINCT FROM ({", ".join(f"g.{name}" for name in GIVEN)}, g.version)
    RETURNING m.waybill, m.accepted_on)
INSERT INTO touched SELECT waybill, accepted_on FROM put"""
OF_TURN = "SELECT line FROM item_staging WHERE turn = %s"
# COST: one set to look into; with OR between two EXISTS it would be scanned for each row.
LINES = """
SELECT line FROM item_staging WHERE turn = %(turn)s AND waybill IN (
    SELECT waybill FROM item_fresh UNION ALL SELECT waybill FROM touched)"""
TALLY = """
SELECT count(*) FILTER (WHERE accepted_on <> %s), count(*) FILTER (WHERE flaw <> '')
FROM again"""


def load(run: Run, lines: list[list], columns: list[str]) -> Loaded:
    """Put checked lines in, in the caller's transaction: new items, or merged ones.

    `counts` says how many of them are accepted, and how many flagged as impossible. Cost:
    one COPY and about ten statements a chunk, whatever its length.
    """
    return _load(run, lines, columns, is_by_days=False)


def load_by_days(run: Run, lines: list[list], columns: list[str]) -> Loaded:
    """The same for ledgers that promise a date and count in calendar days (OLIST)."""
    return _load(run, lines, columns, is_by_days=True)


def _load(
    run: Run, lines: list[list], columns: list[str], *, is_by_days: bool
) -> Loaded:
    if not lines:
        return Loaded([], 0)
    values = {
        "office": run.office.pk,
        "path": run.office.path,
        "below": below(run.office),
        "source": run.source_id,
        "is_by_days": is_by_days,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64MB'")
        _stage(cursor, lines, columns)
        rejected = _refuse(cursor, columns, values)
        turns = _turns(cursor, len(lines) - len(rejected))
        imported: list[int] = []
        counts = {"accepted": 0, "flagged": 0}
        bad = {line for line, _column, _reason in rejected}
        staged = [line[0] for line in lines if line[0] not in bad]
        for turn in range(1, turns + 1):
            if turns > 1:
                cursor.execute(OF_TURN, [turn])
                staged = [line for (line,) in cursor.fetchall()]
            imported += _one_turn(cursor, values | {"turn": turn}, counts, staged)
    return Loaded(sorted(imported), 0, rejected, counts)


def _stage(cursor, lines: list[list], columns: list[str]) -> None:
    cursor.execute(STAGING)
    copy_lines(cursor, "item_staging", lines, columns, TEXTS)


def _refuse(cursor, columns: list[str], values: dict) -> list[tuple[int, str, str]]:
    """Take out lines that name what this office does not have: (line, column, reason)."""
    found: list[tuple[int, str, str]] = []
    plans = [
        ("office", "to_office_id", OFFICES, "no_office"),
        ("accepting", "accepted_by_id", OFFICES, "no_office"),
        ("customer", "customer_id", CUSTOMERS, "no_customer"),
    ]
    for column, to, sql, reason in plans:
        if column in columns:
            cursor.execute(sql.format(to=to, column=column), values)
            cursor.execute(REFUSE.format(column=column, to=to))
            found += [(line, column, reason) for (line,) in cursor.fetchall()]
    cursor.execute(REFUSE_FOREIGN, values)
    found += [(line, "waybill", "foreign_item") for (line,) in cursor.fetchall()]
    return found


def _turns(cursor, lines: int) -> int:
    """How often the most frequent waybill of the chunk occurs; later ones wait their turn."""
    cursor.execute("SELECT count(DISTINCT waybill) FROM item_staging")
    if cursor.fetchone()[0] == lines:
        return 1 if lines else 0
    cursor.execute(TURNS)
    cursor.execute("SELECT max(turn) FROM item_staging")
    return cursor.fetchone()[0]


def _one_turn(
    cursor, values: dict, counts: dict[str, int], staged: list[int]
) -> list[int]:
    """Lines of one turn, each waybill once: insert the new, merge the known; those that
    changed something."""
    cursor.execute("TRUNCATE item_fresh")
    cursor.execute(KEEP_KEYS, values)
    cursor.execute("SELECT count(*) FROM item_fresh")
    fresh = cursor.fetchone()[0]
    cursor.execute(TOUCHED)
    if fresh:
        _insert(cursor, values, counts)
    if fresh == len(staged):
        return staged
    cursor.execute(LOCK, values)
    cursor.execute(MERGE, values)
    reckon_touched(cursor)
    cursor.execute(TALLY, [NOT_HANDED_OVER])
    accepted, flagged = cursor.fetchone()
    counts["accepted"] += accepted
    counts["flagged"] += flagged
    cursor.execute(LINES, values)
    return [line for (line,) in cursor.fetchall()]


def _insert(cursor, values: dict, counts: dict[str, int]) -> None:
    cursor.execute(
        "SELECT DISTINCT date_trunc('month', " + DAY + ")::date FROM item_staging"
    )
    make_months(cursor, TABLE, [month for (month,) in cursor.fetchall()])
    lay_out_for(cursor, "item_staging")
    cursor.execute(INSERT, values)
    days: list[date] = []
    for day, items, flagged in cursor.fetchall():
        counts["flagged"] += flagged
        if day != NOT_HANDED_OVER:
            counts["accepted"] += items
            days.append(day)
    cursor.execute(
        "INSERT INTO delivery_tallymark (day) SELECT unnest(%s::date[])", [days]
    )


def likeness(office, lines: list[list], columns: list[str]) -> float:
    """Items sent twice are merged: nothing to warn of."""
    return 0.0


GONE = """
WITH gone AS (DELETE FROM delivery_mailitem WHERE source_id = %(source)s
    AND accepted_on >= %(first)s AND accepted_on < %(next)s AND e_accepted_at IS NULL
    AND e_delivered_at IS NULL AND e_out_at IS NULL RETURNING waybill, accepted_on),
keys AS (DELETE FROM delivery_mailkey k USING gone g WHERE g.waybill = k.waybill)
INSERT INTO delivery_tallymark (day)
SELECT DISTINCT accepted_on FROM gone WHERE accepted_on <> %(never)s"""


def revert(run: Run, place: int) -> int | None:
    """Take back the items that came from this file alone, a month a step.

    Those that another file or an event has added to stay as they are.
    """
    months = partition_months(TABLE)
    if place >= len(months):
        return None
    first = months[place]
    values = {"first": first, "next": month_after(first), "never": NOT_HANDED_OVER}
    with connection.cursor() as cursor:
        cursor.execute(GONE, {"source": run.source_id, **values})
    return place + 1


CHUNK = 20_000  # lines: the worker stays within its memory
COUNTED = {"accepted": _("of these accepted"), "flagged": _("of these impossible")}
TARGET = Target(
    "items",
    _("Mail items"),
    COLUMNS,
    load,
    likeness,
    revert,
    counts=COUNTED,
    chunk=CHUNK,
)
BY_DAYS = Target(
    "items_by_days",
    _("Orders of a market place (month/day/year, calendar days)"),
    ORDER_COLUMNS,
    load_by_days,
    likeness,
    revert,
    counts=COUNTED,
    chunk=CHUNK,
)
