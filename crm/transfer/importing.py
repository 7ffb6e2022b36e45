"""Carrying an import out: chunks, each one transaction with its ledger rows.

A chunk commits its lines, its rejections, the runs of lines that are in, and the cursor
together; a crash loses the chunk, not the place. Memory is one chunk.
"""

from dataclasses import asdict
from datetime import timedelta
from itertools import islice

from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.models import F
from django.utils.timezone import now

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.jobs.models import Job
from crm.transfer.checking import Checker
from crm.transfer.models import Import, ImportedLines, RejectedRow, SourceFile
from crm.transfer.reading import Format, Record, records
from crm.transfer.targets import Run, target_named

CHUNK = 0  # rows a step; 0 is the target's own number
KEPT_DAYS = 30  # a file with rejected rows is kept, so that they can be sent corrected


def runs(lines: list[int]) -> list[tuple[int, int]]:
    """Rising numbers as half-open runs: [2, 3, 4, 7] → [(2, 5), (7, 8)]."""
    found: list[tuple[int, int]] = []
    for line in lines:
        if found and found[-1][1] == line:
            found[-1] = (found[-1][0], line + 1)
        else:
            found.append((line, line + 1))
    return found


def already_in(source: SourceFile, first: int, last: int) -> set[int]:
    """Lines of `source` between `first` and `last` that are in."""
    rows = source.imported.filter(lines__overlap=NumericRange(first, last + 1))
    known: set[int] = set()
    for found in rows.values_list("lines", flat=True):
        known.update(range(max(found.lower, first), min(found.upper, last + 1)))
    return known


def import_step(job: Job) -> bool:
    """Job: take in the next chunk of an import; True when the file is at its end.

    RACE: the source is locked, so two imports of one file at one office take turns.
    """
    batch = Import.objects.select_related("office").get(pk=job.params["import_id"])
    target = target_named(batch.target)
    require(
        job.actor, target.capability, batch.office
    )  # rights may have ended meanwhile
    form = Format(batch.encoding, batch.delimiter, batch.columns, 0)
    place = job.cursor
    stream = records(batch.path, form, offset=place["offset"], line=place["line"])
    chunk = list(islice(stream, CHUNK or target.chunk))
    source = source_of(batch)
    if not chunk:
        if target.finish:
            target.finish(run_of(batch, source, job.actor))
        finish(batch, job)
        return True
    run = run_of(batch, source, job.actor)
    take_in(batch, run, source, chunk)
    job.cursor = {"offset": chunk[-1].end, "line": chunk[-1].line + 1}
    job.done_units = chunk[-1].end
    return False


def source_of(batch: Import) -> SourceFile:
    """Whose lines count as in already, locked: the file's at this office, or this import's."""
    key = batch.pk.hex if target_named(batch.target).home else batch.sha256
    source, _made = SourceFile.objects.get_or_create(office=batch.office, sha256=key)
    return SourceFile.objects.select_for_update().get(pk=source.pk)


def run_of(batch: Import, source: SourceFile, by: User | None) -> Run:
    return Run(batch.office, source.pk, batch.pk, by, batch.options)


def take_in(batch: Import, run: Run, source: SourceFile, chunk: list[Record]) -> None:
    """Check a chunk, load the lines that are not in yet, and write down what became of all."""
    target = target_named(batch.target)
    checked = Checker(target, batch.columns, batch.mapping).check(chunk)
    known = already_in(source, chunk[0].line, chunk[-1].line)
    fresh = (
        [line for line in checked.lines if line[0] not in known]
        if known
        else checked.lines
    )
    loaded = target.load(run, fresh, checked.columns)
    names = {to: column for column, to in batch.mapping.items()}
    refused = [
        RejectedRow(batch=batch, line=line, column=names.get(to, ""), reason=reason)
        for line, to, reason in loaded.rejected
    ]
    ImportedLines.objects.bulk_create(
        ImportedLines(source=source, lines=NumericRange(*run))
        for run in runs(loaded.imported)
    )
    RejectedRow.objects.bulk_create(
        [RejectedRow(batch=batch, **asdict(bad)) for bad in checked.rejections]
        + refused,
        batch_size=2000,
    )
    counts = {n: batch.counts.get(n, 0) + add for n, add in loaded.counts.items()}
    Import.objects.filter(pk=batch.pk).update(
        counts=batch.counts | counts,
        rows=F("rows") + len(chunk),
        imported=F("imported") + len(loaded.imported),
        duplicates=F("duplicates")
        + len(checked.lines)
        - len(loaded.imported)
        - len(refused),
        rejected=F("rejected") + len(checked.rejections) + len(refused),
        created_rows=F("created_rows") + loaded.created,
    )


def finish(batch: Import, job: Job) -> None:
    batch.refresh_from_db()
    batch.state, batch.finished_at = Import.State.DONE, now()
    batch.save(update_fields=["state", "finished_at"])
    job.done_units = job.total_units
    job.result = summary(batch)
    audit.record(
        job.actor, "import.finished", batch, office=batch.office, details=job.result
    )
    if not batch.rejected:
        batch.path.unlink(missing_ok=True)


def revert_step(job: Job) -> bool:
    """Job: take an import back, a step at a time; True when nothing of it is left.

    RACE: the source is locked, so no import of the same file runs meanwhile.
    """
    batch = Import.objects.select_related("office").get(pk=job.params["import_id"])
    require(job.actor, target_named(batch.target).capability, batch.office)
    source = source_of(batch)
    run = run_of(batch, source, job.actor)
    place = target_named(batch.target).revert(run, job.cursor.get("place", 0))
    if place is not None:
        job.cursor = {"place": place}
        return False
    source.imported.all().delete()
    batch.state = Import.State.REVERTED
    batch.save(update_fields=["state"])
    audit.record(job.actor, "import.reverted", batch, office=batch.office)
    return True


def forget_step(job: Job) -> bool:
    """Job: delete stored uploads that nobody started or corrected within a month."""
    before = now() - timedelta(days=KEPT_DAYS)
    for batch in Import.objects.filter(created_at__lt=before).exclude(state="running"):
        batch.path.unlink(missing_ok=True)
    return True


def summary(batch: Import) -> dict:
    """The import in the words of its contract."""
    return {
        "rows": batch.rows,
        "imported": batch.imported,
        "duplicates": batch.duplicates,
        "rejected": batch.rejected,
        "customers_created": batch.created_rows,
        **batch.counts,
    }
