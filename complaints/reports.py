"""Figures of work orders: what came, what was late, reopened, solved at once; by office,
agent, category, channel, type. Each figure is the count of a list (`marked`), no more.

Source: domain.md 6.1, R-CMP-08, R-CMP-13, R-CMP-18, R-CMP-31, R-CMP-38.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import TruncMonth
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from complaints.kinds import Channel, Group, Kind
from complaints.limits import LEGAL
from complaints.models import Clock, Complaint, Milestone, Outcome
from complaints.workflow import State

REPEAT_DAYS = 30  # the same customer, the same class
Check = Outcome.Check


def _late(*clocks: str) -> Exists:
    """A clock was met after its time, or has run out and waits."""
    late = Q(met_at__gt=F("due_at")) | Q(met_at=None, due_at__lt=now())
    return Exists(
        Milestone.objects.filter(late, complaint=OuterRef("pk"), kind__in=clocks)
    )


def _repeated() -> Exists:
    earlier = Complaint.objects.filter(
        customer=OuterRef("customer"),
        category=OuterRef("category"),
        opened_at__lt=OuterRef("opened_at"),
        opened_at__gte=OuterRef("opened_at") - timedelta(days=REPEAT_DAYS),
    )
    return Exists(earlier)


MARKS: dict[str, tuple[Any, Callable[[], Any]]] = {
    "first_late": (_("First answer late"), lambda: _late(Clock.FIRST)),
    "promise_late": (_("Promise broken"), lambda: _late(Clock.RESOLUTION)),
    "law_late": (_("Law broken"), lambda: _late(*LEGAL)),
    "closed": (_("Archived"), lambda: Q(state=State.ARCHIVED)),
    "at_once": (
        _("Solved at first contact"),
        lambda: Q(rounds=1, outcome__answered_by=F("created_by")),
    ),
    "reopened": (_("Reopened"), lambda: Q(rounds__gt=1)),
    "repeat": (
        _("Again within 30 days"),
        lambda: Q(customer__isnull=False) & _repeated(),
    ),
    "asked": (
        _("Asked afterwards"),
        lambda: ~Q(outcome__check_result="") & Q(outcome__isnull=False),
    ),
    "satisfied": (_("Satisfied"), lambda: Q(outcome__check_result=Check.SATISFIED)),
    "forwarded": (_("Forwarded by the regulator"), lambda: Q(is_forwarded=True)),
    "major": (
        pgettext_lazy("report", "Major or violation"),
        lambda: Q(severity="major") | Q(is_violation=True),
    ),
}
# What a mark is a share of; the others are shares of all.
OF = {"satisfied": "asked"}
COLUMNS = (
    "first_late",
    "promise_late",
    "law_late",
    "at_once",
    "reopened",
    "repeat",
    "satisfied",
)
DIMENSIONS = {
    "office": (_("Office"), "handling_office__name", "handling_office__code"),
    "agent": (_("Taken by"), "created_by__full_name", "created_by__username"),
    "kind": (_("Type"), "kind", "kind"),
    "category": (pgettext_lazy("work order", "Class"), "category", "category"),
    "channel": (_("Channel"), "channel", "channel"),
    "cause": (_("Root cause"), "outcome__cause", "outcome__cause"),
}
LABELS: dict[str, dict[str, Any]] = {
    "kind": dict(Kind.choices),
    "category": dict(Group.choices),
    "channel": dict(Channel.choices),
    "cause": dict(Outcome.Cause.choices),
}
PARAMETER = {"office": "handled"}  # the filter of the list, where it is named otherwise


def marked(rows: QuerySet[Complaint], mark: str) -> QuerySet[Complaint]:
    """The rows of `rows` that carry a mark; KeyError for an unknown one."""
    return rows.filter(MARKS[mark][1]()) if mark else rows


@dataclass(frozen=True)
class Line:
    """One line: its name, what opens it, and (mark, count, percent) of each column."""

    name: str
    key: str
    total: int
    cells: list[tuple[str, int, float | None]]


def lines(rows: QuerySet[Complaint], dimension: str) -> list[Line]:
    """The report by one dimension, the most work first. One query a column."""
    _label, name, key = DIMENSIONS[dimension]
    if dimension == "cause":  # as far as it has been found
        rows = rows.filter(outcome__isnull=False).exclude(outcome__cause="")
    counts: dict[str, dict[tuple[str, str], int]] = {}
    for mark in ("", "asked", *COLUMNS):
        found = marked(rows, mark).order_by().values_list(name, key)
        counts[mark] = {pair[:2]: pair[2] for pair in found.annotate(n=Count("pk"))}
    made = []
    for pair, total in sorted(counts[""].items(), key=lambda item: -item[1]):
        cells = []
        for mark in COLUMNS:
            count = counts[mark].get(pair, 0)
            whole = counts[OF.get(mark, "")].get(pair, 0)
            cells.append((mark, count, 100 * count / whole if whole else None))
        label = LABELS.get(dimension, {}).get(pair[1], pair[0])
        made.append(Line(str(label), pair[1], total, cells))
    return made


@dataclass(frozen=True)
class Month:
    """R-CMP-08: what the hotline is used for, month by month."""

    first: datetime
    total: int
    pickups: int
    enquiries: int
    complaints: int

    @property
    def share(self) -> float | None:
        """Pickups among pickups and enquiries, percent: the seed wants it to grow."""
        both = self.pickups + self.enquiries
        return 100 * self.pickups / both if both else None


def traffic(rows: QuerySet[Complaint], since: datetime) -> list[Month]:
    """Types month by month, the newest first. One query."""
    by_month: dict[datetime, dict[str, int]] = defaultdict(dict)
    counted = rows.filter(opened_at__gte=since).order_by()
    grouped = counted.annotate(month=TruncMonth("opened_at")).values_list(
        "month", "kind"
    )
    for month, kind, count in grouped.annotate(n=Count("pk")):
        by_month[month][kind] = count
    return [
        Month(
            month,
            sum(kinds.values()),
            kinds.get(Kind.PICKUP_DISPATCH, 0),
            kinds.get(Kind.ENQUIRY, 0),
            kinds.get(Kind.COMPLAINT, 0),
        )
        for month, kinds in sorted(by_month.items(), reverse=True)
    ]
