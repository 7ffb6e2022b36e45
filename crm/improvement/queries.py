"""The bulletin: what was submitted and what became of it, by office and kind; points."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Q, QuerySet, Sum

from crm.improvement.models import Feedback

State = Feedback.State


@dataclass(frozen=True)
class BulletinLine:
    """A branch in a month: how many came, were solved, are open, are late."""

    office: str
    submitted: int
    solved: int
    declined: int
    passed_up: int
    open: int
    late: int

    @property
    def solved_share(self) -> float:
        return 100 * self.solved / self.submitted


def bulletin(rows: QuerySet[Feedback], at: datetime) -> list[BulletinLine]:
    """Rows by office, the most first. One query."""
    late = Q(due_at__lt=at)
    grouped = rows.order_by().values_list("office__name")
    counted = grouped.annotate(
        submitted=Count("pk"),
        solved=Count("pk", filter=Q(state=State.SOLVED)),
        declined=Count("pk", filter=Q(state=State.DECLINED)),
        passed_up=Count("pk", filter=Q(is_passed_up=True)),
        open=Count("pk", filter=Q(due_at__isnull=False)),
        late=Count("pk", filter=late),
    )
    return [
        BulletinLine(*row) for row in counted.order_by("-submitted", "office__name")
    ]


def ranking(rows: QuerySet[Feedback]) -> list[tuple[str, int, Decimal]]:
    """(person, how many, points) of those who submitted, the most points first."""
    grouped = rows.order_by().values_list("by__full_name")
    found = grouped.annotate(n=Count("pk"), points_sum=Sum("points"))
    return list(found.order_by("-points_sum", "by__full_name")[:20])
