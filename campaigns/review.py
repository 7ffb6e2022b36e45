"""The two-stage customer-orientation review, and the pilot.

Sources: R-CAM-45…49, domain.md 7.5. Every field of a decision stands in the audit trail.
"""

from typing import Any

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from campaigns import seasons
from campaigns.models import (
    OrientationReview,
    PilotFinding,
    PilotUser,
    ReviewRisk,
    Season,
)
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.notify.services import tell

State = OrientationReview.State
FACTS = ("affected", "changes", "complaints", "script")


def _open(season: Season, by: User) -> Season:
    """The season, locked, still in preparation. Refused("review.issued")."""
    row = seasons.locked(season)
    if row.state != Season.State.DRAFT:
        message = _("The season is running: its review stays as it was signed.")
        raise Refused("review.issued", message)
    return row


def details_of(review: OrientationReview) -> dict[str, Any]:
    """All that was judged, for the audit trail."""
    return {name: getattr(review, name) for name in FACTS} | {
        "initiator": review.initiator.username,
        "risks": [
            [risk.words, risk.likelihood, risk.impact, risk.measure]
            for risk in review.risks.all()
        ],
    }


@transaction.atomic
def write(
    season: Season, *, by: User, facts: dict[str, Any], risks: list[ReviewRisk]
) -> OrientationReview:
    """Stage 1: write or change the assessment. Who writes last is its initiator; a
    countersignature is void. Refused("review.risks") without a risk, ("review.submitted")
    for another's that waits for its countersignature."""
    row = _open(season, by)
    require(by, "season.plan", row.office)
    if not risks:
        message = _("Name at least one risk to customers, and what is done about it.")
        raise Refused("review.risks", message)
    review = OrientationReview.objects.select_for_update().filter(season=row).first()
    review = review or OrientationReview(season=row)
    was_signed = review.state == State.SIGNED
    if review.state == State.SUBMITTED and review.initiator_id != by.pk:
        message = _(
            "It waits for its countersignature: only who handed it in changes it."
        )
        raise Refused("review.submitted", message)
    for name in FACTS:
        setattr(review, name, facts[name])
    review.state, review.initiator, review.submitted_at = State.DRAFT, by, None
    review.countersigned_by, review.decided_at, review.reply = None, None, ""
    review.save()
    review.risks.all().delete()
    for risk in risks:
        risk.pk, risk.review = None, review
    ReviewRisk.objects.bulk_create(risks)
    details = details_of(review) | {"voided": was_signed}
    audit.record(by, "review.written", review, office=row.office, details=details)
    return review


@transaction.atomic
def submit(season: Season, *, by: User) -> OrientationReview:
    """Hand the assessment to the service department. Refused("review.state")."""
    row = _open(season, by)
    require(by, "season.plan", row.office)
    review = _in_state(row, State.DRAFT, State.SENT_BACK)
    review.state, review.submitted_at = State.SUBMITTED, now()
    review.save()
    audit.record(
        by, "review.submitted", review, office=row.office, details=details_of(review)
    )
    return review


def _in_state(season: Season, *states: str) -> OrientationReview:
    review = OrientationReview.objects.select_for_update().filter(season=season).first()
    if review is None or review.state not in states:
        raise Refused("review.state", _("The review has moved on meanwhile."))
    return review


@transaction.atomic
def decide(
    season: Season, *, by: User, is_signed: bool, reply: str
) -> OrientationReview:
    """Stage 2: another person of the service department countersigns or sends back.

    Refused("review.same") for who wrote it, ("review.reply") without a judgement.
    """
    row = _open(season, by)
    require(by, "season.review", row.office)
    review = _in_state(row, State.SUBMITTED)
    if review.initiator_id == by.pk:
        message = _("Whoever wrote the assessment cannot countersign it.")
        raise Refused("review.same", message)
    if not reply.strip():
        raise Refused("review.reply", _("Say how you judge it."))
    review.state = State.SIGNED if is_signed else State.SENT_BACK
    review.countersigned_by = by if is_signed else None
    review.reply, review.decided_at = reply, now()
    review.save()
    action = "review.signed" if is_signed else "review.sent_back"
    details = details_of(review) | {"reply": reply}
    audit.record(by, action, review, office=row.office, details=details)
    tell(
        review.initiator,
        "season",
        subject=str(State(review.state).label),
        body=row.name,
        url=f"{row.get_absolute_url()}review/",
        key=f"review:{review.pk}:{review.decided_at:%Y%m%d%H%M%S%f}",
    )
    return review


# --- the pilot -----------------------------------------------------------------------------


@transaction.atomic
def apply(row: PilotUser, *, by: User) -> PilotUser:
    """A customer applies to be a business supervisor of the season.

    Refused("pilot.office") for a customer of another office.
    """
    season = _open(row.season, by)
    require(by, "member.note", row.customer.office)
    if row.customer.office.path[: len(season.office.path)] != season.office.path:
        raise Refused("pilot.office", _("The customer belongs to another office."))
    if season.pilot_users.filter(customer=row.customer).exists():
        message = _("This customer is in the pilot already.")
        raise Refused("pilot.twice", message)
    row.is_accepted = row.decided_by = None
    row.save()
    audit.record(by, "pilot.applied", row, office=row.customer.office)
    return row


@transaction.atomic
def accept(row: PilotUser, *, by: User, is_accepted: bool) -> PilotUser:
    """Take an applicant into the pilot, or not. Deciding the same twice is once."""
    season = _open(row.season, by)
    require(by, "season.plan", season.office)
    row = PilotUser.objects.select_for_update().get(pk=row.pk)
    if row.is_accepted is not None:
        if row.is_accepted == is_accepted:
            return row
        raise Refused("pilot.decided", _("Somebody has decided this already."))
    row.is_accepted, row.decided_by = is_accepted, by
    row.save(update_fields=["is_accepted", "decided_by"])
    details = {"accepted": is_accepted, "waiver": f"{row.waiver}"}
    audit.record(by, "pilot.decided", row, office=season.office, details=details)
    return row


@transaction.atomic
def found(row: PilotFinding, *, by: User) -> PilotFinding:
    """A problem or suggestion of a pilot user. Refused("pilot.user") unless accepted."""
    season = seasons.locked(row.user.season)
    require(by, "member.note", row.user.customer.office)
    if not row.user.is_accepted:
        raise Refused("pilot.user", _("This customer is not in the pilot."))
    row.noted_by = by
    row.save()
    details = {"kind": row.kind, "reward": f"{row.reward}"}
    audit.record(by, "pilot.found", row, office=season.office, details=details)
    return row
