"""Backup and restore: a copy of the database, its log as it goes on, files and the trail's
heads, all sealed; and a restored copy that proves itself.

A full copy (pg_basebackup) lies in a folder of its own under BACKUP_DIR, named after its
moment; the server's log is archived by the server in segments of at most four minutes, and
sealed into BACKUP_DIR/wal by a job every minute. Restoring takes the newest full copy before
the moment asked for, and plays the log up to it. What is lost with the disk: at most five
minutes of the database; files (attachments, photos) are those of the last full copy
(reliability.md B17; R-RSK-03, R-RSK-16).

The key is DATA_DIR/keys/backup_key. Keys are never part of a backup: keep a copy of
DATA_DIR/keys elsewhere, or nothing opens.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crm import embedded
from crm.keyfiles import secret

PART = 4 * 2**20  # bytes sealed at once
STAMP = "%Y%m%dT%H%M%SZ"
KEPT = 3  # full copies, and days; the log reaches back to the oldest of them
SYSTEM = "system"  # beside a full copy: the number of its server
WAL_KEPT_LOCAL = timedelta(minutes=10)


class Broken(Exception):
    """One line that says why a backup cannot be made or used."""


@dataclass(frozen=True)
class Vault:
    """Where the sealed copies lie, and what opens them."""

    folder: Path
    key: bytes

    @classmethod
    def of(cls, data: Path, folder: Path | None = None) -> "Vault":
        """The vault of a data folder: BACKUP_DIR, or `backups` under it."""
        chosen = folder or Path(os.environ.get("BACKUP_DIR") or data / "backups")
        chosen.mkdir(parents=True, exist_ok=True)
        chosen.chmod(0o700)
        key = hashlib.sha256(bytes.fromhex(secret(data, "backup_key"))).digest()
        return cls(chosen.resolve(), key)

    def seal(self, source: Path, target: Path) -> None:
        """Pack and seal a file, part by part: a part that is missing, altered or in the
        wrong place does not open. Whole or not there."""
        draft = target.with_suffix(".part")
        cipher, packer = AESGCM(self.key), zlib.compressobj(1)
        with source.open("rb") as plain, draft.open("wb") as out:
            waiting, number = b"", 0
            while data := plain.read(PART):
                waiting += packer.compress(data)
                while len(waiting) >= PART:
                    _write(out, cipher, waiting[:PART], target.name, number, last=False)
                    waiting, number = waiting[PART:], number + 1
            waiting += packer.flush()
            _write(out, cipher, waiting, target.name, number, last=True)
            out.flush()
            os.fsync(out.fileno())
        draft.chmod(0o600)
        draft.rename(target)

    def open(self, source: Path, target: Path) -> None:
        """The other way round. Broken when anything is not as it was sealed."""
        unpacker = zlib.decompressobj()
        with target.open("wb") as out:
            for part in self._parts(source):
                out.write(unpacker.decompress(part))
            out.write(unpacker.flush())

    def _parts(self, source: Path) -> Iterator[bytes]:
        cipher, number, is_last = AESGCM(self.key), 0, False
        with source.open("rb") as sealed:
            while head := sealed.read(4):
                size = int.from_bytes(head, "big")
                nonce, box = sealed.read(12), sealed.read(size)
                is_last = not sealed.peek(1)
                try:
                    yield cipher.decrypt(
                        nonce, box, _bound(source.name, number, is_last)
                    )
                except (InvalidTag, ValueError):
                    raise Broken(f"{source} does not open with this key") from None
                number += 1
        if not is_last:
            raise Broken(f"{source} is cut")

    def log_of(self, system: str) -> Path:
        """Where the sealed log of a server lies."""
        return self.folder / "wal" / system

    def copies(self) -> list[Path]:
        """The full copies, the oldest first."""
        found = (path.parent for path in self.folder.glob("*/base.sealed"))
        return sorted(path for path in found if not path.name.startswith("."))


def _bound(name: str, number: int, is_last: bool) -> bytes:
    return f"{name}:{number}:{int(is_last)}".encode()


def _write(out, cipher: AESGCM, data: bytes, name: str, number: int, *, last: bool):
    nonce = os.urandom(12)
    box = cipher.encrypt(nonce, data, _bound(name, number, last))
    out.write(len(box).to_bytes(4, "big") + nonce + box)


# --- making one -----------------------------------------------------------------------------


def system_of(url: str) -> str:
    """The server's own number: logs of two servers have segments of the same names."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier FROM pg_control_system()")
        return str(cursor.fetchone()[0])


def archive_folder(data: Path, system: str) -> Path:
    """Where the embedded server puts the segments of its log; made for its account."""
    folder = embedded.place(data).home / "wal-archive" / system
    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder, folder.parent):
        if user := embedded.server_user():
            shutil.chown(path, user)
        path.chmod(0o700)
    return folder


def begin_archiving(data: Path, url: str) -> None:
    """Have the embedded server archive its log from now on. Twice is once."""
    folder = archive_folder(data, system_of(url))
    done, draft = f'"{folder}/%f"', f'"{folder}/.%f"'
    command = f'test ! -f {done} && cp "%p" {draft} && mv {draft} {done}'
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SHOW archive_mode")
        if cursor.fetchone()[0] != "on":
            raise Broken("the server does not archive: restart it, then back up again.")
        cursor.execute("SHOW archive_command")
        if cursor.fetchone()[0] != command:
            cursor.execute("ALTER SYSTEM SET archive_command = %s", [command])
            cursor.execute("SELECT pg_reload_conf()")
    connection.close()


def ship(vault: Vault, archive: Path, system: str) -> int:
    """Seal the archived segments that the vault has not got; how many. What is sealed and
    ten minutes old leaves the server's disk. Twice ships nothing twice."""
    folder = vault.log_of(system)
    folder.mkdir(parents=True, exist_ok=True)
    sent = 0
    for segment in sorted(archive.iterdir()):
        if segment.name.startswith("."):
            continue
        target = folder / f"{segment.name}.sealed"
        if not target.exists():
            vault.seal(segment, target)
            sent += 1
        age = datetime.now(UTC).timestamp() - segment.stat().st_mtime
        if age > WAL_KEPT_LOCAL.total_seconds():
            segment.unlink()
    return sent


def full_copy(vault: Vault, data: Path, url: str, extras: dict[str, Path]) -> Path:
    """A full copy of the database and of `extras` (name → file or folder); its folder.

    Checked with pg_verifybackup before it is sealed. Cost: reads the whole database once;
    users go on working.
    """
    tools = embedded.programs(embedded.server_user())
    door = (vault.folder / ".lock").open("w")
    try:
        fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Broken("another copy is being made") from None
    for left in vault.folder.glob(".making-*"):  # of one that was killed
        shutil.rmtree(left)
    with (
        door,
        tempfile.TemporaryDirectory(dir=vault.folder, prefix=".making-") as draft,
    ):
        base = Path(draft) / "base"
        _run(
            [tools / "pg_basebackup", "-d", url, "-D", base, "-X", "stream"]
            + ["--checkpoint=fast", "--manifest-checksums=SHA256"]
        )
        # Named after its end: it is whole from then on, and not a moment earlier.
        target = vault.folder / datetime.now(UTC).strftime(STAMP)
        _run([tools / "pg_verifybackup", base])
        whole = Path(draft) / "base.tar"
        with tarfile.open(whole, "w") as box:
            box.add(base, "postgres")
            for name, path in extras.items():
                for one in (path, *path.rglob("*")):
                    with suppress(FileNotFoundError):  # files go while we read
                        inner = Path(name) / one.relative_to(path)
                        box.add(one, str(inner), recursive=False)
        sealed = Path(draft) / "base.sealed"
        vault.seal(whole, sealed)
        target.mkdir(mode=0o700)
        (target / SYSTEM).write_text(system_of(url))
        sealed.rename(target / "base.sealed")
    return target


def _run(command: list) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        name = Path(str(command[0])).name
        raise Broken(f"{name} failed: {said[-1] if said else 'no reason'}")


def forget(vault: Vault) -> int:
    """Delete full copies of more than three days ago, but never the last three, and log
    that no copy needs; how many files."""
    limit = datetime.now(UTC) - timedelta(days=KEPT)
    gone = 0
    for old in (one for one in vault.copies()[:-KEPT] if _moment(one) <= limit):
        shutil.rmtree(old)
        gone += 1
    if copies := vault.copies():
        oldest = _moment(copies[0])
        for segment in (vault.folder / "wal").glob("*/*.sealed"):
            if datetime.fromtimestamp(segment.stat().st_mtime, UTC) < oldest:
                segment.unlink()
                gone += 1
    return gone


def _moment(copy: Path) -> datetime:
    return datetime.strptime(copy.name, STAMP).replace(tzinfo=UTC)


# --- the way back ---------------------------------------------------------------------------


def restore(vault: Vault, target: Path, *, until: datetime | None = None) -> Path:
    """Lay out a data folder as it was at a moment (without one: at the last that is known);
    return the full copy that was used. The server plays the log when it starts there.

    Broken when there is no copy before the moment, or `target` is not empty.
    """
    fitting = [one for one in vault.copies() if until is None or _moment(one) <= until]
    if not fitting:
        raise Broken("there is no backup from before that moment")
    if target.exists() and any(
        path.name not in ("keys", "backups") for path in target.iterdir()
    ):
        raise Broken(f"{target} is not empty")
    target.mkdir(parents=True, exist_ok=True)
    where = embedded.settle(target, embedded.server_user())
    copy = fitting[-1]
    with tempfile.TemporaryDirectory(dir=target) as draft:
        whole = Path(draft) / "base.tar"
        vault.open(copy / "base.sealed", whole)
        with tarfile.open(whole) as box:
            box.extractall(draft, filter="data")
        for path in Path(draft).iterdir():
            if path != whole:
                home = where.home if path.name == "postgres" else target
                shutil.move(path, home / path.name)
    log = where.home / "wal-restored"
    log.mkdir()
    sealed = vault.log_of((copy / SYSTEM).read_text())
    for segment in sorted(sealed.glob("*.sealed")):
        vault.open(segment, log / segment.stem)
    _recover(where.home / "postgres", log, until)
    return copy


def _recover(postgres: Path, log: Path, until: datetime | None) -> None:
    """Tell the server to play the log up to the moment and then to go on from there."""
    lines = [
        f'restore_command = \'cp "{log}/%f" "%p"\'',
        "recovery_target_action = 'promote'",
        "recovery_target_timeline = 'latest'",
        "archive_command = '/bin/true'",  # never into the archive it came from
    ]
    if until:
        lines.append(f"recovery_target_time = '{until.astimezone(UTC).isoformat()}'")
    auto = postgres / "postgresql.auto.conf"
    ours = ("restore_command", "recovery_target", "archive_command")
    kept = [  # not those of a restore that this copy itself came from
        line for line in auto.read_text().splitlines() if not line.startswith(ours)
    ]
    auto.write_text("\n".join([*kept, *lines]) + "\n")
    (postgres / "recovery.signal").touch()
    for stale in ("postmaster.pid", "server.log"):
        (postgres / stale).unlink(missing_ok=True)
    postgres.chmod(0o700)
    if user := embedded.server_user():
        for path in (postgres, log, *postgres.rglob("*"), *log.iterdir()):
            shutil.chown(path, user)
