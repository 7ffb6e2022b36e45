"""Routes: volume, on time, steadiness, by where from and where to (R-DLV-09, R-DLV-13)."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from crm.org.models import Office
from delivery.models import PremiumRoute
from delivery.quality.figures import Span
from delivery.quality.rates import Share, percentile, route_cv

ROUTES = """
SELECT t.from_region, t.to_region, sum(t.items), sum(t.limited), sum(t.on_time)
FROM delivery_routetally t JOIN org_office o ON o.id = t.office_id
WHERE o.path LIKE %(path)s AND t.day BETWEEN %(first)s AND %(last)s AND t.ripe_on <= %(at)s
  AND (%(product)s = '' OR t.product = %(product)s) GROUP BY 1, 2"""
TRANSIT = """
SELECT t.from_region, t.to_region, u.days, sum(u.n)
FROM delivery_routetally t JOIN org_office o ON o.id = t.office_id,
     unnest(t.transit, t.transit_items) AS u (days, n)
WHERE o.path LIKE %(path)s AND t.day BETWEEN %(first)s AND %(last)s AND t.ripe_on <= %(at)s
  AND (%(product)s = '' OR t.product = %(product)s) GROUP BY 1, 2, 3"""
HEAT_PLACES = 14


@dataclass
class Route:
    """One route in a time: `cv` is the coefficient of variation of its transit days."""

    origin: str
    destination: str
    items: int
    on_time: Share
    transit: dict[int, int] = field(default_factory=dict)
    premium: PremiumRoute | None = None

    @property
    def cv(self) -> float | None:
        return route_cv(self.transit)

    @property
    def p50(self) -> int | None:
        return percentile(self.transit, 50)

    @property
    def p95(self) -> int | None:
        return percentile(self.transit, 95)

    @property
    def is_met(self) -> bool | None:
        if self.premium is None or self.on_time.percent is None:
            return None
        return self.on_time.percent >= float(self.premium.target)

    @property
    def is_steady(self) -> bool | None:
        if self.premium is None or self.cv is None:
            return None
        return self.cv <= float(self.premium.most_cv)


def routes_of(office: Office, span: Span) -> list[Route]:
    """The routes of items that the office answers for, the busiest first. Three queries
    over the finest tallies of the days."""
    values: dict[str, Any] = {
        "path": f"{office.path}%",
        "first": span.first,
        "last": span.last,
        "at": span.at,
        "product": span.product,
    }
    premium = {
        (row.from_region, row.to_region): row for row in PremiumRoute.objects.all()
    }
    transit: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(ROUTES, values)
        rows = cursor.fetchall()
        cursor.execute(TRANSIT, values)
        for origin, destination, days, items in cursor.fetchall():
            transit[origin, destination][days] = int(items)
    found = [
        Route(
            origin,
            destination,
            items,
            Share(on_time, limited),
            transit[origin, destination],
            premium.get((origin, destination)),
        )
        for origin, destination, items, limited, on_time in rows
        if items
    ]
    return sorted(found, key=lambda row: (-row.items, row.origin, row.destination))


def heat(found: list[Route]) -> dict[str, Any]:
    """On-time shares of the busiest places as a table: rows from, columns to."""
    volume: dict[str, int] = defaultdict(int)
    for row in found:
        volume[row.origin] += row.items
        volume[row.destination] += row.items
    places = sorted(volume, key=lambda name: -volume[name])[:HEAT_PLACES]
    cells = {(row.origin, row.destination): row for row in found}
    origins = [p for p in places if any((p, to) in cells for to in places)]
    goals = [p for p in places if any((origin, p) in cells for origin in places)]
    lines = []
    for origin in origins:
        there = [cells.get((origin, goal)) for goal in goals]
        lines.append((origin, [(cell, _tone(cell)) for cell in there]))
    return {"goals": goals, "lines": lines}


def _tone(row: Route | None) -> str:
    """Five steps of colour; too few items have none."""
    if row is None or row.on_time.percent is None or row.on_time.is_few:
        return ""
    edges = ((95, "h5"), (90, "h4"), (80, "h3"), (70, "h2"))
    return next((tone for edge, tone in edges if row.on_time.percent >= edge), "h1")
