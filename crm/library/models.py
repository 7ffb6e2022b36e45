"""Documents that staff live by: rules, standards, posts, promises, policies, plans; their
editions, and who has read which.

Sources: R-ORG-23, 24, 29…31, 34; R-RSK-04, 08, 10…13; R-KPI-63.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.roles import Role
from crm.access.scoping import ScopedQuerySet, reaching, subtree
from crm.org.models import Office


class DocumentQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """What is issued here or above, everybody; drafts, who writes them."""
        issued = Q(current__isnull=False)
        return reaching(user, *Role.values) & issued | subtree(user, Role.SUPERVISOR)


class Document(models.Model):
    """Something written that holds for an office and all below it, in editions."""

    class Kind(models.TextChoices):
        RULE = "rule", pgettext_lazy("document", "Rules")
        STANDARD = "standard", pgettext_lazy("document", "Process or post standard")
        POST = "post", pgettext_lazy("document", "Post and its duties")
        PROMISE = "promise", pgettext_lazy("document", "Promises to customers")
        POLICY = "policy", pgettext_lazy("document", "Security policy")
        GUIDANCE = "guidance", pgettext_lazy("document", "Binding guidance")
        INCENTIVE = "incentive", pgettext_lazy("document", "Incentives")
        LAW = "law", pgettext_lazy("document", "Legal basis")
        EMERGENCY = "emergency", pgettext_lazy("document", "Emergency plan")

    class Slot(models.TextChoices):
        """The documents that must exist (R-ORG-24, R-RSK-04)."""

        SERVICE = "service", _("Rules of customer service in the province")
        CONTRACT = "contract", _("Rules for contract customers")
        COMPLAINTS = "complaints", _("Process for complaints")
        STAFF = "staff", _("Assessment of service staff")
        SECURITY = "security", _("Data-security policy")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    slot = models.CharField(
        pgettext_lazy("document", "stands for"),
        max_length=10,
        choices=Slot,
        blank=True,
        help_text=_("One of the documents that every province must have."),
    )
    title = models.CharField(_("title"), max_length=100)
    roles = ArrayField(
        models.CharField(max_length=20, choices=Role),
        verbose_name=_("concerns"),
        blank=True,
        default=list,
        help_text=_("Nobody ticked: everybody."),
    )
    is_signed = models.BooleanField(
        _("everybody concerned confirms having read it"), default=False
    )
    current = models.OneToOneField(
        "Edition", models.PROTECT, null=True, related_name="+"
    )  # the newest one issued; none: a draft, or withdrawn
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    objects = DocumentQuerySet.as_manager()

    class Meta:
        ordering = ["title", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="document_slot_once",
                fields=["office", "slot"],
                condition=~Q(slot=""),
                violation_error_message=_("There is such a document already."),
            )
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("library:document", args=[self.pk])


class Edition(models.Model):
    """A text of a document: written, issued by another, replaced by the next."""

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("document", "Draft")
        ISSUED = "issued", pgettext_lazy("document", "In force")
        REPLACED = "replaced", pgettext_lazy("document", "Replaced")

    document = models.ForeignKey(Document, models.CASCADE, related_name="editions")
    number = models.PositiveSmallIntegerField()
    text = models.TextField(_("text"), max_length=40_000)
    change = models.CharField(_("what is new"), max_length=300, blank=True)
    effective_on = models.DateField(_("in force from"))
    state = models.CharField(max_length=8, choices=State, default=State.DRAFT)
    version = models.PositiveIntegerField(default=1)  # one more with each change
    written_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    issued_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    issued_at = models.DateTimeField(null=True)
    replaced_on = models.DateField(null=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(name="edition_once", fields=["document", "number"]),
            models.UniqueConstraint(
                name="edition_one_draft",
                fields=["document"],
                condition=Q(state="draft"),
            ),
            models.CheckConstraint(
                name="edition_four_eyes",
                condition=Q(state="draft", issued_by=None)
                | Q(issued_by__isnull=False) & ~Q(issued_by=F("written_by")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document} {self.number}"


class Promise(models.Model):
    """What an edition promises customers: content, price, time limit (R-ORG-30)."""

    edition = models.ForeignKey(Edition, models.CASCADE, related_name="promises")
    content = models.CharField(_("service"), max_length=120)
    price = models.CharField(pgettext_lazy("promise", "price"), max_length=80)
    limit = models.CharField(_("time limit"), max_length=80)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.content


class Reading(models.Model):
    """Somebody whom an edition concerns, asked to read it; and when they confirmed."""

    edition = models.ForeignKey(Edition, models.CASCADE, related_name="readings")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")  # theirs
    asked_at = models.DateTimeField()
    due_on = models.DateField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(name="reading_once", fields=["edition", "user"])
        ]
        indexes = [
            models.Index(
                name="reading_waits", fields=["user"], condition=Q(read_at=None)
            ),
            models.Index(name="reading_of_office", fields=["office", "asked_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.edition_id} {self.user_id}"
