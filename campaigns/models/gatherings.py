"""Customer forums and activities, and offers for some customers only.

Sources: R-CAM-42, R-CAM-43, R-CAM-44.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, reaching, subtree
from crm.org.models import Office
from customers.models import Customer
from customers.models.choices import Segment


class GatheringQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return reaching(user, "manager", "supervisor", "planner")


class Gathering(models.Model):
    """A forum or activity for customers: whom, when, who came, what was said."""

    class Kind(models.TextChoices):
        FORUM = "forum", pgettext_lazy("gathering", "Customer forum")
        ACTIVITY = "activity", pgettext_lazy("gathering", "Customer activity")
        SHOW = "show", pgettext_lazy("gathering", "Show of samples")

    class State(models.TextChoices):
        PLANNED = "planned", pgettext_lazy("gathering", "Planned")
        HELD = "held", pgettext_lazy("gathering", "Held")
        DROPPED = "dropped", pgettext_lazy("gathering", "Called off")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    name = models.CharField(_("name"), max_length=80)
    day = models.DateField(_("day"))
    place = models.CharField(pgettext_lazy("event", "place"), max_length=120)
    agenda = models.CharField(_("what it is about"), max_length=600, blank=True)
    minutes = models.TextField(_("minutes"), max_length=8000, blank=True)
    adjusted = models.CharField(
        _("what we change in our care because of it"), max_length=600, blank=True
    )  # R-CAM-44
    state = models.CharField(
        max_length=7, choices=State, default=State.PLANNED, editable=False
    )
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )

    objects = GatheringQuerySet.as_manager()

    class Meta:
        ordering = ["-day", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="gathering_minutes", condition=~Q(state="held") | ~Q(minutes="")
            )
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("campaigns:gathering", args=[self.pk])


class Invitation(models.Model):
    """A customer who is invited: what it said, whether it came."""

    class Answer(models.TextChoices):
        NONE = "", pgettext_lazy("invitation", "No answer yet")
        COMES = "comes", pgettext_lazy("invitation", "Comes")
        NOT = "not", pgettext_lazy("invitation", "Does not come")

    gathering = models.ForeignKey(Gathering, models.CASCADE, related_name="invitations")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+")
    answer = models.CharField(max_length=5, choices=Answer, blank=True)
    came = models.BooleanField(null=True)
    said = models.CharField(_("what they said"), max_length=300, blank=True)
    noted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="gathering_invitation_once", fields=["gathering", "customer"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.gathering_id} {self.customer_id}"


class Offer(models.Model):
    """An offer for customers of some grades or one segment only, for a time (R-CAM-42)."""

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    name = models.CharField(_("name"), max_length=60)
    words = models.CharField(_("what is offered"), max_length=300)
    grades = ArrayField(
        models.CharField(max_length=12),
        verbose_name=_("grades"),
        default=list,
        blank=True,
        help_text=_("Codes, with commas between; empty: all customers."),
    )
    segment = models.CharField(
        _("customer group"), max_length=10, choices=Segment, blank=True
    )
    first_day = models.DateField(_("from"))
    last_day = models.DateField(_("until"))
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )

    objects = GatheringQuerySet.as_manager()

    class Meta:
        ordering = ["-first_day", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="offer_forward",
                condition=Q(last_day__gte=F("first_day")),
                violation_error_message=_("The term ends before it begins."),
            )
        ]

    def __str__(self) -> str:
        return self.name


def seen_invitations(user: User) -> Q:
    """Invitations of the customers whose names `user` reads."""
    own = Q(customer__manager=user) | Q(customer__assistant=user)
    mine = own & subtree(user, "manager", lookup="customer__office")
    return mine | subtree(user, "supervisor", "planner", lookup="customer__office")
