"""The watched folder: whole files come in, growing ones wait, bad ones say why."""

import os
import time
from pathlib import Path

import pytest

from crm.audit.models import AuditEvent
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.transfer import folder
from crm.transfer.models import Import
from delivery.models import MailItem
from tests import factories as make

pytestmark = pytest.mark.django_db


def put(settings, target: str, code: str, text: str, *, age: int = 60) -> Path:
    path = Path(settings.INBOX_ROOT) / target / code / "today.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time.time() - age,) * 2)
    return path


def look(callbacks) -> None:
    with callbacks(execute=True):
        run_inline(enqueue("transfer.folder"))


def bring_in() -> None:
    for job in Job.objects.filter(kind="transfer.import", state="queued"):
        run_inline(job)


def items() -> str:
    lines = ["waybill,accepted_at,delivered_at"]
    for serial in (1, 2):
        lines.append(f"{make.waybill(serial)},2026-11-02 09:00,2026-11-03 09:00")
    return "\n".join(lines) + "\n"


def test_a_file_is_brought_in_once_and_gone(
    cast, settings, django_capture_on_commit_callbacks
):
    path = put(settings, "items", cast.wuhan.code, items())
    look(django_capture_on_commit_callbacks)
    bring_in()
    assert not path.exists()
    assert MailItem.objects.count() == 2
    batch = Import.objects.get()
    assert (batch.office, batch.created_by, batch.imported) == (cast.wuhan, None, 2)
    put(settings, "items", cast.wuhan.code, items())
    look(django_capture_on_commit_callbacks)
    bring_in()
    assert MailItem.objects.count() == 2


def test_a_round_that_was_killed_brings_nothing_twice(
    cast, settings, django_capture_on_commit_callbacks
):
    path = put(settings, "items", cast.wuhan.code, items())
    run_inline(enqueue("transfer.folder", {"round": 1}))  # nothing after the commit ran
    assert path.exists()
    look(django_capture_on_commit_callbacks)
    bring_in()
    assert MailItem.objects.count() == 2


def test_a_growing_file_a_link_and_a_hidden_one_wait(cast, settings):
    put(settings, "items", cast.wuhan.code, items(), age=2)
    assert list(folder.waiting()) == []
    path = put(settings, "items", cast.wuhan.code, items())
    path.rename(path.with_name(".today.csv"))
    path.symlink_to("/etc/passwd")
    assert list(folder.waiting()) == []


@pytest.mark.parametrize(
    ("target", "office", "text"),
    [
        ("galaxies", "420100", "waybill,accepted_at\n"),
        ("items", "999999", "waybill,accepted_at\n"),
        ("items", "420100", "no,columns,of,ours\n1,2,3,4\n"),
        ("items", "420100", ""),
    ],
)
def test_what_cannot_be_brought_in_is_set_aside_with_the_reason(
    cast, settings, target, office, text, django_capture_on_commit_callbacks
):
    path = put(settings, target, office, text)
    look(django_capture_on_commit_callbacks)
    assert not path.exists()
    aside = Path(settings.INBOX_ROOT) / "refused"
    (kept, reason) = sorted(aside.iterdir())
    assert kept.read_text() == text
    assert len(reason.read_text().strip()) > 5
    assert AuditEvent.objects.filter(action="import.folder_refused").exists()
    assert list(folder.waiting()) == []
