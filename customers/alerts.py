"""Alerts: the night strikes, people answer (R-GRD-13; domain.md 5.4).

Each night the trends are renewed by chunks of customers, then each prefecture has a job of
its own: a rule a step. Twice a night is once: an alert is unique in rule, customer and
episode, and all that follows from it (task, timeline, news) has its id as key.
"""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Max, Q, QuerySet
from django.urls import reverse
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.notify.services import queue_message
from crm.org.models import Office
from crm.org.queries import calendar_of
from customers import watch_sql
from customers.key_months import keep_months
from customers.models import (
    Alert,
    Customer,
    CustomerTrend,
    CustomerValue,
    Task,
    WatchRule,
)
from customers.models.choices import Segment
from customers.notes import message_id
from customers.queries import add_months
from customers.seasons import FEBRUARY, month_span
from customers.services import locked
from customers.shards import offices_in, spread

Kind, Level = WatchRule.Kind, WatchRule.Level
State, Outcome = Alert.State, Alert.Outcome

CHUNK = 20_000
QUIET_DAYS = 60  # after a person's answer the same family does not ask again
LATE_DAYS = 10  # a month whose last line is older than this has not been loaded yet
USAGE = (
    *(Kind.YEAR, Kind.QUARTER_YEAR, Kind.QUARTER, Kind.MONTH, Kind.SILENT),
    Kind.ALIVE,
)
LASTING = (Kind.GRADE, Kind.COMPLAINT)  # what has happened does not pass by itself

# (kind, level, percent, days, at least yuan, often, working days to answer)
USUAL: tuple[tuple[str, int, int | None, int | None, int, int, int], ...] = (
    (Kind.YEAR, Level.YELLOW, 10, None, 1000, 0, 10),  # the sourced one: over 10 % down
    (Kind.QUARTER_YEAR, Level.YELLOW, 10, None, 3000, 0, 10),
    (Kind.QUARTER, Level.YELLOW, 20, None, 3000, 0, 10),
    (Kind.MONTH, Level.ORANGE, 30, None, 1000, 0, 5),
    (Kind.ALIVE, Level.ORANGE, 50, None, 1000, 0, 5),
    (Kind.SILENT, Level.RED, None, 30, 0, 40, 3),  # weekly senders
    (Kind.SILENT, Level.RED, None, 60, 0, 9, 3),  # monthly senders
    (Kind.SILENT, Level.CHURNED, None, 90, 0, 1, 3),
    (Kind.CONTRACT, Level.RED, None, 90, 0, 0, 3),
    (Kind.GRADE, Level.YELLOW, None, 60, 0, 0, 10),
    (Kind.COMPLAINT, Level.ORANGE, None, None, 0, 0, 3),
    (Kind.ARREARS, Level.YELLOW, None, 31, 100, 0, 10),
    (Kind.ARREARS, Level.ORANGE, None, 61, 100, 0, 5),
    (Kind.ARREARS, Level.RED, None, 91, 100, 0, 3),
)


def family_of(kind: str) -> list[str]:
    """Kinds of which the gravest open alert stands for all."""
    return list(USAGE) if kind in USAGE else [kind]


# --- rules ------------------------------------------------------------------------------


@transaction.atomic
def save_rule(rule: WatchRule, *, by: User | None) -> WatchRule:
    """Keep a rule; alerts that it has raised stay as they are."""
    require(by, "watch.edit", rule.office)
    if rule.pk is None:
        rule.made_by = by
    rule.save()
    details = {"kind": rule.kind, "level": rule.level, "on": rule.is_on}
    audit.record(by, "watch.rule_saved", rule, office=rule.office, details=details)
    return rule


@transaction.atomic
def usual_rules(office: Office, *, by: User | None) -> int:
    """Give an office the usual rules that it lacks; how many were made."""
    require(by, "watch.edit", office)
    known = set(
        WatchRule.objects.filter(office=office).values_list("kind", "level", "often")
    )
    missing = [row for row in USUAL if (row[0], row[1], row[5]) not in known]
    for kind, level, percent, days, at_least, often, task_days in missing:
        rule = WatchRule(
            office=office,
            kind=kind,
            level=level,
            percent=percent,
            days=days,
            at_least=Decimal(at_least),
            often=often,
            task_days=task_days,
            segments=[Segment.CONTRACT, Segment.STANDARD],
        )
        save_rule(rule, by=by)
    return len(missing)


def rules_of(office: Office) -> list[WatchRule]:
    """The rules in force at an office, the gravest first; the nearest of each sort holds."""
    above = [office.path[:end] for end in range(4, len(office.path) + 1, 4)]
    rows = WatchRule.objects.filter(office__path__in=above).select_related("office")
    nearest: dict[tuple, WatchRule] = {}
    for row in rows.order_by("office__path"):
        nearest[row.kind, row.level, row.often] = row
    found = [row for row in nearest.values() if row.is_on]
    return sorted(found, key=lambda row: (-row.level, row.kind, row.pk))


def hits_of(rules: QuerySet[WatchRule], offices: QuerySet[Office]) -> dict[int, dict]:
    """How often each rule has struck at these offices, and what came of it, by rule.

    `false_rate` is false alarms ÷ alerts that a person has answered; None before the first.
    """
    by_outcome = {
        outcome: Count("pk", filter=Q(outcome=outcome)) for outcome in Alert.BY_HAND
    }
    rows = (
        Alert.objects.filter(rule__in=rules, customer__office__in=offices)
        .order_by()
        .values("rule")
        .annotate(
            raised=Count("pk"),
            live=Count("pk", filter=~Q(state="closed")),
            **by_outcome,
        )
    )
    found: dict[int, dict[str, Any]] = {row["rule"]: dict(row) for row in rows}
    for row in found.values():
        answered = sum(row[outcome] for outcome in Alert.BY_HAND)
        row["false_rate"] = row[Outcome.FALSE] / answered if answered else None
    return found


# --- the night --------------------------------------------------------------------------


def trends_step(job: Job) -> bool:
    """Job: renew the trends of a chunk of customers a step; then a job each prefecture."""
    rows = Customer.objects.filter(merged_into=None, pk__gt=job.cursor.get("after", 0))
    chunk = list(rows.order_by("pk").values_list("pk", flat=True)[:CHUNK])
    if chunk:
        renew_trends(chunk, localdate())
        job.cursor = {"after": chunk[-1]}
        job.done_units += len(chunk)
        return False
    CustomerTrend.objects.filter(month__lt=add_months(localdate(), -1)).delete()
    spread("customers.alert", job)
    return True


def renew_trends(chunk: list[int], today: date) -> None:
    """The trends of some customers in the last whole month before a day."""
    month = add_months(today, -1)
    with connection.cursor() as cursor:
        params: dict[str, Any] = {"chunk": chunk, "month": month}
        cursor.execute(watch_sql.trend_statement(month), params)


def data_until(offices: list[int]) -> date | None:
    """The last day of which offices have usage; None without any."""
    rows = CustomerValue.objects.filter(customer__office__in=offices)
    return rows.aggregate(last=Max("last_on"))["last"]


def alert_step(job: Job) -> bool:
    """Job: one rule a step, the gravest first, for one prefecture; then the news."""
    office = Office.objects.get(code=job.params["office"])
    today = date.fromisoformat(job.params["day"])
    rules, place = rules_of(office), job.cursor.get("rule", 0)
    if place >= len(rules):
        keep_months(office, today)
        _tell(office, today)
        return True
    raised = strike(rules[place], office, today)
    job.cursor = {"rule": place + 1}
    job.result = {"raised": job.result.get("raised", 0) + raised}
    return False


def strike(rule: WatchRule, office: Office, today: date) -> int:
    """Raise a rule's alerts at an office's shard; pass those whose reason is gone.

    Without usage of the month there is no telling who sends less: such rules wait.
    Returns how many were raised. Cost: some statements, whatever they find.
    """
    if rule.kind == Kind.COMPLAINT:
        return 0
    offices, month = offices_in(office), add_months(today, -1)
    until = data_until(offices)
    is_late = until is None or until < month_span(month)[1] - timedelta(days=LATE_DAYS)
    if rule.kind in USAGE and is_late:
        return 0
    if rule.kind == Kind.MONTH and month.month <= FEBRUARY:
        return 0
    params: dict[str, Any] = {
        "offices": offices,
        "segments": rule.segments,
        "month": month,
        "today": today,
        "as_of": min(today, until) if until else today,
        "percent": rule.percent,
        "days": rule.days,
        "at_least": rule.at_least,
        "often": rule.often,
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
    cursor.execute(watch_sql.RAISE, params)
    params["ids"] = [row[0] for row in cursor.fetchall()]
    cursor.execute(watch_sql.TASKS, params)
    cursor.execute(watch_sql.TIMELINE, params)
    cursor.execute(watch_sql.OVERTAKE, params)
    _finish([row[0] for row in cursor.fetchall()])
    return len(params["ids"])


def _finish(ids: list[int]) -> None:
    """Tick off the tasks of closed alerts."""
    sources = [f"alert:{pk}" for pk in ids]
    Task.objects.filter(source__in=sources, done_at=None).update(done_at=now())


def working_day_after(office: Office, day: date, count: int) -> date:
    """The day when `count` working days of an office have passed."""
    calendar = calendar_of(office)
    for _day in range(366):
        if count <= 0:
            break
        day += timedelta(days=1)
        count -= bool(calendar.windows_on(day))
    return day


def _tell(office: Office, today: date) -> None:
    """One line for each manager with alerts of this night."""
    rows = Alert.objects.filter(
        customer__office__in=offices_in(office),
        raised_at__date=today,
        state=State.OPEN,
        owner__isnull=False,
    )
    counts = rows.order_by().values_list("owner").annotate(n=Count("pk"))
    owners = User.objects.in_bulk([owner for owner, _n in counts])
    for owner, number in counts:
        subject = ngettext(
            "%(n)s customer needs you: new alert",
            "%(n)s customers need you: new alerts",
            number,
        )
        queue_message(
            "in_app",
            subject=subject % {"n": number},
            to_user=owners[owner],
            url=reverse("customers:alerts"),
            key=f"alerts:{office.pk}:{owner}:{today}",
        )


# --- people -----------------------------------------------------------------------------


@transaction.atomic
def raise_complaint(customer: Customer, ref: str, url: str) -> Alert | None:
    """Another app says that a customer was not content with an answer: at once, once for
    each complaint. None where no rule asks for it, or one is open already."""
    customer = Customer.objects.select_related("office").get(pk=customer.pk)
    rules = [r for r in rules_of(customer.office) if r.kind == Kind.COMPLAINT]
    rule = next((r for r in rules if customer.segment in r.segments), None)
    if rule is None or customer.merged_into_id or customer.erased_at:
        return None
    live = customer.alerts.filter(rule__kind=Kind.COMPLAINT).exclude(state="closed")
    episode = f"complaint:{ref}"
    if live.exists() or customer.alerts.filter(rule=rule, episode=episode).exists():
        return None
    made = Alert.objects.create(
        rule=rule,
        customer=customer,
        level=rule.level,
        episode=episode,
        evidence={"ref": ref, "url": url},
        raised_at=now(),
        due_on=working_day_after(customer.office, localdate(), rule.task_days),
        owner_id=customer.manager_id,
    )
    params: dict[str, Any] = {"ids": [made.pk], "title": message_id(Kind.COMPLAINT)}
    with connection.cursor() as cursor:
        cursor.execute(watch_sql.TASKS, params)
        cursor.execute(
            watch_sql.TIMELINE, params | {"url": reverse("customers:alerts")}
        )
    return made


def _locked_alert(alert: Alert) -> tuple[Customer, Alert]:
    customer = locked(alert.customer)
    row = Alert.objects.select_for_update(of=("self",)).get(pk=alert.pk)
    if row.state == State.CLOSED:
        raise Refused("alert.closed", _("This alert is closed already."))
    return customer, row


@transaction.atomic
def take_alert(alert: Alert, *, by: User) -> None:
    """Say that one sees to it: it is one's own now. Refused("alert.closed")."""
    customer, row = _locked_alert(alert)
    require(by, "alert.answer", customer.office)
    row.state, row.owner = State.TAKEN, by
    row.save(update_fields=["state", "owner"])
    Task.objects.filter(source=row.source, done_at=None).update(assignee=by)
    audit.record(by, "alert.taken", customer, office=customer.office)


@transaction.atomic
def close_alert(alert: Alert, *, by: User, outcome: str, note: str) -> None:
    """Answer an alert: the customer stays, is lost, or it was a false alarm; and what was
    found. The task is done with it. Refused("alert.closed"), ("alert.outcome")."""
    customer, row = _locked_alert(alert)
    require(by, "alert.answer", customer.office)
    if outcome not in Alert.BY_HAND:
        raise Refused("alert.outcome", _("Say what came of it."))
    row.state, row.outcome, row.note = State.CLOSED, outcome, note
    row.closed_at, row.closed_by = now(), by
    row.save()
    task = Task.objects.filter(source=row.source, done_at=None)
    task.update(done_at=now(), done_by=by)
    details = {"outcome": outcome}
    audit.record(by, "alert.closed", customer, office=customer.office, details=details)
