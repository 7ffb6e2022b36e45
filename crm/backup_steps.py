"""Backups as jobs: the log is shipped every minute, a full copy made every night, once
somebody has run `make backup`."""

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.db import connection

from crm import backup
from crm.audit import services as audit
from crm.audit.seal import head_file
from crm.backup import Vault
from crm.jobs.models import Job


def vault() -> Vault:
    return Vault.of(Path(settings.DATA_DIR))


def archive() -> Path:
    """Where the server's log arrives: WAL_ARCHIVE beside a server of one's own."""
    named = os.environ.get("WAL_ARCHIVE")
    system = backup.system_of(_url())
    return (
        Path(named) if named else backup.archive_folder(Path(settings.DATA_DIR), system)
    )


def ship() -> int:
    """Seal what the server has archived; how many segments."""
    return backup.ship(vault(), archive(), backup.system_of(_url()))


def _url() -> str:
    found = connection.get_connection_params()
    keys = {"dbname": "dbname", "user": "user", "password": "password"}
    keys |= {"host": "host", "port": "port"}
    return " ".join(
        f"{name}='{found[key]}'" for key, name in keys.items() if found.get(key)
    )


def begin() -> None:
    """Have the embedded server archive its log; a server of one's own is set up by hand."""
    if not os.environ.get("DATABASE_URL"):
        backup.begin_archiving(Path(settings.DATA_DIR), _url())


def back_up() -> Path:
    """A full copy of database and files; noted in the trail. Broken while another is made."""
    extras = {"files": Path(settings.FILES_ROOT), "audit-heads.jsonl": head_file()}
    copy = backup.full_copy(vault(), Path(settings.DATA_DIR), _url(), extras)
    backup.forget(vault())
    audit.record(None, "backup.made", details={"copy": copy.name})
    return copy


def ship_step(job: Job) -> bool:
    """Job, every minute: seal what the server has archived. Twice ships nothing twice."""
    if vault().copies():
        begin()  # a restored server does not archive by itself
        job.result = {"shipped": ship()}
    return True


def copy_step(job: Job) -> bool:
    """Job, nightly: start a full copy, once somebody has begun with backups. It takes as
    long as it takes, so it is a process of its own, beyond the limits of a worker."""
    if vault().copies():
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "backup"]
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    return True
