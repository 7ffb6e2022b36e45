"""Virtual delivery: every address of an order's list looked at before a card is printed.

The system reads the address and routes it to the section that would deliver it; what it
doubts, the section's people judge. Source: R-DLV-01, domain.md 4.5.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext as _

from campaigns import orders
from campaigns.models import CardOrder, CheckedAddress, PrintRun, VirtualCheck
from crm.access.capabilities import may, require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from customers import recipients
from customers.models import RecipientList
from delivery.models import CardReturn
from delivery.quality.rates import Share

Code = CheckedAddress.Code
State = CardOrder.State

# The system's word follows from the list's own cleansing (customers.addresses).
CHECK = """
INSERT INTO campaigns_checkedaddress (check_run_id, recipient_id, office_id, code, checker_id,
    checked_at, note)
SELECT %(check)s, r.id, coalesce(county.id, city.id),
       CASE WHEN 'returned' = ANY(r.flaws) OR r.quality = 'D' THEN 'no_place'
            WHEN r.flaws && ARRAY['region','several','road','number']::varchar[]
                THEN 'insufficient'
            WHEN 'postcode' = ANY(r.flaws) THEN 'corrected'
            ELSE 'good' END, NULL, %(at)s, ''
FROM customers_recipient r
LEFT JOIN org_office county ON county.code = r.region AND r.region <> ''
LEFT JOIN org_office city ON city.code = left(r.region, 4) || '00' AND r.region <> ''
WHERE r.recipient_list_id = %(list)s AND r.until IS NULL"""


@transaction.atomic
def choose_list(order: CardOrder, listed: RecipientList, *, by: User) -> CardOrder:
    """Say which of the customer's lists the cards go to. Refused("list.other") for another
    customer's, ("list.closed"), ("list.purpose") when its agreement has ended."""
    row = orders.locked(order, State.OFFER, State.CONTRACT)
    require(by, "order.keep", row.customer.office)
    if listed.customer_id != row.customer_id:
        raise Refused("list.other", _("This list belongs to another customer."))
    if not listed.is_open or listed.is_past_end:
        raise Refused("list.closed", _("The agreement on this list has ended."))
    row.recipients = listed
    row.save(update_fields=["recipients"])
    audit.record(by, "order.list", row, office=row.customer.office)
    return row


def held_list(order: CardOrder) -> RecipientList:
    """The order's list, locked. Refused("list.none"), ("list.closed") once its agreement is
    over."""
    if order.recipients is None:
        raise Refused("list.none", _("Choose the recipient list first."))
    listed = recipients.locked(order.recipients)
    if listed.is_past_end:
        raise Refused("list.closed", _("The agreement on this list has ended."))
    return listed


@transaction.atomic
def deliver_virtually(order: CardOrder, *, by: User | None) -> VirtualCheck:
    """Check all present addresses of the order's list. Refused("list.none"), ("list.empty").

    Cost: one INSERT … SELECT over the list; nothing is decrypted.
    """
    row = orders.locked(order, State.OFFER, State.CONTRACT)
    require(by, "order.keep", row.customer.office)
    listed = held_list(row)
    check = VirtualCheck.objects.create(
        order=row, recipient_list=listed, version=listed.version, made_by=by
    )
    values: dict[str, Any] = {"check": check.pk, "list": listed.pk, "at": now()}
    with connection.cursor() as cursor:
        cursor.execute(CHECK, values)
        check.total = cursor.rowcount
    if not check.total:
        raise Refused("list.empty", _("The list has no recipient."))
    check.save(update_fields=["total"])
    audit.record(
        by, "order.checked", row, office=row.customer.office, details={"n": check.total}
    )
    return check


def waiting(user: User) -> QuerySet[CheckedAddress]:
    """Doubtful addresses that the reader's section has not looked at, of the newest check
    of each order."""
    rows = CheckedAddress.objects.visible_to(user).filter(checker=None)
    rows = rows.exclude(code__in=CheckedAddress.FINE)
    newer = VirtualCheck.objects.filter(
        order=OuterRef("check_run__order"), pk__gt=OuterRef("check_run")
    )
    return rows.filter(
        ~Exists(newer),
        check_run__order__state__in=[State.OFFER, State.CONTRACT],
        recipient__until=None,
    )


@transaction.atomic
def judge(address: CheckedAddress, *, by: User, code: str, note: str = "") -> None:
    """The section's word on an address: deliverable ones are verified for a year, the others
    are blocked from printing until the customer corrects them.

    Refused("address.gone") once somebody has corrected or removed it.
    """
    rows = CheckedAddress.objects.select_for_update(of=("self",)).select_related(
        "recipient__recipient_list__customer__office", "check_run__order", "office"
    )
    row = rows.get(pk=address.pk)
    customer = row.recipient.recipient_list.customer
    if row.office is None or not may(by, "address.judge", row.office):
        require(by, "order.keep", customer.office)
    if row.recipient.until is not None:
        message = _("Somebody has corrected or removed this address meanwhile.")
        raise Refused("address.gone", message)
    row.code, row.checker, row.note, row.checked_at = code, by, note, now()
    row.save()
    if code != Code.INSUFFICIENT:  # insufficient stays doubtful: class C
        # SECURITY: the section may not keep the list; what it says of an address is taken
        # in by the house, and stands in the trail with its name.
        is_good = code in CheckedAddress.FINE
        recipients.report_delivery(row.recipient, by=None, delivered=is_good)
    audit.record(
        by,
        "address.judged",
        row,
        office=row.office or customer.office,
        details={"code": code},
    )


@dataclass(frozen=True)
class Addresses:
    """What a check says: how many of each code; predicted against actual success."""

    by_code: list[tuple[str, str, int]]
    waiting: int
    predicted: Share
    actual: Share


def result_of(check: VirtualCheck) -> Addresses:
    """Of one check, and of the cards that its order had printed since. Four queries."""
    rows = check.addresses.order_by()
    counts = dict(rows.values_list("code").annotate(n=Count("pk")))
    fine = sum(counts.get(code, 0) for code in CheckedAddress.FINE)
    waits = rows.filter(checker=None).exclude(code__in=CheckedAddress.FINE).count()
    batches = PrintRun.objects.filter(order=check.order_id, batch__isnull=False)
    posted = sum(batches.values_list("batch__pieces", flat=True))
    back = CardReturn.objects.filter(batch__in=batches.values("batch"))
    returned = sum(back.values_list("pieces", flat=True))
    return Addresses(
        [(code, str(label), counts.get(code, 0)) for code, label in Code.choices],
        waits,
        Share(fine, sum(counts.values())),
        Share(posted - returned, posted),
    )
