"""What outreach came to: calls and letters done by people, answers, figures by step."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils.timezone import now
from django.utils.translation import gettext as _

from campaigns import files, seasons
from campaigns.models import (
    Campaign,
    CardOrder,
    Contact,
    OutreachStep,
    PrintFile,
    Touch,
)
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.notify.models import Message
from delivery.quality.rates import Share

State, Way, Outcome = Campaign.State, OutreachStep.Way, Touch.Outcome
LETTERS = 1000  # of one file
CALLS = 3  # attempts of a call before nobody was reached


def open_touches(user: User, way: str) -> QuerySet[Touch]:
    """Calls or letters of the reader's customers that wait, in the order they fell due."""
    rows = Touch.objects.visible_to(user).filter(
        outcome=Outcome.OPEN,
        step__way=way,
        step__campaign__state__in=[State.RUNNING, State.DONE],
    )
    if way == Way.CALL:
        rows = rows.filter(due_at__lte=now())
    return rows.select_related(
        "step__campaign__season",
        "contact__customer__office",
        "contact__customer__manager",
    ).prefetch_related("step__variants")


@transaction.atomic
def called(touch: Touch, *, by: User, result: str) -> Touch:
    """What a call came to: an answer of the customer, or "nobody" for nobody reached, who is
    called again the next day, three times at most.

    Refused("touch.done") once somebody has noted it.
    """
    rows = Touch.objects.select_for_update(of=("self",)).select_related(
        "contact__customer__office", "step__campaign__season"
    )
    row = rows.get(pk=touch.pk)
    customer = row.contact.customer
    require(by, "touch.do", customer.office)
    seasons.locked(row.step.campaign.season)
    if row.outcome != Outcome.OPEN or (row.due_at and row.due_at > now()):
        raise Refused("touch.done", _("Somebody has noted this call already."))
    row.attempts += 1
    row.done_by = by
    if result == "nobody":
        if row.attempts >= CALLS:
            row.outcome = Outcome.NOBODY
        else:
            row.due_at = now() + timedelta(days=1)
    else:
        row.outcome = Outcome.ANSWERED
        _answer(row.contact, result)
    row.save()
    audit.record(
        by,
        "outreach.called",
        customer,
        office=customer.office,
        details={"result": result},
    )
    return row


@transaction.atomic
def answered(contact: Contact, *, by: User, answer: str) -> Contact:
    """An answer that came otherwise: a text back, a letter, at the counter."""
    rows = Contact.objects.select_for_update(of=("self",)).select_related(
        "customer__office"
    )
    row = rows.get(pk=contact.pk)
    require(by, "touch.do", row.customer.office)
    seasons.locked(row.campaign.season)
    _answer(row, answer)
    last = row.touches.order_by("-at", "-pk").first()
    if last and last.outcome in (Outcome.SENT, Outcome.OPEN):
        last.outcome, last.done_by = Outcome.ANSWERED, by
        last.save(update_fields=["outcome", "done_by"])
    audit.record(
        by,
        "outreach.answered",
        row.customer,
        office=row.customer.office,
        details={"answer": answer},
    )
    return row


def _answer(contact: Contact, answer: str) -> None:
    contact.answer = Contact.Answer(answer)
    contact.answered_at = contact.answered_at or now()
    contact.save(update_fields=["answer", "answered_at"])


@transaction.atomic
def print_letters(user: User) -> int:
    """Have the letters that wait for `user` made into one file, and count them as posted;
    how many. RACE: marked under lock first, so that twice is once."""
    rows = open_touches(user, Way.LETTER).order_by("pk")
    first = rows.first()
    if first is None:
        return 0
    season = first.step.campaign.season
    mine = Touch.objects.select_for_update().filter(
        pk__in=rows.filter(step__campaign__season=season).values("pk"),
        outcome=Outcome.OPEN,
    )
    ids = list(mine.order_by("pk").values_list("pk", flat=True)[:LETTERS])
    if ids:
        Touch.objects.filter(pk__in=ids).update(outcome=Outcome.SENT, done_by=user)
        files.ask(season, PrintFile.Kind.MAILING, {"touches": ids}, by=user)
    return len(ids)


# --- what it came to ------------------------------------------------------------------------------


@dataclass(frozen=True)
class StepFigures:
    """One step in numbers; `reached` left the house or was done by a person."""

    step: OutreachStep
    touched: int
    sent: int
    waiting: int
    suppressed: int
    refused: int
    response: Share
    conversion: Share


def step_figures(campaign: Campaign) -> list[StepFigures]:
    """Each step: to whom, handed over, stopped at the gate; answers and orders of those it
    reached. Two queries."""
    S = Message.State
    orders = CardOrder.objects.valid().annotate(
        ordered=Coalesce("contracted_at", "made_at")
    )
    later = orders.filter(
        season=campaign.season,
        customer=OuterRef("contact__customer"),
        ordered__gt=OuterRef("at"),
    )
    rows = Touch.objects.filter(step__campaign=campaign).annotate(bought=Exists(later))
    gone = Q(outcome=Outcome.SENT) & (Q(message=None) | Q(message__state=S.SENT))
    reached = gone | Q(outcome=Outcome.ANSWERED)
    sums = {
        one["step"]: one
        for one in rows.order_by()
        .values("step")
        .annotate(
            touched=Count("pk"),
            sent=Count("pk", filter=reached),
            waiting=Count(
                "pk", filter=Q(outcome=Outcome.OPEN) | Q(message__state=S.PENDING)
            ),
            suppressed=Count(
                "pk", filter=Q(message__state__in=[S.SUPPRESSED, S.FAILED])
            ),
            refused=Count(
                "pk", filter=Q(outcome__in=[Outcome.REFUSED, Outcome.NOBODY])
            ),
            answers=Count("pk", filter=Q(outcome=Outcome.ANSWERED)),
            orders=Count("pk", filter=reached & Q(bought=True)),
        )
    }
    return [
        _figures(step, dict(sums.get(step.pk, {}))) for step in campaign.steps.all()
    ]


def _figures(step: OutreachStep, one: dict[str, Any]) -> StepFigures:
    sent = one.get("sent", 0)
    return StepFigures(
        step,
        one.get("touched", 0),
        sent,
        one.get("waiting", 0),
        one.get("suppressed", 0),
        one.get("refused", 0),
        Share(one.get("answers", 0), sent),
        Share(one.get("orders", 0), sent),
    )


def state_counts(campaign: Campaign) -> dict[str, int]:
    """Contacts by state, and stopped ones by reason. One query."""
    rows = campaign.contacts.order_by().values_list("state", "stopped_by")
    found: dict[str, int] = {}
    for state, reason, n in rows.annotate(n=Count("pk")):
        found[state] = found.get(state, 0) + n
        if reason:
            found[reason] = n
    return found
