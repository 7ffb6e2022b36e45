"""A real Chromium against a real server, with a worker in a thread."""

import os
import shutil
import threading

import pytest
from django.db import connections
from django.utils.timezone import now

from crm.jobs import running
from crm.jobs.models import Job
from tests import factories as make

os.environ.setdefault(
    "DJANGO_ALLOW_ASYNC_UNSAFE", "true"
)  # Playwright runs a loop here
USUAL = ("chromium", "chromium-browser", "google-chrome", "/usr/bin/chromium")
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, USUAL)), None
)


def pytest_collection_modifyitems(items):
    """Without a Chromium the flows are skipped, and say why."""
    if CHROMIUM is None:
        skip = pytest.mark.skip(reason="no Chromium found: set CHROMIUM or install it")
        for item in items:
            if "browser" in str(item.path):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    flags.append("--disable-background-networking")
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": flags}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    wanted = {
        "locale": "en-US",
        "timezone_id": "Asia/Shanghai",
        "reduced_motion": "reduce",
    }
    return {**browser_context_args, **wanted}


@pytest.fixture
def site(live_server, page):
    """A page that fails its test on any script error, CSP violation or foreign request."""
    problems: list[str] = []

    def note(message) -> None:
        # Pages that refuse on purpose answer 403, 404 or 422: the browser's own note of
        # such an answer is no fault of the page.
        expected = any(f"status of {code}" in message.text for code in (403, 404, 422))
        expected |= (
            "ERR_INTERNET_DISCONNECTED" in message.text
        )  # where a test cuts the line
        if message.type == "error" and not expected:
            problems.append(message.text)

    def foreign(request) -> None:
        if not request.url.startswith((live_server.url, "data:")):
            problems.append(f"outside request: {request.url}")

    page.base = live_server.url
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", note)
    page.on("request", foreign)
    yield page
    page.close()
    assert problems == []


@pytest.fixture
def worker(transactional_db):
    """What a Celery worker does with waiting jobs, in a thread of the test."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(0.1):
            waiting = Job.objects.claimable(now()).values_list("pk", flat=True)
            for job_id in list(waiting):
                running.run(job_id)
        connections.close_all()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(10)


@pytest.fixture
def place(transactional_db) -> make.Cast:
    make.holidays_of(2025, 2026, 2027)
    return make.cast()


def sign_in(page, username: str) -> None:
    page.goto(page.base + "/accounts/sign-in/")
    page.fill("#id_username", username)
    page.fill("#id_password", make.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "sign-in" not in url)
