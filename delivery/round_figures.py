"""What rounds say: by stratum, item by item, by unit.

`unit_quality` is what the delivery-quality score reads (R-VIS-10).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Avg, Count, F, Max, Q, Sum

from crm.access.models import User
from customers.models.choices import Segment
from delivery.models import Answer, Question, SurveyMember, SurveyRound
from delivery.survey_figures import WEAK, Stratum, Whole, score_of, whole

State = SurveyMember.State
SEGMENTS = dict(Segment.choices)

DIMENSIONS = ["segment", "product", "outlet"]
Key = tuple[str, str, str]  # segment, product, name of the unit


def _strata(rounds: Iterable[SurveyRound], user: User) -> dict[int, dict[Key, Stratum]]:
    """The strata of some rounds, as far as the user sees them. One query."""
    rating = F("invitation__rating")
    rows = SurveyMember.objects.visible_to(user).filter(round__in=rounds).order_by()
    counted = rows.values_list("round", "segment", "product", "office__name").annotate(
        size=Max("stratum_size"),
        asked=Count("pk"),
        n=Count(rating),
        ratings=Sum(rating),
        squares=Sum(rating * rating),
    )
    found: dict[int, dict[Key, Stratum]] = defaultdict(dict)
    for pk, segment, product, office, size, asked, n, ratings, squares in counted:
        parts = [str(SEGMENTS.get(segment, "")), product, office]
        found[pk][segment, product, office] = Stratum(
            " · ".join(filter(None, parts)),
            size,
            asked,
            n,
            25 * ((ratings or 0) - n),  # score_of, summed
            625 * ((squares or 0) - 2 * (ratings or 0) + n),
        )
    return found


def strata_of(row: SurveyRound, user: User, by: str = "") -> list[Stratum]:
    """A round's answers by stratum, or by one of DIMENSIONS. One query."""
    found = _strata([row], user)[row.pk]
    if not by:
        return [found[key] for key in sorted(found)]
    at = DIMENSIONS.index(by)
    groups: dict[str, Stratum] = {}
    for key, stratum in found.items():
        name = SEGMENTS.get(key[at], key[at]) if by == "segment" else key[at]
        groups.setdefault(key[at], Stratum(str(name) or "—")).add(stratum)
    return [groups[name] for name in sorted(groups)]


def wholes_of(rounds: Iterable[SurveyRound], user: User) -> dict[int, Whole]:
    """The score of each round with its range, by the finest strata. One query."""
    rows = list(rounds)
    found = _strata(rows, user)
    return {row.pk: whole(found[row.pk].values()) for row in rows}


def whole_of(row: SurveyRound, user: User) -> Whole:
    return wholes_of([row], user)[row.pk]


def _members(row: SurveyRound, user: User) -> Any:
    return SurveyMember.objects.visible_to(user).filter(round=row)


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
    return {pk: (code, score_of(mean), n) for pk, code, mean, n in counted}


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
            asked, answered, None if rating is None else score_of(rating)
        )
        for office, asked, answered, rating in counted
    }
