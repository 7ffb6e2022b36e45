"""What becomes of a work order: its outcome, merges, suspicions of buck-passing, presence."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from complaints.kinds import Kind, Severity
from complaints.models.work import Complaint
from crm.access.models import User
from crm.org.models import Office
from customers.models import choices


class Outcome(models.Model):
    """The answer to the customer and what was found; a complaint is archived with all of
    it or not at all (domain.md 6.3). Who is liable stands in findings (Finding)."""

    class How(models.TextChoices):
        PHONE = "phone", _("By phone")
        SMS = "sms", _("By text message")
        LETTER = "letter", _("By letter or e-mail")
        VISIT = "visit", _("In person")

    class Liability(models.TextChoices):
        NONE = "none", pgettext_lazy("liability", "Nobody")
        UNIT = "unit", _("Unit")
        TEAM = "team", _("Team")
        PERSON = "person", _("Person")

    class Cause(models.TextChoices):
        SORTING = "sorting", _("Sorting or transport")
        DELIVERY = "delivery", pgettext_lazy("cause", "Delivery")
        PICKUP = "pickup", _("Pickup")
        COUNTER = "counter", pgettext_lazy("cause", "Counter")
        PACKING = "packing", _("Packing")
        ADDRESS = "address", _("Address data")
        SYSTEM = "system", _("System")
        ATTITUDE = "attitude", _("Attitude")
        PROMISE = "promise", _("Wrong promise")
        CUSTOMER = "customer", _("Customer")
        FORCE = "force", _("Force majeure")
        OTHER = "other", _("Other")

    class Check(models.TextChoices):
        SATISFIED = "satisfied", _("Satisfied")
        UNSATISFIED = "unsatisfied", _("Not satisfied")
        UNREACHABLE = "unreachable", _("Not reached")

    complaint = models.OneToOneField(
        Complaint, models.CASCADE, primary_key=True, related_name="outcome"
    )
    answer = models.TextField(blank=True)
    told_at = models.DateTimeField(null=True)  # R-CMP-23
    told_how = models.CharField(max_length=8, choices=How, blank=True)
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    liability = models.CharField(max_length=8, choices=Liability, blank=True)
    cause = models.CharField(max_length=10, choices=Cause, blank=True)
    cause_note = models.CharField(max_length=300, blank=True)
    measure = models.CharField(max_length=300, blank=True)  # corrective; or none needed
    measure_needed = models.BooleanField(default=True)
    check_result = models.CharField(max_length=12, choices=Check, blank=True)
    satisfaction = models.PositiveSmallIntegerField(null=True)  # 1 to 5
    checked_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    checked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="outcome_satisfaction",
                condition=Q(satisfaction=None)
                | Q(satisfaction__gte=1, satisfaction__lte=5),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.complaint_id}"


class Joining(models.Model):
    """A duplicate that went into another work order; undone, it stands again as before."""

    survivor = models.ForeignKey(Complaint, models.CASCADE, related_name="joined")
    merged = models.ForeignKey(Complaint, models.CASCADE, related_name="joinings")
    before = models.CharField(max_length=12)  # the state of the merged one until then
    moved_children = ArrayField(models.BigIntegerField(), default=list)
    at = models.DateTimeField()
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    undone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["at"]
        constraints = [
            models.UniqueConstraint(
                name="joining_once", fields=["merged"], condition=Q(undone_at=None)
            ),
            models.CheckConstraint(
                name="joining_two", condition=~Q(survivor=F("merged"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.merged_id} → {self.survivor_id}"


class BuckPassing(models.Model):
    """推诿: units pass a work order about or let it lie. Found by the sweep, confirmed or
    dismissed by a person; only a confirmed one weighs (domain.md 6.3)."""

    class Sign(models.TextChoices):
        BOUNCES = "bounces", _("Sent back twice or more")
        IDLE = "idle", _("Nothing done for half of the time")

    class State(models.TextChoices):
        RAISED = "raised", pgettext_lazy("suspicion", "To be judged")
        CONFIRMED = "confirmed", pgettext_lazy("suspicion", "Confirmed")
        DISMISSED = "dismissed", pgettext_lazy("suspicion", "Dismissed")

    complaint = models.ForeignKey(Complaint, models.CASCADE, related_name="suspicions")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    sign = models.CharField(max_length=8, choices=Sign)
    state = models.CharField(max_length=10, choices=State, default=State.RAISED)
    raised_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-raised_at"]
        constraints = [
            models.UniqueConstraint(
                name="suspicion_once", fields=["complaint", "office", "sign"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.complaint_id} {self.sign}"


class Presence(models.Model):
    """Who has a work order open right now, and whether they are writing."""

    complaint = models.ForeignKey(Complaint, models.CASCADE, related_name="present")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    seen_at = models.DateTimeField()
    is_writing = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="presence_once", fields=["complaint", "user"])
        ]

    def __str__(self) -> str:
        return f"{self.user_id} @ {self.complaint_id}"


class Desk(models.Model):
    """A dedicated desk (专席) of an office: its members are the ones with the skill."""

    name = models.CharField(_("name"), max_length=40)
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    members = models.ManyToManyField(
        User, blank=True, related_name="desks", verbose_name=_("members")
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(name="desk_once", fields=["office", "name"])
        ]

    def __str__(self) -> str:
        return self.name


class RoutingRule(models.Model):
    """Where a new work order goes: the first rule that fits, by `position`. An empty
    condition fits everything."""

    class Target(models.TextChoices):
        TAKER = "taker", _("Office that took it (call centre)")
        OWNER = "owner", _("Customer's own office")
        COORDINATOR = "coordinator", _("Coordinator of the province")
        OFFICE = "office", _("A named office")

    position = models.PositiveSmallIntegerField(_("position"))
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )  # whose rule: for what it and those below take in
    kind = models.CharField(_("type"), max_length=16, choices=Kind, blank=True)
    severity = models.CharField(
        _("severity"), max_length=8, choices=Severity, blank=True
    )
    segment = models.CharField(
        _("segment"), max_length=10, choices=choices.Segment, blank=True
    )
    is_inter_province = models.BooleanField(_("between provinces"), default=False)
    benefit = models.CharField(max_length=20, blank=True)  # of the customer's grade
    target = models.CharField(_("goes to"), max_length=12, choices=Target)
    target_office = models.ForeignKey(
        Office,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("named office"),
    )
    desk = models.ForeignKey(
        Desk, models.PROTECT, null=True, blank=True, verbose_name=_("desk")
    )
    is_fast_lane = models.BooleanField(_("fast lane"), default=False)
    gives_person = models.BooleanField(_("give it to a person"), default=False)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(
                name="rule_names_its_office",
                condition=~Q(target="office") | Q(target_office__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.position}"
