"""Items of key customers that may come late: noticed before the promise breaks (R-DLV-12)."""

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office
from customers.models import Customer


class ItemRiskQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """The office that answers for the item; managers: their customers' items."""
        return subtree(user, "supervisor", "handler") | subtree(
            user, "manager", lookup="customer__office"
        ) & Q(customer__manager=user)


class ItemRisk(models.Model):
    """One item that was noticed, once; `order` is the work order that its breaking opened.

    The waybill is its key: an item that is late twice is one matter.
    """

    class Why(models.TextChoices):
        NOT_SENT = "not_sent", _("Has not left the origin")
        NOT_IN = "not_in", _("Has not arrived at its destination")
        NOT_OUT = "not_out", _("Is not out for delivery")
        FAILED = "failed", _("An attempt has failed")
        SILENT = "silent", _("Nothing is known since acceptance")
        BROKEN = "broken", _("Its limit passed before it was noticed")

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("risk", "To be saved")
        SAVED = "saved", pgettext_lazy("risk", "Came in time")
        BROKEN = "broken", pgettext_lazy("risk", "Too late")
        OVER = "over", pgettext_lazy("risk", "Returned or excused")

    waybill = models.CharField(max_length=40, unique=True)
    accepted_on = models.DateField()
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    due_at = models.DateTimeField()
    why = models.CharField(max_length=8, choices=Why)
    state = models.CharField(max_length=6, choices=State, default=State.OPEN)
    noticed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    note = models.CharField(_("what was done"), max_length=300, blank=True)
    acted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    acted_at = models.DateTimeField(null=True)
    order = models.CharField(max_length=20, blank=True)

    objects = ItemRiskQuerySet.as_manager()

    class Meta:
        ordering = ["due_at", "pk"]
        constraints = [
            models.CheckConstraint(
                name="item_risk_ended",
                condition=Q(state="open", ended_at=None)
                | ~Q(state="open") & Q(ended_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="item_risk_due", fields=["due_at", "id"]),
            models.Index(
                name="item_risk_open", fields=["office"], condition=Q(state="open")
            ),
            models.Index(
                name="item_risk_unordered",
                fields=["id"],
                condition=Q(state="broken", order=""),
            ),
        ]

    def __str__(self) -> str:
        return self.waybill

    def get_absolute_url(self) -> str:
        return reverse("quality:item", args=[self.waybill])

    @property
    def source(self) -> str:
        """The key of the manager's task."""
        return f"item:{self.waybill}"
