"""import_items FILE --office CODE --profile OLIST --map source=target,…: items from the shell."""

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.management.base import BaseCommand

from crm import shell
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.transfer import services

TARGETS = {"POST": "items", "OLIST": "items_by_days", "EVENTS": "item_events"}
SHOWN = ("rows", "imported", "accepted", "duplicates", "rejected", "flagged")


class Command(BaseCommand):
    help = "Import mail items (CSV or XLSX); prints one JSON line."

    def add_arguments(self, parser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--office", required=True, help="code of the owning office")
        parser.add_argument(
            "--profile",
            choices=TARGETS,
            default="POST",
            help="OLIST: orders of a market place, month/day/year, calendar days; "
            "EVENTS: scans",
        )
        parser.add_argument("--map", default="", help="source=target,source=target,…")
        parser.add_argument(
            "--customers", type=Path, help="OLIST: where the region is read from"
        )
        parser.add_argument(
            "--reviews", type=Path, help="OLIST: where the satisfaction is read from"
        )

    def handle(self, *args, file: Path, office: str, profile: str, **options) -> None:
        unit = shell.office_named(office)
        for path in (file, options["customers"], options["reviews"]):
            if path and not path.is_file():
                shell.fail(f"no such file: {path}")
        pairs = [pair.split("=", 1) for pair in options["map"].split(",") if pair]
        if any(len(pair) < 2 for pair in pairs):
            shell.fail("--map wants source=target,source=target,…")
        mapping = {source.strip(): to.strip() for source, to in pairs}
        with TemporaryDirectory() as folder:
            if options["customers"] or options["reviews"]:
                joined = Path(folder) / file.name
                mapping |= join(file, joined, options["customers"], options["reviews"])
                file = joined
            try:
                with file.open("rb") as source:
                    batch = services.upload(
                        source,
                        by=None,
                        office=unit,
                        target=TARGETS[profile],
                        file_name=file.name,
                    )
                batch = services.start_import(
                    batch, by=None, mapping=mapping or batch.mapping
                )
            except Refused as refusal:
                shell.fail(str(refusal))
        shell.note("import.from_shell", unit, {"file": file.name})
        job = run_inline(Job.objects.get(key=f"import:{batch.pk}"))
        batch.refresh_from_db()
        if job.state != "done":
            self.stderr.write(f"the import stopped: {job.error}")
            raise SystemExit(1)
        run_inline(enqueue("delivery.tally"))  # figures are right when the command ends
        shell.say({name: job.result.get(name, 0) for name in SHOWN})


def join(
    file: Path, to: Path, customers: Path | None, reviews: Path | None
) -> dict[str, str]:
    """Write `file` with two more columns: the customer's state, and its ratings, several
    with + between them. Return the mapping of the two."""
    regions: dict[str, str] = {}
    ratings: dict[str, list[str]] = {}
    if customers:
        with customers.open(encoding="utf-8-sig", newline="") as rows:
            for row in csv.DictReader(rows):
                regions[row["customer_id"]] = row["customer_state"]
    if reviews:
        with reviews.open(encoding="utf-8-sig", newline="") as rows:
            for row in csv.DictReader(rows):
                ratings.setdefault(row["order_id"], []).append(row["review_score"])
    with (
        file.open(encoding="utf-8-sig", newline="") as rows,
        to.open("w", encoding="utf-8", newline="") as out,
    ):
        writer = csv.writer(out)
        reader = csv.DictReader(rows)
        writer.writerow([*(reader.fieldnames or []), "joined_region", "joined_ratings"])
        for row in reader:
            region = regions.get(row.get("customer_id", ""), "")
            rated = "+".join(ratings.get(row.get("order_id", ""), []))
            writer.writerow([*row.values(), region, rated])
    return {"joined_region": "to_region", "joined_ratings": "ratings"}
