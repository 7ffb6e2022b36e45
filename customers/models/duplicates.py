"""Pairs that may be one customer, and merges that can be undone."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.fields import EncryptedText
from customers.models.customer import Customer


class DuplicatePair(models.Model):
    """Two customers that may be one, with the reasons; `first` has the lower id."""

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("duplicate", "Open")
        MERGED = "merged", pgettext_lazy("duplicate", "Merged")
        DIFFERENT = "different", pgettext_lazy("duplicate", "Not the same")

    class Reason(models.TextChoices):
        PHONE = "phone", _("same phone")
        CREDIT_CODE = "credit_code", _("same credit code")
        ID_NUMBER = "id_number", _("same ID number")
        CONTRACT = "contract", _("same contract number")
        ADDRESS = "address", _("like name, same address")
        NAME = "name", _("same company name")

    first = models.ForeignKey(Customer, models.CASCADE, related_name="+")
    second = models.ForeignKey(Customer, models.CASCADE, related_name="+")
    reasons = ArrayField(models.CharField(max_length=12, choices=Reason))
    score = models.PositiveSmallIntegerField()  # of 100
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    seen_at = models.DateTimeField()  # by the latest sweep that found it
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="duplicate_once", fields=["first", "second"]),
            models.CheckConstraint(
                name="duplicate_ordered", condition=Q(first__lt=F("second"))
            ),
        ]
        indexes = [
            models.Index(
                name="duplicate_open",
                fields=["-score", "-id"],
                condition=Q(state="open"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.first_id}~{self.second_id}"


class Merge(models.Model):
    """`loser` became part of `survivor`: with what it takes to undo it.

    `replaced` is the survivor's replaced values as JSON, encrypted as the fields were.
    """

    loser = models.ForeignKey(Customer, models.CASCADE, related_name="+")
    survivor = models.ForeignKey(Customer, models.CASCADE, related_name="merges")
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    replaced = EncryptedText()
    undone_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    undone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                name="merge_once", fields=["loser"], condition=Q(undone_at=None)
            )
        ]

    def __str__(self) -> str:
        return f"{self.loser_id}→{self.survivor_id}"


class MergedRows(models.Model):
    """Which rows of one table a merge moved."""

    merge = models.ForeignKey(Merge, models.CASCADE, related_name="moved")
    relation = models.CharField(max_length=80)  # "app.Model.field"
    ids = ArrayField(models.BigIntegerField())

    def __str__(self) -> str:
        return f"{self.relation} {len(self.ids)}"
