"""Bulletins and who has read them (R-KPI-02, R-KPI-40)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.dashboards.periods import Kind, Span
from crm.org.models import Office


class BulletinQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Drafts: who may write them there. Published ones: also who received them."""
        received = Receipt.objects.filter(user=user).values("bulletin")
        return subtree(user, "supervisor") | Q(pk__in=received)


class Bulletin(models.Model):
    """A bulletin (通报): figures of a period, units in order, those below target by name;
    written, approved by another, published with a number, read (R-KPI-02, R-KPI-40).

    `tables` are the figures as they stood when they were last taken in; after approval
    nothing changes any more.
    """

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("bulletin", "Draft")
        APPROVED = "approved", pgettext_lazy("bulletin", "Approved")
        PUBLISHED = "published", pgettext_lazy("bulletin", "Published")
        ARCHIVED = "archived", pgettext_lazy("bulletin", "Archived")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    title = models.CharField(_("title"), max_length=80)
    kind = models.CharField(max_length=8, choices=Kind)
    first = models.DateField()
    last = models.DateField()
    kpis = ArrayField(models.CharField(max_length=40), verbose_name=_("figures"))
    units = models.ManyToManyField(Office, related_name="+", verbose_name=_("units"))
    opening = models.TextField(_("opening"), max_length=4000, blank=True)
    closing = models.TextField(_("demands and closing"), max_length=4000, blank=True)
    tables = models.JSONField(default=list)
    counted_at = models.DateTimeField(null=True)
    is_final = models.BooleanField(default=False)  # of final figures only
    state = models.CharField(max_length=9, choices=State, default=State.DRAFT)
    version = models.PositiveIntegerField(default=1)  # one more with each change
    year = models.PositiveSmallIntegerField(null=True)
    number = models.PositiveSmallIntegerField(null=True)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    edited_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    approved_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    approved_at = models.DateTimeField(null=True)
    published_at = models.DateTimeField(null=True)
    files_at = models.DateTimeField(null=True)  # PDF and DOCX are made

    objects = BulletinQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="bulletin_number", fields=["office", "year", "number"]
            ),
            models.CheckConstraint(
                name="bulletin_four_eyes",
                condition=Q(approved_by=None)
                | ~Q(approved_by=F("made_by"))
                & (Q(edited_by=None) | ~Q(approved_by=F("edited_by"))),
            ),
            models.CheckConstraint(
                name="bulletin_published",
                condition=Q(state__in=["draft", "approved"], published_at=None)
                | Q(
                    state__in=["published", "archived"],
                    published_at__isnull=False,
                    number__isnull=False,
                    approved_by__isnull=False,
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("dashboards:bulletin", args=[self.pk])

    @property
    def span(self) -> Span:
        return Span(Kind(self.kind), self.first, self.last)

    @property
    def ref(self) -> str:
        """The number as it is printed: 〔2026〕12号."""
        return f"〔{self.year}〕{self.number}号" if self.number else ""


class Receipt(models.Model):
    """Who a bulletin went to, and when they first opened it."""

    bulletin = models.ForeignKey(Bulletin, models.CASCADE, related_name="receipts")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="receipt_once", fields=["bulletin", "user"])
        ]
        indexes = [models.Index(name="receipt_of_user", fields=["user", "bulletin"])]

    def __str__(self) -> str:
        return f"{self.bulletin_id} {self.user_id}"
