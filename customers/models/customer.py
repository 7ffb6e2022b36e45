"""The customer: whoever sends with us."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from crm import text
from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.fields import EncryptedText, blind_index
from crm.numbers import valid_credit_code, valid_id_number
from crm.org.models import Office
from customers.models import choices


class CustomerQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Managers see their own portfolio, agents and supervisors their offices' rows."""
        own = (Q(manager=user) | Q(assistant=user)) & subtree(user, "manager")
        return own | subtree(user, "agent", "supervisor")

    def visible_to(self, user: User) -> Self:
        """Without those merged into another: their page leads on to the survivor's."""
        return super().visible_to(user).filter(merged_into=None)

    def for_list(self, *extra: str) -> Self:
        """With all that one table row shows, and no more: one query at any length."""
        row = (
            "code",
            "kind",
            "segment",
            "name",
            "pinyin",
            "manager_id",
            "assistant_id",
        )
        related = ("office__path", "office__name", "manager__full_name")
        return self.select_related("office", "manager").only(*row, *extra, *related)


class Household(models.Model):
    """Persons with one household account (统一账户)."""

    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    name = models.CharField(_("name"), max_length=60)

    def __str__(self) -> str:
        return self.name


class Customer(models.Model):
    """Whoever sends with us, owned by one office. Its key is (office, code).

    `pinyin`, `initials` and `name_bigrams` follow from name and aliases: set_name()
    keeps them together. A merged customer stays as it was and points to its survivor;
    its usage is read together with the survivor's and never rewritten.
    """

    Kind, Segment = choices.Kind, choices.Segment

    office = models.ForeignKey(
        Office,
        models.PROTECT,
        db_index=False,
        related_name="+",
        verbose_name=_("office"),
    )
    code = models.CharField(_("customer code"), max_length=40)
    kind = models.CharField(
        _("kind"), max_length=10, choices=Kind, default=Kind.CORPORATE
    )
    segment = models.CharField(
        _("segment"), max_length=10, choices=Segment, default=Segment.CASUAL
    )
    name = models.CharField(_("name"), max_length=120, blank=True)
    aliases = ArrayField(
        models.CharField(max_length=60),
        verbose_name=_("also called"),
        default=list,
        blank=True,
    )
    pinyin = models.CharField(max_length=200, blank=True, editable=False)
    initials = models.CharField(max_length=60, blank=True, editable=False)
    name_bigrams = ArrayField(
        models.CharField(max_length=4), default=list, editable=False
    )
    credit_code = models.CharField(
        _("unified social credit code"),
        max_length=18,
        blank=True,
        validators=[valid_credit_code],
    )
    id_number = EncryptedText(_("ID number"), validators=[valid_id_number])
    id_index = models.BinaryField(null=True, editable=False)
    nature = models.CharField(
        _("enterprise nature"), max_length=12, blank=True, choices=choices.Nature
    )
    industry = models.CharField(
        _("industry"), max_length=14, blank=True, choices=choices.Industry
    )
    size = models.CharField(_("size"), max_length=8, blank=True, choices=choices.Size)
    is_headquarters = models.BooleanField(_("headquarters"), default=False)
    strategic_class = models.CharField(
        _("strategic class"),
        max_length=14,
        blank=True,
        choices=choices.StrategicClass,
        help_text=_("Set by hand, independent of any score."),
    )
    is_potential_key_account = models.BooleanField(
        _("potential key account"), default=False
    )
    source = models.CharField(
        _("source channel"), max_length=12, blank=True, choices=choices.Source
    )
    legal_basis = models.CharField(
        _("legal basis"),
        max_length=12,
        choices=choices.LegalBasis,
        default=choices.LegalBasis.CONTRACT,
    )
    membership = models.CharField(_("membership level"), max_length=20, blank=True)
    signing_habit = models.CharField(
        _("signing habit"),
        max_length=60,
        blank=True,
        help_text=_("Who signs, and where."),
    )
    service_plan = models.CharField(
        _("service plan"),
        max_length=120,
        blank=True,
        help_text=_("Timed delivery, own packaging, …"),
    )
    list_state = models.CharField(
        _("recipient list"),
        max_length=10,
        choices=choices.ListState,
        default=choices.ListState.NONE,
    )
    household = models.ForeignKey(
        Household,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="members",
        verbose_name=_("household"),
    )
    parent = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("parent customer"),
    )
    manager = models.ForeignKey(
        User,
        models.PROTECT,
        db_index=False,
        null=True,
        related_name="+",
        verbose_name=_("customer manager"),
    )
    assistant = models.ForeignKey(
        User,
        models.PROTECT,
        db_index=False,
        null=True,
        related_name="+",
        verbose_name=_("assistant manager"),
    )
    verified_on = models.DateField(_("last verified"), null=True, blank=True)
    legal_hold = models.BooleanField(_("legal hold"), default=False)
    erased_at = models.DateTimeField(null=True, editable=False)
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, db_index=False, related_name="merged"
    )
    imported_by = models.UUIDField(null=True, editable=False)  # the import that made it
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    is_known = True  # not a column: services.find_by_phone says how sure a number is
    objects = CustomerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="customer_code_once", fields=["office", "code"]
            ),
            models.CheckConstraint(
                name="customer_not_its_own_survivor",
                condition=Q(merged_into=None) | ~Q(merged_into=F("id")),
            ),
            models.CheckConstraint(
                name="customer_not_its_own_parent",
                condition=Q(parent=None) | ~Q(parent=F("id")),
            ),
            models.CheckConstraint(
                name="customer_two_managers",
                condition=Q(assistant=None) | ~Q(assistant=F("manager")),
            ),
        ]
        indexes = [
            models.Index(fields=["pinyin", "id"], name="customer_by_name"),
            models.Index(
                fields=["office", "pinyin", "id"], name="customer_office_name"
            ),
            models.Index(
                name="customer_manager_name",
                fields=["manager", "pinyin", "id"],
                condition=Q(manager__isnull=False),
            ),
            models.Index(
                name="customer_assistant",
                fields=["assistant"],
                condition=Q(assistant__isnull=False),
            ),
            models.Index(
                OpClass("pinyin", "varchar_pattern_ops"), name="customer_pinyin"
            ),
            models.Index(
                OpClass("initials", "varchar_pattern_ops"), name="customer_initials"
            ),
            models.Index(OpClass("code", "varchar_pattern_ops"), name="customer_code"),
            models.Index(OpClass("name", "varchar_pattern_ops"), name="customer_name"),
            GinIndex(fields=["name_bigrams"], name="customer_bigrams"),
            models.Index(
                name="customer_credit_code",
                fields=["credit_code"],
                condition=~Q(credit_code=""),
            ),
            models.Index(
                name="customer_id_index",
                fields=["id_index"],
                condition=Q(id_index__isnull=False),
            ),
            models.Index(
                name="customer_merged",
                fields=["merged_into"],
                condition=Q(merged_into__isnull=False),
            ),
            models.Index(
                name="customer_imported",
                fields=["imported_by"],
                condition=Q(imported_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.code

    def get_absolute_url(self) -> str:
        return reverse("customers:detail", args=[self.pk])

    def set_name(self, name: str) -> None:
        """Set the name and what the searches read of it and of the aliases."""
        self.name = name
        core = (
            text.company_core(name)
            if self.kind == self.Kind.CORPORATE
            else text.fold(name)
        )
        full, initials = text.pinyin_of(core)
        self.pinyin, self.initials = full[:200], initials[:60]
        pairs = {pair for one in (name, *self.aliases) for pair in text.bigrams(one)}
        self.name_bigrams = sorted(pairs)

    def set_id_number(self, number: str) -> None:
        """Set a person's ID number and its blind index; "" clears both."""
        self.id_number = number.upper()
        self.id_index = blind_index(self.id_number) if number else None

    def name_for(self, user: User) -> str:
        """The name as `user` may read it: a person's is masked but for their manager."""
        shown = self.name or self.code
        if self.kind == self.Kind.CORPORATE or not self.name or self.is_of(user):
            return shown
        return text.mask_name(shown)

    def aliases_for(self, user: User) -> list[str]:
        """Other names as `user` may read them: a person's are masked as the name is."""
        if self.kind == self.Kind.CORPORATE or self.is_of(user):
            return self.aliases
        return [text.mask_name(alias) for alias in self.aliases]

    def is_of(self, user: User) -> bool:
        """Whether the customer is in the portfolio of a user who is still posted there."""
        if user.pk not in (self.manager_id, self.assistant_id):
            return False
        return any(p.office.contains(self.office) for p in user.posts("manager"))
