"""KPI figures as they were computed: what trends are drawn from."""

from django.db import models

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
