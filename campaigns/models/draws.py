"""The draw: levels and numbers as data, who won, who was told, what was claimed.

Sources: domain.md 4.4, R-CAM-23…27, R-CAM-31.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from campaigns.models.cards import PrizeCard
from campaigns.models.seasons import Season, of_customers
from crm.access.models import User
from crm.access.scoping import ScopedQuerySet
from customers.models import Customer


class PrizeDraw(models.Model):
    """The draw of a season, as it was published."""

    season = models.OneToOneField(Season, models.CASCADE, related_name="draw")
    drawn_on = models.DateField(_("drawn on"))
    source = models.CharField(_("published in"), max_length=200)
    redeem_from = models.DateField(_("prizes from"))
    redeem_until = models.DateField(_("prizes until"))
    place = models.CharField(_("where prizes are handed out"), max_length=200)
    documents = models.CharField(
        _("what to bring"), max_length=200, default="贺卡原件、本人身份证件"
    )
    allows_several = models.BooleanField(
        _("a card may win several prizes"),
        default=False,
        help_text=_("Otherwise the highest level only."),
    )
    matched_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="draw_forward",
                condition=Q(
                    redeem_until__gte=F("redeem_from"), redeem_from__gte=F("drawn_on")
                ),
                violation_error_message=_(
                    "First the draw, then the first day of prizes, then the last."
                ),
            )
        ]

    def __str__(self) -> str:
        return f"{self.season_id} {self.drawn_on}"


class PrizeLevel(models.Model):
    """A prize, and how many digits of a number win it."""

    class Mode(models.TextChoices):
        EXACT = "exact", pgettext_lazy("draw", "Whole number")
        SUFFIX = "suffix", pgettext_lazy("draw", "Last digits")
        GROUP = "group", pgettext_lazy("draw", "Group and number")

    draw = models.ForeignKey(PrizeDraw, models.CASCADE, related_name="levels")
    rank = models.PositiveSmallIntegerField(
        _("rank"), validators=[MinValueValidator(1), MaxValueValidator(20)]
    )
    name = models.CharField(_("name"), max_length=40)
    prize = models.CharField(_("prize"), max_length=120)
    mode = models.CharField(_("what must agree"), max_length=6, choices=Mode)
    digits = models.PositiveSmallIntegerField(
        _("digits"), validators=[MinValueValidator(1), MaxValueValidator(12)]
    )
    entered_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )
    confirmed_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["rank"]
        constraints = [
            models.UniqueConstraint(
                name="prize_level_once",
                fields=["draw", "rank"],
                violation_error_message=_("The draw has a level of this rank."),
            ),
            # Entered by two people.
            models.CheckConstraint(
                name="prize_level_two_people",
                condition=Q(confirmed_by=None) | ~Q(confirmed_by=F("entered_by")),
            ),
            models.CheckConstraint(
                name="prize_level_digits", condition=Q(digits__range=(1, 12))
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WinningNumber(models.Model):
    """A number that wins a level: text, zeros in front count."""

    level = models.ForeignKey(PrizeLevel, models.CASCADE, related_name="numbers")
    group_code = models.CharField(max_length=10, blank=True)
    value = models.CharField(max_length=12)

    class Meta:
        ordering = ["group_code", "value"]
        constraints = [
            models.UniqueConstraint(
                name="winning_number_once", fields=["level", "group_code", "value"]
            ),
            models.CheckConstraint(
                name="winning_number_digits", condition=Q(value__regex=r"^[0-9]+$")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group_code} {self.value}".strip()


class WinQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return of_customers(user, "supervisor", "planner")


class Win(models.Model):
    """A card that won: recipient and sender are both told (R-CAM-23), and it is claimed or
    missed (R-CAM-25)."""

    class Way(models.TextChoices):
        LETTER = "letter", pgettext_lazy("way", "Letter")
        CALL = "call", pgettext_lazy("way", "Call")

    card = models.ForeignKey(PrizeCard, models.CASCADE, related_name="wins")
    level = models.ForeignKey(PrizeLevel, models.CASCADE, related_name="wins")
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="+"
    )  # who sent the card
    recipient_told = models.DateField(null=True)
    recipient_way = models.CharField(max_length=6, choices=Way, blank=True)
    customer_told = models.DateField(null=True)
    customer_way = models.CharField(max_length=6, choices=Way, blank=True)
    claimed_on = models.DateField(null=True)
    noted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = WinQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="win_once", fields=["card", "level"])
        ]
        indexes = [
            models.Index(fields=["customer"], name="win_customer"),
            models.Index(fields=["level", "id"], name="win_level"),
        ]

    def __str__(self) -> str:
        return f"{self.card_id} {self.level_id}"

    def get_absolute_url(self) -> str:
        return reverse("campaigns:draw", args=[self.level.draw.season.code])
