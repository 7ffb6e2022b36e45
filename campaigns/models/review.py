"""The gate: customer-orientation review in two stages, and the pilot.

Sources: R-CAM-45…50, domain.md 7.5.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from campaigns.models.seasons import Season
from crm.access.models import User
from customers.models import Customer

MARK = [MinValueValidator(1), MaxValueValidator(5)]


class OrientationReview(models.Model):
    """How a season looks to the customer: assessed by who starts it, countersigned by
    another person of the service department. An edit afterwards voids the countersignature.
    """

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("review", "Being written")
        SUBMITTED = (
            "submitted",
            pgettext_lazy("review", "Waits for the countersignature"),
        )
        SENT_BACK = "sent_back", pgettext_lazy("review", "Sent back")
        SIGNED = "signed", pgettext_lazy("review", "Countersigned")

    season = models.OneToOneField(Season, models.CASCADE, related_name="review")
    affected = models.CharField(_("affected customers"), max_length=400)
    changes = models.CharField(_("what changes for them"), max_length=600)
    complaints = models.PositiveIntegerField(
        _("complaints expected"), help_text=_("In the whole season.")
    )
    script = models.TextField(_("script for the call centre"), max_length=4000)
    state = models.CharField(
        max_length=9, choices=State, default=State.DRAFT, editable=False
    )
    initiator = models.ForeignKey(
        User, models.PROTECT, editable=False, related_name="+"
    )
    submitted_at = models.DateTimeField(null=True, editable=False)
    countersigned_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, editable=False)
    reply = models.CharField(
        _("judgement of the service department"), max_length=600, editable=False
    )

    class Meta:
        constraints = [
            # Two different persons (R-CAM-46).
            models.CheckConstraint(
                name="review_two_people",
                condition=Q(countersigned_by=None)
                | ~Q(countersigned_by=F("initiator")),
            ),
            models.CheckConstraint(
                name="review_signed",
                condition=~Q(state="signed") | Q(countersigned_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.season_id} {self.state}"


class ReviewRisk(models.Model):
    """A risk to customers: how likely, how bad, and what is done about it."""

    review = models.ForeignKey(OrientationReview, models.CASCADE, related_name="risks")
    words = models.CharField(_("risk"), max_length=300)
    likelihood = models.PositiveSmallIntegerField(
        _("likelihood, 1 to 5"), validators=MARK
    )
    impact = models.PositiveSmallIntegerField(_("impact, 1 to 5"), validators=MARK)
    measure = models.CharField(_("counter-measure"), max_length=300)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                name="review_risk_marks",
                condition=Q(likelihood__range=(1, 5), impact__range=(1, 5)),
            )
        ]

    def __str__(self) -> str:
        return self.words[:40]

    @property
    def weight(self) -> int:
        return self.likelihood * self.impact


class PilotUser(models.Model):
    """A business supervisor (a customer) who tries the season's offer before all others,
    for a term, with the fee waived (R-CAM-47, R-CAM-48)."""

    season = models.ForeignKey(Season, models.CASCADE, related_name="pilot_users")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    applied_on = models.DateField(_("applied on"))
    first_day = models.DateField(_("from"))
    last_day = models.DateField(_("until"))
    waiver = models.DecimalField(
        _("fee waived, yuan"),
        max_digits=10,
        decimal_places=2,
        default=0,
        validators=[MinValueValidator(0)],
    )
    is_accepted = models.BooleanField(null=True, editable=False)
    decided_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                name="pilot_user_once",
                fields=["season", "customer"],
                violation_error_message=_("This customer is in the pilot already."),
            ),
            models.CheckConstraint(
                name="pilot_user_forward",
                condition=Q(last_day__gte=F("first_day"), waiver__gte=0),
                violation_error_message=_("The term ends before it begins."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.season_id} {self.customer_id}"


class PilotFinding(models.Model):
    """A problem or suggestion of a pilot user, and its reward (R-CAM-49)."""

    class Kind(models.TextChoices):
        PROBLEM = "problem", pgettext_lazy("pilot", "Problem")
        SUGGESTION = "suggestion", pgettext_lazy("pilot", "Suggestion")

    user = models.ForeignKey(PilotUser, models.CASCADE, related_name="findings")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    words = models.CharField(_("in words"), max_length=400)
    reward = models.DecimalField(
        _("reward, yuan of payment card"),
        max_digits=8,
        decimal_places=2,
        default=0,
        validators=[MinValueValidator(0)],
    )
    done = models.CharField(_("what was done about it"), max_length=300, blank=True)
    noted_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )
    noted_on = models.DateField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                name="pilot_finding_reward", condition=Q(reward__gte=0)
            )
        ]

    def __str__(self) -> str:
        return self.words[:40]
