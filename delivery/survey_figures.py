"""What a survey says, and how sure that is; pure.

Ratings of 1 to 5 become a score of 100 (1 → 0 … 5 → 100). Strata are weighted by how many
they stand for, and the interval of the whole is that of a stratified sample with the
correction for a finite population: a census has none.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean, variance

Z95 = 1.959964
TELLING = 5  # answers: fewer say nothing of a stratum
WEAK = 75.0  # a score below it is a weak item


def score_of(rating: int) -> float:
    return 25.0 * (rating - 1)


@dataclass
class Stratum:
    """Answers of one stratum: `size` in the population, `asked`, scores of those who
    answered."""

    name: str
    size: int = 0
    asked: int = 0
    scores: list[float] = field(default_factory=list)

    @property
    def answered(self) -> int:
        return len(self.scores)

    @property
    def mean(self) -> float | None:
        return fmean(self.scores) if self.scores else None

    @property
    def response(self) -> float:
        return 100 * self.answered / self.asked if self.asked else 0.0

    @property
    def error(self) -> float | None:
        """Standard error of the mean; None of fewer than two answers."""
        n = self.answered
        if n < 2:
            return None
        rest = max(0.0, 1 - n / self.size) if self.size else 1.0
        return math.sqrt(rest * variance(self.scores) / n)

    @property
    def interval(self) -> tuple[float, float] | None:
        return _interval(self.mean, self.error)

    @property
    def is_telling(self) -> bool:
        return self.answered >= TELLING


def _interval(mean: float | None, error: float | None) -> tuple[float, float] | None:
    """95 %, within 0 to 100."""
    if mean is None or error is None:
        return None
    return max(0.0, mean - Z95 * error), min(100.0, mean + Z95 * error)


@dataclass(frozen=True)
class Whole:
    score: float | None
    interval: tuple[float, float] | None
    asked: int
    answered: int

    @property
    def response(self) -> float:
        return 100 * self.answered / self.asked if self.asked else 0.0


def whole(strata: Iterable[Stratum]) -> Whole:
    """The strata together, each by its size; those without an answer are left out, as
    nothing is known of them. Strata of a single answer are collapsed into one, so that
    there is a range as soon as there are two answers."""
    rows = list(strata)
    asked, answered = sum(r.asked for r in rows), sum(r.answered for r in rows)
    known = _collapsed([row for row in rows if row.scores])
    total = sum(row.size or row.asked for row in known)
    if not total:
        return Whole(None, None, asked, answered)
    mean, squares = 0.0, 0.0
    for row in known:
        weight = (row.size or row.asked) / total
        mean += weight * (row.mean or 0.0)
        if row.error is None:
            return Whole(row.mean, None, asked, answered)  # one answer in all
        squares += (weight * row.error) ** 2
    return Whole(mean, _interval(mean, math.sqrt(squares)), asked, answered)


def _collapsed(rows: list[Stratum]) -> list[Stratum]:
    """Those of one answer as one stratum, with the smallest other if that is not enough."""
    single = [row for row in rows if row.answered == 1]
    rest = sorted((row for row in rows if row.answered > 1), key=lambda row: row.size)
    if len(single) == 1 and rest:
        single.append(rest.pop(0))
    if not single:
        return rest
    pool = Stratum("")
    for row in single:
        pool.size += row.size or row.asked
        pool.asked += row.asked
        pool.scores += row.scores
    return [*rest, pool]
