"""Money for customers, and who is answerable: claims, findings, units that help."""

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from complaints.compensation import Damage, Excuse, Mail, Regime, Rule
from complaints.models.work import Complaint
from crm.access.models import User
from crm.org.models import Office


def _yuan(label: Any, **facts: Any) -> models.DecimalField:
    return models.DecimalField(
        label,
        max_digits=12,
        decimal_places=2,
        validators=[MinValueValidator(0)],
        **facts,
    )


class Claim(models.Model):
    """One compensation: reckoned by rule, proposed, approved by somebody whose office may
    decide so much, paid, recovered from who is liable. Amounts in yuan."""

    class State(models.TextChoices):
        PROPOSED = "proposed", pgettext_lazy("claim", "To be approved")
        APPROVED = "approved", pgettext_lazy("claim", "To be paid")
        REFUSED = "refused", pgettext_lazy("claim", "Refused")
        PAID = "paid", pgettext_lazy("claim", "Paid")
        RECOVERED = "recovered", pgettext_lazy("claim", "Recovered")

    complaint = models.ForeignKey(Complaint, models.PROTECT, related_name="claims")
    regime = models.CharField(_("rule of"), max_length=20, choices=Regime)
    mail = models.CharField(
        _("mail"), max_length=10, choices=Mail, default=Mail.RECORDED
    )
    damage = models.CharField(_("damage"), max_length=6, choices=Damage)
    excuse = models.CharField(
        _("no liability because"), max_length=10, choices=Excuse, blank=True
    )
    postage = _yuan(_("postage"))
    loss = _yuan(_("actual loss"), null=True, blank=True)
    insured = _yuan(_("insured value"), null=True, blank=True)
    total = _yuan(_("total value"), null=True, blank=True)
    declared = _yuan(_("declared value"), null=True, blank=True)
    suggested = _yuan(_("by the rule"))
    ceiling = _yuan(_("ceiling"), null=True)
    rule = models.CharField(max_length=16, choices=Rule)
    rule_version = models.CharField(max_length=10)
    amount = _yuan(_("amount"))
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    is_over_limit = models.BooleanField(default=False)  # above the rule's ceiling
    is_unusual = models.BooleanField(default=False)  # far above what such cases cost
    is_green = models.BooleanField(default=False)  # 绿色通道: decided first
    is_advance = models.BooleanField(_("paid in advance"), default=False)  # 先行赔付
    state = models.CharField(max_length=10, choices=State, default=State.PROPOSED)
    proposed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision = models.CharField(max_length=300, blank=True)
    paid_at = models.DateTimeField(null=True)
    paid_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    voucher = models.CharField(_("voucher"), max_length=40, blank=True)
    recovered = _yuan(_("recovered"), null=True, blank=True)
    recovered_from = models.ForeignKey(
        Office, models.PROTECT, null=True, related_name="+"
    )
    recovered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-proposed_at"]
        constraints = [
            models.CheckConstraint(
                name="claim_two_people",
                condition=Q(decided_by=None) | ~Q(decided_by=models.F("proposed_by")),
            ),
            models.CheckConstraint(
                name="claim_recovered_at_most",
                condition=Q(recovered=None) | Q(recovered__lte=models.F("amount")),
            ),
            models.CheckConstraint(
                name="claim_otherwise_why",
                condition=Q(amount=models.F("suggested")) | ~Q(reason=""),
            ),
            models.UniqueConstraint(
                name="claim_one_running",
                fields=["complaint"],
                condition=Q(state__in=["proposed", "approved"]),
            ),
        ]
        indexes = [
            models.Index(
                name="claim_to_decide",
                fields=["state", "-is_green", "proposed_at"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.complaint_id} {self.amount}"


class Finding(models.Model):
    """Who is answerable and for what: fault (有责) or failed duty (履职); with a share,
    open to objection, ruled on by the level above. Sheets read these rows."""

    class Basis(models.TextChoices):
        FAULT = "fault", _("Fault")
        DUTY = "duty", _("Failed duty")

    class State(models.TextChoices):
        STANDS = "stands", pgettext_lazy("finding", "Stands")
        OBJECTED = "objected", pgettext_lazy("finding", "Objected to")
        UPHELD = "upheld", pgettext_lazy("finding", "Upheld")
        LIFTED = "lifted", pgettext_lazy("finding", "Lifted")

    complaint = models.ForeignKey(Complaint, models.PROTECT, related_name="findings")
    basis = models.CharField(_("basis"), max_length=6, choices=Basis)
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("unit")
    )
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    team = models.CharField(_("team"), max_length=40, blank=True)
    share = models.PositiveSmallIntegerField(
        _("share, %"), validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    note = models.CharField(_("what was found"), max_length=300)
    state = models.CharField(max_length=10, choices=State, default=State.STANDS)
    found_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    found_at = models.DateTimeField()
    objection = models.CharField(max_length=300, blank=True)
    objected_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    ruling = models.CharField(max_length=300, blank=True)
    ruled_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    ruled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["found_at"]
        constraints = [
            models.CheckConstraint(
                name="finding_share", condition=Q(share__gte=1, share__lte=100)
            ),
            models.CheckConstraint(
                name="finding_other_judge",
                condition=Q(ruled_by=None) | ~Q(ruled_by=models.F("found_by")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.complaint_id} {self.basis} {self.share} %"


class CoHandler(models.Model):
    """协办: a unit asked to help; answered, and rated by who asked (R-CMP-19)."""

    complaint = models.ForeignKey(Complaint, models.CASCADE, related_name="helpers")
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("unit")
    )
    request = models.CharField(_("what is asked"), max_length=300)
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    reply = models.CharField(max_length=1000, blank=True)
    replied_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    replied_at = models.DateTimeField(null=True)
    rating = models.PositiveSmallIntegerField(null=True)  # 1 to 5

    class Meta:
        ordering = ["asked_at"]
        constraints = [
            models.UniqueConstraint(name="helper_once", fields=["complaint", "office"]),
            models.CheckConstraint(
                name="helper_rating",
                condition=Q(rating=None)
                | Q(rating__gte=1, rating__lte=5, replied_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.complaint_id} {self.office_id}"
