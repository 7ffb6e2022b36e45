"""Customers, their phones, their timeline and their usage."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from crm import text
from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.fields import EncryptedText, blind_index
from crm.org.models import Office


class CustomerQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Managers see their own portfolio, agents and supervisors their offices' rows."""
        own = (Q(manager=user) | Q(assistant=user)) & subtree(user, "manager")
        return own | subtree(user, "agent", "supervisor")

    def for_list(self) -> Self:
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
        return self.select_related("office", "manager").only(*row, *related)

    def matching(self, query: str) -> Self:
        """By whole phone, code, pinyin, initials, or two or more characters of the name."""
        return self.filter(search_condition(query)) if query.strip() else self


def search_condition(query: str) -> Q:
    """The condition for one search box. Each branch uses an index."""
    folded = text.fold(query)
    phone = text.normalise_phone(query)
    code = query.strip()
    found = Q(code__startswith=code) | Q(code__startswith=code.upper())
    if phone:
        with_phone = CustomerPhone.objects.filter(number_index=blind_index(phone))
        found |= Q(pk__in=with_phone.values("customer"))
    if folded.isascii():
        if folded.isalpha():
            found |= Q(initials__startswith=folded) | Q(pinyin__startswith=folded)
        if len(folded) >= 2 and not folded.isdigit():
            found |= Q(name_bigrams__contains=text.bigrams(folded))
    elif len(folded) >= 2:
        found |= Q(name_bigrams__contains=text.bigrams(folded))
    else:
        found |= Q(name__startswith=folded)
    return found


class Customer(models.Model):
    """Whoever sends with us, owned by one office. Its key is (office, code).

    `pinyin`, `initials` and `name_bigrams` follow from the name: set_name() keeps them
    together.
    """

    class Kind(models.TextChoices):
        CORPORATE = "corporate", _("Corporate")
        INDIVIDUAL = "individual", _("Individual")

    class Segment(models.TextChoices):
        CONTRACT = "contract", _("Contract")
        STANDARD = "standard", _("Standard EMS")
        CASUAL = "casual", _("Casual")
        PROSPECT = "prospect", _("Prospect")

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
    pinyin = models.CharField(max_length=200, blank=True, editable=False)
    initials = models.CharField(max_length=60, blank=True, editable=False)
    name_bigrams = ArrayField(
        models.CharField(max_length=4), default=list, editable=False
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
        User, models.PROTECT, db_index=False, null=True, related_name="+"
    )
    address = EncryptedText()
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CustomerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="customer_code_once", fields=["office", "code"]
            )
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
        ]

    def __str__(self) -> str:
        return self.name or self.code

    def get_absolute_url(self) -> str:
        return reverse("customers:detail", args=[self.pk])

    def set_name(self, name: str) -> None:
        """Set the name and what the searches read of it."""
        self.name = name
        core = (
            text.company_core(name)
            if self.kind == self.Kind.CORPORATE
            else text.fold(name)
        )
        full, initials = text.pinyin_of(core)
        self.pinyin, self.initials = full[:200], initials[:60]
        self.name_bigrams = text.bigrams(name)

    def name_for(self, user: User) -> str:
        """The name as `user` may read it: a person's is masked but for their manager."""
        shown = self.name or self.code
        if self.kind == self.Kind.CORPORATE or not self.name or self.is_of(user):
            return shown
        return text.mask_name(shown)

    def is_of(self, user: User) -> bool:
        """Whether the customer is in the portfolio of a user who is still posted there."""
        if user.pk not in (self.manager_id, self.assistant_id):
            return False
        return any(p.office.contains(self.office) for p in user.posts("manager"))


class CustomerPhone(models.Model):
    """A number of a customer, encrypted; found by its blind index. Several may share one."""

    class Type(models.TextChoices):
        MOBILE = "mobile", _("Mobile")
        OFFICE = "office", _("Office phone")

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="phones")
    number = EncryptedText()
    number_index = models.BinaryField()
    type = models.CharField(max_length=10, choices=Type, default=Type.MOBILE)
    is_primary = models.BooleanField(default=True)

    class Meta:
        indexes = [models.Index(fields=["number_index"], name="customer_phone_index")]
        constraints = [
            models.UniqueConstraint(
                name="customer_phone_once", fields=["customer", "number_index"]
            )
        ]

    def __str__(self) -> str:
        return text.mask_phone(self.number)

    def number_for(self, user: User) -> str:
        """The number as `user` may read it: clear for the customer's own manager only."""
        shown = text.written_phone if self.customer.is_of(user) else text.mask_phone
        return shown(self.number)


class TimelineEntry(models.Model):
    """Something that happened with a customer, written down by the app it happened in.

    `source` is that app's unique key, so the same fact is one entry.
    """

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="timeline")
    kind = models.CharField(max_length=30)
    at = models.DateTimeField()
    ref = models.CharField(
        max_length=40, blank=True
    )  # as people call it: C-20261121-000317
    title = models.CharField(
        max_length=200
    )  # a message id: translated when it is shown
    url = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=40, blank=True)  # a message id too
    is_open = models.BooleanField(default=False)
    source = models.CharField(max_length=80, unique=True)

    class Meta:
        indexes = [
            models.Index(fields=["customer", "-at"], name="timeline_customer_at")
        ]

    def __str__(self) -> str:
        return self.title


class Usage(models.Model):
    """One line of a ledger. Partitioned by month of `posted_on`; made by imports only.

    No database foreign key: the loader joins on the customer, and a check per line would
    double the cost of an import. A negative revenue is a refund.
    """

    pk = models.CompositePrimaryKey("posted_on", "id")
    id = models.BigIntegerField()  # GENERATED BY DEFAULT AS IDENTITY
    posted_on = models.DateField()
    customer = models.ForeignKey(
        Customer, models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    source = models.ForeignKey(
        "transfer.SourceFile",
        models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    line = models.BigIntegerField()
    pieces = models.IntegerField()
    revenue = models.DecimalField(max_digits=14, decimal_places=2)
    product = models.CharField(max_length=40, default="")
    region = models.CharField(max_length=40, default="")  # where it was sent
    payment = models.CharField(max_length=20, default="")

    class Meta:
        managed = False  # the migration writes the partitioned table
        db_table = "customers_usage"

    def __str__(self) -> str:
        return f"{self.posted_on} {self.pieces} {self.revenue}"


class UsageRef(models.Model):
    """Keys of lines that carry a reference: unique in an office, whatever the month."""

    office = models.ForeignKey(Office, models.PROTECT, related_name="+", db_index=False)
    ref = models.CharField(max_length=60)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="usage_ref_once", fields=["office", "ref"])
        ]

    def __str__(self) -> str:
        return self.ref


class UsageMonth(models.Model):
    """Sums of a customer's usage in a month: what pages and KPIs read.

    One index and no database foreign key, for the same reason as in Usage.
    """

    pk = models.CompositePrimaryKey("customer_id", "month")
    customer = models.ForeignKey(
        Customer, models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    month = models.DateField()  # its first day
    lines = models.IntegerField()
    pieces = models.BigIntegerField()
    revenue = models.DecimalField(max_digits=16, decimal_places=2)

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.revenue}"
