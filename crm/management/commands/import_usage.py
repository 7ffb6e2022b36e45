"""import_usage FILE --office CODE --map source=target,…: a ledger from the shell."""

from pathlib import Path

from django.core.management.base import BaseCommand

from crm import shell
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.transfer import services
from crm.transfer.importing import summary


class Command(BaseCommand):
    help = "Import a usage ledger (CSV or XLSX); prints one JSON line."

    def add_arguments(self, parser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--office", required=True, help="code of the owning office")
        parser.add_argument("--map", default="", help="source=target,source=target,…")

    def handle(self, *args, file: Path, office: str, **options) -> None:
        unit = shell.office_named(office)
        if not file.is_file():
            shell.fail(f"no such file: {file}")
        pairs = [pair.split("=", 1) for pair in options["map"].split(",") if pair]
        if any(len(pair) < 2 for pair in pairs):
            shell.fail("--map wants source=target,source=target,…")
        try:
            with file.open("rb") as source:
                batch = services.upload(
                    source, by=None, office=unit, target="usage", file_name=file.name
                )
            mapping = {
                source.strip(): to.strip() for source, to in pairs
            } or batch.mapping
            batch = services.start_import(batch, by=None, mapping=mapping)
        except Refused as refusal:
            shell.fail(str(refusal))
        shell.note("import.from_shell", unit, {"file": file.name})
        job = run_inline(Job.objects.get(key=f"import:{batch.pk}"))
        batch.refresh_from_db()
        if job.state != "done":
            self.stderr.write(f"the import stopped: {job.error}")
            raise SystemExit(1)
        shell.say(summary(batch))
