"""Ringing the workers. Nothing else in the project may send to the broker.

A ring is a hint: the row is the truth and the sweep finds it within seconds. So a ring
tries once, waits 0.2 s at most, never raises, and after a failure is left out for 5 s:
saving a complaint must not wait for a frozen broker.
"""

import logging
import time

from django.conf import settings
from django.db import transaction

from crm.celery import app

TIMEOUT_SECONDS = 0.2
PAUSE_SECONDS = 5
logger = logging.getLogger(__name__)
_silent_until = 0.0


def _connection():
    timeouts = {
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
    }
    options = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS, **timeouts, "max_retries": 0}
    return app.connection_for_write(
        settings.CELERY_BROKER_URL, transport_options=options
    )


def ring(job_id: int, kind: str) -> bool:
    """Tell the workers of a job's kind; return whether the broker took it."""
    global _silent_until  # noqa: PLW0603 - per process, as the broker's state is
    if time.monotonic() < _silent_until:
        return False
    try:
        with _connection() as connection:
            is_analytic = kind in settings.ANALYTICS_KINDS
            app.send_task(
                "crm.jobs.tasks.run_job",
                [job_id],
                connection=connection,
                retry=False,
                queue=settings.ANALYTICS_QUEUE if is_analytic else None,
            )
    except Exception as error:  # noqa: BLE001 - any broker fault is the same to the caller
        _silent_until = time.monotonic() + PAUSE_SECONDS
        logger.warning("bell not rung: %s", type(error).__name__)
        return False
    return True


def ring_on_commit(job_id: int, kind: str) -> None:
    transaction.on_commit(lambda: ring(job_id, kind))


def unheard(queue: str) -> int:
    """How many rings wait in a queue; 0 also from a broker that does not answer."""
    try:
        with _connection() as connection:
            found = connection.default_channel.queue_declare(queue, passive=True)
    except Exception:  # noqa: BLE001 - down is down
        return 0
    return found.message_count


def broker_answers() -> bool:
    """Whether the broker answers a ping within 0.2 s."""
    try:
        with _connection() as connection:
            connection.default_channel.client.ping()
    except Exception:  # noqa: BLE001 - down is down
        return False
    return True
