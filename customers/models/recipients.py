"""Recipient lists that a customer entrusts to us (R-CUS-01…05), and the address figures."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import gettext_lazy as _

from crm import text
from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.fields import EncryptedText
from crm.org.models import Office
from customers.models.contacts import CustomerAddress
from customers.models.customer import Customer
from customers.models.money import Contract


class RecipientListQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Whose customer it is, and the supervisors of the office: nobody else's business."""
        own = Q(customer__manager=user) | Q(customer__assistant=user)
        mine = own & subtree(user, "manager", lookup="customer__office")
        return mine | subtree(user, "supervisor", lookup="customer__office")


class RecipientList(models.Model):
    """Names and addresses of a customer's recipients, kept on its behalf for one purpose.

    The customer stays answerable for them; we hold them under an agreement with an end,
    and hand them back or destroy them then (PIPL art. 21). They are used for nothing else
    and never join our own customers.
    """

    class End(models.TextChoices):
        RETURN = "return", _("Hand back, then destroy")
        DESTROY = "destroy", _("Destroy")

    customer = models.ForeignKey(
        Customer, models.CASCADE, related_name="recipient_lists"
    )
    name = models.CharField(_("name"), max_length=60)
    purpose = models.CharField(
        _("purpose"),
        max_length=120,
        help_text=_(
            "What the customer wants the list used for; nothing else is allowed."
        ),
    )
    agreement = models.CharField(_("agreement"), max_length=60)
    contract = models.ForeignKey(
        Contract,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("contract"),
    )
    ends_on = models.DateField(_("agreement ends on"))
    at_end = models.CharField(
        _("at the end"), max_length=7, choices=End, default=End.RETURN
    )
    version = models.PositiveIntegerField(default=0, editable=False)
    made_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, editable=False)
    closed_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )

    objects = RecipientListQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                name="recipient_list_once", fields=["customer", "name"]
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("customers:recipient_list", args=[self.pk])

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def is_past_end(self) -> bool:
        return self.is_open and self.ends_on < localdate()


class RecipientVersion(models.Model):
    """A state of a list, with its figures: a file that came in, or corrections by hand.

    Version n has the recipients with since ≤ n and until empty or > n.
    """

    recipient_list = models.ForeignKey(
        RecipientList, models.CASCADE, related_name="versions"
    )
    number = models.PositiveIntegerField()
    made_at = models.DateTimeField(auto_now_add=True)
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    batch = models.UUIDField(null=True)  # the import
    is_whole = models.BooleanField(default=False)  # the file was the whole list
    is_counted = models.BooleanField(default=False)  # False while its import runs
    is_undone = models.BooleanField(default=False)  # its import was taken back
    recipients = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    left = models.PositiveIntegerField(default=0)
    by_class = models.JSONField(default=dict)  # class → number of recipients
    flaws = models.JSONField(default=dict)  # flaw → number of recipients

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                name="recipient_version_once", fields=["recipient_list", "number"]
            ),
            models.UniqueConstraint(
                name="recipient_version_batch",
                fields=["batch"],
                condition=Q(batch__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recipient_list_id} v{self.number}"

    @property
    def good_share(self) -> float | None:
        """Share of recipients in class A or B; None for an empty version."""
        if not self.recipients:
            return None
        good = self.by_class.get("A", 0) + self.by_class.get("B", 0)
        return good / self.recipients


class Recipient(models.Model):
    """One name and address of a list, encrypted; correcting one ends it and begins another."""

    class Flaw(models.TextChoices):
        """What the cleansing found (domain.md 4.5)."""

        REGION = "region", _("province, city or county is missing")
        SEVERAL = "several", _("the county's name fits several places")
        ROAD = "road", _("road or village is missing")
        NUMBER = "number", _("house number is missing")
        POSTCODE = "postcode", _("postcode does not fit the address")
        PHONE = "phone", _("not a phone number")
        TWICE = "twice", _("the same person stands at another address too")
        RETURNED = "returned", _("mail came back from here")

    recipient_list = models.ForeignKey(
        RecipientList, models.CASCADE, related_name="recipients"
    )
    ref = models.CharField(
        _("number in the customer's list"), max_length=40, blank=True
    )
    line = models.PositiveIntegerField(null=True)  # of the file that brought it
    name = EncryptedText(_("name"))
    organisation = EncryptedText(_("organisation"))
    phone = EncryptedText(_("phone"))
    address = EncryptedText(_("address"))
    postcode = models.CharField(_("postcode"), max_length=6, blank=True)
    region = models.CharField(max_length=6, blank=True)  # GB/T 2260
    key = models.BinaryField()  # blind index of (name, standard address)
    person = models.BinaryField(null=True)  # blind index of (name, phone)
    quality = models.CharField(max_length=1, choices=CustomerAddress.Quality)
    score = models.PositiveSmallIntegerField(default=0)
    flaws = ArrayField(models.CharField(max_length=10), default=list)
    source = models.CharField(
        max_length=10,
        choices=CustomerAddress.Source,
        default=CustomerAddress.Source.IMPORT,
    )
    verified_on = models.DateField(null=True)
    since = models.PositiveIntegerField()
    seen = models.PositiveIntegerField()  # the newest version whose file had it
    until = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="recipient_once",
                fields=["recipient_list", "key"],
                condition=Q(until=None),
            ),
            models.CheckConstraint(
                name="recipient_ends_after",
                condition=Q(until=None) | Q(until__gt=F("since")),
            ),
        ]
        indexes = [
            models.Index(fields=["recipient_list", "since"], name="recipient_since"),
            models.Index(
                name="recipient_now",
                fields=["recipient_list", "quality", "id"],
                condition=Q(until=None),
            ),
        ]

    def __str__(self) -> str:
        return text.mask_name(self.name)


class DataQuality(models.Model):
    """How good an office's records were, month by month; the running month is renewed each
    night. Counts customers: by the class of their best address; `fresh`, whose record
    somebody checked within a year; `reachable`, with a number of their own that works."""

    office = models.ForeignKey(Office, models.CASCADE, related_name="+", db_index=False)
    month = models.DateField()
    a = models.PositiveIntegerField(default=0)
    b = models.PositiveIntegerField(default=0)
    c = models.PositiveIntegerField(default=0)
    d = models.PositiveIntegerField(default=0)
    without = models.PositiveIntegerField(default=0)
    fresh = models.PositiveIntegerField(default=0)
    reachable = models.PositiveIntegerField(default=0)
    measured_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="data_quality_once", fields=["office", "month"]
            )
        ]
        indexes = [models.Index(fields=["month"], name="data_quality_month")]

    def __str__(self) -> str:
        return f"{self.office} {self.month:%Y-%m}"
