"""Figures of persons: the last step of the drill, and what people see of themselves.

A figure has persons where both of its parts count rows of one table that says who did them
(`Kpi.person`). Sources: anchors.md 5.4; R-KPI-26, R-KPI-34.
"""

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import QuerySet
from django.utils.timezone import localdate

from crm.access.models import User
from crm.dashboards.boards import targets_of
from crm.dashboards.models import Target
from crm.dashboards.periods import Kind, Span, span_of
from crm.dashboards.reckoned import KPIS
from crm.dashboards.registry import Kpi, Rows, share
from crm.org.models import Office
from delivery.quality.rates import FEWEST, Share

MOST = 200  # persons on a page; more have a unit below to look at
NOBODY = "0"  # in addresses: the rows that nobody has taken


@dataclass(frozen=True)
class Line:
    """A person in the table of a figure; `user` is None for the rows that nobody has."""

    user: User | None
    share: Share
    value: Decimal | None
    target: Decimal | None
    is_met: bool | None

    @property
    def is_few(self) -> bool:
        return self.share.denominator < FEWEST


def people(kpi: Kpi, office: Office, span: Span) -> list[Line]:
    """Who stands behind a figure of an office and all below it, against the target of the
    office; best first, those with too few rows last. Three queries; kept for a minute, as
    the figure is. The caller has settled that the office may be drilled into.
    """
    if not kpi.person:
        return []
    asked = hashlib.sha256(f"{kpi.name} {office.pk} {span}".encode()).hexdigest()
    found: list[Line] | None = cache.get(f"people:{asked}")
    if found is None:
        found = _people(kpi, office, span)
        cache.set(f"people:{asked}", found, settings.FIGURES_KEPT_SECONDS)
    return found


def _people(kpi: Kpi, office: Office, span: Span) -> list[Line]:
    rows = kpi.bottom.rows
    assert rows is not None
    sums = {"top": kpi.top.expression, "bottom": kpi.bottom.expression}
    found = rows.under(office, span).order_by().values(kpi.person).annotate(**sums)
    shares = {
        one[kpi.person]: share(kpi, one["top"], one["bottom"])
        for one in found
        if one["top"] or one["bottom"]
    }
    target = _target(kpi, office, targets_of([office], span))
    names = User.objects.only("username", "full_name")  # the rest need not be kept
    users = names.in_bulk([pk for pk in shares if pk])
    lines = [_line(kpi, users.get(pk), one, target) for pk, one in shares.items()]
    sign = 1 if kpi.is_low_good else -1

    def order(line: Line) -> tuple[bool, Decimal, str]:
        return (line.is_few, sign * (line.value or Decimal(0)), str(line.user or ""))

    return sorted(lines, key=order)


def _target(
    kpi: Kpi, office: Office, known: dict[tuple[int, str], Target]
) -> Decimal | None:
    """What was set for an office, else the house's."""
    row = known.get((office.pk, kpi.name))
    return row.value if row else kpi.target


def _line(kpi: Kpi, user: User | None, found: Share, target: Decimal | None) -> Line:
    value = kpi.shown(found)
    return Line(user, found, value, target, kpi.is_met(value, target))


def rows_of(kpi: Kpi, found: QuerySet, person: str) -> QuerySet | None:
    """Of the rows behind a part, those of a person (a key, or NOBODY); None for a person
    that no address can name."""
    if not kpi.person or not person.isdecimal() or len(person) > 18:
        return None
    if person == NOBODY:
        return found.filter(**{f"{kpi.person}__isnull": True})
    return found.filter(**{kpi.person: int(person)})


@dataclass(frozen=True)
class Own:
    """A figure of oneself: this month so far beside the month before."""

    kpi: Kpi
    line: Line
    before: Decimal | None

    @property
    def is_better(self) -> bool | None:
        if self.line.value is None or self.before is None:
            return None
        return self.kpi.is_better(self.line.value, self.before)


def own(user: User) -> tuple[Span, list[Own]]:
    """One's own figures of this month, wherever the rows lie; those without rows in it are
    left out. Two queries for each table."""
    span = span_of(Kind.MONTH, localdate())
    now, before = _sums(user, span), _sums(user, span.previous)
    here = user.postings_now[0].office
    targets = targets_of([here], span)
    found = [
        Own(
            kpi,
            _line(kpi, user, now[kpi.name], _target(kpi, here, targets)),
            kpi.shown(before[kpi.name]),
        )
        for kpi in KPIS
        if kpi.name in now and (now[kpi.name].numerator or now[kpi.name].denominator)
    ]
    return span, found


def _sums(user: User, span: Span) -> dict[str, Share]:
    """KPI → the person's share. One query for each table."""
    tables: dict[str, tuple[Rows, list[Kpi]]] = {}
    for kpi in KPIS:
        if kpi.person and kpi.bottom.rows:
            tables.setdefault(kpi.bottom.rows.name, (kpi.bottom.rows, []))[1].append(
                kpi
            )
    found: dict[str, Share] = {}
    for rows, kpis in tables.values():
        sums: dict[str, Any] = {}
        for kpi in kpis:
            sums |= {
                f"{kpi.name}__top": kpi.top.expression,
                f"{kpi.name}__bottom": kpi.bottom.expression,
            }
        mine = rows.of(span.first, span.last).filter(**{rows.person: user})
        values = mine.order_by().aggregate(**sums)
        for kpi in kpis:
            found[kpi.name] = share(
                kpi, values[f"{kpi.name}__top"], values[f"{kpi.name}__bottom"]
            )
    return found


def own_rows(kpi: Kpi, side: str, user: User, span: Span) -> QuerySet | None:
    """The rows behind a part of one's own figure."""
    part = getattr(kpi, side)
    if not kpi.person or part.rows is None:
        return None
    rows = part.rows.of(span.first, span.last).filter(part.where)
    return rows.filter(**{kpi.person: user}).select_related(*part.rows.related)
