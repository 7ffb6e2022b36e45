"""KPIs: one function each; its docstring is the definition.

A rate is a numerator and a denominator, so it rolls up by adding; its value is the
unrounded fraction.
"""

from collections.abc import Callable
from dataclasses import dataclass

from campaigns.figures import RATES as RATES_OF_SEASON
from campaigns.figures import counts_of as season_counts
from campaigns.models import Season
from crm.org.models import Office
from customers.queries import Period, Retention, retention_by_office
from delivery.quality.rates import Share

RETENTION_TARGET = 0.80  # seed 000: 老客户维护率 ≥ 80 %
NEW_CUSTOMER_TARGET = 0.50  # seed 000: 新客户开发率 ≥ 50 %


@dataclass(frozen=True)
class Rate:
    """A share, its target, and whether it is good to be high."""

    numerator: int
    denominator: int
    target: float

    @property
    def value(self) -> float | None:
        """The fraction, or None when there is nothing to divide by."""
        return self.numerator / self.denominator if self.denominator else None

    @property
    def is_met(self) -> bool:
        return self.value is not None and self.value >= self.target


def retention_of(counts: Retention) -> Rate:
    return Rate(counts.retained, counts.base, RETENTION_TARGET)


def new_customers_of(counts: Retention) -> Rate:
    return Rate(counts.new, counts.base, NEW_CUSTOMER_TARGET)


def total(by_office: dict[int, Retention]) -> Retention:
    return sum(by_office.values(), Retention())


def retention_rate(office: Office, base: Period, current: Period) -> Rate:
    """Customers with usage in both periods, of those with usage in the base period.

    Owned at or below `office`. Any usage line counts, of amount 0 too. Target 80 %.
    Source: R-KPI, seed 000; domain.md 5.4.
    """
    return retention_of(total(retention_by_office(office, base, current)))


def new_customer_rate(office: Office, base: Period, current: Period) -> Rate:
    """Customers with usage in the current period and none in the base period, of those
    with usage in the base period.

    Won-back customers (usage before the base period, 流失重获) count as new. Target 50 %.
    Source: seed 000; domain.md 5.4.
    """
    return new_customers_of(total(retention_by_office(office, base, current)))


KPIS = {"retention_rate": retention_rate, "new_customer_rate": new_customer_rate}
RATES = {"retention_rate": retention_of, "new_customer_rate": new_customers_of}


def _of_season(read: Callable) -> Callable[[Season, Office], Share]:
    """A rate of a card season for an office, from its orders."""
    return lambda season, office: read(season_counts(season, office), season)


SEASON = {name: _of_season(read) for name, (read, _target) in RATES_OF_SEASON.items()}
