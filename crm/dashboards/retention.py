"""The retention job: both rates of every office, for one pair of periods and its past.

Nightly for the last six whole months against the six before; from the board and the
shell for any dates. Computing twice rewrites the same rows.
"""

from datetime import timedelta

from django.utils.timezone import localdate, now

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.dashboards import kpis
from crm.dashboards.models import KpiSnapshot
from crm.jobs.models import Job
from crm.jobs.services import enqueue
from crm.org.models import Office
from customers.queries import Period, Retention, add_months, retention_by_office

TREND_POINTS = 6  # the asked-for pair and five earlier ones, a month apart


def default_periods(today=None) -> tuple[Period, Period]:
    """(base, current): the last six whole months, and the six before them."""
    this_month = (today or localdate()).replace(day=1)
    middle = add_months(this_month, -6)
    base = Period(add_months(this_month, -12), middle - timedelta(days=1))
    return base, Period(middle, this_month - timedelta(days=1))


def earlier(period: Period, months: int) -> Period:
    """A period of whole months, `months` earlier. Other periods move by 30 days a month."""
    if not period.is_whole_months:
        shift = timedelta(days=30 * months)
        return Period(period.first - shift, period.last - shift)
    last = add_months(period.last, 1 - months) - timedelta(days=1)
    return Period(add_months(period.first, -months), last)


def compute(office: Office, base: Period, current: Period) -> int:
    """Write the snapshots of `office` and every office below it; return how many rows."""
    counts = retention_by_office(office, base, current)
    offices = list(Office.objects.under(office).order_by("path"))
    at = now()
    rows = []
    for unit in offices:
        below = (counts.get(o.pk, Retention()) for o in offices if unit.contains(o))
        together = sum(below, Retention())
        for name, rate_of in kpis.RATES.items():
            rate = rate_of(together)
            rows.append(
                KpiSnapshot(
                    office=unit,
                    kpi=name,
                    base_first=base.first,
                    base_last=base.last,
                    current_first=current.first,
                    current_last=current.last,
                    numerator=rate.numerator,
                    denominator=rate.denominator,
                    computed_at=at,
                )
            )
    key = ["office", "kpi", "base_first", "base_last", "current_first", "current_last"]
    KpiSnapshot.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=key,
        update_fields=["numerator", "denominator", "computed_at"],
    )
    return len(rows)


def retention_step(job: Job) -> bool:
    """Job: one pair of periods a step, the asked-for one first, then its past."""
    base, current = _periods_of(job)
    roots = Office.objects.filter(depth=1)
    if code := job.params.get("office"):
        roots = Office.objects.filter(code=code)
    done = job.cursor.get("done", 0)
    for office in roots:
        rows = compute(office, earlier(base, done), earlier(current, done))
        job.result = {"rows": job.result.get("rows", 0) + rows}
    job.cursor = {"done": done + 1}
    job.done_units, job.total_units = done + 1, TREND_POINTS
    if done + 1 < TREND_POINTS:
        return False
    details = {"base": str(base), "current": str(current)}
    audit.record(job.actor, "kpi.computed", job, details=details)
    return True


def _periods_of(job: Job) -> tuple[Period, Period]:
    if "base" in job.params:
        return Period.parse(job.params["base"]), Period.parse(job.params["current"])
    return default_periods(localdate(job.created_at))


def ask_for_retention(
    office: Office, base: Period, current: Period, *, by: User | None
) -> Job:
    """Queue the job for these dates. Two clicks within a minute are one job."""
    require(by, "kpi.compute", office)
    params = {"office": office.code, "base": str(base), "current": str(current)}
    key = f"retention:{office.code}:{base}:{current}:{now():%Y%m%d%H%M}"
    return enqueue("dashboards.retention", params, by=by, key=key)
