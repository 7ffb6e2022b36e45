"""What a weak figure leads to: an improvement with the figure before it, and after it.

Sources: R-KPI-24, 44, 45, 46. The figure after is that of the first whole month after the
improvement was done, once it is final.
"""

from typing import Any

from django.db import transaction
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm.access.models import User
from crm.dashboards import boards
from crm.dashboards.models import Figure
from crm.dashboards.periods import Kind, Span, span_of
from crm.dashboards.reckoned import BY_NAME
from crm.dashboards.registry import Kpi, share
from crm.errors import Refused
from crm.jobs.models import Job
from crm.org.models import Office
from delivery import improving
from delivery.models import Improvement


@transaction.atomic
def improve(
    kpi: Kpi, office: Office, span: Span, url: str, *, by: User, **facts: Any
) -> Improvement:
    """Open an improvement for a figure of a period. Refused("kpi.none") without a value,
    ("kpi.again") while one for this figure of this office is open."""
    value = kpi.shown(
        boards.shares_of([office], span, [kpi]).shares[office.pk][kpi.name]
    )
    if value is None:
        raise Refused("kpi.none", _("This figure has no value in this period."))
    # RACE: two clicks take turns on the office.
    Office.objects.select_for_update().get(pk=office.pk)
    known = Improvement.objects.filter(kpi=kpi.name, office=office, is_effective=None)
    if known.exists():
        raise Refused("kpi.again", _("An improvement of this is open already."))
    return improving.open_for(
        f"{kpi} {span.label}",
        url,
        by=by,
        office=office,
        kpi=kpi.name,
        kpi_before=float(value),
        **facts,
    )


def effect_step(job: Job) -> bool:
    """Job, nightly: note the figure after each improvement that is done. Twice notes the
    same."""
    waiting = Improvement.objects.filter(done_at__isnull=False, kpi_after=None).exclude(
        kpi=""
    )
    noted = 0
    for row in waiting:
        after = span_of(Kind.MONTH, localdate(row.done_at)).following
        figure = Figure.objects.filter(
            office=row.office_id,
            kpi=row.kpi,
            kind=Kind.MONTH,
            first=after.first,
            is_frozen=True,
        ).first()
        kpi = BY_NAME.get(row.kpi)
        if figure is None or kpi is None:
            continue
        value = kpi.shown(share(kpi, figure.numerator, figure.denominator))
        if value is not None:
            Improvement.objects.filter(pk=row.pk).update(kpi_after=float(value))
            noted += 1
    job.result = {"noted": noted}
    return True
