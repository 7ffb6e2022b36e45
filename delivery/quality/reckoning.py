"""How an item counts: facts and the standard in force → limit, transit days, marks, flaw.

One SELECT over rows shaped like MailItem, used by the loader for new items and for those
that something has touched. Definitions: domain.md 3.3; which bit says what: marks.py.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from delivery.models import CAUSES, DeliveryStandard, WorkDay
from delivery.quality.marks import Mark
from delivery.quality.workdays import fill

ZONE = "Asia/Shanghai"
FIRST, LAST = date(1970, 1, 1), date(9999, 12, 31)
UNLIMITED_DAYS = 30  # when an item without any standard is evaluated

RULES = """
CREATE TEMP TABLE IF NOT EXISTS reckon_rule (
    product text, relation text, starts date, ends date, mode text, days int, cut_off time,
    first_days int, max_days int, lost_days int, attempts int, gap_hours int, opens time,
    closes time
) ON COMMIT DROP;
TRUNCATE reckon_rule"""
PUT_RULE = f"INSERT INTO reckon_rule VALUES ({', '.join(['%s'] * 14)})"
# An item that says nothing of its relation stays within the city when both ends are one.
RELATION = """CASE WHEN relation = '' AND from_region <> '' AND from_region = to_region
    THEN 'same_city' ELSE relation END"""


def fits(rule: DeliveryStandard, product: str, relation: str) -> bool:
    return rule.product in ("", product) and rule.relation in ("", relation)


def spans(
    rules: Iterable[DeliveryStandard], product: str, relation: str
) -> list[tuple[date, date, DeliveryStandard]]:
    """When which standard holds for a product and relation: spans without overlap.

    The most particular wins: product and relation, product, relation, neither.
    """
    fitting = [rule for rule in rules if fits(rule, product, relation)]
    fitting.sort(key=lambda rule: (rule.product == "", rule.relation == ""))
    edges = {FIRST, *(rule.valid_from for rule in fitting)}
    edges |= {
        rule.valid_until + timedelta(days=1)
        for rule in fitting
        if rule.valid_until and rule.valid_until < LAST
    }
    starts = sorted(edges)
    found = []
    for index, start in enumerate(starts):
        end = starts[index + 1] - timedelta(days=1) if index + 1 < len(starts) else LAST
        for rule in fitting:
            if rule.valid_from <= start and end <= (rule.valid_until or LAST):
                found.append((start, end, rule))
                break
    return found


def lay_out_rules(cursor, pairs: Iterable[tuple[str, str]]) -> None:
    """Fill the temporary table of rules for these pairs of product and relation."""
    rules = list(DeliveryStandard.objects.all())
    if not WorkDay.objects.exists():
        fill()  # the very first import
    cursor.execute(RULES)
    rows = [
        (
            *(product, relation, start, end, rule.mode, rule.limit, rule.cut_off),
            *(rule.first_days, rule.max_days, rule.lost_days, rule.attempts),
            *(rule.gap_hours, rule.opens, rule.closes),
        )
        for product, relation in pairs
        for start, end, rule in spans(rules, product, relation)
    ]
    cursor.executemany(PUT_RULE, rows)


def _flags(conditions: dict[Mark, str]) -> str:
    return " + ".join(
        f"CASE WHEN {condition} THEN {mark.value} ELSE 0 END"
        for mark, condition in conditions.items()
    )


MARKS = _flags(
    {
        Mark.LIMITED: "due_on IS NOT NULL",
        Mark.DELIVERED: "d_at IS NOT NULL",
        Mark.ON_TIME: "late <= 0",
        Mark.ATTEMPT_ON_TIME: "t_late <= 0",
        Mark.IN_72H: "d_at - a_at <= interval '72 hours'",
        Mark.PLUS_1: "late <= 1",
        Mark.PLUS_2: "late <= 2",
        Mark.PLUS_3: "late <= 3",
        Mark.STEPPED: "first_days IS NOT NULL",
        Mark.IN_FIRST: "transit <= first_days",
        Mark.IN_MAX: "transit <= max_days",
        Mark.ATTEMPTED: "failed IS NOT NULL",
        Mark.FIRST_ATTEMPT: "failed = 0 AND d_at IS NOT NULL",
        Mark.TWO_TRIES: "has_tried",
        Mark.RETURNED: "is_back",
        Mark.BY_ADDRESS: "is_back AND cause = 'address'",
        Mark.BY_RECIPIENT: "is_back AND cause = 'recipient'",
        Mark.BY_OPERATOR: "is_back AND cause = 'operator'",
        Mark.LOST: "what = 'lost' AND d_at IS NULL",
        Mark.DAMAGED: "what = 'damaged'",
        Mark.SHORTAGE: "what = 'shortage'",
        Mark.TRACKED: "is_tracked",
        # A ledger tells the two ends only; events must tell every stage.
        Mark.SCANNED: "(d_at IS NOT NULL OR is_back OR what = 'lost')"
        " AND (NOT is_tracked OR e_accepted_at IS NOT NULL AND e_origin_out_at IS NOT NULL"
        " AND e_dest_in_at IS NOT NULL AND e_out_at IS NOT NULL)",
        Mark.FALSE_SIGNED: "e_false_signed AND d_at IS NOT NULL",
        Mark.WANTED: "requirement <> ''",
        Mark.WANTED_MET: "requirement <> '' AND requirement_met",
        Mark.STAGED: "a_at <= e_origin_out_at AND e_origin_out_at <= e_dest_in_at"
        " AND e_dest_in_at <= e_out_at AND e_out_at <= d_at",
    }
)
# Each level ends in OFFSET 0, so that its expressions are computed once, not wherever the
# next level names them.
FACTS = f"""
SELECT i.*, ({RELATION}) AS rel,
       COALESCE(e_accepted_at, accepted_at) AS a_at,
       (COALESCE(e_accepted_at, accepted_at) AT TIME ZONE '{ZONE}') AS a_local,
       COALESCE(e_delivered_at, delivered_at) AS d_at,
       (COALESCE(e_delivered_at, delivered_at) AT TIME ZONE '{ZONE}')::date AS d_on,
       COALESCE(e_returned_at, returned_at) AS r_at,
       (promised_at AT TIME ZONE '{ZONE}')::date AS p_on,
       COALESCE(e_failed, attempts - 1) AS failed,
       COALESCE(NULLIF(e_return_cause, ''), return_cause) AS cause,
       COALESCE(NULLIF(e_outcome, ''), outcome) AS what,
       COALESCE(e_accepted_at, e_origin_out_at, e_dest_in_at, e_out_at, e_tries[1],
                e_delivered_at, e_returned_at) IS NOT NULL AS is_tracked
FROM {{source}} i OFFSET 0"""
VALID = f"""FROM unnest(e_tries) try
    WHERE (try AT TIME ZONE '{ZONE}')::time BETWEEN r.opens AND r.closes"""
RULED = f"""
SELECT f.*, a_local::date AS a_on,
       CASE WHEN e_tries IS NULL THEN attempted_at
            ELSE (SELECT min(try) {VALID}) END AS first_try,
       CASE WHEN e_tries IS NULL THEN false
            ELSE (SELECT count(*) >= r.attempts AND max(try) - min(try)
                         >= make_interval(hours => r.gap_hours * (r.attempts - 1))
                  {VALID}) END AS has_tried,
       r_at IS NOT NULL AND (d_at IS NULL OR r_at < d_at) AS is_back,
       CASE WHEN is_by_days THEN 'calendar' ELSE COALESCE(r.mode, 'calendar') END AS mode,
       r.days AS limit_days, r.cut_off, r.first_days, r.max_days, r.lost_days
FROM ({FACTS}) f LEFT JOIN reckon_rule r ON r.product = f.product AND r.relation = f.rel
     AND a_local::date BETWEEN r.starts AND r.ends OFFSET 0"""
# J is the day of acceptance, or the next working day after the last collection.
COUNTED = f"""
SELECT g.*, LEAST(first_try, d_at) AS t_at,
       (LEAST(first_try, d_at) AT TIME ZONE '{ZONE}')::date AS t_on,
       CASE mode WHEN 'working' THEN wa.ordinal + CASE WHEN wa.is_worked
           AND (cut_off IS NULL OR a_local::time <= cut_off) THEN 0 ELSE 1 END END AS j,
       wp.ordinal AS p_ordinal,
       wd.ordinal + CASE WHEN wd.is_worked THEN 0 ELSE 1 END AS d_ordinal,
       wt.ordinal + CASE WHEN wt.is_worked THEN 0 ELSE 1 END AS t_ordinal,
       CASE WHEN mode = 'hours'
           THEN COALESCE(promised_at, a_at + make_interval(hours => limit_days)) END AS due_h
FROM ({{ruled}}) g
LEFT JOIN delivery_workday wa ON mode = 'working' AND wa.day = a_on
LEFT JOIN delivery_workday wp ON mode = 'working' AND wp.day = p_on
LEFT JOIN delivery_workday wd ON mode = 'working' AND wd.day = d_on
LEFT JOIN delivery_workday wt ON mode = 'working'
     AND wt.day = (LEAST(first_try, d_at) AT TIME ZONE '{ZONE}')::date OFFSET 0"""
DUE = f"""
SELECT h.*,
       CASE mode WHEN 'working' THEN COALESCE(p_on, w.day)
                 WHEN 'hours' THEN (due_h AT TIME ZONE '{ZONE}')::date
                 ELSE COALESCE(p_on, a_on + limit_days) END AS due_on,
       COALESCE(p_ordinal, j + limit_days) AS due_ordinal
FROM ({{counted}}) h LEFT JOIN delivery_workday w
     ON mode = 'working' AND w.is_worked AND w.ordinal = j + limit_days OFFSET 0"""
LATE = f"""
SELECT k.*,
       COALESCE(due_h, (due_on + 1)::timestamp AT TIME ZONE '{ZONE}'
                       - interval '1 microsecond') AS due_moment,
       CASE WHEN d_on IS NOT NULL THEN LEAST(999, CASE mode
           WHEN 'working' THEN GREATEST(d_ordinal - j, 0) ELSE d_on - a_on END) END AS transit,
       CASE mode WHEN 'working' THEN d_ordinal - due_ordinal
                 WHEN 'hours' THEN ceil(extract(epoch FROM d_at - due_h) / 86400)
                 ELSE d_on - due_on END AS late,
       CASE mode WHEN 'working' THEN t_ordinal - due_ordinal
                 WHEN 'hours' THEN ceil(extract(epoch FROM t_at - due_h) / 86400)
                 ELSE t_on - due_on END AS t_late
FROM ({{due}}) k OFFSET 0"""
FLAW = """
CASE WHEN e_flaw <> '' THEN e_flaw
     WHEN a_at IS NULL THEN CASE WHEN d_at IS NULL THEN '' ELSE 'unaccepted' END
     WHEN LEAST(d_at, e_tries[1], attempted_at) < a_at THEN 'early'
     WHEN LEAST(e_origin_out_at, e_dest_in_at, e_out_at) < a_at THEN 'scans'
     WHEN r_at < d_at THEN 'after_return'
     WHEN what = 'lost' AND d_at IS NOT NULL THEN 'after_loss' ELSE '' END"""
# What an item becomes: column of MailItem → expression over the last level.
BECOMES = {
    "accepted_on": f"COALESCE(a_on, '{FIRST}')",
    "office_id": "COALESCE(e_office_id, to_office_id, e_accepted_by_id, accepted_by_id)",
    "accepted_by_id": "COALESCE(e_accepted_by_id, accepted_by_id)",
    "due_at": "due_moment",
    "ripe_on": f"COALESCE(due_on, a_on + {UNLIMITED_DAYS}) + COALESCE(lost_days, 7)",
    "days": "transit",
    "marks": f"({MARKS})",
    "flaw": f"({FLAW})",
}


def reckoned(source: str, columns: Iterable[str]) -> str:
    """A SELECT of `columns` of `source`, rows shaped like MailItem, with those of BECOMES
    as they count; lay_out_rules comes first."""
    counted = COUNTED.format(ruled=RULED.format(source=source))
    level = LATE.format(due=DUE.format(counted=counted))
    named = ", ".join(f"{BECOMES.get(name, name)} AS {name}" for name in columns)
    return f"SELECT {named} FROM ({level}) z"


def causes_case(reason: str) -> str:
    """SQL: whose doing a return for `reason`, an expression, is."""
    cases = " ".join(
        f"WHEN {reason} IN ({', '.join(repr(r) for r in reasons)}) THEN '{cause.value}'"
        for cause, reasons in CAUSES.items()
    )
    return f"CASE {cases} ELSE '' END"
