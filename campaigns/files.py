"""What is printed: asked for, made by a worker, fetched under the eyes of the trail.

Source: R-CAM-22, R-CAM-23. Files lie encrypted and go after a month.
"""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.module_loading import import_string
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import override

from campaigns.models import (
    Invitation,
    PilotFinding,
    PrintFile,
    PrintRun,
    PrizeCard,
    Season,
    SeasonMember,
)
from crm import text
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.fields import decrypt_bytes, encrypt_bytes
from crm.jobs.models import Job
from crm.jobs.services import enqueue
from crm.notify.services import HOUSE_LANGUAGE
from customers.models import Customer, RecipientList

Kind, State = PrintFile.Kind, PrintFile.State
PART = 5_000  # cards a file
KEPT = timedelta(days=30)
BOUND = "campaigns.printfile"  # what the stored file's cipher is bound to
# By name: Typst weighs 85 MB and is loaded in workers only.
TYPESET = "campaigns.typesetting.typeset"


@transaction.atomic
def ask_run(run: PrintRun, kind: str, *, by: User) -> list[PrintFile]:
    """Have the files of one kind made of a run; asked again, those that are there."""
    office = run.order.customer.office
    require(by, "print.run", office)
    parts = 1 if kind == Kind.SHEET else -(-run.pieces // PART)
    made = []
    for part in range(1, parts + 1):
        row, _new = PrintFile.objects.get_or_create(
            run=run,
            kind=kind,
            part=part,
            defaults={"asked_by": by, "season": run.order.season},
        )
        if row.state == State.GONE:
            row.state, row.asked_by, row.asked_at = State.WAITING, by, now()
            row.save()
        made.append(row)
    enqueue("campaigns.files", {"files": [f"{row.pk}" for row in made]}, by=by)
    audit.record(by, "print.asked", run, office=office, details={"kind": kind})
    return made


@transaction.atomic
def ask(season: Season, kind: str, params: dict[str, Any], *, by: User) -> PrintFile:
    """Have something else of a season made: for who asks, from what they may see. Rights
    are the caller's."""
    row = PrintFile.objects.create(season=season, kind=kind, params=params, asked_by=by)
    enqueue("campaigns.files", {"files": [f"{row.pk}"]}, by=by)
    audit.record(
        by, "print.asked", season, office=season.office, details={"kind": kind}
    )
    return row


def files_step(job: Job) -> bool:
    """Job: make the waiting ones of these files, one a step."""
    rows = PrintFile.objects.filter(pk__in=job.params["files"], state=State.WAITING)
    row = (
        rows.select_related(
            "run__order__customer", "run__order__season", "season__office", "asked_by"
        )
        .order_by("part")
        .first()
    )
    if row is None:
        return True
    with override(HOUSE_LANGUAGE):
        content = _content(row)
    row.path.parent.mkdir(parents=True, exist_ok=True)
    row.path.write_bytes(encrypt_bytes(content, BOUND))
    row.state, row.size = State.READY, len(content)
    row.save(update_fields=["state", "size"])
    return False


def _content(row: PrintFile) -> bytes:
    if row.kind == Kind.DATA:
        return _data(cards_of(row))
    typeset: Callable[[PrintFile], bytes] = import_string(TYPESET)
    return typeset(row)


def cards_of(row: PrintFile) -> Iterator[PrizeCard]:
    """The cards of one part, in the order of their codes."""
    rows = PrizeCard.objects.filter(run=row.run).select_related("recipient")
    rows = rows.order_by("number")
    first = (row.part - 1) * PART
    return rows[first : first + PART].iterator(chunk_size=1000)


def _data(cards: Iterator[PrizeCard]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(
        [_("Recipient"), _("Organisation"), _("Address"), _("Postcode")]
        + [_("Group"), _("Prize code")]
    )
    for card in cards:
        who = card.recipient
        facts = (
            [who.name, who.organisation, who.address, who.postcode]
            if who
            else [_("gone"), "", "", ""]
        )
        cells = (*facts, card.group_code, card.number)
        writer.writerow([text.safe_cell(cell) for cell in cells])
    return ("\ufeff" + out.getvalue()).encode()


@transaction.atomic
def fetch(row: PrintFile, *, by: User) -> bytes:
    """A file's content; each download is in the trail. Refused("file.state") unless ready,
    ("file.other") for what somebody else asked for."""
    office = row.season.office
    if row.run:
        office = row.run.order.customer.office
        require(by, "print.run", office)
    elif row.asked_by_id != by.pk:
        raise Refused("file.other", _("Somebody else asked for this file."))
    if row.state != State.READY:
        raise Refused("file.state", _("This file is not there any more, or not yet."))
    details = {"kind": row.kind, "part": row.part}
    audit.record(by, "print.fetched", row, office=office, details=details)
    return decrypt_bytes(row.path.read_bytes(), BOUND)


def forget_step(job: Job) -> bool:
    """Job, each night: files go after a month."""
    _drop(PrintFile.objects.filter(state=State.READY, asked_at__lt=now() - KEPT))
    return True


def _drop(rows: QuerySet[PrintFile]) -> None:
    for row in rows:
        row.path.unlink(missing_ok=True)
    rows.update(state=State.GONE, size=0)


def forget_list(listed: RecipientList) -> None:
    """A recipient list is destroyed: so are the files with its names, and the notices."""
    runs = PrintRun.objects.filter(order__recipients=listed)
    _drop(PrintFile.objects.filter(run__in=runs))
    seasons = runs.values("order__season")
    _drop(PrintFile.objects.filter(kind=Kind.NOTICES, season__in=seasons))


def forget_customer(customer: Customer) -> None:
    """A customer is erased: what was written of it in seasons goes, and letters to it; the
    orders' figures stay."""
    SeasonMember.objects.filter(customer=customer).update(
        lost_note="", proposal="", is_settled=False, effect="", finding="", carried=""
    )
    Invitation.objects.filter(customer=customer).update(said="")
    PilotFinding.objects.filter(user__customer=customer).update(words="", done="")
    seasons = SeasonMember.objects.filter(customer=customer).values("season")
    kinds = [Kind.NOTICES, Kind.MAILING]
    _drop(PrintFile.objects.filter(kind__in=kinds, season__in=seasons))
