"""kpi NAME --office CODE …: one figure from the shell.

Of customers: --base A..B --current C..D, or --season CODE by its card orders. Of delivery:
--from DAY --to DAY, the days of acceptance, both included.
"""

from datetime import date

from django.core.management.base import BaseCommand
from django.utils.timezone import localdate

from campaigns.figures import target_of
from campaigns.models import Season
from crm import shell
from crm.dashboards.kpis import KPIS, QUALITY, SEASON
from crm.dashboards.retention import default_periods
from crm.org.models import Office
from customers.queries import Period
from customers.seasons import month_span


class Command(BaseCommand):
    help = "Print one KPI; with --json as one JSON line. Rates are unrounded fractions."

    def add_arguments(self, parser) -> None:
        names = {*KPIS, *QUALITY, *SEASON}
        parser.add_argument("name", choices=sorted(names))
        parser.add_argument("--office", required=True)
        parser.add_argument("--base", help="2026-01-01..2026-06-30")
        parser.add_argument("--current", help="2026-07-01..2026-12-31")
        parser.add_argument("--season", help="code of a card season")
        parser.add_argument("--from", dest="first", help="2026-11-01")
        parser.add_argument("--to", dest="last", help="2026-11-30")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args, name: str, office: str, **options) -> None:
        unit = shell.office_named(office)
        try:
            if options["season"] or name not in {*KPIS, *QUALITY}:
                found, over = _of_season(name, unit, options["season"])
            elif name in QUALITY:
                found, over = _of_delivery(name, unit, options)
            else:
                found, over = _of_customers(name, unit, options)
        except ValueError:
            shell.fail("a period is written 2026-01-01..2026-06-30, a day 2026-01-01")
        if options["json"]:
            return shell.say(found)
        value = "—" if found["value"] is None else f"{found['value']:.4f}"
        self.stdout.write(
            f"{name} {unit} {over}: {value} "
            f"({found['numerator']}/{found['denominator']}, target {found['target']})"
        )
        return None


def _of_customers(name: str, office: Office, options: dict) -> tuple[dict, str]:
    base, current = default_periods()
    base = Period.parse(options["base"]) if options["base"] else base
    current = Period.parse(options["current"]) if options["current"] else current
    rate = KPIS[name](office, base, current)
    found = {
        "numerator": rate.numerator,
        "denominator": rate.denominator,
        "value": rate.value,
        "target": rate.target,
    }
    return found, f"{base} → {current}"


def _of_season(name: str, office: Office, code: str | None) -> tuple[dict, str]:
    season = Season.objects.filter(code=code or "").select_related("office").first()
    if season is None or name not in SEASON:
        shell.fail(f"no season {code}, or no figure of seasons: {name}")
    share = SEASON[name](season, office)
    found = {
        "kpi": name,
        "office": office.code,
        "season": season.code,
        "numerator": share.numerator,
        "denominator": share.denominator,
        "value": share.value,
        "target": target_of(name, season),
    }
    return found, season.code


def _of_delivery(name: str, office: Office, options: dict) -> tuple[dict, str]:
    first, last = month_span(localdate())
    first = date.fromisoformat(options["first"]) if options["first"] else first
    last = date.fromisoformat(options["last"]) if options["last"] else last
    share, target = QUALITY[name](office, first, last)
    found = {
        "kpi": name,
        "office": office.code,
        "from": f"{first}",
        "to": f"{last}",
        "numerator": share.numerator,
        "denominator": share.denominator,
        "value": share.value,
        "target": target,
    }
    return found, f"{first}..{last}"
