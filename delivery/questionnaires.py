"""Questionnaires written by supervisors: a draft, published once, then a new version."""

import uuid
from typing import Any

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm.access.capabilities import require, require_everywhere
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.org.models import Office
from delivery.models import Question, Questionnaire, QuestionnaireVersion

MOST = 15  # questions


def _require(by: User, row: Questionnaire) -> None:
    if row.office is None:
        require_everywhere(by, "survey.manage")
    else:
        require(by, "survey.manage", row.office)


@transaction.atomic
def make(*, by: User, office: Office, name: str, name_zh: str = "") -> Questionnaire:
    """A questionnaire with an empty draft."""
    require(by, "survey.manage", office)
    row = Questionnaire.objects.create(
        office=office, code=f"q-{uuid.uuid4().hex[:12]}", name=name, name_zh=name_zh
    )
    QuestionnaireVersion.objects.create(questionnaire=row, number=1)
    audit.record(by, "questionnaire.made", row, office=office)
    return row


@transaction.atomic
def draft_of(row: Questionnaire, *, by: User) -> QuestionnaireVersion:
    """The version that may be edited: the draft, or a copy of what is published. Questions
    keep their codes, so that rounds of different versions compare."""
    _require(by, row)
    Questionnaire.objects.select_for_update().get(
        pk=row.pk
    )  # RACE: two editors, one copy
    newest = row.versions.order_by("-number").first()
    if newest is not None and newest.published_at is None:
        return newest
    number = newest.number + 1 if newest else 1
    made = QuestionnaireVersion.objects.create(
        questionnaire=row,
        number=number,
        intro=newest.intro if newest else "",
        intro_zh=newest.intro_zh if newest else "",
    )
    for question in newest.questions.all() if newest else ():
        question.pk, question.version = None, made
        question.save(force_insert=True)
    return made


@transaction.atomic
def save_draft(
    version: QuestionnaireVersion,
    *,
    by: User,
    intro: str,
    intro_zh: str,
    questions: list[dict[str, Any]],
) -> QuestionnaireVersion:
    """Replace a draft's questions. Refused("questionnaire.published"), ("…logic") when a
    question leans on one that is not before it, ("…empty"), ("…many")."""
    _require(by, version.questionnaire)
    rows = QuestionnaireVersion.objects.select_for_update(of=("self",))
    row = rows.select_related("questionnaire__office").get(pk=version.pk)
    if row.published_at:
        raise Refused("questionnaire.published", _("This version is published."))
    if not questions:
        raise Refused("questionnaire.empty", _("Write one question at least."))
    if len(questions) > MOST:
        raise Refused("questionnaire.many", _("Fifteen questions at most."))
    row.intro, row.intro_zh = intro, intro_zh
    row.save(update_fields=["intro", "intro_zh"])
    row.questions.all().delete()
    before: dict[str, Question] = {}
    for position, facts in enumerate(questions, 1):
        code = facts.pop("code", "") or f"q{uuid.uuid4().hex[:8]}"
        question = Question(version=row, position=position, code=code, **facts)
        _check_logic(question, before)
        question.save(force_insert=True)
        before[code] = question
    audit.record(by, "questionnaire.drafted", row, office=row.questionnaire.office)
    return row


def _check_logic(question: Question, before: dict[str, Question]) -> None:
    if not question.only_if:
        question.only_values = []
        return
    leans_on = before.get(question.only_if)
    if leans_on is None or leans_on.kind == Question.Kind.WORDS:
        message = _(
            "Question %(n)s can lean on an earlier one of 1 to 5 or yes/no only."
        )
        raise Refused("questionnaire.logic", message % {"n": question.position})
    if not question.only_values:
        message = _("Question %(n)s: after which answers is it asked?")
        raise Refused("questionnaire.logic", message % {"n": question.position})


@transaction.atomic
def publish(version: QuestionnaireVersion, *, by: User) -> QuestionnaireVersion:
    """From now on it is asked, and does not change any more."""
    _require(by, version.questionnaire)
    rows = QuestionnaireVersion.objects.select_for_update(of=("self",))
    row = rows.select_related("questionnaire__office").get(pk=version.pk)
    if row.published_at:
        raise Refused("questionnaire.published", _("This version is published."))
    if not row.questions.filter(kind=Question.Kind.RATING).exists():
        message = _("A rating of 1 to 5 is missing: without one there is no score.")
        raise Refused("questionnaire.rating", message)
    row.published_by, row.published_at = by, now()
    row.save(update_fields=["published_by", "published_at"])
    audit.record(by, "questionnaire.published", row, office=row.questionnaire.office)
    return row
