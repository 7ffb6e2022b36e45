"""The monthly assessment: what was found of people, teams, units and leaders, and what it
is to cost; a proposal that people object to, rule on and sign.

Sources: domain.md 7.2, 10; R-KPI-01, 04…12, 26…28.
"""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office
from delivery.models import Improvement

PERCENT = [MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(100))]


class Source(models.TextChoices):
    FAULT = "fault", _("Fault found in a work order")
    DUTY = "duty", _("Duty failed in a work order")
    PASSING = "passing", _("Buck-passing")
    QUALITY = "quality", _("Quality check below the line")
    INSPECTION = "inspection", _("Inspection point not as expected")
    REGULATOR = "regulator", _("Verified case of the regulator")


class Whom(models.TextChoices):
    PERSON = "person", pgettext_lazy("assessment", "Person")
    TEAM = "team", pgettext_lazy("assessment", "Team")
    UNIT = "unit", pgettext_lazy("assessment", "Unit")
    LEADER = "leader", pgettext_lazy("assessment", "Leader")


class AssessmentRule(models.Model):
    """What a finding of a kind costs whom, in percent of the month's performance pay."""

    source = models.CharField(max_length=10, choices=Source)
    whom = models.CharField(max_length=6, choices=Whom)
    percent = models.DecimalField(
        _("percent of performance pay"),
        max_digits=5,
        decimal_places=2,
        validators=PERCENT,
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                name="assessment_rule_once", fields=["source", "whom"]
            ),
            models.CheckConstraint(
                name="assessment_rule_percent",
                condition=Q(percent__gte=0, percent__lte=100),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.whom}: {self.percent} %"


class SheetQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Supervisors those of their offices; finance what was signed for it."""
        signed = Q(state=AssessmentSheet.State.SIGNED)
        return subtree(user, "supervisor") | subtree(user, "finance") & signed


class AssessmentSheet(models.Model):
    """The assessment of an office and all below it for a month; deducted from the pay of
    the month after (R-KPI-09)."""

    class State(models.TextChoices):
        PROPOSED = "proposed", pgettext_lazy("assessment", "Proposed")
        SIGNED = "signed", pgettext_lazy("assessment", "Signed off")
        DROPPED = "dropped", pgettext_lazy("assessment", "Dropped")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    month = models.DateField(_("month"))  # its first day
    payroll_month = models.DateField()
    object_until = models.DateField()
    state = models.CharField(max_length=8, choices=State, default=State.PROPOSED)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    signed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    signed_at = models.DateTimeField(null=True)
    exported_at = models.DateTimeField(null=True)

    objects = SheetQuerySet.as_manager()

    class Meta:
        ordering = ["-month", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="assessment_sheet_once",
                fields=["office", "month"],
                condition=~Q(state="dropped"),
            ),
            models.CheckConstraint(
                name="assessment_sheet_four_eyes",
                condition=Q(signed_by=None) | ~Q(signed_by=F("made_by")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.office} {self.month:%Y-%m}"

    def get_absolute_url(self) -> str:
        return reverse("dashboards:assessment", args=[self.pk])


class LineQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Supervisors those of their offices; everybody their own."""
        return subtree(user, "supervisor") | Q(user=user)


class AssessmentLine(models.Model):
    """One finding and whom it costs how much: never without words and a way to the
    evidence."""

    class Direction(models.TextChoices):
        VERTICAL = "vertical", pgettext_lazy("assessment", "Vertical")
        HORIZONTAL = "horizontal", pgettext_lazy("assessment", "Horizontal")
        EXTERNAL = "external", pgettext_lazy("assessment", "External")

    class State(models.TextChoices):
        STANDS = "stands", pgettext_lazy("finding", "Stands")
        OBJECTED = "objected", pgettext_lazy("finding", "Objected to")
        UPHELD = "upheld", pgettext_lazy("finding", "Upheld")
        LIFTED = "lifted", pgettext_lazy("finding", "Lifted")

    sheet = models.ForeignKey(AssessmentSheet, models.CASCADE, related_name="lines")
    source = models.CharField(max_length=10, choices=Source)
    key = models.CharField(max_length=60)  # "finding:17", what it was read from
    direction = models.CharField(max_length=10, choices=Direction)
    whom = models.CharField(max_length=6, choices=Whom)
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    team = models.CharField(max_length=40, blank=True)
    percent = models.DecimalField(max_digits=5, decimal_places=2)
    words = models.CharField(max_length=300)
    url = models.CharField(max_length=200)
    found_on = models.DateField()
    state = models.CharField(max_length=8, choices=State, default=State.STANDS)
    objection = models.CharField(max_length=300, blank=True)
    objected_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    ruling = models.CharField(max_length=300, blank=True)
    ruled_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    improvement = models.OneToOneField(
        Improvement, models.SET_NULL, null=True, related_name="+"
    )  # how a key item is managed

    objects = LineQuerySet.as_manager()

    class Meta:
        ordering = ["office__path", "whom", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="assessment_line_once", fields=["sheet", "key", "whom"]
            ),
            models.CheckConstraint(
                name="assessment_line_evidence",
                condition=~Q(words="") & ~Q(url=""),
            ),
            models.CheckConstraint(
                name="assessment_line_percent",
                condition=Q(percent__gte=0, percent__lte=100),
            ),
            models.CheckConstraint(
                name="assessment_line_person",
                condition=~Q(whom="person") | Q(user__isnull=False),
            ),
            models.CheckConstraint(
                name="assessment_line_other_judge",
                condition=Q(ruled_by=None) | ~Q(ruled_by=F("objected_by")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.whom}"

    @property
    def counts(self) -> bool:
        return self.state in (self.State.STANDS, self.State.UPHELD)

    @property
    def is_key_item(self) -> bool:
        """Errors of quality are managed besides being paid for (R-KPI-07)."""
        return self.source == Source.QUALITY
