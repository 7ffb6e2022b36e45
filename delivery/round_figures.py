"""What rounds say: by stratum, item by item, by unit.

`unit_quality` is what the delivery-quality score reads (R-VIS-10).
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Avg, Count, Q

from crm.access.models import User
from customers.models.choices import Segment
from delivery.models import Answer, Question, SurveyMember, SurveyRound
from delivery.survey_figures import WEAK, Stratum, Whole, score_of, whole

State = SurveyMember.State
SEGMENTS = dict(Segment.choices)

DIMENSIONS = {
    "segment": "segment",
    "product": "product",
    "outlet": "office__name",
}


def strata_of(
    row: SurveyRound, user: User, by: str = "", code: str = ""
) -> list[Stratum]:
    """The round's answers by stratum; `by` one dimension puts its strata together, `code`
    is a question's (else the first rating). Two queries."""
    members = _members(row, user).values_list(
        "pk", "segment", "product", "office__name", "stratum_size", "invitation"
    )
    ratings = Answer.objects.filter(
        invitation__member__round=row, question__kind=Question.Kind.RATING
    )
    if code:
        ratings = ratings.filter(question__code=code)
    scores: dict[int, float] = {}
    for invitation, number in ratings.order_by("-question__position").values_list(
        "invitation", "number"
    ):
        scores[invitation] = score_of(number or 1)
    found: dict[tuple, Stratum] = {}
    for _pk, segment, product, office, size, invitation in members:
        key = (segment, product, office)
        said = (SEGMENTS.get(segment, ""), product, office)
        stratum = found.setdefault(
            key, Stratum(" · ".join(str(part) for part in said if part), size)
        )
        stratum.asked += 1
        if invitation in scores:
            stratum.scores.append(scores[invitation])
    if not by:
        return [found[key] for key in sorted(found)]
    at = list(DIMENSIONS).index(by)
    groups: dict[str, Stratum] = {}
    for key, stratum in found.items():
        name = SEGMENTS.get(key[at], key[at]) if by == "segment" else key[at]
        group = groups.setdefault(key[at], Stratum(str(name) or "—"))
        group.size += stratum.size
        group.asked += stratum.asked
        group.scores += stratum.scores
    return [groups[name] for name in sorted(groups)]


def _members(row: SurveyRound, user: User) -> Any:
    return SurveyMember.objects.visible_to(user).filter(round=row)


def whole_of(row: SurveyRound, user: User) -> Whole:
    """The round's score with its interval, by the finest strata."""
    return whole(strata_of(row, user))


@dataclass
class Item:
    """One rating question: its score over the round, and in the round before."""

    question: Question
    answered: int
    score: float
    before: float | None

    @property
    def is_weak(self) -> bool:
        return self.score < WEAK


def items_of(row: SurveyRound, user: User) -> list[Item]:
    """Each rating question's mean score, the weakest first. Two queries."""
    now_by = means_of(row, user)
    before = means_of(row.before, user) if row.before else {}
    questions = {q.pk: q for q in row.version.questions.all()}
    found = []
    for pk, (code, mean, count) in now_by.items():
        earlier = {c: m for c, m, _n in before.values()}.get(code)
        found.append(Item(questions[pk], count, mean, earlier))
    return sorted(found, key=lambda item: item.score)


def means_of(row: SurveyRound, user: User) -> dict[int, tuple[str, float, int]]:
    rows = Answer.objects.filter(
        invitation__member__in=_members(row, user),
        question__kind=Question.Kind.RATING,
    ).order_by()
    counted = rows.values_list("question", "question__code").annotate(
        mean=Avg("number"), n=Count("pk")
    )
    return {pk: (code, 25 * (mean - 1), n) for pk, code, mean, n in counted}


@dataclass(frozen=True)
class UnitQuality:
    """What letters and surveys say of a unit: response rate in percent, score of 100."""

    asked: int
    answered: int
    score: float | None

    @property
    def response(self) -> float:
        return 100 * self.answered / self.asked if self.asked else 0.0


def unit_quality(
    first: date, last: date, offices: Any, ways: tuple[str, ...] = ()
) -> dict[int, UnitQuality]:
    """By rated office, of rounds that closed within the days (R-VIS-10). One query."""
    rows = SurveyMember.objects.filter(
        office__in=offices, round__closes_on__range=(first, last)
    )
    if ways:
        rows = rows.filter(round__way__in=ways)
    counted = (
        rows.order_by()
        .values_list("office")
        .annotate(
            asked=Count("pk"),
            answered=Count("pk", filter=Q(state=State.ANSWERED)),
            rating=Avg("invitation__rating"),
        )
    )
    return {
        office: UnitQuality(
            asked, answered, None if rating is None else 25 * (rating - 1)
        )
        for office, asked, answered, rating in counted
    }
