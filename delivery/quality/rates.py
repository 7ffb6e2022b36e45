"""Metrics of delivery quality: one function each, whose docstring is the definition.

Each takes summed counts (delivery.models.tallies.COUNTS, by name) of items that have
reached their evaluation day, and gives a numerator and a denominator, so that it rolls up
by adding. Items with an impossible sequence, and those an approved disturbance excuses,
stand in neither. Source: domain.md 3.3.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

Counts = Mapping[str, int]
FEWEST = 30  # below that no unit is ranked
WEAK_SCANS = 0.95  # below that completeness a rate is marked as weak data
Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Share:
    """A numerator and a denominator; `value` is the unrounded quotient times `per`."""

    numerator: int
    denominator: int
    per: int = 1

    @property
    def value(self) -> float | None:
        if not self.denominator:
            return None
        return self.per * self.numerator / self.denominator

    @property
    def percent(self) -> float | None:
        return None if self.value is None else 100 * self.value / self.per

    @property
    def is_few(self) -> bool:
        return self.denominator < FEWEST

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of the share, in percent."""
        n = self.denominator
        if not n:
            return None
        p = min(self.numerator / n, 1)
        middle = p + Z * Z / (2 * n)
        half = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
        low, high = ((middle + sign * half) / (1 + Z * Z / n) for sign in (-1, 1))
        return 100 * max(low, 0), 100 * min(high, 1)


def on_time_rate(counts: Counts) -> Share:
    """Items delivered within their limit, of those that had one (准时率).

    Not delivered, lost and returned count as not on time. 39 CFR 3055, EN 13850.
    """
    return Share(counts["on_time"], counts["limited"])


def attempt_on_time_rate(counts: Counts) -> Share:
    """Items whose first valid attempt, or delivery, came within their limit."""
    return Share(counts["attempt_on_time"], counts["limited"])


def delivered_72h_rate(counts: Counts) -> Share:
    """Items delivered within 72 hours of acceptance, of all (72小时妥投率)."""
    return Share(counts["in_72h"], counts["items"])


def variance_plus_1(counts: Counts) -> Share:
    """Items delivered within their limit and one day. 39 CFR 3055."""
    return Share(counts["plus_1"], counts["limited"])


def variance_plus_2(counts: Counts) -> Share:
    """Items delivered within their limit and two days."""
    return Share(counts["plus_2"], counts["limited"])


def variance_plus_3(counts: Counts) -> Share:
    """Items delivered within their limit and three days."""
    return Share(counts["plus_3"], counts["limited"])


def substantial_delay_rate(counts: Counts) -> Share:
    """Items later than their limit and three days, or never delivered."""
    return Share(counts["limited"] - counts["plus_3"], counts["limited"])


def next_day_rate(counts: Counts) -> Share:
    """Items within the first step of a two-step standard (universal service: 70 %)."""
    return Share(counts["in_first"], counts["stepped"])


def max_day_rate(counts: Counts) -> Share:
    """Items within the second step of a two-step standard (universal service: 90 %)."""
    return Share(counts["in_max"], counts["stepped"])


def delivery_success_rate(counts: Counts) -> Share:
    """Items delivered, of all (妥投率)."""
    return Share(counts["delivered"], counts["items"])


def first_attempt_rate(counts: Counts) -> Share:
    """Items delivered at the first attempt, of those attempted (首次妥投率).

    A failed attempt counts whether or not it was valid: a bad one earns nothing.
    """
    return Share(counts["first_attempt"], counts["attempted"])


def attempt_rule_rate(counts: Counts) -> Share:
    """Undelivered items with as many valid attempts as the standard wants, far enough
    apart (two, 8 hours, 8:00 to 20:00), of undelivered ones. GB/T 27917 draft 2022."""
    return Share(counts["undelivered_twice"], counts["undelivered"])


def return_rate(counts: Counts) -> Share:
    """Items that went back, of all (退回率)."""
    return Share(counts["returned"], counts["items"])


def address_return_rate(counts: Counts) -> Share:
    """Items that went back because of their address, of all."""
    return Share(counts["by_address"], counts["items"])


def address_quality(counts: Counts) -> Share:
    """Items that did not go back for their address, of all (名址准确率); how complete the
    customers' addresses are says the page of data quality."""
    return Share(counts["items"] - counts["by_address"], counts["items"])


def recipient_return_rate(counts: Counts) -> Share:
    """Items that went back because of the recipient, of all."""
    return Share(counts["by_recipient"], counts["items"])


def wrongful_return_rate(counts: Counts) -> Share:
    """Items that went back by our own mistake, of all (误退率)."""
    return Share(counts["by_operator"], counts["items"])


def loss_rate(counts: Counts) -> Share:
    """Items confirmed lost, or neither delivered nor returned on their evaluation day
    (limit and complete delay, 彻底延误), per 10,000. GB/T 27917.3."""
    gone = counts["items"] - counts["delivered"] - counts["returned"]
    return Share(gone, counts["items"], 10_000)


def damage_rate(counts: Counts) -> Share:
    """Items damaged, per 10,000 (损毁率)."""
    return Share(counts["damaged"], counts["items"], 10_000)


def loss_damage_rate(counts: Counts) -> Share:
    """Items lost and items damaged, per 10,000: a part of the score. One that is both
    counts twice."""
    bad = loss_rate(counts).numerator + counts["damaged"]
    return Share(bad, counts["items"], 10_000)


def tail_days(counts: Counts) -> int | None:
    """Days beyond the limit within which 95 % of the items with a limit were delivered:
    P95 against the standard, nearest rank. 4 says "more than three, or never"."""
    limited = counts["limited"]
    if not limited:
        return None
    steps = ("on_time", "plus_1", "plus_2", "plus_3")
    reached = (n for n, name in enumerate(steps) if 100 * counts[name] >= 95 * limited)
    return next(reached, len(steps))


def shortage_rate(counts: Counts) -> Share:
    """Items with contents missing, per 10,000 (短少率)."""
    return Share(counts["shortage"], counts["items"], 10_000)


def scan_completeness(counts: Counts) -> Share:
    """Items with all mandatory events, of all; a ledger's item needs its two ends."""
    return Share(counts["scanned"], counts["items"])


def false_signing_rate(counts: Counts) -> Share:
    """Confirmed false signings, of items delivered, per 10,000 (虚假签收率)."""
    return Share(counts["false_signed"], counts["delivered"], 10_000)


def requirement_fulfilment(counts: Counts) -> Share:
    """Items whose customer's special requirement was met, of those with one (R-DLV-05)."""
    return Share(counts["wanted_met"], counts["wanted"])


def timely_pickup_rate(counts: Counts) -> Share:
    """Pickup orders collected within the promised window, of those due in these days
    (及时揽收成功率). What the customer cancelled before is not due; what failed is; the
    customer's word, where a follow-up asked, goes before the record. R-DLV-10."""
    return Share(counts.get("pickups_timely", 0), counts.get("pickups_due", 0))


def complaints_per_10k(counts: Counts) -> Share:
    """Complaints registered, per 10,000 items, evaluated or not (投诉率): who complains
    does not wait for it. EN 14012."""
    return Share(counts.get("complaints", 0), _accepted(counts), 10_000)


def upheld_complaints_per_10k(counts: Counts) -> Share:
    """Complaints upheld, per 10,000 items."""
    return Share(counts.get("upheld", 0), _accepted(counts), 10_000)


def upheld_appeals_per_million(counts: Counts) -> Share:
    """Appeals upheld by the regulator, per million items (有效申诉率)."""
    return Share(counts.get("appeals_upheld", 0), _accepted(counts), 1_000_000)


def _accepted(counts: Counts) -> int:
    return counts["items"] + counts.get("unripe", 0)


def percentile(histogram: Mapping[int, int], percent: float) -> int | None:
    """Transit days that `percent` of the delivered do not exceed: the nearest rank.

    Exact: the histogram's classes are whole days (those over 999 count as 999).
    """
    total = sum(histogram.values())
    rank, seen = math.ceil(percent / 100 * total), 0
    for days in sorted(histogram):
        seen += histogram[days]
        if seen >= rank:
            return days
    return None


def tail_ratio(histogram: Mapping[int, int]) -> float | None:
    """P95 ÷ P50 of the transit days: how long the tail is."""
    middle, tail = percentile(histogram, 50), percentile(histogram, 95)
    return tail / middle if middle and tail is not None else None


def route_cv(histogram: Mapping[int, int]) -> float | None:
    """Coefficient of variation of the transit days: how steady a route is (R-DLV-13)."""
    total = sum(histogram.values())
    if total < 2:
        return None
    mean = sum(days * n for days, n in histogram.items()) / total
    spread = sum(n * (days - mean) ** 2 for days, n in histogram.items()) / (total - 1)
    return math.sqrt(spread) / mean if mean else None


STAGES = ("origin", "transport", "dest", "delivery")


def stage_hours(counts: Counts) -> dict[str, float] | None:
    """Mean hours of the four stages of items whose stages are all known; they add up to
    the mean transit time of these items. 72-hour bulletin 2024."""
    if not counts["staged"]:
        return None
    return {name: counts[f"{name}_minutes"] / 60 / counts["staged"] for name in STAGES}


def mean_rating(total: int, count: int) -> float | None:
    return total / count if count else None
