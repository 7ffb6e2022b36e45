"""import_orders FILE --office CODE --season CODE --map source=target,…: card orders."""

from pathlib import Path

from django.core.management.base import BaseCommand

from campaigns.models import Season
from crm import shell
from crm.org.queries import ancestry
from crm.transfer.importing import summary
from crm.transfer.inline import import_file, pairs


class Command(BaseCommand):
    help = (
        "Import delivered card orders (CSV or XLSX) into a season; lines whose date lies "
        "outside it are rejected. Prints one JSON line."
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--office", required=True, help="code of the owning office")
        parser.add_argument("--season", required=True, help="code of the season")
        parser.add_argument("--map", default="", help="source=target,source=target,…")

    def handle(self, *args, file: Path, office: str, season: str, **options) -> None:
        unit = shell.office_named(office)
        found = Season.objects.filter(code=season, office__path__in=ancestry(unit))
        if not found.exists():
            shell.fail(f"{unit} has no season {season}")
        mapping = pairs(options["map"])
        batch, _job = import_file(file, unit, "orders", mapping, {"season": season})
        shell.say(summary(batch))
