"""The watch's night: trends renewed, rules struck, alerts raised and passed.

The trends are renewed by chunks of customers, then each prefecture has a job of its own: a
rule a step. Twice a night is once: an alert is unique in rule, customer and episode, and
all that follows from it (task, timeline, news) has its id as key.
"""

from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Q
from django.urls import reverse
from django.utils.timezone import localdate, now

from crm.access.models import User
from crm.jobs.models import Job
from crm.org.models import Office
from customers import watch_sql
from customers.alerts import send_news, working_day_after
from customers.key_months import keep_months
from customers.models import (
    Alert,
    Customer,
    CustomerTrend,
    Task,
    TimelineEntry,
    WatchRule,
)
from customers.notes import message_id
from customers.queries import add_months
from customers.seasons import FEBRUARY
from customers.shards import data_until, loaded_offices, offices_in, spread
from customers.watch_rules import USAGE, family_of, rules_of

Kind = WatchRule.Kind
State = Alert.State

CHUNK = 20_000
CONTACTS = ["visit", "complaint", *TimelineEntry.Note.values]  # kinds of the timeline
QUIET_DAYS = 60  # after a person's answer the same family does not ask again
LASTING = (Kind.GRADE, Kind.COMPLAINT)  # what has happened does not pass by itself


def trends_step(job: Job) -> bool:
    """Job: renew the trends of a chunk of customers a step; then a job each prefecture."""
    rows = Customer.objects.filter(merged_into=None, pk__gt=job.cursor.get("after", 0))
    chunk = list(rows.order_by("pk").values_list("pk", flat=True)[:CHUNK])
    if chunk:
        renew_trends(chunk, localdate())
        job.cursor = {"after": chunk[-1]}
        job.done_units += len(chunk)
        return False
    old = Q(month__lt=add_months(localdate(), -1)) | ~Q(customer__merged_into=None)
    CustomerTrend.objects.filter(old).delete()
    spread("customers.alert", job)
    return True


def renew_trends(chunk: list[int], today: date) -> None:
    """The trends of some customers in the last whole month before a day."""
    month = add_months(today, -1)
    with connection.cursor() as cursor:
        params: dict[str, Any] = {"chunk": chunk, "month": month}
        cursor.execute(watch_sql.trend_statement(month), params)


def alert_step(job: Job) -> bool:
    """Job: one rule a step, the gravest first, for one prefecture; then the news.

    RACE: the rules are those of the first step, whoever edits them meanwhile; a lock of
    the office keeps last night's late job from working beside this one.
    """
    office = Office.objects.get(code=job.params["office"])
    today = date.fromisoformat(job.params["day"])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('watch'), %s)", [office.pk]
        )
    if "rules" not in job.cursor:
        _put_in_order(office)
        job.cursor = {"rules": [rule.pk for rule in rules_of(office)]}
        return False
    if not job.cursor["rules"]:
        keep_months(office, today)
        _tell(office, job)
        return True
    first, *rest = job.cursor["rules"]
    rule = WatchRule.objects.get(pk=first)
    raised = strike(rule, office, today) if rule.is_on else 0
    job.cursor = {"rules": rest}
    job.result = {"raised": job.result.get("raised", 0) + raised}
    return False


def _put_in_order(office: Office) -> None:
    """Close what no rule of the place asks about any more; open alerts follow the manager."""
    params: dict[str, Any] = {
        "offices": offices_in(office),
        "rules": [rule.pk for rule in rules_of(office)],
        "at": now(),
    }
    with connection.cursor() as cursor:
        cursor.execute(watch_sql.ORPHANS, params)
        _finish([row[0] for row in cursor.fetchall()])
        cursor.execute(watch_sql.OWNERS, params)
        cursor.execute(watch_sql.ASSIGNEES, params)


@transaction.atomic
def strike(rule: WatchRule, office: Office, today: date) -> int:
    """Raise a rule's alerts at an office's shard; pass those whose reason is gone.

    Returns how many were raised. Cost: some statements, whatever they find.
    """
    if rule.kind == Kind.COMPLAINT:
        return 0
    offices, month = offices_in(office), add_months(today, -1)
    if rule.kind in USAGE:
        offices = loaded_offices(offices, month)
    if not offices:
        return 0
    is_moved = rule.kind == Kind.MONTH and month.month <= FEBRUARY  # says nothing then
    params: dict[str, Any] = {
        "offices": offices,
        "segments": [] if is_moved else rule.segments,
        "month": month,
        "today": today,
        "as_of": min(today, data_until(offices) or today),
        "percent": rule.percent,
        "days": rule.days,
        "at_least": rule.at_least,
        "often": rule.often,
        "contact": CONTACTS,
    }
    with connection.cursor() as cursor:
        cursor.execute(watch_sql.struck_statement(rule.kind), params)
        raised = _raise(cursor, rule, office, today)
        if rule.kind not in LASTING:
            cursor.execute(
                watch_sql.RECOVER, {"at": now(), "offices": offices, "rule": rule.pk}
            )
            _finish([row[0] for row in cursor.fetchall()])
        cursor.execute("DROP TABLE struck")
    return raised


def _raise(cursor: Any, rule: WatchRule, office: Office, today: date) -> int:
    """Alerts for the rows of `struck`, each with its task and its line; how many."""
    at = now()
    params: dict[str, Any] = {
        "rule": rule.pk,
        "level": rule.level,
        "family": family_of(rule.kind),
        "at": at,
        "quiet": at - timedelta(days=QUIET_DAYS),
        "due_on": working_day_after(office, today, rule.task_days),
        "title": message_id(Kind(rule.kind)),
        "url": reverse("customers:alerts"),
    }
    cursor.execute(watch_sql.REFRESH, params)
    cursor.execute(watch_sql.RAISE, params)
    params["ids"] = [row[0] for row in cursor.fetchall()]
    cursor.execute(watch_sql.TASKS, params)
    cursor.execute(watch_sql.TIMELINE, params)
    cursor.execute(watch_sql.OVERTAKE, params)
    closed = [row[0] for row in cursor.fetchall()]
    cursor.execute(watch_sql.TRACKED, params | {"closed": closed})
    _finish(closed)
    return len(params["ids"])


def _finish(ids: list[int]) -> None:
    """Tick off the tasks of closed alerts."""
    sources = [f"alert:{pk}" for pk in ids]
    Task.objects.filter(source__in=sources, done_at=None).update(done_at=now())


def _tell(office: Office, job: Job) -> None:
    """One line for each manager whose customers have alerts of this night, with how many."""
    rows = Alert.objects.filter(
        customer__office__in=offices_in(office),
        raised_at__gte=job.created_at,
        state=State.OPEN,
        owner__isnull=False,
    )
    by_owner = (
        rows.order_by().values("owner").annotate(n=Count("customer", distinct=True))
    )
    counts = {row["owner"]: row["n"] for row in by_owner}
    owners = User.objects.in_bulk(list(counts))
    for owner, number in counts.items():
        key = f"alerts:{job.pk}:{owner}"
        send_news(owners[owner], number, reverse("customers:alerts"), key)
