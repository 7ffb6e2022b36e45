"""Claiming a job, running its steps, and remembering what happened."""

import logging
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.module_loading import import_string
from django.utils.timezone import now

from crm.audit import services as audit
from crm.jobs.models import Job

LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 3
MAX_DEATHS = 5  # of workers at one step: three kills must not lose a job
SLICE_SECONDS = 40  # then the worker takes other work; the job is rung again
logger = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another worker took the job over: this one must not write any more."""


def claim(job_id: int) -> Job | None:
    """Take the lease by one conditional update, or None if somebody else has it."""
    at = now()
    token = uuid.uuid4()
    taken = Job.objects.filter(pk=job_id).claimable(at)
    if not taken.update(
        state=Job.State.RUNNING,
        lease_until=at + LEASE,
        lease_token=token,
        attempts=F("attempts") + 1,
    ):
        return None
    return Job.objects.select_related("actor").get(pk=job_id)


def _write(job: Job, **changes) -> None:
    """Write to the row only while the lease is still ours."""
    if not Job.objects.filter(pk=job.pk, lease_token=job.lease_token).update(**changes):
        raise LeaseLost(str(job))
    for name, value in changes.items():
        setattr(job, name, value)


def _one_step(job: Job, step: Callable[[Job], bool]) -> bool:
    """One step and its progress commit together, or neither does."""
    with transaction.atomic():
        finished = step(job)
        _write(
            job,
            cursor=job.cursor,
            done_units=job.done_units,
            total_units=job.total_units,
            result=job.result,
            attempts=0,
            lease_until=now() + LEASE,
        )
    return finished


def _give_up_or_wait(job: Job, error: str) -> None:
    if job.attempts < MAX_ATTEMPTS:
        wait = timedelta(seconds=5 * 4**job.attempts)
        _write(job, state=Job.State.QUEUED, due_at=now() + wait, error=error)
        return
    with transaction.atomic():
        _write(job, state=Job.State.FAILED, finished_at=now(), error=error)
        audit.record(
            job.actor, "job.failed", job, result="failed", details={"kind": job.kind}
        )
    logger.error("job %s failed for good: %s", job, error)


def _said(error: Exception) -> str:
    """The error's first line: a database's further lines quote the row itself."""
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first}"[:500]


def run(job_id: int) -> bool:
    """Run a job for one slice; return whether it wants to be rung again.

    A job that killed its worker comes back when the lease ends; the fifth death at one
    step, or the third error, parks it as failed.
    """
    job = claim(job_id)
    if job is None:
        return False
    if job.attempts > MAX_DEATHS:
        _give_up_or_wait(job, "The worker died five times at the same step.")
        return False
    step = import_string(settings.JOB_KINDS[job.kind])
    until = time.monotonic() + SLICE_SECONDS
    try:
        while not _one_step(job, step):
            if time.monotonic() > until:
                _write(job, state=Job.State.QUEUED, due_at=now())
                return True
        _write(job, state=Job.State.DONE, finished_at=now(), error="")
    except LeaseLost:
        logger.warning("job %s was taken over", job)
    except Exception as error:
        logger.exception("job %s step failed", job)
        _give_up_or_wait(job, _said(error))
    return False


def run_inline(job: Job) -> Job:
    """Run a job to its end in this process: for shell commands."""
    while run(job.pk):
        pass
    job.refresh_from_db()
    return job
