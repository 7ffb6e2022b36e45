"""What a visit found: the report, pictures, and what is typed of it so far."""

import uuid
from pathlib import Path

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.fields import EncryptedText
from customers.models import ContactPerson
from delivery.models.visits import Visit, VisitType


class VisitReport(models.Model):
    """What a visit found: annex 3's content in one screen (R-VIS-05 to 07, 22 to 25).

    Needs, competitor and advice also stand on the customer's timeline.
    """

    class Result(models.TextChoices):
        FINE = "fine", pgettext_lazy("visit", "All well")
        ORDER = "order", pgettext_lazy("visit", "Order or renewal")
        INTEREST = "interest", pgettext_lazy("visit", "Interested")
        PROBLEM = "problem", pgettext_lazy("visit", "Has a problem")
        LEAVING = "leaving", pgettext_lazy("visit", "Thinks of leaving")
        UNWANTED = "unwanted", pgettext_lazy("visit", "Wants no visits")

    class Need(models.TextChoices):
        BASIC = "basic", _("Basic: punctual, safe, exact")
        EXTENDED = "extended", _("Extended: packing, COD, receipts")
        DIFFERENTIAL = "differential", _("Differential: fast, cheap, easy")
        LATENT = "latent", _("Latent: personal, made to measure")

    class Shortcoming(models.TextChoices):
        SPEED = "speed", _("Speed")
        SAFETY = "safety", _("Loss and damage")
        PICKUP = "pickup", _("Pick-up")
        DELIVERY = "delivery", pgettext_lazy("shortcoming", "Delivery")
        PRICE = "price", _("Price")
        ATTITUDE = "attitude", _("Attitude")
        CLAIMS = "claims", _("Claims and answers")
        PRODUCT = "product", _("Product and print")

    class Usage(models.TextChoices):
        USED_UP = "used_up", _("All used")
        SOME_LEFT = "some_left", _("Some left")
        MOST_LEFT = "most_left", _("Most left")

    visit = models.OneToOneField(Visit, models.CASCADE, related_name="report")
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    visited_on = models.DateField(_("day"))
    logged_at = models.DateTimeField(auto_now_add=True)
    met = models.ManyToManyField(ContactPerson, related_name="+")
    met_others = EncryptedText(_("others"))
    result = models.CharField(_("result"), max_length=8, choices=Result)
    needs = ArrayField(models.CharField(max_length=12, choices=Need), default=list)
    need_text = EncryptedText(_("what they need"))
    competitor = models.CharField(_("competitor"), max_length=60, blank=True)
    satisfaction = models.PositiveSmallIntegerField(_("satisfaction"), null=True)
    shortcomings = ArrayField(
        models.CharField(max_length=8, choices=Shortcoming), default=list
    )
    usage = models.CharField(_("usage"), max_length=9, choices=Usage, blank=True)
    stock_left = models.PositiveIntegerField(_("pieces left"), null=True)
    advice = EncryptedText(_("advice given"))
    note = EncryptedText(_("note"))
    next_on = models.DateField(_("next date"), null=True)
    next_type = models.CharField(
        _("next purpose"), max_length=14, choices=VisitType, blank=True
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="report_satisfaction",
                condition=Q(satisfaction=None) | Q(satisfaction__range=(1, 5)),
            ),
            models.CheckConstraint(
                name="report_next_whole",
                condition=Q(next_on=None, next_type="")
                | Q(next_on__isnull=False) & ~Q(next_type=""),
            ),
        ]
        indexes = [
            models.Index(name="report_by_day", fields=["by", "visited_on"]),
            models.Index(name="report_day", fields=["visited_on"]),
        ]

    def __str__(self) -> str:
        return f"{self.visit_id} {self.result}"

    @property
    def needs_said(self) -> str:
        return ", ".join(str(self.Need(need).label) for need in self.needs)

    @property
    def shortcomings_said(self) -> str:
        return ", ".join(str(self.Shortcoming(one).label) for one in self.shortcomings)


class VisitPhoto(models.Model):
    """A picture of a visit, drawn anew without its EXIF, under a random name."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    visit = models.ForeignKey(Visit, models.CASCADE, related_name="photos")
    key = models.UUIDField(null=True)  # the sender's name of it: sent twice, kept once
    added_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["added_at"]
        constraints = [
            models.UniqueConstraint(name="visit_photo_once", fields=["visit", "key"])
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def path(self) -> Path:
        return Path(settings.FILES_ROOT) / "visits" / str(self.pk)


class VisitDraft(models.Model):
    """What somebody has typed of a report so far, sealed; gone once it is logged."""

    visit = models.ForeignKey(Visit, models.CASCADE, related_name="drafts")
    by = models.ForeignKey(User, models.CASCADE, related_name="+")
    typed = EncryptedText()  # the form as it is posted
    kept_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="visit_draft_once", fields=["visit", "by"])
        ]

    def __str__(self) -> str:
        return f"draft of {self.visit_id}"
