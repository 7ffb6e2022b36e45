"""Asking customers: an invitation with a token and an end, answers taken once.

Source: domain.md 7.6, architecture.md 1.9. The app that asked is told in the transaction
that keeps the answers (settings.SURVEY_HEARERS), so that both are there or neither.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.hooks.services import emit
from crm.org.models import Office
from customers.models import Customer
from delivery.models import (
    Answer,
    Invitation,
    Question,
    Questionnaire,
    QuestionnaireVersion,
)

VALID_FOR = timedelta(days=7)
Kind = Question.Kind
# After a work order: three taps, and words only from who is not content.
WORK_ORDER = "work_order"
OUTSIDE = "outside"
SEEDS: tuple[dict[str, Any], ...] = (
    {
        "code": "solved",
        "kind": Kind.YES_NO,
        "text": "Was your matter settled?",
        "text_zh": "您的问题解决了吗？",
    },
    {
        "code": "rating",
        "kind": Kind.RATING,
        "text": "How content are you with how it was handled?",
        "text_zh": "您对处理过程满意吗？",
    },
    {
        "code": "words",
        "kind": Kind.WORDS,
        "text": "What should we do better?",
        "text_zh": "您希望我们改进什么？",
        "is_required": False,
        "only_if": "rating",
        "only_values": [1, 2, 3],
    },
)
CARD_SEASON = "card_season"
AFTER_CARDS: tuple[dict[str, Any], ...] = (
    {
        "code": "cards",
        "kind": Kind.RATING,
        "text": "How content are you with your cards?",
        "text_zh": "您对贺卡的设计与制作满意吗？",
    },
    {
        "code": "value",
        "kind": Kind.RATING,
        "text": "Were they worth their price?",
        "text_zh": "您觉得贺卡的性价比如何？",
    },
    {
        "code": "delivery",
        "kind": Kind.RATING,
        "text": "Did they arrive in time, and where they should?",
        "text_zh": "贺卡是否准时、准确地投递到位？",
    },
    {
        "code": "again",
        "kind": Kind.YES_NO,
        "text": "Will you send cards again next season?",
        "text_zh": "下一季您还会选择邮政贺卡吗？",
    },
    {**SEEDS[2], "only_if": "value"},
)


def sow() -> None:
    """What the house asks: after a work order, after a card season (R-CAM-03), and what
    outside results are kept as."""
    _sow(
        WORK_ORDER,
        {"name": "After a work order", "name_zh": "工单回访"},
        {
            "intro": "You told us about a matter; we answered. Three taps tell us how it went.",
            "intro_zh": "您向我们反映过问题，我们已经答复。请点三下告诉我们结果如何。",
        },
        SEEDS,
    )
    _sow(
        CARD_SEASON,
        {"name": "After the card season", "name_zh": "贺卡季售后调查"},
        {
            "intro": "Your greeting cards have gone out. Tell us what they were worth to you.",
            "intro_zh": "您的贺卡已经投递完毕，请告诉我们这一季做得怎么样。",
        },
        AFTER_CARDS,
    )
    names = {"name": "Follow-ups from outside", "name_zh": "外部回访结果"}
    _sow(OUTSIDE, names, {}, SEEDS[1:])


def _sow(code: str, names: dict[str, str], intro: dict[str, str], lines: Any) -> None:
    asked, made = Questionnaire.objects.get_or_create(code=code, defaults=names)
    if made:
        version = QuestionnaireVersion.objects.create(
            questionnaire=asked, number=1, published_at=now(), **intro
        )
        rows = [
            Question(version=version, position=n, **row)
            for n, row in enumerate(lines, 1)
        ]
        Question.objects.bulk_create(rows)


def current(code: str) -> QuestionnaireVersion:
    """The newest published version of a questionnaire."""
    rows = QuestionnaireVersion.objects.filter(
        questionnaire__code=code, published_at__isnull=False
    )
    return rows.order_by("-number")[:1].get()


@transaction.atomic
def invite(
    version: QuestionnaireVersion,
    *,
    by: User | None,
    office: Office,
    source: str,
    subject: str,
    way: str,
    customer: Customer | None = None,
    until: datetime | None = None,
) -> Invitation:
    """Ask somebody, for seven days or until a moment. Rights are the caller's, which
    knows the subject."""
    at = now()
    return Invitation.objects.create(
        token=Invitation.new_token(),
        version=version,
        source=source,
        subject=subject,
        office=office,
        customer=customer,
        way=way,
        sent_by=by,
        sent_at=at,
        expires_at=until or at + VALID_FOR,
    )


@transaction.atomic
def close(source: str, subject: str) -> None:
    """What was asked has been overtaken: links that wait are not open any more."""
    waiting = Invitation.objects.filter(source=source, subject=subject)
    waiting.filter(answered_at=None, expires_at__gt=now()).update(expires_at=now())


def link(invitation: Invitation) -> str:
    """The public address, to be sent."""
    return settings.PUBLIC_URL + reverse("survey", args=[invitation.token])


def is_asked(question: Question, numbers: dict[str, int | None]) -> bool:
    """Whether a question is asked, after what was answered before it."""
    if not question.only_if:
        return True
    return numbers.get(question.only_if) in question.only_values


@transaction.atomic
def answer(invitation: Invitation, given: dict[str, Any]) -> Invitation:
    """Keep the answers, by the questions' codes (numbers, or words); once.

    RACE: the second of two waits, and is refused. Refused: "survey.answered",
    "survey.expired", "survey.missing".
    """
    rows = Invitation.objects.select_for_update(of=("self",))
    invitation = rows.select_related("version", "office").get(pk=invitation.pk)
    if invitation.answered_at:
        raise Refused("survey.answered", _("You have answered already. Thank you."))
    if invitation.expires_at < now():
        raise Refused("survey.expired", _("This link is not open any more."))
    numbers: dict[str, int | None] = {}
    kept = []
    for question in invitation.version.questions.all():
        if not is_asked(question, numbers):
            continue
        value = given.get(question.code)
        if value in (None, ""):
            if question.is_required:
                raise Refused("survey.missing", str(question))
            continue
        is_words = question.kind == Kind.WORDS
        row = Answer(invitation=invitation, question=question)
        row.words = str(value)[:500] if is_words else ""
        row.number = None if is_words else int(value)
        numbers[question.code] = row.number
        kept.append(row)
    Answer.objects.bulk_create(kept)
    ratings = (a.number for a in kept if a.question.kind == Kind.RATING)
    invitation.rating = next(ratings, None)
    invitation.answered_at = now()
    invitation.save(update_fields=["rating", "answered_at"])
    audit.record(None, "survey.answered", invitation, office=invitation.office)
    data = {"source": invitation.source, "ref": invitation.subject}
    emit("survey.answered", [invitation.office], data | {"rating": invitation.rating})
    if hearer := settings.SURVEY_HEARERS.get(invitation.source):
        import_string(hearer)(invitation)
    return invitation


def given_of(invitation: Invitation) -> dict[str, Any]:
    """What was answered, by the questions' codes. One query."""
    rows = invitation.answers.select_related("question")
    return {
        row.question.code: row.words if row.number is None else row.number
        for row in rows
    }


def forget_customer(customer: Customer) -> None:
    """The customer is erased: what they wrote goes, the numbers stay without a name."""
    rows = Invitation.objects.filter(customer=customer)
    Answer.objects.filter(invitation__in=rows).update(words="")
    rows.update(customer=None)
