"""The ledger of slots: what is due by the clock, once each, whoever beats.

Beat only swings; each swing asks which slots have come. A slot is taken by inserting its
row, so two beats, a beat that was down, or a clock set back cannot run it twice. A slot
missed for longer than its grace time is left out.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils.timezone import localtime, now

from crm.jobs.models import Job, ScheduleRun
from crm.jobs.services import enqueue

KEEP_DAYS = 30


def latest_slot(at: datetime, every_seconds: int | None, daily: str | None) -> datetime:
    """The latest slot not after `at`: whole multiples of the interval, or the daily time."""
    if every_seconds:
        seconds = int(at.timestamp()) // every_seconds * every_seconds
        return datetime.fromtimestamp(seconds, tz=at.tzinfo)
    hour, minute = map(int, (daily or "00:00").split(":"))
    local = localtime(at)
    slot = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return slot if slot <= local else slot - timedelta(days=1)


def grace(every_seconds: int | None) -> timedelta:
    return (
        timedelta(seconds=2 * every_seconds) if every_seconds else timedelta(hours=20)
    )


def run_due(at: datetime | None = None) -> list[Job]:
    """Take every slot that has come and enqueue its job."""
    at = at or now()
    jobs = []
    for name, (kind, every, daily) in settings.JOB_SCHEDULE.items():
        slot = latest_slot(at, every, daily)
        if (
            at - slot > grace(every)
            or ScheduleRun.objects.filter(name=name, slot__gte=slot).exists()
        ):
            continue
        _row, is_ours = ScheduleRun.objects.get_or_create(name=name, slot=slot)
        if (
            is_ours
            and not Job.objects.unfinished().filter(kind=kind, params={}).exists()
        ):
            jobs.append(enqueue(kind))
    return jobs


def forget_old(at: datetime | None = None) -> None:
    """Drop ledger rows and finished scheduled jobs older than a month."""
    before = (at or now()) - timedelta(days=KEEP_DAYS)
    ScheduleRun.objects.filter(taken_at__lt=before).delete()
    finished = Job.objects.filter(state=Job.State.DONE, actor=None, key=None)
    finished.filter(finished_at__lt=(at or now()) - timedelta(days=2)).delete()
