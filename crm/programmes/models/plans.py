"""Programmes: a plan of an office, issued, taken over by branches, adjusted, revised.

Sources: R-KPI-31, 47, 48, 57…61, 64; R-ORG-34, 51, 52; R-CAM-51; domain.md 7.4.
"""

from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.roles import Role
from crm.access.scoping import ScopedQuerySet, reaching, subtree
from crm.org.models import Office


class ProgrammeQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """What is issued here or above, everybody; drafts, who manages them."""
        issued = ~Q(state="draft")
        return reaching(user, *Role.values) & issued | subtree(user, Role.SUPERVISOR)


class Programme(models.Model):
    """Something that an office and all below it do together for a time."""

    class Kind(models.TextChoices):
        WALKTHROUGH = "walkthrough", pgettext_lazy("programme", "Process walkthroughs")
        SATISFACTION = (
            "satisfaction",
            pgettext_lazy("programme", "Customer satisfaction"),
        )
        SERVICE = "service", pgettext_lazy("programme", "Service for the people")
        OTHER = "other", pgettext_lazy("programme", "Other")

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("programme", "Draft")
        ISSUED = "issued", pgettext_lazy("programme", "Under way")
        CLOSED = "closed", pgettext_lazy("programme", "Closed")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    title = models.CharField(_("title"), max_length=100)
    text = models.TextField(_("plan"), max_length=20_000)
    first = models.DateField(_("first day"))
    last = models.DateField(_("last day"))
    state = models.CharField(max_length=6, choices=State, default=State.DRAFT)
    revision = models.PositiveSmallIntegerField(
        default=1
    )  # one more with each revision
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    issued_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    issued_at = models.DateTimeField(null=True)
    result = models.TextField(_("what came of it"), max_length=4000, blank=True)
    # A revision that somebody has written and somebody else is to issue.
    wanted = models.TextField(max_length=20_000, blank=True, db_default="")
    wanted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = ProgrammeQuerySet.as_manager()

    class Meta:
        ordering = ["-first", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="programme_forward",
                condition=Q(last__gte=F("first")),
                violation_error_message=_("The last day lies before the first."),
            ),
            models.CheckConstraint(
                name="programme_four_eyes",
                condition=Q(state="draft")
                | Q(issued_by__isnull=False) & ~Q(issued_by=F("made_by")),
            ),
            models.CheckConstraint(
                name="programme_revision_whole",
                condition=Q(wanted="", wanted_by=None)
                | ~Q(wanted="") & Q(wanted_by__isnull=False, state="issued"),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("programmes:programme", args=[self.pk])


class Step(models.Model):
    """A milestone of a programme."""

    programme = models.ForeignKey(Programme, models.CASCADE, related_name="steps")
    due_on = models.DateField(_("until"))
    what = models.CharField(_("what is due"), max_length=120)
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["due_on", "pk"]

    def __str__(self) -> str:
        return self.what


class Pilot(models.Model):
    """One place that tries a programme at one touchpoint before all branches do."""

    class Touchpoint(models.TextChoices):
        HALL = "hall", pgettext_lazy("touchpoint", "Business hall")
        COMPLAINTS = "complaints", pgettext_lazy("touchpoint", "Complaints")
        VIP = "vip", pgettext_lazy("touchpoint", "VIP club")
        PHONE = "phone", pgettext_lazy("touchpoint", "Service phone")
        COURIER = "courier", pgettext_lazy("touchpoint", "Pick-up and delivery")
        ONLINE = "online", pgettext_lazy("touchpoint", "Online")

    class Verdict(models.TextChoices):
        ADOPT = "adopt", pgettext_lazy("pilot", "For all branches")
        CHANGE = "change", pgettext_lazy("pilot", "Adjust first")
        DROP = "drop", pgettext_lazy("pilot", "Not pursued")

    programme = models.ForeignKey(Programme, models.CASCADE, related_name="pilots")
    touchpoint = models.CharField(_("touchpoint"), max_length=10, choices=Touchpoint)
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("place")
    )
    first = models.DateField(_("first day"))
    last = models.DateField(_("last day"))
    what = models.CharField(_("what is tried"), max_length=300)
    verdict = models.CharField(max_length=6, choices=Verdict, blank=True)
    result = models.CharField(max_length=1000, blank=True)
    chosen_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    concluded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    concluded_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["touchpoint"]
        constraints = [
            models.UniqueConstraint(
                name="pilot_one_place",
                fields=["programme", "touchpoint"],
                condition=~Q(verdict="drop"),
            ),
            models.CheckConstraint(
                name="pilot_forward",
                condition=Q(last__gte=F("first")),
                violation_error_message=_("The last day lies before the first."),
            ),
            models.CheckConstraint(
                name="pilot_concluded",
                condition=Q(verdict="", concluded_by=None, concluded_at=None)
                | ~Q(verdict="")
                & ~Q(result="")
                & Q(concluded_by__isnull=False, concluded_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.office}"


class AdoptionQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return subtree(user, Role.SUPERVISOR)


class Adoption(models.Model):
    """A branch's own plan for a programme from above (R-ORG-51, R-KPI-64)."""

    class State(models.TextChoices):
        WAITS = "waits", pgettext_lazy("adoption", "No plan yet")
        FILED = "filed", pgettext_lazy("adoption", "Plan filed")
        RETURNED = "returned", pgettext_lazy("adoption", "To be adjusted")
        AGREED = "agreed", pgettext_lazy("adoption", "Under way")

    programme = models.ForeignKey(Programme, models.CASCADE, related_name="adoptions")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.WAITS)
    text = models.TextField(_("our plan"), max_length=10_000, blank=True)
    demand = models.CharField(_("what is to be adjusted"), max_length=500, blank=True)
    filed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    filed_at = models.DateTimeField(null=True)

    objects = AdoptionQuerySet.as_manager()

    class Meta:
        ordering = ["office__path"]
        constraints = [
            models.UniqueConstraint(
                name="adoption_once", fields=["programme", "office"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.office}"
