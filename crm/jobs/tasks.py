"""The only two Celery tasks: run one job, sweep for what nobody took."""

import threading
import time

from celery import shared_task
from celery.signals import worker_ready
from django.conf import settings
from django.utils.timezone import now

from crm.jobs import bell, health, running, schedule
from crm.jobs.models import Job

# So many jobs of an emptied broker are heard again at each sweep.
MOST_RUNG = 200


@shared_task
def run_job(job_id: int) -> None:
    """Safe to run any number of times: see running.claim."""
    if running.run(job_id):
        bell.ring(job_id, Job.objects.values_list("kind", flat=True).get(pk=job_id))


@shared_task
def sweep() -> None:
    """Take due slots, then run what waits: queued and unheard, or left by the dead."""
    schedule.run_due()
    waiting = Job.objects.claimable(now()).order_by("due_at").values_list("pk", "kind")
    heavy = {"kind__in": settings.ANALYTICS_KINDS}
    for queue, rows in (
        (settings.CELERY_TASK_DEFAULT_QUEUE, waiting.exclude(**heavy)),
        (settings.ANALYTICS_QUEUE, waiting.filter(**heavy)),
    ):
        unheard = bell.unheard(
            queue
        )  # the oldest were rung before and wait there still
        for job_id, kind in list(rows[unheard : max(MOST_RUNG, unheard)]):
            bell.ring(job_id, kind)


@worker_ready.connect
def keep_saying_alive(**_kwargs) -> None:
    """A thread of the worker's parent: it lives as long as the pool has a parent."""

    def loop() -> None:
        while True:
            health.say_alive("worker")
            time.sleep(health.BEAT_SECONDS)

    threading.Thread(target=loop, name="heartbeat", daemon=True).start()
