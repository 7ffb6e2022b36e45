"""What staff take part in: contests and training; awards; what each is good at.

Sources: R-ORG-28, 32, 33, 40, 46; R-KPI-40.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.roles import Role
from crm.access.scoping import ScopedQuerySet, reaching, subtree
from crm.org.models import Office


class EventQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Contests and training of one's office and those above and below."""
        return reaching(user, *Role.values)


class StaffEvent(models.Model):
    """A contest (三比) or a training of an office and all below it."""

    class Kind(models.TextChoices):
        SKILLS = "skills", pgettext_lazy("contest", "Contest of skills")
        STYLE = "style", pgettext_lazy("contest", "Contest of style")
        RESULTS = "results", pgettext_lazy("contest", "Contest of results")
        TRAINING = "training", _("Training")

    class Skill(models.TextChoices):
        """What agents are to be good at (R-ORG-46)."""

        COMMUNICATION = "communication", pgettext_lazy("skill", "Communication")
        SERVICE = "service", pgettext_lazy("skill", "Service awareness")
        EXPERTISE = "expertise", pgettext_lazy("skill", "Expertise")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    skill = models.CharField(
        pgettext_lazy("training", "skill"), max_length=13, choices=Skill, blank=True
    )
    title = models.CharField(_("title"), max_length=100)
    held_on = models.DateField(_("day"))
    hours = models.DecimalField(
        _("hours"),
        max_digits=4,
        decimal_places=1,
        default=1,
        validators=[MinValueValidator(0), MaxValueValidator(200)],
    )
    text = models.TextField(_("content"), max_length=4000, blank=True)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-held_on", "-pk"]
        indexes = [models.Index(name="staff_event_day", fields=["held_on"])]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("programmes:event", args=[self.pk])


class PartQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return Q(user=user) | subtree(user, Role.SUPERVISOR)


class TakingPart(models.Model):
    """Somebody who is to take part, whether they did, and how well."""

    event = models.ForeignKey(StaffEvent, models.CASCADE, related_name="parts")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")  # theirs
    took_part = models.BooleanField(null=True)  # None: not noted yet
    score = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        null=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )

    objects = PartQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(name="part_once", fields=["event", "user"]),
            models.CheckConstraint(
                name="part_score",
                condition=Q(score=None) | Q(took_part=True, score__range=(0, 100)),
            ),
        ]
        indexes = [models.Index(name="part_of_user", fields=["user"])]

    def __str__(self) -> str:
        return f"{self.event_id} {self.user_id}"


class AwardQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Awards are public in the house: here, above and below."""
        return reaching(user, *Role.values) | Q(user=user)


class Award(models.Model):
    """An honour of a year, for a person or a unit (R-ORG-33)."""

    class Kind(models.TextChoices):
        COURIER = "courier", _("Star courier")
        BRANCH = "branch", _("Best branch")
        PUNCTUAL = "punctual", _("Punctuality and quality")
        MODEL = "model", _("Service model")
        PACEMAKER = "pacemaker", _("Service pacemaker")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    kind = models.CharField(_("award"), max_length=10, choices=Kind)
    year = models.PositiveSmallIntegerField(
        _("year"), validators=[MinValueValidator(2000), MaxValueValidator(2100)]
    )
    user = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("person"),
    )  # none: the office itself
    reason = models.CharField(_("reason"), max_length=300)
    given_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    given_at = models.DateTimeField(auto_now_add=True)

    objects = AwardQuerySet.as_manager()

    class Meta:
        ordering = ["-year", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="award_once",
                fields=["office", "kind", "year", "user"],
                nulls_distinct=False,
                violation_error_message=_("This award is given already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.year}"
