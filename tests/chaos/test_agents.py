"""B48: fifty agents at once, doubles, killed web workers, a killed database."""

import json
import os
import random
import signal
import statistics
import threading
import time
import urllib.error
import urllib.request
import uuid
from http.client import HTTPException

import psycopg2
import pytest

from crm import embedded
from tests.chaos.conftest import Browser
from tests.chaos.test_faults import TAKEN_IN, query

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]
AGENTS = 50
SECONDS = 45
TRIES = 60
BARE = """
CREATE TEMP TABLE bare (id serial PRIMARY KEY, ref text, body text, at timestamptz);
"""


def headers_of(browser: Browser) -> dict[str, str]:
    """One session for all: fifty sign-ins would measure the password hash."""
    cookies = {cookie.name: cookie.value for cookie in browser.jar}
    return {
        "Content-Type": "application/json",
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "X-CSRFToken": cookies["csrf"],
        "Referer": browser.address,
    }


class Agent(threading.Thread):
    """Logs a work order a second; asks again with the same token until it is answered."""

    def __init__(self, address: str, headers: dict[str, str], until: float) -> None:
        super().__init__()
        self.wanted = (f"{address}/api/v1/complaints/", headers)
        self.until, self.acked, self.first_try = until, {}, []
        self.retries = 0

    def run(self) -> None:
        time.sleep(random.random())  # noqa: S311 - they do not all begin at once
        while time.monotonic() < self.until:
            self.log(str(uuid.uuid4()))
            time.sleep(1)

    def log(self, token: str) -> None:
        body = {
            "token": token,
            "phone": "13000000007",
            "category": "delay",
            "text": "五十名话务员同时录入。",
        }
        if (ref := self.tried(body)) is None:
            return
        self.acked[token] = ref
        if int(token[-2:], 16) < 13:  # one in twenty is sent twice, kills or not
            assert self.tried(body) in (ref, None)

    def tried(self, body: dict) -> str | None:
        """The number that was acknowledged, asking again while nobody answers."""
        for attempt in range(TRIES):
            began = time.monotonic()
            try:
                ref = self.send(body)
            except (OSError, HTTPException, ValueError):  # no answer, or half of one
                self.retries += 1
                time.sleep(0.5)
                continue
            if attempt == 0:
                self.first_try.append(time.monotonic() - began)
            return ref
        return None

    def send(self, body: dict) -> str:
        address, headers = self.wanted
        request = urllib.request.Request(address, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)["ref"]


def bare_insert(product) -> float:
    """Median seconds of one committed row, over one connection."""
    connection = psycopg2.connect(embedded.place(product.folder).database_url)
    times = []
    with connection.cursor() as cursor:
        cursor.execute(BARE)
        for number in range(200):
            began = time.monotonic()
            cursor.execute(
                "INSERT INTO bare (ref, body, at) VALUES (%s, %s, now())",
                (f"C-{number}", "五十名话务员同时录入。"),
            )
            connection.commit()
            times.append(time.monotonic() - began)
    return statistics.quantiles(times, n=20)[18]


def test_fifty_agents_lose_nothing_and_log_nothing_twice(product):
    headers = headers_of(Browser(product, "agent.wuhan"))
    floor = bare_insert(product)
    (before,) = query(product, TAKEN_IN)
    until = time.monotonic() + SECONDS
    agents = [Agent(product.address, headers, until) for _one in range(AGENTS)]
    for agent in agents:
        agent.start()
    for _time in range(3):
        time.sleep(8)
        kill_a_web_worker(product)
    pid = int((product.folder / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    for agent in agents:
        agent.join()
    product.wait_until_well(90)
    acked = {token: ref for agent in agents for token, ref in agent.acked.items()}
    first = [spent for agent in agents for spent in agent.first_try]
    p95 = statistics.quantiles(first, n=20)[18]
    (after,) = query(product, TAKEN_IN)
    (stored,) = query(
        product,
        "SELECT count(*) FROM complaints_complaint WHERE token IN "
        f"({', '.join(repr(token) for token in acked)})",
    )
    (audited,) = query(
        product,
        "SELECT count(DISTINCT target) FROM audit_auditevent"
        " WHERE action = 'complaint.created' AND target IN (SELECT"
        " 'complaints.complaint:' || id FROM complaints_complaint"
        " WHERE channel <> 'system')",
    )
    retries = sum(agent.retries for agent in agents)
    print(
        f"acked={len(acked)} stored={stored} rows={after - before} audited={audited} "
        f"retries={retries} p95={1000 * p95:.0f}ms, one bare row p95={1000 * floor:.1f}ms"
    )
    assert len(set(acked.values())) == len(acked) == stored == after - before
    assert audited == after - before


def kill_a_web_worker(product) -> None:
    """One of gunicorn's workers, not its master: the master starts another."""
    master = product.pid_of("web")
    for process in product.servers():
        if "gunicorn" in " ".join(process.cmdline()) and process.ppid() == master:
            process.kill()
            return
