"""Consents: given, withdrawn, and told to the last gate."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.fields import blind_index
from crm.notify.models import Message, Suppression
from customers.models import Consent, Customer, CustomerPhone
from customers.services import locked


def suppress(phone: CustomerPhone, purposes: Sequence[str], *, on: bool) -> None:
    """Stop, or allow again, messages of these purposes to a number, at the last gate."""
    for purpose in set(purposes) & set(Message.Purpose):
        index = phone.number_index
        if on:
            Suppression.objects.get_or_create(contact_index=index, purpose=purpose)
        else:
            Suppression.objects.filter(contact_index=index, purpose=purpose).delete()


def _suppress_mail(customer: Customer, purpose: str, *, on: bool) -> None:
    """The same for the e-mail addresses of the customer's people."""
    if purpose not in set(Message.Purpose):
        return
    for person in customer.contacts.all():
        if not person.email:
            continue
        index = blind_index(person.email)
        if on:
            Suppression.objects.get_or_create(contact_index=index, purpose=purpose)
        else:
            Suppression.objects.filter(contact_index=index, purpose=purpose).delete()


@transaction.atomic
def give_consent(customer: Customer, purpose: str, *, by: User, how: str) -> None:
    """Write a consent down. Refused("consent.twice") when one is in force."""
    row = locked(customer)
    require(by, "customer.edit", row.office)
    if row.consents.filter(purpose=purpose, withdrawn_at=None).exists():
        raise Refused("consent.twice", _("This consent is in force already."))
    row.consents.create(purpose=purpose, how=how, given_at=now(), by=by)
    for phone in row.phones.filter(opted_out=False):
        suppress(phone, [purpose], on=False)
    _suppress_mail(row, purpose, on=False)
    details = {"purpose": purpose}
    audit.record(by, "customer.consent_given", row, office=row.office, details=details)


@transaction.atomic
def withdraw_consent(consent: Consent, *, by: User) -> None:
    """End a consent; in the same transaction the last gate learns of it (B45)."""
    row = locked(consent.customer)
    require(by, "customer.edit", row.office)
    consent.withdrawn_at = now()
    consent.save(update_fields=["withdrawn_at"])
    for phone in row.phones.all():
        suppress(phone, [consent.purpose], on=True)
    _suppress_mail(row, consent.purpose, on=True)
    details = {"purpose": consent.purpose}
    audit.record(
        by, "customer.consent_withdrawn", row, office=row.office, details=details
    )


def has_consent(customer: Customer, purpose: str, at: datetime | None = None) -> bool:
    """Whether a consent for the purpose is in force."""
    given = customer.consents.filter(purpose=purpose, given_at__lte=at or now())
    return given.filter(withdrawn_at=None).exists()
