"""What happened with a customer, what is asked about them, and what is to be done."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.fields import EncryptedText
from crm.org.models import Office
from customers.models import choices
from customers.models.customer import Customer


class TimelineEntry(models.Model):
    """Something that happened with a customer, written down by the app it happened in.

    `source` is that app's unique key, so the same fact is one entry. A note that a person
    wrote is an entry with a text and an author.
    """

    class Note(models.TextChoices):
        """The kinds that people write: needs of the four types (R-CUS-41…45), market
        (R-CUS-61), news (R-CUS-62), recommendations (R-CUS-64)."""

        NEWS = "news", _("News of the customer")
        NEED_BASIC = "need_basic", _("Need: basic (punctual, safe, exact)")
        NEED_EXTENDED = "need_extended", _("Need: extended (packing, COD, receipts)")
        NEED_DIFFERENTIAL = (
            "need_differential",
            _("Need: differential (fast, cheap, easy)"),
        )
        NEED_LATENT = "need_latent", _("Need: latent (personal, made to measure)")
        COMPETITOR = "competitor", _("Competitor")
        MARKET = "market", _("Market")
        RECOMMENDATION = "recommendation", _("Recommended product")

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="timeline")
    kind = models.CharField(max_length=30)
    at = models.DateTimeField()
    ref = models.CharField(
        max_length=40, blank=True
    )  # as people call it: C-20261121-000317
    title = models.CharField(
        max_length=200
    )  # a message id: translated when it is shown
    text = EncryptedText()  # as a person wrote it
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    url = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=40, blank=True)  # a message id too
    is_open = models.BooleanField(default=False)
    source = models.CharField(max_length=80, unique=True)

    class Meta:
        indexes = [
            models.Index(fields=["customer", "-at"], name="timeline_customer_at")
        ]

    def __str__(self) -> str:
        return self.title


class ServicePoint(models.Model):
    """A service point (服务要点) that a person pinned or a higher app put in.

    Those computed from data are not stored: customers.service_points makes them.
    """

    class Tone(models.TextChoices):
        BAD = "bad", pgettext_lazy("tone", "Urgent")
        WARN = "warn", pgettext_lazy("tone", "Mind")
        INFO = "info", pgettext_lazy("tone", "Good to know")

    customer = models.ForeignKey(
        Customer, models.CASCADE, related_name="service_points"
    )
    text = models.CharField(_("service point"), max_length=120)
    tone = models.CharField(_("weight"), max_length=4, choices=Tone, default=Tone.INFO)
    source = models.CharField(max_length=80, unique=True)
    valid_until = models.DateField(_("valid until"), null=True, blank=True)
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return self.text


class SegmentChange(models.Model):
    """A customer's way from one segment to another (domain.md 10.4)."""

    customer = models.ForeignKey(
        Customer, models.CASCADE, related_name="segment_changes"
    )
    at = models.DateTimeField()
    before = models.CharField(max_length=10, choices=choices.Segment)
    after = models.CharField(max_length=10, choices=choices.Segment)
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.before}→{self.after}"


class Consent(models.Model):
    """A consent for one purpose, from when to when. The latest row is the one in force."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="consents")
    purpose = models.CharField(_("purpose"), max_length=12, choices=choices.Purpose)
    given_at = models.DateTimeField()
    how = models.CharField(_("how it was given"), max_length=120)
    withdrawn_at = models.DateTimeField(null=True)
    by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-given_at"]
        constraints = [
            models.UniqueConstraint(
                name="consent_one_in_force",
                fields=["customer", "purpose"],
                condition=Q(withdrawn_at=None),
            )
        ]

    def __str__(self) -> str:
        return self.purpose


class CorrectionQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Whoever may change the customer, and the person who asked."""
        agents = subtree(user, "agent", "supervisor", lookup="customer__office")
        own = Q(customer__manager=user) | Q(customer__assistant=user)
        mine = own & subtree(user, "manager", lookup="customer__office")
        return agents | mine | Q(raised_by=user)


class CorrectionRequest(models.Model):
    """Somebody says that a record is wrong (R-CUS-58, R-CUS-59): with state and reply."""

    class Field(models.TextChoices):
        NAME = "name", _("Name")
        PHONE = "phone", _("Phone")
        ADDRESS = "address", _("Address")
        CONTACT = "contact", _("Contact person")
        SEGMENT = "segment", _("Segment")
        OTHER = "other", pgettext_lazy("field", "Something else")

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("correction", "Open")
        APPLIED = "applied", pgettext_lazy("correction", "Applied")
        DECLINED = "declined", pgettext_lazy("correction", "Declined")

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="corrections")
    field = models.CharField(_("what is wrong"), max_length=10, choices=Field)
    wanted = EncryptedText(_("how it should be"))
    raised_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")  # of the asker
    raised_at = models.DateTimeField(auto_now_add=True)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    reply = models.CharField(_("reply"), max_length=200, blank=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    objects = CorrectionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="correction_decided",
                condition=Q(state="open", decided_at=None)
                | Q(~Q(state="open"), ~Q(reply=""), decided_at__isnull=False),
            )
        ]
        indexes = [
            models.Index(
                name="correction_open", fields=["raised_at"], condition=Q(state="open")
            )
        ]

    def __str__(self) -> str:
        return f"{self.field} of {self.customer_id}"


class TaskQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """One's own; supervisors see those of their offices' customers."""
        return Q(assignee=user) | subtree(user, "supervisor", lookup="customer__office")


class Task(models.Model):
    """Something to do for a customer by a day, made by a rule or by a person."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="tasks")
    kind = models.CharField(max_length=20)
    title = models.CharField(max_length=120)  # a message id
    ref = models.CharField(max_length=60, blank=True)
    due_on = models.DateField()
    assignee = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    source = models.CharField(max_length=80, unique=True)
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = TaskQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                name="task_open",
                fields=["assignee", "due_on"],
                condition=Q(done_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def alert(self) -> int | None:
        """The alert that it is done by answering."""
        kind, _sep, pk = self.source.partition(":")
        return int(pk) if kind == "alert" else None


class Opportunity(models.Model):
    """A chance of business or a cooperation project (R-CUS-30, R-CUS-63)."""

    class Kind(models.TextChoices):
        OPPORTUNITY = "opportunity", _("Opportunity")
        COOPERATION = "cooperation", _("Cooperation project")
        HEADQUARTERS = "headquarters", _("Headquarters project (express and logistics)")

    class Stage(models.TextChoices):
        LEAD = "lead", _("Lead")
        TALKS = "talks", _("Talks")
        OFFER = "offer", _("Offer")
        TRIAL = "trial", _("Trial")
        WON = "won", _("Won")
        LOST = "lost", _("Lost")

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="opportunities")
    kind = models.CharField(
        _("kind"), max_length=12, choices=Kind, default=Kind.OPPORTUNITY
    )
    title = models.CharField(_("title"), max_length=80)
    stage = models.CharField(
        _("stage"), max_length=6, choices=Stage, default=Stage.LEAD
    )
    revenue = models.DecimalField(
        _("expected revenue a year"),
        max_digits=14,
        decimal_places=2,
        null=True,
        blank=True,
    )
    due_on = models.DateField(_("next step by"), null=True, blank=True)
    problems = models.CharField(_("problems"), max_length=300, blank=True)
    evaluation = models.CharField(_("evaluation"), max_length=300, blank=True)
    owner = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                name="opportunity_revenue",
                condition=Q(revenue=None) | Q(revenue__gte=0),
            )
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        return self.stage not in (self.Stage.WON, self.Stage.LOST)
