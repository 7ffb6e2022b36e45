"""Customers as a file: asked for, approved, made, marked, fetched, forgotten (B20, B21)."""

import csv
import hashlib
import io
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Prefetch
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _
from django.utils.translation import override

from crm import text
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.fields import decrypt, encrypt
from crm.jobs.models import Job
from crm.jobs.services import enqueue
from crm.notify.services import tell
from customers import recipients
from customers.listing import clean_query, selection
from customers.models import CustomerPhone, Export, RecipientList

ALONE_ROWS = 500  # above, a second person approves
MOST_ROWS = 50_000
DAILY = 20  # exports a person may ask for
DOWNLOADS, KEPT = 3, timedelta(hours=24)
BOUND = "customers.export.file"  # what the stored file's cipher is bound to


@transaction.atomic
def request_export(*, by: User, query: str, reason: str) -> Export:
    """Ask for the rows of a selection. Refused("export.…") for none, too many, too often."""
    require(by, "customer.export")
    User.objects.select_for_update().get(pk=by.pk)  # RACE: two requests, one cap
    since = now() - timedelta(days=1)
    if Export.objects.filter(requested_by=by, asked_at__gte=since).count() >= DAILY:
        message = _("You have asked for %(n)s exports in a day.")
        raise Refused("export.daily", message % {"n": DAILY})
    query = clean_query(query)
    rows = selection(by, query).order_by()[: MOST_ROWS + 1].count()
    if not rows:
        raise Refused("export.none", _("Nobody matches."))
    if rows > MOST_ROWS:
        message = _("More than %(n)s match: narrow the list down.")
        raise Refused("export.many", message % {"n": MOST_ROWS})
    office = next(
        p.office for p in by.postings_now if p.role in ("manager", "supervisor")
    )
    row = Export.objects.create(
        requested_by=by,
        office=office,
        query=query,
        reason=reason,
        rows=rows,
        state=Export.State.WAITING if rows > ALONE_ROWS else Export.State.MAKING,
    )
    details = {"rows": rows, "reason": reason, "query": query}
    audit.record(by, "export.asked", row, office=office, details=details)
    if row.state == Export.State.MAKING:
        _queue(row)
    return row


@transaction.atomic
def request_hand_back(listed: RecipientList, *, by: User, reason: str) -> Export:
    """Ask for a whole recipient list, clear, to give it back to its customer.

    Always approved by a second person. Refused("export.none") for an empty list,
    ("export.waits") while one is on its way.
    """
    listed = recipients.locked(listed)
    office = listed.customer.office
    require(by, "recipients.keep", office)
    rows = recipients.current(listed).count()
    if not rows:
        raise Refused("export.none", _("The list is empty."))
    if listed.exports.filter(state__in=["waiting", "making"]).exists():
        raise Refused("export.waits", _("The file is asked for already."))
    row = Export.objects.create(
        requested_by=by,
        office=office,
        recipients=listed,
        reason=reason,
        rows=rows,
        state=Export.State.WAITING,
    )
    details = {"rows": rows, "reason": reason, "list": listed.pk}
    audit.record(by, "export.asked", row, office=office, details=details)
    return row


def _queue(row: Export) -> None:
    row.job = enqueue(
        "customers.export",
        {"export_id": str(row.pk)},
        by=row.requested_by,
        key=f"export:{row.pk}",
    )
    row.save(update_fields=["job", "state", "decided_by"])


@transaction.atomic
def decide_export(row: Export, *, by: User, approve: bool) -> Export:
    """The second person's word. Refused("export.self") to the asker, ("export.decided")."""
    row = Export.objects.select_for_update(of=("self",)).get(pk=row.pk)
    require(by, "customer.export_approve", row.office)
    if row.requested_by_id == by.pk:
        raise Refused("export.self", _("Somebody else must approve your export."))
    if row.state != Export.State.WAITING:
        raise Refused("export.decided", _("Somebody has decided it already."))
    row.decided_by = by
    row.state = Export.State.MAKING if approve else Export.State.REFUSED
    row.save(update_fields=["state", "decided_by"])
    action = "export.approved" if approve else "export.refused"
    audit.record(by, action, row, office=row.office)
    if approve:
        _queue(row)
    else:
        _tell(row, _("Your export was refused."))
    return row


def _tell(row: Export, subject: str) -> None:
    tell(
        row.requested_by,
        "customer",
        subject=subject,
        url="/customers/exports/",
        key=f"export:{row.pk}:{row.state}",
    )


def export_step(job: Job) -> bool:
    """Job: write the file with the rights that the asker has now, masked as on screen."""
    rows = Export.objects.select_related("requested_by", "office", "recipients")
    row = rows.get(pk=job.params["export_id"])
    by = row.requested_by
    _require_still(row, by)
    with override(by.language or "zh-hans"):
        content, subjects = _content(row, by)
        count = len(subjects)
        _keep(row, content, subjects)
        _tell(row, _("Your export is ready: %(n)s rows.") % {"n": count})
    details = {"rows": count, "sha256": row.sha256}
    audit.record(by, "export.made", row, office=row.office, details=details)
    return True


def _require_still(row: Export, by: User) -> None:
    """The rights and rows of now, not of when it was asked for. PermissionDenied."""
    if not row.recipients_id:
        require(by, "customer.export")
        return
    require(by, "recipients.keep", row.office)
    if not RecipientList.objects.visible_to(by).filter(pk=row.recipients_id).exists():
        raise PermissionDenied("recipients.keep")


def _content(row: Export, by: User) -> tuple[str, list[int]]:
    """The file and who is in it, a row each: every cell quoted, none a formula."""
    facts = {
        "id": row.pk,
        "name": by,
        "office": row.office,
        "at": localtime().strftime("%Y-%m-%d %H:%M"),
    }
    if row.recipients:
        entrusted = _(
            "Hand-back %(id)s · %(name)s · %(office)s · %(at)s · entrusted data"
        )
        return recipients.written(recipients.locked(row.recipients), entrusted % facts)
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    mark = _("Export %(id)s · %(name)s · %(office)s · %(at)s · personal data is masked")
    mark = mark % facts
    writer.writerow([text.safe_cell(mark)])
    labels = [
        _("Customer code"),
        _("Name"),
        _("Kind"),
        _("Segment"),
        _("Industry"),
        _("Phone"),
        _("Manager"),
        _("Office"),
        _("Last verified"),
    ]
    writer.writerow(labels)
    phones = CustomerPhone.objects.filter(is_primary=True)
    rows = selection(by, row.query).select_related("office", "manager")
    rows = rows.prefetch_related(Prefetch("phones", phones, to_attr="main_phones"))
    subjects = []
    for customer in rows.order_by("pk").iterator(chunk_size=2000):
        subjects.append(customer.pk)
        writer.writerow([text.safe_cell(str(cell)) for cell in _cells(customer, by)])
    writer.writerow([text.safe_cell(mark)])
    return out.getvalue(), subjects


def _cells(customer: Any, by: User) -> list:
    phones = customer.main_phones
    return [
        customer.code,
        customer.name_for(by),
        customer.get_kind_display(),
        customer.get_segment_display(),
        customer.get_industry_display(),
        text.mask_phone(phones[0].number) if phones else "",
        customer.manager or "",
        customer.office,
        customer.verified_on or "",
    ]


def _keep(row: Export, content: str, subjects: list[int]) -> None:
    row.path.parent.mkdir(parents=True, exist_ok=True)
    row.path.write_bytes(encrypt(content, BOUND))
    row.sha256 = hashlib.sha256(content.encode()).hexdigest()
    row.state, row.rows, row.ready_at = Export.State.READY, len(subjects), now()
    row.subjects = subjects
    row.save(update_fields=["sha256", "state", "rows", "ready_at", "subjects"])


@transaction.atomic
def fetch_export(row: Export, *, by: User) -> str:
    """The file's text, to its asker, thrice within a day. Refused("export.gone") after."""
    row = Export.objects.select_for_update().get(pk=row.pk, requested_by=by)
    _require_still(row, by)
    gone = row.state != Export.State.READY or row.downloads >= DOWNLOADS
    if gone or row.ready_at is None or now() - row.ready_at > KEPT:
        raise Refused("export.gone", _("This file is not there any more: ask anew."))
    row.downloads += 1
    row.save(update_fields=["downloads"])
    details = {"times": row.downloads, "sha256": row.sha256}
    audit.record(by, "export.fetched", row, office=row.office, details=details)
    return decrypt(row.path.read_bytes(), BOUND)


def forget_exports() -> int:
    """Delete the files that nobody may fetch any more; return how many."""
    old = Export.objects.filter(state="ready", ready_at__lt=now() - KEPT)
    found = list(old)
    for row in found:
        row.path.unlink(missing_ok=True)
    old.update(state="expired")
    return len(found)
