"""Pickup orders, their sums by day, and the assessment that hangs on them.

Sources: domain.md 3.3, 7.1; R-DLV-10, R-KPI-15 to 22.
"""

from collections.abc import Collection
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office
from delivery.models.standards import PERCENT

DAYS_TAKEN = _("Some of these days have a sheet already: drop it first.")
PICKUP_TARGET = Decimal("90.00")  # R-KPI-16: the headquarters' requirement
PICKUP_EXCELLENT = Decimal("95.00")  # R-KPI-17
PICKUP_DEDUCTION_PER_POINT = Decimal("1.00")  # R-KPI-19, R-KPI-21


class PickupQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return subtree(user, "supervisor", "agent", "handler", "inspector")


class PickupOrder(models.Model):
    """An order to collect: promised until when, what came of it, what the customer says.

    The customer's word, asked by a follow-up call, goes before the courier's record: the
    rate was always measured by calling back every order (seed 001).
    """

    class Outcome(models.TextChoices):
        AWAITED = "awaited", pgettext_lazy("pickup", "Open")
        COLLECTED = "collected", _("Collected")
        FAILED = "failed", pgettext_lazy("pickup", "Failed")
        CANCELLED = "cancelled", _("Cancelled by the customer")

    ref = models.CharField(_("order"), max_length=40, unique=True)
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    ordered_at = models.DateTimeField(null=True)
    promised_from = models.DateTimeField(null=True)
    promised_by = models.DateTimeField()
    due_on = models.DateField()  # the local day of promised_by
    outcome = models.CharField(max_length=9, choices=Outcome, default=Outcome.AWAITED)
    collected_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    said_in_time = models.BooleanField(null=True)  # by the follow-up call
    reason = models.CharField(max_length=100, blank=True)
    courier = models.CharField(max_length=40, blank=True)
    product = models.CharField(max_length=20, blank=True)
    customer_code = models.CharField(max_length=40, blank=True)
    version = models.SmallIntegerField(default=0)
    source_id = models.BigIntegerField(default=0)
    # Written by the loader: whether it counts, and whether it was in time.
    is_due = models.BooleanField(default=True)
    is_timely = models.BooleanField(default=False)

    objects = PickupQuerySet.as_manager()

    class Meta:
        ordering = ["due_on", "pk"]
        indexes = [
            models.Index(name="pickup_day", fields=["due_on", "office"]),
            models.Index(name="pickup_source", fields=["source_id"]),
        ]
        constraints = [
            models.CheckConstraint(
                name="pickup_timely_is_due",
                condition=Q(is_due=True) | Q(is_timely=False),
            )
        ]

    def __str__(self) -> str:
        return self.ref


class PickupTally(models.Model):
    """Sums of a day's orders by unit, rebuilt with every import that touches the day."""

    day = models.DateField()
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    due = models.IntegerField()
    timely = models.IntegerField()
    collected = models.IntegerField()
    called = models.IntegerField()  # of the due: the customer was asked
    cancelled = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="pickup_tally_once", fields=["day", "office"])
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.timely}/{self.due}"


class SheetQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Supervisors and finance at or above whose office it is; once it is signed, the
        supervisors of the units in it."""
        paths = [posting.office.path for posting in user.posts("supervisor")]
        inside = PickupLine.objects.filter(unit__path__in=paths).values("sheet")
        return subtree(user, "supervisor", "finance") | Q(
            state=PickupSheet.State.SIGNED, pk__in=inside
        )


class PickupSheet(models.Model):
    """A proposal for one month's deductions: the figures, then people decide.

    The settings stand in the sheet, so that what was signed can be read for ever.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed", _("Proposed")
        SIGNED = "signed", pgettext_lazy("sheet", "Signed off")
        DROPPED = "dropped", pgettext_lazy("sheet", "Dropped")

    class Rounding(models.TextChoices):
        PROPORTIONAL = "proportional", _("In proportion")
        STARTED = "started", _("Every started point")
        FULL = "full", _("Full points only")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    first = models.DateField(pgettext_lazy("sheet", "from"))
    last = models.DateField(pgettext_lazy("sheet", "to"))
    payroll_month = models.DateField()  # its first day: the month behind the last
    target = models.DecimalField(
        _("line, %"),
        max_digits=5,
        decimal_places=2,
        default=PICKUP_TARGET,
        validators=PERCENT,
    )
    excellent = models.DecimalField(
        _("excellent from, %"),
        max_digits=5,
        decimal_places=2,
        default=PICKUP_EXCELLENT,
        validators=PERCENT,
    )
    per_point = models.DecimalField(
        _("percent of pay a point"),
        max_digits=5,
        decimal_places=2,
        default=PICKUP_DEDUCTION_PER_POINT,
        validators=PERCENT,
    )
    rounding = models.CharField(
        _("points"), max_length=12, choices=Rounding, default=Rounding.PROPORTIONAL
    )
    cap = models.DecimalField(
        _("at most, % of pay"),
        max_digits=5,
        decimal_places=2,
        default=20,
        validators=PERCENT,
    )
    state = models.CharField(max_length=8, choices=State, default=State.PROPOSED)
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    signed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    signed_at = models.DateTimeField(null=True)
    exported_at = models.DateTimeField(null=True)

    objects = SheetQuerySet.as_manager()

    class Meta:
        ordering = ["-first", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="sheet_forward", condition=Q(last__gte=F("first"))
            ),
            models.CheckConstraint(
                name="sheet_numbers",
                condition=Q(
                    target__range=(0, 100),
                    excellent__range=(0, 100),
                    per_point__range=(0, 100),
                    cap__range=(0, 100),
                    excellent__gte=F("target"),
                ),
            ),
            # Four eyes: nobody signs what they proposed.
            models.CheckConstraint(
                name="sheet_other_signs",
                condition=Q(
                    state="signed", signed_by__isnull=False, signed_at__isnull=False
                )
                & (Q(made_by=None) | ~Q(signed_by=F("made_by")))
                | ~Q(state="signed"),
            ),
            # Nobody is deducted twice for one day.
            ExclusionConstraint(
                name="sheet_days_once",
                expressions=[
                    ("office", RangeOperators.EQUAL),
                    (
                        Func("first", "last", models.Value("[]"), function="daterange"),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                condition=~Q(state="dropped"),
                violation_error_message=DAYS_TAKEN,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.office} {self.first} – {self.last}"

    def get_absolute_url(self) -> str:
        return reverse("quality:sheet", args=[self.pk])

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """A form without the state would leave the days' constraint without its condition."""
        super().validate_constraints(exclude=set(exclude or ()) - {"state"})


class PickupLine(models.Model):
    """One unit of a sheet. `base` is the managers' performance pay that it is taken of."""

    class Standing(models.TextChoices):
        DEDUCTED = "deducted", _("Below the line")
        FREE = "free", _("Not assessed: at or above the line")
        FEW = "few", _("Not assessed: fewer than 30 orders")

    sheet = models.ForeignKey(PickupSheet, models.CASCADE, related_name="lines")
    unit = models.ForeignKey(Office, models.PROTECT, related_name="+")
    timely = models.IntegerField()
    due = models.IntegerField()
    called = models.IntegerField()
    standing = models.CharField(max_length=8, choices=Standing)
    is_excellent = models.BooleanField(default=False)
    percent = models.DecimalField(max_digits=5, decimal_places=2, default=0)
    base = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        validators=[MinValueValidator(0)],
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(name="sheet_line_once", fields=["sheet", "unit"]),
            models.CheckConstraint(
                name="sheet_line_adds_up",
                condition=Q(timely__gte=0, due__gte=F("timely"), called__gte=0)
                & (Q(standing="deducted") | Q(percent=0)),
            ),
            models.CheckConstraint(
                name="sheet_line_base", condition=Q(base=None) | Q(base__gte=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit} {self.timely}/{self.due}"

    @property
    def rate(self) -> float | None:
        return 100 * self.timely / self.due if self.due else None

    @property
    def amount(self) -> Decimal | None:
        """Yuan, to the cent; unknown as long as the base is."""
        if self.base is None:
            return None
        owed = self.base * self.percent / 100
        return owed.quantize(Decimal("0.01"), ROUND_HALF_UP)


def month_behind(day: date) -> date:
    """The first of the month after a day's: when it is taken off (R-KPI-22)."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
