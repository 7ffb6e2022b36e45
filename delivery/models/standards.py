"""What is promised: limits by product and relation, and the days that are worked.

Sources: domain.md 2.3 (GB/T 27917.2, YZ/T 0129), 3.3; R-DLV-14.
"""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Func, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from delivery.models.items import Relation

PERCENT = [MinValueValidator(0), MaxValueValidator(100)]


class DeliveryStandard(models.Model):
    """How long items of a product and relation may take, from a day on.

    The most particular one holds: product and relation, product, relation, neither.
    """

    class Mode(models.TextChoices):
        """Three ways of counting transit time are in use (domain.md 1.10)."""

        CALENDAR = "calendar", _("Calendar days")
        WORKING = "working", _("Working days, J+n")
        HOURS = "hours", _("Hours")

    product = models.CharField(
        _("product"), max_length=20, blank=True, help_text=_("Empty: every product.")
    )
    relation = models.CharField(
        _("relation"), max_length=13, choices=Relation, blank=True
    )
    valid_from = models.DateField(_("valid from"))
    valid_until = models.DateField(_("valid until"), null=True, blank=True)
    mode = models.CharField(_("counted in"), max_length=8, choices=Mode)
    limit = models.PositiveSmallIntegerField(
        _("promised limit"),
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=_("Days or hours, as counted."),
    )
    cut_off = models.TimeField(
        _("last collection"),
        null=True,
        blank=True,
        help_text=_("Working days: what is accepted later counts from the next one."),
    )
    first_days = models.PositiveSmallIntegerField(
        _("first step, days"), null=True, blank=True, validators=[MaxValueValidator(60)]
    )
    first_share = models.DecimalField(
        _("at least, %"), max_digits=5, decimal_places=2, default=70, validators=PERCENT
    )
    max_days = models.PositiveSmallIntegerField(
        _("second step, days"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(60)],
    )
    max_share = models.DecimalField(
        _("at least, %"), max_digits=5, decimal_places=2, default=90, validators=PERCENT
    )
    lost_days = models.PositiveSmallIntegerField(
        _("complete delay after, days"),
        default=7,
        validators=[MinValueValidator(1), MaxValueValidator(90)],
        help_text=_("From the limit on, until an item may be treated as lost."),
    )
    target = models.DecimalField(
        _("target on time, %"),
        max_digits=5,
        decimal_places=2,
        default=90,
        validators=PERCENT,
    )
    attempts = models.PositiveSmallIntegerField(
        _("attempts at least"),
        default=2,
        validators=[MinValueValidator(1), MaxValueValidator(5)],
    )
    gap_hours = models.PositiveSmallIntegerField(
        _("hours between attempts"), default=8, validators=[MaxValueValidator(72)]
    )
    opens = models.TimeField(_("attempts from"), default="08:00")
    closes = models.TimeField(_("attempts until"), default="20:00")
    source = models.CharField(_("source of the rule"), max_length=120, blank=True)
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["product", "relation", "valid_from"]
        constraints = [
            models.CheckConstraint(
                name="standard_forward",
                condition=Q(valid_until=None) | Q(valid_until__gte=F("valid_from")),
            ),
            models.CheckConstraint(
                name="standard_numbers",
                condition=Q(limit__range=(1, 1000), lost_days__range=(1, 90))
                & Q(target__range=(0, 100), attempts__range=(1, 5))
                & Q(first_share__range=(0, 100), max_share__range=(0, 100)),
            ),
            models.CheckConstraint(
                name="standard_steps",
                condition=Q(first_days=None, max_days=None)
                | Q(first_days__isnull=False, max_days__gte=F("first_days")),
            ),
            models.CheckConstraint(
                name="standard_window", condition=Q(closes__gt=F("opens"))
            ),
            ExclusionConstraint(
                name="standard_one_at_a_time",
                expressions=[
                    ("product", RangeOperators.EQUAL),
                    ("relation", RangeOperators.EQUAL),
                    (
                        Func(
                            "valid_from",
                            "valid_until",
                            models.Value("[]"),
                            function="daterange",
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]

    def __str__(self) -> str:
        name = " · ".join(
            str(part) for part in (self.product, self.relation_name) if part
        )
        return name or str(_("Everything else"))

    def get_absolute_url(self) -> str:
        return reverse("quality:standard", args=[self.pk])

    @property
    def relation_name(self) -> str:
        return str(Relation(self.relation).label) if self.relation else ""


class WorkDay(models.Model):
    """How many working days there were up to a day: the calendar as a number, for SQL."""

    day = models.DateField(primary_key=True)
    ordinal = models.IntegerField()
    is_worked = models.BooleanField()

    class Meta:
        indexes = [
            models.Index(
                name="workday_ordinal", fields=["ordinal"], condition=Q(is_worked=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.ordinal}"


class PremiumRoute(models.Model):
    """A route that is watched by itself (精品路线): R-DLV-09, R-DLV-13."""

    name = models.CharField(_("name"), max_length=60, blank=True)
    from_region = models.CharField(pgettext_lazy("route", "from"), max_length=40)
    to_region = models.CharField(pgettext_lazy("route", "to"), max_length=40)
    target = models.DecimalField(
        _("target on time, %"),
        max_digits=5,
        decimal_places=2,
        default=95,
        validators=PERCENT,
    )
    most_cv = models.DecimalField(
        _("coefficient of variation at most"),
        max_digits=4,
        decimal_places=2,
        default="0.50",
        validators=[MinValueValidator(0), MaxValueValidator(5)],
    )
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["from_region", "to_region"]
        constraints = [
            models.UniqueConstraint(
                name="premium_route_once", fields=["from_region", "to_region"]
            ),
            models.CheckConstraint(
                name="premium_route_numbers",
                condition=Q(target__range=(0, 100), most_cv__range=(0, 5)),
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.from_region} → {self.to_region}"
