"""Jobs as rows: claims, leases, fencing, poison, slots, and the bell (B03, B06–B09)."""

import time
import uuid
from datetime import datetime, timedelta

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import is_psycopg3
from django.utils.timezone import now

from crm.audit.models import AuditEvent
from crm.celery import app
from crm.jobs import bell, health, running, schedule
from crm.jobs.models import Heartbeat, Job, ScheduleRun
from crm.jobs.services import enqueue
from crm.org.calendar import SHANGHAI

STEPS: list[int] = []


def counting_step(job) -> bool:
    STEPS.append(job.pk)
    job.cursor = {"n": job.cursor.get("n", 0) + 1}
    return job.cursor["n"] == 3


def failing_step(job) -> bool:
    raise ConnectionError("away")


@pytest.fixture(autouse=True)
def kinds(settings):
    STEPS.clear()
    settings.JOB_KINDS = {
        "test.count": f"{__name__}.counting_step",
        "test.fail": f"{__name__}.failing_step",
    }


def test_a_job_runs_its_steps_once_and_again_has_no_effect(db):
    job = enqueue("test.count")
    running.run(job.pk)
    running.run(job.pk)  # the message came twice
    job.refresh_from_db()
    assert (job.state, job.cursor, len(STEPS)) == ("done", {"n": 3}, 3)


def test_a_rolled_back_enqueue_leaves_nothing(db):
    with transaction.atomic():
        enqueue("test.count")
        transaction.set_rollback(True)
    assert Job.objects.count() == 0


def test_the_bell_rings_only_after_the_commit(
    db, monkeypatch, django_capture_on_commit_callbacks
):
    rung = []
    monkeypatch.setattr(bell, "ring", lambda job_id, _kind: rung.append(job_id))
    with django_capture_on_commit_callbacks(execute=True):
        job = enqueue("test.count")
        assert rung == []
    assert rung == [job.pk]


def test_one_key_is_one_job(db):
    assert enqueue("test.count", key="k").pk == enqueue("test.count", key="k").pk


def test_a_claimed_job_is_nobody_elses_until_its_lease_ends(db):
    job = enqueue("test.count")
    assert running.claim(job.pk)
    assert running.claim(job.pk) is None
    Job.objects.update(lease_until=now() - timedelta(seconds=1))
    assert running.claim(job.pk)


def test_a_worker_that_lost_its_lease_cannot_write(db):
    job = running.claim(enqueue("test.count").pk)
    Job.objects.update(lease_token=uuid.uuid4())  # a successor took over
    with pytest.raises(running.LeaseLost):
        running._one_step(job, counting_step)
    job.refresh_from_db()
    assert job.cursor == {}


def test_a_failing_job_waits_longer_each_time_and_is_parked_after_three(db):
    job = enqueue("test.fail")
    for attempt in range(1, 4):
        Job.objects.update(due_at=now())
        running.run(job.pk)
        job.refresh_from_db()
        assert job.attempts == attempt
    assert (job.state, job.error) == ("failed", "ConnectionError: away")
    assert AuditEvent.objects.filter(action="job.failed").count() == 1


def test_a_job_that_kills_its_worker_is_parked_too(db):
    job = enqueue("test.count")
    Job.objects.update(
        state="running",
        attempts=running.MAX_DEATHS,
        lease_until=now() - timedelta(seconds=1),
    )
    running.run(job.pk)
    job.refresh_from_db()
    assert job.state == "failed"
    assert STEPS == []


def test_three_kills_at_one_step_lose_no_job(db):
    job = enqueue("test.count")
    Job.objects.update(
        state="running", attempts=3, lease_until=now() - timedelta(seconds=1)
    )
    running.run(job.pk)
    job.refresh_from_db()
    assert job.state == "done"


def at(hour: int, minute: int = 0, day: int = 21) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=SHANGHAI)


@pytest.fixture
def plan(settings):
    settings.JOB_SCHEDULE = {
        "night": ("test.count", None, "02:00"),
        "often": ("test.fail", 30, None),
    }


def test_a_slot_is_taken_once_whoever_beats(db, plan):
    schedule.run_due(at(2))
    Job.objects.update(state="done")
    schedule.run_due(at(2))  # a second beat
    schedule.run_due(at(1, 59))  # the clock went back
    assert ScheduleRun.objects.get(name="night").slot == at(2)


def test_a_missed_night_runs_late_once_and_a_lost_one_not(db, plan):
    schedule.run_due(at(9))
    assert ScheduleRun.objects.get(name="night").slot == at(2)
    ScheduleRun.objects.all().delete()
    schedule.run_due(at(1))  # 23 hours after the slot
    assert not ScheduleRun.objects.filter(name="night").exists()


def test_a_schedule_does_not_pile_up_jobs_that_nobody_runs(db, plan):
    for minute in range(5):
        schedule.run_due(at(12, minute))
    assert Job.objects.filter(kind="test.fail").count() == 1


def test_old_ledger_rows_are_forgotten(db):
    ScheduleRun.objects.create(name="x", slot=at(2))
    ScheduleRun.objects.update(taken_at=now() - timedelta(days=31))
    schedule.forget_old()
    assert not ScheduleRun.objects.exists()


def test_a_dead_broker_costs_little_and_is_left_alone_for_a_while(
    db, settings, monkeypatch
):
    """B05: saving must not wait for it."""
    monkeypatch.setattr(bell, "_silent_until", 0.0)
    settings.CELERY_BROKER_URL = "redis+socket:///nowhere/valkey.sock"
    began = time.monotonic()
    assert not bell.ring(1, "notify.deliver")
    assert time.monotonic() - began < 1
    assert bell._silent_until > time.monotonic()
    assert not bell.broker_answers()


def test_the_report_names_what_is_wrong(db):
    found = health.report()
    assert (found.database, found.worker) == ("ok", "never started")
    assert not found.is_well
    for name in ("worker", "beat"):
        health.say_alive(name)
    assert health.report().is_well
    Heartbeat.objects.filter(name="beat").update(at=now() - timedelta(seconds=90))
    assert health.report().beat.startswith("silent for 9")
    Heartbeat.objects.update(at=now())
    enqueue("test.count", due_at=now() - timedelta(seconds=400))
    assert health.report().job_lag_seconds >= 400
    assert not health.report().is_well


def test_celery_is_set_as_the_bar_asks():
    """B08."""
    conf = app.conf
    options = conf.broker_transport_options
    assert options["visibility_timeout"] >= 3 * conf.task_time_limit
    assert options["unacked_restore_interval"] == 10
    assert options["unacked_restore_throttle"] == 1
    assert conf.task_soft_time_limit < conf.task_time_limit
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.accept_content == ["json"]
    assert conf.result_backend is None
    assert set(conf.beat_schedule) == {"sweep"}
    assert {name for name in app.tasks if not name.startswith("celery.")} <= {
        "crm.jobs.tasks.run_job",
        "crm.jobs.tasks.sweep",
    }


def test_the_driver_is_psycopg2():
    assert not is_psycopg3
    assert django_settings.DATABASES["default"]["ENGINE"].endswith("postgresql")
    assert not django_settings.DATABASES["default"]["ATOMIC_REQUESTS"]


def test_heavy_kinds_ring_in_a_queue_of_their_own(monkeypatch, settings):
    rung = []
    monkeypatch.setattr(
        bell.app, "send_task", lambda *a, **kw: rung.append(kw["queue"])
    )
    assert bell.ring(1, "customers.value")
    assert bell.ring(1, "notify.deliver")
    assert rung == [settings.ANALYTICS_QUEUE, None]
