"""The broker killed and emptied while jobs are queued: none is lost, each is done once."""

import os
import signal
import subprocess
import sys
import time

import pytest
import redis

from crm import embedded
from tests.chaos.conftest import ROOT
from tests.chaos.test_faults import query

JOBS = 300
# One every 60 ms, each its own transaction, for longer than the kills take.
QUEUE = f"""
import time
from crm.jobs.services import enqueue
for number in range({JOBS}):
    enqueue("campaigns.forget", key=f"b04 {{number}}")
    time.sleep(0.06)
"""
# A step and its progress commit together, so a step counted is a step that was done; the
# jobs say nothing of it themselves.
COUNTED = """
CREATE TABLE b04 (job bigint, what text, at timestamptz DEFAULT now());
CREATE FUNCTION b04() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.attempts = 0 AND OLD.attempts > 0 THEN
    INSERT INTO b04 VALUES (NEW.id, 'step'); END IF;
  IF NEW.state = 'done' AND OLD.state <> 'done' THEN
    INSERT INTO b04 VALUES (NEW.id, 'done'); END IF;
  RETURN NULL; END $$;
CREATE TRIGGER b04 AFTER UPDATE ON jobs_job FOR EACH ROW
  WHEN (NEW.key LIKE 'b04 %') EXECUTE FUNCTION b04();
SELECT 1"""
FOUND = """
SELECT count(DISTINCT job) FILTER (WHERE what = 'done'), count(*) FILTER (WHERE what = 'done'),
  count(*) FILTER (WHERE what = 'step'), max(at) FROM b04"""


@pytest.mark.chaos
@pytest.mark.timeout(400)
def test_three_kills_and_a_flush_of_the_broker_lose_no_job_and_repeat_none(product):
    """B04: three hundred jobs; all done within two minutes of the last fault, by workers
    that nobody started again."""
    query(product, COUNTED)
    workers = product.pid_of("worker")
    pidfile = product.folder / "valkey" / "valkey.pid"
    broker = redis.Redis.from_url(
        embedded.place(product.folder).redis_url.replace("redis+socket", "unix")
    )
    queueing = subprocess.Popen(
        [sys.executable, "manage.py", "shell", "-v0", "-c", QUEUE],
        cwd=ROOT,
        env=product.env,
    )
    while not query(product, FOUND)[0]:
        time.sleep(0.1)
    for _round in range(3):
        os.kill(int(pidfile.read_text()), signal.SIGKILL)
        time.sleep(1)
        product.wait_until_well()
        time.sleep(1)
    broker.flushall()
    (faulted,) = query(product, "SELECT now()")
    assert queueing.wait(120) == 0
    until = time.monotonic() + 120
    while query(product, FOUND)[0] < JOBS:
        assert time.monotonic() < until, query(product, FOUND)
        time.sleep(0.2)
    jobs, done, steps, at = query(product, FOUND)
    seconds = (at - faulted).total_seconds()
    print(f"jobs={jobs} done={done} steps={steps} last {seconds:.0f} s after the fault")
    assert (jobs, done, steps) == (JOBS, JOBS, JOBS)
    assert seconds <= 120
    assert product.pid_of("worker") == workers
