"""Scans: what an import of kind "item_events" checks, and how a chunk is loaded.

An event's key is its id, whatever file it comes in; the same id with a higher version, or
with the greater content, takes its place. Items follow from all of their events, so that
no order of arrival matters. Events of a waybill that no ledger knows make an item that
waits for its acceptance. Source: domain.md 3.2; R-DLV-17.
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
from customers.partitions import month_after, partition_months
from delivery.models import NOT_HANDED_OVER, ItemEvent, Method, Reason
from delivery.quality import cells
from delivery.quality.item_import import COUNTED, TALLY, likeness
from delivery.quality.merging import (
    TABLE,
    TOUCHED,
    below,
    make_months,
    reckon_touched,
)
from delivery.quality.reckoning import causes_case

EVENTS = "delivery_itemevent"


def clean_code(cell: str) -> str:
    code = clean_choice(ItemEvent.Code)(cell)
    return code or clean_text(16, required=True)(code)  # the same words as elsewhere


COLUMNS = (
    Column(
        "event_id",
        _("Event id"),
        cells.clean_reference,
        True,
        ("事件号", "轨迹号", "id"),
        is_unique=True,
    ),
    Column(
        "waybill",
        _("Waybill"),
        cells.clean_waybill,
        True,
        ("邮件号", "运单号", "mail_no"),
    ),
    Column("code", _("Event"), clean_code, True, ("事件", "状态", "event")),
    Column(
        "at",
        pgettext_lazy("event", "At"),
        cells.moment(is_required=True),
        True,
        ("时间", "发生时间", "time"),
    ),
    Column(
        "office", _("Office"), optional(clean_text(40)), False, ("机构", "处理机构")
    ),
    Column(
        "operator",
        _("Courier"),
        optional(clean_text(40)),
        False,
        ("投递员", "操作员", "courier"),
    ),
    Column("reason", _("Reason"), clean_choice(Reason), False, ("原因", "未妥投原因")),
    Column(
        "method",
        pgettext_lazy("item", "How it was handed out"),
        clean_choice(Method),
        False,
        ("投递方式", "妥投方式"),
    ),
    Column(
        "version",
        pgettext_lazy("item", "Version"),
        cells.clean_small(30000),
        False,
        ("版本",),
    ),
)
TEXTS = ("event_id", "waybill", "code", "office", "operator", "reason", "method")
STAGING = """
CREATE TEMP TABLE IF NOT EXISTS event_staging (
    line bigint, event_id text, waybill text, code text, at timestamptz,
    office text DEFAULT '', operator text DEFAULT '', reason text DEFAULT '',
    method text DEFAULT '', version smallint, office_id int, turn int DEFAULT 1
) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS event_changed (event_id text, waybill text) ON COMMIT DROP;
TRUNCATE event_staging; TRUNCATE event_changed"""
OFFICES = """
UPDATE event_staging s SET office_id = o.id FROM org_office o
WHERE s.office <> '' AND o.code = s.office AND o.path LIKE %(below)s"""
NO_OFFICE = """
DELETE FROM event_staging WHERE office <> '' AND office_id IS NULL RETURNING line"""
# An office says what it did; of others' items it may not say what somebody did somewhere.
FOREIGN = """
DELETE FROM event_staging s USING delivery_mailkey k
JOIN org_office o ON o.id = k.owner_id
WHERE k.waybill = s.waybill AND s.office_id IS NULL
  AND o.path NOT LIKE %(below)s AND %(path)s NOT LIKE o.path || '%%' RETURNING line"""
# What another office has said, nobody else corrects or takes back.
THEIRS = """
DELETE FROM event_staging s USING delivery_eventkey k
JOIN delivery_itemevent e ON (e.event_id, e.at) = (k.event_id, k.at)
LEFT JOIN delivery_mailkey m ON m.waybill = e.waybill
JOIN org_office o ON o.id = COALESCE(e.office_id, m.owner_id)
WHERE k.event_id = s.event_id AND o.path NOT LIKE %(below)s
  AND (e.office_id IS NOT NULL OR %(path)s NOT LIKE o.path || '%%') RETURNING line"""
TURNS = """
WITH turns AS (
    SELECT line, row_number() OVER (PARTITION BY event_id ORDER BY line) AS turn
    FROM event_staging)
UPDATE event_staging s SET turn = t.turn FROM turns t WHERE t.line = s.line AND t.turn > 1"""
ADD = """
WITH keys AS (
    INSERT INTO delivery_eventkey (event_id, at, waybill)
    SELECT event_id, at, waybill FROM event_staging WHERE turn = %(turn)s
    ORDER BY event_id ON CONFLICT DO NOTHING RETURNING event_id),
put AS (
    INSERT INTO delivery_itemevent (event_id, at, waybill, code, version, office_id,
                                    operator, reason, method, source_id)
    SELECT event_id, at, waybill, code, COALESCE(version, 0), office_id, operator, reason,
           method, %(source)s
    FROM event_staging JOIN keys USING (event_id) WHERE turn = %(turn)s)
INSERT INTO event_changed
SELECT event_id, waybill FROM event_staging JOIN keys USING (event_id)
WHERE turn = %(turn)s"""
# RACE: the key is locked, so that two corrections of one event follow each other.
REPLACE = """
WITH known AS (
    SELECT k.event_id, k.at AS key_at, k.waybill AS key_waybill
    FROM delivery_eventkey k JOIN event_staging s USING (event_id)
    WHERE s.turn = %(turn)s
      AND NOT EXISTS (SELECT 1 FROM event_changed c WHERE c.event_id = s.event_id)
    ORDER BY k.event_id FOR UPDATE OF k),
put AS (
    UPDATE delivery_itemevent e SET at = s.at, waybill = s.waybill, code = s.code,
        version = COALESCE(s.version, 0), office_id = s.office_id, operator = s.operator,
        reason = s.reason, method = s.method, source_id = 0
    FROM event_staging s JOIN known k USING (event_id)
    WHERE s.turn = %(turn)s AND (e.event_id, e.at) = (k.event_id, k.key_at)
      AND (COALESCE(s.version, 0), s.at, s.code, COALESCE(s.office_id, 0), s.operator,
           s.reason, s.method, s.waybill)
        > (e.version, e.at, e.code, COALESCE(e.office_id, 0), e.operator, e.reason,
           e.method, e.waybill)
    RETURNING e.event_id, e.at, e.waybill),
keys AS (
    UPDATE delivery_eventkey k SET at = p.at, waybill = p.waybill FROM put p
    WHERE p.event_id = k.event_id)
INSERT INTO event_changed
SELECT event_id, key_waybill FROM known WHERE event_id IN (SELECT event_id FROM put)
UNION SELECT event_id, waybill FROM put"""
LINES = """
SELECT s.line FROM event_staging s WHERE s.turn = %(turn)s AND EXISTS (
    SELECT 1 FROM event_changed c WHERE c.event_id = s.event_id)"""
SHELLS = """
WITH keys AS (
    INSERT INTO delivery_mailkey (waybill, accepted_on, owner_id)
    SELECT DISTINCT waybill, %(never)s::date, %(office)s FROM event_changed
    ORDER BY waybill ON CONFLICT DO NOTHING RETURNING waybill)
INSERT INTO delivery_mailitem (waybill, accepted_on, office_id, accepted_by_id, source_id,
                               version)
SELECT waybill, %(never)s, %(office)s, %(office)s, %(source)s, -1 FROM keys"""
TOUCH = """
INSERT INTO touched
SELECT k.waybill, k.accepted_on FROM delivery_mailkey k
WHERE k.waybill IN (SELECT waybill FROM event_changed) ORDER BY k.waybill FOR UPDATE"""
DELIVERING = "code IN ('OUT_FOR_DELIVERY', 'ATTEMPT_FAILED', 'DELIVERED')"
BACK = "code IN ('RETURN_STARTED', 'RETURNED')"
BEFORE_END = "(d_at IS NULL OR at <= d_at)"
FOLLOW = f"""
WITH happened AS (
    SELECT e.*, min(e.at) FILTER (WHERE code = 'DELIVERED')
                OVER (PARTITION BY e.waybill) AS d_at
    FROM delivery_itemevent e JOIN touched t USING (waybill) WHERE e.code <> 'VOID'),
facts AS (
    SELECT t.waybill, t.accepted_on,
        min(at) FILTER (WHERE code IN ('ACCEPTED', 'PICKED_UP')) AS e_accepted_at,
        (array_agg(office_id ORDER BY at, event_id)
            FILTER (WHERE code IN ('ACCEPTED', 'PICKED_UP') AND office_id IS NOT NULL))[1]
            AS e_accepted_by_id,
        min(at) FILTER (WHERE code = 'ORIGIN_OUT') AS e_origin_out_at,
        min(at) FILTER (WHERE code = 'DEST_IN') AS e_dest_in_at,
        min(at) FILTER (WHERE code = 'OUT_FOR_DELIVERY') AS e_out_at,
        (array_agg(office_id ORDER BY at DESC, event_id)
            FILTER (WHERE {DELIVERING} AND office_id IS NOT NULL))[1] AS e_office_id,
        CASE WHEN count(*) FILTER (WHERE code IN ('ATTEMPT_FAILED', 'DELIVERED')) > 0
             THEN count(*) FILTER (WHERE code = 'ATTEMPT_FAILED' AND {BEFORE_END})
             END AS e_failed,
        array_agg(at ORDER BY at) FILTER (WHERE code = 'ATTEMPT_FAILED' AND reason <> ''
            AND {BEFORE_END}) AS e_tries,
        min(d_at) AS e_delivered_at,
        COALESCE((array_agg(method ORDER BY at, event_id)
            FILTER (WHERE code = 'DELIVERED'))[1], '') AS e_method,
        COALESCE((array_agg(operator ORDER BY at DESC, event_id)
            FILTER (WHERE {DELIVERING} AND operator <> ''))[1], '') AS e_courier,
        min(at) FILTER (WHERE {BACK}) AS e_returned_at,
        COALESCE((array_agg({causes_case("reason")} ORDER BY at, event_id)
            FILTER (WHERE {BACK} AND reason <> ''))[1], '') AS e_return_cause,
        CASE WHEN bool_or(code = 'LOST_CONFIRMED') THEN 'lost'
             WHEN bool_or(code = 'DAMAGED') THEN 'damaged'
             WHEN bool_or(code = 'SHORTAGE') THEN 'shortage' ELSE '' END AS e_outcome,
        bool_or(code = 'FALSE_SIGNED') AS e_false_signed,
        CASE WHEN bool_or(code IN ('OUT_FOR_DELIVERY', 'ATTEMPT_FAILED') AND at > d_at)
             THEN 'after_delivery' ELSE '' END AS e_flaw
    FROM touched t LEFT JOIN happened h USING (waybill) GROUP BY 1, 2)
UPDATE delivery_mailitem m SET
    e_accepted_at = f.e_accepted_at, e_accepted_by_id = f.e_accepted_by_id,
    e_origin_out_at = f.e_origin_out_at, e_dest_in_at = f.e_dest_in_at,
    e_out_at = f.e_out_at, e_office_id = f.e_office_id, e_failed = f.e_failed,
    e_tries = f.e_tries, e_delivered_at = f.e_delivered_at, e_method = f.e_method,
    e_courier = f.e_courier, e_returned_at = f.e_returned_at,
    e_return_cause = f.e_return_cause, e_outcome = f.e_outcome,
    e_false_signed = f.e_false_signed, e_flaw = f.e_flaw
FROM facts f WHERE (m.waybill, m.accepted_on) = (f.waybill, f.accepted_on)"""


def load(run: Run, lines: list[list], columns: list[str]) -> Loaded:
    """Put checked events in, in the caller's transaction; their items follow.

    Cost: one COPY and about fifteen statements a chunk, whatever its length.
    """
    if not lines:
        return Loaded([], 0)
    values = {
        "office": run.office.pk,
        "path": run.office.path,
        "below": below(run.office),
        "source": run.source_id,
        "never": NOT_HANDED_OVER,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64MB'")
        _stage(cursor, lines, columns)
        rejected = []
        for sql, column, reason in (
            (OFFICES, "", ""),
            (NO_OFFICE, "office", "no_office"),
            (FOREIGN, "waybill", "foreign_item"),
            (THEIRS, "event_id", "foreign_event"),
        ):
            cursor.execute(sql, values)
            if reason:
                rejected += [(line, column, reason) for (line,) in cursor.fetchall()]
        imported = _put(cursor, values)
        make_months(cursor, TABLE, [NOT_HANDED_OVER])
        cursor.execute(SHELLS, values)
        counts = follow(cursor)
    return Loaded(imported, 0, rejected, counts)


def _stage(cursor, lines: list[list], columns: list[str]) -> None:
    cursor.execute(STAGING)
    copy_lines(cursor, "event_staging", lines, columns, TEXTS)


def _put(cursor, values: dict) -> list[int]:
    """Add new events and replace older versions; the lines that changed anything."""
    cursor.execute("SELECT DISTINCT date_trunc('month', at)::date FROM event_staging")
    make_months(cursor, EVENTS, [month for (month,) in cursor.fetchall()])
    cursor.execute(TURNS)
    cursor.execute("SELECT max(turn) FROM event_staging")
    turns = cursor.fetchone()[0] or 0
    imported: list[int] = []
    changed: list[tuple] = []
    for turn in range(1, turns + 1):
        cursor.execute("TRUNCATE event_changed")
        cursor.execute(ADD, values | {"turn": turn})
        cursor.execute(REPLACE, values | {"turn": turn})
        cursor.execute(LINES, {"turn": turn})
        imported += [line for (line,) in cursor.fetchall()]
        if turns > 1:
            cursor.execute("SELECT event_id, waybill FROM event_changed")
            changed += cursor.fetchall()
    if turns > 1:
        cursor.execute("TRUNCATE event_changed")
        cursor.executemany("INSERT INTO event_changed VALUES (%s, %s)", changed)
    return sorted(imported)


def follow(cursor) -> dict[str, int]:
    """Let the items of the changed events follow them; how many of them are accepted,
    how many impossible."""
    cursor.execute(TOUCHED)
    cursor.execute(TOUCH)
    cursor.execute(FOLLOW)
    reckon_touched(cursor)
    cursor.execute(TALLY, [NOT_HANDED_OVER])
    return dict(zip(COUNTED, cursor.fetchone(), strict=True))


GONE = """
WITH gone AS (DELETE FROM delivery_itemevent WHERE source_id = %(source)s
    AND at >= %(first)s AND at < %(next)s RETURNING event_id, waybill),
keys AS (DELETE FROM delivery_eventkey k USING gone g WHERE g.event_id = k.event_id)
INSERT INTO event_changed SELECT event_id, waybill FROM gone"""
EMPTY = """
WITH gone AS (DELETE FROM delivery_mailitem m USING touched t
    WHERE m.waybill = t.waybill AND m.version < 0
      AND NOT EXISTS (SELECT 1 FROM delivery_eventkey k WHERE k.waybill = m.waybill)
    RETURNING m.waybill)
DELETE FROM delivery_mailkey k USING gone g WHERE g.waybill = k.waybill"""


def revert(run: Run, place: int) -> int | None:
    """Take back the events that came from this file alone, a month a step."""
    months = partition_months(EVENTS)
    if place >= len(months):
        return None
    first = months[place]
    span = {"first": first, "next": month_after(first)}
    with connection.cursor() as cursor:
        cursor.execute(STAGING)
        cursor.execute(GONE, {"source": run.source_id, **span})
        follow(cursor)
        cursor.execute(EMPTY)
    return place + 1


TARGET = Target(
    "item_events",
    _("Events of mail items"),
    COLUMNS,
    load,
    likeness,
    revert,
    counts=COUNTED,
    chunk=20_000,
)
