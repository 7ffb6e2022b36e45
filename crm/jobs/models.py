"""Jobs as rows: PostgreSQL is the truth, the broker is only the bell."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class JobQuerySet(models.QuerySet):
    def unfinished(self) -> Self:
        return self.filter(state__in=[Job.State.QUEUED, Job.State.RUNNING])

    def claimable(self, at: datetime) -> Self:
        """Queued and due, or running under a lease that ran out (its worker died)."""
        queued = Q(state=Job.State.QUEUED, due_at__lte=at)
        return self.filter(queued | Q(state=Job.State.RUNNING, lease_until__lt=at))


class Job(models.Model):
    """Something a worker does in steps, each its own transaction.

    A claim takes a lease and a new token; a step may write only under the token it was
    claimed with, so a worker that woke up late cannot spoil its successor's work.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    kind = models.CharField(max_length=60)
    params = models.JSONField(default=dict)
    key = models.CharField(max_length=200, unique=True, null=True)  # one job per key
    actor = models.ForeignKey(
        "access.User", models.PROTECT, null=True, related_name="+"
    )
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(
        default=0
    )  # since the last step that worked
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)
    cursor = models.JSONField(default=dict)  # where the next step begins
    done_units = models.BigIntegerField(default=0)
    total_units = models.BigIntegerField(default=0)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                name="job_waiting",
                fields=["due_at"],
                condition=Q(state__in=["queued", "running"]),
            ),
            models.Index(name="job_kind", fields=["kind", "-created_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"

    @property
    def percent(self) -> int:
        return (
            min(100, 100 * self.done_units // self.total_units)
            if self.total_units
            else 0
        )


class ScheduleRun(models.Model):
    """The ledger of slots: each (schedule, slot) is taken once, whoever beats."""

    name = models.CharField(max_length=60)
    slot = models.DateTimeField()
    taken_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="schedule_slot_once", fields=["name", "slot"])
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.slot:%Y-%m-%d %H:%M:%S}"


class Heartbeat(models.Model):
    """When a process (worker, beat) last said that it lives."""

    name = models.CharField(max_length=20, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.at:%H:%M:%S}"
