"""Seats with their extensions, and calls: what rang, what is being typed, what came of it."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from complaints.models.work import Complaint
from crm.access.models import User
from crm.fields import EncryptedText
from crm.org.models import Office


class Seat(models.Model):
    """Where an agent sits today: the extension that rings, and whether they are free."""

    class State(models.TextChoices):
        READY = "ready", pgettext_lazy("agent", "Ready")
        TALKING = "talking", pgettext_lazy("agent", "Talking")
        WRAP_UP = "wrap_up", pgettext_lazy("agent", "Wrap-up")
        BREAK = "break", pgettext_lazy("agent", "Break")

    user = models.OneToOneField(User, models.CASCADE, primary_key=True)
    extension = models.CharField(_("extension"), max_length=12, unique=True)
    state = models.CharField(max_length=8, choices=State, default=State.READY)
    since = models.DateTimeField()

    def __str__(self) -> str:
        return self.extension


class CallQuerySet(models.QuerySet):
    def of(self, user: User) -> Self:
        """An agent's own: nobody else reads what is half typed."""
        return self.filter(user=user)

    def drafts(self) -> Self:
        """What is being typed: opened and neither saved nor put away."""
        return self.filter(opened_at__isnull=False, done_at=None)


class Call(models.Model):
    """One call and the form it opens. What is typed is kept here every few seconds
    (`draft`, sealed: it names people), so that no reload and no power cut loses it; the
    token is the form's own, so a form sent twice makes one work order."""

    class WrapUp(models.TextChoices):
        SOLVED = "solved", _("Solved in the call")
        LOGGED = "logged", _("Work order logged")
        REMINDED = "reminded", _("Reminder added")
        INFORMED = "informed", _("Informed about progress")
        PASSED_ON = "passed_on", _("Passed on")
        CALL_BACK = "call_back", _("Call back promised")
        WRONG = "wrong", _("Wrong number")
        SILENT = "silent", _("Nobody spoke")
        ABUSE = "abuse", _("Nuisance call")

    token = models.UUIDField(primary_key=True, default=uuid.uuid4)
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    office = models.ForeignKey(Office, models.PROTECT, null=True, related_name="+")
    call_id = models.CharField(max_length=64, unique=True, null=True)  # the exchange's
    number = EncryptedText()
    number_index = models.BinaryField(max_length=32, null=True)
    called = models.CharField(max_length=20, blank=True)  # our own number
    rang_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)  # its form
    draft = EncryptedText()
    saved_at = models.DateTimeField(null=True)
    # The number and the item that were asked for already: counted once a call.
    looked_index = models.BinaryField(max_length=32, null=True)
    looked_item = models.BinaryField(max_length=32, null=True)
    complaint = models.ForeignKey(
        Complaint, models.PROTECT, null=True, related_name="calls"
    )
    wrap_up = models.CharField(max_length=10, choices=WrapUp, blank=True)
    done_at = models.DateTimeField(null=True)

    objects = CallQuerySet.as_manager()

    class Meta:
        ordering = ["rang_at"]
        indexes = [
            models.Index(
                fields=["user", "rang_at"],
                name="call_of_agent",
                condition=Q(done_at=None),
            ),
            models.Index(fields=["rang_at"], name="call_rang"),
        ]

    def __str__(self) -> str:
        return str(self.token)
