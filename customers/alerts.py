"""Alerts and what people do about them (R-GRD-13, R-ORG-27; domain.md 5.4)."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.capabilities import may, require
from crm.access.models import Posting, User
from crm.access.roles import CAPABILITIES, Role
from crm.access.scoping import offices_of
from crm.audit import services as audit
from crm.errors import Refused
from crm.notify.services import tell
from crm.org.models import Office, paths_above
from crm.org.queries import calendar_of
from customers import watch_sql
from customers.models import (
    Alert,
    AlertReport,
    Customer,
    Task,
    WatchRule,
)
from customers.notes import message_id
from customers.services import locked, tell_supervisors
from customers.watch_rules import rules_of

Kind = WatchRule.Kind
State, Outcome = Alert.State, Alert.Outcome
MOST_GIVEN = 500

# Translated when they are read.
NEWS = gettext_noop("Customers need you: new alerts")
REPORTED = gettext_noop("An alert is reported to you")
ANSWERED = gettext_noop("Word from above about an alert")
ENDED = gettext_noop("An alert that was reported to you is closed")


def working_day_after(office: Office, day: date, count: int) -> date:
    """The day when `count` working days of an office have passed."""
    calendar = calendar_of(office)
    for _day in range(366):
        if count <= 0:
            break
        day += timedelta(days=1)
        count -= bool(calendar.windows_on(day))
    return day


def send_news(user: User, number: int, url: str, key: str) -> None:
    tell(user, "customer", subject=NEWS, body=str(number), url=url, key=key)


@transaction.atomic
def raise_complaint(customer: Customer, ref: str, url: str) -> Alert | None:
    """Another app says that a customer was not content with an answer: at once, once for
    each complaint. None where no rule asks for it, or one is open already."""
    # RACE: two complaints of one customer opened again at once take turns.
    rows = Customer.objects.select_for_update(of=("self",))
    customer = rows.select_related("office", "manager").get(pk=customer.pk)
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
    if customer.manager is not None:
        send_news(customer.manager, 1, made.get_absolute_url(), made.source)
    else:
        tell_supervisors(
            customer.office, NEWS, key=made.source, url=made.get_absolute_url()
        )
    return made


def _locked_alert(alert: Alert) -> tuple[Customer, Alert]:
    """Both locked, the customer first. Refused("alert.closed")."""
    customer = locked(alert.customer)
    row = Alert.objects.select_for_update(of=("self",)).get(pk=alert.pk)
    if row.state == State.CLOSED:
        raise Refused("alert.closed", _("This alert is closed already."))
    return customer, row


@transaction.atomic
def give_alert(alert: Alert, *, by: User, to: User) -> None:
    """Hand an alert to somebody who may answer it there: it is theirs to see.

    Refused("alert.closed"), ("alert.owner").
    """
    customer, row = _locked_alert(alert)
    require(by, "alert.give", customer.office)
    if not may(to, "alert.answer", customer.office):
        raise Refused("alert.owner", _("This person does not see the customer."))
    row.state, row.owner = State.TAKEN, to
    row.save(update_fields=["state", "owner"])
    Task.objects.filter(source=row.source, done_at=None).update(assignee=to)
    details = {"to": to.username}
    audit.record(by, "alert.given", customer, office=customer.office, details=details)
    send_news(to, 1, row.get_absolute_url(), f"{row.source}:{to.pk}:{now():%Y%m%d%H%M}")


@transaction.atomic
def give_many(rows: QuerySet[Alert], *, by: User, to: User) -> int:
    """Hand live alerts to a manager: of `rows`, those of offices where both may; how many.
    At most MOST_GIVEN at once. One line in the trail."""
    require(by, "alert.give")
    offices = offices_of(by, "supervisor") & offices_of(to, "manager")
    live = rows.exclude(state=State.CLOSED).filter(customer__office__in=offices)
    ids = list(
        live.select_for_update(of=("self",)).values_list("pk", flat=True)[:MOST_GIVEN]
    )
    Alert.objects.filter(pk__in=ids).update(owner=to, state=State.TAKEN)
    tasks = Task.objects.filter(source__in=[f"alert:{pk}" for pk in ids], done_at=None)
    tasks.update(assignee=to)
    if ids:
        details = {"to": to.username, "alerts": len(ids)}
        audit.record(by, "alerts.given", details=details)
        key = f"alerts_given:{ids[0]}:{to.pk}:{now():%Y%m%d%H%M}"
        send_news(to, len(ids), f"{reverse('customers:alerts')}?whose=mine", key)
    return len(ids)


@transaction.atomic
def reopen_alert(alert: Alert, *, by: User) -> None:
    """Take an answer back: it is in hand again. Refused("alert.open") when nobody has
    answered it, or another one of its rule is open."""
    customer = locked(alert.customer)
    row = Alert.objects.select_for_update(of=("self",)).get(pk=alert.pk)
    require(by, "alert.answer", customer.office)
    live = customer.alerts.filter(rule=row.rule_id).exclude(state=State.CLOSED)
    if row.closed_by_id is None or live.exists():
        raise Refused("alert.open", _("This alert cannot be opened again."))
    row.state, row.outcome, row.closed_at, row.closed_by = State.TAKEN, "", None, None
    row.owner = by
    row.save()
    tasks = Task.objects.filter(source=row.source)
    tasks.update(done_at=None, done_by=None, assignee=by)
    audit.record(by, "alert.reopened", customer, office=customer.office)


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
    _tell_end(row, by)


# --- between levels ---------------------------------------------------------------------


def nearest_above(user: User, office: Office) -> list[Posting]:
    """Whom `user` reports to about a customer of `office`: the supervisors of the nearest
    level above those that they supervise; a manager's, of their own level too."""
    limits = [
        len(post.office.path) - (post.role == Role.SUPERVISOR)
        for post in user.posts(*CAPABILITIES["alert.answer"])
        if post.office.contains(office)
    ]
    paths = [path for path in paths_above(office.path) if len(path) <= min(limits)]
    found = list(
        Posting.objects.leading(*paths).exclude(user=user).select_related("office")
    )
    nearest = max((len(posting.office.path) for posting in found), default=0)
    return [posting for posting in found if len(posting.office.path) == nearest]


def reported_to(user: User, reports: Iterable[AlertReport]) -> list[AlertReport]:
    """Those of `reports` that came up to an office which `user` supervises, from others."""
    offices = [post.office for post in user.posts(Role.SUPERVISOR)]
    return [
        one
        for one in reports
        if one.office is not None
        and one.by_id != user.pk
        and any(unit.contains(one.office) for unit in offices)
    ]


@transaction.atomic
def report_alert(alert: Alert, *, by: User, text: str) -> AlertReport:
    """Report an alert one level up; it is in hand then. Refused("alert.closed"),
    ("alert.top") where nobody is above."""
    customer, row = _locked_alert(alert)
    require(by, "alert.answer", customer.office)
    above = nearest_above(by, customer.office)
    if not above:
        raise Refused("alert.top", _("Nobody supervises above you."))
    made = row.reports.create(by=by, text=text, office=above[0].office)
    if row.state == State.OPEN:  # what is reported is in hand: no night closes it
        row.state, row.owner = State.TAKEN, row.owner or by
        row.save(update_fields=["state", "owner"])
    for posting in above:
        _tell(posting.user, REPORTED, made, "up")
    audit.record(by, "alert.reported", customer, office=customer.office)
    return made


@transaction.atomic
def answer_report(alert: Alert, *, by: User, text: str) -> AlertReport:
    """A word from above, to its owner and those who reported it. Refused:
    "alert.closed", "alert.unreported" where nobody has reported it to `by`."""
    customer, row = _locked_alert(alert)
    require(by, "alert.give", customer.office)
    reports = row.reports.select_related("by", "office")
    people = {one.by_id: one.by for one in reported_to(by, reports)}
    if not people:
        raise Refused("alert.unreported", _("Nobody has reported this alert to you."))
    made = row.reports.create(by=by, text=text, is_from_above=True)
    if row.owner is not None and row.owner != by:
        people[row.owner.pk] = row.owner
    for user in people.values():
        _tell(user, ANSWERED, made, "word")
    audit.record(by, "alert.word", customer, office=customer.office)
    return made


def _tell_end(alert: Alert, by: User) -> None:
    """It is closed: those to whom it was reported are led to what came of it."""
    offices = alert.reports.filter(is_from_above=False).values_list("office__path")
    last = alert.reports.last()
    for posting in Posting.objects.leading(*(path for (path,) in offices)):
        if last and posting.user_id != by.pk:
            _tell(posting.user, ENDED, last, f"end:{now():%Y%m%d%H%M%S}")


def _tell(user: User, subject: str, about: AlertReport, what: str) -> None:
    # SECURITY: the words are read at the alert, where they are erased with the customer.
    tell(
        user,
        "customer",
        subject=subject,
        body=about.alert.ref,
        url=about.alert.get_absolute_url(),
        key=f"alert_report:{about.pk}:{what}:{user.pk}",
    )
