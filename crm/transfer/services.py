"""Bringing a file in: upload, map, start."""

import hashlib
import re
import shutil
from pathlib import Path
from typing import BinaryIO

from django.db import transaction
from django.utils.translation import gettext as _

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.services import enqueue
from crm.org.models import Office
from crm.transfer import reading
from crm.transfer.checking import require_mapping
from crm.transfer.models import Import, SavedMapping
from crm.transfer.targets import target_named

SPARE_BYTES = 512 * 2**20


def upload(
    source: BinaryIO,
    *,
    by: User | None,
    office: Office,
    target: str,
    file_name: str,
    options: dict | None = None,
) -> Import:
    """Store a file and guess its mapping; nothing is imported yet.

    Raises Refused("file.…") when it is no table, PermissionDenied outside `by`'s offices.
    Reads the file twice; the rows are written by start_import's job.
    """
    require(by, target_named(target).capability, office)
    batch = Import(
        target=target,
        office=office,
        created_by=by,
        file_name=Path(file_name).name[:200],
    )
    if shutil.disk_usage(batch.path.parents[1].parent).free < SPARE_BYTES:
        raise Refused(
            "disk.full", _("The server's disk is nearly full; nothing was stored.")
        )
    batch.size, batch.sha256 = reading.store(source, batch.path)
    try:
        form = reading.detect(batch.path)
        _refuse_data(form.columns)
    except Refused:
        batch.path.unlink()
        raise
    batch.encoding, batch.delimiter, batch.columns = (
        form.encoding,
        form.delimiter,
        form.columns,
    )
    batch.mapping, guessed = guess(batch)
    batch.options = guessed | (options or {})
    with transaction.atomic():
        batch.save(force_insert=True)
        details = {"sha256": batch.sha256, "size": batch.size, "target": target}
        audit.record(by, "import.uploaded", batch, office=office, details=details)
    return batch


def _refuse_data(columns: list[str]) -> None:
    """Refused("file.header") when the first line is no header: it would be kept as one."""
    if any(re.search(r"\d{7}", column) or len(column) > 100 for column in columns):
        message = _("The first row looks like data: it must name the columns.")
        raise Refused("file.header", message)


def headers_key(columns: list[str]) -> str:
    return hashlib.sha256("\x1f".join(columns).encode()).hexdigest()


def guess(batch: Import) -> tuple[dict, dict]:
    """(mapping, options): as this office last mapped such headers, else by their names."""
    key = headers_key(batch.columns)
    saved = SavedMapping.objects.filter(
        office=batch.office, target=batch.target, headers=key
    ).first()
    if saved:
        return saved.mapping, saved.options
    target = target_named(batch.target)
    mapping = target.guess(batch.columns)
    keys = [key for key in target.keys if key in mapping.values()]
    return mapping, {"match": keys[0], "on_match": "update"} if keys else {}


def require_options(batch: Import, mapping: dict[str, str], options: dict) -> None:
    """Refused("mapping.match") unless rows can be matched by the chosen column."""
    target = target_named(batch.target)
    if not target.keys:
        return
    match = options.get("match", "")
    if match not in target.keys or match not in mapping.values():
        message = _("Choose a column of the file to match rows by.")
        raise Refused("mapping.match", message)
    if options.get("on_match") not in Import.OnMatch.values:
        raise Refused("mapping.on_match", _("Choose what happens to known rows."))


def forget(batch: Import) -> None:
    """Leave nothing of an import's file: the stored copy, its headers, its rejected rows."""
    batch.path.unlink(missing_ok=True)
    batch.rejections.all().delete()
    key = headers_key(batch.columns)
    same = SavedMapping.objects.filter(office=batch.office, target=batch.target)
    same.filter(headers=key).delete()
    batch.columns, batch.mapping = [], {}
    if batch.state == Import.State.UPLOADED:
        batch.state = Import.State.FAILED
    batch.save(update_fields=["columns", "mapping", "state"])


@transaction.atomic
def start_import(
    batch: Import,
    *,
    by: User | None,
    mapping: dict[str, str],
    options: dict | None = None,
) -> Import:
    """Fix the mapping and queue the job. Starting twice gives the same job.

    Raises Refused("mapping.…") when a required column is missing, or no column to match
    by. The mapping is remembered for the office's next file with these headers.
    """
    batch = (
        Import.objects.select_for_update(of=("self",))
        .select_related("office")
        .get(pk=batch.pk)
    )
    require(by, target_named(batch.target).capability, batch.office)
    if batch.state != Import.State.UPLOADED:
        return batch
    mapping = {source: to for source, to in mapping.items() if to}
    require_mapping(target_named(batch.target), batch.columns, mapping)
    options = batch.options if options is None else options
    require_options(batch, mapping, options)
    SavedMapping.objects.update_or_create(
        office=batch.office,
        target=batch.target,
        headers=headers_key(batch.columns),
        defaults={"mapping": mapping, "options": options},
    )
    form = reading.detect(batch.path)
    job = enqueue(
        "transfer.import", {"import_id": str(batch.pk)}, by=by, key=f"import:{batch.pk}"
    )
    job.cursor = {"offset": form.body_offset, "line": 2}
    job.total_units = batch.path.stat().st_size
    job.save(update_fields=["cursor", "total_units"])
    batch.mapping, batch.options = mapping, options
    batch.state, batch.job = Import.State.RUNNING, job
    batch.save(update_fields=["mapping", "options", "state", "job"])
    details = {"columns": sorted(mapping.values())}  # headers may be anything
    audit.record(by, "import.started", batch, office=batch.office, details=details)
    return batch


@transaction.atomic
def revert_import(batch: Import, *, by: User | None) -> Import:
    """Queue taking back all that an import did. Refused("import.state") while it runs."""
    batch = (
        Import.objects.select_for_update(of=("self",))
        .select_related("office", "job")
        .get(pk=batch.pk)
    )
    require(by, target_named(batch.target).capability, batch.office)
    if batch.state in (Import.State.REVERTING, Import.State.REVERTED):
        return batch
    stopped = batch.job is not None and batch.job.state == Job.State.FAILED
    if batch.state != Import.State.DONE and not stopped:
        raise Refused("import.state", _("Only a finished import can be undone."))
    if check := target_named(batch.target).check_revert:
        check(batch.options)
    params = {"import_id": str(batch.pk)}
    batch.job = enqueue("transfer.revert", params, by=by, key=f"revert:{batch.pk}")
    batch.state = Import.State.REVERTING
    batch.save(update_fields=["state", "job"])
    audit.record(by, "import.reverting", batch, office=batch.office)
    return batch
