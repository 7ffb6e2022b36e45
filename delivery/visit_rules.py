"""What makes a visit due: rules as rows, each one statement for a shard of offices.

Doing it again makes nothing twice: a visit's source says its reason. Sources: domain.md 5.3
(EMS visit rules, cadence by grade, new contracts, alerts, complaints).
"""

from datetime import date, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm.access.capabilities import (
    may,
    may_everywhere,
    require,
    require_everywhere,
)
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.org.models import Office
from crm.org.queries import ancestry
from customers.alerts import working_day_after
from customers.grading import PRESETS
from customers.models import Alert, GradeScheme
from customers.shards import offices_in
from delivery.models import VisitRule, VisitType, Way

LEVELS = [str(level) for level in Office.Level]
AHEAD = 60  # days: what falls due later is not made yet
NOTICE = 14  # days at least from when an overdue visit is made to its window's end
PRIORITY = {
    VisitType.APPOINTMENT: 9,
    VisitType.ALERT: 8,
    VisitType.COMPLAINT: 8,
    VisitType.LEADERSHIP: 6,
    VisitType.NEW_CONTRACT: 6,
    VisitType.PRE_CAMPAIGN: 5,
    VisitType.NEED_SURVEY: 5,
    VisitType.AFTER_CAMPAIGN: 5,
    VisitType.GREETING: 5,
    VisitType.REGULAR: 4,
    VisitType.OTHER: 4,
    VisitType.ACTIVITY: 3,
}
# type, grade, yuan, leader, way, days, slack: the rules of the house
HOUSE: tuple[tuple[str, str, int, str, str, int, int], ...] = (
    (VisitType.REGULAR, "diamond", 0, "", Way.VISIT, 30, 10),
    (VisitType.REGULAR, "platinum", 0, "", Way.VISIT, 60, 14),
    (VisitType.REGULAR, "gold", 0, "", Way.VISIT, 90, 21),
    (VisitType.REGULAR, "vip", 0, "", Way.VISIT, 180, 30),
    (VisitType.REGULAR, "ordinary", 0, "", Way.CALL, 365, 45),
    (VisitType.LEADERSHIP, "", 5_000_000, "province", Way.VISIT, 365, 60),
    (VisitType.LEADERSHIP, "", 100_000, "prefecture", Way.VISIT, 365, 60),
    (VisitType.NEW_CONTRACT, "", 0, "", Way.VISIT, 7, 3),
    (VisitType.NEW_CONTRACT, "", 0, "", Way.VISIT, 30, 5),
    (VisitType.NEW_CONTRACT, "", 0, "", Way.VISIT, 90, 10),
    (VisitType.ALERT, "", 0, "", Way.VISIT, 3, 0),
    (VisitType.COMPLAINT, "", 0, "", Way.VISIT, 7, 0),
)


def sow() -> None:
    """The rules of the house, where none of their type is there."""
    known = set(VisitRule.objects.filter(office=None).values_list("type", flat=True))
    VisitRule.objects.bulk_create(
        VisitRule(
            type=type_,
            grade=grade,
            at_least=at_least,
            leader=leader,
            way=way,
            days=days,
            slack=slack,
        )
        for type_, grade, at_least, leader, way, days, slack in HOUSE
        if type_ not in known
    )


def keep_office(row: Any, by: User) -> None:
    """The right to keep a rule of visits or greetings, where it is and where it was: a
    rule does not change its office, and the house's is kept at the top of the tree."""
    model = type(row)
    before = model.objects.select_for_update(of=("self",)).filter(pk=row.pk).first()
    if before is not None and before.office_id != row.office_id:
        raise PermissionDenied("visit.rule")
    if row.office is None:
        require_everywhere(by, "visit.rule")
    else:
        require(by, "visit.rule", row.office)


def may_keep(user: User, row: Any) -> bool:
    """Whether somebody may change a rule of visits or greetings."""
    if row.office is None:
        return may_everywhere(user, "visit.rule")
    return may(user, "visit.rule", row.office)


@transaction.atomic
def save_rule(row: VisitRule, *, by: User) -> VisitRule:
    """Make or change a rule; that of the house is the province's.

    Refused("rule.leader") when it sends a leader above its own office.
    """
    keep_office(row, by)
    is_new = row.pk is None
    level = row.office.level if row.office else Office.Level.PROVINCE
    if row.leader and LEVELS.index(row.leader) < LEVELS.index(level):
        raise Refused(
            "rule.leader", _("A leader above this office is not its to send.")
        )
    row.made_by = row.made_by or by
    row.save()
    what = "visit.rule_made" if is_new else "visit.rule_changed"
    audit.record(by, what, row, office=row.office, details={"rule": str(row)})
    return row


def grade_names() -> dict[str, str]:
    """Code → name of the grades that any scheme knows; the usual ones where there is none."""
    found: dict[str, str] = {}
    for scheme in GradeScheme.objects.order_by("pk"):
        found |= {grade.code: grade.name for grade in scheme.parsed().grades}
    usual = PRESETS["guangdong"].grades
    return found or {grade.code: grade.name for grade in usual}


def rule_for(type_: str, office: Office) -> VisitRule | None:
    """The rule of a type that holds at an office: the nearest office's, or the house's."""
    near = Q(office=None) | Q(office__path__in=ancestry(office))
    rows = VisitRule.objects.filter(near, type=type_, is_on=True).order_by("days")
    found = sorted(
        rows.select_related("office"),
        key=lambda row: len(row.office.path) if row.office else 0,
    )
    return found[-1] if found else None


# Who is asked: customers of the shard's offices under the rule's own, without those under
# a nearer office that has rules of the type; nobody without a manager, whom the customer
# list and the alerts show as such. `made` needs (customer, due, note, visitor).
SHELL = """
WITH candidate AS ({candidates}),
made AS (
    SELECT c.id, c.office_id, k.source, k.due, k.note,
           coalesce(k.visitor_id, c.manager_id) AS visitor_id,
           k.visitor_id IS NOT NULL AS is_given
    FROM candidate k JOIN customers_customer c ON c.id = k.customer_id
    JOIN org_office o ON o.id = c.office_id
    WHERE c.office_id = ANY(%(offices)s) AND c.merged_into_id IS NULL
        AND c.erased_at IS NULL AND coalesce(k.visitor_id, c.manager_id) IS NOT NULL
        AND o.path LIKE %(under)s
        AND NOT (o.path LIKE ANY(%(nearer)s))
        AND k.due - %(slack)s <= %(today)s::date + {ahead})
INSERT INTO delivery_visit (type, way, customer_id, office_id, visitor_id, is_given, rule_id,
    source, note, first_day, due_on, priority, state, minutes, place, is_pinned, why, misses,
    made_at, reason)
SELECT %(type)s, %(way)s, id, office_id, visitor_id, is_given, %(rule)s, source, note,
       greatest(%(today)s::date, due - %(slack)s), greatest(due, %(today)s::date + %(notice)s),
       %(priority)s, 'open', 60, 0, false, '{}', 0, %(at)s, ''
FROM made ON CONFLICT (source) DO NOTHING"""
# The last of its kind, or in person whatever it was for; a dropped one counts as its turn.
LAST = """
LEFT JOIN LATERAL (
    SELECT max(coalesce(r.visited_on, v.due_on)) AS on FROM delivery_visit v
    LEFT JOIN delivery_visitreport r ON r.visit_id = v.id
    WHERE v.customer_id = {of} AND v.state <> 'open'
        AND (v.type = %(type)s OR v.state = 'done' AND {counts})) last ON true"""
NONE_OPEN = """
NOT EXISTS (SELECT 1 FROM delivery_visit v
            WHERE v.customer_id = {of} AND v.type = %(type)s AND v.state = 'open')"""
# Somebody never visited since the grade came: spread over one interval by their number.
REGULAR = """
SELECT g.customer_id, 'regular:' || g.customer_id || ':' || d.due AS source, d.due,
       g.name AS note, NULL::bigint AS visitor_id
FROM customers_customergrade g{last}
CROSS JOIN LATERAL (SELECT coalesce(last.on + %(days)s,
    (g.since AT TIME ZONE 'Asia/Shanghai')::date + 1
    + ((g.customer_id * 7919) %% %(days)s)::int) AS due) d
WHERE g.code = %(grade)s AND {none_open}"""
LEADERSHIP = """
SELECT v12.customer_id, 'leader:' || %(leader)s || ':' || v12.customer_id || ':' || d.due
       AS source, d.due, '' AS note, boss.user_id AS visitor_id
FROM customers_customervalue v12
JOIN customers_customer x ON x.id = v12.customer_id
JOIN org_office xo ON xo.id = x.office_id
JOIN LATERAL (
    SELECT p.user_id FROM access_posting p
    JOIN org_office b ON b.id = p.office_id JOIN access_user u ON u.id = p.user_id
    WHERE p.role = 'supervisor' AND p.approved AND u.is_active AND b.is_active
        AND p.valid_from <= %(today)s AND (p.valid_to IS NULL OR p.valid_to >= %(today)s)
        AND b.level = %(leader)s AND xo.path LIKE b.path || '%%'
    ORDER BY u.username LIMIT 1) boss ON true{last}
CROSS JOIN LATERAL (SELECT coalesce(last.on + %(days)s,
    v12.until + 1 + ((v12.customer_id * 7919) %% 90)::int) AS due) d
WHERE v12.revenue_12 >= %(at_least)s AND v12.revenue_12 < %(below)s AND {none_open}"""
NEW_CONTRACT = """
SELECT t.customer_id, 'contract:' || t.id || ':' || %(days)s AS source,
       t.starts_on + %(days)s AS due, t.number AS note, NULL::bigint AS visitor_id
FROM customers_contract t
WHERE t.starts_on + %(days)s BETWEEN %(today)s::date - 14 AND %(today)s::date + {ahead}
    AND t.ended_on IS NULL AND NOT EXISTS (
        SELECT 1 FROM customers_contract e
        WHERE e.customer_id = t.customer_id AND e.starts_on < t.starts_on)"""
# Of several alerts of a customer the gravest stands for all.
ALERT = """
SELECT DISTINCT ON (a.customer_id) a.customer_id, 'alert:' || a.id AS source,
       %(alert_due)s::date AS due, '' AS note, NULL::bigint AS visitor_id
FROM customers_alert a
WHERE a.level >= %(grave)s AND a.state <> 'closed' AND {none_open}
ORDER BY a.customer_id, a.level DESC, a.id"""
# What made an alert's visit due has passed: so has the visit.
PASSED = """
UPDATE delivery_visit v SET state = 'dropped', closed_at = %(at)s, reason = %(reason)s,
    day = NULL, at = NULL, is_pinned = false
WHERE v.state = 'open' AND v.type = 'alert' AND v.office_id = ANY(%(offices)s)
    AND EXISTS (SELECT 1 FROM customers_alert a
                WHERE a.state = 'closed' AND a.id = nullif(
                    regexp_replace(v.source, '^alert:', ''), v.source)::bigint)"""
CANDIDATES = {
    VisitType.REGULAR: REGULAR.replace("{last}", LAST)
    .replace("{none_open}", NONE_OPEN)
    .replace("{of}", "g.customer_id")
    .replace("{counts}", "(v.way = 'visit' OR %(way)s = 'call')"),
    VisitType.LEADERSHIP: LEADERSHIP.replace("{last}", LAST)
    .replace("{none_open}", NONE_OPEN)
    .replace("{of}", "v12.customer_id")
    .replace("{counts}", "v.visitor_id = boss.user_id"),
    VisitType.NEW_CONTRACT: NEW_CONTRACT,
    VisitType.ALERT: ALERT.replace("{none_open}", NONE_OPEN).replace(
        "{of}", "a.customer_id"
    ),
}
ENDLESS = 10**12


def rules_at(office: Office) -> list[VisitRule]:
    """The rules that may strike in an office's shard: its own, those below and above."""
    near = Q(office=None) | Q(office__path__in=ancestry(office))
    if office.depth > 1:
        near |= Q(office__path__startswith=office.path)
    rows = VisitRule.objects.filter(near, is_on=True, type__in=CANDIDATES)
    return list(rows.select_related("office"))


def strike(rule: VisitRule, office: Office, today: date) -> int:
    """Make what a rule finds due in an office's shard; how many. One statement."""
    under = rule.office.path if rule.office else ""
    alike = VisitRule.objects.filter(type=rule.type, is_on=True, office__isnull=False)
    nearer = alike.exclude(office=rule.office).filter(office__path__startswith=under)
    higher = VisitRule.objects.filter(
        type=rule.type, office=rule.office, is_on=True, at_least__gt=rule.at_least
    )
    below = higher.order_by("at_least").values_list("at_least", flat=True).first()
    params: dict[str, Any] = {
        "offices": offices_in(office),
        "under": under + "%",
        "nearer": [
            f"{path}%" for path in nearer.values_list("office__path", flat=True)
        ],
        "rule": rule.pk,
        "type": rule.type,
        "way": rule.way,
        "grade": rule.grade,
        "at_least": rule.at_least,
        "below": below or ENDLESS,
        "leader": rule.leader,
        "days": rule.days,
        "slack": rule.slack,
        "notice": 0 if rule.type == VisitType.ALERT else NOTICE,
        "priority": PRIORITY[VisitType(rule.type)],
        "today": today,
        "at": now(),
        "grave": Alert.GRAVE,
        "alert_due": working_day_after(office, today, rule.days),
    }
    candidates = CANDIDATES[VisitType(rule.type)].replace("{ahead}", str(AHEAD))
    with connection.cursor() as cursor:
        statement = SHELL.replace("{candidates}", candidates).replace(
            "{ahead}", str(AHEAD)
        )
        cursor.execute(statement, params)
        return cursor.rowcount


def pass_over(office: Office, reason: str) -> int:
    """Drop visits whose alert has been closed meanwhile."""
    params: dict[str, Any] = {
        "at": now(),
        "reason": reason,
        "offices": offices_in(office),
    }
    with connection.cursor() as cursor:
        cursor.execute(PASSED, params)
        return cursor.rowcount


def window_of(rule: VisitRule | None, office: Office, today: date) -> tuple[date, date]:
    """The window of a visit asked for now, by its rule; two weeks without one."""
    if rule is None:
        return today, today + timedelta(days=NOTICE)
    if rule.type == VisitType.ALERT:
        return today, working_day_after(office, today, rule.days)
    return today, today + timedelta(days=rule.days)
