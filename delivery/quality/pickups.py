"""Pickups in figures: rates by unit, summed and never averaged (R-KPI-15)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db.models import Sum

from crm.org.models import Office, paths_above
from delivery.models import PickupTally
from delivery.models.pickups import PICKUP_EXCELLENT, PICKUP_TARGET
from delivery.quality.rates import FEWEST, Share

SUMS = ("due", "timely", "collected", "called", "cancelled")


@dataclass(frozen=True)
class PickupCounts:
    """Sums of orders that were due in some days."""

    due: int = 0
    timely: int = 0
    collected: int = 0
    called: int = 0
    cancelled: int = 0

    @property
    def timely_rate(self) -> Share:
        """Orders collected within the promised window, of those due (及时揽收成功率).

        What the customer cancelled before the window's end is not due; what failed is.
        """
        return Share(self.timely, self.due)

    @property
    def success_rate(self) -> Share:
        """Orders collected at any time, of those due (揽收成功率)."""
        return Share(self.collected, self.due)

    @property
    def called_rate(self) -> Share:
        """Of the due: where the customer was asked. A census has all."""
        return Share(self.called, self.due)

    @property
    def is_met(self) -> bool:
        return bool(self.due) and self.timely * 100 >= PICKUP_TARGET * self.due

    @property
    def is_excellent(self) -> bool:
        return bool(self.due) and self.timely * 100 >= PICKUP_EXCELLENT * self.due

    @property
    def is_few(self) -> bool:
        return self.due < FEWEST


def counts_by_office(
    offices: Iterable[Office], first: date, last: date
) -> dict[int, PickupCounts]:
    """Sums of several offices, each with all below it. One query over days × units."""
    units = list(offices)
    rows = PickupTally.objects.filter(day__range=(first, last)).order_by()
    found = {unit.pk: dict.fromkeys(SUMS, 0) for unit in units}
    at = {unit.path: unit.pk for unit in units}
    for path, *sums in rows.values_list("office__path").annotate(
        *(Sum(name, default=0) for name in SUMS)
    ):
        for above in paths_above(path):
            if above in at:
                for name, value in zip(SUMS, sums, strict=True):
                    found[at[above]][name] += value
    return {pk: PickupCounts(**sums) for pk, sums in found.items()}


def counts_of(office: Office, first: date, last: date) -> PickupCounts:
    return counts_by_office([office], first, last)[office.pk]
