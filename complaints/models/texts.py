"""Words that are written again and again, and words that no customer should read."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from complaints.kinds import Group, Severity
from complaints.models.catalogue import Category
from complaints.workflow import ACTIONS
from crm.access.models import User
from crm.org.models import Office

# What a macro may do: nothing that asks for a judgement of its own.
MACRO_ACTIONS = ("note", "start", "contact", "answer", "suspend", "assign", "escalate")


class TextBlock(models.Model):
    """A text to insert: one person's own, or an office's for all at it and below. The body
    may name {variables} (texts.py); Alt and the digit insert it."""

    class Use(models.TextChoices):
        ANSWER = "answer", _("Answer to the customer")
        CALL = "call", _("What happened")

    use = models.CharField(_("place"), max_length=8, choices=Use, default=Use.ANSWER)
    title = models.CharField(_("title"), max_length=60)
    body = models.TextField(_("text"), max_length=1000)
    group = models.CharField(_("class"), max_length=10, choices=Group, blank=True)
    digit = models.PositiveSmallIntegerField(
        _("key: Alt and 1 to 9"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(9)],
    )
    owner = models.ForeignKey(User, models.CASCADE, null=True, related_name="+")
    office = models.ForeignKey(
        Office, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["digit", "title"]
        constraints = [
            models.CheckConstraint(
                name="text_block_of_one",
                condition=Q(owner=None, office__isnull=False)
                | Q(owner__isnull=False, office=None),
            ),
            models.UniqueConstraint(
                name="text_block_own_key",
                fields=["owner", "use", "digit"],
                condition=Q(owner__isnull=False),
            ),
            models.UniqueConstraint(
                name="text_block_office_key",
                fields=["office", "use", "digit"],
                condition=Q(office__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class BannedPhrase(models.Model):
    """服务禁语: what a customer is never told, and what to say instead; of an office and
    below, or of the house."""

    phrase = models.CharField(_("never"), max_length=40)
    instead = models.CharField(_("say instead"), max_length=120, blank=True)
    office = models.ForeignKey(Office, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["phrase"]
        constraints = [
            models.UniqueConstraint(
                name="banned_phrase_once",
                fields=["phrase", "office"],
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return self.phrase


class Macro(models.Model):
    """Several changes at once, shown before they are made: facts of the work order, then
    one action with its words."""

    title = models.CharField(_("title"), max_length=60)
    action = models.CharField(
        _("action"),
        max_length=12,
        choices=[(name, ACTIONS[name].label) for name in MACRO_ACTIONS],
    )
    text = models.TextField(_("text"), max_length=1000, blank=True)
    severity = models.CharField(
        _("severity becomes"), max_length=8, choices=Severity, blank=True
    )
    subcategory = models.ForeignKey(
        Category,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("category becomes"),
    )
    target = models.ForeignKey(
        Office,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("handed to"),
    )
    owner = models.ForeignKey(User, models.CASCADE, null=True, related_name="+")
    office = models.ForeignKey(
        Office, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["title"]
        constraints = [
            models.CheckConstraint(
                name="macro_of_one",
                condition=Q(owner=None, office__isnull=False)
                | Q(owner__isnull=False, office=None),
            ),
            models.CheckConstraint(
                name="macro_target_when_handed",
                condition=Q(action="assign", target__isnull=False)
                | (~Q(action="assign") & Q(target=None)),
            ),
        ]

    def __str__(self) -> str:
        return self.title
