"""Standing orders for workbooks of figures."""

from django.db import models

from crm.access.models import User
from crm.dashboards.periods import Kind
from crm.org.models import Office


class StandingExport(models.Model):
    """Somebody wants the workbook of an office whenever a period of a kind has ended.
    `sent_first` is the first day of the newest period that they were told of."""

    owner = models.ForeignKey(User, models.CASCADE, related_name="+")
    office = models.ForeignKey(Office, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind)
    sent_first = models.DateField()
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["office__path", "kind"]
        constraints = [
            models.UniqueConstraint(
                name="standing_export_once", fields=["owner", "office", "kind"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.office} {self.get_kind_display()}"
