"""Risks that are watched, emergency plans with contacts and drills, incidents on a clock.

Sources: R-RSK-04, 07, 08, 14, 15; domain.md 2.5; reliability.md 3 (who must be told when).
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.roles import Role
from crm.access.scoping import ScopedQuerySet, reaching, subtree
from crm.fields import EncryptedText
from crm.library.models import Document
from crm.org.models import Office

ONE_TO_FIVE = [MinValueValidator(1), MaxValueValidator(5)]


class Kind(models.TextChoices):
    DATA = "data", pgettext_lazy("risk", "Customer data")
    SERVICE = "service", pgettext_lazy("risk", "Service and complaints")
    SAFETY = "safety", pgettext_lazy("risk", "Safety of people and items")
    FRAUD = "fraud", pgettext_lazy("risk", "Fraud and embezzlement")
    MONEY = "money", pgettext_lazy("risk", "Arrears and revenue")
    SYSTEM = "system", pgettext_lazy("risk", "Systems and network")
    LAW = "law", pgettext_lazy("risk", "Law and regulator")


class RiskQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """One's own; those of the offices that one supervises."""
        return Q(owner=user) | subtree(user, Role.SUPERVISOR)


class Risk(models.Model):
    """Something that may go wrong: how likely, how bad, who watches it, by which figure."""

    class State(models.TextChoices):
        WATCHED = "watched", pgettext_lazy("risk", "Watched")
        ACCEPTED = "accepted", pgettext_lazy("risk", "Accepted")
        CLOSED = "closed", pgettext_lazy("risk", "Closed")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    title = models.CharField(_("what may happen"), max_length=120)
    likelihood = models.PositiveSmallIntegerField(
        _("likelihood, 1 to 5"), default=3, validators=ONE_TO_FIVE
    )
    impact = models.PositiveSmallIntegerField(
        _("impact, 1 to 5"), default=3, validators=ONE_TO_FIVE
    )
    measures = models.TextField(_("counter-measures"), max_length=2000)
    owner = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("who watches it")
    )
    review_on = models.DateField(_("looked at again by"))
    state = models.CharField(
        _("state"), max_length=8, choices=State, default=State.WATCHED
    )
    kpi = models.CharField(_("figure that warns"), max_length=40, blank=True)
    line = models.DecimalField(
        _("warning line"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("On the bad side of it, its owner is warned."),
    )
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)

    objects = RiskQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                name="risk_matrix",
                condition=Q(likelihood__range=(1, 5), impact__range=(1, 5)),
            ),
            models.CheckConstraint(
                name="risk_line",
                condition=Q(kpi="", line=None) | ~Q(kpi="") & Q(line__isnull=False),
                violation_error_message=_(
                    "A figure that warns has a line, and a line a figure."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("risk:risk", args=[self.pk])

    @property
    def weight(self) -> int:
        """Likelihood times impact, 1 to 25."""
        return self.likelihood * self.impact


class Warning(models.Model):
    """A figure on the bad side of a risk's line in a period; kept as it was then."""

    risk = models.ForeignKey(Risk, models.CASCADE, related_name="warnings")
    period = models.CharField(max_length=20)  # "2026-10", as it is written
    first = models.DateField()
    value = models.DecimalField(max_digits=14, decimal_places=4)
    line = models.DecimalField(max_digits=12, decimal_places=2)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-first"]
        constraints = [
            models.UniqueConstraint(name="risk_warning_once", fields=["risk", "first"])
        ]

    def __str__(self) -> str:
        return f"{self.risk} {self.period}"


class Contact(models.Model):
    """Whom an emergency plan names (R-RSK-08)."""

    document = models.ForeignKey(Document, models.CASCADE, related_name="contacts")
    name = models.CharField(_("name"), max_length=60)
    duty = models.CharField(_("duty"), max_length=80)
    phone = EncryptedText(_("phone"))

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


class Drill(models.Model):
    """A practice of an emergency plan."""

    document = models.ForeignKey(Document, models.CASCADE, related_name="drills")
    held_on = models.DateField(_("day"))
    scenario = models.CharField(_("scenario"), max_length=200)
    people = models.PositiveSmallIntegerField(_("people"))
    minutes = models.PositiveSmallIntegerField(_("minutes until under control"))
    lessons = models.TextField(_("lessons"), max_length=2000)
    noted_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-held_on", "-pk"]

    def __str__(self) -> str:
        return f"{self.document} {self.held_on}"


class IncidentQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """One's own; supervisors also those here, above and below."""
        return Q(leader=user) | Q(made_by=user) | reaching(user, Role.SUPERVISOR)


class Incident(models.Model):
    """An emergency on a clock: who leads, what was done when, who had to be told by when
    (R-RSK-15). `noticed_at` starts the clocks."""

    class Grade(models.TextChoices):
        MINOR = "minor", pgettext_lazy("incident", "Ordinary")
        LARGE = "large", pgettext_lazy("incident", "Large")
        MAJOR = "major", pgettext_lazy("incident", "Major")

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("incident", "Open")
        CONTAINED = "contained", pgettext_lazy("incident", "Under control")
        CLOSED = "closed", pgettext_lazy("incident", "Closed")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    grade = models.CharField(_("grade"), max_length=5, choices=Grade)
    title = models.CharField(_("what happened"), max_length=120)
    text = models.TextField(_("what is known"), max_length=4000)
    plan = models.ForeignKey(
        Document,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("emergency plan"),
    )
    noticed_at = models.DateTimeField(_("noticed at"))
    leader = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("who leads")
    )
    state = models.CharField(max_length=9, choices=State, default=State.OPEN)
    contained_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    cause = models.TextField(_("cause and lessons"), max_length=4000, blank=True)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    objects = IncidentQuerySet.as_manager()

    class Meta:
        ordering = ["-noticed_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="incident_states",
                condition=Q(state="open", contained_at=None, closed_at=None)
                | Q(state="contained", contained_at__isnull=False, closed_at=None)
                | Q(state="closed", contained_at__isnull=False, closed_at__isnull=False)
                & ~Q(cause=""),
            ),
            models.CheckConstraint(
                name="incident_forward",
                condition=Q(contained_at=None) | Q(contained_at__gte=F("noticed_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("risk:incident", args=[self.pk])


class Duty(models.Model):
    """Whom an incident must be told to, by when; and when it was."""

    class Whom(models.TextChoices):
        LEADERS = "leaders", _("Leaders of the office above")
        POSTAL = "postal", _("Local postal administration")
        NETWORK = "network", _("Cyberspace administration of the province")
        PERSONS = "persons", _("Persons concerned")

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="duties")
    whom = models.CharField(max_length=8, choices=Whom)
    rule = models.CharField(max_length=120)  # where the time comes from
    due_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True)
    told_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    how = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["due_at", "pk"]
        constraints = [
            models.UniqueConstraint(name="incident_duty", fields=["incident", "whom"])
        ]

    def __str__(self) -> str:
        return f"{self.incident_id} {self.whom}"


class Entry(models.Model):
    """A line of an incident's log: never changed."""

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="log")
    at = models.DateTimeField()
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    text = models.CharField(max_length=1000)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return self.text
