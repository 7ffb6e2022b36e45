"""Claims: proposed by rule, approved by level, paid, recovered.

Source: domain.md 2.2, R-CMP-10, R-CMP-11. Levels of approval are own judgement: so much
may be decided at or above each level of office; what passes the rule's ceiling is for
the province.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Avg, QuerySet
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from complaints.compensation import Case, suggest
from complaints.models import Claim, Complaint
from complaints.services import locked, may_over
from crm.access.capabilities import may
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.audit import services as audit
from crm.errors import Refused
from crm.hooks.services import emit
from crm.notify.services import tell
from crm.org.models import Office
from customers.grades import benefits_of

# (up to yuan, depth of the office that may decide it): 3 county, 2 prefecture, 1 province.
LEVELS = ((Decimal(1_000), 3), (Decimal(5_000), 2))
PROVINCE = 1
TO_DECIDE = gettext_noop("A compensation to be decided")  # translated when read
DECIDED = gettext_noop("Your compensation is decided")
USUAL_DAYS = 90
UNUSUAL_TIMES = 3  # above the mean of such cases
FACTS = ("regime", "mail", "damage", "excuse", "postage", "loss")
VALUES = ("insured", "total", "declared")


def visible(user: User) -> QuerySet[Claim]:
    """Claims of the work orders that `user` sees."""
    return Claim.objects.filter(complaint__in=Complaint.objects.visible_to(user))


def case_of(typed: dict[str, Any]) -> Case:
    facts: dict[str, Any] = {name: typed.get(name) for name in (*FACTS, *VALUES)}
    return Case(on=localdate(), **facts)


@transaction.atomic
def propose(
    complaint: Complaint,
    *,
    by: User,
    amount: Decimal | None = None,
    reason: str = "",
    is_advance: bool = False,
    **facts: Any,
) -> Claim:
    """Propose what the rule gives, or another amount with a reason. compensation.Missing
    where a value is missing. Refused: "claim.reason", "claim.running"."""
    complaint = locked(complaint)
    if not may_over(by, "claim.propose", complaint):
        raise PermissionDenied("claim.propose")
    found = suggest(case_of(facts))
    amount = found.amount if amount is None else amount
    if amount != found.amount and not reason:
        raise Refused("claim.reason", _("Say why it differs from the rule."))
    if complaint.claims.filter(state__in=["proposed", "approved"]).exists():
        raise Refused("claim.running", _("A claim of this work order is under way."))
    claim = Claim.objects.create(
        complaint=complaint,
        suggested=found.amount,
        ceiling=found.ceiling,
        rule=found.rule,
        rule_version=found.version,
        amount=amount,
        reason=reason,
        is_over_limit=found.ceiling is not None and amount > found.ceiling,
        is_unusual=_is_unusual(complaint, amount),
        is_green="green_channel" in benefits_of(complaint.customer_id),
        is_advance=is_advance,
        proposed_by=by,
        proposed_at=now(),
        **{name: facts.get(name) for name in VALUES},
        **{name: facts.get(name) or "" for name in ("mail", "excuse")},
        **{name: facts.get(name) for name in ("regime", "damage", "postage", "loss")},
    )
    _tell_deciders(claim)
    _record(by, "proposed", claim)
    return claim


def _tell_deciders(claim: Claim) -> None:
    """Supervisors of the office that decides so much."""
    posted = Posting.objects.in_force(localdate()).filter(role=Role.SUPERVISOR)
    here = posted.filter(office=deciding_office(claim)).exclude(user=claim.proposed_by)
    for posting in here.select_related("user"):
        _tell(posting.user, TO_DECIDE, claim)


def _tell(user: User, subject: str, claim: Claim) -> None:
    tell(
        user,
        "claim",
        subject=subject,
        body=f"{claim.complaint.ref} ¥{claim.amount}",
        url=f"{claim.complaint.get_absolute_url()}#claims",
        key=f"claim:{claim.pk}:{claim.state}:{user.pk}",
        is_public=True,
    )


def _is_unusual(complaint: Complaint, amount: Decimal) -> bool:
    """Over three times the mean of what such cases cost in the last 90 days."""
    alike = Claim.objects.filter(
        complaint__category=complaint.category,
        proposed_at__gte=now() - timedelta(days=USUAL_DAYS),
    )
    mean = alike.exclude(state=Claim.State.REFUSED).aggregate(n=Avg("amount"))["n"]
    return mean is not None and amount > UNUSUAL_TIMES * mean


def deciding_office(claim: Claim) -> Office:
    """The lowest office that may decide so much: at or above the one that handles it."""
    office = claim.complaint.handling_office
    depth = PROVINCE
    if not claim.is_over_limit:
        depth = next((d for most, d in LEVELS if claim.amount <= most), PROVINCE)
    depth = min(depth, office.depth)
    return Office.objects.get(path=office.path[: depth * Office.steplen])


def may_decide(user: User, claim: Claim) -> bool:
    is_other = claim.proposed_by_id != user.pk
    return is_other and may(user, "claim.decide", deciding_office(claim))


def _fresh(claim: Claim, state: str) -> Claim:
    rows = Claim.objects.select_for_update(of=("self",))
    claim = rows.select_related("complaint__handling_office").get(pk=claim.pk)
    if claim.state != state:
        raise Refused("claim.state", _("This claim has gone on meanwhile."))
    return claim


@transaction.atomic
def decide(claim: Claim, *, by: User, grants: bool, decision: str) -> Claim:
    """Approve or refuse; who proposed cannot. Refused("claim.state")."""
    claim = _fresh(claim, Claim.State.PROPOSED)
    if not may_decide(by, claim):
        raise PermissionDenied("claim.decide")
    claim.state = Claim.State.APPROVED if grants else Claim.State.REFUSED
    claim.decided_by, claim.decided_at, claim.decision = by, now(), decision
    claim.save(update_fields=["state", "decided_by", "decided_at", "decision"])
    _tell(claim.proposed_by, DECIDED, claim)
    _record(by, claim.state, claim)
    return claim


@transaction.atomic
def pay(claim: Claim, *, by: User, voucher: str) -> Claim:
    """The customer has been paid, by a voucher of the books."""
    claim = _fresh(claim, Claim.State.APPROVED)
    if not may(by, "claim.pay", claim.complaint.handling_office):
        raise PermissionDenied("claim.pay")
    claim.state, claim.voucher = Claim.State.PAID, voucher
    claim.paid_by, claim.paid_at = by, now()
    claim.save(update_fields=["state", "voucher", "paid_by", "paid_at"])
    _record(by, "paid", claim)
    return claim


@transaction.atomic
def recover(claim: Claim, *, by: User, amount: Decimal, office: Office) -> Claim:
    """So much of it comes back from the liable unit. Refused("claim.recovered")."""
    claim = _fresh(claim, Claim.State.PAID)
    if not may(by, "claim.pay", claim.complaint.handling_office):
        raise PermissionDenied("claim.pay")
    if not 0 < amount <= claim.amount:
        raise Refused("claim.recovered", _("At most what was paid."))
    claim.state, claim.recovered = Claim.State.RECOVERED, amount
    claim.recovered_from, claim.recovered_at = office, now()
    columns = ["state", "recovered", "recovered_from", "recovered_at"]
    claim.save(update_fields=columns)
    _record(by, "recovered", claim)
    return claim


def _record(by: User, what: str, claim: Claim) -> None:
    details = {"amount": f"{claim.amount}", "rule": claim.rule, "reason": claim.reason}
    audit.record(
        by,
        f"claim.{what}",
        claim.complaint,
        office=claim.complaint.office,
        details=details,
    )
    data = {"ref": claim.complaint.ref, "claim": claim.pk, "state": claim.state}
    data |= {"amount": f"{claim.amount}", "rule": claim.rule}
    emit("claim.moved", [claim.complaint.office], data)
