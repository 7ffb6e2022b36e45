"""The combined assessment: weights of figures, and what people think of a unit.

Sources: R-KPI-01, 29, 38, 39; domain.md 7.3 (70 : 30 is own judgement, a setting).
"""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.dashboards.periods import Kind
from crm.org.models import Office


class Weighting(models.Model):
    """How an office weighs the figures of the units below it, in a year."""

    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    year = models.PositiveSmallIntegerField()
    qualitative = models.PositiveSmallIntegerField(
        _("share of the qualitative part, percent"),
        default=30,
        validators=[MaxValueValidator(100)],
    )
    weights = models.JSONField(default=dict)  # KPI → weight, whole numbers from 1 on
    set_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    set_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="weighting_once", fields=["office", "year"]),
            models.CheckConstraint(
                name="weighting_share", condition=Q(qualitative__lte=100)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.office_id} {self.year}"


class OpinionQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return subtree(user, "supervisor")


class Opinion(models.Model):
    """What customers, or other units, think of a unit in a period: 0 to 100, in words."""

    class Source(models.TextChoices):
        CUSTOMERS = "customers", pgettext_lazy("opinion", "Customer feedback")
        HOUSE = "house", pgettext_lazy("opinion", "Internal evaluation")

    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind)
    first = models.DateField()
    source = models.CharField(_("source"), max_length=9, choices=Source)
    points = models.DecimalField(
        _("points, 0 to 100"),
        max_digits=5,
        decimal_places=2,
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(100))],
    )
    words = models.CharField(_("reason"), max_length=300)
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now=True)

    objects = OpinionQuerySet.as_manager()

    class Meta:
        ordering = ["office__path", "source"]
        constraints = [
            models.UniqueConstraint(
                name="opinion_once", fields=["office", "kind", "first", "source", "by"]
            ),
            models.CheckConstraint(
                name="opinion_points", condition=Q(points__range=(0, 100))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.office_id} {self.first} {self.source}: {self.points}"
