"""What service costs a unit in a month (R-KPI-33)."""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.roles import Role
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office


class ServiceCostQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return subtree(user, Role.SUPERVISOR, Role.FINANCE)


class ServiceCost(models.Model):
    """Yuan of one kind that an office spent on service in a month, without what units below
    it note themselves and without compensation, which stands with claims."""

    class Kind(models.TextChoices):
        STAFF = "staff", pgettext_lazy("cost", "Staff")
        LINES = "lines", _("Telephone and messages")
        SYSTEMS = "systems", _("Systems")
        ROOMS = "rooms", _("Rooms and equipment")
        OTHER = "other", pgettext_lazy("cost", "Other")

    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    month = models.DateField()
    kind = models.CharField(max_length=7, choices=Kind)
    amount = models.DecimalField(
        max_digits=12, decimal_places=2, validators=[MinValueValidator(Decimal(0))]
    )
    noted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    noted_at = models.DateTimeField(auto_now=True)

    objects = ServiceCostQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="service_cost_once", fields=["office", "month", "kind"]
            ),
            models.CheckConstraint(
                name="service_cost_positive", condition=Q(amount__gt=0)
            ),
            models.CheckConstraint(
                name="service_cost_month", condition=Q(month__day=1)
            ),
        ]
        indexes = [models.Index(name="service_cost_by_month", fields=["month"])]

    def __str__(self) -> str:
        return f"{self.office_id} {self.month:%Y-%m} {self.kind}: {self.amount}"
