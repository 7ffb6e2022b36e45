"""Changes to customers that people or other apps ask for."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _

from crm import text
from crm.access.capabilities import require
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.audit import services as audit
from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.fields import blind_index
from crm.notify.services import tell
from crm.org.models import Office
from customers.models import Customer, CustomerPhone, TimelineEntry

REVEALS_PER_HOUR = 30
ENDINGS_PER_HOUR = {4: 120}  # searches by so many last digits; longer ones tell more:
LONG_ENDINGS_PER_HOUR = 30
LOOKUPS_PER_HOUR = 120


def find_by_phone(number: str) -> list[Customer]:
    """Customers of any bureau with exactly this number, five at most, with `is_known`:
    whether the number is theirs, or was only seen in a complaint.

    SECURITY: outside visible_to on purpose (reliability.md 4.2, agent): the whole number
    only, and callers show no more than the minimum card.
    """
    normal = text.normalise_phone(number)
    if not normal:
        return []
    phones = CustomerPhone.objects.filter(number_index=blind_index(normal))
    known = phones.filter(level=CustomerPhone.Level.KNOWN)
    for numbers in (known, phones):  # a suggested number never hides a known one
        rows = Customer.objects.filter(phones__in=numbers, merged_into=None)
        found = list(rows.select_related("office", "manager", "grade")[:5])
        for customer in found:
            customer.is_known = numbers is known
        if found:
            return found
    return []


@transaction.atomic
def lookup_by_phone(number: str, *, by: User) -> list[Customer]:
    """find_by_phone for the screen: audited, hit or miss, and limited.

    Refused("lookup.too_many") after 120 in an hour: no agent takes that many calls.
    """
    require(by, "customer.lookup")
    limit(by, "customer.looked_up", LOOKUPS_PER_HOUR, "lookup.too_many")
    found = find_by_phone(number)
    details = {"found": [customer.pk for customer in found]}
    audit.record(by, "customer.looked_up", details=details)
    return found


def limit(by: User, action: str, most: int, code: str) -> None:
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
def search_by_ending(digits: str, *, by: User) -> None:
    """Count a search by the last digits of a phone. Refused("search.too_many") at the limit.

    SECURITY: digit by digit such searches would tell a masked number.
    """
    most = ENDINGS_PER_HOUR.get(len(digits), LONG_ENDINGS_PER_HOUR)
    action = (
        "customer.ending_searched" if len(digits) == 4 else "customer.tail_searched"
    )
    limit(by, action, most, "search.too_many")
    audit.record(by, action)


@transaction.atomic
def reveal(customer: Customer, field: str, row: int, *, by: User, reason: str) -> str:
    """One clear value: "phone", "address", "contact" (of row) or "id_number".

    The audit row is written first, or there is no value. Refused("reveal.too_many") after
    30 in an hour; then supervisors of the office are told (B26).
    """
    require(by, "customer.reveal", customer.office)
    limit(by, "customer.revealed", REVEALS_PER_HOUR, "reveal.too_many")
    details = {"field": field, "row": row, "reason": reason}
    audit.record(
        by, "customer.revealed", customer, office=customer.office, details=details
    )
    if field == "id_number":
        return customer.id_number
    if field == "address":
        return customer.addresses.get(pk=row).text
    if field == "contact":
        contact = customer.contacts.get(pk=row)
        return f"{contact.name} {contact.remarks}".strip()
    return text.written_phone(customer.phones.get(pk=row).number)


def tell_supervisors(
    office: Office, subject: str, *, key: str, url: str = "", but: User | None = None
) -> None:
    """News for the supervisors of an office and above, once for each `key`."""
    above = Posting.objects.in_force(localdate()).filter(role=Role.SUPERVISOR)
    for posting in above.select_related("user", "office"):
        if posting.office.contains(office) and posting.user != but:
            tell(
                posting.user,
                "system",
                subject=subject,
                url=url,
                key=f"{key}:{posting.user_id}",
            )


@transaction.atomic
def sound_alarm(by: User, customer: Customer) -> None:
    """Tell the supervisors that somebody ran into the limit of reveals: once an hour."""
    subject = _("%(name)s has reached the hourly limit of reveals") % {"name": by}
    key = f"reveals:{by.pk}:{now():%Y%m%d%H}"
    tell_supervisors(customer.office, subject, key=key)


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


def locked(customer: Customer) -> Customer:
    """The customer's row, locked, with its office; Refused once it was merged or erased.

    RACE: every change of a record takes this lock first.
    """
    row = (
        Customer.objects.select_for_update(of=("self",))
        .select_related("office")
        .get(pk=customer.pk)
    )
    if row.merged_into_id or row.erased_at:
        message = _("This record was merged or erased; it does not change any more.")
        raise Refused("customer.closed", message)
    return row
