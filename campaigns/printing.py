"""Print runs: cards made of a list, their prize codes kept, what the printer gets.

Sources: R-CAM-22, R-DLV-02, domain.md 4.4, 4.5. A run is one INSERT … SELECT; the files
are made by a worker, encrypted at rest, kept a month.
"""

import csv
import io
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import override

from campaigns import orders
from campaigns.models import CardOrder, PrintFile, PrintRun, PrizeCard
from crm import text
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.fields import decrypt_bytes, encrypt_bytes
from crm.jobs.models import Job
from crm.jobs.services import enqueue
from crm.notify.services import HOUSE_LANGUAGE
from customers import recipients
from customers.models import CustomerAddress, Recipient
from delivery.models import CardBatch
from delivery.quality import batches

Kind, State = PrintFile.Kind, CardOrder.State
Quality = CustomerAddress.Quality
PART = 5_000  # cards a file
KEPT = timedelta(days=30)
BOUND = "campaigns.printfile"  # what the stored file's cipher is bound to

MAKE = """
INSERT INTO campaigns_prizecard (run_id, season_id, recipient_id, group_code, number)
SELECT %(run)s, %(season)s, r.id, %(group)s,
       lpad((%(first)s + row_number() OVER (ORDER BY r.id) - 1)::text, %(digits)s, '0')
FROM customers_recipient r
WHERE r.recipient_list_id = %(list)s AND r.until IS NULL AND r.quality <> 'D'"""


def counts_of(order: CardOrder) -> dict[str, int]:
    """Recipients of the order's list by class, and those that once came back. Two queries."""
    rows = recipients.current(order.recipients) if order.recipients else None
    if rows is None:
        return {"all": 0, "D": 0, "C": 0, "mended": 0}
    qualities = rows.order_by().values_list("quality", flat=True)
    found = dict.fromkeys(("A", "B", "C", "D"), 0)
    for quality in qualities.iterator(chunk_size=10_000):
        found[quality] += 1
    returned = Recipient.objects.filter(
        recipient_list=order.recipients,
        until__isnull=False,
        flaws__contains=[Recipient.Flaw.RETURNED],
    )
    mended = returned.count()
    return {"all": sum(found.values()), "mended": mended} | found


@transaction.atomic
def make(
    order: CardOrder,
    *,
    by: User | None,
    first: str,
    group: str = "",
    without_blocked: bool = False,
    doubtful_confirmed: bool = False,
) -> PrintRun:
    """Make a run of the order's list: a card with a code for everybody but class D.

    Refused: "print.none" without a list or anybody to print for, "print.blocked" while the
    list has class D and nobody said to print without them, "print.doubtful" while the
    customer has not confirmed class C, "print.digits" for a first number of another length
    than the season's, or one that the run would overrun, "print.taken" for codes that
    another run has. Cost: one INSERT … SELECT over the list.
    """
    row = orders.locked(order, State.CONTRACT)
    require(by, "print.run", row.customer.office)
    if row.recipients is None:
        raise Refused("print.none", _("Choose the recipient list first."))
    recipients.locked(row.recipients)
    counts = counts_of(row)
    pieces = counts["all"] - counts["D"]
    _check(counts, pieces, without_blocked, doubtful_confirmed)
    _check_number(row, first, pieces)
    number = row.runs.count() + 1
    run = PrintRun.objects.create(
        order=row,
        number=number,
        version=row.recipients.version,
        group_code=group,
        first_number=first,
        pieces=pieces,
        blocked=counts["D"],
        doubtful=counts["C"],
        mended=counts["mended"],
        made_by=by,
    )
    values: dict[str, Any] = {
        "run": run.pk,
        "season": row.season_id,
        "group": group,
        "first": int(first),
        "digits": len(first),
        "list": row.recipients_id,
    }
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(MAKE, values)
    except IntegrityError as error:
        message = _(
            "Some of these codes belong to cards already: take another first number."
        )
        raise Refused("print.taken", message) from error
    details = {"pieces": pieces, "blocked": counts["D"], "doubtful": counts["C"]}
    audit.record(by, "print.made", run, office=row.customer.office, details=details)
    return run


def _check(
    counts: dict[str, int], pieces: int, without_blocked: bool, confirmed: bool
) -> None:
    if counts["D"] and not without_blocked:
        message = _(
            "%(n)s addresses are of class D: mail came back and nobody has corrected them. "
            "Have them corrected, or print without them."
        )
        raise Refused("print.blocked", message % {"n": counts["D"]})
    if counts["C"] and not confirmed:
        message = _(
            "%(n)s addresses are doubtful: the customer has to confirm them first."
        )
        raise Refused("print.doubtful", message % {"n": counts["C"]})
    if pieces <= 0:
        raise Refused("print.none", _("There is nobody left to print for."))


def _check_number(order: CardOrder, first: str, pieces: int) -> None:
    digits = order.season.prize_digits
    if not (first.isascii() and first.isdigit()) or len(first) != digits:
        message = _("A prize code of this season has %(n)s digits.") % {"n": digits}
        raise Refused("print.digits", message)
    if int(first) + pieces > 10**digits:
        message = _("The numbers run out: %(n)s cards do not fit behind this one.")
        raise Refused("print.digits", message % {"n": pieces})


@transaction.atomic
def hand_over(
    run: PrintRun,
    *,
    by: User,
    on: date,
    is_presorted: bool = False,
    saved_hours: Any = 0,
) -> CardBatch:
    """Hand the cards over to delivery as a batch, with what virtual delivery found.

    Refused("print.handed") the second time.
    """
    row = (
        PrintRun.objects.select_for_update(of=("self",))
        .select_related("order__customer__office", "order__season")
        .get(pk=run.pk)
    )
    require(by, "print.run", row.order.customer.office)
    if row.batch_id:
        raise Refused("print.handed", _("These cards are handed over already."))
    check = row.order.checks.first()
    faulty = (
        check.addresses.exclude(code__in=["good", "corrected"]).count() if check else 0
    )
    checked = min(check.total if check else 0, row.pieces)
    batch = CardBatch(
        office=row.order.customer.office,
        customer=row.order.customer,
        code=f"{row}"[:40],
        posted_on=on,
        pieces=row.pieces,
        checked=checked,
        faulty=min(faulty, checked),
        is_presorted=is_presorted,
        saved_hours=saved_hours or 0,
    )
    row.batch = batches.keep(batch, by=by)
    row.save(update_fields=["batch"])
    audit.record(by, "print.handed_over", row, office=row.order.customer.office)
    return row.batch


@transaction.atomic
def reveal(card: PrizeCard, *, by: User) -> str:
    """The whole code of a card; each look is in the trail."""
    order = card.run.order
    require(by, "card.reveal", order.customer.office)
    audit.record(by, "card.revealed", card, office=order.customer.office)
    return f"{card.group_code} {card.number}".strip()


# --- files -----------------------------------------------------------------------------------


@transaction.atomic
def ask(run: PrintRun, kind: str, *, by: User) -> list[PrintFile]:
    """Have the files of one kind made by a worker; asked again, those that are there."""
    require(by, "print.run", run.order.customer.office)
    parts = 1 if kind == Kind.SHEET else -(-run.pieces // PART)
    made = []
    for part in range(1, parts + 1):
        row, _new = PrintFile.objects.get_or_create(
            run=run, kind=kind, part=part, defaults={"asked_by": by}
        )
        if row.state == PrintFile.State.GONE:
            row.state, row.asked_by, row.asked_at = PrintFile.State.WAITING, by, now()
            row.save()
        made.append(row)
    enqueue("campaigns.files", {"run": run.pk, "kind": kind}, by=by)
    audit.record(
        by, "print.asked", run, office=run.order.customer.office, details={"kind": kind}
    )
    return made


def files_step(job: Job) -> bool:
    """Job: make the waiting files of one run and kind, one a step."""
    waiting = PrintFile.objects.filter(
        run=job.params["run"], kind=job.params["kind"], state=PrintFile.State.WAITING
    ).select_related("run__order__customer", "run__order__season")
    row = waiting.order_by("part").first()
    if row is None:
        return True
    with override(HOUSE_LANGUAGE):
        content = _content(row)
    row.path.parent.mkdir(parents=True, exist_ok=True)
    row.path.write_bytes(encrypt_bytes(content, BOUND))
    row.state, row.size = PrintFile.State.READY, len(content)
    row.save(update_fields=["state", "size"])
    return False


def _content(row: PrintFile) -> bytes:
    from campaigns import typesetting  # noqa: PLC0415 - typst weighs 85 MB: workers only

    cards = cards_of(row)
    if row.kind == Kind.DATA:
        return _data(cards)
    return typesetting.typeset(row, cards)


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
        writer.writerow(
            [text.safe_cell(cell) for cell in (*facts, card.group_code, card.number)]
        )
    return ("\ufeff" + out.getvalue()).encode()


@transaction.atomic
def fetch(row: PrintFile, *, by: User) -> bytes:
    """A file's content; each download is in the trail. Refused("file.state") unless ready."""
    office = row.run.order.customer.office
    require(by, "print.run", office)
    if row.state != PrintFile.State.READY:
        raise Refused("file.state", _("This file is not there any more, or not yet."))
    audit.record(
        by,
        "print.fetched",
        row,
        office=office,
        details={"kind": row.kind, "part": row.part},
    )
    return decrypt_bytes(row.path.read_bytes(), BOUND)


def forget_step(job: Job) -> bool:
    """Job, each night: files of print runs go after a month."""
    old = PrintFile.objects.filter(
        state=PrintFile.State.READY, asked_at__lt=now() - KEPT
    )
    for row in old:
        row.path.unlink(missing_ok=True)
    old.update(state=PrintFile.State.GONE, size=0)
    return True
