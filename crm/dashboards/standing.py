"""Standing orders for workbooks: told when a period has ended, downloaded with the rights
that the reader has on that day.

No file is kept and none is mailed: the link makes the workbook, hides what its reader may
not see, and the download stands in the trail (reliability.md B30).
"""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.models import User
from crm.dashboards.forms import FiguresForm
from crm.dashboards.models import StandingExport
from crm.dashboards.periods import Span, last_ended
from crm.errors import Refused
from crm.jobs.models import Job
from crm.notify.services import tell
from crm.org.models import Office

READY = gettext_noop("A workbook of figures is ready")
MOST = 20  # of one person


def address_of(office: Office, span: Span) -> str:
    """Where the workbook is made."""
    asked = {"office": office.code, "kind": span.kind, "day": f"{span.first}"}
    return f"{reverse('dashboards:export')}?{urlencode(asked)}"


def of(user: User) -> QuerySet[StandingExport]:
    """One's own."""
    return StandingExport.objects.filter(owner=user).select_related("office")


@transaction.atomic
def order(office: Office, kind: str, *, by: User, today: date) -> StandingExport:
    """From the next period that ends on, tell `by` of the workbook; twice is once. Refused:
    "standing.many". The caller has settled that the office and the kind may be read."""
    User.objects.select_for_update().get(pk=by.pk)  # RACE: two forms take turns
    row, is_new = StandingExport.objects.get_or_create(
        owner=by,
        office=office,
        kind=kind,
        defaults={"sent_first": last_ended(kind, today).first},
    )
    if is_new and of(by).count() > MOST:
        raise Refused("standing.many", _("You have twenty already: end one."))
    return row


def may_read(row: StandingExport) -> bool:
    """Whether its owner may still read such figures there."""
    asked = {"office": row.office.code, "kind": row.kind}
    return FiguresForm(asked, by=row.owner).is_valid()


@transaction.atomic
def send(row: StandingExport, today: date) -> bool:
    """Tell of the newest period that has ended, once; whether there was one. An order
    whose owner may not read there any more ends."""
    span = last_ended(row.kind, today)
    due = StandingExport.objects.filter(pk=row.pk, sent_first__lt=span.first)
    if not may_read(row):
        row.delete()
        return False
    if not due.update(sent_first=span.first):
        return False
    tell(
        row.owner,
        "figures",
        subject=READY,
        body=f"{row.office} {span.label}",
        url=address_of(row.office, span),
        key=f"standing:{row.pk}:{span.first}",
    )
    return True


def standing_step(job: Job) -> bool:
    """Job, each morning after the figures. A night that was missed is caught up by the next
    one, for the newest period only."""
    today = localdate()
    rows: Any = StandingExport.objects.select_related("office", "owner")
    sent = [send(row, today) for row in rows.filter(owner__is_active=True)]
    job.result = {"sent": sum(sent)}
    return True
