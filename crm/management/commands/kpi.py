"""kpi NAME --office CODE --base A..B --current C..D --json: one figure from the shell."""

from django.core.management.base import BaseCommand

from crm import shell
from crm.dashboards.kpis import KPIS
from crm.dashboards.retention import default_periods
from customers.queries import Period


class Command(BaseCommand):
    help = "Print one KPI; with --json as one JSON line. Rates are unrounded fractions."

    def add_arguments(self, parser) -> None:
        parser.add_argument("name", choices=sorted(KPIS))
        parser.add_argument("--office", required=True)
        parser.add_argument("--base", help="2026-01-01..2026-06-30")
        parser.add_argument("--current", help="2026-07-01..2026-12-31")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args, name: str, office: str, **options) -> None:
        unit = shell.office_named(office)
        base, current = default_periods()
        try:
            base = Period.parse(options["base"]) if options["base"] else base
            current = (
                Period.parse(options["current"]) if options["current"] else current
            )
        except ValueError:
            shell.fail("a period is written 2026-01-01..2026-06-30")
        rate = KPIS[name](unit, base, current)
        if options["json"]:
            shell.say(
                {
                    "numerator": rate.numerator,
                    "denominator": rate.denominator,
                    "value": rate.value,
                    "target": rate.target,
                }
            )
        else:
            value = "—" if rate.value is None else f"{100 * rate.value:.2f} %"
            self.stdout.write(
                f"{name} {unit} {base} → {current}: {value} "
                f"({rate.numerator}/{rate.denominator}, target {rate.target:.0%})"
            )
