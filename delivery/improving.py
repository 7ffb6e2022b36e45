"""What a weak item of a survey, or a finding of an inspection, leads to: an owner, a last
day, a second look.

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
from delivery.models import Check, Improvement, Question, SurveyRound
from delivery.round_figures import means_of

GIVEN = gettext_noop("An improvement for you")  # translated when it is read


@transaction.atomic
def improve(
    row: SurveyRound, question: Question, *, by: User, office: Office, **facts: Any
) -> Improvement:
    """Open an improvement for a weak item of a survey; who sees to it is told."""
    require(by, "survey.manage", office)
    score = means_of(row, by).get(question.pk)
    before = score[1] if score else None
    return _opened(
        by, round=row, question=question, office=office, score_before=before, **facts
    )


@transaction.atomic
def mend(finding: Check, *, by: User, **facts: Any) -> Improvement:
    """Open an improvement for what an inspection found. Refused("finding.met") for what is
    as expected, ("finding.again") while one is open."""
    office = finding.inspection.office
    require(by, "improvement.manage", office)
    if finding.verdict != Check.Verdict.MISSED:
        raise Refused("finding.met", _("There is nothing to improve here."))
    # RACE: two clicks take turns on the finding; the second finds what the first opened.
    list(Check.objects.select_for_update().filter(pk=finding.pk))
    if finding.improvements.filter(is_effective=None).exists():
        raise Refused("finding.again", _("An improvement of this is open already."))
    return _opened(by, finding=finding, office=office, **facts)


def _opened(by: User, **facts: Any) -> Improvement:
    made = Improvement.objects.create(made_by=by, **facts)
    tell(
        made.owner,
        "measure",
        subject=GIVEN,
        body=made.what,
        url="/visits/surveys/improvements/",
        key=f"improvement:{made.pk}",
    )
    audit.record(by, "improvement.opened", made, office=made.office)
    return made


def _locked(row: Improvement) -> Improvement:
    rows = Improvement.objects.select_for_update(of=("self",))
    return rows.select_related("office", "owner").get(pk=row.pk)


@transaction.atomic
def finish(row: Improvement, *, by: User, words: str) -> Improvement:
    """It is done. Refused("improvement.done")."""
    row = _locked(row)
    if by.pk != row.owner_id:
        require(by, "improvement.manage", row.office)
    if row.done_at:
        raise Refused("improvement.done", _("It is done already."))
    row.done_at, row.done_by, row.done_note = now(), by, words
    row.save(update_fields=["done_at", "done_by", "done_note"])
    audit.record(by, "improvement.done", row, office=row.office)
    return row


@transaction.atomic
def judge(row: Improvement, *, by: User, helps: bool, words: str) -> Improvement:
    """Whether it helped: by somebody else than who saw to it. Refused("improvement.open")."""
    row = _locked(row)
    require(by, "improvement.manage", row.office)
    if by.pk in (row.owner_id, row.done_by_id):
        raise PermissionDenied("improvement.judge")
    if row.done_at is None or row.is_effective is not None:
        raise Refused("improvement.open", _("There is nothing to judge here."))
    row.is_effective, row.judged_by = helps, by
    row.judged_at, row.judged_note = now(), words
    row.save()
    audit.record(by, "improvement.judged", row, office=row.office)
    return row


def score_since(row: Improvement, user: User) -> float | None:
    """The question's score in the newest round after the improvement was done."""
    if row.question is None or row.round_id is None:
        return None
    later = SurveyRound.objects.filter(
        version__questionnaire=row.question.version.questionnaire,
        opens_on__gte=localdate(row.done_at) if row.done_at else localdate(),
    ).exclude(pk=row.round_id)
    for one in later.order_by("-closes_on")[:1]:
        means = {code: mean for code, mean, _n in means_of(one, user).values()}
        return means.get(row.question.code)
    return None


def verdict_since(row: Improvement) -> Check | None:
    """What the newest inspection of the same office found of the same point after the
    improvement was done."""
    if row.finding is None or row.done_at is None:
        return None
    later = Check.objects.filter(
        what=row.finding.what,
        inspection__office=row.office,
        inspection__kind=row.finding.inspection.kind,
        noted_at__gt=row.done_at,
    ).exclude(verdict="")
    return later.order_by("-noted_at").first()
