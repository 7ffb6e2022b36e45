"""How many work orders, by day, office and class: a ledger that the database keeps."""

from django.db import models

from crm.org.models import Office


class OrderCount(models.Model):
    """So many more (or fewer) taken in on `day`, and open. Triggers append lines with each
    change, so that nobody waits for a counter; a job adds them up (counting.py). A figure
    is the sum of its lines, right at any moment. Old days are one line, `ALL_BEFORE`."""

    id = models.BigAutoField(primary_key=True)
    day = models.DateField()
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    category = models.CharField(max_length=10)
    opened = models.BigIntegerField()
    open = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["day", "office"], name="order_count_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.opened} {self.open}"
