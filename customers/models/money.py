"""Contracts and what customers owe."""

import uuid
from datetime import date
from decimal import Decimal
from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from crm.access.models import User
from crm.org.models import Office
from customers.models.customer import Customer


class Contract(models.Model):
    """A line of the contract ledger (R-CUS-19). Its key is (office, number)."""

    class Billing(models.TextChoices):
        ON_ACCOUNT = "on_account", _("On account")
        CASH = "cash", _("Cash")

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="contracts")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+", db_index=False)
    number = models.CharField(_("contract number"), max_length=40)
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("to"))
    price_terms = models.CharField(_("price terms"), max_length=200, blank=True)
    billing = models.CharField(
        _("billing"), max_length=10, choices=Billing, default=Billing.ON_ACCOUNT
    )
    credit_days = models.PositiveSmallIntegerField(
        _("payment term in days"), default=30
    )
    credit_limit = models.DecimalField(
        _("credit limit"), max_digits=14, decimal_places=2, null=True, blank=True
    )
    has_safety_agreement = models.BooleanField(_("safety agreement"), default=False)
    ended_on = models.DateField(_("ended early on"), null=True, blank=True)
    imported_by = models.UUIDField(null=True, editable=False)

    class Meta:
        ordering = ["-ends_on"]
        constraints = [
            models.UniqueConstraint(name="contract_once", fields=["number", "office"]),
            models.CheckConstraint(
                name="contract_forward", condition=Q(ends_on__gte=F("starts_on"))
            ),
            models.CheckConstraint(
                name="contract_credit",
                condition=Q(credit_limit=None) | Q(credit_limit__gte=0),
            ),
        ]
        indexes = [models.Index(fields=["ends_on"], name="contract_ends")]

    def __str__(self) -> str:
        return self.number

    def state(self, on: date) -> str:
        """Where it stands on a day, in the reader's language."""
        if self.ended_on and self.ended_on <= on:
            return pgettext("contract", "Ended early")
        if on < self.starts_on:
            return pgettext("contract", "Not begun")
        if on > self.ends_on:
            return pgettext("contract", "Expired")
        return pgettext("contract", "In force")

    def is_in_force(self, on: date) -> bool:
        last = min(filter(None, (self.ends_on, self.ended_on)))
        return self.starts_on <= on <= last


class ContractFile(models.Model):
    """A scan of a contract, under a random name outside the web root."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    contract = models.ForeignKey(Contract, models.CASCADE, related_name="files")
    name = models.CharField(max_length=120)
    content_type = models.CharField(max_length=40)  # found in the bytes, never as sent
    size = models.PositiveIntegerField()
    added_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["added_at"]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> Path:
        return Path(settings.FILES_ROOT) / "contracts" / str(self.pk)


class Receivable(models.Model):
    """A bill and how much of it is paid. Its key is (office, number)."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="receivables")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+", db_index=False)
    number = models.CharField(max_length=40)
    issued_on = models.DateField()
    due_on = models.DateField()
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    paid = models.DecimalField(max_digits=14, decimal_places=2, default=Decimal(0))
    imported_by = models.UUIDField(null=True, editable=False)

    class Meta:
        ordering = ["due_on"]
        constraints = [
            models.UniqueConstraint(
                name="receivable_once", fields=["number", "office"]
            ),
            models.CheckConstraint(
                name="receivable_forward", condition=Q(due_on__gte=F("issued_on"))
            ),
            models.CheckConstraint(
                name="receivable_paid",
                condition=Q(amount__gt=0, paid__gte=0, paid__lte=F("amount")),
            ),
        ]
        indexes = [
            models.Index(name="receivable_due", fields=["due_on"]),
            models.Index(
                name="receivable_unpaid",
                fields=["customer", "due_on"],
                condition=Q(paid__lt=F("amount")),
            ),
        ]

    def __str__(self) -> str:
        return self.number
