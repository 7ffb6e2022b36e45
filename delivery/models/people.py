"""What belongs to a person who visits: how much a day, a calendar feed, a hand-over."""

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office


class VisitCapacity(models.Model):
    """So many visits and calls a working day; without a row the usual numbers hold."""

    user = models.OneToOneField(
        User, models.CASCADE, primary_key=True, related_name="visit_capacity"
    )
    visits = models.PositiveSmallIntegerField(
        _("visits a day"), validators=[MaxValueValidator(20)]
    )
    calls = models.PositiveSmallIntegerField(
        _("calls a day"), validators=[MaxValueValidator(60)]
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="visit_capacity_sane",
                condition=Q(visits__lte=20, calls__lte=60),
            )
        ]

    def __str__(self) -> str:
        return f"{self.visits} + {self.calls}"


class CalendarFeed(models.Model):
    """The address under which a calendar program reads somebody's visits. Kept as a
    digest; a new one, or none, ends the old at once."""

    user = models.OneToOneField(
        User, models.CASCADE, primary_key=True, related_name="visit_feed"
    )
    digest = models.BinaryField(max_length=32, unique=True)
    made_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"feed of {self.user_id}"


class HandoverQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Both sides, and the supervisors of the office."""
        return Q(giver=user) | Q(taker=user) | subtree(user, "supervisor")


class Handover(models.Model):
    """A portfolio goes from one manager to another: a checklist and two signatures, then
    customers, visits, tasks, alerts and opportunities change hands at once."""

    class Item(models.TextChoices):
        VISITS = "visits", _("Visits and promises gone through")
        COMPLAINTS = "complaints", _("Open complaints explained")
        CONTRACTS = "contracts", _("Contracts and prices handed over")
        ARREARS = "arrears", _("Arrears explained")
        PROJECTS = "projects", _("Opportunities and projects explained")
        PERSONS = "persons", _("Key persons introduced")

    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    giver = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("hands over")
    )
    taker = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("takes over")
    )
    reason = models.CharField(_("reason"), max_length=200)
    customers = models.PositiveIntegerField(default=0)  # when it was carried out
    checked = models.JSONField(default=list)  # of Item
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    giver_signed_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+"
    )
    giver_signed_at = models.DateTimeField(null=True)
    taker_signed_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    objects = HandoverQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at"]
        constraints = [
            models.CheckConstraint(name="handover_two", condition=~Q(giver=F("taker"))),
            models.CheckConstraint(
                name="handover_signer",
                condition=Q(giver_signed_by=None) | ~Q(giver_signed_by=F("taker")),
            ),
            models.UniqueConstraint(
                name="handover_one_open",
                fields=["giver"],
                condition=Q(taker_signed_at=None, cancelled_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.giver} → {self.taker}"

    def get_absolute_url(self) -> str:
        return reverse("delivery:handover", args=[self.pk])

    @property
    def is_open(self) -> bool:
        return self.taker_signed_at is None and self.cancelled_at is None
