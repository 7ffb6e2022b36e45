"""Rules of the watch: kept by supervisors, nearest office first (domain.md 5.4)."""

from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.org.models import Office
from customers.models import (
    Alert,
    WatchRule,
)
from customers.models.choices import Segment

Kind, Level = WatchRule.Kind, WatchRule.Level

USAGE = (
    *(Kind.YEAR, Kind.QUARTER_YEAR, Kind.QUARTER, Kind.MONTH, Kind.SILENT),
    Kind.ALIVE,
)

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
    (Kind.CONTACT, Level.YELLOW, None, 90, 1000, 0, 10),
    (Kind.ARREARS, Level.YELLOW, None, 31, 100, 0, 10),
    (Kind.ARREARS, Level.ORANGE, None, 61, 100, 0, 5),
    (Kind.ARREARS, Level.RED, None, 91, 100, 0, 3),
)


def family_of(kind: str) -> list[str]:
    """Kinds of which the gravest open alert stands for all."""
    return list(USAGE) if kind in USAGE else [kind]


@transaction.atomic
def save_rule(rule: WatchRule, *, by: User | None) -> WatchRule:
    """Keep a rule; alerts that it has raised follow it in the coming night."""
    require(by, "watch.edit", rule.office)
    if rule.pk is None:
        rule.made_by = by
    try:
        with transaction.atomic():
            rule.save()
    except IntegrityError as error:  # RACE: somebody else has just made the same
        raise Refused(
            "rule.twice", _("This office has such a rule already.")
        ) from error
    details = {"kind": rule.kind, "level": rule.level, "on": rule.is_on}
    audit.record(by, "watch.rule_saved", rule, office=rule.office, details=details)
    return rule


@transaction.atomic
def usual_rules(office: Office, *, by: User | None) -> int:
    """Give an office the usual rules that it lacks; how many were made."""
    require(by, "watch.edit", office)
    Office.objects.select_for_update().get(pk=office.pk)  # RACE: two clicks
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
        row["false_rate"] = row[Alert.Outcome.FALSE] / answered if answered else None
    return found
