"""The boards of figures: what a unit came to in a period, against its target and before.

Sources: anchors.md 5.4 items 30–36; R-KPI-23, 25, 29; reliability.md B30.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.utils.timezone import now

from crm.dashboards.models import Figure, FigureRun, Target
from crm.dashboards.periods import Kind, Span
from crm.dashboards.reckoned import BY_NAME, KPIS
from crm.dashboards.registry import Kpi, Shares, listed, read, share
from crm.org.models import Office
from customers.queries import SMALLEST_CELL
from delivery.quality.rates import FEWEST, Share

# The main figures: tiles of the board and of the first page.
TILES = (
    *("resolution_in_time", "legal_in_time", "complaint_rate", "satisfaction"),
    *("retention_rate", "on_time_rate", "timely_pickup_rate", "visit_coverage"),
)
TREND = 12  # periods of a sparkline
NOTHING = Share(0, 0)


@dataclass(frozen=True)
class Read:
    """Shares of offices for a period, when they were counted, and whether for good."""

    shares: Shares
    at: datetime
    is_final: bool


def shares_of(
    offices: Sequence[Office], span: Span, kpis: Iterable[Kpi] = KPIS
) -> Read:
    """Frozen figures where the period is final, else counted now and kept for a minute.

    Cost: two queries for a final period; else those of `registry.read`.
    """
    run = FigureRun.objects.filter(kind=span.kind, first=span.first).first()
    if run and run.frozen_at and run.last == span.last:
        frozen = _frozen(offices, span, kpis)
        for office, noted in _noted(offices, span, kpis).items():
            frozen[office] |= noted
        return Read(frozen, run.computed_at, True)
    asked = f"{[unit.pk for unit in offices]}{[kpi.name for kpi in kpis]}{span}"
    key = f"figures:{hashlib.sha256(asked.encode()).hexdigest()}"
    found = cache.get(key)
    if found is None:
        found = Read(read(offices, span, kpis), now(), False)
        cache.set(key, found, settings.FIGURES_KEPT_SECONDS)
    return found


def _frozen(offices: Sequence[Office], span: Span, kpis: Iterable[Kpi]) -> Shares:
    by_name = {kpi.name: kpi for kpi in kpis}
    found: Shares = {unit.pk: dict.fromkeys(by_name, NOTHING) for unit in offices}
    rows = Figure.objects.filter(
        office__in=found, kind=span.kind, first=span.first, kpi__in=by_name
    )
    for row in rows:
        kpi = by_name[row.kpi]
        found[row.office_id][row.kpi] = share(kpi, row.numerator, row.denominator)
    return found


def _noted(offices: Sequence[Office], span: Span, kpis: Iterable[Kpi]) -> Shares:
    """What people note, perhaps after the period was final; nothing where nothing is noted.
    One small query, and those of `registry.read` where there is something."""
    wanted = [kpi for kpi in kpis if kpi.is_noted]
    sources = {kpi.top.rows for kpi in wanted if kpi.top.rows}
    if not any(one.of(span.first, span.last).exists() for one in sources):
        return {}
    return read(offices, span, wanted)


@dataclass(frozen=True)
class Cell:
    """One KPI of one unit for one period, as pages show it; numbers in the KPI's unit."""

    kpi: Kpi
    share: Share
    value: Decimal | None
    target: Decimal | None
    benchmark: Decimal | None
    previous: Decimal | None
    year_before: Decimal | None
    trend: list[float]
    is_hidden: bool = False  # too few people behind it for who asks

    @property
    def is_met(self) -> bool | None:
        return self.kpi.is_met(self.value, self.target)

    @property
    def change(self) -> Decimal | None:
        """Since the period before."""
        if self.value is None or self.previous is None:
            return None
        return self.value - self.previous

    @property
    def is_better(self) -> bool | None:
        if self.value is None or self.previous is None:
            return None
        return self.kpi.is_better(self.value, self.previous)

    @property
    def is_few(self) -> bool:
        return self.share.denominator < FEWEST


def is_telling(kpi: Kpi, one: Share) -> bool:
    """Whether a figure of people stands for fewer than five: it could name them (B30)."""
    if not kpi.is_personal:
        return False
    parts = [one.denominator]
    if kpi.top.total is None and not kpi.adds:
        parts += [one.numerator, one.denominator - one.numerator]
    return any(0 < part < SMALLEST_CELL for part in parts)


def hidden(shares: dict[str, Share], kpis: Iterable[Kpi]) -> set[str]:
    """The KPIs that are not told of a unit: what is telling, and with it all of its family,
    from which it could be reckoned (kept + lost = all)."""
    known = [kpi for kpi in kpis if kpi.name in shares]
    found = {kpi.name for kpi in known if is_telling(kpi, shares[kpi.name])}
    families = {kpi.family for kpi in known if kpi.name in found and kpi.family}
    return found | {kpi.name for kpi in known if kpi.family in families}


def targets_of(offices: Iterable[Office], span: Span) -> dict[tuple[int, str], Target]:
    """(office, KPI) → what was set for the period. One query."""
    rows = Target.objects.filter(
        office__in=[unit.pk for unit in offices], kind=span.kind, first=span.first
    )
    return {(row.office_id, row.kpi): row for row in rows}


def board(
    office: Office, span: Span, *, only_aggregates: bool, kpis: Sequence[Kpi] = KPIS
) -> tuple[list[Cell], Read]:
    """A cell for each KPI that has anything to say of an office in a period.

    With `only_aggregates`, cells of fewer than five are hidden.
    """
    here = shares_of([office], span, kpis)
    before = shares_of([office], span.previous, kpis).shares[office.pk]
    last_year = shares_of([office], span.year_before, kpis).shares[office.pk]
    targets = targets_of([office], span)
    trends = _trends(office, span)
    untold = [
        hidden(shares, KPIS) if only_aggregates else set()
        for shares in (here.shares[office.pk], before, last_year)
    ]
    cells = []
    for kpi in kpis:
        found = here.shares[office.pk][kpi.name]
        if not (found.denominator or before[kpi.name].denominator):
            continue
        target = targets.get((office.pk, kpi.name))
        values = [
            None if kpi.name in names else kpi.shown(shares[kpi.name])
            for names, shares in zip(
                untold, (here.shares[office.pk], before, last_year), strict=True
            )
        ]
        is_hidden = kpi.name in untold[0]
        cells.append(
            Cell(
                kpi,
                NOTHING if is_hidden else found,
                values[0],
                target.value if target else kpi.target,
                target.benchmark if target else None,
                values[1],
                values[2],
                [] if only_aggregates and kpi.is_personal else trends.get(kpi.name, []),
                is_hidden,
            )
        )
    return cells, here


def _trends(office: Office, span: Span) -> dict[str, list[float]]:
    """KPI → its stored values up to the period, oldest first. One query."""
    oldest = span
    for _n in range(TREND):
        oldest = oldest.previous
    rows = Figure.objects.filter(
        office=office, kind=span.kind, first__range=(oldest.first, span.first)
    )
    found: dict[str, list[float]] = {}
    for row in rows.filter(kpi__in=BY_NAME).order_by("first"):
        value = (
            row.numerator if BY_NAME[row.kpi].adds else row.numerator / row.denominator
        )
        found.setdefault(row.kpi, []).append(float(value))
    return found


@dataclass(frozen=True)
class Line:
    """A unit in the league table of a KPI."""

    office: Office
    share: Share
    value: Decimal | None
    target: Decimal | None
    rank: int | None  # None with too few rows to be ranked
    rank_before: int | None
    band: str  # good, near, bad, none
    is_hidden: bool

    @property
    def climbed(self) -> int | None:
        if self.rank is None or self.rank_before is None:
            return None
        return self.rank_before - self.rank


NEAR = Decimal("0.95")  # of the target, or 5 % above a ceiling: the yellow band


def band_of(kpi: Kpi, value: Decimal | None, target: Decimal | None) -> str:
    """Three bands: reached, near, missed."""
    if value is None or target is None:
        return "none"
    if kpi.is_met(value, target):
        return "good"
    near = target / NEAR if kpi.is_low_good else target * NEAR
    return "near" if kpi.is_met(value, near) else "bad"


def _ranks(kpi: Kpi, shares: Shares) -> dict[int, int]:
    """office → place; equal values share a place, units with too few have none."""
    values = {
        pk: kpi.shown(by_name[kpi.name])
        for pk, by_name in shares.items()
        if by_name[kpi.name].denominator >= FEWEST
    }
    sign = 1 if kpi.is_low_good else -1
    ordered = sorted(sign * value for value in values.values() if value is not None)
    return {
        pk: ordered.index(sign * value) + 1
        for pk, value in values.items()
        if value is not None
    }


def units_below(office: Office) -> list[Office]:
    """The active offices one level down."""
    rows = Office.objects.active().under(office).filter(depth=office.depth + 1)
    return list(rows.order_by("path"))


def family_of(kpi: Kpi) -> list[Kpi]:
    """The KPIs that are told or hidden together with one, itself among them."""
    return [
        one for one in KPIS if one == kpi or (kpi.family and one.family == kpi.family)
    ]


def untold_units(kpi: Kpi, shares: Shares) -> set[int]:
    """The units whose figure is not told: those that are telling; and where that is one
    only, the smallest other, or the one would follow from the sum."""
    found = {pk for pk, by_name in shares.items() if kpi.name in hidden(by_name, KPIS)}
    others = [
        (by_name[kpi.name].denominator, pk)
        for pk, by_name in shares.items()
        if pk not in found and by_name[kpi.name].denominator
    ]
    return found | {min(others)[1]} if len(found) == 1 and others else found


def league(
    kpi: Kpi, office: Office, span: Span, *, only_aggregates: bool
) -> list[Line]:
    """The offices one level down, best first, those with too few rows last."""
    units = units_below(office)
    here = shares_of(units, span, family_of(kpi)).shares
    before = shares_of(units, span.previous, [kpi]).shares
    targets, ranks, ranks_before = (
        targets_of(units, span),
        _ranks(kpi, here),
        _ranks(kpi, before),
    )
    untold = untold_units(kpi, here) if only_aggregates else set()
    lines = []
    for unit in units:
        found = here[unit.pk][kpi.name]
        if not found.denominator:
            continue
        own = targets.get((unit.pk, kpi.name))
        is_hidden = unit.pk in untold
        value, target = kpi.shown(found), own.value if own else kpi.target
        lines.append(
            Line(
                unit,
                NOTHING if is_hidden else found,
                None if is_hidden else value,
                target,
                None if is_hidden else ranks.get(unit.pk),
                None if is_hidden else ranks_before.get(unit.pk),
                "none" if is_hidden else band_of(kpi, value, target),
                is_hidden,
            )
        )
    lines.sort(key=lambda line: (line.rank or len(units) + 1, line.office.code))
    return lines


def rows_behind(kpi: Kpi, side: str, office: Office, span: Span) -> Any:
    """(rows, how to show one) behind a part of a figure; None where another page lists
    them. The caller has settled that the office may be drilled into."""
    found = listed(kpi, side, office, span)
    if found is None:
        return None
    return found, getattr(kpi, side).rows.shows


def past(
    kpi: Kpi, office: Office, span: Span, *, only_aggregates: bool
) -> list[Figure]:
    """The stored figures of a KPI up to a period, newest first; of people only to who may
    drill. One query."""
    if only_aggregates and kpi.is_personal:
        return []
    rows = Figure.objects.filter(
        office=office, kpi=kpi.name, kind=span.kind, first__lte=span.first
    )
    found = list(rows.order_by("-first")[:TREND])
    for row in found:
        one: Any = row
        one.span = Span(Kind(row.kind), row.first, row.last)
        one.value = kpi.shown(share(kpi, row.numerator, row.denominator))
    return found
