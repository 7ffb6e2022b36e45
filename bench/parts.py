"""What the benchmarks share: servers of their own, CPU by process tree, printing."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

FOLDER = Path(tempfile.mkdtemp(prefix="postal-crm-bench-"))
FOLDER.chmod(0o755)
os.environ.update(
    DATA_DIR=str(FOLDER), DJANGO_SETTINGS_MODULE="crm.settings", LOG_LEVEL="ERROR"
)
REQUESTS = 60


def say(name: str, value: str) -> None:
    print(f"| {name} | {value} |", flush=True)


def cookie_of(user) -> str:
    """A signed-in session as the value of a Cookie header."""
    from django.test import Client

    from tests.factories import sign_in

    cookies = sign_in(Client(), user).cookies
    return "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())


def best(work, times: int = 3) -> float:
    found = []
    for _time in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def cpu_of(roots: list[psutil.Process]) -> float:
    total = 0.0
    for root in roots:
        for process in [root, *root.children(recursive=True)]:
            try:
                spent = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += (
                spent.user + spent.system + spent.children_user + spent.children_system
            )
    return total


def high_water(pid: int) -> float:
    """Peak memory of a process in MiB; rusage would count what its parent had at the fork."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = [
        line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")
    ]
    return int(found[0]) / 1024 if found else 0.0


class Server:
    """gunicorn as `make run` starts it, with the settings of the product or of the floor."""

    def __init__(self, settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        env = {**os.environ, "DJANGO_SETTINGS_MODULE": settings, "PORT": str(port)}
        command = [str(Path(sys.executable).parent / "gunicorn"), "crm.wsgi"]
        command += ["--config", "python:crm.gunicorn_conf"]
        self.process = subprocess.Popen(
            command, env=env, stderr=(FOLDER / "web.log").open("ab")
        )
        self.address = f"http://127.0.0.1:{port}"
        for _try in range(100):
            try:
                urllib.request.urlopen(f"{self.address}/health/live", timeout=2)
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
            else:
                break

    def cpu_per_request(self, path: str, cookie: str = "", rows: int = 50) -> float:
        """CPU ms a request of web and PostgreSQL together, after a warm-up.

        The answer must have `rows` table rows at least; `wall` keeps the median in ms.
        """
        postmaster = int(
            (FOLDER / "postgres" / "postmaster.pid").read_text().split()[0]
        )
        roots = [psutil.Process(self.process.pid), psutil.Process(postmaster)]
        wanted = urllib.request.Request(self.address + path, headers={"Cookie": cookie})
        walls = []
        for number in range(REQUESTS + 10):
            if number == 10:
                before = cpu_of(roots)
            began = time.perf_counter()
            with urllib.request.urlopen(wanted) as answer:
                assert answer.status == 200
                body = answer.read()
            walls.append(time.perf_counter() - began)
        assert body.count(b"<tr>") >= rows, body[:500]
        self.wall = 1000 * sorted(walls[10:])[REQUESTS // 2]
        return 1000 * (cpu_of(roots) - before) / REQUESTS

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_error) -> None:
        self.process.terminate()
        self.process.wait(10)
