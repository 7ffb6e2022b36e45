"""What complaints are about, in words: terms of each, their days, alerts."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import pgettext_lazy

from complaints.models.work import Complaint
from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office

WORD_LENGTH = 16


class CaseTerms(models.Model):
    """The words of one work order, each once, without names and numbers."""

    complaint = models.OneToOneField(
        Complaint, models.CASCADE, primary_key=True, related_name="case_terms"
    )
    terms = ArrayField(models.CharField(max_length=WORD_LENGTH), default=list)

    class Meta:
        indexes = [GinIndex(name="case_terms", fields=["terms"])]

    def __str__(self) -> str:
        return " ".join(self.terms)


class Term(models.Model):
    """A word, and in how many work orders it stands: the rarer, the more it tells."""

    word = models.CharField(max_length=WORD_LENGTH, primary_key=True)
    cases = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return self.word


class TermDay(models.Model):
    """How many work orders that one office took in on one day name a word."""

    office = models.ForeignKey(Office, models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    word = models.CharField(max_length=WORD_LENGTH)
    cases = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="term_day_once", fields=["day", "office", "word"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.word} {self.cases}"


class TopicAlertQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return subtree(user, "supervisor", "analyst")

    def waiting(self) -> Self:
        return self.filter(state=TopicAlert.State.RAISED)


class TopicAlert(models.Model):
    """A word named far more often than on the same weekday of eight weeks before."""

    class State(models.TextChoices):
        RAISED = "raised", pgettext_lazy("topic", "New")
        TAKEN = "taken", pgettext_lazy("topic", "Followed up")
        DISMISSED = "dismissed", pgettext_lazy("topic", "Nothing in it")

    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    day = models.DateField()
    word = models.CharField(max_length=WORD_LENGTH)
    cases = models.PositiveIntegerField()  # as it was last counted
    usual = models.FloatField()  # mean of the same weekday
    state = models.CharField(max_length=10, choices=State, default=State.RAISED)
    raised_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=300, blank=True)

    objects = TopicAlertQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="topic_alert_once", fields=["day", "office", "word"]
            )
        ]
        indexes = [
            models.Index(
                name="topic_alert_waiting",
                fields=["office", "-day"],
                condition=Q(state="raised"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.word}"
