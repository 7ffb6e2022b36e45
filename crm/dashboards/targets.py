"""Targets of units by period: set from above, checked against the parent's, copied on.

Sources: R-KPI-23, R-KPI-29; anchors.md 5.4 item 35.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from itertools import product
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from crm.access.capabilities import require
from crm.access.models import User
from crm.access.roles import CAPABILITIES
from crm.audit import services as audit
from crm.dashboards.models import Target
from crm.dashboards.periods import Kind, Span, span_of
from crm.dashboards.registry import Kpi
from crm.errors import Refused
from crm.org.models import Office, paths_above

MOST = 100  # percent
GRIDS = (Kind.MONTH, Kind.QUARTER, Kind.HALF, Kind.YEAR, Kind.SEASON)
Key = tuple[int, Span]  # office, period


def may_set(by: User, office: Office) -> bool:
    """Targets are set by who stands above a unit; the top sets its own."""
    path = (paths_above(office.path)[:-1] or [office.path])[-1]
    roles = CAPABILITIES["kpi.target"]
    return any(
        posting.role in roles and path.startswith(posting.office.path)
        for posting in by.postings_now
    )


def units_of(office: Office) -> list[Office]:
    """The rows of a grid: an office and those one level down."""
    rows = Office.objects.active().under(office).filter(depth__lte=office.depth + 1)
    return list(rows.order_by("path"))


def spans_of(kind: str, year: int) -> list[Span]:
    """The columns of a grid: the periods of a kind that begin in a year."""
    span, found = span_of(kind, date(year, 1, 1)), []
    if span.first.year < year:  # a season
        span = span.following
    while span.first.year == year:
        found.append(span)
        span = span.following
    return found


def set_before(
    kpi: Kpi, units: Iterable[Office], spans: list[Span]
) -> dict[Key, Target]:
    """(office, period) → what is set. One query."""
    by_first = {span.first: span for span in spans}
    rows = Target.objects.filter(
        kpi=kpi.name,
        office__in=[unit.pk for unit in units],
        kind=spans[0].kind,
        first__in=by_first,
    )
    return {(row.office_id, by_first[row.first]): row for row in rows}


def faults(
    kpi: Kpi, office: Office, units: list[Office], wanted: dict[Key, Decimal]
) -> dict[Key, str]:
    """What is wrong with targets, by the cell that is wrong; pure.

    A percentage over a hundred; children of a sum that add up to more than their parent;
    children of a rate that could all be reached while their parent is missed.
    """
    found: dict[Key, str] = {}
    for (unit, span), value in wanted.items():
        if kpi.unit == "percent" and value > MOST:
            found[unit, span] = _("More than 100 %.")
    children = [unit.pk for unit in units if unit != office]
    for span in {span for _unit, span in wanted}:
        parent = wanted.get((office.pk, span))
        below = [wanted[pk, span] for pk in children if (pk, span) in wanted]
        if parent is None or not below:
            continue
        if kpi.adds and sum(below) > parent:
            words = _("The units below add up to %(sum)s, more than this.")
            found[office.pk, span] = words % {"sum": sum(below)}
        elif (
            not kpi.adds
            and len(below) == len(children)
            and _is_loose(kpi, parent, below)
        ):
            found[office.pk, span] = _(
                "The units below could all reach theirs, and this would be missed."
            )
    return found


def _is_loose(kpi: Kpi, parent: Decimal, below: list[Decimal]) -> bool:
    """Whether all of a rate's children lie on the easy side of their parent."""
    if kpi.is_low_good:
        return min(below) > parent
    return max(below) < parent


@transaction.atomic
def keep(
    kpi: Kpi,
    office: Office,
    spans: list[Span],
    wanted: dict[Key, Decimal],
    *,
    by: User,
    shown: dict[Key, Decimal | None] | None = None,
) -> int:
    """Set the targets of a grid: what is not in `wanted` is struck; how many changed. Cells
    that are as they were `shown` stay as they are now.

    Only cells of units that `by` may set are touched. Refused("target.faults") names the
    first fault; the form shows each beside its cell. Refused("target.stale") for a cell
    that somebody else has changed otherwise meanwhile.
    """
    Office.objects.select_for_update().get(pk=office.pk)  # RACE: one grid at a time
    units = units_of(office)
    require(by, "kpi.target", office)
    if wrong := faults(kpi, office, units, wanted):
        raise Refused("target.faults", next(iter(wrong.values())))
    before, changed = set_before(kpi, units, spans), 0
    mine = [unit for unit in units if may_set(by, unit)]
    for unit, span in product(mine, spans):
        key = (unit.pk, span)
        value, old = wanted.get(key), before.get(key)
        now = old.value if old else None
        was = shown.get(key, now) if shown else now
        if value in (was, now):
            continue  # as it was shown: whatever somebody else has set stays
        if now != was:
            message = _("Somebody else has changed this meanwhile: look again.")
            raise Refused("target.stale", message)
        changed += 1
        cell: dict[str, Any] = {"office": unit, "kpi": kpi.name, "kind": span.kind}
        cell["first"] = span.first
        if value is None:
            Target.objects.filter(**cell).delete()
        else:
            Target.objects.update_or_create(
                **cell, defaults={"value": value, "set_by": by}
            )
    details = {"kpi": kpi.name, "year": spans[0].first.year, "changed": changed}
    audit.record(by, "kpi.targets", office, office=office, details=details)
    return changed


@transaction.atomic
def keep_benchmarks(
    kpi: Kpi,
    office: Office,
    spans: list[Span],
    wanted: dict[Span, Decimal],
    *,
    by: User,
) -> int:
    """What others reach (R-KPI-23), beside the targets of an office; how many changed.
    Without `by` setting the office's targets, none is."""
    if not may_set(by, office):
        return 0
    changed = 0
    for (_office, span), row in set_before(kpi, [office], spans).items():
        if row.benchmark != wanted.get(span):
            row.benchmark = wanted.get(span)
            row.save(update_fields=["benchmark"])
            changed += 1
    if changed:
        details = {"kpi": kpi.name, "changed": changed}
        audit.record(by, "kpi.benchmarks", office, office=office, details=details)
    return changed


@transaction.atomic
def copy_year(kpi: Kpi, office: Office, kind: str, year: int, *, by: User) -> int:
    """Targets of the year before, where this year has none yet; how many."""
    require(by, "kpi.target", office)
    spans = spans_of(kind, year)
    units = [unit for unit in units_of(office) if may_set(by, unit)]
    older = {
        (pk, span.first): row
        for (pk, span), row in set_before(kpi, units, spans_of(kind, year - 1)).items()
    }
    known = set_before(kpi, units, spans)
    rows = []
    for span in spans:
        for unit in units:
            old = older.get((unit.pk, span.first.replace(year=year - 1)))
            if old and (unit.pk, span) not in known:
                rows.append(
                    Target(
                        office=unit,
                        kpi=kpi.name,
                        kind=kind,
                        first=span.first,
                        value=old.value,
                        benchmark=old.benchmark,
                        set_by=by,
                    )
                )
    made = Target.objects.bulk_create(rows, ignore_conflicts=True)
    details = {"kpi": kpi.name, "year": year, "copied": len(made)}
    audit.record(by, "kpi.targets_copied", office, office=office, details=details)
    return len(made)
