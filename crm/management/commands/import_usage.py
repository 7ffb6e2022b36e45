"""import_usage FILE --office CODE --map source=target,…: a ledger from the shell."""

from pathlib import Path

from django.core.management.base import BaseCommand

from crm import shell
from crm.transfer.importing import summary
from crm.transfer.inline import import_file, pairs


class Command(BaseCommand):
    help = "Import a usage ledger (CSV or XLSX); prints one JSON line."

    def add_arguments(self, parser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--office", required=True, help="code of the owning office")
        parser.add_argument("--map", default="", help="source=target,source=target,…")

    def handle(self, *args, file: Path, office: str, **options) -> None:
        unit = shell.office_named(office)
        batch, _job = import_file(file, unit, "usage", pairs(options["map"]))
        shell.say(summary(batch))
