"""How a customer is reached: phones, addresses, persons, and numbers elsewhere."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm import text
from crm.access.models import User
from crm.fields import EncryptedText, blind_index
from customers.models.customer import Customer

LAST_DIGITS = 4


def last_index(number: str) -> bytes:
    """Blind index of a number's last four digits, cut to two bytes.

    SECURITY: about 65,000 values for 10,000 endings: it finds candidates, which are then
    decrypted and compared; it tells no more of a number than those four digits.
    """
    return blind_index(f"last:{number[-LAST_DIGITS:]}")[:2]


class ContactPerson(models.Model):
    """A person at a customer. A birthday has no year: age is nobody's business here."""

    class Calendar(models.TextChoices):
        SOLAR = "solar", _("Solar")
        LUNAR = "lunar", _("Lunar")

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="contacts")
    name = models.CharField(_("name"), max_length=60)
    post = models.CharField(_("post"), max_length=60, blank=True)
    birthday_calendar = models.CharField(
        _("birthday by calendar"),
        max_length=5,
        choices=Calendar,
        default=Calendar.SOLAR,
    )
    birthday_month = models.PositiveSmallIntegerField(_("month"), null=True, blank=True)
    birthday_day = models.PositiveSmallIntegerField(_("day"), null=True, blank=True)
    is_leap_month = models.BooleanField(_("leap month"), default=False)
    next_birthday = models.DateField(null=True, editable=False)
    email = EncryptedText(_("e-mail"))
    remarks = EncryptedText(_("remarks"))

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                name="contact_whole_birthday",
                condition=Q(birthday_month=None, birthday_day=None, next_birthday=None)
                | Q(
                    birthday_month__range=(1, 12),
                    birthday_day__range=(1, 31),
                    next_birthday__isnull=False,
                ),
            )
        ]
        indexes = [
            models.Index(
                name="contact_birthday",
                fields=["next_birthday"],
                condition=Q(next_birthday__isnull=False),
            ),
            models.Index(fields=["name"], name="contact_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def name_for(self, user: User) -> str:
        """The name as `user` may read it: clear for the customer's own manager only."""
        return self.name if self.customer.is_of(user) else text.mask_name(self.name)


class CustomerPhone(models.Model):
    """A number of a customer, encrypted; found by its blind index. Several may share one."""

    class Type(models.TextChoices):
        MOBILE = "mobile", _("Mobile")
        OFFICE = "office", _("Office phone")
        HOME = "home", _("Home phone")
        FAX = "fax", _("Fax")

    class Level(models.TextChoices):
        KNOWN = "known", pgettext_lazy("phone", "Known")
        MAYBE = "maybe", pgettext_lazy("phone", "Maybe")  # seen in a complaint

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="phones")
    contact = models.ForeignKey(
        ContactPerson,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="phones",
        verbose_name=_("person"),
    )
    number = EncryptedText()
    number_index = models.BinaryField()
    last_index = models.BinaryField(null=True)
    type = models.CharField(_("type"), max_length=10, choices=Type, default=Type.MOBILE)
    level = models.CharField(max_length=5, choices=Level, default=Level.KNOWN)
    is_primary = models.BooleanField(_("primary"), default=False)
    is_invalid = models.BooleanField(_("invalid"), default=False)
    opted_out = models.BooleanField(_("wants no messages"), default=False)
    imported_by = models.UUIDField(null=True, editable=False)  # into a known customer

    class Meta:
        indexes = [
            models.Index(fields=["number_index"], name="customer_phone_index"),
            models.Index(fields=["last_index"], name="customer_phone_last"),
            models.Index(
                name="phone_imported",
                fields=["imported_by"],
                condition=Q(imported_by__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                name="customer_phone_once", fields=["customer", "number_index"]
            ),
            models.UniqueConstraint(
                name="customer_phone_one_primary",
                fields=["customer"],
                condition=Q(is_primary=True),
            ),
        ]

    def __str__(self) -> str:
        return text.mask_phone(self.number)

    def set_number(self, number: str) -> None:
        """Set a number in its normal form together with its indexes."""
        self.number = number
        self.number_index, self.last_index = blind_index(number), last_index(number)

    def number_for(self, user: User) -> str:
        """The number as `user` may read it: clear for the customer's own manager only."""
        shown = text.written_phone if self.customer.is_of(user) else text.mask_phone
        return shown(self.number)


class CustomerAddress(models.Model):
    """A place of a customer. `region` and `postcode` are plain: no house can be found by
    them; the rest is encrypted. Quality classes: domain.md 4.5."""

    class Type(models.TextChoices):
        REGISTERED = "registered", _("Registered office")
        PICKUP = "pickup", _("Pick-up address")
        DELIVERY = "delivery", _("Delivery address")
        BILLING = "billing", _("Billing address")

    class Quality(models.TextChoices):
        A = "A", _("A verified")
        B = "B", _("B standardised")
        C = "C", _("C incomplete")
        D = "D", _("D undeliverable")

    class Source(models.TextChoices):
        """R-CUS-04."""

        CUSTOMER = "customer", _("The customer")
        ADDRESS_CENTRE = "centre", _("Name-and-address centre")
        DELIVERY = "delivery", _("Delivery network")
        IMPORT = "import", _("Import")

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="addresses")
    type = models.CharField(_("type"), max_length=10, choices=Type, default=Type.PICKUP)
    text = EncryptedText(_("address"))
    text_index = models.BinaryField(null=True, editable=False)
    region = models.CharField(max_length=6, blank=True, editable=False)  # GB/T 2260
    postcode = models.CharField(_("postcode"), max_length=6, blank=True)
    quality = models.CharField(
        max_length=1, choices=Quality, default=Quality.C, editable=False
    )
    score = models.PositiveSmallIntegerField(default=0, editable=False)  # of 100
    source = models.CharField(
        _("source"), max_length=10, choices=Source, default=Source.CUSTOMER
    )
    verified_on = models.DateField(null=True, editable=False)
    imported_by = models.UUIDField(null=True, editable=False)

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["text_index"], name="customer_address_index"),
            models.Index(
                name="address_imported",
                fields=["imported_by"],
                condition=Q(imported_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.region} {self.quality}"

    def text_for(self, user: User) -> str:
        """The address as `user` may read it: without number and room but for the manager."""
        return self.text if self.customer.is_of(user) else text.mask_address(self.text)


class ExternalId(models.Model):
    """The customer's number in another system (R-CUS-24)."""

    class System(models.TextChoices):
        CONTRACT = "contract", _("Contract-customer system")
        DISPATCH = "11183", _("11183 pickup dispatch")
        PLATFORM = "platform", _("Trading platform")

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="external_ids")
    system = models.CharField(_("system"), max_length=10, choices=System)
    value = models.CharField(_("number there"), max_length=60)
    imported_by = models.UUIDField(null=True, editable=False)

    class Meta:
        ordering = ["system", "value"]
        constraints = [
            models.UniqueConstraint(name="external_id_once", fields=["value", "system"])
        ]

    def __str__(self) -> str:
        return f"{self.system}:{self.value}"
