"""What waits, what is late, how an office stands: the supervisor's first page and the wall.

Sources: anchors.md 5.4 items 30–33, 37; issue 9.4. Each number opens the list that it counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.timezone import localdate, now
from django.utils.translation import gettext_lazy as _

from complaints import claims
from complaints.models import Complaint
from crm.access.models import User
from crm.dashboards import boards
from crm.dashboards.boards import Cell, Line
from crm.dashboards.periods import Kind, last_ended, span_of
from crm.dashboards.reckoned import BY_NAME
from crm.dashboards.registry import Kpi
from crm.org.models import Office
from crm.programmes.models import UnitRequest
from crm.risk.models import Incident
from customers.models import Alert
from delivery.models import ItemRisk, Visit

# On the wall: today's calls and answers; they roll in as they happen.
TODAY = ("service_level", "abandon_rate", "first_contact_resolution", "satisfaction")
MOST_MOVED = 6


@dataclass(frozen=True)
class Tile:
    """A number that wants something done, and the list behind it."""

    label: Any
    count: int
    url: str
    icon: str
    is_bad: bool = True  # coloured when it is not nought


def _overdue(user: User) -> QuerySet:
    return Complaint.objects.visible_to(user).overdue(now())


def _past_law(user: User) -> QuerySet:
    return Complaint.objects.visible_to(user).past_the_law(now())


def _claims(user: User) -> QuerySet:
    return claims.visible(user).filter(state="proposed")


def _alerts(user: User) -> QuerySet:
    rows = Alert.objects.visible_to(user).exclude(state=Alert.State.CLOSED)
    return rows.filter(owner=None)


def _visits(user: User) -> QuerySet:
    rows = Visit.objects.visible_to(user)
    return rows.filter(state=Visit.State.OPEN, due_on__lt=localdate())


def _requests(user: User) -> QuerySet:
    return UnitRequest.objects.visible_to(user).filter(
        state__in=["open", "taken"], due_at__lt=now()
    )


def _incidents(user: User) -> QuerySet:
    return Incident.objects.visible_to(user).exclude(state=Incident.State.CLOSED)


def _risky(user: User) -> QuerySet:
    return ItemRisk.objects.visible_to(user).filter(state=ItemRisk.State.OPEN)


Asked = tuple[Any, str, str, str, Callable[[User], QuerySet]]
TILES: tuple[Asked, ...] = (
    (_("Overdue work orders"), "complaints:list", "view=overdue", "inbox", _overdue),
    (_("Past the law"), "complaints:list", "view=law", "gavel", _past_law),
    (_("Claims to decide"), "complaints:claims", "view=decide", "banknote", _claims),
    (
        _("Alerts of nobody"),
        "customers:alerts",
        "whose=nobody",
        "bell-ring",
        _alerts,
    ),
    (_("Overdue visits"), "delivery:list", "state=overdue", "map-pin-check", _visits),
    (
        _("Late requests of units"),
        "programmes:unit_requests",
        "late=1",
        "handshake",
        _requests,
    ),
    (_("Open incidents"), "risk:incidents", "state=open", "siren", _incidents),
    (_("Key items at risk"), "quality:risks", "", "hourglass", _risky),
)


def tiles_of(user: User) -> list[Tile]:
    """What is late or waits now, eight at most. One count each."""
    return [
        Tile(
            label,
            rows(user).order_by().count(),
            f"{reverse(name)}?{query}" if query else reverse(name),
            icon,
        )
        for label, name, query, icon, rows in TILES
    ]


@dataclass(frozen=True)
class Mover:
    """A unit that has changed its place most among its sisters."""

    kpi: Kpi
    line: Line

    @property
    def climbed(self) -> int:
        return self.line.climbed or 0


@dataclass(frozen=True)
class Standing:
    """An office's last whole month: the main figures, and those that miss their target."""

    cells: list[Cell]
    missed: list[Cell]
    read: boards.Read


def standing_of(office: Office) -> Standing:
    """Of the last month. The caller supervises the office: nothing is hidden.

    Cost: six queries for the figures of a month that is final.
    """
    span = last_ended(Kind.MONTH, localdate())
    cells, read = boards.board(office, span, only_aggregates=False)
    by_name = {cell.kpi.name: cell for cell in cells}
    main = [
        by_name[name]
        for name in boards.TILES
        if name in by_name and by_name[name].value is not None
    ]
    missed = [cell for cell in cells if cell.is_met is False]
    return Standing(main, missed[:12], read)


def movers_of(office: Office, cells: list[Cell]) -> list[Mover]:
    """Who below has gained or lost most places since the month before. Three queries a
    figure."""
    span = last_ended(Kind.MONTH, localdate())
    found = [
        Mover(cell.kpi, line)
        for cell in cells
        for line in boards.league(cell.kpi, office, span, only_aggregates=False)
        if line.climbed
    ]
    return sorted(found, key=lambda mover: -abs(mover.climbed))[:MOST_MOVED]


def today_of(office: Office) -> tuple[list[Cell], boards.Read]:
    """Today's figures of calls and answers, as far as the day has come."""
    span = span_of(Kind.DAY, localdate())
    kpis = [BY_NAME[name] for name in TODAY]
    return boards.board(office, span, only_aggregates=False, kpis=kpis)
