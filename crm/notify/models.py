"""The outbox: a message is a row in the sender's transaction, and is sent later."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.fields import EncryptedText


class MessageQuerySet(models.QuerySet):
    def pending(self, at: datetime) -> Self:
        return self.filter(state=Message.State.PENDING, due_at__lte=at)

    def inbox_of(self, user) -> Self:
        return self.filter(to_user=user, channel=Message.Channel.IN_APP).order_by(
            "-created_at"
        )

    def unread(self) -> Self:
        return self.filter(read_at=None)


class Message(models.Model):
    """One message to one person through one channel. Sent at least once.

    `contact_index` is the blind index of the address: suppressions are checked by it at
    the last gate, without reading the address.
    """

    class Channel(models.TextChoices):
        IN_APP = "in_app", _("In the application")
        EMAIL = "email", _("E-mail")
        SMS = "sms", _("SMS")

    class State(models.TextChoices):
        PENDING = "pending", _("Waiting")
        HELD = "held", _("Waiting for the digest")
        SENT = "sent", _("Sent")
        SUPPRESSED = "suppressed", _("Suppressed")
        FAILED = "failed", _("Failed")

    class Purpose(models.TextChoices):
        SERVICE = "service", _("Service")
        CARE = "care", _("Care and greetings")
        MARKETING = "marketing", _("Marketing")

    channel = models.CharField(max_length=10, choices=Channel)
    purpose = models.CharField(max_length=10, choices=Purpose, default=Purpose.SERVICE)
    to_user = models.ForeignKey(
        "access.User", models.CASCADE, null=True, related_name="+"
    )
    to_address = EncryptedText()
    contact_index = models.BinaryField(null=True)
    subject = models.CharField(max_length=200)
    body = EncryptedText()
    url = models.CharField(max_length=200, blank=True)
    key = models.CharField(max_length=120, unique=True, null=True)  # the same news once
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                name="message_pending", fields=["due_at"], condition=Q(state="pending")
            ),
            models.Index(
                name="message_unread",
                fields=["to_user"],
                condition=Q(read_at=None, channel="in_app"),
            ),
            models.Index(
                name="message_held", fields=["to_user"], condition=Q(state="held")
            ),
            models.Index(name="message_inbox", fields=["to_user", "-created_at"]),
            models.Index(
                name="message_marketing",
                fields=["contact_index", "sent_at"],
                condition=Q(purpose="marketing", state="sent"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} #{self.pk} {self.state}"


class Preference(models.Model):
    """How a person wants to be told of one event; without a row: in the application."""

    user = models.ForeignKey("access.User", models.CASCADE, related_name="preferences")
    event = models.CharField(max_length=16)
    channels = ArrayField(models.CharField(max_length=8), default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="preference_once", fields=["user", "event"])
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.event}: {', '.join(self.channels)}"


class Suppression(models.Model):
    """No message of this purpose to this contact, whoever asks for it."""

    contact_index = models.BinaryField()
    purpose = models.CharField(max_length=10, choices=Message.Purpose)
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="suppression_once", fields=["contact_index", "purpose"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose} since {self.since:%Y-%m-%d}"
