"""What a survey says, and how sure that is; pure.

Ratings of 1 to 5 become a score of 100 (1 → 0 … 5 → 100). Strata are weighted by how many
they stand for, and the interval of the whole is that of a stratified sample with the
correction for a finite population: a census has none.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

Z95 = 1.959964
TELLING = 5  # answers: fewer say nothing of a stratum
WEAK = 75.0  # a score below it is a weak item


def score_of(rating: float) -> float:
    return 25.0 * (rating - 1)


@dataclass
class Stratum:
    """Answers of one stratum: `size` in the population, `asked`, `answered`, and the sum of
    the scores and of their squares."""

    name: str
    size: int = 0
    asked: int = 0
    answered: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, other: "Stratum") -> None:
        """Take another stratum in: both as one."""
        self.size = self.stands_for + other.stands_for
        self.asked += other.asked
        self.answered += other.answered
        self.total += other.total
        self.squares += other.squares

    @property
    def stands_for(self) -> int:
        """Of results from outside nobody knows the population: those asked are all."""
        return max(self.size, self.asked)

    @property
    def mean(self) -> float | None:
        return self.total / self.answered if self.answered else None

    @property
    def response(self) -> float:
        return 100 * self.answered / self.asked if self.asked else 0.0

    @property
    def error(self) -> float | None:
        """Standard error of the mean; None of fewer than two answers."""
        n = self.answered
        if n < 2:
            return None
        variance = max(0.0, self.squares - self.total**2 / n) / (n - 1)
        return math.sqrt((1 - n / self.stands_for) * variance / n)

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
    known = _collapsed([row for row in rows if row.answered])
    total = sum(row.stands_for for row in known)
    mean, squares = 0.0, 0.0
    for row in known:
        weight = row.stands_for / total
        mean += weight * (row.mean or 0.0)
        if row.error is None:
            return Whole(row.mean, None, asked, answered)  # one answer in all
        squares += (weight * row.error) ** 2
    if not known:
        return Whole(None, None, asked, answered)
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
        pool.add(row)
    return [*rest, pool]
