"""Work orders: logged, moved from state to state, answered in time."""

import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from complaints.kinds import Channel, Group, Kind, Mood, Party, Scope, Severity
from complaints.models.catalogue import Category
from complaints.workflow import CLOSED, State
from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.fields import EncryptedText
from crm.org.models import Office
from customers.models import Customer

SOON = timedelta(hours=24)
CLOSED_VALUES = ["archived", "cancelled", "merged"]


class ComplaintQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Agents: their bureau's; handlers: assigned to their office; both: of their
        desks; managers: of their portfolio; supervisors and quality checkers: the
        subtree."""
        found = subtree(user, "agent", "supervisor", "quality_checker")
        found |= subtree(user, "handler", "supervisor", lookup="handling_office")
        if user.posts("agent", "handler", "supervisor"):
            found |= Q(desk__in=user.desks.values("pk"))  # their desk's, wherever it is
            helping = subtree(user, "handler", "supervisor", lookup="office")
            helpers = apps.get_model("complaints", "CoHandler").objects
            asked = helpers.filter(helping).values("complaint")
            found |= Q(pk__in=asked)  # asked to help
        own = Q(customer__manager=user) | Q(customer__assistant=user)
        return found | own & subtree(user, "manager", lookup="customer__office")

    def open(self) -> Self:
        return self.filter(due_at__isnull=False)

    def overdue(self, at: datetime) -> Self:
        return self.filter(due_at__lt=at)

    def past_the_law(self, at: datetime) -> Self:
        return self.open().filter(legal_due_at__lt=at)

    def for_list(self) -> Self:
        """With all that one table row shows, the most urgent first: one query."""
        related = self.select_related(
            "customer__office", "office", "handling_office", "owner", "subcategory"
        )
        return related.defer("customer__id_number", "customer__name_bigrams")


class Complaint(models.Model):
    """A work order of any type, from the call until it is archived; the trade calls them
    all after the commonest. Who took it (`created_by`), who answers for it (`owner`) and
    who complains (`caller_name`) are three people. Its clocks are rows (Milestone);
    `due_at` is the earliest that runs, `legal_due_at` the earliest that the law set."""

    Kind, Group, Channel, Scope = Kind, Group, Channel, Scope

    ref = models.CharField(max_length=20, unique=True)  # C-20261121-000317
    token = models.UUIDField(
        unique=True, default=uuid.uuid4
    )  # the form it came from, once
    kind = models.CharField(
        _("type"), max_length=16, choices=Kind, default=Kind.COMPLAINT
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, related_name="complaints"
    )
    caller_name = models.CharField(max_length=60, blank=True)
    caller_phone = EncryptedText()
    caller_index = models.BinaryField(max_length=32, null=True)  # blind, to find by
    party = models.CharField(max_length=10, choices=Party, blank=True)
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")  # took it in
    handling_office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    owner = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    category = models.CharField(
        _("class"), max_length=10, choices=Group, default=Group.OTHER
    )
    subcategory = models.ForeignKey(
        Category, models.PROTECT, null=True, related_name="+"
    )
    channel = models.CharField(
        _("channel"), max_length=14, choices=Channel, default=Channel.HOTLINE
    )
    item_no = models.CharField(_("item number"), max_length=30, blank=True)
    text = models.TextField(_("what happened"))
    new_address = EncryptedText()  # of a change of address: where the item is to go
    demand = models.CharField(max_length=300, blank=True)  # 诉求, R-CMP-35
    mood = models.CharField(max_length=12, choices=Mood, blank=True)
    scope = models.CharField(max_length=10, choices=Scope, blank=True)
    severity = models.CharField(max_length=8, choices=Severity, default=Severity.NORMAL)
    is_fast_lane = models.BooleanField(default=False)  # 快速通道
    is_forwarded = models.BooleanField(default=False)  # by the State Post Bureau
    is_upheld = models.BooleanField(null=True)  # verified as true, or not
    is_violation = models.BooleanField(default=False)  # of the rules, and serious
    # Closed only with liability, cause and measure; once so, so for good (handling.py).
    needs_finding = models.BooleanField(default=False)
    state = models.CharField(max_length=12, choices=State, default=State.NEW)
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    legal_due_at = models.DateTimeField(null=True)
    is_provisional = models.BooleanField(default=False)  # leans on an undecreed year
    closed_at = models.DateTimeField(null=True)
    rank = models.PositiveSmallIntegerField(default=5)  # what comes first is small
    version = models.PositiveIntegerField(default=1)  # one more with each change
    rounds = models.PositiveSmallIntegerField(default=1)
    nudges = models.PositiveSmallIntegerField(default=0)  # 催办
    bounces = models.PositiveSmallIntegerField(default=0)  # returned as not ours
    parent = models.ForeignKey(  # of a mass incident, answered for all at once
        "self", models.PROTECT, null=True, related_name="children"
    )
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="duplicates"
    )
    desk = models.ForeignKey(  # whose members take it first
        "complaints.Desk", models.PROTECT, null=True, related_name="+"
    )
    routed_by = models.ForeignKey(
        "complaints.RoutingRule", models.SET_NULL, null=True, related_name="+"
    )
    escalated_to = models.ForeignKey(  # whose supervisors know that it is late
        Office, models.PROTECT, null=True, related_name="+"
    )

    objects = ComplaintQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="complaint_closed_iff_closed_at",
                condition=Q(state__in=CLOSED_VALUES, closed_at__isnull=False)
                | (~Q(state__in=CLOSED_VALUES) & Q(closed_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="complaint_merged_iff_into",
                condition=Q(state="merged", merged_into__isnull=False)
                | (~Q(state="merged") & Q(merged_into__isnull=True)),
            ),
            models.CheckConstraint(
                name="complaint_due_legal",
                condition=Q(legal_due_at=None)
                | Q(due_at__lte=models.F("legal_due_at")),
            ),
            models.CheckConstraint(
                name="complaint_due_iff_open",
                condition=Q(state__in=CLOSED_VALUES, due_at__isnull=True)
                | (~Q(state__in=CLOSED_VALUES) & Q(due_at__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(
                name="complaint_open_due",
                fields=["due_at", "id"],
                condition=Q(due_at__isnull=False),
            ),
            # The queues (queue.py): what nobody has, of an office or of a desk; one's own.
            models.Index(
                name="complaint_free",
                fields=["handling_office", "rank", "due_at", "id"],
                condition=Q(due_at__isnull=False, owner=None, desk=None),
            ),
            models.Index(
                name="complaint_free_desk",
                fields=["desk", "rank", "due_at", "id"],
                condition=Q(due_at__isnull=False, owner=None, desk__isnull=False),
            ),
            models.Index(
                name="complaint_own",
                fields=["owner", "rank", "due_at", "id"],
                condition=Q(due_at__isnull=False, owner__isnull=False),
            ),
            models.Index(fields=["office", "-opened_at"], name="complaint_office"),
            models.Index(
                fields=["handling_office", "-opened_at"], name="complaint_handler"
            ),
            models.Index(fields=["customer", "-opened_at"], name="complaint_customer"),
            models.Index(fields=["-opened_at", "-id"], name="complaint_opened"),
            models.Index(
                fields=["closed_at"],
                name="complaint_closed",
                condition=Q(closed_at__isnull=False),
            ),
            models.Index(
                fields=["item_no"],
                name="complaint_item",
                condition=~Q(item_no=""),
            ),
            models.Index(
                fields=["caller_index"],
                name="complaint_caller",
                condition=Q(caller_index__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.ref

    def get_absolute_url(self) -> str:
        return reverse("complaints:detail", args=[self.ref])

    @property
    def is_open(self) -> bool:
        return self.state not in CLOSED

    def rank_now(self) -> int:
        """Where it stands in the queue, 0 first: what is grave, forwarded, of a key
        customer, or chased again and again comes before the rest (R-CMP-06, 30, 39)."""
        grave = {Severity.MAJOR: 3, Severity.URGENT: 2}.get(Severity(self.severity), 0)
        favour = 2 * self.is_fast_lane + 2 * self.is_forwarded
        return max(0, 5 - grave - favour - self.nudges // 2)

    def is_overdue(self, at: datetime) -> bool:
        return self.due_at is not None and self.due_at < at

    def is_due_soon(self, at: datetime) -> bool:
        return self.due_at is not None and at <= self.due_at < at + SOON


class ComplaintMove(models.Model):
    """One line of a work order's history: who, when, what, and why. Most are moves from
    state to state; the others leave the state as it is."""

    class What(models.TextChoices):
        MOVED = "moved", _("Moved")
        NOTED = "noted", pgettext_lazy("work order", "Noted")
        NUDGED = "nudged", _("Reminded")
        CONTACTED = "contacted", _("Customer contacted")
        HANDED = "handed", _("Handed over")
        CLAIMED = "claimed", pgettext_lazy("work order", "Taken")
        CONVERTED = "converted", _("Changed its type")
        CHANGED = "changed", pgettext_lazy("work order", "Changed")
        SKIPPED = "skipped", _("Passed over")
        SURVEYED = "surveyed", _("Survey")
        JOINED = "joined", pgettext_lazy("work order", "Merged or split")

    what = models.CharField(max_length=10, choices=What, default=What.MOVED)
    complaint = models.ForeignKey(Complaint, models.CASCADE, related_name="moves")
    at = models.DateTimeField()
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    before = models.CharField(max_length=12, choices=State, blank=True)
    after = models.CharField(max_length=12, choices=State)
    office = models.ForeignKey(  # that has it from then on
        Office, models.PROTECT, null=True, related_name="+"
    )
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.what} {self.before}→{self.after}"


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
