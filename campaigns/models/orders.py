"""Card products, orders, and the way of an order from consulting to its effect.

Sources: domain.md 4.1, 4.3; R-CAM-01, 02, 16, 17, 18; R-DLV-02, 03, 05.
"""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from campaigns.models.seasons import Season, of_customers
from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office
from customers.models import Customer, RecipientList

YEAR = [MinValueValidator(1980), MaxValueValidator(2100)]
SERIES_BEGAN = 1992  # the first season of lottery postcards


class CardProduct(models.Model):
    """A card that can be ordered in the seasons of some years (domain.md 4.1)."""

    class Type(models.TextChoices):
        ORDINARY = "ordinary", _("Ordinary postcard")
        LETTER_CARD = "letter_card", _("Letter card")
        ENVELOPED = "enveloped", _("Enveloped card")
        SHAPED = "shaped", _("Shaped card")
        LENTICULAR = "lenticular", _("Lenticular card")
        LUCKY_COVER = "lucky_cover", _("Lucky cover")
        MAXIMUM = "maximum", _("Maximum card")
        BLESSING = "blessing", _("Blessing card")

    class Sale(models.TextChoices):
        RETAIL = "retail", _("Retail")
        CUSTOM = "custom", _("Custom")

    code = models.SlugField(_("code"), max_length=20)
    name = models.CharField(_("name"), max_length=60)
    name_zh = models.CharField(_("Chinese name"), max_length=40, blank=True)
    type = models.CharField(_("type of card"), max_length=11, choices=Type)
    sale = models.CharField(
        pgettext_lazy("card", "sold as"), max_length=6, choices=Sale
    )
    first_year = models.PositiveSmallIntegerField(_("first season"), validators=YEAR)
    last_year = models.PositiveSmallIntegerField(
        _("last season"), null=True, blank=True, validators=YEAR
    )

    class Meta:
        ordering = ["sale", "type", "first_year"]
        constraints = [
            models.UniqueConstraint(
                name="card_product_once",
                fields=["code", "first_year"],
                violation_error_message=_("There is such a product from this year on."),
            ),
            models.CheckConstraint(
                name="card_product_years",
                condition=Q(last_year=None) | Q(last_year__gte=F("first_year")),
                violation_error_message=_("The last season lies before the first."),
            ),
        ]

    def __str__(self) -> str:
        is_chinese = (get_language() or "").startswith("zh")
        return (self.name_zh if is_chinese else self.name) or self.name

    def price_of(self, pieces: int) -> "PriceBand | None":
        """The band that so many pieces fall into: the greatest that they reach."""
        found = [band for band in self.bands.all() if band.least <= pieces]
        return max(found, key=lambda band: band.least, default=None)


class PriceBand(models.Model):
    """What one piece costs from so many on, in steps of so many."""

    product = models.ForeignKey(CardProduct, models.CASCADE, related_name="bands")
    least = models.PositiveIntegerField(
        _("from, pieces"), validators=[MinValueValidator(1)]
    )
    step = models.PositiveIntegerField(
        _("in steps of"), default=1, validators=[MinValueValidator(1)]
    )
    price = models.DecimalField(
        _("price a piece, yuan"),
        max_digits=8,
        decimal_places=2,
        validators=[MinValueValidator(0)],
    )

    class Meta:
        ordering = ["least"]
        constraints = [
            models.UniqueConstraint(
                name="price_band_once",
                fields=["product", "least"],
                violation_error_message=_("There is a band from so many on."),
            ),
            models.CheckConstraint(
                name="price_band_numbers",
                condition=Q(least__gte=1, step__gte=1, price__gte=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.least}+ {self.price}"


class CardOrderQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return of_customers(user, "supervisor", "planner", "handler")

    def valid(self) -> "CardOrderQuerySet":
        """Those that count as a season's business: ordered, not offered nor called off."""
        return self.exclude(state__in=CardOrder.VOID)


class CardOrder(models.Model):
    """A customer's order of cards in a season: offered, contracted, produced, delivered.

    What an import brings is delivered; it keeps the file and line that it came from.
    """

    class State(models.TextChoices):
        OFFER = "offer", pgettext_lazy("order", "Offer")
        CONTRACT = "contract", pgettext_lazy("order", "Contract")
        DONE = "done", pgettext_lazy("order", "Done")
        DROPPED = "dropped", pgettext_lazy("order", "Called off")

    VOID = (State.OFFER, State.DROPPED)

    season = models.ForeignKey(Season, models.PROTECT, related_name="orders")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    ref = models.CharField(_("order number"), max_length=40, blank=True)
    ordered_on = models.DateField(_("ordered on"))
    product = models.ForeignKey(
        CardProduct,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("product"),
    )
    pieces = models.PositiveIntegerField(_("pieces"))
    price = models.DecimalField(
        _("price a piece, yuan"), max_digits=8, decimal_places=2, null=True, blank=True
    )
    revenue = models.DecimalField(_("revenue, yuan"), max_digits=14, decimal_places=2)
    cost = models.DecimalField(
        _("production cost, yuan"), max_digits=14, decimal_places=2, default=0
    )
    content = models.CharField(_("what is sent"), max_length=120, blank=True)
    valid_until = models.DateField(_("offer holds until"), null=True, blank=True)
    contract_number = models.CharField(_("contract number"), max_length=40, blank=True)
    contracted_on = models.DateField(_("contract of"), null=True, blank=True)
    contracted_at = models.DateTimeField(null=True, editable=False)
    state = models.CharField(max_length=8, choices=State, default=State.OFFER)
    reason = models.CharField(_("called off because"), max_length=200, blank=True)
    posting_on = models.DateField(_("posted on"), null=True, blank=True)
    recipients = models.ForeignKey(
        RecipientList,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("recipient list"),
    )
    source = models.ForeignKey(
        "transfer.SourceFile",
        models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
    )
    line = models.BigIntegerField(null=True, editable=False)
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )
    made_at = models.DateTimeField(auto_now_add=True)

    objects = CardOrderQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="card_order_ref",
                fields=["season", "ref"],
                condition=~Q(ref=""),
                violation_error_message=_("The season has an order of this number."),
            ),
            models.CheckConstraint(
                name="card_order_contract",
                condition=~Q(state="contract") | ~Q(contract_number=""),
            ),
            models.CheckConstraint(
                name="card_order_dropped", condition=~Q(state="dropped") | ~Q(reason="")
            ),
        ]
        indexes = [
            models.Index(fields=["season", "customer"], name="card_order_season"),
            models.Index(
                fields=["season", "-ordered_on", "-id"], name="card_order_day"
            ),
            models.Index(fields=["source"], name="card_order_source"),
        ]

    def __str__(self) -> str:
        return self.ref or f"{self.season.code}-{self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("campaigns:order", args=[self.pk])

    @property
    def is_expired(self) -> bool:
        is_offer = self.state == CardOrder.State.OFFER
        return bool(is_offer and self.valid_until and self.valid_until < localdate())


class Requirement(models.Model):
    """What a customer demands of the delivery of its cards (R-DLV-03), and whether it was
    met (R-DLV-05)."""

    class Kind(models.TextChoices):
        DATES = "dates", pgettext_lazy("requirement", "Delivered between two days")
        WHOM = "whom", pgettext_lazy("requirement", "To whom")
        PROOF = "proof", pgettext_lazy("requirement", "Proof of delivery")
        OTHER = "other", pgettext_lazy("requirement", "Other")

    order = models.ForeignKey(CardOrder, models.CASCADE, related_name="requirements")
    kind = models.CharField(_("kind"), max_length=5, choices=Kind)
    first = models.DateField(_("from"), null=True, blank=True)
    last = models.DateField(_("until"), null=True, blank=True)
    words = models.CharField(_("in words"), max_length=200, blank=True)
    is_met = models.BooleanField(_("met"), null=True)  # None: not known yet
    noted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                name="requirement_words",
                condition=Q(kind="dates", first__isnull=False, last__gte=F("first"))
                | ~Q(kind="dates") & ~Q(words=""),
                violation_error_message=_("Give the days, or say it in words."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.kind}"


class Stage(models.TextChoices):
    """The fourteen stages of domain.md 4.3, in their order."""

    CONSULT = "consult", pgettext_lazy("stage", "Consulting")
    DESIGN = "design", pgettext_lazy("stage", "Design")
    PROOF = "proof", pgettext_lazy("stage", "Customer approves the proof")
    APPLY = "apply", pgettext_lazy("stage", "Custom card applied for")
    LIST = "list", pgettext_lazy("stage", "Recipient list received")
    CLEANSE = "cleanse", pgettext_lazy("stage", "Cleansing and virtual delivery")
    CONFIRM = "confirm", pgettext_lazy("stage", "Customer confirms bad addresses")
    PRINT = "print", pgettext_lazy("stage", "Printing and addressing")
    BUNDLE = "bundle", pgettext_lazy("stage", "Pre-sorting and bundling")
    HAND_OVER = "hand_over", pgettext_lazy("stage", "Hand-over")
    PROCESS = "process", pgettext_lazy("stage", "Processing centre")
    DELIVER = "deliver", pgettext_lazy("stage", "Delivery")
    RETURNS = "returns", pgettext_lazy("stage", "Returns")
    EFFECT = "effect", pgettext_lazy("stage", "Effect evaluation")


class OrderStageQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Whoever sees the order, who owns the stage, and the unit that is responsible."""
        own = Q(order__customer__manager=user) | Q(order__customer__assistant=user)
        seen = Q(owner=user) | Q(pk__in=[])
        for posting in user.posts("supervisor", "planner", "handler"):
            path = posting.office.path
            seen |= Q(office__path__startswith=path)
            seen |= Q(order__customer__office__path__startswith=path)
        mine = own & subtree(user, "manager", lookup="order__customer__office")
        return seen | mine


class OrderStage(models.Model):
    """One stage of an order: whose it is, planned and real times, pieces in and out."""

    order = models.ForeignKey(CardOrder, models.CASCADE, related_name="stages")
    position = models.PositiveSmallIntegerField()
    stage = models.CharField(max_length=9, choices=Stage)
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("responsible unit")
    )
    owner = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("owner"),
    )
    due_on = models.DateField(_("planned until"))
    began_at = models.DateTimeField(_("begun"), null=True, blank=True)
    done_at = models.DateTimeField(_("done"), null=True, blank=True)
    done_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    pieces_in = models.PositiveIntegerField(_("pieces in"), null=True, blank=True)
    pieces_out = models.PositiveIntegerField(_("pieces out"), null=True, blank=True)
    told = models.PositiveSmallIntegerField(default=0)  # how far up it was told

    objects = OrderStageQuerySet.as_manager()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(name="order_stage_once", fields=["order", "stage"]),
            models.CheckConstraint(
                name="order_stage_times",
                condition=Q(done_at=None)
                | Q(began_at__isnull=False, done_at__gte=F("began_at")),
            ),
            models.CheckConstraint(
                name="order_stage_pieces",
                condition=Q(pieces_out=None)
                | Q(pieces_in__isnull=False, pieces_out__lte=F("pieces_in")),
                violation_error_message=_("More pieces went out than came in."),
            ),
        ]
        indexes = [
            models.Index(
                name="order_stage_open",
                fields=["due_on", "id"],
                condition=Q(done_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.stage}"


class ProductionError(models.Model):
    """Something that went wrong in a stage; complaints name it by `ref`."""

    class Kind(models.TextChoices):
        CONTENT = "content", _("Wrong text or picture")
        ADDRESS = "address", _("Wrong address")
        PRINT = "print", _("Print or colour")
        CODE = "code", _("Prize code")
        SHORT = "short", _("Too few pieces")
        LATE = "late", _("Late")
        OTHER = "other", pgettext_lazy("production", "Other")

    stage = models.ForeignKey(OrderStage, models.CASCADE, related_name="errors")
    ref = models.CharField(max_length=30, unique=True)
    kind = models.CharField(_("kind"), max_length=7, choices=Kind)
    pieces = models.PositiveIntegerField(_("pieces"), validators=[MinValueValidator(1)])
    words = models.CharField(pgettext_lazy("error", "what happened"), max_length=300)
    cost = models.DecimalField(
        _("cost, yuan"),
        max_digits=12,
        decimal_places=2,
        default=Decimal(0),
        validators=[MinValueValidator(0)],
    )
    noted_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    noted_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True)
    settled_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                name="production_error_numbers", condition=Q(pieces__gte=1, cost__gte=0)
            )
        ]

    def __str__(self) -> str:
        return self.ref
