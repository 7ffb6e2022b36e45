"""Grading: schemes, runs, what a run found for each customer, and the grade in force."""

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, reaching
from crm.org.models import Office
from customers import grading
from customers.models.customer import Customer


class OfficeBound(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Supervisors see what is made for their offices, and what holds for them."""
        return reaching(user, "supervisor")


class GradeScheme(models.Model):
    """A version of a grading scheme (R-GRD-02). A draft may be edited; once a run has been
    made with it, it never changes: a change is the next version."""

    class Cycle(models.TextChoices):
        QUARTER = "quarter", _("Quarter")
        HALF_YEAR = "half_year", _("Half-year")
        YEAR = "year", _("Year")

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("scheme", "Draft")
        ACTIVE = "active", pgettext_lazy("scheme", "In force")
        RETIRED = "retired", pgettext_lazy("scheme", "Retired")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    name = models.CharField(_("name"), max_length=60)
    version = models.PositiveIntegerField(default=1, editable=False)
    cycle = models.CharField(
        _("cycle"), max_length=9, choices=Cycle, default=Cycle.QUARTER
    )
    product = models.CharField(
        _("product line"),
        max_length=40,
        blank=True,
        help_text=_("As in the usage ledger; empty for all products."),
    )
    valid_from = models.DateField(_("valid from"))
    state = models.CharField(
        max_length=7, choices=State, default=State.DRAFT, editable=False
    )
    rules = models.JSONField(editable=False)
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    objects = OfficeBound.as_manager()

    class Meta:
        ordering = ["name", "-version"]
        constraints = [
            models.UniqueConstraint(
                name="grade_scheme_once", fields=["office", "name", "version"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    def get_absolute_url(self) -> str:
        return reverse("customers:scheme", args=[self.pk])

    def parsed(self) -> grading.Rules:
        return grading.from_json(self.rules)


class GradeRun(models.Model):
    """One assessment of an office's customers: draft → computed → proposed → approved →
    published. Its rules and inputs are frozen; nobody's grade changes before the last."""

    class State(models.TextChoices):
        COMPUTING = "computing", pgettext_lazy("run", "Being computed")
        COMPUTED = "computed", pgettext_lazy("run", "Computed")
        PROPOSED = "proposed", pgettext_lazy("run", "Proposed")
        APPROVED = "approved", pgettext_lazy("run", "Approved")
        PUBLISHED = "published", pgettext_lazy("run", "Published")
        CANCELLED = "cancelled", pgettext_lazy("run", "Cancelled")

    scheme = models.ForeignKey(GradeScheme, models.PROTECT, related_name="runs")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    until = models.DateField(_("last day"))
    state = models.CharField(max_length=9, choices=State, default=State.COMPUTING)
    before = models.ForeignKey(
        "self", models.SET_NULL, null=True, related_name="+"
    )  # the published run that grades are held from
    shards = models.PositiveIntegerField(default=0)
    shards_done = models.PositiveIntegerField(default=0)
    customers = models.PositiveIntegerField(default=0)
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    proposed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    approved_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    published_at = models.DateTimeField(null=True)

    objects = OfficeBound.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                name="grade_run_once",
                fields=["scheme", "office", "until"],
                condition=~Q(state="cancelled"),
            ),
            models.CheckConstraint(
                name="grade_run_second_person",
                condition=Q(approved_by=None) | ~Q(approved_by=F("proposed_by")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scheme} {self.until}"

    def get_absolute_url(self) -> str:
        return reverse("customers:grade_run", args=[self.pk])


class GradeAssessment(models.Model):
    """What one run found for one customer: inputs, points, and the rule that decided.

    Exactly one a run and customer. Grades are codes of the scheme. No foreign key checks
    in the database: a run writes a million of them.
    """

    pk: Any = models.CompositePrimaryKey("run_id", "customer_id")
    run = models.ForeignKey(
        GradeRun,
        models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="assessments",
    )
    customer = models.ForeignKey(
        Customer, models.CASCADE, db_constraint=False, related_name="assessments"
    )
    amount = models.DecimalField(max_digits=16, decimal_places=2)
    share = models.FloatField()
    margin = models.FloatField()
    arrears_days = models.IntegerField()
    credit_days = models.IntegerField()
    months = models.SmallIntegerField()
    strategic_class = models.CharField(max_length=14, blank=True)
    is_headquarters = models.BooleanField(default=False)
    place = models.IntegerField()
    thresholds = models.JSONField(null=True)  # where the office has its own
    revenue_points = models.SmallIntegerField()
    profit_points = models.SmallIntegerField()
    credit_points = models.SmallIntegerField()
    payment_points = models.SmallIntegerField()
    brand_points = models.SmallIntegerField()
    loyalty_points = models.SmallIntegerField()
    score = models.DecimalField(max_digits=5, decimal_places=2)
    by_amount = models.SmallIntegerField()
    by_score = models.SmallIntegerField()
    computed = models.CharField(max_length=12)
    held = models.CharField(max_length=12, blank=True)
    held_below = models.SmallIntegerField(default=0)
    below = models.SmallIntegerField()
    grade = models.CharField(max_length=12)
    rule = models.CharField(max_length=10)
    was = models.CharField(max_length=12, blank=True)  # in force when it was computed
    move = models.CharField(max_length=4)  # of GradeTally.Move

    class Meta:
        indexes = [
            models.Index(
                fields=["run", "-amount", "-customer"], name="assessment_amount"
            )
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.customer_id} {self.grade}"


class GradeTally(models.Model):
    """How many customers of an office a run leads from one grade to another."""

    class Move(models.TextChoices):
        UP = "up", _("Rising")
        DOWN = "down", _("Falling")
        NEW = "new", _("First grade")
        SAME = "same", _("Stays")

    run = models.ForeignKey(GradeRun, models.CASCADE, related_name="tallies")
    office = models.ForeignKey(Office, models.CASCADE, related_name="+")
    was = models.CharField(max_length=12, blank=True)
    grade = models.CharField(max_length=12)
    move = models.CharField(max_length=4, choices=Move)
    customers = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="grade_tally_once", fields=["run", "office", "was", "grade"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.was}→{self.grade}"


class CustomerGrade(models.Model):
    """The grade in force. Written only when it changes; `override` says that a person has
    set it, `run_grade` what the last run would give."""

    customer = models.OneToOneField(
        Customer, models.CASCADE, primary_key=True, related_name="grade"
    )
    run = models.ForeignKey(GradeRun, models.PROTECT, null=True, related_name="+")
    code = models.CharField(max_length=12)
    name = models.CharField(max_length=20)
    rank = models.SmallIntegerField()
    benefits = models.JSONField(default=list)
    run_code = models.CharField(max_length=12, blank=True)
    since = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["code", "customer"], name="customer_grade_code")
        ]

    def __str__(self) -> str:
        return self.name


class GradeOverride(models.Model):
    """A grade set by hand: reason, a second person's approval, an end. Runs leave it alone."""

    class State(models.TextChoices):
        ASKED = "asked", pgettext_lazy("override", "Waits for approval")
        APPROVED = "approved", pgettext_lazy("override", "In force")
        REFUSED = "refused", pgettext_lazy("override", "Refused")
        ENDED = "ended", pgettext_lazy("override", "Ended")

    customer = models.ForeignKey(
        Customer, models.CASCADE, related_name="grade_overrides"
    )
    code = models.CharField(_("grade"), max_length=12)
    reason = models.CharField(_("reason"), max_length=200)
    until = models.DateField(_("until"))
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(auto_now_add=True)
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                name="grade_override_one",
                fields=["customer"],
                condition=Q(state__in=["asked", "approved"]),
            ),
            models.CheckConstraint(
                name="grade_override_second_person",
                condition=Q(decided_by=None) | ~Q(decided_by=F("asked_by")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.code}"


class GradeChange(models.Model):
    """A customer's way from one grade to another: by a run, or by an override."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="grade_changes")
    at = models.DateTimeField()
    before = models.CharField(max_length=20, blank=True)  # names, as people saw them
    after = models.CharField(max_length=20)
    run = models.ForeignKey(GradeRun, models.SET_NULL, null=True, related_name="+")
    override = models.ForeignKey(
        GradeOverride, models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.before}→{self.after}"
