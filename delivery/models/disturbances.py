"""Disturbances of the network: announced, approved, excused (R-DLV-11)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, reaching
from crm.org.models import Office


class DisturbanceQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return reaching(user, "supervisor", "agent", "inspector")


class Disturbance(models.Model):
    """Something that stopped the mail: where, from when to when, why.

    Only once somebody else has approved it do the items that it touched leave the rates.
    Which items: those that an office in the area answers for or accepted (or whose ends
    are named), on their way in the time.
    """

    class Cause(models.TextChoices):
        WEATHER = "weather", _("Weather")
        DISASTER = "disaster", _("Natural disaster")
        EPIDEMIC = "epidemic", _("Epidemic control")
        TRAFFIC = "traffic", _("Traffic closed")
        SYSTEM = "system", _("System failure")
        AUTHORITY = "authority", _("Order of an authority")
        PEAK = "peak", _("Overload at a peak")
        OTHER = "other", pgettext_lazy("cause", "Other")

    class State(models.TextChoices):
        PROPOSED = "proposed", _("Proposed")
        APPROVED = "approved", pgettext_lazy("disturbance", "Approved")
        REFUSED = "refused", pgettext_lazy("disturbance", "Refused")
        ENDED = "ended", pgettext_lazy("disturbance", "Withdrawn")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("area")
    )
    places = ArrayField(
        models.CharField(max_length=40),
        default=list,
        blank=True,
        verbose_name=_("places"),
        help_text=_(
            "From or to one of these, with commas between; empty: the whole area."
        ),
    )
    first = models.DateField(pgettext_lazy("disturbance", "from"))
    last = models.DateField(pgettext_lazy("disturbance", "to"))
    cause = models.CharField(_("cause"), max_length=9, choices=Cause)
    note = models.CharField(
        pgettext_lazy("disturbance", "what happened"), max_length=300
    )
    state = models.CharField(max_length=8, choices=State, default=State.PROPOSED)
    is_excusing = models.BooleanField(
        _("its items leave the rates"),
        default=True,
        help_text=_("An overload that we could foresee excuses nothing."),
    )
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision = models.CharField(max_length=300, blank=True)
    touched = models.IntegerField(null=True)  # items, once counted
    # What became of them, counted with them: {"offices": [[name, items, delivered, late,
    # returned, open]], "products": the same}; late is beyond the limit.
    report = models.JSONField(null=True)
    # What customers with the benefit are told by SMS once it is approved; "": nothing.
    sms = models.CharField(
        _("SMS to entitled customers"),
        max_length=200,
        blank=True,
        help_text=_(
            "Goes out once it is approved, to customers of the area whose grade brings"
            " such news; empty: nobody is told."
        ),
    )
    told = models.IntegerField(null=True)  # customers who were sent it

    objects = DisturbanceQuerySet.as_manager()

    class Meta:
        ordering = ["-first", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="disturbance_forward", condition=Q(last__gte=F("first"))
            ),
            models.CheckConstraint(
                name="disturbance_other_decides",
                condition=Q(state="proposed")
                | Q(decided_by__isnull=False, decided_at__isnull=False)
                & ~Q(decided_by=F("made_by")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_cause_display()} {self.first} – {self.last}"

    def get_absolute_url(self) -> str:
        return reverse("quality:disturbance", args=[self.pk])
