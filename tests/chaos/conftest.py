"""The whole product as a user starts it, in a folder of its own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "postal-demo-2026"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Product:
    """`manage.py serve` on a data folder; its output in `log`."""

    root = ROOT  # of the code that runs

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder, self.port = folder, free_port()
        self.log = folder.parent / f"{folder.name}.log"
        self.env = {
            **os.environ,
            "DATA_DIR": str(folder),
            "PORT": str(self.port),
            **env,
        }
        for name in (
            "DATABASE_URL",
            "REDIS_URL",
            "DJANGO_SETTINGS_MODULE",
            "CRM_PROCESS",
        ):
            self.env.pop(name, None)
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None

    def manage(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.root,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def start(self) -> float:
        """Start and wait for /health/ to answer 200; return the seconds that took."""
        began = time.monotonic()
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=self.root,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_until_well(240)
        return time.monotonic() - began

    def health(self) -> dict:
        try:
            with urllib.request.urlopen(f"{self.address}/health/", timeout=5) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)
        except OSError:
            return {"status": "away"}

    def wait_until_well(self, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while self.health()["status"] != "ok":
            assert time.monotonic() < until, (
                self.health(),
                self.log.read_text()[-3000:],
            )
            time.sleep(0.2)

    def stop(self) -> float:
        began = time.monotonic()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)
        return time.monotonic() - began

    def servers(self) -> list[psutil.Process]:
        """Every process that works on this folder."""
        found = []
        for process in psutil.process_iter():
            try:
                words = " ".join(process.cmdline())
                if str(self.folder) in words or process.environ().get(
                    "DATA_DIR"
                ) == str(self.folder):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return [
            p
            for p in found
            if p.pid != os.getpid() and p.status() != psutil.STATUS_ZOMBIE
        ]

    def pid_of(self, name: str) -> int:
        """The pid of web, worker or beat, as the product last said it."""
        return int(re.findall(rf"{name} started, pid (\d+)", self.log.read_text())[-1])


class Browser:
    """A signed-in client without a browser."""

    def __init__(self, product: Product, username: str) -> None:
        self.address = product.address
        self.jar = CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.jar)
        )
        self.post("/accounts/sign-in/", username=username, password=PASSWORD)

    def get(self, path: str) -> str:
        return self.opener.open(self.address + path, timeout=20).read().decode()

    def log(self, phone: str) -> str:
        """Log a complaint on the call screen; the address it leads to."""
        with self.opener.open(self.address + "/complaints/new/", timeout=20) as answer:
            form, page = answer.url.removeprefix(self.address), answer.read().decode()
        late = re.search(r'<option value="(\d+)"[^>]*data-keys="101 ', page)
        self.post(
            form,
            phone=phone,
            kind="complaint",
            subcategory=late.group(1),
            channel="hotline",
            description="邮件没有送到。",
        )
        return self.url

    def post(self, path: str, form: str = "", **data: str) -> str:
        """Post to `path` with the token of the page `form` (or of `path` itself)."""
        page = self.get(form or path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        fields = {"csrfmiddlewaretoken": token.group(1), **data}
        if hidden := re.search(r'name="token" value="([^"]+)"', page):
            fields.setdefault("token", hidden.group(1))
        body = urllib.parse.urlencode(fields).encode()
        wanted = urllib.request.Request(
            self.address + path, body, {"Referer": self.address}
        )
        answer = self.opener.open(wanted, timeout=20)
        self.url = answer.url
        return answer.read().decode()


@pytest.fixture
def folder():
    parent = Path(tempfile.mkdtemp(prefix="postal-crm-chaos-"))
    parent.chmod(0o755)
    yield parent / "data"
    for process in Product(parent / "data").servers():  # of a test that failed half-way
        process.kill()
    shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture(scope="module")
def product():
    parent = Path(tempfile.mkdtemp(prefix="postal-crm-chaos-"))
    parent.chmod(0o755)
    made = Product(parent / "data")
    made.start()
    yield made
    made.stop()
    shutil.rmtree(parent, ignore_errors=True)
