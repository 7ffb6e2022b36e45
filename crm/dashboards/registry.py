"""What a KPI is, and how KPIs are read: for many offices at once, by adding.

A KPI is a numerator and a denominator, so it rolls up by summing, never by the mean of its
units (R-KPI-15). Most are counts of rows: the same condition counts them and lists them,
so that a number and the list behind it cannot differ. The rest (`Reckoned`) are read from
tallies that other modules keep, with lists of their own.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.dashboards.periods import Span
from crm.org.models import Office, paths_above
from delivery.quality.rates import Share

Shares = dict[int, dict[str, Share]]  # office → KPI → share

GROUPS = {
    "customers": pgettext_lazy("kpis", "Customers"),
    "service": pgettext_lazy("kpis", "Service"),
    "calls": pgettext_lazy("kpis", "Calls"),
    "care": pgettext_lazy("kpis", "Visits and surveys"),
    "delivery": pgettext_lazy("kpis", "Delivery"),
    "staff": pgettext_lazy("kpis", "Staff"),
}
UNITS = {
    "percent": "%",
    "score": "",
    "ratio": "",
    "yuan": pgettext_lazy("unit", "yuan"),
    "pieces": pgettext_lazy("unit", "pieces"),
}


@dataclass(frozen=True)
class Line:
    """A row of a list behind a figure."""

    title: str
    url: str
    at: Any  # day or moment
    note: str = ""


@dataclass(frozen=True)
class Rows:
    """A table whose rows KPIs count, each of an office (`office`, a lookup) and a day.

    `of` gives the rows of the days first to last, both included, of everybody; `shows` a
    row as a line. `person`, a lookup, is who did or owes it; "" where that is nobody.
    """

    name: str
    of: Callable[[date, date], QuerySet]
    office: str
    shows: Callable[[Any], Line]
    related: tuple[str, ...] = ()
    person: str = ""

    def under(self, office: Office, span: Span) -> QuerySet:
        """Those at or below an office. The caller has settled that it may be read."""
        inside = {f"{self.office}__path__startswith": office.path}
        return self.of(span.first, span.last).filter(**inside)


@dataclass(frozen=True)
class Part:
    """A numerator or denominator: the rows that satisfy `where`, counted, or a number of
    theirs summed. `words` say what it is."""

    words: Any
    rows: Rows | None = None
    where: Q = Q()
    total: Any = None

    @property
    def expression(self) -> Any:
        if self.total is None:
            return Count("pk", filter=self.where)
        return Sum(self.total, filter=self.where, default=0)


@dataclass(frozen=True)
class Reckoned:
    """Figures of tallies: `read` gives the shares of offices, each with all below it;
    `address` where the rows of a part are listed, "" for nowhere."""

    name: str
    read: Callable[[Sequence[Office], Span], Shares]
    address: Callable[["Kpi", str, Office, Span], str]


@dataclass(frozen=True)
class Kpi:
    """The definition, as people read it beside the figure and in the API.

    `target` is in the unit that is shown. A changed definition is a new `version` with a
    line in `changes`; what was frozen under the old one stays (Figure.version).
    """

    name: str
    label: Any
    group: str
    top: Part
    bottom: Part
    rule: Any  # where the definition comes from
    owner: Any
    unit: str = "percent"
    per: int = 1
    adds: bool = (
        False  # a sum: the numerator is shown, the denominator says of how many
    )
    is_personal: bool = False  # of people: small figures could name them
    family: str = (
        ""  # those that can be reckoned from each other: told or hidden together
    )
    is_low_good: bool = False
    # What people note, perhaps late: nothing noted is not nought, and it is never frozen.
    is_noted: bool = False
    target: Decimal | None = None
    excludes: Any = ""
    calendar: Any = _("calendar days")
    reckoned: Reckoned | None = None
    version: int = 1
    changes: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return str(self.label)

    @property
    def person(self) -> str:
        """The lookup of who stands behind it, where both parts count rows of one table."""
        rows = self.top.rows
        return rows.person if rows and rows is self.bottom.rows else ""

    def shown(self, share: Share) -> Decimal | None:
        """The value in the KPI's unit, unrounded; None without a denominator."""
        if not share.denominator:
            return None
        if self.adds:
            return Decimal(share.numerator)
        times = 100 if self.unit == "percent" else self.per
        return Decimal(times) * Decimal(share.numerator) / Decimal(share.denominator)

    def is_met(self, value: Decimal | None, target: Decimal | None) -> bool | None:
        """Whether a value reaches a target, which counts as reached; None when either is
        missing."""
        if value is None or target is None:
            return None
        return value <= target if self.is_low_good else value >= target

    def is_better(self, value: Decimal, than: Decimal) -> bool | None:
        """None for equal."""
        if value == than:
            return None
        return (value < than) == self.is_low_good


def plain(number: Any) -> int | float:
    """As JSON writes it: sums of money and stored figures come as decimals."""
    return int(number) if number == int(number) else float(number)


def share(kpi: Kpi, top: Any, bottom: Any) -> Share:
    return Share(top or 0, bottom or 0, kpi.per)


def read(offices: Iterable[Office], span: Span, kpis: Iterable[Kpi]) -> Shares:
    """The shares of offices, each with all below it.

    Cost: one GROUP BY for each table that the KPIs count, and what the tallies cost; none
    depends on how many offices are asked for.
    """
    units, wanted = list(offices), list(kpis)
    found: Shares = {unit.pk: {} for unit in units}
    for source in {kpi.reckoned for kpi in wanted if kpi.reckoned}:
        for office, shares in source.read(units, span).items():
            found[office] |= shares
    counted = [kpi for kpi in wanted if kpi.reckoned is None]
    sums = _summed(units, span, counted)
    for unit in units:
        for kpi in counted:
            tops, bottoms = (
                sums[unit.pk, kpi.name, "top"],
                sums[unit.pk, kpi.name, "bottom"],
            )
            is_silent = kpi.is_noted and not tops
            found[unit.pk][kpi.name] = share(kpi, tops, 0 if is_silent else bottoms)
    return found


def _summed(units: list[Office], span: Span, kpis: list[Kpi]) -> dict[tuple, Any]:
    """(office, KPI, part) → number, rolled up. One query for each table."""
    at = {unit.path: unit.pk for unit in units}
    found: dict[tuple, Any] = defaultdict(int)
    for rows, sums in _by_table(kpis):
        path_of = f"{rows.office}__path"
        counted = rows.of(span.first, span.last).filter(_inside(rows, at)).order_by()
        for line in counted.values(path_of).annotate(**sums):
            above = [at[path] for path in paths_above(line[path_of]) if path in at]
            for name in sums:
                kpi_name, _sep, side = name.rpartition("__")
                for pk in above:
                    found[pk, kpi_name, side] += line[name]
    return found


def _by_table(kpis: list[Kpi]) -> Iterable[tuple[Rows, dict[str, Any]]]:
    """Each table that these KPIs count, with all that is counted in it."""
    found: dict[str, tuple[Rows, dict[str, Any]]] = {}
    for kpi in kpis:
        for side in ("top", "bottom"):
            part: Part = getattr(kpi, side)
            if part.rows is not None:
                _rows, sums = found.setdefault(part.rows.name, (part.rows, {}))
                sums[f"{kpi.name}__{side}"] = part.expression
    return found.values()


def _inside(rows: Rows, paths: Iterable[str]) -> Q:
    """Rows of the offices with these paths and of those below, each once."""
    tops = list(paths)
    found = Q(pk__in=[])
    for path in tops:
        if not any(path != other and path.startswith(other) for other in tops):
            found |= Q(**{f"{rows.office}__path__startswith": path})
    return found


def listed(kpi: Kpi, side: str, office: Office, span: Span) -> QuerySet | None:
    """The rows behind a part of a figure; None where another module lists them."""
    part: Part = getattr(kpi, side)
    if part.rows is None:
        return None
    rows = part.rows.under(office, span).filter(part.where)
    return rows.select_related(*part.rows.related)
