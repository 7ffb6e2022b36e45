"""Business supervisors (业务监督员): customers from outside who try services before they start.

Sources: R-ORG-48, R-ORG-49.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.roles import Role
from crm.access.scoping import ScopedQuerySet, subtree
from crm.fields import EncryptedText
from crm.org.models import Office
from crm.programmes.models.plans import Programme
from crm.text import mask_name


class TesterQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return subtree(user, Role.SUPERVISOR)


class BusinessSupervisor(models.Model):
    """Somebody from outside: how they came, who agreed, for how long."""

    class Source(models.TextChoices):
        PUBLIC = "public", _("Public call")
        CUSTOMER = "customer", _("Customer, invited")
        OTHER = "other", pgettext_lazy("source", "Other")

    class State(models.TextChoices):
        APPLIED = "applied", pgettext_lazy("supervisor", "Applied")
        APPROVED = "approved", pgettext_lazy("supervisor", "Approved")
        REFUSED = "refused", pgettext_lazy("supervisor", "Not taken")
        ENDED = "ended", pgettext_lazy("supervisor", "Ended")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    name = EncryptedText(_("name"))
    phone = EncryptedText(_("phone"))
    source = models.CharField(_("source"), max_length=8, choices=Source)
    applied_on = models.DateField(_("applied on"))
    about = models.CharField(_("what they know of our services"), max_length=500)
    state = models.CharField(max_length=8, choices=State, default=State.APPLIED)
    first = models.DateField(_("term from"), null=True)
    last = models.DateField(_("term until"), null=True)
    noted_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    is_forgotten = models.BooleanField(default=False)  # name and phone are gone

    objects = TesterQuerySet.as_manager()

    class Meta:
        ordering = ["-applied_on", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="tester_four_eyes",
                condition=Q(state="applied", decided_by=None)
                | ~Q(state="applied")
                & Q(decided_by__isnull=False)
                & ~Q(decided_by=F("noted_by")),
            ),
            models.CheckConstraint(
                name="tester_term",
                condition=~Q(state__in=["approved", "ended"])
                | Q(first__isnull=False, last__gte=F("first")),
            ),
        ]

    def __str__(self) -> str:
        return self.masked

    def get_absolute_url(self) -> str:
        return reverse("programmes:tester", args=[self.pk])

    @property
    def masked(self) -> str:
        """For lists; the page itself shows the name, and the trail who looked."""
        return mask_name(self.name) if self.name else "—"


class Trial(models.Model):
    """What a business supervisor said of a service that a programme is about."""

    tester = models.ForeignKey(
        BusinessSupervisor, models.PROTECT, related_name="trials"
    )
    programme = models.ForeignKey(
        Programme,
        models.PROTECT,
        related_name="trials",
        verbose_name=_("programme"),
    )
    on = models.DateField(_("day"))
    rating = models.PositiveSmallIntegerField(
        _("rating, 1 to 5"), validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    verdict = models.TextField(_("what they found"), max_length=2000)
    noted_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-on", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="trial_rating", condition=Q(rating__range=(1, 5))
            )
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.on}"
