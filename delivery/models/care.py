"""Days on which customers are greeted: festivals, birthdays, anniversaries."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from crm.access.models import User
from crm.org.models import Office
from customers.models import ContactPerson
from delivery.models.visits import VisitRuleQuerySet


class CareRuleQuerySet(VisitRuleQuerySet):
    """Seen as the rules of visits are."""


class CareRule(models.Model):
    """Whom to greet on which day, by a call or a message (R-VIS-13).

    A message goes only to who has consented to care, and not more often than
    delivery.care allows; a call is a visit of the customer's manager.
    """

    class Kind(models.TextChoices):
        FESTIVAL = "festival", _("Festival")
        BIRTHDAY = "birthday", _("Birthday of a person there")
        ANNIVERSARY = "anniversary", _("Years since the first contract")

    class Way(models.TextChoices):
        CALL = "call", pgettext_lazy("way", "Call")
        SMS = "sms", _("SMS")

    Calendar = ContactPerson.Calendar

    office = models.ForeignKey(
        Office, models.PROTECT, null=True, related_name="+", verbose_name=_("office")
    )
    kind = models.CharField(_("kind"), max_length=11, choices=Kind)
    name = models.CharField(_("name"), max_length=60)
    name_zh = models.CharField(_("Chinese name"), max_length=40, blank=True)
    calendar = models.CharField(
        _("calendar"), max_length=5, choices=Calendar, default=Calendar.SOLAR
    )
    month = models.PositiveSmallIntegerField(
        _("month"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(12)],
    )
    day = models.PositiveSmallIntegerField(
        _("day"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
    )
    grades = ArrayField(
        models.CharField(max_length=12),
        verbose_name=_("grades"),
        default=list,
        blank=True,
        help_text=_("Codes, with commas between; empty: all customers."),
    )
    way = models.CharField(
        pgettext_lazy("visit", "how"), max_length=4, choices=Way, default=Way.CALL
    )
    ahead = models.PositiveSmallIntegerField(
        _("days ahead that a call is due"),
        default=5,
        validators=[MaxValueValidator(30)],
    )
    text = models.CharField(_("message"), max_length=200, blank=True)
    is_on = models.BooleanField(_("in force"), default=True)
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = CareRuleQuerySet.as_manager()

    class Meta:
        ordering = ["kind", "calendar", "month", "day", "pk"]
        constraints = [
            models.CheckConstraint(
                name="care_rule_day",
                condition=~Q(kind="festival")
                | Q(
                    month__isnull=False,
                    day__isnull=False,
                    month__range=(1, 12),
                    day__range=(1, 31),
                ),
                violation_error_message=_("A festival wants a month and a day."),
            ),
            models.CheckConstraint(
                name="care_rule_text",
                condition=~Q(way="sms") | ~Q(text=""),
                violation_error_message=_("A message wants a text."),
            ),
            models.CheckConstraint(name="care_rule_ahead", condition=Q(ahead__lte=30)),
        ]

    def __str__(self) -> str:
        is_chinese = (get_language() or "").startswith("zh")
        return (self.name_zh if is_chinese else self.name) or self.name
