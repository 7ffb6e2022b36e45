"""The organisation directory (企业机构库): enterprises that may become customers."""

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm import text
from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.fields import EncryptedText
from crm.numbers import valid_credit_code
from crm.org.models import Office
from customers.models import choices
from customers.models.customer import Customer


class OrganisationQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Supervisors see their offices' entries, market developers those handed to them."""
        mine = Q(developer=user) & subtree(user, "manager")
        return mine | subtree(user, "supervisor")


class Organisation(models.Model):
    """An enterprise of the directory on its way: new → handed over → accepted → customer.

    `matched` ones are customers already. Its key is (office, name). R-CUS-08, 16, 17.
    """

    class State(models.TextChoices):
        NEW = "new", pgettext_lazy("prospect", "New")
        MATCHED = "matched", pgettext_lazy("prospect", "Is a customer already")
        HANDED = "handed", pgettext_lazy("prospect", "Handed over")
        ACCEPTED = "accepted", pgettext_lazy("prospect", "Accepted")
        DECLINED = "declined", pgettext_lazy("prospect", "Declined")
        CONVERTED = "converted", pgettext_lazy("prospect", "Became a customer")

    office = models.ForeignKey(Office, models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(_("name"), max_length=120)
    pinyin = models.CharField(max_length=200, editable=False)
    credit_code = models.CharField(
        _("unified social credit code"),
        max_length=18,
        blank=True,
        validators=[valid_credit_code],
    )
    industry = models.CharField(
        _("industry"), max_length=14, blank=True, choices=choices.Industry
    )
    size = models.CharField(_("size"), max_length=8, blank=True, choices=choices.Size)
    phone = EncryptedText(_("phone"))
    address = EncryptedText(_("address"))
    state = models.CharField(max_length=10, choices=State, default=State.NEW)
    customer = models.ForeignKey(
        Customer, models.SET_NULL, null=True, related_name="directory_entries"
    )
    developer = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    outlet = models.ForeignKey(
        Office,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("outlet that supports"),
    )
    handed_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    answer = models.CharField(_("answer"), max_length=200, blank=True)
    imported_by = models.UUIDField(null=True, editable=False)

    objects = OrganisationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="organisation_once", fields=["office", "name"]
            ),
            models.CheckConstraint(
                name="organisation_handed",
                condition=Q(state__in=["new", "matched"])
                | Q(developer__isnull=False, handed_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["pinyin", "id"], name="organisation_by_name"),
            models.Index(
                fields=["office", "state", "pinyin"], name="organisation_state"
            ),
            models.Index(
                name="organisation_developer",
                fields=["developer"],
                condition=Q(developer__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("customers:organisation", args=[self.pk])

    def set_name(self, name: str) -> None:
        self.name = name
        self.pinyin = text.pinyin_of(text.company_core(name))[0][:200]
