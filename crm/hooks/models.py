"""Addresses of other systems that are told what happens, and what each was told."""

import uuid
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.fields import EncryptedText
from crm.org.models import Office


class EndpointQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        return subtree(user, "system_admin")


class Endpoint(models.Model):
    """One address that is told of chosen events of an office and all below. What is sent
    is signed with `secret` (Standard Webhooks)."""

    name = models.CharField(_("name"), max_length=60)
    url = models.URLField(_("address"), max_length=300)
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    events = ArrayField(models.CharField(max_length=24))
    secret = EncryptedText()
    is_active = models.BooleanField(default=True)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def shown_url(self) -> str:
        """Without its query, which may be a key."""
        address, mark, _query = self.url.partition("?")
        return address + (f"{mark}…" if mark else "")


class DispatchQuerySet(models.QuerySet):
    def waiting(self) -> Self:
        return self.filter(state=Dispatch.State.PENDING)


class Dispatch(models.Model):
    """One event for one address: at least once, in no promised order (`version` in the
    payload tells what is newer)."""

    class State(models.TextChoices):
        PENDING = "pending", pgettext_lazy("webhook", "Waiting")
        SENT = "sent", pgettext_lazy("webhook", "Delivered")
        FAILED = "failed", pgettext_lazy("webhook", "Failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    endpoint = models.ForeignKey(
        Endpoint, models.CASCADE, related_name="dispatches", db_index=False
    )
    event = models.CharField(max_length=24)
    payload = models.JSONField()
    state = models.CharField(max_length=8, choices=State, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)  # of the last answer
    answer = models.CharField(max_length=200, blank=True)  # its beginning, or the fault

    objects = DispatchQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                name="dispatch_waiting", fields=["due_at"], condition=Q(state="pending")
            ),
            models.Index(name="dispatch_log", fields=["endpoint", "-created_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.state}"
