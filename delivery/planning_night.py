"""The night: what falls due, who goes, and everybody's plan, a job for each prefecture."""

from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext_noop

from crm.access.models import User
from crm.jobs.models import Job
from crm.org.models import Office
from customers.shards import offices_in, spread
from delivery import visit_rules
from delivery.models import Visit, VisitRule
from delivery.planning import CHUNK, Load, plan_people

ALERT_CLOSED = gettext_noop("The alert was closed")  # translated where it is shown

# --- who visits -----------------------------------------------------------------------

# Open visits follow the customer's manager, unless they were given to somebody by hand;
# during leave that covers the whole window, the substitute goes.
FOLLOW = """
UPDATE delivery_visit v SET visitor_id = w.visitor_id,
    day = CASE WHEN v.is_pinned THEN v.day END
FROM (
    SELECT i.id, CASE WHEN s.user_id IS NULL THEN c.manager_id ELSE s.substitute_id END
        AS visitor_id
    FROM delivery_visit i JOIN customers_customer c ON c.id = i.customer_id
    LEFT JOIN LATERAL (
        SELECT a.user_id, coalesce(a.substitute_id, CASE WHEN c.manager_id = a.user_id
            THEN c.assistant_id END) AS substitute_id
        FROM access_absence a
        WHERE a.user_id = c.manager_id AND a.last_day >= %(today)s
            AND a.first_day <= greatest(i.first_day, %(today)s) AND a.last_day >= i.due_on
        ORDER BY a.substitute_id NULLS LAST LIMIT 1) s
        ON s.substitute_id IS NOT NULL
    WHERE i.state = 'open' AND NOT i.is_given AND ({which})) w
WHERE v.id = w.id AND v.visitor_id IS DISTINCT FROM w.visitor_id"""
# A day that has passed without a report: planned again, and counted.
PASSED_BY = """
UPDATE delivery_visit SET misses = misses + 1, day = NULL, at = NULL, is_pinned = false
WHERE state = 'open' AND day < %(before)s AND office_id = ANY(%(offices)s)"""
GRACE = timedelta(days=3)  # to log what took place


def follow_managers(offices: list[int], today: date) -> None:
    """Give open visits of these offices' customers to who looks after them now."""
    with connection.cursor() as cursor:
        params: dict[str, Any] = {"today": today, "offices": offices}
        cursor.execute(FOLLOW.format(which="c.office_id = ANY(%(offices)s)"), params)


def follow_manager(visit: Visit, today: date) -> None:
    """The same for one visit."""
    with connection.cursor() as cursor:
        cursor.execute(
            FOLLOW.format(which="i.id = %(pk)s"), {"today": today, "pk": visit.pk}
        )


# --- jobs -----------------------------------------------------------------------------


def night_step(job: Job) -> bool:
    """Job: a plan for each prefecture."""
    spread("delivery.plan_office", job)
    return True


def office_step(job: Job) -> bool:
    """Job: one prefecture's night: rules, who visits, then people by chunks."""
    office = Office.objects.get(code=job.params["office"])
    today = date.fromisoformat(job.params["day"])
    if "rules" not in job.cursor:
        job.cursor = {"rules": [rule.pk for rule in visit_rules.rules_at(office)]}
        return False
    if job.cursor["rules"]:
        first, *rest = job.cursor["rules"]
        rule = VisitRule.objects.filter(pk=first, is_on=True).first()
        made = visit_rules.strike(rule, office, today) if rule else 0
        job.cursor = {"rules": rest}
        job.result = {**job.result, "made": job.result.get("made", 0) + made}
        return False
    offices = offices_in(office)
    if "after" not in job.cursor:
        visit_rules.pass_over(office, ALERT_CLOSED)
        with connection.cursor() as cursor:
            since: dict[str, Any] = {"before": today - GRACE, "offices": offices}
            cursor.execute(PASSED_BY, since)
        follow_managers(offices, today)
        job.cursor = {"rules": [], "after": 0}
        return False
    return _people_step(job, offices, today)


def _people_step(job: Job, offices: list[int], today: date) -> bool:
    open_here = Visit.objects.running().filter(office__in=offices)
    users = User.objects.filter(
        pk__gt=job.cursor["after"], pk__in=open_here.values("visitor")
    )
    chunk = list(users.order_by("pk").values_list("pk", flat=True)[:CHUNK])
    if not chunk:
        return True
    total = Load()
    for load in plan_people(chunk, today).values():
        total.add(load)
    before = job.result.get("load", {})
    after = {name: before.get(name, 0) + value for name, value in vars(total).items()}
    job.result = {**job.result, "load": after}
    job.cursor = {"rules": [], "after": chunk[-1]}
    return False


def user_step(job: Job) -> bool:
    """Job: one person's plan, after something changed."""
    plan_people([job.params["user"]])
    return True
