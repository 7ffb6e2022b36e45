"""retention [--office CODE --base A..B --current C..D]: the nightly job, now, from here."""

from django.core.management.base import BaseCommand

from crm import shell
from crm.dashboards.retention import ask_for_retention, default_periods
from crm.jobs.running import run_inline
from crm.org.models import Office
from customers.queries import Period


class Command(BaseCommand):
    help = "Compute and store both rates of an office and all below it."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--office")
        parser.add_argument("--base")
        parser.add_argument("--current")

    def handle(self, *args, **options) -> None:
        office = (
            options["office"]
            or Office.objects.filter(depth=1).values_list("code").first()[0]
        )
        unit = shell.office_named(office)
        base, current = default_periods()
        try:
            base = Period.parse(options["base"]) if options["base"] else base
            current = (
                Period.parse(options["current"]) if options["current"] else current
            )
        except ValueError:
            shell.fail("a period is written 2026-01-01..2026-06-30")
        job = run_inline(ask_for_retention(unit, base, current, by=None))
        shell.note("kpi.from_shell", unit, {"job": job.pk})
        shell.say({"state": job.state, "rows": job.result.get("rows", 0)})
