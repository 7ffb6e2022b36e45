"""The grading rule as one statement: what grading.judge says of one customer, for all.

`statement(rules)` compiles a scheme's tables into CASE expressions. Every value in it is a
number or a code that grading.check has passed, and is quoted all the same.
"""

from customers.grading import AT_MOST, DIMENSIONS, Rules, Table

MEASURES = {
    "revenue": "share",
    "profit": "margin",
    "credit": "arrears_days",
    "payment": "credit_days",
    "loyalty": "months",
}


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"


def _lookup(name: str, table: Table) -> str:
    sign = "<=" if name in AT_MOST else ">="
    lines = " ".join(
        f"WHEN {MEASURES[name]} {sign} {bound!r} THEN {points}"
        for bound, points in table
    )
    return f"CASE {lines} ELSE 0 END" if table else "0"


def _brand(brand: dict[str, int]) -> str:
    lines = " ".join(
        f"WHEN {quoted(name)} THEN {points}"
        for name, points in brand.items()
        if name not in ("headquarters", "none")
    )
    head = f"CASE WHEN is_headquarters THEN {brand['headquarters']} ELSE {brand['none']} END"
    return f"CASE strategic_class {lines} ELSE {head} END"


def _rank_of(column: str, rules: Rules) -> str:
    """A code's rank; NULL for one that the scheme does not have."""
    lines = " ".join(
        f"WHEN {quoted(grade.code)} THEN {rank}"
        for rank, grade in enumerate(rules.grades)
    )
    return f"CASE {column} {lines} END"


def _code(expression: str, rules: Rules) -> str:
    lines = " ".join(
        f"WHEN {rank} THEN {quoted(grade.code)}"
        for rank, grade in enumerate(rules.grades)
    )
    return f"CASE {expression} {lines} END"


def _raise(
    rank: str, rule: str, code: str, condition: str, name: str, rules: Rules
) -> tuple[str, str]:
    """(rank, rule) after a rule that lifts whoever meets `condition` to a grade."""
    if not code:
        return rank, rule
    to = rules.rank(code)
    holds = f"{condition} AND {to} < {rank}"
    return (
        f"CASE WHEN {holds} THEN {to} ELSE {rank} END",
        f"CASE WHEN {holds} THEN {quoted(name)} ELSE {rule} END",
    )


# A run's inputs, frozen in one snapshot for all its shards: a table of its own that goes
# when the last shard is done. Usage of merged customers counts for their survivor.
FREEZE = """
CREATE TABLE {table} AS
WITH base AS MATERIALIZED (
    SELECT id, office_id, strategic_class, is_headquarters FROM customers_customer
    WHERE office_id = ANY(%(offices)s) AND segment = ANY(%(segments)s)
      AND merged_into_id IS NULL AND erased_at IS NULL),
family AS MATERIALIZED (
    SELECT id, merged_into_id AS survivor FROM customers_customer
    WHERE merged_into_id IS NOT NULL
    UNION SELECT merged_into_id, merged_into_id FROM customers_customer
    WHERE merged_into_id IS NOT NULL),
used AS ({usage}),
owed AS (
    SELECT customer_id, max(%(until)s - due_on) AS days FROM customers_receivable
    WHERE paid < amount AND due_on < %(until)s GROUP BY 1),
terms AS (
    SELECT customer_id, max(credit_days) AS days FROM customers_contract
    WHERE %(until)s BETWEEN starts_on AND ends_on
      AND (ended_on IS NULL OR ended_on > %(until)s) GROUP BY 1)
SELECT base.id, base.office_id, base.strategic_class, base.is_headquarters,
   greatest(coalesce(used.revenue, 0), 0) AS amount,
   CASE WHEN used.revenue > 0 AND used.cost > 0
        THEN ((used.revenue - used.cost) / used.revenue)::float8 ELSE 0 END AS margin,
   coalesce(used.months, 0) AS months, coalesce(owed.days, 0) AS arrears_days,
   coalesce(terms.days, 0) AS credit_days,
   coalesce(p.grade, w.run_code, '') AS held, coalesce(p.below, 0) AS held_below,
   coalesce(w.code, '') AS was
FROM base LEFT JOIN used ON used.id = base.id
LEFT JOIN owed ON owed.customer_id = base.id
LEFT JOIN terms ON terms.customer_id = base.id
LEFT JOIN customers_gradeassessment p
  ON p.run_id = %(before)s AND p.customer_id = base.id
LEFT JOIN customers_customergrade w ON w.customer_id = base.id"""
# A month sum is one row a customer and month, so only families count months apart.
MONTHS = """
    SELECT u.customer_id AS id, sum(u.revenue) AS revenue, sum(u.cost) AS cost,
       count(*) AS months
    FROM customers_usagemonth u
    WHERE u.month >= %(first)s AND u.month <= %(until)s {inside}
      AND NOT EXISTS (SELECT 1 FROM family f WHERE f.id = u.customer_id) GROUP BY 1
    UNION ALL
    SELECT f.survivor, sum(u.revenue), sum(u.cost), count(DISTINCT u.month)
    FROM customers_usagemonth u JOIN family f ON f.id = u.customer_id
    WHERE u.month >= %(first)s AND u.month <= %(until)s GROUP BY 1"""
INSIDE = "AND u.customer_id IN (SELECT id FROM base)"
DAYS = """
    SELECT coalesce(f.survivor, u.customer_id) AS id, sum(u.revenue) AS revenue,
       sum(u.cost) AS cost, count(DISTINCT date_trunc('month', u.day)) AS months
    FROM customers_usageday u LEFT JOIN family f ON f.id = u.customer_id
    WHERE u.day >= %(first)s AND u.day <= %(until)s AND u.product = %(product)s GROUP BY 1"""
# The share puts equal customers in the middle of their places.
INPUTS = """
WITH own AS (
    SELECT * FROM unnest(%(own_offices)s::bigint[], %(own_ladders)s::text[])
        AS o(office_id, ladder)),
inputs AS MATERIALIZED (
    SELECT facts.*, own.ladder::jsonb AS ladder,
       ((rank() OVER (ORDER BY facts.amount) - 1
         + (count(*) OVER (PARTITION BY facts.amount) - 1) / 2.0)
        / count(*) OVER ())::float8 AS share,
       rank() OVER (PARTITION BY facts.office_id ORDER BY facts.amount DESC) AS place
    FROM {table} facts LEFT JOIN own ON own.office_id = facts.office_id
    WHERE facts.office_id = ANY(%(offices)s)),
"""
COLUMNS = """run_id, customer_id, amount, share, margin, arrears_days, credit_days, months,
    strategic_class, is_headquarters, place, thresholds, revenue_points, profit_points,
    credit_points, payment_points, brand_points, loyalty_points, score, by_amount,
    by_score, computed, held, held_below, below, grade, rule, was, move"""


def _pointed(rules: Rules) -> str:
    """The inputs with points in each dimension, the score, and both ranks that follow."""
    points = {name: _lookup(name, table) for name, table in rules.tables.items()}
    points["brand"] = _brand(rules.brand)
    pointed = ", ".join(f"{points[name]} AS {name}_points" for name in DIMENSIONS)
    weighed = " + ".join(f"{rules.weights[n]} * {n}_points" for n in DIMENSIONS)
    ladder = " ".join(
        f"WHEN amount >= coalesce((ladder->>{n})::numeric, {grade.amount}) THEN {n}"
        for n, grade in enumerate(rules.grades)
    )
    steps = " ".join(
        f"WHEN score >= {grade.score} THEN {n}" for n, grade in enumerate(rules.grades)
    )
    return f"""
pointed AS (SELECT inputs.*, {pointed} FROM inputs),
scored AS MATERIALIZED (SELECT pointed.*, (({weighed})::numeric / 100)::numeric(5, 2) AS score
           FROM pointed),
ranked AS (SELECT scored.*, CASE {ladder} ELSE {rules.last} END AS by_amount,
                  CASE {steps} ELSE {rules.last} END AS by_score FROM scored),"""


def _judged(rules: Rules) -> str:
    """Started from both ranks, lifted as strategic or among the first, held down by
    arrears, kept by protection."""
    start = f"greatest(by_amount - {rules.lift}, by_score, 0)"
    strategic = _raise(
        *("started", "started_rule", rules.strategic_grade),
        *("strategic_class <> ''", "strategic", rules),
    )
    top_grade = rules.top_grade if rules.top else ""
    first = f"place <= {rules.top} AND amount > 0"
    top = _raise("lifted", "lifted_rule", top_grade, first, "top", rules)
    is_capped, cap = "false", rules.last
    if rules.cap_grade:
        is_capped, cap = f"arrears_days > {rules.cap_days}", rules.rank(rules.cap_grade)
    return f"""
started AS (SELECT ranked.*,
    CASE WHEN amount = 0 THEN {rules.last} ELSE {start} END AS started,
    CASE WHEN amount = 0 THEN 'no_usage' WHEN by_score >= by_amount - {rules.lift}
         THEN 'score' ELSE 'amount' END AS started_rule FROM ranked),
lifted AS (SELECT started.*, {strategic[0]} AS lifted, {strategic[1]} AS lifted_rule
           FROM started),
topped AS MATERIALIZED (SELECT lifted.*, {top[0]} AS topped, {top[1]} AS topped_rule FROM lifted),
capped AS (SELECT topped.*, {is_capped} AS is_capped,
    CASE WHEN {is_capped} AND {cap} > topped THEN {cap} ELSE topped END AS final,
    CASE WHEN {is_capped} AND {cap} > topped THEN 'capped' ELSE topped_rule END AS why,
    {_rank_of("held", rules)} AS held_rank, {_rank_of("was", rules)} AS was_rank
    FROM topped),
watched AS (SELECT capped.*,
    CASE WHEN held_rank < final THEN held_below + 1 ELSE 0 END AS below FROM capped),
kept AS MATERIALIZED (SELECT watched.*,
    below > 0 AND NOT is_capped AND below < {rules.protection} AS is_kept FROM watched),
settled AS (SELECT kept.*, CASE WHEN is_kept THEN held_rank ELSE final END AS settled
            FROM kept)"""


def table_of(run: int) -> str:
    """The table of a run's frozen inputs."""
    return f"customers_gradeinput_{run}"


def freeze(run: int, *, by_product: bool, is_whole: bool) -> str:
    """Writing the inputs of a run; `is_whole` where it is for a whole province, whose
    usage need not be told apart from anybody else's."""
    months = MONTHS.format(inside="" if is_whole else INSIDE)
    return FREEZE.format(table=table_of(run), usage=DAYS if by_product else months)


def statement(rules: Rules, run: int) -> str:
    """INSERT of one assessment for each customer of the offices in its parameters, and of
    the tallies that follow; answers with the customers of each tally.

    COST: counting what was just written by a second statement took as long again.
    """
    return f"""{INPUTS.format(table=table_of(run))}{_pointed(rules)}{_judged(rules)},
made AS (
INSERT INTO customers_gradeassessment ({COLUMNS})
SELECT %(run)s, id, amount, share, margin, arrears_days, credit_days, months,
    strategic_class, is_headquarters, place, ladder, revenue_points, profit_points,
    credit_points, payment_points, brand_points, loyalty_points, score, by_amount,
    by_score, {_code("final", rules)}, held, held_below, below,
    {_code("settled", rules)}, CASE WHEN is_kept THEN 'protected' ELSE why END, was,
    CASE WHEN was_rank IS NULL THEN 'new' WHEN was_rank = settled THEN 'same'
         WHEN was_rank > settled THEN 'up' ELSE 'down' END
FROM settled RETURNING customer_id, was, grade, move)
INSERT INTO customers_gradetally (run_id, office_id, was, grade, move, customers)
SELECT %(run)s, facts.office_id, made.was, made.grade, made.move, count(*)
FROM made JOIN {table_of(run)} facts ON facts.id = made.customer_id GROUP BY 2, 3, 4, 5
RETURNING customers"""
