"""Volume by day: what was expected, what came, what is to be expected (R-DLV-04, R-DLV-15)."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.access.models import User
from crm.org.models import Office


class VolumeDay(models.Model):
    """Items of an office with all below it, of a product, accepted on a day.

    Days behind have `actual` and what was said of them a week before; days ahead have
    `deliveries` too: how many items are likely to be handed out then. Linear in what the
    offices had, so that parts add up to the whole.
    """

    office = models.ForeignKey(Office, models.CASCADE, related_name="+", db_index=False)
    product = models.CharField(max_length=20)
    day = models.DateField()
    expected = models.FloatField()
    naive = models.FloatField()  # the same weekday a week before
    actual = models.IntegerField(null=True)
    deliveries = models.FloatField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="volume_day_once", fields=["office", "day", "product"]
            ),
            models.CheckConstraint(
                name="volume_day_kind",
                condition=Q(actual=None, deliveries__isnull=False)
                | Q(actual__isnull=False, deliveries=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.office_id} {self.expected:.0f}"


class DeliveryCapacity(models.Model):
    """How many items an office with all below it can hand out in a day."""

    office = models.OneToOneField(Office, models.CASCADE, related_name="+")
    pieces = models.PositiveIntegerField(
        _("items a day"),
        validators=[MinValueValidator(1), MaxValueValidator(10_000_000)],
    )
    set_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    set_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="delivery_capacity_pieces", condition=Q(pieces__gte=1)
            )
        ]

    def __str__(self) -> str:
        return f"{self.office} {self.pieces}"
