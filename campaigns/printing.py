"""Print runs: cards made of a list, their prize codes kept, what the printer gets.

Sources: R-CAM-22, R-DLV-02, domain.md 4.4, 4.5. A run is one INSERT … SELECT.
"""

from datetime import date
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Count
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from campaigns import addressing, orders
from campaigns.models import CardOrder, PrintRun, PrizeCard
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from customers import recipients
from customers.models import CustomerAddress, Recipient
from delivery.models import CardBatch
from delivery.quality import batches

State = CardOrder.State
Quality = CustomerAddress.Quality

MAKE = """
INSERT INTO campaigns_prizecard (run_id, season_id, recipient_id, group_code, number)
SELECT %(run)s, %(season)s, r.id, %(group)s,
       lpad((%(first)s + row_number() OVER (ORDER BY r.id) - 1)::text, %(digits)s, '0')
FROM customers_recipient r
WHERE r.recipient_list_id = %(list)s AND r.until IS NULL AND r.quality <> 'D'
  AND NOT EXISTS (SELECT 1 FROM campaigns_prizecard c JOIN campaigns_printrun p ON p.id = c.run_id
                  JOIN customers_recipient was ON was.id = c.recipient_id
                  WHERE p.order_id = %(order)s AND was.key = r.key)"""


def counts_of(order: CardOrder) -> dict[str, int]:
    """Recipients of the order's list by class, those that once came back, and those who
    have a card of this order already. Three queries."""
    found = dict.fromkeys(("A", "B", "C", "D"), 0)
    if order.recipients is None:
        return found | {"all": 0, "mended": 0, "printed": 0}
    rows = recipients.current(order.recipients).order_by()
    found |= dict(rows.values_list("quality").annotate(n=Count("pk")))
    returned = Recipient.objects.filter(
        recipient_list=order.recipients,
        until__isnull=False,
        flaws__contains=[Recipient.Flaw.RETURNED],
    )
    cards = PrizeCard.objects.filter(run__order=order)
    printed = rows.filter(key__in=cards.values("recipient__key"))
    return {
        "all": sum(found.values()),
        "mended": returned.count(),
        "printed": printed.exclude(quality=Quality.D).count(),
    } | found


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
    """Make a run of the order's list: a card with a code for everybody who has none of
    this order yet, but class D.

    Refused: "print.none" without a list or anybody to print for, "print.blocked" while the
    list has class D and nobody said to print without them, "print.doubtful" while the
    customer has not confirmed class C, "print.digits" for a first number of another length
    than the season's, or one that the run would overrun, "print.taken" for codes that
    another run has. Cost: one INSERT … SELECT over the list.
    """
    row = orders.locked(order, State.CONTRACT)
    require(by, "print.run", row.customer.office)
    listed = addressing.held_list(row)
    counts = counts_of(row)
    pieces = counts["all"] - counts["D"] - counts["printed"]
    _check(counts, pieces, without_blocked, doubtful_confirmed)
    _check_number(row, first, pieces)
    run = PrintRun.objects.create(
        order=row,
        number=row.runs.count() + 1,
        version=listed.version,
        group_code=group,
        first_number=first,
        pieces=pieces,
        blocked=counts["D"],
        doubtful=counts["C"],
        mended=counts["mended"],
        made_by=by,
    )
    _make_cards(run, row)
    details = {"pieces": pieces, "blocked": counts["D"], "doubtful": counts["C"]}
    audit.record(by, "print.made", run, office=row.customer.office, details=details)
    return run


def _make_cards(run: PrintRun, order: CardOrder) -> None:
    values: dict[str, Any] = {
        "run": run.pk,
        "season": order.season_id,
        "group": run.group_code,
        "first": int(run.first_number),
        "digits": len(run.first_number),
        "list": order.recipients_id,
        "order": order.pk,
    }
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(MAKE, values)
    except IntegrityError as error:
        message = _(
            "Some of these codes belong to cards already: take another first number."
        )
        raise Refused("print.taken", message) from error


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
    if pieces <= 0 and counts["printed"]:
        message = _("Everybody on the list has a card of this order already.")
        raise Refused("print.none", message)
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

    Refused("print.handed") the second time, ("print.day") for a day before they were made
    or one to come.
    """
    row = (
        PrintRun.objects.select_for_update(of=("self",))
        .select_related("order__customer__office", "order__season")
        .get(pk=run.pk)
    )
    require(by, "print.run", row.order.customer.office)
    orders.locked(row.order, State.CONTRACT)
    if row.batch_id:
        raise Refused("print.handed", _("These cards are handed over already."))
    if not localdate(row.made_at) <= on <= localdate():
        raise Refused("print.day", _("Between the day they were made and today."))
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
