"""Early warning: the figures that risks name, against their lines, once a month.

Source: R-RSK-02, R-RSK-07.
"""

from django.db import transaction
from django.utils.timezone import localdate, now
from django.utils.translation import gettext_noop

from crm.dashboards.boards import shares_of
from crm.dashboards.periods import Kind, Span, last_ended
from crm.dashboards.reckoned import BY_NAME
from crm.jobs.models import Job
from crm.notify.services import tell
from crm.risk.models import Risk, Warning

WARNED = gettext_noop("A figure warns of a risk")


@transaction.atomic
def look(risk: Risk, span: Span) -> Warning | None:
    """Compare a risk's figure of a period with its line; the warning, if it is a new one.
    Without a figure, or with one that is gone from the registry, there is none."""
    kpi = BY_NAME.get(risk.kpi)
    if kpi is None or risk.line is None:
        return None
    read = shares_of([risk.office], span, [kpi])
    if not read.is_final:
        return None  # late rows may still mend it
    value = kpi.shown(read.shares[risk.office_id][kpi.name])
    if value is None or kpi.is_met(value, risk.line):
        return None
    made, is_new = Warning.objects.get_or_create(
        risk=risk,
        first=span.first,
        defaults={
            "period": span.label,
            "value": value,
            "line": risk.line,
            "at": now(),
        },
    )
    if not is_new:
        return None
    tell(
        risk.owner,
        "incident",
        subject=WARNED,
        body=f"{risk.title} {span.label}",
        url=risk.get_absolute_url(),
        key=f"risk:{risk.pk}:warned:{span.first}",
    )
    return made


def warn_step(job: Job) -> bool:
    """Job, nightly: last month's figures of all watched risks. Twice warns once."""
    span = last_ended(Kind.MONTH, localdate())
    rows = Risk.objects.filter(state=Risk.State.WATCHED).exclude(kpi="")
    warned = [look(risk, span) for risk in rows.select_related("office", "owner")]
    job.result = {"warned": sum(one is not None for one in warned)}
    return True
