"""Process walkthroughs (流程穿越): demands, walks, what they found.

Sources: R-KPI-47…56; domain.md 7.4.
"""

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.roles import Role
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office
from crm.programmes.models.plans import Programme
from delivery.models import Improvement


class Demand(models.Model):
    """A process that is to be walked, as often as anybody likes."""

    programme = models.ForeignKey(Programme, models.CASCADE, related_name="demands")
    process = models.CharField(_("process"), max_length=120)
    hint = models.CharField(_("what to look at"), max_length=300, blank=True)
    is_open = models.BooleanField(default=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.process


class WalkQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """One's own; those of the offices that one supervises."""
        return Q(user=user) | subtree(user, Role.SUPERVISOR)


class Walk(models.Model):
    """Somebody walks a process at an office, as a customer would."""

    class Mode(models.TextChoices):
        ALONE = "alone", pgettext_lazy("walk", "Self-service")
        TOGETHER = "together", pgettext_lazy("walk", "With the branch")

    class Occasion(models.TextChoices):
        TRIP = "trip", _("Business trip")
        SURVEY = "survey", pgettext_lazy("walk", "Survey")
        INSPECTION = "inspection", pgettext_lazy("walk", "Inspection")
        OTHER = "other", pgettext_lazy("walk", "Other")

    class State(models.TextChoices):
        BOOKED = "booked", pgettext_lazy("walk", "Asked of the branch")
        AGREED = "agreed", pgettext_lazy("walk", "To be walked")
        DECLINED = "declined", pgettext_lazy("walk", "Not possible")
        DONE = "done", pgettext_lazy("walk", "Walked")

    demand = models.ForeignKey(Demand, models.PROTECT, related_name="walks")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("where")
    )
    mode = models.CharField(_("how"), max_length=8, choices=Mode, default=Mode.ALONE)
    occasion = models.CharField(_("occasion"), max_length=10, choices=Occasion)
    on = models.DateField(_("day"))
    state = models.CharField(max_length=8, choices=State, default=State.AGREED)
    answer = models.CharField(max_length=300, blank=True)  # of the branch
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    done_at = models.DateTimeField(null=True)
    made_at = models.DateTimeField(auto_now_add=True)

    objects = WalkQuerySet.as_manager()

    class Meta:
        ordering = ["-on", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="walk_done",
                condition=Q(state="done", done_at__isnull=False)
                | ~Q(state="done") & Q(done_at=None),
            ),
            models.CheckConstraint(
                name="walk_booked_together",
                condition=Q(mode="together") | Q(state__in=["agreed", "done"]),
            ),
            models.UniqueConstraint(
                name="walk_once",
                fields=["demand", "user", "office", "on"],
                condition=~Q(state="declined"),
                violation_error_message=_("You have this walk on that day already."),
            ),
        ]
        indexes = [models.Index(name="walk_of_user", fields=["user", "-on"])]

    def __str__(self) -> str:
        return f"{self.demand} {self.on}"

    def get_absolute_url(self) -> str:
        return reverse("programmes:walk", args=[self.pk])


class Finding(models.Model):
    """A problem or a suggestion of a walk; a suggestion counts once it is found valid."""

    class Kind(models.TextChoices):
        PROBLEM = "problem", _("Problem")
        SUGGESTION = "suggestion", pgettext_lazy("feedback", "Suggestion")

    walk = models.ForeignKey(Walk, models.CASCADE, related_name="findings")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    text = models.CharField(_("in words"), max_length=500)
    is_valid = models.BooleanField(null=True)  # None: not judged
    judged_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    judged_note = models.CharField(max_length=300, blank=True)
    improvement = models.OneToOneField(
        Improvement, models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                name="walk_finding_judged",
                condition=Q(is_valid=None, judged_by=None)
                | Q(is_valid__isnull=False, judged_by__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return self.text
