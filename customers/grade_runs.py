"""Grading runs: computed by shards, proposed, approved by a second person, published."""

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Max
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.services import enqueue, retry
from crm.org.models import Office
from customers import grading
from customers.grade_sql import statement
from customers.models import (
    GradeRun,
    GradeScheme,
)
from customers.queries import add_months
from customers.services import tell_supervisors

State = GradeRun.State
TITLE = gettext_noop("Graded")  # on the timeline
WORK_MEMORY = "64MB"  # else a prefecture is sorted on disk
MONTHS = {"quarter": 3, "half_year": 6, "year": 12}


# --- schemes ----------------------------------------------------------------------------


@transaction.atomic
def save_scheme(
    scheme: GradeScheme, rules: grading.Rules, *, by: User | None
) -> GradeScheme:
    """Keep a draft. Refused("scheme.used") once a run has been made with it;
    grading.Wrong for rules that cannot be."""
    require(by, "grading.edit", scheme.office)
    grading.check(rules)
    if scheme.pk and scheme.runs.exists():
        message = _("A run was made with this version: change a copy of it.")
        raise Refused("scheme.used", message)
    scheme.rules = rules.as_json()
    scheme.made_by = scheme.made_by or by
    same = GradeScheme.objects.filter(office=scheme.office, name=scheme.name)
    others = same.exclude(pk=scheme.pk)
    if not scheme.pk or others.filter(version=scheme.version).exists():
        scheme.version = (others.aggregate(last=Max("version"))["last"] or 0) + 1
    scheme.save()
    details = {"version": scheme.version}
    audit.record(by, "scheme.saved", scheme, office=scheme.office, details=details)
    return scheme


@transaction.atomic
def copy_scheme(scheme: GradeScheme, *, by: User) -> GradeScheme:
    """The next version of a scheme, as a draft to be changed."""
    draft = GradeScheme(
        office=scheme.office,
        name=scheme.name,
        cycle=scheme.cycle,
        product=scheme.product,
        valid_from=localdate(),
        made_by=by,
    )
    return save_scheme(draft, scheme.parsed(), by=by)


@transaction.atomic
def delete_scheme(scheme: GradeScheme, *, by: User) -> None:
    """Throw a draft away. Refused("scheme.used") when a run rests on it."""
    require(by, "grading.edit", scheme.office)
    row = GradeScheme.objects.select_for_update().get(pk=scheme.pk)
    if row.runs.exists():
        message = _("A run rests on this scheme: it stays.")
        raise Refused("scheme.used", message)
    audit.record(by, "scheme.deleted", row, office=row.office)
    row.delete()


TALLY = """
INSERT INTO customers_gradetally (run_id, office_id, was, grade, move, customers)
SELECT a.run_id, c.office_id, a.was, a.grade, a.move, count(*)
FROM customers_gradeassessment a JOIN customers_customer c ON c.id = a.customer_id
WHERE a.run_id = %(run)s AND c.office_id = ANY(%(offices)s) GROUP BY 1, 2, 3, 4, 5"""


# --- computing --------------------------------------------------------------------------


def last_period_end(cycle: str, today: date | None = None) -> date:
    """The last day of the last whole quarter, half-year or year."""
    today, months = today or localdate(), MONTHS[cycle]
    first = today.replace(day=1)
    begun = add_months(first, -((first.month - 1) % months))
    return begun - timedelta(days=1)


def _shards(office: Office) -> list[Office]:
    """What one job grades: each prefecture with all below it, or the one office asked."""
    if office.depth > 1:
        return [office]
    return [office, *Office.objects.filter(path__startswith=office.path, depth=2)]


@transaction.atomic
def start_run(
    scheme: GradeScheme, office: Office, until: date, *, by: User | None
) -> GradeRun:
    """Queue the assessment of an office's customers; again is the same run.

    Refused("run.office") outside the scheme's office, ("run.future") for days to come.
    """
    require(by, "grading.run", office)
    if not scheme.office.contains(office):
        raise Refused("run.office", _("The scheme does not hold for this office."))
    if until > localdate():
        raise Refused("run.future", _("This day has not come yet."))
    rows = GradeScheme.objects.select_for_update(of=("self",)).select_related("office")
    scheme = rows.get(pk=scheme.pk)
    if scheme.state == GradeScheme.State.DRAFT:  # a run ends its being a draft
        require(by, "grading.edit", scheme.office)
    live = GradeRun.objects.exclude(state=State.CANCELLED)
    if known := live.filter(scheme=scheme, office=office, until=until).first():
        return known
    above = [office.path[:end] for end in range(4, len(office.path) + 1, 4)]
    before = GradeRun.objects.filter(
        scheme__name=scheme.name,
        scheme__office=scheme.office,
        office__path__in=above,
        state=State.PUBLISHED,
        until__lt=until,
    )
    shards = _shards(office)
    run = GradeRun.objects.create(
        scheme=scheme,
        office=office,
        until=until,
        before=before.order_by("-until", "-pk").first(),
        shards=len(shards),
        made_by=by,
    )
    for shard in shards:
        params = {"run": run.pk, "office": shard.code}
        enqueue("customers.grade", params, by=by, key=f"grade:{run.pk}:{shard.code}")
    audit.record(by, "grading.started", run, office=office)
    return run


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


def grade_step(job: Job) -> bool:
    """Job: assess one shard, in one statement: all of it and its count, or nothing.

    Whoever kills it loses the statement; the lease gives it to another worker.
    """
    run = GradeRun.objects.select_related("scheme", "office").get(pk=job.params["run"])
    if run.state != State.COMPUTING:
        return True  # cancelled
    shard = Office.objects.get(code=job.params["office"])
    rules, offices = run.scheme.parsed(), _offices(run, shard)
    own_offices, own_ladders = _ladders(rules, offices)
    params = {
        "run": run.pk,
        "before": run.before_id,
        "offices": [office.pk for office in offices],
        "segments": list(rules.segments),
        "until": run.until,
        "first": add_months(run.until.replace(day=1), -11),
        "product": run.scheme.product,
        "own_offices": own_offices,
        "own_ladders": own_ladders,
    }
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL work_mem = '{WORK_MEMORY}'")
        cursor.execute(statement(rules, by_product=bool(run.scheme.product)), params)
        made = cursor.rowcount
        cursor.execute(TALLY, params)
    # RACE: the row is locked by this update, so the last shard sees all the others.
    GradeRun.objects.filter(pk=run.pk).update(
        shards_done=F("shards_done") + 1, customers=F("customers") + made
    )
    run.refresh_from_db()
    if run.shards_done == run.shards:
        run.state = State.COMPUTED
        run.save(update_fields=["state"])
        details = {"customers": run.customers}
        audit.record(
            job.actor, "grading.computed", run, office=run.office, details=details
        )
    job.result = {"customers": made}
    return True


# --- deciding ---------------------------------------------------------------------------


def _locked(run: GradeRun, *states: str) -> GradeRun:
    """The run, locked. Refused("run.state") unless it is in one of `states`."""
    rows = GradeRun.objects.select_for_update(of=("self",))
    row = rows.select_related("scheme", "office").get(pk=run.pk)
    if row.state not in states:
        raise Refused("run.state", _("The run has moved on meanwhile."))
    return row


@transaction.atomic
def cancel_run(run: GradeRun, *, by: User) -> GradeRun:
    """Give a run up that is not published; what it found goes."""
    row = _locked(run, State.COMPUTING, State.COMPUTED, State.PROPOSED)
    require(by, "grading.run", row.office)
    row.state = State.CANCELLED
    row.save(update_fields=["state"])
    row.assessments.all()._raw_delete(row.assessments.db)
    row.tallies.all().delete()
    audit.record(by, "grading.cancelled", row, office=row.office)
    return row


def stuck_jobs(run: GradeRun) -> list[Job]:
    """Parts of a run that have failed for good: with an error, waiting for a person."""
    kinds = ("customers.grade", "customers.grade_publish")
    rows = Job.objects.filter(kind__in=kinds, params__run=run.pk)
    return list(rows.filter(state=Job.State.FAILED))


@transaction.atomic
def resume_run(run: GradeRun, *, by: User) -> GradeRun:
    """Queue the failed parts again; what the others have found stays.

    Refused("run.state") when no part has failed.
    """
    row = _locked(run, State.COMPUTING, State.APPROVED)
    require(by, "grading.run", row.office)
    if not [job for job in stuck_jobs(row) if retry(job)]:
        raise Refused("run.state", _("The run has moved on meanwhile."))
    audit.record(by, "grading.resumed", row, office=row.office)
    return row


@transaction.atomic
def propose_run(run: GradeRun, *, by: User) -> GradeRun:
    row = _locked(run, State.COMPUTED)
    require(by, "grading.run", row.office)
    row.state, row.proposed_by = State.PROPOSED, by
    row.save(update_fields=["state", "proposed_by"])
    audit.record(by, "grading.proposed", row, office=row.office)
    subject = _("Grades of %(office)s wait for your approval") % {"office": row.office}
    url, key = row.get_absolute_url(), f"grade_run:{row.pk}"
    tell_supervisors(row.office, subject, key=key, url=url, but=by)
    return row


@transaction.atomic
def approve_run(run: GradeRun, *, by: User) -> GradeRun:
    """The second person's word; the publishing job follows. Refused("run.self")."""
    row = _locked(run, State.PROPOSED)
    require(by, "grading.approve", row.office)
    if row.proposed_by_id == by.pk:
        raise Refused("run.self", _("Somebody else must approve what you proposed."))
    row.state, row.approved_by = State.APPROVED, by
    row.save(update_fields=["state", "approved_by"])
    audit.record(by, "grading.approved", row, office=row.office)
    params = {"run": row.pk}
    enqueue("customers.grade_publish", params, by=by, key=f"publish:{row.pk}")
    return row


# Rows are written only where the grade changes; a live override stays in force.
CHANGED = """
CREATE TEMP TABLE graded ON COMMIT DROP AS
SELECT a.customer_id, a.grade, g.code AS before_code, coalesce(g.name, '') AS before,
       o.id IS NOT NULL AS is_held
FROM customers_gradeassessment a JOIN customers_customer c ON c.id = a.customer_id
LEFT JOIN customers_customergrade g ON g.customer_id = a.customer_id
LEFT JOIN customers_gradeoverride o ON o.customer_id = a.customer_id AND o.state = 'approved'
WHERE a.run_id = %(run)s
  AND (%(offices)s::bigint[] IS NULL OR c.office_id = ANY(%(offices)s::bigint[]))
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
    """Job: put an approved run into force, a shard a step; the last step takes whoever has
    moved office meanwhile. The second time changes nothing."""
    run = GradeRun.objects.select_related("scheme", "office").get(pk=job.params["run"])
    if run.state != State.APPROVED:
        return True
    shards, place = _shards(run.office), job.cursor.get("shard", 0)
    offices = (
        [office.pk for office in _offices(run, shards[place])]
        if (place < len(shards))
        else None
    )
    at = job.cursor.get("at") or now().isoformat()
    params = {"run": run.pk, "at": at, "title": TITLE, "offices": offices}
    job.result = {"changed": job.result.get("changed", 0) + _publish(run, params)}
    if place < len(shards):
        job.cursor = {"shard": place + 1, "at": at}
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
    """Write what changes for customers of some offices (None: of all); how many do."""
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
