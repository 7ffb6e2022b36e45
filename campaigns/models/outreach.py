"""Outreach: steps with delays and conditions, who is in it, what each step did.

Sources: R-CAM-14, 15, 16, 39, 52; anchors.md 2.7.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from campaigns.models.seasons import Season
from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, reaching, subtree
from crm.notify.models import Message
from crm.org.models import Office
from customers.models import Customer, SavedView
from customers.models.choices import Segment


class CampaignQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return reaching(user, "manager", "supervisor", "planner")


class Campaign(models.Model):
    """A sequence of steps for chosen customers of an office, within a season.

    Who is in it is fixed when it starts; a customer comes in once, or again `again_days`
    after the sequence ended for it. Each step reaches each customer once.
    """

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("campaign", "In preparation")
        GATHERING = "gathering", pgettext_lazy("campaign", "List being made")
        RUNNING = "running", pgettext_lazy("campaign", "Running")
        PAUSED = "paused", pgettext_lazy("campaign", "Paused")
        DONE = "done", pgettext_lazy("campaign", "Ended")

    class Whom(models.TextChoices):
        BASE = "base", _("Ordered last season")
        LOST = "lost", _("Ordered last season, not yet in this one")
        PROSPECTS = "prospects", _("Prospects of the season's events")
        VIEW = "view", _("A saved view of customers")

    season = models.ForeignKey(Season, models.CASCADE, related_name="campaigns")
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    name = models.CharField(_("name"), max_length=60)
    whom = models.CharField(_("whom"), max_length=9, choices=Whom)
    view = models.ForeignKey(
        SavedView,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("saved view"),
    )
    without = models.ForeignKey(
        SavedView,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("without the customers of"),
    )
    again_days = models.PositiveSmallIntegerField(
        _("in again after days"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(400)],
        help_text=_("Empty: nobody comes in twice."),
    )
    stops_on_answer = models.BooleanField(_("stops on an answer"), default=True)
    stops_on_order = models.BooleanField(_("stops on an order"), default=True)
    stops_on_complaint = models.BooleanField(
        _("stops while a complaint is open"), default=True
    )
    state = models.CharField(max_length=9, choices=State, default=State.DRAFT)
    size = models.PositiveIntegerField(default=0, editable=False)
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )
    made_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, editable=False)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("campaigns:campaign", args=[self.pk])


class OutreachStep(models.Model):
    """One step: how, so many days after the one before, on what condition, what is said."""

    class Way(models.TextChoices):
        VISIT = "visit", pgettext_lazy("way", "Visit")
        CALL = "call", pgettext_lazy("way", "Call")
        SMS = "sms", _("SMS")
        EMAIL = "email", _("E-mail")
        LETTER = "letter", pgettext_lazy("way", "Letter")

    class If(models.TextChoices):
        ALWAYS = "always", pgettext_lazy("step", "Always")
        UNANSWERED = "unanswered", pgettext_lazy("step", "Without an answer so far")
        ANSWERED = "answered", pgettext_lazy("step", "After an answer")

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField(editable=False)
    way = models.CharField(_("how"), max_length=6, choices=Way)
    delay = models.PositiveSmallIntegerField(
        _("days after the step before"), default=0, validators=[MaxValueValidator(200)]
    )
    condition = models.CharField(
        _("on condition"), max_length=10, choices=If, default=If.ALWAYS
    )
    subject = models.CharField(_("subject"), max_length=100, blank=True)
    body = models.TextField(_("what is said"), max_length=1000)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                name="outreach_step_once", fields=["campaign", "position"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.position} {self.way}"


class StepVariant(models.Model):
    """What is said to a group of customers instead (R-CAM-39)."""

    step = models.ForeignKey(OutreachStep, models.CASCADE, related_name="variants")
    segment = models.CharField(_("customer group"), max_length=10, choices=Segment)
    body = models.TextField(_("what is said"), max_length=1000)

    class Meta:
        ordering = ["segment"]
        constraints = [
            models.UniqueConstraint(
                name="step_variant_once",
                fields=["step", "segment"],
                violation_error_message=_("This group has its own words already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.step_id} {self.segment}"


class Contact(models.Model):
    """A customer in a campaign: which step comes next and when, or why it stopped."""

    class State(models.TextChoices):
        ACTIVE = "active", pgettext_lazy("contact", "On the way")
        DONE = "done", pgettext_lazy("contact", "Through")
        STOPPED = "stopped", pgettext_lazy("contact", "Stopped")

    class Stop(models.TextChoices):
        ANSWER = "answer", pgettext_lazy("stop", "Answered")
        ORDER = "order", pgettext_lazy("stop", "Ordered")
        COMPLAINT = "complaint", pgettext_lazy("stop", "Complaint open")
        GONE = "gone", pgettext_lazy("stop", "Merged or erased")

    class Answer(models.TextChoices):
        INTERESTED = "interested", pgettext_lazy("answer", "Interested")
        LATER = "later", pgettext_lazy("answer", "Later")
        NO = "no", pgettext_lazy("answer", "Not interested")

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="contacts")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+")
    entry = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=7, choices=State, default=State.ACTIVE)
    stopped_by = models.CharField(max_length=9, choices=Stop, blank=True)
    position = models.PositiveSmallIntegerField(default=1)  # of the next step
    due_at = models.DateTimeField()
    answer = models.CharField(max_length=10, choices=Answer, blank=True)
    answered_at = models.DateTimeField(null=True)
    entered_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="outreach_contact_once", fields=["campaign", "customer", "entry"]
            )
        ]
        indexes = [
            models.Index(
                name="outreach_contact_due",
                fields=["campaign", "due_at", "id"],
                condition=Q(state="active"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.customer_id}"


class TouchQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        own = Q(contact__customer__manager=user) | Q(contact__customer__assistant=user)
        office = "contact__customer__office"
        mine = own & subtree(user, "manager", lookup=office)
        return mine | subtree(user, "supervisor", lookup=office)


class Touch(models.Model):
    """What one step did for one customer: claimed once, never twice."""

    class Outcome(models.TextChoices):
        OPEN = "open", pgettext_lazy("touch", "To be done")
        SENT = "sent", pgettext_lazy("touch", "Handed over")
        ANSWERED = "answered", pgettext_lazy("touch", "Answered")
        NOBODY = "nobody", pgettext_lazy("touch", "Nobody reached")
        REFUSED = "refused", pgettext_lazy("touch", "No consent, or no address")

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="touches")
    step = models.ForeignKey(OutreachStep, models.PROTECT, related_name="touches")
    outcome = models.CharField(max_length=8, choices=Outcome)
    message = models.ForeignKey(
        Message, models.SET_NULL, null=True, related_name="+"
    )  # whether it left the house is read there
    attempts = models.PositiveSmallIntegerField(default=0)  # of a call
    due_at = models.DateTimeField(null=True)  # when to call again
    at = models.DateTimeField()
    done_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = TouchQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="touch_once", fields=["contact", "step"])
        ]
        indexes = [
            models.Index(fields=["step", "outcome"], name="touch_step"),
            models.Index(
                name="touch_open", fields=["due_at", "id"], condition=Q(outcome="open")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contact_id} {self.step_id} {self.outcome}"
