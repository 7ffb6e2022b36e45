"""serve: everything under one foreground command, as `make run` starts it."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from crm import embedded
from crm.demo.province import CAST
from crm.management.commands.compilemessages import compile_all
from crm.org.models import Office

STOP_SECONDS = 6
BIN = Path(sys.executable).parent


class Command(BaseCommand):
    help = (
        "Migrate, compile, seed if empty, then run web, worker and beat until Ctrl-C."
    )

    def handle(self, *args, **options) -> None:
        self.children: dict[str, subprocess.Popen] = {}
        self.is_stopping = False
        self.looked_at = time.monotonic()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.stop)
        self.check_port()
        self.prepare()
        self.commands = self.commands_of()
        for name in self.commands:
            self.spawn(name)
        threading.Thread(target=self.announce, daemon=True).start()
        self.watch()

    def say(self, text: str) -> None:
        print(f"[serve ] {text}", flush=True)  # noqa: T201 - this is its screen

    def check_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", settings.PORT))
            except OSError as error:
                raise embedded.CannotStart(
                    f"port {settings.PORT} is busy; stop what uses it or set PORT."
                ) from error

    def prepare(self) -> None:
        """Bring the database, the messages and the static files up to date."""
        self.say("preparing the database")
        call_command("migrate", verbosity=0, interactive=False)
        call_command("check", databases=["default"])
        compile_all()
        if self.static_is_old():
            call_command("collectstatic", verbosity=0, interactive=False, clear=True)
        if Office.objects.exists():
            return
        if os.environ.get("DEMO", "1") != "0":
            self.say("making the demo province")
            call_command("seed_demo", stdout=sys.stderr)
        else:
            self.say(
                "the place is empty; make the first administrator in another terminal:"
            )
            self.say(".venv/bin/python manage.py create_admin --username NAME")

    def static_is_old(self) -> bool:
        manifest = settings.STATIC_ROOT / "staticfiles.json"
        if not manifest.exists():
            return True
        sources = [settings.BASE_DIR / "requirements.txt"]
        sources += [
            path for path in (settings.BASE_DIR / "static").rglob("*") if path.is_file()
        ]
        return any(path.stat().st_mtime > manifest.stat().st_mtime for path in sources)

    def commands_of(self) -> dict[str, list[str]]:
        celery = [str(BIN / "celery"), "-A", "crm"]
        return {
            "web": [
                str(BIN / "gunicorn"),
                "crm.wsgi",
                "--config",
                "python:crm.gunicorn_conf",
            ],
            "worker": [
                *celery,
                "worker",
                "--concurrency=2",
                "--without-gossip",
                "--without-mingle",
                f"--queues=celery,{settings.ANALYTICS_QUEUE}",
                "--loglevel=WARNING",
            ],
            "beat": [*celery, "beat", "--loglevel=WARNING"],
        }

    def spawn(self, name: str) -> None:
        child = subprocess.Popen(
            self.commands[name],
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C reaches us alone; we end them in order
            env={**os.environ, "CRM_PROCESS": name, "PYTHONUNBUFFERED": "1"},
        )
        self.children[name] = child
        self.say(f"{name} started, pid {child.pid}")
        threading.Thread(target=self.relay, args=(name, child), daemon=True).start()

    def relay(self, name: str, child: subprocess.Popen) -> None:
        for line in child.stdout or ():
            print(f"[{name:6}] {line}", end="", flush=True)  # noqa: T201

    def announce(self) -> None:
        """Say where the product is, once its health page answers 200."""
        address = f"http://127.0.0.1:{settings.PORT}"
        while not self.is_stopping:
            try:
                with urllib.request.urlopen(f"{address}/health/", timeout=3) as answer:
                    if answer.status == 200:
                        break
            except OSError:
                time.sleep(0.3)
        else:
            return
        self.say(f"ready: {address}")
        if os.environ.get("DEMO", "1") != "0":
            accounts = ", ".join(username for username, *_rest in CAST)
            self.say(f"demo accounts: {accounts}")
            self.say(f"their password: {settings.DEMO_PASSWORD}")

    def watch(self) -> None:
        """Start a dead process anew; leave when told to stop."""
        born = {name: time.monotonic() for name in self.children}
        while not self.is_stopping:
            time.sleep(0.3)
            self.revive_servers()
            for name, child in list(self.children.items()):
                if child.poll() is None or self.is_stopping:
                    continue
                self.say(
                    f"{name} ended with code {child.returncode}; starting it again"
                )
                time.sleep(0 if time.monotonic() - born[name] > 10 else 2)
                born[name] = time.monotonic()
                self.spawn(name)
        self.end_children()

    def revive_servers(self) -> None:
        """Start an embedded server anew that died under us: a crash costs no restart."""
        if time.monotonic() - self.looked_at < 2:
            return
        self.looked_at = time.monotonic()
        try:
            embedded.start(
                settings.DATA_DIR,
                postgres=not os.environ.get("DATABASE_URL"),
                valkey=not os.environ.get("REDIS_URL"),
            )
        except embedded.CannotStart as reason:
            self.say(f"a server is down: {reason}")

    def stop(self, *_signal) -> None:
        self.is_stopping = True

    def end_children(self) -> None:
        """TERM to all, and KILL to what is left: jobs resume where their cursor stands."""
        self.say("stopping")
        for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 2)):
            alive = [child for child in self.children.values() if child.poll() is None]
            for child in alive:
                try:
                    os.killpg(child.pid, number)
                except ProcessLookupError:
                    continue
            until = time.monotonic() + seconds
            while time.monotonic() < until and any(c.poll() is None for c in alive):
                time.sleep(0.05)
        self.say("stopped")
