"""The watched folder: what other systems put there is brought in as if it were uploaded.

INBOX_ROOT/<target>/<code of the office>/<file>. A file that still grows is left for the
next round; one that is no table, or lacks a column, goes to INBOX_ROOT/refused with the
reason beside it. A file that is read twice (its round was killed) brings nothing twice.
"""

import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import override

from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.notify.services import HOUSE_LANGUAGE
from crm.org.models import Office
from crm.transfer import services

A_ROUND = 20  # files
STILL = 20  # seconds since the last byte, after which a file is whole
REFUSED = "refused"


def waiting() -> Iterator[Path]:
    """Whole files of the folder, the oldest first."""
    found = []
    for path in Path(settings.INBOX_ROOT).glob("*/*/*"):
        is_ours = path.is_file() and not path.is_symlink()
        if not is_ours or path.name.startswith(".") or path.parts[-3] == REFUSED:
            continue
        changed = path.stat().st_mtime
        if changed <= time.time() - STILL:
            found.append((changed, path))
    return (path for _changed, path in sorted(found))


def folder_step(job: Job) -> bool:
    """Job: start the imports of what waits, some files a round."""
    for path in islice(waiting(), A_ROUND):
        try:
            with transaction.atomic(), override(HOUSE_LANGUAGE):
                _bring(path, path.parts[-3], path.parts[-2])
        except Refused as refusal:
            _refuse(path, str(refusal))
        else:
            # The import keeps its own copy; until it is committed the file is the only one.
            transaction.on_commit(partial(path.unlink, missing_ok=True))
        job.done_units += 1
    return True


def _bring(path: Path, target: str, code: str) -> None:
    if target not in settings.IMPORT_TARGETS:
        raise Refused("folder.target", _("There is no import of this name."))
    office = Office.objects.filter(code=code).first()
    if office is None:
        raise Refused("folder.office", _("There is no office of this code."))
    with path.open("rb") as source:
        batch = services.upload(
            source, by=None, office=office, target=target, file_name=path.name
        )
    try:
        services.start_import(batch, by=None, mapping=batch.mapping)
    except Refused:
        batch.path.unlink(missing_ok=True)
        raise


def _refuse(path: Path, reason: str) -> None:
    """Set aside under a name of its own, with the reason in a text beside it."""
    aside = Path(settings.INBOX_ROOT) / REFUSED
    aside.mkdir(parents=True, exist_ok=True)
    name = f"{now():%Y%m%d-%H%M%S}-{path.parts[-3]}-{path.parts[-2]}-{path.name}"
    path.rename(aside / name)
    (aside / f"{name}.txt").write_text(f"{reason}\n")
    audit.record(None, "import.folder_refused", details={"file": name[:200]})
