"""What watches over customers: trends, rules, alerts, the months of key customers."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q, Value
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office
from customers.models import choices
from customers.models.customer import Customer
from customers.models.grading import OfficeBound


class CustomerTrend(models.Model):
    """A customer's usage in the last whole month beside what it is compared with.

    `base` is last year's same days, by the lunar calendar where the Spring Festival moves
    them (customers.seasons); `recent` are three months up to this one, `before` the three ahead
    of them. Merged customers count as their survivor. Written only where it changes.
    """

    customer = models.OneToOneField(
        Customer, models.CASCADE, primary_key=True, related_name="trend"
    )
    month = models.DateField()  # its first day
    pieces = models.BigIntegerField()
    previous_pieces = models.BigIntegerField()
    base_pieces = models.BigIntegerField()
    revenue = models.DecimalField(max_digits=16, decimal_places=2)
    previous = models.DecimalField(max_digits=16, decimal_places=2)
    base = models.DecimalField(max_digits=16, decimal_places=2)
    recent = models.DecimalField(max_digits=16, decimal_places=2)
    recent_base = models.DecimalField(max_digits=16, decimal_places=2)
    before = models.DecimalField(max_digits=16, decimal_places=2)

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.revenue}"


class WatchRule(models.Model):
    """When a customer needs somebody's eye; holds for an office and those below it.

    Of rules of the same kind, level and rhythm the nearest office's holds. Sources:
    domain.md 5.4 and 5.5; R-GRD-13.
    """

    class Kind(models.TextChoices):
        YEAR = "year", _("Month below the same month last year")
        QUARTER_YEAR = "quarter_year", _("Three months below the same last year")
        QUARTER = "quarter", _("Three months below the three before")
        MONTH = "month", _("Month below the month before")
        SILENT = "silent", _("Nothing sent for days")
        ALIVE = "alive", _("Likely to have left, by the value model")
        CONTRACT = "contract", _("Contract ended without another")
        GRADE = "grade", _("Grade has fallen")
        COMPLAINT = "complaint", _("Complaint opened again")
        ARREARS = "arrears", _("In arrears for days")
        CONTACT = "contact", _("No contact for days")

    class Level(models.IntegerChoices):
        YELLOW = 1, pgettext_lazy("alert", "Yellow")
        ORANGE = 2, pgettext_lazy("alert", "Orange")
        RED = 3, pgettext_lazy("alert", "Red")
        CHURNED = 4, pgettext_lazy("alert", "Probably gone")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    NEEDS_PERCENT = (Kind.YEAR, Kind.QUARTER_YEAR, Kind.QUARTER, Kind.MONTH, Kind.ALIVE)
    NEEDS_DAYS = (
        *(Kind.SILENT, Kind.CONTRACT, Kind.GRADE, Kind.ARREARS, Kind.CONTACT),
    )

    level = models.PositiveSmallIntegerField(_("level"), choices=Level)
    percent = models.PositiveSmallIntegerField(_("percent"), null=True, blank=True)
    days = models.PositiveSmallIntegerField(_("days"), null=True, blank=True)
    at_least = models.DecimalField(
        _("at least so many yuan"), max_digits=12, decimal_places=2, default=0
    )
    often = models.PositiveSmallIntegerField(
        _("posting days in twelve months, at least"), default=0
    )
    segments = ArrayField(
        models.CharField(max_length=10, choices=choices.Segment),
        verbose_name=_("segments"),
        default=list,
    )
    task_days = models.PositiveSmallIntegerField(_("working days to answer"), default=3)
    is_on = models.BooleanField(_("in force"), default=True)
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = OfficeBound.as_manager()

    class Meta:
        ordering = ["kind", "level", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="watch_rule_once",
                fields=["office", "kind", "level", "often"],
                violation_error_message=_(
                    "This office has such a rule: same kind, level and posting days."
                ),
            ),
            models.CheckConstraint(
                name="watch_rule_percent",
                condition=Q(percent__range=(1, 100))
                | Q(percent=None)
                & ~Q(kind__in=["year", "quarter_year", "quarter", "month", "alive"]),
            ),
            models.CheckConstraint(
                name="watch_rule_days",
                condition=Q(days__range=(1, 730))
                | Q(days=None)
                & ~Q(kind__in=["silent", "contract", "grade", "arrears", "contact"]),
            ),
            models.CheckConstraint(
                name="watch_rule_numbers",
                condition=Q(
                    at_least__gte=0, often__range=(0, 366), task_days__range=(1, 60)
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.get_level_display()})"


class AlertQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Managers see those of their own customers and those given to them, supervisors
        those of their offices."""
        own = Q(customer__manager=user) | Q(customer__assistant=user) | Q(owner=user)
        office = "customer__office"
        mine = own & subtree(user, "manager", lookup=office)
        return mine | subtree(user, "supervisor", lookup=office)

    def visible_to(self, user: User) -> Self:
        """Without those that a merged record kept: they were closed with it."""
        return super().visible_to(user).filter(customer__merged_into=None)


class Alert(models.Model):
    """A rule has struck for a customer: with evidence, an owner, a task and an outcome.

    Once for each `episode` (the month, the last day of use, the contract, the run). While
    one is open the same rule raises no other; a higher one of its family takes over.
    """

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("alert", "Open")
        TAKEN = "taken", pgettext_lazy("alert", "In hand")
        CLOSED = "closed", pgettext_lazy("alert", "Closed")

    class Outcome(models.TextChoices):
        KEPT = "kept", pgettext_lazy("alert", "Stays with us")
        SETTLED = "settled", pgettext_lazy("alert", "Paid, renewed or put right")
        LOST = "lost", pgettext_lazy("alert", "Lost")
        FALSE = "false", pgettext_lazy("alert", "False alarm")
        RECOVERED = "recovered", pgettext_lazy("alert", "Passed by itself")
        OVERTAKEN = "overtaken", pgettext_lazy("alert", "A graver one took over")

    GRAVE = WatchRule.Level.ORANGE  # and above: shown as urgent
    BY_HAND = (Outcome.KEPT, Outcome.SETTLED, Outcome.LOST, Outcome.FALSE)

    rule = models.ForeignKey(WatchRule, models.PROTECT, related_name="alerts")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="alerts")
    level = models.PositiveSmallIntegerField(choices=WatchRule.Level)
    rank = models.GeneratedField(
        expression=Value(4) - F("level"),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )  # the gravest first, in the order of the days that follow it
    episode = models.CharField(max_length=60)
    evidence = models.JSONField(default=dict)
    raised_at = models.DateTimeField()
    due_on = models.DateField()
    owner = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=6, choices=State, default=State.OPEN)
    outcome = models.CharField(max_length=9, blank=True, choices=Outcome)
    note = models.CharField(max_length=300, blank=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["rank", "due_on", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="alert_once", fields=["rule", "customer", "episode"]
            ),
            models.UniqueConstraint(
                name="alert_one_open",
                fields=["rule", "customer"],
                condition=~Q(state="closed"),
            ),
            models.CheckConstraint(
                name="alert_closed_with_outcome",
                condition=Q(state="closed", closed_at__isnull=False) & ~Q(outcome="")
                | ~Q(state="closed") & Q(outcome="", closed_at=None),
            ),
        ]
        indexes = [
            models.Index(
                fields=["rank", "due_on", "id"],
                name="alert_open",
                condition=~Q(state="closed"),
            ),
            models.Index(
                fields=["rank", "due_on", "id"],
                name="alert_closed",
                condition=Q(state="closed"),
            ),
            models.Index(fields=["rule", "outcome"], name="alert_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.customer_id}"

    def get_absolute_url(self) -> str:
        return reverse("customers:alert", args=[self.pk])

    @property
    def ref(self) -> str:
        return f"A-{self.pk}"

    @property
    def source(self) -> str:
        """The key of its task and of its line on the timeline."""
        return f"alert:{self.pk}"


class AlertReport(models.Model):
    """A word about an alert between levels: a city reports it upwards, the province that
    tracks it answers (R-ORG-27)."""

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="reports")
    is_from_above = models.BooleanField(default=False)
    office = models.ForeignKey(
        Office, models.PROTECT, null=True, related_name="+"
    )  # whose supervisors were told; none for a word from above
    text = models.CharField(max_length=500)
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.CheckConstraint(
                name="alert_report_to",
                condition=Q(is_from_above=True, office=None)
                | Q(is_from_above=False, office__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} {self.text[:40]}"


class KeyMonth(models.Model):
    """A key contract customer in a month: who belonged, and what was sent (R-GRD-11, 12).

    Frozen ten days after the month: movements are differences between two months' rows.
    """

    month = models.DateField()
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    pieces = models.BigIntegerField()
    revenue = models.DecimalField(max_digits=16, decimal_places=2)
    base_pieces = models.BigIntegerField()  # last year, by the lunar calendar
    base_revenue = models.DecimalField(max_digits=16, decimal_places=2)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="key_month_once", fields=["month", "customer"])
        ]
        indexes = [
            models.Index(fields=["month", "-revenue", "-id"], name="key_month_revenue")
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.customer_id}"


class ServiceEffect(models.Model):
    """Customers of an office by what was done for them in a month, and who stayed (R-GRD-28).

    `customers` sent something in the three months before, `stayed` also in the three
    after. `band` is the fifth (1 to 5) by revenue before among the prefecture's, so that
    served and unserved customers of the same size can be set side by side.
    """

    class Action(models.TextChoices):
        NONE = "none", _("Nothing")
        ALERT = "alert", _("Alert answered")
        COMPLAINT = "complaint", _("Complaint settled")
        TASK = "task", _("Task done")

    month = models.DateField()
    office = models.ForeignKey(Office, models.CASCADE, related_name="+")
    action = models.CharField(max_length=9, choices=Action)
    band = models.PositiveSmallIntegerField()
    customers = models.PositiveIntegerField()
    stayed = models.PositiveIntegerField()
    before = models.DecimalField(max_digits=18, decimal_places=2)
    after = models.DecimalField(max_digits=18, decimal_places=2)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="service_effect_once",
                fields=["month", "office", "action", "band"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.action}"


class Forecast(models.Model):
    """Pieces of an office's own customers, a product and a month (R-GRD-26).

    A month that has passed keeps what was said of it a month ahead, what came, and what
    last year's same calendar month would have said: their distances are the back-test.
    """

    office = models.ForeignKey(Office, models.CASCADE, related_name="+")
    product = models.CharField(max_length=40)
    month = models.DateField()  # its first day
    pieces = models.FloatField()
    naive = models.FloatField(null=True)
    actual = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="forecast_once", fields=["office", "product", "month"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.product} {self.pieces:.0f}"
