"""Rounds of asking: who is asked by which way, what came of it, what it led to.

A round asks customers by link or by phone, or units about each other (征询意见函, "互为
客户"). Sources: R-VIS-08 to 12, 14 to 16, 18 to 20; domain.md 7.6.
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
from crm.teams.models import Team
from customers.models import Customer, choices
from delivery.models.inspections import Check
from delivery.models.surveys import Invitation, Question, QuestionnaireVersion


class RoundQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Supervisors: those of their offices, and those above that reach into them."""
        return reaching(user, "supervisor")


class SurveyRound(models.Model):
    """One questionnaire asked of a sample, or of all, in a time."""

    class Way(models.TextChoices):
        PHONE = "phone", _("Follow-up calls")
        SMS = "sms", _("Link by SMS")
        PRINT = "print", _("Printed letters")
        UNITS = "units", _("Letters between units")

    class Target(models.TextChoices):
        """What is asked about (R-VIS-12, R-VIS-15)."""

        PICKUP = "pickup", _("Pick-up service")
        DELIVERY = "delivery", _("Delivery service")
        CALLS = "calls", _("Call service")
        OVERALL = "overall", pgettext_lazy("target", "Service as a whole")

    name = models.CharField(_("name"), max_length=60)
    version = models.ForeignKey(
        QuestionnaireVersion,
        models.PROTECT,
        related_name="rounds",
        verbose_name=_("questionnaire"),
    )
    way = models.CharField(pgettext_lazy("visit", "how"), max_length=5, choices=Way)
    target = models.CharField(
        _("about"), max_length=8, choices=Target, default=Target.OVERALL
    )
    topic = models.CharField(_("topic"), max_length=60, blank=True)
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    opens_on = models.DateField(_("from"))
    closes_on = models.DateField(_("until"))
    is_census = models.BooleanField(_("ask everybody"), default=False)
    quota = models.PositiveSmallIntegerField(
        _("so many a stratum"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=_("A stratum: kind of customer × product × outlet."),
    )
    attempts = models.PositiveSmallIntegerField(
        _("attempts at most"),
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(9)],
    )
    gap_hours = models.PositiveSmallIntegerField(
        _("hours between attempts"), default=4, validators=[MaxValueValidator(240)]
    )
    benchmark = models.DecimalField(
        _("industry benchmark, of 100"),
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    repeats = models.PositiveSmallIntegerField(
        _("again every so many months"),
        default=0,
        validators=[MaxValueValidator(12)],
        help_text=_("0: once only. The next round compares itself with this one."),
    )
    before = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("compare with"),
    )
    team = models.ForeignKey(
        Team,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("team that calls"),
        help_text=_("Others are offered only the calls that nobody in it can make."),
    )
    whom = models.JSONField(default=dict)  # product, since, until; or rated units
    size = models.PositiveIntegerField(null=True)  # once drawn
    ended_at = models.DateTimeField(null=True)  # by hand, before its last day
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    objects = RoundQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="round_forward", condition=Q(closes_on__gte=F("opens_on"))
            ),
            models.CheckConstraint(
                name="round_numbers",
                condition=Q(
                    quota__range=(1, 1000), attempts__range=(1, 9), repeats__lte=12
                )
                & (Q(benchmark=None) | Q(benchmark__range=(0, 100))),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("delivery:round", args=[self.pk])


class MemberQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return subtree(user, "agent", "supervisor")

    def waiting(self) -> Self:
        return self.filter(state=SurveyMember.State.WAITING)


class SurveyMember(models.Model):
    """Somebody who is asked: a customer, or a unit about another. `office` is whose
    service is rated; the answers are the invitation's."""

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("member", "Not asked yet")
        SENT = "sent", pgettext_lazy("member", "Sent")
        ANSWERED = "answered", pgettext_lazy("member", "Answered")
        UNREACHED = "unreached", pgettext_lazy("member", "Not reached")
        REFUSED = "refused", pgettext_lazy("member", "Refused")

    class Code(models.TextChoices):
        """How a call ended without an answer."""

        NO_ANSWER = "no_answer", _("Nobody answers")
        BUSY = "busy", _("Busy")
        OFF = "off", _("Switched off")
        LATER = "later", _("Asks to be called later")
        WRONG = "wrong", _("Wrong number")
        REFUSED = "refused", pgettext_lazy("call", "Refuses")

    FINAL = (Code.WRONG, Code.REFUSED)

    round = models.ForeignKey(SurveyRound, models.CASCADE, related_name="members")
    customer = models.ForeignKey(
        Customer, models.CASCADE, null=True, related_name="survey_members"
    )
    unit = models.ForeignKey(Office, models.PROTECT, null=True, related_name="+")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    segment = models.CharField(max_length=10, blank=True, choices=choices.Segment)
    product = models.CharField(max_length=40, blank=True)
    stratum_size = models.PositiveIntegerField(default=1)  # of the population
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    code = models.CharField(max_length=9, choices=Code, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField()
    taken_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    taken_until = models.DateTimeField(null=True)
    invitation = models.OneToOneField(
        Invitation, models.SET_NULL, null=True, related_name="member"
    )
    ref = models.CharField(max_length=40, blank=True)  # the order, of imported results
    imported_by = models.UUIDField(null=True, editable=False)

    objects = MemberQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="member_of_one_kind",
                condition=Q(customer=None, unit__isnull=False)
                | Q(customer__isnull=False, unit=None)
                | Q(unit=None) & ~Q(ref=""),
            ),
            models.UniqueConstraint(
                name="member_customer_once",
                fields=["round", "customer"],
                condition=Q(ref=""),
            ),
            models.UniqueConstraint(
                name="member_ref_once", fields=["round", "ref"], condition=~Q(ref="")
            ),
            models.UniqueConstraint(
                name="member_unit_once", fields=["round", "unit", "office"]
            ),
            models.CheckConstraint(
                name="member_unit_not_itself",
                condition=Q(unit=None) | ~Q(unit=F("office")),
            ),
        ]
        indexes = [
            models.Index(
                name="member_next",
                fields=["next_at", "id"],
                condition=Q(state="waiting"),
            ),
            models.Index(name="member_round_state", fields=["round", "state"]),
            models.Index(name="member_ref", fields=["ref"], condition=~Q(ref="")),
            models.Index(
                name="member_imported",
                fields=["imported_by"],
                condition=Q(imported_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.round_id}: {self.customer_id or self.unit_id}"


class ImprovementQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """One's own; those of the offices below for who supervises or inspects them."""
        return (
            subtree(user, "supervisor")
            | Q(owner=user)
            | subtree(user, "inspector") & Q(finding__isnull=False)
        )


class Improvement(models.Model):
    """What a weak item of a survey, a finding of an inspection or walkthrough, or a weak KPI
    led to: owner, last day, and whether it is better later (R-VIS-19, 20; R-KPI-44, 45)."""

    round = models.ForeignKey(
        SurveyRound, models.PROTECT, null=True, related_name="improvements"
    )
    question = models.ForeignKey(Question, models.PROTECT, null=True, related_name="+")
    finding = models.ForeignKey(
        Check, models.PROTECT, null=True, related_name="improvements"
    )
    # db_default: the release before writes rows without them (reliability.md B16).
    topic = models.CharField(max_length=200, blank=True, default="", db_default="")
    url = models.CharField(max_length=200, blank=True, default="", db_default="")
    kpi = models.CharField(max_length=40, blank=True, default="", db_default="")
    kpi_before = models.FloatField(null=True)  # in the KPI's unit
    kpi_after = models.FloatField(
        null=True
    )  # of the first whole month after it was done
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    what = models.CharField(_("what is done"), max_length=300)
    owner = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("who sees to it")
    )
    due_on = models.DateField(_("until"))
    score_before = models.FloatField(null=True)  # of 100, of the round
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    done_note = models.CharField(max_length=300, blank=True)
    judged_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    judged_at = models.DateTimeField(null=True)
    is_effective = models.BooleanField(null=True)
    judged_note = models.CharField(max_length=300, blank=True)

    objects = ImprovementQuerySet.as_manager()

    class Meta:
        ordering = ["due_on", "pk"]
        constraints = [
            models.CheckConstraint(
                name="improvement_of_one",
                condition=Q(
                    finding=None, round__isnull=False, question__isnull=False, topic=""
                )
                | Q(finding__isnull=False, round=None, question=None, topic="")
                | Q(finding=None, round=None, question=None) & ~Q(topic=""),
            ),
            models.CheckConstraint(
                name="improvement_done_first",
                condition=Q(is_effective=None) | Q(done_at__isnull=False),
            ),
            models.CheckConstraint(
                name="improvement_other_judge",
                condition=Q(judged_by=None)
                | ~Q(judged_by=F("owner")) & ~Q(judged_by=F("done_by")),
            ),
        ]

    def __str__(self) -> str:
        return self.what
