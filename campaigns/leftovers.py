"""Cards that customers have left after a season: a proposal is due (R-CAM-19)."""

from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.utils.timezone import localdate, now

from campaigns.models import Season, SeasonMember
from crm.access.models import User
from crm.jobs.models import Job
from customers.models import Task
from customers.watching import make_task
from delivery.models import VisitReport

DAYS = 7  # from the visit to the proposal; own judgement
CHUNK = 500


def _source(season: int, customer: int) -> str:
    return f"stock:{season}:{customer}"


def leftover_step(job: Job) -> bool:
    """Job, each morning: a task for the manager of each customer that a visit after the
    season found with cards left and nobody has proposed anything to; by chunks of reports.
    """
    answered = SeasonMember.objects.filter(
        season__after_plan=OuterRef("visit__plan"), customer=OuterRef("visit__customer")
    ).exclude(proposal="")
    seasons = Season.objects.exclude(state=Season.State.CLOSED)
    plans: dict[int | None, int] = dict(
        seasons.exclude(after_plan=None).values_list("after_plan", "pk")
    )
    rows = VisitReport.objects.filter(
        ~Exists(answered),
        visit__plan__in=plans,
        visit__customer__manager__isnull=False,
        stock_left__gt=0,
        pk__gt=job.cursor.get("after", 0),
    ).select_related("visit__customer")
    chunk = list(rows.order_by("pk")[:CHUNK])
    tasks = [
        make_task(
            row.visit.customer,
            "stock",
            due_on=localdate() + timedelta(days=DAYS),
            source=_source(plans[row.visit.plan_id], row.visit.customer_id),
            ref=f"{row.stock_left}",
        )
        for row in chunk
    ]
    Task.objects.bulk_create(tasks, ignore_conflicts=True)
    if chunk:
        job.cursor = {"after": chunk[-1].pk}
    return len(chunk) < CHUNK


def answered(member: SeasonMember, by: User) -> None:
    """A proposal was written: the task for it is done."""
    source = _source(member.season_id, member.customer_id)
    Task.objects.filter(source=source, done_at=None).update(done_at=now(), done_by=by)
