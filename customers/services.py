"""Changes to customers that people or other apps ask for."""

from datetime import datetime

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


def lookup_by_phone(number: str, *, by: User) -> list[Customer]:
    """Customers of any bureau with exactly this number, for the minimum card. Audited.

    A call agent may answer anybody who calls; the card shows masked facts only.
    """
    require(by, "customer.lookup")
    normal = text.normalise_phone(number)
    if not normal:
        return []
    phones = CustomerPhone.objects.filter(number_index=blind_index(normal))
    # SECURITY: outside visible_to on purpose (reliability.md 4.2, agent): exact number only.
    found = list(
        Customer.objects.filter(phones__in=phones).select_related("office", "manager")[
            :5
        ]
    )
    for customer in found:
        audit.record(by, "customer.looked_up", customer, office=customer.office)
    return found


@transaction.atomic
def reveal_phone(phone: CustomerPhone, *, by: User, reason: str) -> str:
    """The clear number; the audit row is written first, or there is no number.

    Refused("reveal.too_many") after 30 in an hour.
    """
    require(by, "customer.reveal")
    since = now().timestamp() - 3600
    recent = AuditEvent.objects.filter(
        actor=by,
        action="customer.revealed",
        at__gte=datetime.fromtimestamp(since, tz=now().tzinfo),
    )
    if recent.count() >= REVEALS_PER_HOUR:
        raise Refused(
            "reveal.too_many", _("You have revealed 30 numbers in an hour. Wait.")
        )
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
