"""Jobs of a grading run: inputs frozen, shards assessed, an approved run published."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils.timezone import now
from django.utils.translation import gettext_noop

from crm.audit import services as audit
from crm.jobs.models import Job
from crm.jobs.services import enqueue
from crm.org.models import Office
from customers import grading
from customers.grade_sql import freeze, statement, table_of
from customers.models import GradeRun, GradeScheme
from customers.queries import add_months

State = GradeRun.State
TITLE = gettext_noop("Graded")  # on the timeline
WORK_MEMORY = "64MB"  # else a prefecture is sorted on disk
PUBLISH_CHUNK = 50_000
FREEZE_MEMORY = "256MB"  # else a province's customers are added up on disk


def shards_of(office: Office) -> list[Office]:
    """What one job grades: each prefecture with all below it, or the one office asked."""
    if office.depth > 1:
        return [office]
    return [office, *Office.objects.filter(path__startswith=office.path, depth=2)]


def _offices(run: GradeRun, shard: Office) -> list[Office]:
    """The offices of a shard: the province's own shard is the province alone."""
    if shard.depth == 1:
        return [shard]
    return list(Office.objects.filter(path__startswith=shard.path))


def _ladders(rules: grading.Rules, offices: list[Office]) -> tuple[list, list]:
    """Offices whose thresholds differ from the scheme's, and those as JSON.

    A threshold or a coefficient holds for an office and all below it; the nearest wins.
    """
    named = set(rules.factors) | set(rules.ladders)
    if not named:
        return [], []
    paths = dict(Office.objects.filter(code__in=named).values_list("path", "code"))
    ids, ladders = [], []
    for office in offices:
        above = [office.path[:end] for end in range(len(office.path), 0, -4)]
        codes = [paths[path] for path in above if path in paths]
        steps = next((rules.ladders[c] for c in codes if c in rules.ladders), None)
        factor = next((rules.factors[c] for c in codes if c in rules.factors), 1)
        if steps is None and factor == 1:
            continue
        amounts = steps or [grade.amount for grade in rules.grades]
        ids.append(office.pk)
        ladders.append(
            json.dumps([float(Decimal(n) * Decimal(str(factor))) for n in amounts])
        )
    return ids, ladders


def _freeze(run: GradeRun) -> None:
    """Write down what the run judges by.

    COST: for a province the month sums are read once from end to end; the planner would
    walk an index of ten million rows, one by one, for the sake of their order.
    """
    rules, is_whole = run.scheme.parsed(), run.office.depth == 1
    inside = Office.objects.filter(path__startswith=run.office.path)
    product = run.scheme.product
    params: dict[str, Any] = {
        "before": run.before_id,
        "offices": list(inside.values_list("pk", flat=True)),
        "segments": list(rules.segments),
        "until": run.until,
        "first": add_months(run.until.replace(day=1), -11),
        "product": product,
    }
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL work_mem = '{FREEZE_MEMORY}'")
        if is_whole:
            cursor.execute("SET LOCAL enable_indexscan = off")
        sql = freeze(run.pk, by_product=bool(product), is_whole=is_whole)
        cursor.execute(sql, params)
        cursor.execute("SET LOCAL enable_indexscan = on")
        cursor.execute(f"ANALYZE {table_of(run.pk)}")


def _forget_inputs(runs: Iterable[int]) -> None:
    with connection.cursor() as cursor:
        for run in runs:
            cursor.execute(f"DROP TABLE IF EXISTS {table_of(run)}")


def forget_cancelled() -> None:
    """Drop the inputs of runs that were given up; cancelling itself must not wait for a
    shard that reads them."""
    recent = GradeRun.objects.filter(state=State.CANCELLED).order_by("-pk")
    _forget_inputs(recent.values_list("pk", flat=True)[:100])


def grade_step(job: Job) -> bool:
    """Job: freeze a run's inputs and queue its shards; or, with an office, assess one of
    them, in one statement: all of it and its count, or nothing.

    Whoever kills it loses the statement; the lease gives it to another worker.
    """
    run = GradeRun.objects.select_related("scheme", "office").get(pk=job.params["run"])
    if run.state != State.COMPUTING:
        return True  # cancelled
    if "office" not in job.params:
        _freeze(run)
        for code in [shard.code for shard in shards_of(run.office)]:
            part = {"run": run.pk, "office": code}
            enqueue("customers.grade", part, by=job.actor, key=f"grade:{run.pk}:{code}")
        return True
    shard = Office.objects.get(code=job.params["office"])
    rules, offices = run.scheme.parsed(), _offices(run, shard)
    own_offices, own_ladders = _ladders(rules, offices)
    params: dict[str, Any] = {
        "run": run.pk,
        "offices": [office.pk for office in offices],
        "own_offices": own_offices,
        "own_ladders": own_ladders,
    }
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL work_mem = '{WORK_MEMORY}'")
        cursor.execute(statement(rules, run.pk), params)
        made = sum(row[0] for row in cursor.fetchall())
    # RACE: the row is locked by this update, so the last shard sees all the others.
    GradeRun.objects.filter(pk=run.pk).update(
        shards_done=F("shards_done") + 1, customers=F("customers") + made
    )
    run.refresh_from_db()
    if run.shards_done == run.shards:
        run.state = State.COMPUTED
        run.save(update_fields=["state"])
        _forget_inputs([run.pk])
        details = {"customers": run.customers}
        audit.record(
            job.actor, "grading.computed", run, office=run.office, details=details
        )
    job.result = {"customers": made}
    return True


# --- publishing -----------------------------------------------------------------------

# Rows are written only where the grade changes; a live override stays in force.
CHANGED = """
CREATE TEMP TABLE graded ON COMMIT DROP AS
SELECT a.customer_id, a.grade, g.code AS before_code, coalesce(g.name, '') AS before,
       o.id IS NOT NULL AS is_held
FROM customers_gradeassessment a
LEFT JOIN customers_customergrade g ON g.customer_id = a.customer_id
LEFT JOIN customers_gradeoverride o ON o.customer_id = a.customer_id AND o.state = 'approved'
WHERE a.run_id = %(run)s AND a.customer_id > %(after)s AND a.customer_id <= %(last)s
  AND (g.code IS NULL
    OR (o.id IS NULL AND g.code <> a.grade) OR g.run_code <> a.grade)"""
HISTORY = """
INSERT INTO customers_gradechange (customer_id, at, before, after, run_id)
SELECT customer_id, %(at)s, before, n.name, %(run)s
FROM graded JOIN named n ON n.code = graded.grade
WHERE NOT is_held AND before_code IS DISTINCT FROM graded.grade"""
TIMELINE = """
INSERT INTO customers_timelineentry
    (customer_id, kind, at, ref, title, text, url, state, is_open, source)
SELECT customer_id, 'grade', %(at)s,
    left(CASE WHEN before = '' THEN n.name ELSE before || ' → ' || n.name END, 40),
    %(title)s, '', '', '', false, 'grade:' || %(run)s || ':' || customer_id
FROM graded JOIN named n ON n.code = graded.grade
WHERE NOT is_held AND before_code IS DISTINCT FROM graded.grade
ON CONFLICT DO NOTHING"""
NAMED = """
CREATE TEMP TABLE named (code text, name text, rank int, benefits jsonb) ON COMMIT DROP"""


def publish_step(job: Job) -> bool:
    """Job: put an approved run into force, a chunk of customers a step, in the order of the
    run's own index. The second time changes nothing."""
    run = GradeRun.objects.select_related("scheme", "office").get(pk=job.params["run"])
    if run.state != State.APPROVED:
        return True
    after, at = job.cursor.get("after", 0), job.cursor.get("at") or now().isoformat()
    rows = run.assessments.filter(customer__gt=after).order_by("customer")
    chunk = list(rows.values_list("customer", flat=True)[:PUBLISH_CHUNK])
    if chunk:
        params = {"run": run.pk, "at": at, "title": TITLE}
        params |= {"after": after, "last": chunk[-1]}
        job.result = {"changed": job.result.get("changed", 0) + _publish(run, params)}
        job.cursor = {"after": chunk[-1], "at": at}
        return False
    run.state, run.published_at = State.PUBLISHED, now()
    run.save(update_fields=["state", "published_at"])
    if run.office_id == run.scheme.office_id:
        same = GradeScheme.objects.filter(
            office=run.scheme.office, name=run.scheme.name
        )
        same.filter(state="active").exclude(pk=run.scheme_id).update(state="retired")
        same.filter(pk=run.scheme_id).update(state="active")
    audit.record(
        job.actor, "grading.published", run, office=run.office, details=job.result
    )
    return True


def _publish(run: GradeRun, params: dict[str, Any]) -> int:
    """Write what changes for a chunk of customers; how many do."""
    with connection.cursor() as cursor:
        cursor.execute(NAMED)
        for rank, grade in enumerate(run.scheme.parsed().grades):
            benefits = json.dumps(grade.benefits)
            cursor.execute(
                "INSERT INTO named VALUES (%s, %s, %s, %s)",
                [grade.code, grade.name, rank, benefits],
            )
        cursor.execute(CHANGED, params)
        cursor.execute(HISTORY, params)
        changed = cursor.rowcount
        for sql in (TIMELINE, NEW, MOVED, HELD):
            cursor.execute(sql, params)
        cursor.execute("DROP TABLE graded, named")
    return changed


NEW = """
INSERT INTO customers_customergrade
    (customer_id, run_id, code, name, rank, benefits, run_code, since)
SELECT customer_id, %(run)s, n.code, n.name, n.rank, n.benefits, n.code, %(at)s
FROM graded JOIN named n ON n.code = graded.grade WHERE before_code IS NULL"""
MOVED = """
UPDATE customers_customergrade g
SET run_id = %(run)s, code = n.code, name = n.name, rank = n.rank, benefits = n.benefits,
    run_code = n.code, since = CASE WHEN g.code = n.code THEN g.since ELSE %(at)s END
FROM graded JOIN named n ON n.code = graded.grade
WHERE g.customer_id = graded.customer_id AND before_code IS NOT NULL AND NOT is_held"""
HELD = """
UPDATE customers_customergrade g SET run_id = %(run)s, run_code = graded.grade
FROM graded WHERE g.customer_id = graded.customer_id AND is_held"""
