"""The nightly count of figures: each period once, anew while it settles, then frozen.

Sources: R-KPI-03; reliability.md B07. A night that was missed is caught up by the next: what
is due follows from the calendar and from what is frozen, not from when the job ran.
"""

from datetime import date

from django.db import connection, transaction
from django.utils.timezone import localdate, now

from crm.dashboards.models import Figure, FigureRun
from crm.dashboards.periods import Kind, Span, last_ended
from crm.dashboards.reckoned import KPIS
from crm.dashboards.registry import read
from crm.jobs.models import Job
from crm.org.models import Office

# How many periods back are looked for: longer than any settles, so that a job that stood
# still for days leaves no gap.
LOOKS_BACK = {
    Kind.DAY: 14,
    Kind.WEEK: 5,
    Kind.TEN_DAYS: 4,
    Kind.MONTH: 3,
    Kind.QUARTER: 2,
    Kind.HALF: 2,
    Kind.YEAR: 2,
    Kind.SEASON: 2,
}
BATCH = 5_000


def waiting(today: date) -> list[Span]:
    """The periods that are over and not final yet, the shortest first. One query."""
    frozen = set(
        FigureRun.objects.filter(frozen_at__isnull=False).values_list("kind", "first")
    )
    found = []
    for kind, count in LOOKS_BACK.items():
        span = last_ended(kind, today)
        for _n in range(count):
            if (span.kind.value, span.first) not in frozen:
                found.append(span)
            span = span.previous
    return found


@transaction.atomic
def compute(span: Span, today: date) -> int:
    """Count every KPI of every office for a period; how many figures it has. Frozen from
    its last day of settling on; a frozen period is left as it is.

    Cost: the queries of `registry.read` for all offices at once, and one write a figure;
    what has nothing to divide by, and what people note late, is not kept.
    """
    with connection.cursor() as cursor:
        # RACE: two jobs at once would both count, and write the same rows.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('dashboards.figures'))")
    run = FigureRun.objects.filter(kind=span.kind, first=span.first).first()
    if (run and run.frozen_at) or not span.has_ended(today):
        return 0
    at, is_final = now(), today >= span.final_on
    shares = read(Office.objects.all(), span, KPIS)
    Figure.objects.filter(kind=span.kind, first=span.first).delete()
    rows = [
        Figure(
            office_id=office,
            kpi=kpi.name,
            version=kpi.version,
            kind=span.kind,
            first=span.first,
            last=span.last,
            numerator=by_name[kpi.name].numerator,
            denominator=by_name[kpi.name].denominator,
            is_frozen=is_final,
            computed_at=at,
        )
        for office, by_name in shares.items()
        for kpi in KPIS
        if by_name[kpi.name].denominator and not kpi.is_noted
    ]
    Figure.objects.bulk_create(rows, batch_size=BATCH)
    FigureRun.objects.update_or_create(
        kind=span.kind,
        first=span.first,
        defaults={
            "last": span.last,
            "computed_at": at,
            "frozen_at": at if is_final else None,
        },
    )
    return len(rows)


def figures_step(job: Job) -> bool:
    """Job: one period a step. Twice a night counts twice and comes to the same."""
    today = localdate()
    done = job.cursor.get("done", [])
    left = [span for span in waiting(today) if f"{span.kind}:{span.first}" not in done]
    if not left:
        return True
    span = left[0]
    figures = compute(span, today)
    job.result = {"figures": job.result.get("figures", 0) + figures}
    job.cursor = {"done": [*done, f"{span.kind}:{span.first}"]}
    job.done_units, job.total_units = len(done) + 1, len(done) + len(left)
    return len(left) == 1
