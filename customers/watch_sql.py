"""The watch as statements: trends of customers, and whom a rule strikes.

A rule's statement fills the table `struck` (customer_id, episode, evidence). Figures come
from customers_customertrend and customers_customervalue, which other jobs keep.
"""

from datetime import date

from customers.models import WatchRule
from customers.queries import add_months
from customers.seasons import Span, month_span, months_in, year_before

Kind = WatchRule.Kind


def windows(month: date) -> dict[str, Span]:
    """The days that each figure of a trend sums up."""
    this, recent = month_span(month), month_span(add_months(month, -2), 3)
    return {
        "this": this,
        "previous": month_span(add_months(month, -1)),
        "base": year_before(this),
        "recent": recent,
        "recent_base": year_before(recent),
        "before": month_span(add_months(month, -5), 3),
    }


TREND = """
WITH members AS MATERIALIZED (
    SELECT id, coalesce(merged_into_id, id) AS survivor FROM customers_customer
    WHERE id = ANY(%(chunk)s) OR merged_into_id = ANY(%(chunk)s)),
used AS ({sources}),
summed AS MATERIALIZED (
    SELECT m.survivor AS id,
       coalesce(sum(pieces) FILTER (WHERE name = 'this'), 0) AS pieces,
       coalesce(sum(pieces) FILTER (WHERE name = 'previous'), 0) AS previous_pieces,
       coalesce(sum(pieces) FILTER (WHERE name = 'base'), 0) AS base_pieces,
       coalesce(sum(revenue) FILTER (WHERE name = 'this'), 0) AS revenue,
       coalesce(sum(revenue) FILTER (WHERE name = 'previous'), 0) AS previous,
       coalesce(sum(revenue) FILTER (WHERE name = 'base'), 0) AS base,
       coalesce(sum(revenue) FILTER (WHERE name = 'recent'), 0) AS recent,
       coalesce(sum(revenue) FILTER (WHERE name = 'recent_base'), 0) AS recent_base,
       coalesce(sum(revenue) FILTER (WHERE name = 'before'), 0) AS before
    FROM used JOIN members m ON m.id = used.customer_id GROUP BY 1),
gone AS (
    DELETE FROM customers_customertrend t WHERE t.customer_id = ANY(%(chunk)s)
      AND NOT EXISTS (SELECT 1 FROM summed s WHERE s.id = t.customer_id))
INSERT INTO customers_customertrend AS t (customer_id, month, {columns})
SELECT id, %(month)s, {columns} FROM summed
ON CONFLICT (customer_id) DO UPDATE SET (month, {columns})
    = (excluded.month, {excluded})
WHERE (t.month, {stored}) IS DISTINCT FROM (excluded.month, {excluded})"""
BY_MONTH = """
    SELECT u.customer_id, w.name, u.pieces::bigint, u.revenue FROM customers_usagemonth u
    JOIN (VALUES {values}) AS w (name, month) ON u.month = w.month
    WHERE u.customer_id IN (SELECT id FROM members)"""
BY_DAY = """
    SELECT d.customer_id, w.name, d.pieces, d.revenue FROM customers_usageday d
    JOIN (VALUES {values}) AS w (name, first, last) ON d.day BETWEEN w.first AND w.last
    WHERE d.day BETWEEN '{first}' AND '{last}'
      AND d.customer_id IN (SELECT id FROM members)"""
COLUMNS = (
    *("pieces", "previous_pieces", "base_pieces", "revenue", "previous", "base"),
    *("recent", "recent_base", "before"),
)


def trend_statement(month: date) -> str:
    """Upsert of the trends of one chunk of customers; unchanged rows are not written.

    Whole months are read from the month sums, what the festival moves from the days.
    """
    spans = windows(month)
    whole = [(name, day) for name in spans for day in months_in(spans[name])]
    moved = [(name, *span) for name, span in spans.items() if not months_in(span)]
    parts = [
        BY_MONTH.format(
            values=", ".join(f"('{name}', date '{day}')" for name, day in whole)
        )
    ]
    if moved:
        values = ", ".join(
            f"('{name}', date '{first}', date '{last}')" for name, first, last in moved
        )
        first = min(span[1] for span in moved)
        last = max(span[2] for span in moved)
        parts.append(BY_DAY.format(values=values, first=first, last=last))
    return TREND.format(
        sources=" UNION ALL ".join(parts),
        columns=", ".join(COLUMNS),
        excluded=", ".join(f"excluded.{name}" for name in COLUMNS),
        stored=", ".join(f"t.{name}" for name in COLUMNS),
    )


STRUCK = """
CREATE TEMP TABLE struck ON COMMIT DROP AS
SELECT c.id AS customer_id, c.manager_id AS owner_id, {episode} AS episode,
       jsonb_build_object({evidence}) AS evidence
FROM customers_customer c {joins}
WHERE c.office_id = ANY(%(offices)s) AND c.segment = ANY(%(segments)s)
  AND c.merged_into_id IS NULL AND c.erased_at IS NULL AND {condition}"""
TREND_OF = (
    "JOIN customers_customertrend t ON t.customer_id = c.id AND t.month = %(month)s"
)
VALUE_OF = "JOIN customers_customervalue v ON v.customer_id = c.id"
# What the customers of the prefecture did together is season, not this customer's doing.
SEASON = """CROSS JOIN (
    SELECT least(1, coalesce(sum(t.{now}) / nullif(sum(t.{then}), 0), 1)) AS factor
    FROM customers_customertrend t JOIN customers_customer c ON c.id = t.customer_id
    WHERE t.month = %(month)s AND c.office_id = ANY(%(offices)s)
      AND c.segment = ANY(%(segments)s) AND c.erased_at IS NULL) s"""


def _fall(now: str, then: str, *, by_season: bool) -> tuple[str, str, str, str]:
    """Episode, evidence, joins and condition of a rule on revenue that has fallen."""
    expected = f"t.{then} * s.factor" if by_season else f"t.{then}"
    joins = f"{TREND_OF} {SEASON.format(now=now, then=then)}" if by_season else TREND_OF
    return (
        "%(month)s::text",
        f"'month', %(month)s::text, 'now', t.{now}, 'then', t.{then}, "
        f"'expected', round({expected}, 2)",
        joins,
        f"t.{then} > 0 AND t.{then} >= %(at_least)s "
        f"AND t.{now} < {expected} * (100 - %(percent)s) / 100.0",
    )


CONDITIONS: dict[str, tuple[str, str, str, str]] = {
    Kind.YEAR: _fall("revenue", "base", by_season=False),
    Kind.QUARTER_YEAR: _fall("recent", "recent_base", by_season=False),
    Kind.QUARTER: _fall("recent", "before", by_season=True),
    Kind.MONTH: _fall("revenue", "previous", by_season=True),
    Kind.SILENT: (
        "v.last_on::text",
        "'last', v.last_on, 'as_of', %(as_of)s, 'days', %(as_of)s - v.last_on, "
        "'often', v.days_12",
        VALUE_OF,
        "v.last_on <= %(as_of)s - %(days)s::int AND v.days_12 >= greatest(1, %(often)s) "
        "AND v.revenue_12 >= %(at_least)s",
    ),
    Kind.ALIVE: (
        "%(month)s::text",
        "'alive', round((100 * v.alive)::numeric), 'last', v.last_on, "
        "'revenue', v.revenue_12",
        VALUE_OF,
        "v.alive < %(percent)s / 100.0 AND v.value_class <> 'low' AND v.days_12 > 0 "
        "AND v.revenue_12 >= %(at_least)s",
    ),
    Kind.CONTRACT: (
        "'contract:' || k.id",
        "'number', k.number, 'ended', k.ended",
        "JOIN LATERAL (SELECT id, number, coalesce(ended_on, ends_on) AS ended "
        "FROM customers_contract WHERE customer_id = c.id "
        "ORDER BY coalesce(ended_on, ends_on) DESC LIMIT 1) k ON true",
        "k.ended < %(today)s AND k.ended >= %(today)s - %(days)s::int",
    ),
    Kind.GRADE: (
        "'run:' || h.run_id",
        "'before', h.before, 'after', h.after",
        "JOIN customers_customergrade g ON g.customer_id = c.id "
        "JOIN customers_gradeassessment a ON a.run_id = g.run_id "
        "AND a.customer_id = c.id AND a.move = 'down' "
        "JOIN customers_gradechange h ON h.run_id = g.run_id AND h.customer_id = c.id "
        "AND h.override_id IS NULL",
        "h.at >= %(today)s - %(days)s::int",
    ),
    # A visit, a call, a complaint or a note is contact (R-VIS-21); who has no manager is
    # the assignment's matter.
    Kind.CONTACT: (
        "l.day::text",
        "'last', l.day, 'days', %(today)s - l.day",
        "LEFT JOIN customers_customervalue v ON v.customer_id = c.id "
        "JOIN LATERAL (SELECT (coalesce(max(e.at), c.created_at) "
        "AT TIME ZONE 'Asia/Shanghai')::date AS day FROM customers_timelineentry e "
        "WHERE e.customer_id = c.id AND e.kind = ANY(%(contact)s)) l ON true",
        "c.manager_id IS NOT NULL AND l.day <= %(today)s - %(days)s::int "
        "AND coalesce(v.revenue_12, 0) >= %(at_least)s",
    ),
    Kind.ARREARS: (
        "o.oldest::text",
        "'owed', o.owed, 'oldest', o.oldest, 'days', %(today)s - o.oldest",
        "JOIN (SELECT customer_id, sum(amount - paid) AS owed, min(due_on) AS oldest "
        "FROM customers_receivable WHERE paid < amount AND due_on < %(today)s "
        "GROUP BY 1) o ON o.customer_id = c.id",
        "o.oldest <= %(today)s - %(days)s::int AND o.owed >= %(at_least)s",
    ),
}


def struck_statement(kind: str) -> str:
    episode, evidence, joins, condition = CONDITIONS[kind]
    return STRUCK.format(
        episode=episode, evidence=evidence, joins=joins, condition=condition
    )


# A live alert keeps up with its rule and with the figures.
REFRESH = """
UPDATE customers_alert a SET level = %(level)s, evidence = s.evidence FROM struck s
WHERE a.rule_id = %(rule)s AND a.customer_id = s.customer_id AND a.state <> 'closed'
  AND (a.level, a.evidence) IS DISTINCT FROM (%(level)s, s.evidence)"""
# One open alert a rule and customer; none beside a graver one of the family; none within
# the quiet days after a person has answered one of the family as grave as this. What the
# night itself had closed opens again when its reason is back.
RAISE = """
INSERT INTO customers_alert (rule_id, customer_id, level, episode, evidence, raised_at,
                             due_on, owner_id, state, outcome, note)
SELECT %(rule)s, s.customer_id, %(level)s, s.episode, s.evidence, %(at)s, %(due_on)s,
       s.owner_id, 'open', '', ''
FROM struck s WHERE NOT EXISTS (
    SELECT 1 FROM customers_alert a JOIN customers_watchrule r ON r.id = a.rule_id
    WHERE a.customer_id = s.customer_id AND r.kind = ANY(%(family)s)
      AND a.level >= %(level)s
      AND (a.state <> 'closed' OR (a.closed_by_id IS NOT NULL AND a.closed_at > %(quiet)s)))
ON CONFLICT (rule_id, customer_id, episode) DO UPDATE
SET state = 'open', outcome = '', closed_at = NULL, evidence = excluded.evidence,
    level = excluded.level, raised_at = excluded.raised_at, due_on = excluded.due_on,
    owner_id = excluded.owner_id
WHERE customers_alert.state = 'closed' AND customers_alert.closed_by_id IS NULL
RETURNING id"""
TASKS = """
INSERT INTO customers_task (customer_id, kind, title, ref, due_on, assignee_id, source)
SELECT customer_id, 'alert', %(title)s, 'A-' || id, due_on, owner_id, 'alert:' || id
FROM customers_alert WHERE id = ANY(%(ids)s)
ON CONFLICT (source) DO UPDATE
SET done_at = NULL, due_on = excluded.due_on, assignee_id = excluded.assignee_id"""
TIMELINE = """
INSERT INTO customers_timelineentry
    (customer_id, kind, at, ref, title, text, url, state, is_open, source)
SELECT customer_id, 'alert', raised_at, 'A-' || id, %(title)s, '',
       %(url)s || id || '/', '', false, 'alert:' || id
FROM customers_alert WHERE id = ANY(%(ids)s) ON CONFLICT DO NOTHING"""
OVERTAKE = """
UPDATE customers_alert a SET state = 'closed', outcome = 'overtaken', closed_at = %(at)s
FROM customers_watchrule r, customers_alert n
WHERE r.id = a.rule_id AND r.kind = ANY(%(family)s) AND a.level < %(level)s
  AND a.state <> 'closed' AND n.id = ANY(%(ids)s) AND a.customer_id = n.customer_id
RETURNING a.id"""
# What was said between levels follows to the graver alert (R-ORG-27).
TRACKED = """
UPDATE customers_alertreport p SET alert_id = n.id
FROM customers_alert a, customers_alert n
WHERE p.alert_id = a.id AND a.id = ANY(%(closed)s) AND n.id = ANY(%(ids)s)
  AND n.customer_id = a.customer_id"""
RECOVER = """
UPDATE customers_alert a SET state = 'closed', outcome = 'recovered', closed_at = %(at)s
FROM customers_customer c
WHERE c.id = a.customer_id AND c.office_id = ANY(%(offices)s) AND a.rule_id = %(rule)s
  AND a.state = 'open'
  AND NOT EXISTS (SELECT 1 FROM struck s WHERE s.customer_id = a.customer_id)
RETURNING a.id"""
# Alerts of rules that do not hold for their customer any more, and whose they are now.
ORPHANS = """
UPDATE customers_alert a SET state = 'closed', outcome = 'recovered', closed_at = %(at)s
FROM customers_customer c
WHERE c.id = a.customer_id AND c.office_id = ANY(%(offices)s) AND a.state = 'open'
  AND a.rule_id <> ALL(%(rules)s) RETURNING a.id"""
OWNERS = """
UPDATE customers_alert a SET owner_id = c.manager_id FROM customers_customer c
WHERE c.id = a.customer_id AND c.office_id = ANY(%(offices)s) AND a.state = 'open'
  AND a.owner_id IS DISTINCT FROM c.manager_id"""
ASSIGNEES = """
UPDATE customers_task t SET assignee_id = a.owner_id
FROM customers_alert a JOIN customers_customer c ON c.id = a.customer_id
WHERE t.source = 'alert:' || a.id AND t.done_at IS NULL AND a.state <> 'closed'
  AND c.office_id = ANY(%(offices)s) AND t.assignee_id IS DISTINCT FROM a.owner_id"""
