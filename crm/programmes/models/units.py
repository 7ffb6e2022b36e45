"""Between units: requests with a reply time, and the periodic reports they owe.

Sources: R-ORG-15, 35, 39, 45; domain.md 6.2 for working time.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.roles import Role
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office

# Who speaks for a unit: those who handle its work, and who lead it.
SPEAKERS = (Role.SUPERVISOR, Role.HANDLER)


class RequestQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Those of the asking unit and of the asked one."""
        return subtree(user, *SPEAKERS, lookup="asking") | subtree(
            user, *SPEAKERS, lookup="asked"
        )


class UnitRequest(models.Model):
    """A unit asks another, as its customer, for something by a time (R-ORG-15, 35)."""

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("request", "Asked")
        TAKEN = "taken", pgettext_lazy("request", "In work")
        ANSWERED = "answered", pgettext_lazy("request", "Answered")
        CLOSED = "closed", pgettext_lazy("request", "Closed")
        WITHDRAWN = "dropped", pgettext_lazy("request", "Withdrawn")

    asking = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("from")
    )
    asked = models.ForeignKey(
        Office,
        models.PROTECT,
        related_name="+",
        verbose_name=pgettext_lazy("unit", "to"),
    )
    subject = models.CharField(_("subject"), max_length=100)
    text = models.TextField(_("what is needed"), max_length=4000)
    hours = models.PositiveSmallIntegerField(
        _("working hours to answer"),
        default=16,
        validators=[MinValueValidator(1), MaxValueValidator(400)],
    )
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    due_at = models.DateTimeField()
    taken_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    reply = models.TextField(max_length=4000, blank=True)
    replied_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    replied_at = models.DateTimeField(null=True)
    rating = models.PositiveSmallIntegerField(null=True)  # 1…5, by who asked
    closed_at = models.DateTimeField(null=True)

    objects = RequestQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="unit_request_two_units",
                condition=~Q(asking=F("asked")),
                violation_error_message=_("A unit cannot ask itself."),
            ),
            models.CheckConstraint(
                name="unit_request_answered",
                condition=Q(state__in=["open", "taken", "dropped"], replied_at=None)
                | Q(state__in=["answered", "closed"], replied_at__isnull=False),
            ),
            models.CheckConstraint(
                name="unit_request_rating",
                condition=Q(rating=None) | Q(rating__range=(1, 5)),
            ),
        ]
        indexes = [
            models.Index(name="unit_request_asked", fields=["asked", "-made_at"]),
            models.Index(name="unit_request_asking", fields=["asking", "-made_at"]),
        ]

    def __str__(self) -> str:
        return self.subject

    def get_absolute_url(self) -> str:
        return reverse("programmes:unit_request", args=[self.pk])


class ReportQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Those that one's unit owes, and those that are owed to it."""
        return subtree(user, *SPEAKERS, lookup="duty__office") | subtree(
            user, Role.SUPERVISOR, lookup="duty__reader"
        )


class ReportDuty(models.Model):
    """A unit reports to another every month (R-ORG-45)."""

    office = models.ForeignKey(
        Office,
        models.PROTECT,
        related_name="+",
        verbose_name=pgettext_lazy("report", "who reports"),
    )
    reader = models.ForeignKey(
        Office,
        models.PROTECT,
        related_name="+",
        verbose_name=pgettext_lazy("report", "to whom"),
    )
    title = models.CharField(_("title"), max_length=100)
    day = models.PositiveSmallIntegerField(
        _("day of the next month"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(28)],
    )
    is_active = models.BooleanField(default=True)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["office__path", "title"]
        constraints = [
            models.UniqueConstraint(
                name="report_duty_once",
                fields=["office", "reader", "title"],
                condition=Q(is_active=True),
                violation_error_message=_("This report is asked for already."),
            ),
            models.CheckConstraint(
                name="report_duty_day", condition=Q(day__range=(1, 28))
            ),
        ]

    def __str__(self) -> str:
        return self.title


class DutyReport(models.Model):
    """The report of a month: filed, then commented by its reader."""

    duty = models.ForeignKey(ReportDuty, models.PROTECT, related_name="reports")
    month = models.DateField()  # its first day
    due_on = models.DateField()
    text = models.TextField(_("report"), max_length=10_000, blank=True)
    filed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    filed_at = models.DateTimeField(null=True)
    comment = models.CharField(_("guidance"), max_length=1000, blank=True)
    commented_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = ReportQuerySet.as_manager()

    class Meta:
        ordering = ["-month", "-pk"]
        constraints = [
            models.UniqueConstraint(name="duty_report_once", fields=["duty", "month"]),
            models.CheckConstraint(
                name="duty_report_filed",
                condition=Q(filed_at=None, commented_by=None)
                | Q(filed_at__isnull=False, filed_by__isnull=False) & ~Q(text=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.duty} {self.month:%Y-%m}"

    def get_absolute_url(self) -> str:
        return reverse("programmes:report", args=[self.pk])
