"""Changes to a customer's record that people ask for on its page, or jobs and imports."""

from collections.abc import Callable
from datetime import date
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _

from crm import numbers, text
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.fields import blind_index
from crm.org.models import Office
from customers import addresses
from customers.consents import suppress
from customers.models import (
    ContactPerson,
    Customer,
    CustomerAddress,
    CustomerPhone,
    ExternalId,
    SegmentChange,
    Task,
)
from customers.models.choices import Purpose
from customers.services import locked

NAMELIKE = {"name", "aliases", "kind"}
MARKETING = [Purpose.CARE, Purpose.MARKETING]


class Clash(Exception):
    """Somebody else saved the same fields meanwhile: field → the value that is there."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(", ".join(fields))
        self.fields = fields


def next_code() -> str:
    """A code for a customer that a person makes: K00000042."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('customers_code')")
        return f"K{cursor.fetchone()[0]:08d}"


@transaction.atomic
def create_customer(
    *,
    by: User | None,
    office: Office,
    name: str,
    kind: str,
    code: str = "",
    phone: str = "",
    address: str = "",
    id_number: str = "",
    **facts: Any,
) -> Customer:
    """Make a customer record. Refused("customer.code") when the office has that code."""
    require(by, "customer.create", office)
    customer = Customer(
        office=office, code=code or next_code(), kind=kind, verified_on=None, **facts
    )
    customer.set_name(name)
    customer.set_id_number(id_number)
    try:
        with transaction.atomic():
            customer.save(force_insert=True)
    except IntegrityError as error:
        if "customer_code_once" not in str(error):
            raise
        message = _("This office has a customer with this code already.")
        raise Refused("customer.code", message) from error
    if phone:
        add_phone(customer, phone)
    if address:
        add_address(customer, address)
    audit.record(
        by,
        "customer.created",
        customer,
        office=office,
        details={"code": customer.code},
    )
    return customer


@transaction.atomic
def change_customer(
    customer: Customer, *, by: User | None, before: dict, after: dict
) -> Customer:
    """Set the fields that differ between `before` (as the form was shown) and `after`.

    Fields that somebody else changed since then raise Clash with what is there now, and
    nothing is written; other people's changes to other fields are kept (B13).
    """
    row = locked(customer)
    require(by, "customer.edit", row.office)
    wanted = {name: after[name] for name in after if before.get(name) != after[name]}
    clashes = {
        name: getattr(row, name)
        for name in wanted
        if getattr(row, name) not in (before.get(name), wanted[name])
    }
    if clashes:
        raise Clash(clashes)
    if not wanted:
        return row
    if {"manager", "assistant", "manager_id", "assistant_id"} & set(wanted):
        require(by, "customer.assign", row.office)
    _set(row, wanted, by)
    row.version += 1
    row.save()
    audit.record(
        by,
        "customer.changed",
        row,
        office=row.office,
        details={"fields": sorted(wanted)},
    )
    return row


def _set(row: Customer, wanted: dict, by: User | None) -> None:
    for name, value in wanted.items():
        if name == "id_number":
            row.set_id_number(value)
            continue
        if name == "segment":
            SegmentChange.objects.create(
                customer=row, at=now(), before=row.segment, after=value, by=by
            )
        setattr(row, name, value)
    if NAMELIKE & set(wanted):
        row.set_name(row.name)


@transaction.atomic
def verify_customer(customer: Customer, *, by: User) -> None:
    """Somebody has checked the record with the customer: its clock starts anew."""
    row = locked(customer)
    require(by, "customer.edit", row.office)
    row.verified_on = localdate()
    row.save(update_fields=["verified_on"])
    Task.objects.filter(customer=row, kind="stale", done_at=None).update(
        done_at=now(), done_by=by
    )
    audit.record(by, "customer.verified", row, office=row.office)


# --- phones, addresses, persons, numbers elsewhere -------------------------------------


@transaction.atomic
def add_row(
    customer: Customer, what: str, *, by: User, make: Callable[[Customer], Any]
) -> Any:
    """Let `make` add one row to the locked customer, and audit customer.<what>_added."""
    row = locked(customer)
    require(by, "customer.edit", row.office)
    made = make(row)
    audit.record(by, f"customer.{what}_added", row, office=row.office)
    return made


def add_phone(
    customer: Customer,
    number: str,
    *,
    level: str = CustomerPhone.Level.KNOWN,
    **facts: Any,
) -> CustomerPhone:
    """Add a number in its normal form; Refused("phone.twice") if the customer has it.

    The first known number is the primary one. A `maybe` that becomes known keeps its row.
    """
    normal = text.normalise_phone(number)
    have = customer.phones.filter(number_index=blind_index(normal)).first()
    if have is None:
        facts.setdefault("type", "mobile" if normal.startswith("+861") else "office")
        is_first = not customer.phones.filter(is_primary=True).exists()
        phone = CustomerPhone(customer=customer, level=level, **facts)
        phone.is_primary = is_first and level == CustomerPhone.Level.KNOWN
        phone.set_number(normal)
        phone.save(force_insert=True)
        return phone
    if have.level == CustomerPhone.Level.MAYBE and level == CustomerPhone.Level.KNOWN:
        have.level = level
        have.save(update_fields=["level"])
        return have
    raise Refused("phone.twice", _("The customer has this number already."))


def note_maybe_phone(customer: Customer, number: str) -> None:
    """A number that somebody called from: it may suggest the customer, never assert."""
    try:
        if number:
            add_phone(customer, number, level=CustomerPhone.Level.MAYBE)
    except Refused:
        return  # it is known already


@transaction.atomic
def remove_row(row: Any, what: str, *, by: User) -> None:
    """Take a number, address, person or external id off a customer; the audit keeps that
    it was there, not what it was. The oldest known number becomes the primary one."""
    customer = locked(row.customer)
    require(by, "customer.edit", customer.office)
    row.delete()
    phones = customer.phones.filter(level=CustomerPhone.Level.KNOWN)
    if what == "phone" and not phones.filter(is_primary=True).exists():
        first = phones.order_by("pk").values("pk")[:1]
        customer.phones.filter(pk__in=first).update(is_primary=True)
    audit.record(by, f"customer.{what}_removed", customer, office=customer.office)


@transaction.atomic
def mark_phone(phone: CustomerPhone, mark: str, *, by: User) -> None:
    """Turn one mark of a number: "primary" (moves here), "invalid" or "opted_out"."""
    row = locked(phone.customer)
    require(by, "customer.edit", row.office)
    if mark == "primary":
        row.phones.filter(is_primary=True).update(is_primary=False)
        phone.is_primary, phone.level = True, CustomerPhone.Level.KNOWN
        phone.save(update_fields=["is_primary", "level"])
    elif mark == "invalid":
        phone.is_invalid = not phone.is_invalid
        phone.save(update_fields=["is_invalid"])
    else:
        phone.opted_out = not phone.opted_out
        phone.save(update_fields=["opted_out"])
        suppress(phone, MARKETING, on=phone.opted_out)
    audit.record(
        by, "customer.phone_marked", row, office=row.office, details={"mark": mark}
    )


def add_address(
    customer: Customer,
    address: str,
    *,
    postcode: str = "",
    type: str = CustomerAddress.Type.PICKUP,
    source: str = CustomerAddress.Source.CUSTOMER,
) -> CustomerAddress:
    """Add an address: parsed, graded, indexed by its standard form."""
    row = CustomerAddress(
        customer=customer, type=type, source=source, postcode=postcode
    )
    grade_address(row, address)
    row.save(force_insert=True)
    return row


def grade_address(row: CustomerAddress, address: str) -> None:
    """Set an address's text and all that follows from it."""
    parsed = addresses.parse(address)
    row.text, row.region = address, parsed.region
    row.text_index = blind_index(parsed.standard)
    row.quality, row.score = addresses.grade(
        address,
        row.postcode,
        verified_on=row.verified_on,
        today=localdate(),
        parsed=parsed,
    )


@transaction.atomic
def judge_address(row: CustomerAddress, verdict: str, *, by: User) -> None:
    """Delivery confirmed an address ("confirmed": class A) or returned from it (class D)."""
    customer = locked(row.customer)
    require(by, "customer.edit", customer.office)
    row.verified_on = localdate() if verdict == "confirmed" else None
    row.quality, row.score = addresses.grade(
        row.text,
        row.postcode,
        verified_on=row.verified_on,
        returned=verdict == "returned",
        today=localdate(),
    )
    row.save(update_fields=["verified_on", "quality", "score"])
    audit.record(
        by,
        "customer.address_judged",
        customer,
        office=customer.office,
        details={"verdict": verdict},
    )


def set_birthday(contact: ContactPerson, today: date) -> None:
    """Work out the next birthday. Refused("birthday") for a day that no year has."""
    month, day = contact.birthday_month, contact.birthday_day
    contact.next_birthday = None
    if not month or not day:
        contact.birthday_month = contact.birthday_day = None
        return
    try:
        if contact.birthday_calendar == ContactPerson.Calendar.LUNAR:
            found = numbers.next_lunar(today, month, day, leap=contact.is_leap_month)
        else:
            date(2024, month, day)  # a leap year has every day
            found = numbers.next_yearly(today, month, day)
    except ValueError as error:
        raise Refused("birthday", _("This month has no such day.")) from error
    contact.next_birthday = found


@transaction.atomic
def add_contact(customer: Customer, *, by: User, phone: str = "", **facts: Any) -> None:
    """Add a person, with a number if one is given."""
    row = locked(customer)
    require(by, "customer.edit", row.office)
    contact = ContactPerson(customer=row, **facts)
    set_birthday(contact, localdate())
    contact.save(force_insert=True)
    if phone:
        add_phone(row, phone, contact=contact)
    audit.record(by, "customer.contact_added", row, office=row.office)


@transaction.atomic
def add_external_id(customer: Customer, system: str, value: str) -> ExternalId:
    """Keep the customer's number elsewhere. Refused("external.taken") if it is another's.

    The message does not say whose (B30).
    """
    row, made = ExternalId.objects.get_or_create(
        system=system, value=value, defaults={"customer": customer}
    )
    if not made:
        raise Refused("external.taken", _("This number is in use already."))
    return row
