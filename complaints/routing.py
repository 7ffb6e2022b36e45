"""Where a new work order goes, and to whom: ordered rules, the first that fits.

Source: domain.md 6.3, R-CMP-04, R-CMP-06, R-CMP-49; anchors.md 2.3. Without rules a
customer's own office handles it, or the office that took it in.
"""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, Q
from django.utils.timezone import localdate, now

from complaints.kinds import Scope, Severity
from complaints.models import Complaint, Desk, RoutingRule, Seat
from crm.access.capabilities import require
from crm.access.duty import on_duty
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.audit import services as audit
from crm.org.models import Office
from crm.org.queries import ancestry
from customers.grades import benefits_of
from customers.models.choices import Segment

Target = RoutingRule.Target


@dataclass(frozen=True)
class Route:
    """The answer: where, by which rule, which desk, whose, how fast."""

    office: Office
    rule: RoutingRule | None = None
    desk: Desk | None = None
    is_fast_lane: bool = False
    owner: User | None = None


def rules_for(office: Office) -> list[RoutingRule]:
    """The active rules for what `office` takes in: its own before those above, each in
    its order. One query."""
    rows = RoutingRule.objects.filter(is_active=True, office__path__in=ancestry(office))
    found = rows.select_related("office", "target_office", "desk")
    return sorted(found, key=lambda r: (-r.office.depth, r.position, r.pk))


def route(complaint: Complaint) -> Route:
    """Where an unsaved work order goes. Two queries, three to find a person."""
    benefits: list[str] | None = None
    for rule in rules_for(complaint.office):
        if rule.benefit and benefits is None:
            benefits = benefits_of(complaint.customer_id)
        if _fits(rule, complaint, benefits or []):
            return _along(rule, complaint)
    customer = complaint.customer
    return Route(customer.office if customer else complaint.office)


def _fits(rule: RoutingRule, complaint: Complaint, benefits: list[str]) -> bool:
    customer = complaint.customer
    segment = customer.segment if customer else Segment.CASUAL
    is_far = complaint.scope in (Scope.COUNTRY, Scope.ABROAD)
    return (
        (not rule.kind or rule.kind == complaint.kind)
        and (not rule.severity or rule.severity == complaint.severity)
        and (not rule.segment or rule.segment == segment)
        and (not rule.is_inter_province or is_far)
        and (not rule.benefit or rule.benefit in benefits)
    )


def _along(rule: RoutingRule, complaint: Complaint) -> Route:
    taker, customer = complaint.office, complaint.customer
    office = customer.office if customer else taker
    if rule.target == Target.TAKER:
        office = taker
    elif rule.target == Target.COORDINATOR:
        office = Office.objects.get(path=taker.path[: Office.steplen])
    elif rule.target == Target.OFFICE and rule.target_office:
        office = rule.target_office
    owner = _least_busy(rule.desk, office) if rule.gives_person else None
    return Route(office, rule, rule.desk, rule.is_fast_lane, owner)


def _least_busy(desk: Desk | None, office: Office) -> User | None:
    """Who of the desk, or of the office's handlers, is at work, not on a break, and has
    the fewest open work orders; nobody where nobody is."""
    posted = Posting.objects.in_force(localdate()).filter(
        office=office, role=Role.HANDLER
    )
    chosen = Q(desks=desk) if desk else Q(pk__in=posted.values("user"))
    away = Seat.objects.filter(state=Seat.State.BREAK)
    people = User.objects.filter(chosen, is_active=True).exclude(
        pk__in=away.values("user")
    )
    working = {user.pk: user for user in on_duty(people, now())}
    if not working:
        return None
    load = dict(
        Complaint.objects.open()
        .filter(owner__in=working)
        .values_list("owner")
        .annotate(n=Count("pk"))
    )
    return working[min(working, key=lambda pk: (load.get(pk, 0), pk))]


USUAL: tuple[dict[str, Any], ...] = (
    {"severity": Severity.MAJOR, "target": Target.COORDINATOR, "is_fast_lane": True},
    {
        "severity": Severity.URGENT,
        "is_inter_province": True,
        "target": Target.COORDINATOR,
    },
    {"benefit": "priority_queue", "target": Target.OWNER, "is_fast_lane": True},
    {"segment": Segment.CONTRACT, "target": Target.OWNER},
    {"target": Target.TAKER},
)


@transaction.atomic
def add_usual(office: Office, *, by: User | None) -> int:
    """The rules of domain.md 6.3 for an office that has none yet; how many were added."""
    require(by, "routing.edit", office)
    Office.objects.select_for_update().get(pk=office.pk)
    if RoutingRule.objects.filter(office=office).exists():
        return 0
    for place, facts in enumerate(USUAL, 1):
        RoutingRule.objects.create(office=office, position=place * 10, **facts)
    audit.record(by, "routing.usual_added", office, office=office)
    return len(USUAL)


@transaction.atomic
def save_rule(rule: RoutingRule, *, by: User) -> RoutingRule:
    require(by, "routing.edit", rule.office)
    rule.save()
    details = {"position": rule.position, "target": rule.target}
    audit.record(by, "routing.rule_saved", rule, office=rule.office, details=details)
    return rule


@transaction.atomic
def remove_rule(rule: RoutingRule, *, by: User) -> None:
    """Work orders that it led keep their way."""
    require(by, "routing.edit", rule.office)
    audit.record(by, "routing.rule_removed", rule, office=rule.office)
    rule.delete()


@transaction.atomic
def save_desk(desk: Desk, *, by: User, members: list[User]) -> Desk:
    require(by, "routing.edit", desk.office)
    desk.save()
    desk.members.set(members)
    details = {"members": [user.pk for user in members]}
    audit.record(by, "desk.saved", desk, office=desk.office, details=details)
    return desk
