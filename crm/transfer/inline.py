"""A file imported at once, for the shell commands."""

import sys
from pathlib import Path

from crm import shell
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.org.models import Office
from crm.transfer import services
from crm.transfer.models import Import


def pairs(written: str) -> dict[str, str]:
    """source=target,source=target,… as a mapping; exit code 2 for anything else."""
    found = [pair.split("=", 1) for pair in written.split(",") if pair]
    if any(len(pair) < 2 for pair in found):
        shell.fail("--map wants source=target,source=target,…")
    return {source.strip(): to.strip() for source, to in found}


def import_file(
    file: Path,
    office: Office,
    target: str,
    mapping: dict[str, str],
    options: dict | None = None,
) -> tuple[Import, Job]:
    """Bring a file in as "system" and wait for its end; without a mapping by its headers.

    Exit code 2 for a file that is refused, 1 for an import that stops.
    """
    if not file.is_file():
        shell.fail(f"no such file: {file}")
    try:
        with file.open("rb") as source:
            batch = services.upload(
                source,
                by=None,
                office=office,
                target=target,
                file_name=file.name,
                options=options,
            )
        batch = services.start_import(batch, by=None, mapping=mapping or batch.mapping)
    except Refused as refusal:
        shell.fail(str(refusal))
    shell.note("import.from_shell", office, {"file": file.name})
    job = run_inline(Job.objects.get(key=f"import:{batch.pk}"))
    batch.refresh_from_db()
    if job.state != Job.State.DONE:
        sys.stderr.write(f"the import stopped: {job.error}\n")
        raise SystemExit(1)
    return batch, job
