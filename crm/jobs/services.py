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
        bell.ring_on_commit(job.pk)
    return job
