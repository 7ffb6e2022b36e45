"""Bringing a file in: upload, map, start."""

import shutil
from pathlib import Path
from typing import BinaryIO

from django.db import transaction
from django.utils.translation import gettext as _

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.services import enqueue
from crm.org.models import Office
from crm.transfer import reading
from crm.transfer.checking import require_mapping
from crm.transfer.models import Import
from crm.transfer.targets import target_named

SPARE_BYTES = 512 * 2**20


def upload(
    source: BinaryIO, *, by: User | None, office: Office, target: str, file_name: str
) -> Import:
    """Store a file and guess its mapping; nothing is imported yet.

    Raises Refused("file.…") when it is no table, PermissionDenied outside `by`'s offices.
    Reads the file twice; the rows are written by start_import's job.
    """
    require(by, "transfer.import", office)
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
    except Refused:
        batch.path.unlink()
        raise
    batch.encoding, batch.delimiter, batch.columns = (
        form.encoding,
        form.delimiter,
        form.columns,
    )
    batch.mapping = target_named(target).guess(form.columns)
    with transaction.atomic():
        batch.save(force_insert=True)
        details = {"sha256": batch.sha256, "size": batch.size, "target": target}
        audit.record(by, "import.uploaded", batch, office=office, details=details)
    return batch


@transaction.atomic
def start_import(batch: Import, *, by: User | None, mapping: dict[str, str]) -> Import:
    """Fix the mapping and queue the job. Starting twice gives the same job.

    Raises Refused("mapping.…") when a required column is missing.
    """
    batch = (
        Import.objects.select_for_update(of=("self",))
        .select_related("office")
        .get(pk=batch.pk)
    )
    require(by, "transfer.import", batch.office)
    if batch.state != Import.State.UPLOADED:
        return batch
    mapping = {source: to for source, to in mapping.items() if to}
    require_mapping(target_named(batch.target), batch.columns, mapping)
    form = reading.detect(batch.path)
    job = enqueue(
        "transfer.import", {"import_id": str(batch.pk)}, by=by, key=f"import:{batch.pk}"
    )
    job.cursor = {"offset": form.body_offset, "line": 2}
    job.total_units = batch.path.stat().st_size
    job.save(update_fields=["cursor", "total_units"])
    batch.mapping, batch.state, batch.job = mapping, Import.State.RUNNING, job
    batch.save(update_fields=["mapping", "state", "job"])
    audit.record(
        by, "import.started", batch, office=batch.office, details={"mapping": mapping}
    )
    return batch
