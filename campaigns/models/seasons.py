"""The season, who belongs to it, and why somebody was lost.

Sources: domain.md 4, 5.4; R-CAM-04…09, 20, 21, 26, 29, 32, 34; R-ORG-01, 11.
"""

from datetime import date
from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, reaching, subtree
from crm.org.models import Office
from customers.models import Customer
from delivery.models import VisitPlan

PERCENT = [MinValueValidator(0), MaxValueValidator(1000)]


class SeasonQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Those of one's offices, and those above, which reach into them."""
        return reaching(user, "manager", "supervisor", "planner", "reviewer", "handler")


class Season(models.Model):
    """One greeting-card season of an office and all below it.

    Its orders are those of its days. `previous` is the season it is measured against: who
    ordered then is the base (R-CAM-06), frozen once `base_frozen_at` is set.
    """

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("season", "In preparation")
        ISSUED = "issued", pgettext_lazy("season", "Running")
        CLOSED = "closed", pgettext_lazy("season", "Closed")

    class Purpose(models.TextChoices):
        FESTIVAL = "festival", _("Festival greetings")
        THANKS = "thanks", _("Thanks to customers")
        PROMOTION = "promotion", _("Promotion")
        NOTICE = "notice", _("Notice or invitation")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    code = models.SlugField(_("code"), max_length=20, unique=True)
    name = models.CharField(_("name"), max_length=60)
    previous = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="followers",
        verbose_name=_("season before"),
        help_text=_("Who ordered then is whom this season has to keep."),
    )
    first_day = models.DateField(_("first day"))
    last_day = models.DateField(_("last day"))
    posting_on = models.DateField(
        _("main posting day"),
        null=True,
        blank=True,
        help_text=_("The timetable is counted back from it in working days."),
    )
    draw_on = models.DateField(_("day of the draw"), null=True, blank=True)
    purpose = models.CharField(
        _("purpose"), max_length=10, choices=Purpose, default=Purpose.FESTIVAL
    )
    content = models.CharField(
        _("what customers send"),
        max_length=120,
        blank=True,
        help_text=_("New Year greetings, annual reports, vouchers …"),
    )
    retention_target = models.DecimalField(
        _("target: kept, percent"),
        max_digits=5,
        decimal_places=2,
        default=Decimal("80.00"),
        validators=PERCENT,
    )
    new_target = models.DecimalField(
        _("target: new, percent of last season's customers"),
        max_digits=5,
        decimal_places=2,
        default=Decimal("50.00"),
        validators=PERCENT,
    )
    follow_up_target = models.DecimalField(
        _("target: followed up, percent"),
        max_digits=5,
        decimal_places=2,
        default=Decimal("100.00"),
        validators=PERCENT,
    )
    won_back_counts = models.BooleanField(
        _("customers won back count as new"), default=True
    )
    pre_visits_wanted = models.DecimalField(
        _("visited before it may be issued, percent"),
        max_digits=5,
        decimal_places=2,
        default=Decimal("100.00"),
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text=_(
            "Share of the visits of last season's customers that must be done."
        ),
    )
    revenue_target = models.DecimalField(
        _("target: revenue, yuan"),
        max_digits=14,
        decimal_places=2,
        null=True,
        blank=True,
    )
    customers_target = models.PositiveIntegerField(
        _("target: customers"), null=True, blank=True
    )
    share_target = models.DecimalField(
        _("target: market share, percent"),
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    slogan = models.CharField(
        _("slogan"),
        max_length=30,
        blank=True,
        help_text=_("Stands above the prize notices."),
    )  # R-CAM-27
    prize_digits = models.PositiveSmallIntegerField(
        _("digits of a prize code"),
        default=6,
        validators=[MinValueValidator(4), MaxValueValidator(12)],
    )
    state = models.CharField(max_length=6, choices=State, default=State.DRAFT)
    base_frozen_at = models.DateTimeField(null=True, editable=False)
    pre_plan = models.ForeignKey(
        VisitPlan, models.PROTECT, null=True, editable=False, related_name="+"
    )
    after_plan = models.ForeignKey(
        VisitPlan, models.PROTECT, null=True, editable=False, related_name="+"
    )
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )
    made_at = models.DateTimeField(auto_now_add=True)
    issued_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )
    issued_at = models.DateTimeField(null=True, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)

    objects = SeasonQuerySet.as_manager()

    class Meta:
        ordering = ["-first_day", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="season_forward",
                condition=Q(last_day__gte=F("first_day")),
                violation_error_message=_("The season ends before it begins."),
            ),
            models.CheckConstraint(
                name="season_posting",
                condition=Q(posting_on=None)
                | Q(posting_on__gte=F("first_day"), posting_on__lte=F("last_day")),
                violation_error_message=_("The posting day lies outside the season."),
            ),
            models.CheckConstraint(
                name="season_issued",
                condition=Q(issued_at=None) | ~Q(state="draft"),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("campaigns:season", args=[self.code])

    @property
    def is_open(self) -> bool:
        return self.state != Season.State.CLOSED

    def has_day(self, day: date) -> bool:
        return self.first_day <= day <= self.last_day


def of_customers(user: User, *roles: str) -> Q:
    """Rows with a customer: managers those of their own, `roles` those of their offices."""
    own = Q(customer__manager=user) | Q(customer__assistant=user)
    mine = own & subtree(user, "manager", lookup="customer__office")
    return mine | subtree(user, *roles, lookup="customer__office")


class SeasonMemberQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return of_customers(user, "supervisor", "planner")


class SeasonMember(models.Model):
    """A customer in a season, beyond its orders: of the frozen base, or led to by an event;
    why it was lost, what becomes of the cards left over, what the cards did for it.

    Whether it was kept, won or lost is read from the orders; satisfaction and stock left
    over from the reports of the season's visits; neither is stored here.
    """

    class Lost(models.TextChoices):
        PRICE = "price", pgettext_lazy("lost", "Price")
        BUDGET = "budget", pgettext_lazy("lost", "No budget")
        DIGITAL = "digital", pgettext_lazy("lost", "Greets electronically now")
        COMPETITOR = "competitor", pgettext_lazy("lost", "Went to a competitor")
        QUALITY = "quality", pgettext_lazy("lost", "Quality of cards or delivery")
        POLICY = "policy", pgettext_lazy("lost", "Rules on spending")
        CLOSED = "closed", pgettext_lazy("lost", "Closed down")
        STOCK = "stock", pgettext_lazy("lost", "Has cards left")
        OTHER = "other", pgettext_lazy("lost", "Other reason")

    season = models.ForeignKey(Season, models.CASCADE, related_name="members")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+")
    in_base = models.BooleanField(default=False)
    event = models.ForeignKey(
        "campaigns.MarketingEvent", models.SET_NULL, null=True, related_name="members"
    )
    lost = models.CharField(_("lost because"), max_length=10, choices=Lost, blank=True)
    lost_note = models.CharField(_("note"), max_length=200, blank=True)
    lost_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    proposal = models.CharField(
        _("proposal for them"), max_length=200, blank=True
    )  # R-CAM-19
    is_settled = models.BooleanField(_("settled with the customer"), default=False)
    effect = models.CharField(
        _("what the cards did for the customer"), max_length=400, blank=True
    )
    finding = models.CharField(
        _("to mind next season"), max_length=400, blank=True
    )  # R-CAM-21
    carried = models.CharField(
        _("found last season"), max_length=400, blank=True, editable=False
    )

    objects = SeasonMemberQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="season_member_once", fields=["season", "customer"]
            ),
            models.CheckConstraint(
                name="season_member_settled",
                condition=Q(is_settled=False) | ~Q(proposal=""),
                violation_error_message=_("Say what was settled: the proposal."),
            ),
        ]
        indexes = [models.Index(fields=["customer"], name="season_member_customer")]

    def __str__(self) -> str:
        return f"{self.season_id} {self.customer_id}"
