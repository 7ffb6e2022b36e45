"""What a unit below the line owes: arithmetic without rounding before the comparison. Pure.

Source: seed 001 (R-KPI-19 to 22), domain.md 7.1; how a part of a point counts is a setting.
"""

import math
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from delivery.models import PickupSheet

CENT = Decimal("0.01")


def points_below(timely: int, due: int, target: Decimal) -> Fraction:
    """How many percentage points the rate lies below the line; 0 at or above it."""
    if not due:
        return Fraction(0)
    return max(Fraction(0), Fraction(target) - Fraction(100 * timely, due))


def deduction(
    points: Fraction, *, per_point: Decimal, rounding: str, cap: Decimal
) -> Decimal:
    """Percent of the performance pay for so many points, to two places, at most `cap`.

    In proportion, a part of a point counts as such (a hundredth of a point at least, or
    nothing); else every started point, or only full ones.
    """
    counted = {
        PickupSheet.Rounding.STARTED: Fraction(math.ceil(points)),
        PickupSheet.Rounding.FULL: Fraction(math.floor(points)),
    }.get(PickupSheet.Rounding(rounding), points)
    owed = counted * Fraction(per_point)
    exact = Decimal(owed.numerator) / Decimal(owed.denominator)
    return min(exact.quantize(CENT, ROUND_HALF_UP), cap)
