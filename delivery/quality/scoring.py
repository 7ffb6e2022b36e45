"""The composite score: pure arithmetic over summed counts, exact until it is shown.

Source: domain.md 3.3. Each part is linear between a floor (nothing) and a target (all of
its weight); where nothing was measured the other weights are stretched to a hundred.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from delivery.quality import rates
from delivery.quality.rates import Counts, Share

HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True)
class Measure:
    """What a part is measured by; `which` names the items that stand behind it."""

    label: Any
    share: Callable[[Counts], Share] | None  # None: a number of days
    which: str = ""
    is_low_good: bool = False

    def of(self, counts: Counts) -> tuple[Fraction | None, Share | None]:
        """In percent, per 10,000, or days; and what it was divided from."""
        if self.share is None:
            days = rates.tail_days(counts)
            return (None if days is None else Fraction(days)), None
        share = self.share(counts)
        if not share.denominator:
            return None, share
        per = 100 if share.per == 1 else share.per
        return Fraction(share.numerator * per, share.denominator), share


MEASURES = {
    "on_time_rate": Measure(_("On time, %"), rates.on_time_rate, "late"),
    "delivery_success_rate": Measure(
        _("Delivered, %"), rates.delivery_success_rate, "undelivered"
    ),
    "first_attempt_rate": Measure(
        _("At the first attempt, %"), rates.first_attempt_rate, "later_attempt"
    ),
    "timely_pickup_rate": Measure(_("Collected in time, %"), rates.timely_pickup_rate),
    "loss_damage_rate": Measure(
        _("Lost and damaged, per 10,000"), rates.loss_damage_rate, "gone", True
    ),
    "wrongful_return_rate": Measure(
        _("Returned by our mistake, %"), rates.wrongful_return_rate, "by_operator", True
    ),
    "complaints_per_10k": Measure(
        _("Complaints, per 10,000"), rates.complaints_per_10k, "", True
    ),
    "tail_days": Measure(
        pgettext_lazy("score", "Days beyond the limit for 95 % of the items"),
        None,
        "late",
        True,
    ),
}
# A courier has no hand in these, and nobody counts them by courier.
NOT_OF_COURIERS = {"timely_pickup_rate", "complaints_per_10k"}


class Part(Protocol):
    measure: str
    weight: Decimal
    floor: Decimal
    target: Decimal


@dataclass(frozen=True)
class Scored:
    """`exact` decides the band; `value`, rounded to hundredths, is the sum of the lines'
    points, which are rounded by the largest remainder."""

    exact: Decimal
    value: Decimal
    lines: list[dict[str, Any]]


def reached(value: Fraction, floor: Decimal, target: Decimal) -> Fraction:
    """How much of the way from the floor to the target, 0 to 1; a target below its floor
    means that little is good."""
    part = (value - Fraction(floor)) / (Fraction(target) - Fraction(floor))
    return min(max(part, Fraction(0)), Fraction(1))


def scored(
    counts: Counts, parts: Iterable[Part], *, leave_out: Iterable[str] = ()
) -> Scored | None:
    """The score of these sums, or None where no part with a weight was measured."""
    left_out, found = set(leave_out), []
    for part in parts:
        value, share = MEASURES[part.measure].of(counts)
        found.append((part, None if part.measure in left_out else value, share))
    whole = sum(Fraction(part.weight) for part, value, _s in found if value is not None)
    if not whole:
        return None
    lines, exact = [], []
    for part, value, share in found:
        weight = Fraction(part.weight) * 100 / whole if value is not None else None
        if value is not None and weight is not None:
            exact.append(weight * reached(value, part.floor, part.target))
        lines.append(
            {
                "measure": part.measure,
                "numerator": share.numerator if share and value is not None else None,
                "denominator": share.denominator
                if share and value is not None
                else None,
                "value": None if value is None else float(value),
                "floor": float(part.floor),
                "target": float(part.target),
                "weight": None if weight is None else float(round(weight, 4)),
                "points": None,
            }
        )
    points = iter(shown(exact))
    for line in lines:
        if line["value"] is not None:
            line["points"] = str(next(points))
    total = sum(exact, Fraction(0))
    together = sum((Decimal(x["points"]) for x in lines if x["points"]), Decimal(0))
    unrounded = Decimal(total.numerator) / Decimal(total.denominator)
    return Scored(unrounded, together, lines)


def shown(exact: list[Fraction]) -> list[Decimal]:
    """Rounded to hundredths so that they add up to the rounded sum: each is cut off, and
    those that lost most get the hundredths that are missing."""
    cut = [int(value * 100) for value in exact]
    missing = math.floor(sum(exact, Fraction(0)) * 100 + Fraction(1, 2)) - sum(cut)
    order = sorted(range(len(exact)), key=lambda n: (cut[n] - exact[n] * 100, n))
    for n in order[:missing]:
        cut[n] += 1
    return [Decimal(n) * HUNDREDTH for n in cut]
