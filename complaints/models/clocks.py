"""Limits as data, the clocks of each work order, their pauses and extensions."""

from datetime import date
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils.timezone import localdate
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from complaints.kinds import Channel, Kind
from complaints.models.work import Complaint
from crm.access.models import User
from crm.org.models import Office


class Clock(models.TextChoices):
    """What must have happened by when."""

    FIRST = "first", _("First answer")
    CONTACT = "contact", _("First contact")
    RESOLUTION = "resolution", _("Promise")
    LEGAL = "legal", _("Legal limit")
    APPEAL = "appeal", _("Answer to the regulator")
    FOLLOW_UP = "follow_up", _("Follow-up")


class Basis(models.TextChoices):
    LAW = "law", _("Law")
    PROVINCE = "province", _("Provincial rule")
    PROMISE = "promise", pgettext_lazy("limit", "Promise")
    TIER = "tier", _("Customer's grade")


class LimitQuerySet(models.QuerySet):
    def in_force(self, on: date) -> Self:
        return self.filter(Q(until=None) | Q(until__gte=on), since__lte=on)


class Limit(models.Model):
    """How long something may take, and who says so. All that fit a work order are
    reckoned, the earliest binds. Either `minutes` of working time or `days` of the
    calendar. Never changed: ended, and another begun."""

    code = models.CharField(max_length=40, unique=True, null=True)  # of ours: seeds
    kind = models.CharField(_("type"), max_length=16, choices=Kind)
    clock = models.CharField(_("clock"), max_length=10, choices=Clock)
    basis = models.CharField(_("basis"), max_length=10, choices=Basis)
    minutes = models.PositiveIntegerField(_("working minutes"), null=True, blank=True)
    days = models.PositiveSmallIntegerField(_("calendar days"), null=True, blank=True)
    office = models.ForeignKey(
        Office, models.PROTECT, null=True, blank=True, verbose_name=_("office")
    )  # it and below; none: everywhere
    channel = models.CharField(_("channel"), max_length=14, choices=Channel, blank=True)
    is_abroad = models.BooleanField(_("international"), null=True)  # none: both
    benefit = models.CharField(max_length=20, blank=True)  # of the customer's grade
    source = models.CharField(_("source"), max_length=120)
    since = models.DateField(_("valid from"), default=localdate)
    until = models.DateField(_("valid to"), null=True, blank=True)  # its last day

    objects = LimitQuerySet.as_manager()

    class Meta:
        ordering = ["kind", "clock", "basis", "pk"]
        constraints = [
            models.CheckConstraint(
                name="limit_one_measure",
                condition=Q(minutes=None, days__gte=1, days__lte=366)
                | Q(minutes__gte=1, minutes__lte=200_000, days=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.clock}: {self.minutes or self.days}"


class Milestone(models.Model):
    """One clock of a work order. Working minutes are those of the handling office and
    stand still while the work order waits for its customer; days of the calendar nothing
    stops. `next_at` is when the sweep has something to say; empty once it is met."""

    Kind = Clock

    complaint = models.ForeignKey(Complaint, models.CASCADE, related_name="milestones")
    kind = models.CharField(max_length=10, choices=Clock)
    round = models.PositiveSmallIntegerField(default=1)  # one more each time reopened
    limit = models.ForeignKey(Limit, models.PROTECT, null=True, related_name="+")
    starts_at = models.DateTimeField()
    minutes = models.PositiveIntegerField(null=True)
    days = models.PositiveSmallIntegerField(null=True)
    due_at = models.DateTimeField()
    extended_to = models.DateTimeField(null=True)  # granted: a fixed moment
    is_provisional = models.BooleanField(default=False)
    met_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)
    told = models.PositiveSmallIntegerField(default=0)  # 1 warned, then one a level up

    class Meta:
        ordering = ["round", "due_at"]
        constraints = [
            models.UniqueConstraint(
                name="milestone_once", fields=["complaint", "kind", "round"]
            ),
            models.CheckConstraint(
                name="milestone_one_measure",
                condition=Q(minutes=None, days__isnull=False)
                | Q(minutes__isnull=False, days=None),
            ),
            models.CheckConstraint(
                name="milestone_met_is_silent",
                condition=Q(met_at=None) | Q(next_at=None),
            ),
        ]
        indexes = [
            models.Index(
                name="milestone_next",
                fields=["next_at"],
                condition=Q(next_at__isnull=False),
            ),
            models.Index(
                Coalesce("extended_to", "due_at"), name="milestone_until"
            ),  # the figures of a period
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.due_at}"

    @property
    def was_late(self) -> bool:
        return self.met_at is not None and self.met_at > self.due_at


class Pause(models.Model):
    """A time in which a work order waited for its customer: working clocks stand still."""

    complaint = models.ForeignKey(Complaint, models.CASCADE, related_name="pauses")
    from_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["from_at"]
        constraints = [
            models.UniqueConstraint(
                name="pause_one_open",
                fields=["complaint"],
                condition=Q(until_at=None),
            ),
            models.CheckConstraint(
                name="pause_ends_after",
                condition=Q(until_at=None) | Q(until_at__gte=models.F("from_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_at} – {self.until_at}"


class Extension(models.Model):
    """More time for one clock: asked with a reason, granted by somebody else who is
    responsible higher up. A legal limit moves in no other way."""

    class State(models.TextChoices):
        ASKED = "asked", pgettext_lazy("extension", "Waits for approval")
        GRANTED = "granted", pgettext_lazy("extension", "Granted")
        REFUSED = "refused", pgettext_lazy("extension", "Refused")

    milestone = models.ForeignKey(Milestone, models.CASCADE, related_name="extensions")
    until_at = models.DateTimeField(_("until"))
    before_at = models.DateTimeField()  # what was due until then
    reason = models.CharField(_("reason"), max_length=300)
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["asked_at"]
        constraints = [
            models.CheckConstraint(
                name="extension_two_people",
                condition=Q(decided_by=None) | ~Q(decided_by=models.F("asked_by")),
            ),
            models.UniqueConstraint(
                name="extension_one_asked",
                fields=["milestone"],
                condition=Q(state="asked"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.milestone_id} → {self.until_at}"
