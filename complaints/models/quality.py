"""Quality checks of what agents logged, and corrective actions that follow a complaint."""

from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from complaints.models.work import Complaint
from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office

FULL_MARKS = 100


class QualitySheet(models.Model):
    """What a check looks at: one version of one office's sheet, or of the house. Published
    it does not change any more; checks keep the version they were scored by."""

    office = models.ForeignKey(Office, models.PROTECT, null=True, related_name="+")
    version = models.PositiveSmallIntegerField(default=1)
    pass_mark = models.PositiveSmallIntegerField(
        _("passed from"),
        default=85,
        validators=[MinValueValidator(1), MaxValueValidator(FULL_MARKS)],
    )
    published_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    published_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="quality_sheet_version",
                fields=["office", "version"],
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.office_id or '-'} v{self.version}"


class QualityPoint(models.Model):
    """One line of a sheet: so many marks at most, or a fatal error that takes them all."""

    sheet = models.ForeignKey(QualitySheet, models.CASCADE, related_name="points")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(_("point"), max_length=60)
    name_zh = models.CharField(_("Chinese name"), max_length=40, blank=True)
    marks = models.PositiveSmallIntegerField(_("marks"), default=0)  # 0 when fatal
    is_fatal = models.BooleanField(_("fatal error"), default=False)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                name="quality_point_position", fields=["sheet", "position"]
            ),
            models.CheckConstraint(
                name="quality_point_marks",
                condition=Q(is_fatal=True, marks=0)
                | Q(is_fatal=False, marks__gte=1, marks__lte=FULL_MARKS),
            ),
        ]

    def __str__(self) -> str:
        is_chinese = (get_language() or "").startswith("zh")
        return (self.name_zh if is_chinese else self.name) or self.name


class QualityCheckQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Checkers and supervisors: their subtree's; agents: what is scored of them."""
        own = Q(agent=user) & ~Q(state=QualityCheck.State.DRAWN)
        return subtree(user, "quality_checker", "supervisor") | own

    def for_list(self) -> Self:
        return self.select_related(
            "complaint", "agent", "office", "sheet", "checked_by", "ruled_by", "coach"
        )


class QualityCheck(models.Model):
    """One work order of one agent, drawn at random for a month and scored by a sheet
    (domain.md 6.4); the agent may appeal once; what failed is coached."""

    class State(models.TextChoices):
        DRAWN = "drawn", pgettext_lazy("check", "To be checked")
        SCORED = "scored", pgettext_lazy("check", "Scored")
        APPEALED = "appealed", pgettext_lazy("check", "Appealed")
        RULED = "ruled", pgettext_lazy("check", "Ruled on")

    complaint = models.OneToOneField(
        Complaint, models.PROTECT, related_name="quality_check"
    )
    agent = models.ForeignKey(User, models.PROTECT, related_name="+")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")  # took it in
    month = models.DateField()  # its first day
    sheet = models.ForeignKey(QualitySheet, models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.DRAWN)
    given = models.JSONField(default=dict)  # point id → marks; fatal ones → true
    score = models.PositiveSmallIntegerField(null=True)
    is_fatal = models.BooleanField(default=False)
    note = models.CharField(max_length=500, blank=True)
    checked_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    checked_at = models.DateTimeField(null=True)
    appeal = models.CharField(max_length=500, blank=True)
    appealed_at = models.DateTimeField(null=True)
    ruling = models.CharField(max_length=500, blank=True)
    ruled_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    ruled_at = models.DateTimeField(null=True)
    score_before = models.PositiveSmallIntegerField(null=True)  # the ruling
    coach_by = models.DateField(null=True)  # last day of the coaching task
    coach = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    coached_at = models.DateTimeField(null=True)
    coaching = models.CharField(max_length=500, blank=True)  # what was agreed

    objects = QualityCheckQuerySet.as_manager()

    class Meta:
        ordering = ["-month", "agent_id", "pk"]
        constraints = [
            models.CheckConstraint(
                name="quality_check_other",
                condition=Q(checked_by=None) | ~Q(checked_by=F("agent")),
            ),
            models.CheckConstraint(
                name="quality_check_judge",
                condition=Q(ruled_by=None)
                | (~Q(ruled_by=F("checked_by")) & ~Q(ruled_by=F("agent"))),
            ),
            models.CheckConstraint(
                name="quality_check_scored",
                condition=Q(state="drawn", score=None)
                | (~Q(state="drawn") & Q(score__gte=0, score__lte=FULL_MARKS)),
            ),
        ]
        indexes = [
            models.Index(name="quality_check_agent", fields=["agent", "month"]),
            models.Index(
                name="quality_check_open",
                fields=["office", "month"],
                condition=Q(state__in=["drawn", "appealed"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.complaint_id} {self.state}"

    @property
    def has_passed(self) -> bool:
        if self.score is None or self.sheet is None:
            return False
        return self.score >= self.sheet.pass_mark


class CorrectiveActionQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Who has to do it, their office's handlers and supervisors, and who closed the
        work order."""
        offices = subtree(user, "handler", "supervisor", "quality_checker")
        return offices | Q(owner=user) | Q(made_by=user)

    def running(self) -> Self:
        return self.filter(done_at=None)

    def to_judge(self) -> Self:
        return self.filter(done_at__isnull=False, is_effective=None)


class CorrectiveAction(models.Model):
    """整改措施: what a complaint made necessary, who does it until when, and whether it
    helped (R-CMP-37)."""

    complaint = models.ForeignKey(Complaint, models.PROTECT, related_name="measures")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    owner = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    what = models.CharField(max_length=300)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    due_on = models.DateField()
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    done_note = models.CharField(max_length=300, blank=True)
    is_effective = models.BooleanField(null=True)
    judged_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    judged_at = models.DateTimeField(null=True)
    judged_note = models.CharField(max_length=300, blank=True)

    objects = CorrectiveActionQuerySet.as_manager()

    class Meta:
        ordering = ["due_on", "pk"]
        constraints = [
            models.CheckConstraint(
                name="measure_judged_when_done",
                condition=Q(is_effective=None) | Q(done_at__isnull=False),
            ),
            models.CheckConstraint(
                name="measure_other_judge",
                condition=Q(judged_by=None) | ~Q(judged_by=F("done_by")),
            ),
        ]
        indexes = [
            models.Index(
                name="measure_running",
                fields=["office", "due_on"],
                condition=Q(is_effective=None),
            )
        ]

    def __str__(self) -> str:
        return self.what
