"""KPI figures as they were computed, what was aimed at, and which periods are final."""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from crm.access.models import User
from crm.dashboards.periods import Kind
from crm.org.models import Office


class KpiSnapshot(models.Model):
    """One KPI of one office for one pair of periods. Computing it again rewrites the row."""

    office = models.ForeignKey(Office, models.CASCADE, related_name="+")
    kpi = models.CharField(max_length=40)
    base_first = models.DateField()
    base_last = models.DateField()
    current_first = models.DateField()
    current_last = models.DateField()
    numerator = models.BigIntegerField()
    denominator = models.BigIntegerField()
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="snapshot_once",
                fields=[
                    "office",
                    "kpi",
                    "base_first",
                    "base_last",
                    "current_first",
                    "current_last",
                ],
            )
        ]
        indexes = [
            models.Index(
                fields=["office", "kpi", "current_last"], name="snapshot_trend"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kpi} {self.current_first}..{self.current_last}"

    @property
    def value(self) -> float | None:
        return self.numerator / self.denominator if self.denominator else None


class Figure(models.Model):
    """One KPI of one office for one period. While the period settles it is counted anew
    each night; then it is frozen and a trigger keeps it, whatever becomes of the
    definition (`version`) or of the rows (R-KPI-03).
    """

    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    kpi = models.CharField(max_length=40)
    version = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=8, choices=Kind)
    first = models.DateField()
    last = models.DateField()
    numerator = models.DecimalField(max_digits=20, decimal_places=4)
    denominator = models.DecimalField(max_digits=20, decimal_places=4)
    is_frozen = models.BooleanField(default=False)
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="figure_once", fields=["kpi", "kind", "first", "office"]
            ),
            models.CheckConstraint(
                name="figure_forward", condition=Q(last__gte=F("first"))
            ),
        ]
        indexes = [
            models.Index(
                name="figure_of_office", fields=["office", "kind", "-first", "kpi"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.kpi} {self.office_id} {self.kind} {self.first}"


class FigureRun(models.Model):
    """A period whose figures were counted: when, and whether for good."""

    kind = models.CharField(max_length=8, choices=Kind)
    first = models.DateField()
    last = models.DateField()
    computed_at = models.DateTimeField()
    frozen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="figure_run_once", fields=["kind", "first"])
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.first}"


class Target(models.Model):
    """What an office is to reach in a period, and what others reach (R-KPI-23, R-KPI-29);
    both in the unit that the KPI is shown in."""

    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    kpi = models.CharField(max_length=40)
    kind = models.CharField(max_length=8, choices=Kind)
    first = models.DateField()
    value = models.DecimalField(
        _("target"),
        max_digits=12,
        decimal_places=2,
        validators=[MinValueValidator(Decimal(0))],
    )
    benchmark = models.DecimalField(
        _("benchmark"), max_digits=12, decimal_places=2, null=True, blank=True
    )
    set_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    set_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="target_once", fields=["office", "kpi", "kind", "first"]
            ),
            models.CheckConstraint(name="target_positive", condition=Q(value__gte=0)),
        ]

    def __str__(self) -> str:
        return f"{self.kpi} {self.office_id} {self.first}: {self.value}"
