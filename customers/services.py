"""Changes to customers that people or other apps ask for."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import text
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.fields import blind_index
from crm.org.models import Office
from customers.models import Customer, CustomerPhone, TimelineEntry

REVEALS_PER_HOUR = 30
LOOKUPS_PER_HOUR = 120


def find_by_phone(number: str) -> list[Customer]:
    """Customers of any bureau with exactly this number, five at most.

    SECURITY: outside visible_to on purpose (reliability.md 4.2, agent): the whole number
    only, and callers show no more than the minimum card.
    """
    normal = text.normalise_phone(number)
    if not normal:
        return []
    phones = CustomerPhone.objects.filter(number_index=blind_index(normal))
    found = Customer.objects.filter(phones__in=phones)
    return list(found.select_related("office", "manager")[:5])


@transaction.atomic
def lookup_by_phone(number: str, *, by: User) -> list[Customer]:
    """find_by_phone for the screen: audited, hit or miss, and limited.

    Refused("lookup.too_many") after 120 in an hour: no agent takes that many calls.
    """
    require(by, "customer.lookup")
    _limit(by, "customer.looked_up", LOOKUPS_PER_HOUR, "lookup.too_many")
    found = find_by_phone(number)
    details = {"found": [customer.pk for customer in found]}
    audit.record(by, "customer.looked_up", details=details)
    return found


def _limit(by: User, action: str, most: int, code: str) -> None:
    """Refuse when `by` did `action` `most` times in the last hour.

    RACE: the user's row is locked, so two requests at once cannot both be the last.
    """
    User.objects.select_for_update().get(pk=by.pk)
    recent = AuditEvent.objects.filter(
        actor=by, action=action, at__gte=now() - timedelta(hours=1)
    )
    if recent.count() >= most:
        message = _(
            "You have looked at %(n)s numbers in an hour. Wait, or ask your supervisor."
        )
        raise Refused(code, message % {"n": most})


@transaction.atomic
def reveal_phone(phone: CustomerPhone, *, by: User, reason: str) -> str:
    """The clear number; the audit row is written first, or there is no number.

    Refused("reveal.too_many") after 30 in an hour.
    """
    require(by, "customer.reveal")
    _limit(by, "customer.revealed", REVEALS_PER_HOUR, "reveal.too_many")
    details = {"field": "phone", "reason": reason}
    office = phone.customer.office
    audit.record(
        by, "customer.revealed", phone.customer, office=office, details=details
    )
    return text.written_phone(phone.number)


@transaction.atomic
def add_timeline_entry(
    customer: Customer,
    *,
    kind: str,
    at: datetime,
    title: str,
    source: str,
    ref: str = "",
    url: str = "",
    state: str = "",
    is_open: bool = False,
) -> TimelineEntry:
    """Write down, or bring up to date, one fact on a customer's timeline."""
    facts = {"kind": kind, "at": at, "ref": ref, "title": title, "url": url}
    facts |= {"state": state, "is_open": is_open}
    entry, _made = TimelineEntry.objects.update_or_create(
        source=source, defaults={"customer": customer, **facts}
    )
    return entry


@transaction.atomic
def create_customer(
    *,
    by: User | None,
    office: Office,
    code: str,
    name: str,
    kind: str,
    segment: str = Customer.Segment.CASUAL,
    manager: User | None = None,
    phone: str = "",
    address: str = "",
) -> Customer:
    """Make a customer record. The caller has settled that `by` may."""
    customer = Customer(
        office=office,
        code=code,
        kind=kind,
        segment=segment,
        manager=manager,
        address=address,
    )
    customer.set_name(name)
    customer.save(force_insert=True)
    if phone:
        add_phone(customer, phone)
    audit.record(
        by, "customer.created", customer, office=office, details={"code": code}
    )
    return customer


def add_phone(customer: Customer, number: str) -> CustomerPhone:
    """Add a number in its normal form; the caller has checked that it is one."""
    normal = text.normalise_phone(number)
    is_mobile = normal.startswith("+861")
    return CustomerPhone.objects.create(
        customer=customer,
        number=normal,
        number_index=blind_index(normal),
        type=CustomerPhone.Type.MOBILE if is_mobile else CustomerPhone.Type.OFFICE,
    )
