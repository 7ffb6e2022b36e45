"""The KPI board, computed from what the reader may see."""

from dataclasses import dataclass
from datetime import timedelta

from crm.dashboards import kpis
from crm.dashboards.kpis import Rate
from crm.dashboards.models import KpiSnapshot
from crm.org.models import Office
from customers.queries import Period, Retention, retention_by_office


@dataclass(frozen=True)
class OfficeLine:
    """One line of the ranking: an office with all below it."""

    office: Office
    counts: Retention

    @property
    def retention(self) -> Rate:
        return kpis.retention_of(self.counts)

    @property
    def new_customers(self) -> Rate:
        return kpis.new_customers_of(self.counts)


@dataclass(frozen=True)
class Board:
    """All that the board shows of one office for one pair of periods."""

    office: Office
    counts: Retention
    ranking: list[OfficeLine]  # the offices one level down, best retention first
    trends: dict[str, list[float]]  # by KPI, oldest first; fewer than two: not drawn
    computed_at: object

    @property
    def retention(self) -> Rate:
        return kpis.retention_of(self.counts)

    @property
    def new_customers(self) -> Rate:
        return kpis.new_customers_of(self.counts)


def board(
    office: Office, base: Period, current: Period, *, only_aggregates: bool = False
) -> Board:
    """Live counts and the stored trend. Cost: one GROUP BY and three small queries.

    With `only_aggregates`, offices with a figure below five customers are left out, and
    so are the totals when they have one.
    """
    counts = retention_by_office(office, base, current)
    offices = list(Office.objects.under(office).order_by("path"))
    below = [unit for unit in offices if unit.depth == office.depth + 1]
    ranking = []
    for unit in below:
        inside = (counts.get(o.pk, Retention()) for o in offices if unit.contains(o))
        together = sum(inside, Retention())
        hidden = only_aggregates and together.is_telling
        if together != Retention() and not hidden:  # a call centre owns no customers
            ranking.append(OfficeLine(unit, together))
    ranking.sort(key=lambda line: (-(line.retention.value or -1), line.office.code))
    trends, computed_at = _trends(office, current)
    total = kpis.total(counts)
    if only_aggregates and total.is_telling:
        total = Retention()
    return Board(office, total, ranking, trends, computed_at)


def _trends(office: Office, current: Period) -> tuple[dict[str, list[float]], object]:
    """The stored past of both rates up to `current`, for periods of the same length."""
    length = (current.last - current.first).days
    found: dict[str, dict] = {name: {} for name in kpis.KPIS}
    computed_at = None
    rows = KpiSnapshot.objects.filter(
        office=office,
        current_last__lte=current.last,
        current_last__gt=current.last - timedelta(days=370),
    )
    for row in rows.order_by("current_last"):
        same_length = abs((row.current_last - row.current_first).days - length) <= 3
        if same_length and row.value is not None:
            found[row.kpi][row.current_last] = row.value
        if row.current_first == current.first and row.current_last == current.last:
            computed_at = row.computed_at
    return {name: list(points.values()) for name, points in found.items()}, computed_at
