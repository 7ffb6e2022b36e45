"""Complaints: logged, moved from state to state, answered in time."""

import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from complaints.workflow import CLOSED, State
from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.fields import EncryptedText
from crm.org.models import Office
from customers.models import Customer

SOON = timedelta(hours=24)


class ComplaintQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Agents: their bureau's; handlers: assigned to their office;
        managers: of their portfolio; supervisors: the subtree."""
        found = subtree(user, "agent", "supervisor")
        found |= subtree(user, "handler", "supervisor", lookup="handling_office")
        own = Q(customer__manager=user) | Q(customer__assistant=user)
        return found | own & subtree(user, "manager", lookup="customer__office")

    def open(self) -> Self:
        return self.exclude(state__in=CLOSED)

    def overdue(self, at: datetime) -> Self:
        return self.open().filter(legal_due_at__lt=at)

    def for_list(self) -> Self:
        """With all that one table row shows, the most urgent first: one query."""
        related = self.select_related("customer__office", "office", "handling_office")
        return related.defer("customer__id_number", "customer__name_bigrams")


class Complaint(models.Model):
    """A customer's grievance until it is archived. Its clocks are rows (Milestone); the
    three due times here are those in force, for lists."""

    class Category(models.TextChoices):
        DELAY = "delay", _("Delay")
        LOSS = "loss", _("Loss")
        DAMAGE = "damage", _("Damage or missing contents")
        ATTITUDE = "attitude", _("Service attitude")
        MISDELIVERY = "misdelivery", _("Misdelivery")
        CHARGE = "charge", _("Charges")
        OTHER = "other", _("Other")

    class Channel(models.TextChoices):
        HOTLINE = "hotline", _("11183 hotline")
        COUNTER = "counter", _("Counter")
        WEB = "web", _("Website")
        WECHAT = "wechat", _("WeChat")

    ref = models.CharField(max_length=20, unique=True)  # C-20261121-000317
    token = models.UUIDField(
        unique=True, default=uuid.uuid4
    )  # the form it came from, once
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, related_name="complaints"
    )
    caller_name = models.CharField(max_length=60, blank=True)
    caller_phone = EncryptedText()
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")  # took it in
    handling_office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    category = models.CharField(_("category"), max_length=12, choices=Category)
    channel = models.CharField(
        _("channel"), max_length=10, choices=Channel, default=Channel.HOTLINE
    )
    item_no = models.CharField(_("item number"), max_length=30, blank=True)
    text = models.TextField(_("what happened"))
    state = models.CharField(max_length=12, choices=State, default=State.NEW)
    opened_at = models.DateTimeField()
    first_answer_due_at = models.DateTimeField()
    promised_due_at = models.DateTimeField()
    legal_due_at = models.DateTimeField()
    is_provisional = models.BooleanField(default=False)  # leans on an undecreed year
    closed_at = models.DateTimeField(null=True)

    objects = ComplaintQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="complaint_closed_iff_closed_at",
                condition=Q(
                    state__in=["archived", "cancelled"], closed_at__isnull=False
                )
                | (~Q(state__in=["archived", "cancelled"]) & Q(closed_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="complaint_promise_legal",
                condition=Q(promised_due_at__lte=models.F("legal_due_at")),
            ),
        ]
        indexes = [
            models.Index(
                name="complaint_open_due",
                fields=["legal_due_at"],
                condition=~Q(state__in=["archived", "cancelled"]),
            ),
            models.Index(fields=["office", "-opened_at"], name="complaint_office"),
            models.Index(
                fields=["handling_office", "-opened_at"], name="complaint_handler"
            ),
            models.Index(fields=["customer", "-opened_at"], name="complaint_customer"),
            models.Index(fields=["-opened_at", "-id"], name="complaint_opened"),
        ]

    def __str__(self) -> str:
        return self.ref

    def get_absolute_url(self) -> str:
        return reverse("complaints:detail", args=[self.ref])

    @property
    def is_open(self) -> bool:
        return self.state not in CLOSED

    def is_overdue(self, at: datetime) -> bool:
        return self.is_open and self.legal_due_at < at

    def is_due_soon(self, at: datetime) -> bool:
        return (
            self.is_open and not self.is_overdue(at) and self.legal_due_at < at + SOON
        )


class ComplaintMove(models.Model):
    """One change of state: who, when, from where to where, and why."""

    complaint = models.ForeignKey(Complaint, models.CASCADE, related_name="moves")
    at = models.DateTimeField()
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    before = models.CharField(max_length=12, choices=State, blank=True)
    after = models.CharField(max_length=12, choices=State)
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.before}→{self.after}"


class Milestone(models.Model):
    """One clock of a complaint: what must have happened by when.

    Either `minutes` of the handling office's working time, which stand still while the
    complaint waits for its customer, or `days` of the calendar, which nothing stops.
    `next_at` is when the sweep has something to say; empty once it is met.
    """

    class Kind(models.TextChoices):
        FIRST = "first", _("First answer")
        RESOLUTION = "resolution", _("Promise (working hours)")
        LEGAL = "legal", _("Legal limit (7 days)")

    complaint = models.ForeignKey(Complaint, models.CASCADE, related_name="milestones")
    kind = models.CharField(max_length=10, choices=Kind)
    round = models.PositiveSmallIntegerField(default=1)  # one more each time reopened
    starts_at = models.DateTimeField()
    minutes = models.PositiveIntegerField(null=True)
    days = models.PositiveSmallIntegerField(null=True)
    due_at = models.DateTimeField()
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
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.due_at}"

    @property
    def was_late(self) -> bool:
        return self.met_at is not None and self.met_at > self.due_at


class Pause(models.Model):
    """A time in which a complaint waited for its customer: working clocks stand still."""

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


class Attachment(models.Model):
    """A file of a complaint, under a random name outside the web root."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    complaint = models.ForeignKey(Complaint, models.CASCADE, related_name="attachments")
    name = models.CharField(max_length=120)
    content_type = models.CharField(max_length=40)  # found in the bytes, never as sent
    size = models.PositiveIntegerField()
    added_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["added_at"]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> Path:
        return Path(settings.FILES_ROOT) / "attachments" / str(self.pk)
