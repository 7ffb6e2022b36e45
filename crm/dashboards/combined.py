"""The combined assessment of units: figures against their targets, weighed, and what people
think, in a set proportion.

Sources: R-KPI-01, 29, 38, 39; domain.md 7.3.
"""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.dashboards import boards
from crm.dashboards.models import Opinion, Target, Weighting
from crm.dashboards.periods import Span
from crm.dashboards.reckoned import BY_NAME
from crm.dashboards.registry import Kpi
from crm.errors import Refused
from crm.org.models import Office, paths_above
from delivery.quality.rates import FEWEST

HUNDRED = Decimal(100)
PLACES = Decimal("0.01")
USUAL_SHARE = 30  # percent of the qualitative part
# The five indicators of customer management (R-KPI-37) and delivery, until somebody weighs.
USUAL = {
    "satisfied_share": 20,
    "complaint_rate": 20,
    "churn_rate": 20,
    "loyalty": 10,
    "cooperation_won": 10,
    "on_time_rate": 20,
}
MOST_WEIGHT = 1000


@dataclass(frozen=True)
class Rated:
    """One figure in a unit's mark: how much of its target it came to, 0 to 100."""

    kpi: Kpi
    weight: int
    value: Decimal
    target: Decimal
    attainment: Decimal


@dataclass(frozen=True)
class Mark:
    """What a unit came to. None where there is nothing to judge by."""

    office: Office
    rated: list[Rated]
    quantitative: Decimal | None
    qualitative: Decimal | None
    combined: Decimal | None
    rank: int | None = None

    @property
    def lost(self) -> list[Rated]:
        """The three figures that cost most: weight times what is missing."""
        missed = [one for one in self.rated if one.attainment < HUNDRED]
        missed.sort(key=lambda one: -one.weight * (HUNDRED - one.attainment))
        return missed[:3]


def weighting_of(office: Office, year: int) -> Weighting:
    """The one in force: the office's, else the nearest above, else the usual one (which is
    not kept)."""
    rows = Weighting.objects.filter(
        office__path__in=paths_above(office.path), year=year
    )
    found = rows.order_by("-office__path").first()
    return found or Weighting(
        office=office, year=year, qualitative=USUAL_SHARE, weights=USUAL
    )


@transaction.atomic
def weigh(
    office: Office, year: int, *, by: User, qualitative: int, weights: dict[str, int]
) -> Weighting:
    """Set the weights of a year. Refused("weights.none") without any, ("weights.kpi") for
    one that is unknown or out of bounds."""
    require(by, "kpi.target", office)
    kept = {name: weight for name, weight in weights.items() if weight}
    if not kept:
        raise Refused("weights.none", _("Weigh at least one figure."))
    if set(kept) - set(BY_NAME) or not all(
        0 < weight <= MOST_WEIGHT for weight in kept.values()
    ):
        raise Refused("weights.kpi", _("A weight lies between 1 and 1000."))
    if not 0 <= qualitative <= HUNDRED:
        raise Refused("weights.share", _("The share lies between 0 and 100."))
    row, _new = Weighting.objects.update_or_create(
        office=office,
        year=year,
        defaults={"qualitative": qualitative, "weights": kept, "set_by": by},
    )
    details = {"year": year, "qualitative": qualitative, "weights": kept}
    audit.record(by, "kpi.weights", office, office=office, details=details)
    return row


@transaction.atomic
def say(opinion: Opinion, *, by: User) -> Opinion:
    """Keep what one thinks of a unit for a period; again replaces one's own.
    Refused("opinion.own") for the office that one is posted at."""
    require(by, "kpi.target", opinion.office)
    if any(post.office_id == opinion.office_id for post in by.posts("supervisor")):
        raise Refused("opinion.own", _("Nobody marks their own office."))
    row, _new = Opinion.objects.update_or_create(
        office=opinion.office,
        kind=opinion.kind,
        first=opinion.first,
        source=opinion.source,
        by=by,
        defaults={"points": opinion.points, "words": opinion.words},
    )
    details = {"points": str(row.points), "source": row.source}
    audit.record(by, "kpi.opinion", row, office=row.office, details=details)
    return row


def attainment(kpi: Kpi, value: Decimal, target: Decimal) -> Decimal:
    """How much of its target a value comes to, 0 to 100; what is over counts as reached.

    Where low is good, the target over the value: twice the allowed complaints is 50. With
    a target of nought, only nought reaches it.
    """
    if kpi.is_met(value, target):
        return HUNDRED
    if kpi.is_low_good:
        return HUNDRED * target / value
    return HUNDRED * value / target if target else HUNDRED


def marks_of(office: Office, span: Span) -> list[Mark]:
    """The marks of the units one level down, the best first. The caller supervises them.

    Figures without a target, or of fewer than thirty cases, are left out, and the weights
    of the rest count for all; a unit without opinions is marked by its figures alone, one
    without figures is not marked.
    """
    weighting = weighting_of(office, span.first.year)
    kpis = [BY_NAME[name] for name in weighting.weights if name in BY_NAME]
    units = boards.units_below(office)
    shares = boards.shares_of(units, span, kpis).shares
    targets = boards.targets_of(units, span)
    opinions = _means(units, span)
    marks = []
    for unit in units:
        rated = [
            found
            for kpi in kpis
            if (found := _rated(kpi, unit, shares[unit.pk], targets, weighting))
        ]
        marks.append(_mark(unit, rated, opinions.get(unit.pk), weighting))
    ordered = sorted(
        (mark.combined for mark in marks if mark.combined is not None), reverse=True
    )
    placed = [
        Mark(
            mark.office,
            mark.rated,
            mark.quantitative,
            mark.qualitative,
            mark.combined,
            None if mark.combined is None else ordered.index(mark.combined) + 1,
        )
        for mark in marks
    ]
    return sorted(
        placed, key=lambda mark: (mark.rank or len(units) + 1, mark.office.code)
    )


def _rated(
    kpi: Kpi,
    unit: Office,
    shares: dict,
    targets: dict[tuple[int, str], Target],
    weighting: Weighting,
) -> Rated | None:
    own = targets.get((unit.pk, kpi.name))
    target = own.value if own else kpi.target
    found = shares[kpi.name]
    value = kpi.shown(found)
    if value is None or target is None or found.denominator < FEWEST:
        return None
    reached = attainment(kpi, value, target).quantize(PLACES)
    return Rated(kpi, weighting.weights[kpi.name], value, target, reached)


def _mark(
    unit: Office, rated: list[Rated], opinion: Decimal | None, weighting: Weighting
) -> Mark:
    if not rated:
        return Mark(unit, [], None, opinion, None)
    total = sum(one.weight for one in rated)
    figures = sum((one.attainment * one.weight for one in rated), Decimal(0)) / total
    figures = figures.quantize(PLACES)
    if opinion is None:
        return Mark(unit, rated, figures, None, figures)
    share = Decimal(weighting.qualitative) / HUNDRED
    whole = figures * (1 - share) + opinion * share
    return Mark(unit, rated, figures, opinion, whole.quantize(PLACES))


def _means(units: list[Office], span: Span) -> dict[int, Decimal]:
    """Unit → the mean of its sources, each the mean of who spoke: ten customers do not
    outweigh the house."""
    rows = Opinion.objects.filter(office__in=units, kind=span.kind, first=span.first)
    points: dict[int, dict[str, list[Decimal]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        points[row.office_id][row.source].append(row.points)
    found = {}
    for pk, sources in points.items():
        means = [sum(values, Decimal(0)) / len(values) for values in sources.values()]
        found[pk] = (sum(means, Decimal(0)) / len(means)).quantize(PLACES)
    return found
