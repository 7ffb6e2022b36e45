"""What a season came to: kept, lost, new, won back, followed up; as counts and as names.

Sources: domain.md 5.4, R-CAM-05…09, 26.
"""

from dataclasses import dataclass, field, fields
from decimal import Decimal

from django.db import connection
from django.db.models import Q, QuerySet

from campaigns.models import CardOrder, Season, SeasonMember
from crm.org.models import Office
from crm.org.queries import ancestry
from customers.models import Customer
from customers.queries import used_by
from delivery.models import Visit
from delivery.quality.rates import Share

# A row for each surviving customer; the base is what was frozen, or what it would be now.
COUNTS = """
WITH bought AS (
    SELECT coalesce(c.merged_into_id, c.id) AS id,
           bool_or(o.season_id = %(season)s) AS now,
           bool_or(o.season_id = %(previous)s) AS last,
           bool_or(o.season_id = ANY(%(earlier)s)) AS before,
           sum(o.pieces) FILTER (WHERE o.season_id = %(season)s) AS pieces,
           sum(o.revenue) FILTER (WHERE o.season_id = %(season)s) AS revenue,
           count(*) FILTER (WHERE o.season_id = %(season)s) AS orders
    FROM campaigns_cardorder o JOIN customers_customer c ON c.id = o.customer_id
    WHERE o.season_id = ANY(%(all)s) AND o.state NOT IN ('offer', 'dropped')
    GROUP BY 1),
member AS (
    SELECT coalesce(c.merged_into_id, c.id) AS id, bool_or(m.lost <> '') AS has_reason,
           bool_or(m.in_base) AS in_base
    FROM campaigns_seasonmember m JOIN customers_customer c ON c.id = m.customer_id
    WHERE m.season_id = %(season)s GROUP BY 1),
visited AS (
    SELECT DISTINCT coalesce(c.merged_into_id, c.id) AS id
    FROM delivery_visit v JOIN customers_customer c ON c.id = v.customer_id
    WHERE v.state = 'done' AND v.plan_id = ANY(%(plans)s)),
one AS (
    SELECT id, coalesce(b.now, false) AS now, coalesce(b.before, false) AS before,
           CASE WHEN %(frozen)s THEN coalesce(m.in_base, false)
                ELSE coalesce(b.last, false) END AS base,
           coalesce(m.has_reason, false) AS has_reason, v.id IS NOT NULL AS followed,
           b.pieces, b.revenue, b.orders
    FROM bought b FULL JOIN member m USING (id) LEFT JOIN visited v USING (id))
SELECT c.office_id, count(*) FILTER (WHERE base),
       count(*) FILTER (WHERE base AND now),
       count(*) FILTER (WHERE base AND NOT now AND has_reason),
       count(*) FILTER (WHERE now AND NOT base),
       count(*) FILTER (WHERE now AND NOT base AND before),
       count(*) FILTER (WHERE base AND followed),
       coalesce(sum(orders), 0), coalesce(sum(pieces), 0), coalesce(sum(revenue), 0)
FROM one JOIN customers_customer c ON c.id = one.id JOIN org_office o ON o.id = c.office_id
WHERE o.path LIKE %(path)s GROUP BY c.office_id"""


@dataclass(frozen=True)
class SeasonCounts:
    """Customers of an office by what they did in a season; they roll up by adding.

    `new` are all who ordered now and not last season; `won_back`, of these, who ordered in
    a season before. `explained`: lost ones with a reason.
    """

    base: int = 0
    kept: int = 0
    explained: int = 0
    new: int = 0
    won_back: int = 0
    followed: int = 0
    orders: int = 0
    pieces: int = 0
    revenue: Decimal = field(default_factory=Decimal)

    @property
    def lost(self) -> int:
        return self.base - self.kept

    def __add__(self, other: "SeasonCounts") -> "SeasonCounts":
        names = [one.name for one in fields(self)]
        return SeasonCounts(*(getattr(self, n) + getattr(other, n) for n in names))


def earlier_seasons(season: Season) -> list[int]:
    """Ids of the seasons before the one it is measured against, at or above its office."""
    if season.previous is None:
        return []
    rows = Season.objects.filter(
        office__path__in=ancestry(season.office),
        first_day__lt=season.previous.first_day,
    )
    return list(rows.exclude(pk=season.previous.pk).values_list("pk", flat=True))


def plans_of(season: Season) -> list[int]:
    """Ids of the visit plans by which this season follows its customers up."""
    return [pk for pk in (season.pre_plan_id, season.after_plan_id) if pk]


def counts_by_office(season: Season, office: Office) -> dict[int, SeasonCounts]:
    """Counts by the customers' present office, at or below `office`.

    Cost: two queries; a GROUP BY over the valid orders of this season, the last and the
    ones before.
    """
    earlier = earlier_seasons(season)
    values = {
        "season": season.pk,
        "previous": season.previous_id or 0,
        "earlier": earlier,
        "all": [season.pk, season.previous_id or 0, *earlier],
        "plans": plans_of(season),
        "frozen": season.base_frozen_at is not None,
        "path": office.path + "%",
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, values)
        return {row[0]: SeasonCounts(*row[1:]) for row in cursor.fetchall()}


def counts_of(season: Season, office: Office) -> SeasonCounts:
    """Of an office and all below it together."""
    return sum(counts_by_office(season, office).values(), SeasonCounts())


def kept_share(counts: SeasonCounts, season: Season) -> Share:
    """Customers of last season with a valid order in this one (R-CAM-06)."""
    return Share(counts.kept, counts.base)


def new_share(counts: SeasonCounts, season: Season) -> Share:
    """Customers with a valid order in this season and none in the last, of last season's
    customers (R-CAM-08). Those won back count unless the season says otherwise."""
    won_back = 0 if season.won_back_counts else counts.won_back
    return Share(counts.new - won_back, counts.base)


def won_back_share(counts: SeasonCounts, season: Season) -> Share:
    """Customers who ordered in this season and in one before the last, of last season's
    customers (流失重获)."""
    return Share(counts.won_back, counts.base)


def follow_up_share(counts: SeasonCounts, season: Season) -> Share:
    """Customers of last season with a done visit of this season's plans, before or after
    the campaign (R-CAM-09)."""
    return Share(counts.followed, counts.base)


# name → (share, the season's target in percent)
RATES = {
    "retention_rate": (kept_share, "retention_target"),
    "new_customer_rate": (new_share, "new_target"),
    "won_back_rate": (won_back_share, None),
    "follow_up_rate": (follow_up_share, "follow_up_target"),
}


def target_of(name: str, season: Season) -> float | None:
    """The season's own target as a fraction; None where it has none."""
    attribute = RATES[name][1]
    return float(getattr(season, attribute)) / 100 if attribute else None


GROUPS = (
    "base",
    "kept",
    "lost",
    "unexplained",
    "new",
    "won_back",
    "followed",
    "waiting",
)


def group_of(
    customers: QuerySet[Customer], group: str, season: Season
) -> QuerySet[Customer]:
    """The customers behind one figure of counts_by_office: the same rules, as rows."""
    valid = CardOrder.objects.valid()
    now = used_by(valid.filter(season=season))
    members = SeasonMember.objects.filter(season=season)
    base = (
        used_by(members.filter(in_base=True))
        if season.base_frozen_at
        else used_by(valid.filter(season=season.previous_id or 0))
    )
    before = used_by(valid.filter(season__in=earlier_seasons(season)))
    followed = used_by(
        Visit.objects.filter(state=Visit.State.DONE, plan__in=plans_of(season))
    )
    wanted: dict[str, Q] = {
        "base": base,
        "kept": base & now,
        "lost": base & ~now,
        "unexplained": base & ~now & ~used_by(members.exclude(lost="")),
        "new": now & ~base,
        "won_back": now & ~base & before,
        "followed": base & followed,
        "waiting": base & ~followed,
    }
    return customers.filter(wanted[group])
