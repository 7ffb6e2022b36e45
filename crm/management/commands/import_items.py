"""import_items FILE --office CODE --profile OLIST --map source=target,…: items from the shell."""

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.management.base import BaseCommand

from crm import shell
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.transfer.inline import import_file, pairs

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
        mapping = pairs(options["map"])
        with TemporaryDirectory() as folder:
            if options["customers"] or options["reviews"]:
                joined = Path(folder) / file.name
                mapping |= join(file, joined, options["customers"], options["reviews"])
                file = joined
            _batch, job = import_file(file, unit, TARGETS[profile], mapping)
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
