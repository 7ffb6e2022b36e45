"""Marketing events and the prospects they bring (R-CAM-12, R-CAM-13, R-CAM-52)."""

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from campaigns.models.seasons import Season
from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office
from customers.models import Organisation
from customers.models.choices import Industry, Size


class EventQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return subtree(user, "manager", "supervisor", "planner")


class MarketingEvent(models.Model):
    """Something that will make organisations write: an anniversary, an opening, a fair."""

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    season = models.ForeignKey(Season, models.CASCADE, related_name="events")
    name = models.CharField(_("name"), max_length=80)
    day = models.DateField(_("day"))
    analysis = models.CharField(
        _("why it will make them write"), max_length=400, blank=True
    )
    industry = models.CharField(
        _("industry"), max_length=14, blank=True, choices=Industry
    )
    size = models.CharField(_("size"), max_length=8, blank=True, choices=Size)
    words = models.CharField(_("name contains"), max_length=40, blank=True)
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["day", "pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("campaigns:event", args=[self.pk])


class Prospect(models.Model):
    """An organisation of the directory that an event led to; it becomes a customer by the
    directory's own way."""

    event = models.ForeignKey(MarketingEvent, models.CASCADE, related_name="prospects")
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    added_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="prospect_once", fields=["event", "organisation"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.event_id} {self.organisation_id}"
