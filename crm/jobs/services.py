"""enqueue(): write the row now, ring after commit."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.timezone import now

from crm.jobs import bell
from crm.jobs.models import Job


@transaction.atomic
def enqueue(
    kind: str,
    params: dict[str, Any] | None = None,
    *,
    by: Any = None,
    key: str | None = None,
    due_at: datetime | None = None,
) -> Job:
    """Queue a job; with a `key`, the same job twice is one row (the first is returned)."""
    fields = {
        "kind": kind,
        "params": params or {},
        "actor": by,
        "due_at": due_at or now(),
    }
    if key is None:
        job, created = Job.objects.create(**fields), True
    else:
        job, created = Job.objects.get_or_create(key=key, defaults=fields)
    if created:
        bell.ring_on_commit(job.pk, kind)
    return job


@transaction.atomic
def retry(job: Job) -> bool:
    """Queue a failed job again from where it stood; whether it was failed."""
    failed = Job.objects.filter(pk=job.pk, state=Job.State.FAILED)
    facts = {"attempts": 0, "due_at": now(), "finished_at": None, "error": ""}
    if not failed.update(state=Job.State.QUEUED, **facts):
        return False
    bell.ring_on_commit(job.pk, job.kind)
    return True
