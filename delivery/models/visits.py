"""Visits: rules that make them due, plans over frozen lists, the visits themselves.

Sources: domain.md 4.6 (annex 3), 5.3, 8.7; glossary 9.6.
"""

from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, reaching, subtree
from crm.org.models import Office
from customers.models import Customer


class VisitType(models.TextChoices):
    """What a visit is for; each has its rule, or is asked for by another module."""

    PRE_CAMPAIGN = "pre_campaign", _("Pre-campaign visit")
    NEED_SURVEY = "need_survey", _("Need survey of a new customer")
    AFTER_CAMPAIGN = "after_campaign", _("After-campaign follow-up")
    REGULAR = "regular", _("Regular visit")
    LEADERSHIP = "leadership", _("Leadership visit")
    ALERT = "alert", _("Visit after an alert")
    COMPLAINT = "complaint", _("Visit after a serious complaint")
    NEW_CONTRACT = "new_contract", _("New contract")
    APPOINTMENT = "appointment", _("Appointment")
    GREETING = "greeting", _("Greeting call")
    ACTIVITY = "activity", _("Service activity")
    OTHER = "other", pgettext_lazy("visit", "Other visit")


class Way(models.TextChoices):
    VISIT = "visit", pgettext_lazy("way", "Visit")
    CALL = "call", pgettext_lazy("way", "Call")


class VisitRuleQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Those of one's offices, those above them that hold there, those of the house."""
        return reaching(user, "supervisor", "manager") | Q(office=None)


class VisitRule(models.Model):
    """When a visit falls due. Of rules of one type the nearest office's hold; without an
    office, those of the house.

    REGULAR and LEADERSHIP: every `days`; NEW_CONTRACT: `days` after its first day; ALERT
    (working days) and COMPLAINT: within `days`. The window opens `slack` days ahead.
    """

    MADE = (
        VisitType.REGULAR,
        VisitType.LEADERSHIP,
        VisitType.NEW_CONTRACT,
        VisitType.ALERT,
        VisitType.COMPLAINT,
    )

    office = models.ForeignKey(
        Office,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("office"),
    )
    type = models.CharField(
        _("purpose"),
        max_length=14,
        choices=[(member.value, member.label) for member in MADE],
    )
    grade = models.CharField(
        _("grade"), max_length=12, blank=True, help_text=_("Its code; empty: any.")
    )
    at_least = models.PositiveIntegerField(
        _("yuan in twelve months, at least"), default=0
    )
    leader = models.CharField(
        _("visited by a leader of the"),
        max_length=12,
        blank=True,
        choices=Office.Level,
        help_text=_("Empty: by the customer manager."),
    )
    way = models.CharField(
        pgettext_lazy("visit", "how"), max_length=5, choices=Way, default=Way.VISIT
    )
    days = models.PositiveSmallIntegerField(
        _("days"), validators=[MinValueValidator(1), MaxValueValidator(730)]
    )
    slack = models.PositiveSmallIntegerField(
        _("days ahead that the window opens"),
        default=7,
        validators=[MaxValueValidator(180)],
    )
    is_on = models.BooleanField(_("in force"), default=True)
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = VisitRuleQuerySet.as_manager()

    class Meta:
        ordering = ["type", "-at_least", "days", "grade", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="visit_rule_once",
                fields=["office", "type", "grade", "at_least", "leader", "days"],
                nulls_distinct=False,
                violation_error_message=_("This office has such a rule."),
            ),
            models.CheckConstraint(
                name="visit_rule_days",
                condition=Q(days__range=(1, 730), slack__lte=180),
            ),
            models.CheckConstraint(
                name="visit_rule_needs",
                condition=(~Q(type="regular") | ~Q(grade=""))
                & (~Q(type="leadership") | Q(at_least__gt=0) & ~Q(leader="")),
                violation_error_message=_(
                    "A regular visit wants a grade; a leadership visit an amount and who goes."
                ),
            ),
        ]

    def __str__(self) -> str:
        return (
            f"{self.get_type_display()} {self.grade or self.at_least or ''} {self.days}"
        )


class VisitPlanQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Supervisors: those of their offices and those above that reach into them."""
        return reaching(user, "supervisor")


class VisitPlan(models.Model):
    """Everybody of a list visited within a time: the list is frozen when the plan is made,
    and its rows are visits that are never deleted (R-VIS-01: all of last season's)."""

    name = models.CharField(_("name"), max_length=60)
    type = models.CharField(_("purpose"), max_length=14, choices=VisitType)
    way = models.CharField(
        pgettext_lazy("visit", "how"), max_length=5, choices=Way, default=Way.VISIT
    )
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    first_day = models.DateField(_("from"))
    due_on = models.DateField(_("until"))
    whom = models.JSONField(default=dict)  # how the list was chosen, to be read
    size = models.PositiveIntegerField(default=0)  # when it was frozen
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    objects = VisitPlanQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="visit_plan_forward", condition=Q(due_on__gte=F("first_day"))
            )
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("delivery:plan", args=[self.pk])


class VisitQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """One's own; managers those of their customers; supervisors those of their
        offices' customers."""
        own = Q(customer__manager=user) | Q(customer__assistant=user)
        mine = own & subtree(user, "manager", lookup="customer__office")
        boss = subtree(user, "supervisor", lookup="customer__office")
        return Q(visitor=user) | mine | boss

    def visible_to(self, user: User) -> Self:
        """Without those that a merged record kept: its survivor is on the same list."""
        return super().visible_to(user).filter(customer__merged_into=None)

    def for_list(self) -> Self:
        return self.select_related(
            "customer__office",
            "customer__grade",
            "visitor",
            "plan",
            "rule",
            "covered_by",
        )

    def running(self) -> Self:
        return self.filter(state=Visit.State.OPEN)


class Visit(models.Model):
    """A visit, or a call, that is due within a window, planned for a day, and done.

    `source` says what made it, so that the same reason makes it once. `day` is empty until
    it is planned; `is_pinned` days were fixed by a person. `why` keeps the reason of the
    day as facts, worded where it is shown (delivery.visit_words).
    """

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("visit", "To be done")
        DONE = "done", pgettext_lazy("visit", "Done")
        DROPPED = "dropped", pgettext_lazy("visit", "Dropped")

    type = models.CharField(_("purpose"), max_length=14, choices=VisitType)
    way = models.CharField(max_length=5, choices=Way, default=Way.VISIT)
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="visits")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")  # as it was
    visitor = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    is_given = models.BooleanField(default=False)  # does not follow the manager
    plan = models.ForeignKey(
        VisitPlan, models.PROTECT, null=True, related_name="visits"
    )
    rule = models.ForeignKey(VisitRule, models.SET_NULL, null=True, related_name="+")
    source = models.CharField(max_length=80, unique=True)
    note = models.CharField(_("note"), max_length=300, blank=True)  # what it is about
    first_day = models.DateField()
    due_on = models.DateField()
    priority = models.PositiveSmallIntegerField(default=4)  # 1 to 9, 9 the first
    state = models.CharField(max_length=7, choices=State, default=State.OPEN)
    day = models.DateField(null=True)
    at = models.TimeField(null=True)  # an appointment's
    minutes = models.PositiveSmallIntegerField(default=60)
    place = models.PositiveSmallIntegerField(default=0)  # in the day's order
    is_pinned = models.BooleanField(default=False)
    why = models.JSONField(default=dict)
    misses = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateField(null=True)  # after a miss
    asked_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    closed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    closed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=200, blank=True)  # why it was dropped
    covered_by = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="covers"
    )  # one visit may do for several that were due; the report is that one's

    objects = VisitQuerySet.as_manager()

    class Meta:
        ordering = ["due_on", "pk"]
        constraints = [
            models.CheckConstraint(
                name="visit_window", condition=Q(due_on__gte=F("first_day"))
            ),
            models.CheckConstraint(
                name="visit_time_needs_day",
                condition=Q(at=None) | Q(day__isnull=False),
            ),
            models.CheckConstraint(
                name="visit_pin_needs_day",
                condition=Q(is_pinned=False) | Q(day__isnull=False),
            ),
            models.CheckConstraint(
                name="visit_closed",
                condition=Q(state="open", closed_at=None)
                | ~Q(state="open") & Q(closed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="visit_covered",
                condition=Q(covered_by=None) | Q(state="done"),
            ),
            models.CheckConstraint(
                name="visit_drop_reason",
                condition=~Q(state="dropped") | ~Q(reason=""),
            ),
            models.CheckConstraint(
                name="visit_minutes",
                condition=Q(minutes__range=(5, 600), priority__range=(1, 9)),
            ),
            models.UniqueConstraint(
                name="visit_plan_once", fields=["plan", "customer"]
            ),
        ]
        indexes = [
            models.Index(
                name="visit_visitor_day",
                fields=["visitor", "day"],
                condition=Q(state="open"),
            ),
            models.Index(
                name="visit_open_due",
                fields=["due_on", "id"],
                condition=Q(state="open"),
            ),
            models.Index(name="visit_plan_office", fields=["plan", "office", "state"]),
            models.Index(name="visit_due", fields=["due_on", "id"]),
            models.Index(name="visit_customer_type", fields=["customer", "type"]),
        ]

    def __str__(self) -> str:
        return f"{self.ref} {self.get_type_display()}"

    def get_absolute_url(self) -> str:
        return reverse("delivery:visit", args=[self.pk])

    @property
    def ref(self) -> str:
        return f"V-{self.pk}"
