"""Recipient lists on their way to cards: virtual delivery, print runs, the cards' codes.

Sources: R-DLV-01, R-CAM-22, domain.md 4.4, 4.5.
"""

import uuid
from pathlib import Path

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from campaigns.models.orders import CardOrder
from campaigns.models.seasons import Season
from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office
from customers.models import Recipient, RecipientList
from delivery.models import CardBatch


class VirtualCheck(models.Model):
    """A virtual delivery of an order's list: every address looked at before printing."""

    order = models.ForeignKey(CardOrder, models.CASCADE, related_name="checks")
    recipient_list = models.ForeignKey(
        RecipientList,
        models.CASCADE,
        related_name="+",
        verbose_name=_("recipient list"),
    )
    version = models.PositiveIntegerField()
    total = models.PositiveIntegerField(default=0)
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.order_id} v{self.version}"


class CheckedAddressQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """The section that would deliver it, and whoever keeps the customer's lists."""
        section = subtree(user, "handler", "supervisor")
        path = "check_run__order__customer"
        own = Q(**{f"{path}__manager": user}) | Q(**{f"{path}__assistant": user})
        mine = own & subtree(user, "manager", lookup=f"{path}__office")
        return section | mine | subtree(user, "supervisor", lookup=f"{path}__office")


class CheckedAddress(models.Model):
    """What virtual delivery says of one address: the system first, the section after."""

    class Code(models.TextChoices):
        GOOD = "good", pgettext_lazy("address", "Deliverable")
        CORRECTED = (
            "corrected",
            pgettext_lazy("address", "Deliverable after correction"),
        )
        INSUFFICIENT = "insufficient", pgettext_lazy("address", "Insufficient")
        NO_PLACE = "no_place", pgettext_lazy("address", "No such place")
        UNKNOWN = "unknown", pgettext_lazy("address", "Recipient unknown")
        OUTSIDE = "outside", pgettext_lazy("address", "Outside the delivery area")

    FINE = (Code.GOOD, Code.CORRECTED)

    check_run = models.ForeignKey(
        VirtualCheck, models.CASCADE, related_name="addresses"
    )
    recipient = models.ForeignKey(Recipient, models.CASCADE, related_name="+")
    office = models.ForeignKey(Office, models.PROTECT, null=True, related_name="+")
    code = models.CharField(_("result"), max_length=12, choices=Code)
    checker = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    checked_at = models.DateTimeField()
    note = models.CharField(_("note"), max_length=120, blank=True)

    objects = CheckedAddressQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="checked_address_once", fields=["check_run", "recipient"]
            )
        ]
        indexes = [
            models.Index(
                name="checked_address_waits",
                fields=["office", "id"],
                condition=Q(checker=None) & ~Q(code__in=["good", "corrected"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.recipient_id} {self.code}"


class PrintRun(models.Model):
    """Cards made of a list at one time, each with its prize code; class D never among them.

    Codes count up from `first_number` within `group_code`, as the stock was numbered.
    """

    order = models.ForeignKey(CardOrder, models.PROTECT, related_name="runs")
    number = models.PositiveSmallIntegerField()
    version = models.PositiveIntegerField()  # of the list
    group_code = models.CharField(
        _("group"),
        max_length=10,
        blank=True,
        validators=[RegexValidator(r"^[0-9A-Z]*$", _("Digits and capital letters."))],
    )
    first_number = models.CharField(
        _("first number"),
        max_length=12,
        validators=[
            RegexValidator(r"^[0-9]+$", _("Digits only; zeros in front count."))
        ],
    )
    pieces = models.PositiveIntegerField(default=0)
    blocked = models.PositiveIntegerField(default=0)  # class D, left out
    doubtful = models.PositiveIntegerField(default=0)  # class C, confirmed and printed
    mended = models.PositiveIntegerField(default=0)  # once returned, corrected since
    batch = models.OneToOneField(
        CardBatch, models.PROTECT, null=True, related_name="+"
    )  # once it is handed over
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(name="print_run_once", fields=["order", "number"])
        ]

    def __str__(self) -> str:
        return f"{self.order}/{self.number}"

    def get_absolute_url(self) -> str:
        return reverse("campaigns:run", args=[self.pk])


class PrizeCard(models.Model):
    """A card's prize code and whom it went to (R-CAM-22). The code is a bearer's right: it
    is shown masked, and each look at it is in the audit trail."""

    run = models.ForeignKey(PrintRun, models.CASCADE, related_name="cards")
    season = models.ForeignKey(
        Season, models.PROTECT, db_index=False, related_name="+"
    )  # of the run's order: codes are unique in it, and matched by it
    recipient = models.ForeignKey(
        Recipient, models.SET_NULL, null=True, related_name="+"
    )
    group_code = models.CharField(max_length=10, blank=True)
    number = models.CharField(max_length=12)  # text: zeros in front count

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="prize_card_once", fields=["season", "group_code", "number"]
            ),
            models.CheckConstraint(
                name="prize_card_number", condition=Q(number__regex=r"^[0-9]{4,12}$")
            ),
        ]

    def __str__(self) -> str:
        return f"{'*' * (len(self.number) - 2)}{self.number[-2:]}"


class PrintFile(models.Model):
    """Something to print: made by a worker, encrypted at rest, kept a month, each download
    told. Of a run, or, without one, of what `params` name, for who asked."""

    class Kind(models.TextChoices):
        LABELS = "labels", pgettext_lazy("print", "Address labels (PDF)")
        CARDS = "cards", pgettext_lazy("print", "Cards with QR and code (PDF)")
        LETTERS = "letters", pgettext_lazy("print", "Letters (PDF)")
        SHEET = "sheet", pgettext_lazy("print", "Hand-over sheet (PDF)")
        DATA = "data", pgettext_lazy("print", "Data file (CSV)")
        NOTICES = "notices", pgettext_lazy("print", "Prize notices (PDF)")
        MAILING = "mailing", pgettext_lazy("print", "Letters of outreach (PDF)")
        REPORT = "report", pgettext_lazy("print", "Report of the season (PDF)")

    OF_RUNS = (Kind.LABELS, Kind.CARDS, Kind.LETTERS, Kind.SHEET, Kind.DATA)

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("file", "Being made")
        READY = "ready", pgettext_lazy("file", "Ready")
        GONE = "gone", pgettext_lazy("file", "Deleted")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    season = models.ForeignKey(Season, models.CASCADE, related_name="files")
    run = models.ForeignKey(PrintRun, models.CASCADE, null=True, related_name="files")
    kind = models.CharField(_("kind"), max_length=7, choices=Kind)
    part = models.PositiveSmallIntegerField(default=1)
    params = models.JSONField(default=dict)
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    size = models.PositiveIntegerField(default=0)
    asked_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    asked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["kind", "part"]
        constraints = [
            models.UniqueConstraint(
                name="print_file_once",
                fields=["run", "kind", "part"],
                condition=Q(run__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.part}"

    @property
    def path(self) -> Path:
        return Path(settings.FILES_ROOT) / "print" / str(self.pk)

    @property
    def file_name(self) -> str:
        ending = "csv" if self.kind == PrintFile.Kind.DATA else "pdf"
        return f"{self.kind}-{self.part}.{ending}"
