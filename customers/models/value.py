"""What customers are worth: fits of the lifetime models, and each customer's figures."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.org.models import Office
from customers.models.customer import Customer

AT_RISK = 0.5  # probability alive below which a customer of worth is about to leave


class ValueFit(models.Model):
    """The lifetime models fitted to an office's customers up to a day.

    Without `log_likelihood` the data could not carry BG/NBD, without `p` not Gamma-Gamma;
    `problem` says why. Parameters: customers/lifetime.py.
    """

    class Problem(models.TextChoices):
        NONE = "", _("None")
        FEW = "few", _("too few customers with repeat purchases")
        FLAT = "flat", _("the data fit every parameter alike")

    office = models.ForeignKey(Office, models.CASCADE, related_name="+")
    until = models.DateField()
    made_at = models.DateTimeField(auto_now=True)
    customers = models.PositiveIntegerField(default=0)
    repeaters = models.PositiveIntegerField(default=0)
    r = models.FloatField(null=True)
    alpha = models.FloatField(null=True)  # weeks
    a = models.FloatField(null=True)
    b = models.FloatField(null=True)
    log_likelihood = models.FloatField(null=True)
    p = models.FloatField(null=True)
    q = models.FloatField(null=True)
    gamma = models.FloatField(null=True)  # yuan
    problem = models.CharField(max_length=4, blank=True, choices=Problem)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="value_fit_once", fields=["office", "until"]),
            models.CheckConstraint(
                name="value_fit_or_problem",
                condition=Q(log_likelihood__isnull=False) | ~Q(problem=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.office} {self.until}"


class CustomerValue(models.Model):
    """A customer's value as of a day; renewed each night. Merged ones count as their
    survivor. Without a fit `alive` is empty and nothing is expected; the scores are there."""

    class Level(models.TextChoices):
        HIGH = "high", pgettext_lazy("class", "High")
        MEDIUM = "medium", pgettext_lazy("class", "Medium")
        LOW = "low", pgettext_lazy("class", "Low")

    customer = models.OneToOneField(
        Customer, models.CASCADE, primary_key=True, related_name="value"
    )
    fit = models.ForeignKey(ValueFit, models.SET_NULL, null=True, related_name="+")
    until = models.DateField()
    purchase_days = models.PositiveIntegerField()  # ever
    first_on = models.DateField()
    last_on = models.DateField()
    mean_spending = models.DecimalField(max_digits=14, decimal_places=2)  # a repeat day
    days_12 = models.PositiveIntegerField(default=0)  # purchase days in 12 months
    months_12 = models.PositiveSmallIntegerField(default=0)  # months with one
    revenue_12 = models.DecimalField(max_digits=16, decimal_places=2, default=0)
    alive = models.FloatField(null=True)  # probability
    purchases_12 = models.FloatField(null=True)  # expected in the next 12 months
    purchases_36 = models.FloatField(null=True)
    value_12 = models.DecimalField(max_digits=16, decimal_places=2, default=0)
    value_36 = models.DecimalField(max_digits=16, decimal_places=2, default=0)
    recency = models.PositiveSmallIntegerField(default=0)  # scores 1 to 5, 0 = none yet
    frequency = models.PositiveSmallIntegerField(default=0)
    money = models.PositiveSmallIntegerField(default=0)
    frequency_class = models.CharField(max_length=6, blank=True, choices=Level)
    value_class = models.CharField(max_length=6, blank=True, choices=Level)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="value_scores",
                condition=Q(
                    recency__range=(0, 5), frequency__range=(0, 5), money__range=(0, 5)
                ),
            ),
            models.CheckConstraint(
                name="value_alive",
                condition=Q(alive=None) | Q(alive__range=(0, 1)),
            ),
        ]
        indexes = [
            models.Index(fields=["-value_36", "-customer"], name="value_by_worth"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.value_36}"


class ValueTally(models.Model):
    """How many customers of an office are in each pair of classes: what the page reads."""

    office = models.ForeignKey(Office, models.CASCADE, related_name="+")
    value_class = models.CharField(max_length=6, blank=True)
    frequency_class = models.CharField(max_length=6, blank=True)
    customers = models.PositiveIntegerField()
    at_risk = models.PositiveIntegerField()
    value_12 = models.DecimalField(max_digits=18, decimal_places=2)
    active = models.PositiveIntegerField(default=0)  # with a purchase in twelve months
    repeaters = models.PositiveIntegerField(default=0)  # of those, more than one day
    months_12 = models.PositiveIntegerField(default=0)  # of the active, with purchases

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="value_tally_once",
                fields=["office", "value_class", "frequency_class"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.office} {self.value_class} {self.frequency_class}"
