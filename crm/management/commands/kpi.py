"""kpi NAME --office CODE …: one figure from the shell.

Of customers: --base A..B --current C..D, or --season CODE by its card orders. Any other, and
those of customers against the period before: --from DAY --to DAY, both included, or the
running --kind of period (a month).
"""

from datetime import date

from django.core.management.base import BaseCommand
from django.utils.timezone import localdate

from campaigns.figures import target_of
from campaigns.models import Season
from crm import shell
from crm.dashboards.kpis import KPIS, SEASON
from crm.dashboards.periods import Kind, Span, span_of
from crm.dashboards.reckoned import BY_NAME
from crm.dashboards.registry import Kpi, plain, read
from crm.dashboards.retention import default_periods
from crm.org.models import Office
from customers.queries import Period
from delivery.quality.rates import Share


class Command(BaseCommand):
    help = "Print one KPI; with --json as one JSON line. Rates are unrounded fractions."

    def add_arguments(self, parser) -> None:
        names = {*KPIS, *BY_NAME, *SEASON}
        parser.add_argument("name", choices=sorted(names))
        parser.add_argument("--office", required=True)
        parser.add_argument("--base", help="2026-01-01..2026-06-30")
        parser.add_argument("--current", help="2026-07-01..2026-12-31")
        parser.add_argument("--season", help="code of a card season")
        parser.add_argument("--from", dest="first", help="2026-11-01")
        parser.add_argument("--to", dest="last", help="2026-11-30")
        parser.add_argument("--kind", choices=list(Kind), help="the running one")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args, name: str, office: str, **options) -> None:
        unit = shell.office_named(office)
        try:
            found, over = _read(name, unit, options)
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


def _read(name: str, unit: Office, options: dict) -> tuple[dict, str]:
    if options["season"] or name not in {*KPIS, *BY_NAME}:
        return _of_season(name, unit, options["season"])
    is_by_days = options["first"] or options["last"] or options["kind"]
    if name in KPIS and not is_by_days:
        return _of_customers(name, unit, options)
    return _of_registry(name, unit, options | {"kind": options["kind"] or Kind.MONTH})


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


def _of_registry(name: str, office: Office, options: dict) -> tuple[dict, str]:
    kpi = BY_NAME[name]
    span = span_of(options["kind"], localdate())
    if options["first"] or options["last"]:
        first = date.fromisoformat(options["first"] or options["last"])
        last = date.fromisoformat(options["last"] or options["first"])
        span = Span(span.kind, first, last)
    share = read([office], span, [kpi])[office.pk][name]
    target = None if kpi.target is None else float(kpi.target)
    if target is not None and kpi.unit == "percent":
        target /= 100
    found = {
        "kpi": name,
        "office": office.code,
        "from": f"{span.first}",
        "to": f"{span.last}",
        "version": kpi.version,
        "numerator": plain(share.numerator),
        "denominator": plain(share.denominator),
        "value": _value(kpi, share),
        "target": target,
    }
    return found, f"{span.first}..{span.last}"


def _value(kpi: Kpi, share: Share) -> float | None:
    """The unrounded fraction (or per so many); of a sum, the sum."""
    found = share.numerator if kpi.adds and share.denominator else share.value
    return None if found is None else float(found)
