"""What a weak item of a survey leads to: an owner, a last day, a second look.

Source: R-VIS-19, R-VIS-20.
"""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.notify.services import tell
from crm.org.models import Office
from delivery.models import Improvement, Question, SurveyRound
from delivery.round_figures import means_of

GIVEN = gettext_noop("An improvement for you")  # translated when it is read


@transaction.atomic
def improve(
    row: SurveyRound, question: Question, *, by: User, office: Office, **facts: Any
) -> Improvement:
    """Open an improvement for a weak item; who sees to it is told."""
    require(by, "survey.manage", office)
    score = means_of(row, by).get(question.pk)
    made = Improvement.objects.create(
        round=row,
        question=question,
        office=office,
        made_by=by,
        score_before=score[1] if score else None,
        **facts,
    )
    tell(
        made.owner,
        "measure",
        subject=GIVEN,
        body=made.what,
        url="/visits/surveys/improvements/",
        key=f"improvement:{made.pk}",
    )
    audit.record(by, "survey.improvement", made, office=office)
    return made


def _locked(row: Improvement) -> Improvement:
    rows = Improvement.objects.select_for_update(of=("self",))
    return rows.select_related("office", "owner").get(pk=row.pk)


@transaction.atomic
def finish(row: Improvement, *, by: User, words: str) -> Improvement:
    """It is done. Refused("improvement.done")."""
    row = _locked(row)
    if by.pk != row.owner_id:
        require(by, "survey.manage", row.office)
    if row.done_at:
        raise Refused("improvement.done", _("It is done already."))
    row.done_at, row.done_by, row.done_note = now(), by, words
    row.save(update_fields=["done_at", "done_by", "done_note"])
    audit.record(by, "survey.improvement_done", row, office=row.office)
    return row


@transaction.atomic
def judge(row: Improvement, *, by: User, helps: bool, words: str) -> Improvement:
    """Whether it helped: by somebody else than who saw to it. Refused("improvement.open")."""
    row = _locked(row)
    require(by, "survey.manage", row.office)
    if by.pk in (row.owner_id, row.done_by_id):
        raise PermissionDenied("improvement.judge")
    if row.done_at is None or row.is_effective is not None:
        raise Refused("improvement.open", _("There is nothing to judge here."))
    row.is_effective, row.judged_by = helps, by
    row.judged_at, row.judged_note = now(), words
    row.save()
    audit.record(by, "survey.improvement_judged", row, office=row.office)
    return row


def score_since(row: Improvement, user: User) -> float | None:
    """The question's score in the newest round after the improvement was done."""
    later = SurveyRound.objects.filter(
        version__questionnaire=row.question.version.questionnaire,
        opens_on__gte=localdate(row.done_at) if row.done_at else localdate(),
    ).exclude(pk=row.round_id)
    for one in later.order_by("-closes_on")[:1]:
        means = {code: mean for code, mean, _n in means_of(one, user).values()}
        return means.get(row.question.code)
    return None
