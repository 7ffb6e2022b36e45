"""Cards that nobody scans: measured by batches, never item by item.

Source: domain.md 3.2, R-DLV-01, R-DLV-02, R-DLV-04, R-DLV-06.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office
from customers.models import Customer
from delivery.models.items import Cause


class CardBatchQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """The office that posts them; managers: those of their customers and their own."""
        return subtree(user, "supervisor", "inspector") | subtree(user, "manager") & (
            Q(customer__manager=user) | Q(made_by=user)
        )


class CardBatch(models.Model):
    """So many cards of one customer, posted on one day."""

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("posting office")
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, related_name="+"
    )
    code = models.CharField(_("batch number"), max_length=40)
    posted_on = models.DateField(_("posted on"))
    pieces = models.PositiveIntegerField(
        _("pieces"), validators=[MinValueValidator(1), MaxValueValidator(10_000_000)]
    )
    checked = models.PositiveIntegerField(
        _("addresses checked"),
        default=0,
        help_text=_("Virtual delivery: looked up before they were printed."),
    )
    faulty = models.PositiveIntegerField(_("of these faulty"), default=0)
    is_presorted = models.BooleanField(_("sorted before hand-over"), default=False)
    saved_hours = models.DecimalField(
        _("hours saved by sorting"),
        max_digits=6,
        decimal_places=1,
        default=0,
        validators=[MinValueValidator(0)],
    )
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    objects = CardBatchQuerySet.as_manager()

    class Meta:
        ordering = ["-posted_on", "-pk"]
        constraints = [
            models.UniqueConstraint(name="card_batch_once", fields=["office", "code"]),
            models.CheckConstraint(
                name="card_batch_numbers",
                condition=Q(pieces__gte=1, checked__lte=F("pieces"))
                & Q(faulty__lte=F("checked"), saved_hours__gte=0),
            ),
        ]
        indexes = [models.Index(name="card_batch_day", fields=["posted_on", "id"])]

    def __str__(self) -> str:
        return self.code

    def get_absolute_url(self) -> str:
        return reverse("quality:batch", args=[self.pk])


class CardReturn(models.Model):
    """Pieces of a batch that came back on one day for one cause."""

    batch = models.ForeignKey(CardBatch, models.CASCADE, related_name="returns")
    day = models.DateField(_("day"))
    cause = models.CharField(_("cause"), max_length=9, choices=Cause)
    pieces = models.PositiveIntegerField(_("pieces"), validators=[MinValueValidator(1)])
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["day", "pk"]
        constraints = [
            models.CheckConstraint(
                name="card_return_pieces", condition=Q(pieces__gte=1)
            )
        ]

    def __str__(self) -> str:
        return f"{self.batch_id} {self.day} {self.pieces}"


class CardSample(models.Model):
    """Recipients of a batch who were asked, or test cards in it: did it arrive, in time?"""

    class Kind(models.TextChoices):
        CALLS = "calls", _("Sample calls")
        LETTERS = "letters", _("Test cards")

    batch = models.ForeignKey(CardBatch, models.CASCADE, related_name="samples")
    kind = models.CharField(pgettext_lazy("sample", "kind"), max_length=7, choices=Kind)
    day = models.DateField(_("day"))
    asked = models.PositiveIntegerField(
        _("reached or sent"), validators=[MinValueValidator(1)]
    )
    arrived = models.PositiveIntegerField(_("of these arrived"))
    in_time = models.PositiveIntegerField(_("of these in time"))
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["day", "pk"]
        constraints = [
            models.CheckConstraint(
                name="card_sample_numbers",
                condition=Q(asked__gte=1, arrived__lte=F("asked"))
                & Q(in_time__lte=F("arrived")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.batch_id} {self.day} {self.arrived}/{self.asked}"
