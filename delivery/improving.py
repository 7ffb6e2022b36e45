"""What a weak item of a survey, a finding of an inspection or walkthrough, or a weak KPI leads
to: an owner, a last day, a second look.

Source: R-VIS-19, R-VIS-20, R-KPI-44, R-KPI-45.
"""

from collections.abc import Iterable
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


@transaction.atomic
def open_for(
    topic: str, url: str, *, by: User, office: Office, **facts: Any
) -> Improvement:
    """Open an improvement for anything else that is weak: `topic` says what, `url` where it
    was seen; `kpi` and `kpi_before`, the figure that is to get better."""
    require(by, "improvement.manage", office)
    return _opened(by, topic=topic[:200], url=url, office=office, **facts)


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


def verdicts_since(rows: Iterable[Improvement]) -> dict[int, Check]:
    """For improvements of findings: what the newest inspection of the same office found of
    the same point after the improvement was done. One query."""
    done = [row for row in rows if row.finding and row.done_at]
    later = Check.objects.filter(
        what__in={row.finding.what for row in done if row.finding},
        inspection__office__in={row.office_id for row in done},
    ).exclude(verdict="")
    newest: dict[tuple, Check] = {
        (check.inspection.office_id, check.inspection.kind, check.what): check
        for check in later.select_related("inspection").order_by("noted_at")
    }
    found = {}
    for row in done:
        if row.finding and row.done_at:
            kind = row.finding.inspection.kind
            check = newest.get((row.office_id, kind, row.finding.what))
            if check and check.noted_at and check.noted_at > row.done_at:
                found[row.pk] = check
    return found
