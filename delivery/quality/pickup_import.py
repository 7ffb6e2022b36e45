"""Ledgers of pickup orders, and what follow-up calls of all of them found.

An order's key is its number. As with items, facts of one version are merged by the greater
value, and a higher version replaces them. Source: R-DLV-10, R-DLV-17, domain.md 3.3.
"""

from django.db import connection
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.copying import copy_lines
from crm.transfer.targets import (
    Column,
    Loaded,
    Run,
    Target,
    clean_choice,
    clean_text,
    optional,
)
from delivery.models import PickupOrder
from delivery.quality import cells
from delivery.quality.item_import import likeness
from delivery.quality.merging import below

TEXT = optional(clean_text(40))
COLUMNS = (
    Column(
        "ref", _("Order"), cells.clean_reference, True, ("订单号", "工单号", "order")
    ),
    Column(
        "office",
        _("Code of the unit"),
        clean_text(20),
        False,
        ("机构", "揽投部", "unit"),
    ),
    Column("ordered_at", _("Ordered at"), cells.moment(), False, ("下单时间",)),
    Column(
        "promised_from",
        _("Promised from"),
        cells.moment(ahead=cells.PROMISES),
        False,
        ("约定开始",),
    ),
    Column(
        "promised_by",
        pgettext_lazy("pickup", "Promised until"),
        cells.moment(ahead=cells.PROMISES, is_required=True, is_day_whole=True),
        True,
        ("约定时间", "承诺时间", "应揽收时间"),
    ),
    Column(
        "outcome",
        pgettext_lazy("pickup", "Outcome"),
        clean_choice(PickupOrder.Outcome),
        False,
        ("结果", "揽收结果"),
    ),
    Column("collected_at", _("Collected at"), cells.moment(), False, ("揽收时间",)),
    Column("cancelled_at", _("Cancelled at"), cells.moment(), False, ("取消时间",)),
    Column(
        "said_in_time",
        _("In time, says the customer"),
        cells.clean_yes_no,
        False,
        ("回访及时", "是否及时"),
    ),
    Column(
        "reason", _("Reason"), optional(clean_text(100)), False, ("原因", "失败原因")
    ),
    Column("courier", _("Courier"), TEXT, False, ("揽收员", "快递员")),
    Column(
        "product", _("Product"), optional(clean_text(20)), False, ("产品", "业务种类")
    ),
    Column("customer_code", _("Customer code"), TEXT, False, ("客户代码",)),
    Column(
        "version",
        pgettext_lazy("item", "Version"),
        cells.clean_small(30000),
        False,
        ("版本",),
    ),
)
TEXTS = ("ref", "office", "outcome", "reason", "courier", "product", "customer_code")
FACTS = (
    *("ordered_at", "promised_from", "promised_by", "outcome", "collected_at"),
    *("cancelled_at", "said_in_time", "reason", "courier", "product", "customer_code"),
)
STAGING = """
CREATE TEMP TABLE IF NOT EXISTS pickup_staging (
    line bigint, ref text, office text DEFAULT '', ordered_at timestamptz,
    promised_from timestamptz, promised_by timestamptz, outcome text DEFAULT '',
    collected_at timestamptz, cancelled_at timestamptz, said_in_time boolean,
    reason text DEFAULT '', courier text DEFAULT '', product text DEFAULT '',
    customer_code text DEFAULT '', version smallint, office_id int, turn int DEFAULT 1
) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS pickup_changed (ref text) ON COMMIT DROP;
TRUNCATE pickup_staging; TRUNCATE pickup_changed"""
# RACE: days are counted anew by whoever brings orders in, one after the other.
LOCK = "SELECT pg_advisory_xact_lock(hashtext('delivery.pickups'))"
OFFICES = """
UPDATE pickup_staging s SET office_id = o.id FROM org_office o
WHERE s.office <> '' AND o.code = s.office AND o.path LIKE %(below)s"""
NO_OFFICE = """
DELETE FROM pickup_staging WHERE office <> '' AND office_id IS NULL RETURNING line"""
FOREIGN = """
DELETE FROM pickup_staging s USING delivery_pickuporder p
JOIN org_office o ON o.id = p.office_id
WHERE p.ref = s.ref AND o.path NOT LIKE %(below)s RETURNING line"""
TURNS = """
WITH turns AS (SELECT line, row_number() OVER (PARTITION BY ref ORDER BY line) AS turn
               FROM pickup_staging)
UPDATE pickup_staging s SET turn = t.turn FROM turns t WHERE t.line = s.line AND t.turn > 1"""
DAY = "({at} AT TIME ZONE 'Asia/Shanghai')::date"
_MERGED = {
    name: f"CASE WHEN excluded.version > p.version THEN excluded.{name}"
    f" WHEN excluded.version = p.version THEN GREATEST(p.{name}, excluded.{name})"
    f" ELSE p.{name} END"
    for name in (*FACTS, "office_id")
}
# An order without an outcome is collected once it has a time of collection.
_OUTCOME = """CASE WHEN outcome <> '' THEN outcome WHEN cancelled_at IS NOT NULL
    THEN 'cancelled' WHEN collected_at IS NOT NULL THEN 'collected' ELSE 'awaited' END"""
PUT = f"""
WITH put AS (
    INSERT INTO delivery_pickuporder AS p
        (ref, office_id, {", ".join(FACTS)}, due_on, version, source_id, is_due, is_timely)
    SELECT ref, COALESCE(office_id, %(office)s),
           {", ".join(_OUTCOME if name == "outcome" else name for name in FACTS)},
           {DAY.format(at="promised_by")}, COALESCE(version, 0), %(source)s, true, false
    FROM pickup_staging WHERE turn = %(turn)s ORDER BY ref
    ON CONFLICT (ref) DO UPDATE SET
        {", ".join(f"{name} = {merged}" for name, merged in _MERGED.items())},
        version = GREATEST(p.version, excluded.version),
        source_id = CASE WHEN p.source_id = excluded.source_id THEN p.source_id ELSE 0 END
    WHERE (p.version, p.office_id, {", ".join(f"p.{name}" for name in FACTS)})
          IS DISTINCT FROM (GREATEST(p.version, excluded.version), {_MERGED["office_id"]},
          {", ".join(_MERGED[name] for name in FACTS)})
    RETURNING ref)
INSERT INTO pickup_changed SELECT ref FROM put"""
LINES = """
SELECT s.line FROM pickup_staging s WHERE s.turn = %(turn)s AND EXISTS (
    SELECT 1 FROM pickup_changed c WHERE c.ref = s.ref)"""
# Cancelled by the customer before the window's end: not due. Failed ones are due.
_DUE = """(CASE WHEN p.cancelled_at IS NULL THEN p.outcome <> 'cancelled'
                     ELSE p.cancelled_at > p.promised_by END)"""
COUNT = f"""
WITH before AS (SELECT p.id, p.due_on FROM delivery_pickuporder p
                JOIN pickup_changed c USING (ref)),
judged AS (
    UPDATE delivery_pickuporder p SET due_on = {DAY.format(at="p.promised_by")},
        is_due = {_DUE}, is_timely = {_DUE}
            AND COALESCE(p.said_in_time, p.collected_at <= p.promised_by, false)
    FROM before b WHERE b.id = p.id RETURNING p.due_on)
SELECT due_on FROM before UNION SELECT due_on FROM judged"""
FORGET_DAYS = "DELETE FROM delivery_pickuptally WHERE day = ANY(%(days)s)"
COUNT_DAYS = """
INSERT INTO delivery_pickuptally (day, office_id, due, timely, collected, called, cancelled)
SELECT due_on, office_id, count(*) FILTER (WHERE is_due),
       count(*) FILTER (WHERE is_timely),
       count(*) FILTER (WHERE is_due AND (collected_at IS NOT NULL
                                          OR outcome = 'collected')),
       count(*) FILTER (WHERE is_due AND said_in_time IS NOT NULL),
       count(*) FILTER (WHERE NOT is_due)
FROM delivery_pickuporder WHERE due_on = ANY(%(days)s) GROUP BY 1, 2 ORDER BY 1, 2"""


def load(run: Run, lines: list[list], columns: list[str]) -> Loaded:
    """Put checked orders in, in the caller's transaction, and count their days anew.

    Cost: one COPY and about ten statements a chunk, whatever its length.
    """
    if not lines:
        return Loaded([], 0)
    values = {
        "office": run.office.pk,
        "below": below(run.office),
        "source": run.source_id,
    }
    with connection.cursor() as cursor:
        cursor.execute(LOCK)
        _stage(cursor, lines, columns)
        cursor.execute(OFFICES, values)
        rejected = []
        for sql, column, reason in (
            (NO_OFFICE, "office", "no_office"),
            (FOREIGN, "ref", "foreign_item"),
        ):
            cursor.execute(sql, values)
            rejected += [(line, column, reason) for (line,) in cursor.fetchall()]
        imported = _put(cursor, values)
    return Loaded(sorted(imported), 0, rejected)


def _stage(cursor, lines: list[list], columns: list[str]) -> None:
    cursor.execute(STAGING)
    copy_lines(cursor, "pickup_staging", lines, columns, TEXTS)


def _put(cursor, values: dict) -> list[int]:
    cursor.execute(TURNS)
    cursor.execute("SELECT max(turn) FROM pickup_staging")
    imported: list[int] = []
    for turn in range(1, (cursor.fetchone()[0] or 0) + 1):
        cursor.execute("TRUNCATE pickup_changed")
        cursor.execute(PUT, values | {"turn": turn})
        cursor.execute(LINES, {"turn": turn})
        imported += [line for (line,) in cursor.fetchall()]
        cursor.execute(COUNT)
        count_days(cursor, [day for (day,) in cursor.fetchall()])
    return imported


def count_days(cursor, days: list) -> None:
    """Replace the sums of these days."""
    cursor.execute(FORGET_DAYS, {"days": days})
    cursor.execute(COUNT_DAYS, {"days": days})


def revert(run: Run, place: int) -> int | None:
    """Take back the orders that came from this file alone."""
    rows = PickupOrder.objects.filter(source_id=run.source_id)
    days = list(rows.order_by().values_list("due_on", flat=True).distinct())
    with connection.cursor() as cursor:
        cursor.execute(LOCK)
        rows.delete()
        count_days(cursor, days)
    return None


TARGET = Target("pickups", _("Pickup orders"), COLUMNS, load, likeness, revert)
