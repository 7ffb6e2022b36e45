"""The composite score of delivery quality: schemes by month, and what units came to.

Source: domain.md 3.3 (composite score), R-DLV-18.
"""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office
from delivery.models.standards import PERCENT


class Band(models.TextChoices):
    EXCELLENT = "excellent", pgettext_lazy("band", "Excellent")
    MET = "met", pgettext_lazy("band", "Meets the target")
    WATCH = "watch", pgettext_lazy("band", "To be watched")
    FAILED = "failed", pgettext_lazy("band", "Fails")


class ScoreScheme(models.Model):
    """How a score is made up, from a month on until the next scheme begins."""

    valid_from = models.DateField(_("from month"), unique=True)
    excellent = models.DecimalField(
        _("excellent from"),
        max_digits=5,
        decimal_places=2,
        default=95,
        validators=PERCENT,
    )
    met = models.DecimalField(
        _("target met from"),
        max_digits=5,
        decimal_places=2,
        default=90,
        validators=PERCENT,
    )
    watch = models.DecimalField(
        _("watched from"),
        max_digits=5,
        decimal_places=2,
        default=80,
        validators=PERCENT,
    )
    note = models.CharField(_("why it changes"), max_length=200, blank=True)
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-valid_from"]
        constraints = [
            models.CheckConstraint(
                name="score_scheme_month", condition=Q(valid_from__day=1)
            ),
            models.CheckConstraint(
                name="score_scheme_bands",
                condition=Q(excellent__lte=100, watch__gte=0)
                & Q(excellent__gt=F("met"), met__gt=F("watch")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.valid_from:%Y-%m}"

    def get_absolute_url(self) -> str:
        return reverse("quality:score_schemes")

    def band_of(self, value: Decimal) -> str:
        """The band of an unrounded score; each begins with its line."""
        lines = (
            (self.excellent, Band.EXCELLENT),
            (self.met, Band.MET),
            (self.watch, Band.WATCH),
        )
        return next((band for line, band in lines if value >= line), Band.FAILED)


class ScorePart(models.Model):
    """One part: nothing at the floor or beyond it, all of its weight at the target."""

    scheme = models.ForeignKey(ScoreScheme, models.CASCADE, related_name="parts")
    measure = models.CharField(
        max_length=40
    )  # a key of delivery.quality.scoring.MEASURES
    weight = models.DecimalField(max_digits=5, decimal_places=2, validators=PERCENT)
    floor = models.DecimalField(max_digits=9, decimal_places=2)
    target = models.DecimalField(max_digits=9, decimal_places=2)

    class Meta:
        ordering = ["scheme", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="score_part_once", fields=["scheme", "measure"]
            ),
            models.CheckConstraint(
                name="score_part_numbers",
                condition=Q(weight__range=(0, 100)) & ~Q(floor=F("target")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.measure} {self.weight}"


class ScoreQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return subtree(user, "supervisor", "analyst")


class Score(models.Model):
    """What an office with all below it, or a courier of it, came to in a month of
    acceptance; counted anew each night while items ripen and corrections come in."""

    month = models.DateField()
    office = models.ForeignKey(Office, models.PROTECT, related_name="+", db_index=False)
    courier = models.CharField(max_length=40, blank=True)  # "": the office itself
    scheme = models.ForeignKey(ScoreScheme, models.PROTECT, related_name="+")
    value = models.DecimalField(max_digits=5, decimal_places=2)
    band = models.CharField(max_length=9, choices=Band)
    items = models.IntegerField()
    unripe = models.IntegerField()
    # One for each part of the scheme: measure, numerator, denominator, value, floor,
    # target, weight (rescaled), points; null where nothing was measured.
    lines = models.JSONField()
    counted_at = models.DateTimeField(auto_now_add=True)

    objects = ScoreQuerySet.as_manager()

    class Meta:
        ordering = ["-month", "-value", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="score_once", fields=["month", "office", "courier"]
            ),
            models.CheckConstraint(
                name="score_bounds", condition=Q(value__range=(0, 100))
            ),
        ]
        indexes = [models.Index(name="score_office", fields=["office", "month"])]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.office_id} {self.courier} {self.value}"
