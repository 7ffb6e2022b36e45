"""The append-only trail: who did what, when, from where, to which row."""

import json
from datetime import UTC, datetime

from django.db import models
from django.db.models import BigIntegerField, Func
from django.utils.translation import gettext_lazy as _

from crm import fields


class AuditEvent(models.Model):
    """One action or denial. The database refuses to change or delete it.

    `mac` is an HMAC over all of the row, under a key that is not in the database;
    `txid` lets the sealer wait for transactions that are still running.
    """

    class Result(models.TextChoices):
        OK = "ok", _("Done")
        DENIED = "denied", _("Denied")
        FAILED = "failed", _("Failed")

    at = models.DateTimeField()
    actor = models.ForeignKey(
        "access.User", models.PROTECT, null=True, related_name="+"
    )
    actor_name = models.CharField(max_length=150)  # as it was then
    role = models.CharField(max_length=120, blank=True)
    office_path = models.CharField(max_length=80, blank=True)
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=120, blank=True)  # "label:pk"
    result = models.CharField(max_length=10, choices=Result, default=Result.OK)
    details = models.JSONField(default=dict)  # before/after, masked; never a secret
    ip = models.GenericIPAddressField(null=True)
    session = models.CharField(max_length=16, blank=True)  # a hash, not the key
    request_id = models.CharField(max_length=36, blank=True)
    mac = models.BinaryField()
    txid = models.BigIntegerField(
        db_default=Func(
            template="(pg_current_xact_id()::text::bigint)",
            output_field=BigIntegerField(),
        ),
        editable=False,
    )

    class Meta:
        indexes = [
            models.Index(fields=["-at", "-id"], name="audit_at"),
            models.Index(fields=["actor", "-at"], name="audit_actor_at"),
            models.Index(fields=["target", "-at"], name="audit_target_at"),
            models.Index(fields=["action", "-at"], name="audit_action_at"),
        ]

    def __str__(self) -> str:
        return (
            f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor_name} {self.action} {self.target}"
        )

    def message(self) -> bytes:
        """What `mac` signs: every column but the database's own, in one fixed form."""
        at: datetime = self.at.astimezone(UTC)
        columns = [
            at.isoformat(timespec="microseconds"),
            self.actor_id,
            self.actor_name,
            self.role,
            self.office_path,
            self.action,
            self.target,
            self.result,
            self.details,
            self.ip,
            self.session,
            self.request_id,
        ]
        return json.dumps(columns, sort_keys=True, ensure_ascii=False).encode()

    def is_genuine(self) -> bool:
        return bytes(self.mac) == fields.sign(self.message())


class AuditSeal(models.Model):
    """Link `seq` of the chain: an HMAC over the link before and the event's own."""

    seq = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField(AuditEvent, models.PROTECT, related_name="seal")
    chain = models.BinaryField()

    def __str__(self) -> str:
        return f"seal {self.seq}"
