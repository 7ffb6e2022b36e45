"""Beat as a metronome: it swings, says that it lives, and decides nothing."""

import time

from celery.beat import Scheduler

from crm.jobs import health
from crm.jobs.health import BEAT_SECONDS


class Metronome(Scheduler):
    """Keeps no file: the ledger of slots in PostgreSQL remembers what has run."""

    _said = -float(BEAT_SECONDS)

    def tick(self, *args, **kwargs):
        if time.monotonic() - self._said >= BEAT_SECONDS:
            self._said = time.monotonic()
            health.say_alive("beat")
        return super().tick(*args, **kwargs)
