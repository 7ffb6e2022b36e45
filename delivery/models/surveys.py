"""Questionnaires with versions, invitations by token, answers: one engine for every
module that asks customers (architecture.md 1.9)."""

import secrets

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, reaching
from crm.org.models import Office
from customers.models import Customer


def _in_language(chinese: str, english: str) -> str:
    """In the reader's language; the other where one is missing."""
    is_chinese = (get_language() or "").startswith("zh")
    return (chinese or english) if is_chinese else (english or chinese)


class QuestionnaireQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """The house's, those of one's offices, and those above them."""
        return reaching(user, "supervisor") | Q(office=None)


class Questionnaire(models.Model):
    """What is asked for one purpose; its questions stand in versions. Without an office it
    is the house's."""

    office = models.ForeignKey(Office, models.PROTECT, null=True, related_name="+")
    code = models.SlugField(unique=True)
    name = models.CharField(_("name"), max_length=60)
    name_zh = models.CharField(_("Chinese name"), max_length=40, blank=True)
    is_active = models.BooleanField(default=True)

    objects = QuestionnaireQuerySet.as_manager()

    def __str__(self) -> str:
        return _in_language(self.name_zh, self.name)


class QuestionnaireVersion(models.Model):
    """Published it does not change any more: answers are read with the questions asked."""

    questionnaire = models.ForeignKey(
        Questionnaire, models.PROTECT, related_name="versions"
    )
    number = models.PositiveSmallIntegerField()
    intro = models.CharField(max_length=300, blank=True)
    intro_zh = models.CharField(max_length=200, blank=True)
    published_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    published_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="questionnaire_version_once", fields=["questionnaire", "number"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.questionnaire} v{self.number}"

    @property
    def said(self) -> str:
        return _in_language(self.intro_zh, self.intro)


class Question(models.Model):
    """One question. It is asked when the one that `only_if` names was answered with one of
    `only_values`; without it, always."""

    class Kind(models.TextChoices):
        RATING = "rating", _("1 to 5")
        YES_NO = "yes_no", _("Yes or no")
        WORDS = "words", _("Words")

    version = models.ForeignKey(
        QuestionnaireVersion, models.CASCADE, related_name="questions"
    )
    position = models.PositiveSmallIntegerField()
    code = models.SlugField(max_length=20)
    kind = models.CharField(max_length=8, choices=Kind)
    text = models.CharField(max_length=200)
    text_zh = models.CharField(max_length=120, blank=True)
    is_required = models.BooleanField(default=True)
    only_if = models.SlugField(max_length=20, blank=True)
    only_values = ArrayField(models.SmallIntegerField(), default=list, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(name="question_code", fields=["version", "code"]),
            models.UniqueConstraint(
                name="question_position", fields=["version", "position"]
            ),
        ]

    def __str__(self) -> str:
        return _in_language(self.text_zh, self.text)


class Invitation(models.Model):
    """One person asked once. `source` and `subject` name the row of a higher app that it
    is about ("complaints", "C-20261122-000317"); the token is all that the page needs."""

    class Way(models.TextChoices):
        SMS = "sms", _("SMS")
        EMAIL = "email", _("E-mail")
        PHONE = "phone", pgettext_lazy("survey", "By phone")

    token = models.CharField(max_length=32, unique=True)
    version = models.ForeignKey(
        QuestionnaireVersion, models.PROTECT, related_name="invitations"
    )
    source = models.CharField(max_length=20)
    subject = models.CharField(max_length=40)
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    customer = models.ForeignKey(Customer, models.SET_NULL, null=True, related_name="+")
    way = models.CharField(max_length=6, choices=Way)
    sent_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    rating = models.PositiveSmallIntegerField(null=True)  # of the first rating question

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="invitation_rating",
                condition=Q(rating=None)
                | Q(rating__gte=1, rating__lte=5, answered_at__isnull=False),
            )
        ]
        indexes = [
            models.Index(name="invitation_subject", fields=["source", "subject"]),
            models.Index(name="invitation_office", fields=["office", "sent_at"]),
            models.Index(name="invitation_sent", fields=["sent_at"]),
            models.Index(
                name="invitation_answered",
                fields=["answered_at"],
                condition=Q(answered_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.subject}"

    @staticmethod
    def new_token() -> str:
        return secrets.token_urlsafe(16)


class Answer(models.Model):
    """To one question: a number (1 to 5, or 1 for yes and 0 for no), or words."""

    invitation = models.ForeignKey(Invitation, models.CASCADE, related_name="answers")
    question = models.ForeignKey(Question, models.PROTECT, related_name="+")
    number = models.SmallIntegerField(null=True)
    words = models.TextField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="answer_once", fields=["invitation", "question"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.question_id}: {self.words or self.number}"
