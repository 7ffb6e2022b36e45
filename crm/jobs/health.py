"""Is the place in order? Heartbeats, lags, and one report of them."""

import logging
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.db import Error as DatabaseTrouble
from django.db import connection
from django.db.models import Min
from django.utils.timezone import now

from crm.jobs import bell
from crm.jobs.models import Heartbeat, Job

BEAT_SECONDS = 10
SILENT_AFTER = timedelta(seconds=35)
LAG_LIMIT_SECONDS = 300
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """Each part says "ok" or why not; lags are seconds of the oldest waiting row."""

    database: str
    broker: str
    worker: str
    beat: str
    job_lag_seconds: int
    outbox_lag_seconds: int

    @property
    def is_well(self) -> bool:
        parts = (self.database, self.broker, self.worker, self.beat)
        lags = (self.job_lag_seconds, self.outbox_lag_seconds)
        return all(part == "ok" for part in parts) and max(lags) < LAG_LIMIT_SECONDS

    def as_dict(self) -> dict:
        return {"status": "ok" if self.is_well else "degraded", **asdict(self)}


def say_alive(name: str) -> None:
    """Write a heartbeat; a database that is away is reported, never raised."""
    try:
        Heartbeat.objects.update_or_create(name=name, defaults={"at": now()})
    except DatabaseTrouble as error:
        logger.warning("heartbeat of %s not written: %s", name, error)
        connection.close()


def _alive(name: str, at: datetime) -> str:
    beat = Heartbeat.objects.filter(name=name).first()
    if beat is None:
        return "never started"
    if at - beat.at > SILENT_AFTER:
        return f"silent for {int((at - beat.at).total_seconds())} s"
    return "ok"


def _lag(at: datetime, oldest: datetime | None) -> int:
    return max(0, int((at - oldest).total_seconds())) if oldest else 0


def report(*, outbox_oldest: datetime | None = None) -> Report:
    """How the database, the broker, the worker and beat are. Cost: 4 queries and a ping."""
    try:
        at = now()
        waiting = Job.objects.claimable(at).aggregate(oldest=Min("due_at"))["oldest"]
        worker, beat = _alive("worker", at), _alive("beat", at)
        job_lag = _lag(at, waiting)
    except DatabaseTrouble as error:
        return Report(
            f"down: {type(error).__name__}", "unknown", "unknown", "unknown", 0, 0
        )
    broker = "ok" if bell.broker_answers() else "no answer"
    return Report("ok", broker, worker, beat, job_lag, _lag(at, outbox_oldest))
