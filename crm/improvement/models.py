"""Front-line feedback: what people at the counter and on the road see and propose."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office


class FeedbackQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """One's own, whatever became of it; supervisors see their subtree's."""
        return Q(by=user) | subtree(user, "supervisor")

    def open(self) -> Self:
        return self.filter(due_at__isnull=False)


class Feedback(models.Model):
    """A problem, a suggestion or a need (R-CMP-41, R-CMP-47). The branch settles what it
    can and keeps the gate; the province's service department dispatches the rest."""

    class Kind(models.TextChoices):
        PROBLEM = "problem", _("Problem")
        SUGGESTION = "suggestion", pgettext_lazy("feedback", "Suggestion")
        NEED = "need", _("Need")

    class State(models.TextChoices):
        BRANCH = "branch", _("With the branch")
        PROVINCE = "province", _("With the province")
        DISPATCHED = "dispatched", _("With a department")
        SOLVED = "solved", _("Solved")
        DECLINED = "declined", _("Not taken up")

    class Department(models.TextChoices):
        SERVICE = "service", _("Customer service")
        MARKETING = "marketing", _("Marketing")
        OPERATIONS = "operations", _("Network operation")
        DELIVERY = "delivery", pgettext_lazy("department", "Delivery")
        TECHNOLOGY = "technology", _("Information technology")
        FINANCE = "finance", _("Finance")
        STAFF = "staff", _("Human resources")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    title = models.CharField(_("in one line"), max_length=80)
    text = models.TextField(_("what was seen, what would be better"), max_length=4000)
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State, default=State.BRANCH)
    department = models.CharField(max_length=12, choices=Department, blank=True)
    due_at = models.DateTimeField(null=True)  # of the step it is at; closed: none
    is_passed_up = models.BooleanField(default=False)
    closed_at = models.DateTimeField(null=True)
    points = models.DecimalField(max_digits=4, decimal_places=1, default=0)

    objects = FeedbackQuerySet.as_manager()

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.CheckConstraint(
                name="feedback_due_iff_open",
                condition=Q(
                    state__in=["solved", "declined"],
                    due_at__isnull=True,
                    closed_at__isnull=False,
                )
                | (
                    ~Q(state__in=["solved", "declined"])
                    & Q(due_at__isnull=False, closed_at__isnull=True)
                ),
            ),
            models.CheckConstraint(
                name="feedback_dispatched_somewhere",
                condition=~Q(state="dispatched") | ~Q(department=""),
            ),
        ]
        indexes = [
            models.Index(fields=["by", "-at"], name="feedback_of"),
            models.Index(
                fields=["due_at"],
                name="feedback_due",
                condition=Q(due_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class FeedbackLine(models.Model):
    """One step of it: the submitter reads them all (R-CMP-46)."""

    feedback = models.ForeignKey(Feedback, models.CASCADE, related_name="lines")
    at = models.DateTimeField()
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=Feedback.State)
    note = models.TextField(max_length=2000)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.feedback_id} {self.state}"
