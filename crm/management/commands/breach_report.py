"""breach_report: whom a leak has hit, as a file, with the notices drafted.

--actor NAME, --export ID, or --since … --until … of everybody; --out FOLDER for persons.csv,
notice-persons.txt and notice-authority.txt.
"""

import csv
from pathlib import Path
from uuid import UUID

from django.core.management.base import BaseCommand
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, make_aware
from django.utils.translation import override

from crm import shell
from crm.access.models import User
from crm.audit import services as audit
from crm.notify.services import HOUSE_LANGUAGE
from crm.risk import breach
from crm.text import safe_cell
from customers.models import Export


def _moment(typed: str | None):
    if not typed:
        return None
    found = parse_datetime(typed)
    if found is None:
        shell.fail(f"not a moment: {typed} (write 2026-11-20T08:00)")
    return make_aware(found) if is_naive(found) else found


class Command(BaseCommand):
    help = "List whom a leak has hit; prints one JSON line."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--actor", help="user name")
        parser.add_argument("--export", help="id of a file")
        parser.add_argument("--since", help="2026-11-20T08:00")
        parser.add_argument("--until")
        parser.add_argument("--cause", default="")
        parser.add_argument("--measures", default="")
        parser.add_argument("--out", help="a folder; made if it is missing")

    def handle(self, *args, **options) -> None:
        actor = export = None
        if options["actor"]:
            actor = User.objects.filter(username=options["actor"]).first()
            if actor is None:
                shell.fail(f"unknown user: {options['actor']}")
        if options["export"]:
            try:
                export = Export.objects.filter(pk=UUID(options["export"])).first()
            except ValueError:
                export = None
            if export is None:
                shell.fail(f"unknown export: {options['export']}")
        since, until = _moment(options["since"]), _moment(options["until"])
        with override(HOUSE_LANGUAGE):  # an official document
            try:
                found = breach.report(
                    actor=actor, export=export, since=since, until=until
                )
            except ValueError as error:
                shell.fail(str(error))
            if options["out"]:
                _write(Path(options["out"]), found, options)
        details = {
            name: options[name] for name in ("actor", "export", "since", "until")
        }
        audit.record(
            None, "breach.reported", details=details | {"hit": len(found.hits)}
        )
        shell.say(
            {
                "customers": len(found.hits),
                "recipients": found.recipients,
                "unknown": found.unknown,
            }
        )


def _write(folder: Path, found: breach.Report, options: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    with (folder / "persons.csv").open("w", newline="", encoding="utf-8-sig") as out:
        rows = csv.writer(out, quoting=csv.QUOTE_ALL)
        rows.writerows(
            [safe_cell(str(cell)) for cell in row] for row in breach.lines(found)
        )
    notices = breach.notices(found, options["cause"], options["measures"])
    for name, text in notices.items():
        (folder / f"notice-{name}.txt").write_text(text, encoding="utf8")
