"""KPIs that are read from the tallies of other modules: customers' usage, mail items."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from crm.dashboards.catalogue import (
    CALL_CENTRE,
    CALLS,
    CARE,
    COSTS,
    KEY_ACCOUNT,
    MONEY,
    SERVICE,
    STAFF,
)
from crm.dashboards.periods import Span, span_of
from crm.dashboards.registry import Kpi, Part, Reckoned, Shares
from crm.org.models import Office
from customers.queries import Period, Retention, retention_by_office
from delivery.quality import figures, metrics
from delivery.quality.metrics import METRICS, Metric
from delivery.quality.rates import Share

USED = _("Customers without any usage in either period.")
# KPI → (numerator, denominator) as groups of the list of customers.
GROUPS = {
    "retention_rate": ("retained", "base"),
    "churn_rate": ("lost", "base"),
    "new_customer_rate": ("new", "base"),
    "won_back_rate": ("won_back", "base"),
}


def _numbers(counts: Retention) -> dict[str, int]:
    return {
        "base": counts.base,
        "retained": counts.retained,
        "lost": counts.base - counts.retained,
        "new": counts.new,
        "won_back": counts.won_back,
        "active": counts.retained + counts.new,
    }


def _before(span: Span) -> Period:
    """The period before; for last year's days, which are no period of the calendar, as many
    days before them."""
    before = span.previous
    if span != span_of(span.kind, span.first):
        days = span.last - span.first
        last = span.first - timedelta(days=1)
        return Period(last - days, last)
    return Period(before.first, before.last)


def _of_customers(offices: Sequence[Office], span: Span) -> Shares:
    """Usage of the period against the one before. One query for each separate subtree."""
    base, current = _before(span), Period(span.first, span.last)
    roots = [
        one
        for one in offices
        if not any(other != one and other.contains(one) for other in offices)
    ]
    counts: dict[int, Retention] = {}
    for root in roots:
        counts |= retention_by_office(root, base, current)
    paths = dict(Office.objects.filter(pk__in=counts).values_list("pk", "path"))
    found: Shares = {}
    for unit in offices:
        inside = [n for pk, n in counts.items() if paths[pk].startswith(unit.path)]
        numbers = _numbers(sum(inside, Retention()))
        shares = {
            name: Share(numbers[top], numbers[bottom])
            for name, (top, bottom) in GROUPS.items()
        }
        shares["loyalty"] = Share(numbers["retained"], numbers["active"])
        found[unit.pk] = shares
    return found


def _customers_url(kpi: Kpi, side: str, office: Office, span: Span) -> str:
    if kpi.name not in GROUPS:
        return ""
    query = {
        "group": GROUPS[kpi.name][side == "bottom"],
        "office": office.code,
        "base": str(_before(span)),
        "current": str(Period(span.first, span.last)),
    }
    return f"{reverse('customers:list')}?{urlencode(query)}"


USAGE = Reckoned("usage", _of_customers, _customers_url)
IN_BASE = Part(_("Customers with usage in the period before"))


def _usage(name: str, label: Any, top: Any, rule: Any, **facts: Any) -> Kpi:
    return Kpi(
        name,
        label,
        "customers",
        Part(top),
        facts.pop("bottom", IN_BASE),
        rule,
        KEY_ACCOUNT,
        is_personal=True,
        family="usage",
        excludes=USED,
        reckoned=USAGE,
        **facts,
    )


CUSTOMERS = (
    _usage("retention_rate", _("Retention"), _("Of these, with usage in the period"),
           "R-CAM-04", target=Decimal(80)),
    _usage("churn_rate", _("Churn"), _("Of these, without usage in the period"),
           "R-KPI-37", is_low_good=True),
    _usage("new_customer_rate", _("New customers"),
           _("Customers with usage in the period and none in the one before"),
           "R-CAM-05", target=Decimal(50)),
    _usage("won_back_rate", _("Won back"),
           _("Of the new ones, those with usage in earlier periods"), "R-CAM-26"),
    _usage("loyalty", _("Loyalty: came again"), _("Of these, also in the period before"),
           "R-KPI-37", bottom=Part(_("Customers with usage in the period"))),
)  # fmt: skip


def _of_delivery(offices: Sequence[Office], span: Span) -> Shares:
    """Three queries over the tallies, whatever the number of offices."""
    counts = figures.counts_by_office(offices, figures.Span(span.first, span.last))
    return {
        pk: {metric.name: metric.share(one) for metric in METRICS}
        for pk, one in counts.items()
    }


def _items_url(kpi: Kpi, side: str, office: Office, span: Span) -> str:
    metric = metrics.BY_NAME[kpi.name]
    if side == "bottom" or not metric.which:
        return ""
    query = {
        "office": office.code,
        "since": f"{span.first}",
        "until": f"{span.last}",
        "which": metric.which,
    }
    return f"{reverse('quality:items')}?{urlencode(query)}"


ITEMS = Reckoned("items", _of_delivery, _items_url)


SOLD = """
SELECT o.path, sum(u.revenue), sum(u.pieces), count(DISTINCT s.id)
FROM {table} u JOIN customers_customer c ON c.id = u.customer_id
JOIN customers_customer s ON s.id = coalesce(c.merged_into_id, c.id)
JOIN org_office o ON o.id = s.office_id
WHERE u.{day} BETWEEN %(first)s AND %(last)s AND o.path LIKE ANY (%(paths)s)
GROUP BY o.path"""


def _sold(offices: Sequence[Office], span: Span) -> Shares:
    """Revenue and pieces, and of how many customers. One query; whole months by their sums."""
    whole = Period(span.first, span.last).is_whole_months
    table, day = (
        ("customers_usagemonth", "month") if whole else ("customers_usage", "posted_on")
    )
    values: dict[str, Any] = {
        "first": span.first,
        "last": span.last,
        "paths": [f"{unit.path}%" for unit in offices],
    }
    with connection.cursor() as cursor:
        cursor.execute(SOLD.format(table=table, day=day), values)
        lines = cursor.fetchall()
    found: Shares = {}
    for unit in offices:
        inside = [sums for path, *sums in lines if path.startswith(unit.path)]
        revenue, pieces, customers = (sum(one[n] for one in inside) for n in range(3))
        found[unit.pk] = {
            "revenue": Share(revenue, customers),
            "pieces": Share(int(pieces), customers),
        }
    return found


SALES = Reckoned("sales", _sold, lambda kpi, side, office, span: "")
BUYERS = Part(_("Customers with usage in the period"))
SOLD_KPIS = (
    Kpi("revenue", _("Revenue"), "customers", Part(_("Yuan of the period")), BUYERS,
        "R-KPI-25", KEY_ACCOUNT, unit="yuan", adds=True, is_personal=True,
        family="usage", reckoned=SALES),
    Kpi("pieces", _("Pieces"), "customers", Part(_("Pieces of the period")), BUYERS,
        "R-KPI-25", KEY_ACCOUNT, unit="pieces", adds=True, is_personal=True,
        family="usage", reckoned=SALES),
)  # fmt: skip
ALL = _("Items accepted in the period and evaluated by now")
LIMITED = _("Of these, items with a limit")
STEPPED = _("Of these, items of a standard with two steps")
GONE = _("Undelivered items")
TAKEN_IN = _("Items accepted in the period")
WORDS: dict[str, tuple[Any, Any]] = {
    "on_time_rate": (_("Delivered within their limit"), LIMITED),
    "attempt_on_time_rate": (_("Attempted or delivered within their limit"), LIMITED),
    "delivered_72h_rate": (_("Delivered within 72 hours"), ALL),
    "variance_plus_1": (_("Delivered within their limit and one day"), LIMITED),
    "variance_plus_2": (_("Delivered within their limit and two days"), LIMITED),
    "variance_plus_3": (_("Delivered within their limit and three days"), LIMITED),
    "substantial_delay_rate": (_("Later than that, or never delivered"), LIMITED),
    "next_day_rate": (_("Delivered within the first step"), STEPPED),
    "max_day_rate": (_("Delivered within the second step"), STEPPED),
    "delivery_success_rate": (_("Items delivered"), ALL),
    "first_attempt_rate": (_("Delivered at the first attempt"), _("Items attempted")),
    "attempt_rule_rate": (_("Attempted as often as prescribed"), GONE),
    "return_rate": (_("Items that went back"), ALL),
    "address_return_rate": (_("Items that went back for their address"), ALL),
    "address_quality": (_("Items that did not go back for their address"), ALL),
    "recipient_return_rate": (_("Items that went back for the recipient"), ALL),
    "wrongful_return_rate": (_("Items that went back by our own mistake"), ALL),
    "loss_rate": (_("Lost, or neither delivered nor returned in time"), ALL),
    "damage_rate": (_("Items damaged"), ALL),
    "shortage_rate": (_("Items with contents missing"), ALL),
    "scan_completeness": (_("Items with all prescribed scans"), ALL),
    "false_signing_rate": (_("False signings confirmed"), _("Items delivered")),
    "requirement_fulfilment": (
        _("Items whose special requirement was met"),
        _("Items with a special requirement"),
    ),
    "timely_pickup_rate": (
        _("Orders collected within the promised window"),
        _("Pickup orders due in the period"),
    ),
    "complaints_per_10k": (_("Complaints registered"), TAKEN_IN),
    "upheld_complaints_per_10k": (_("Complaints upheld"), TAKEN_IN),
    "upheld_appeals_per_million": (_("Appeals upheld by the regulator"), TAKEN_IN),
}


def _metric(metric: Metric) -> Kpi:
    per = metric.share(figures.NOTHING).per
    top, bottom = WORDS[metric.name]
    return Kpi(
        metric.name,
        metric.label,
        "delivery",
        Part(top),
        Part(bottom),
        _("standards of delivery quality"),
        CALL_CENTRE,
        unit="percent" if per == 1 else "ratio",
        per=per,
        is_low_good=metric.is_low_good,
        target=None if metric.target is None else Decimal(f"{metric.target}"),
        excludes=_(
            "Items on their way whose limit has not come; disturbances decided."
        ),
        reckoned=ITEMS,
    )


DELIVERY = tuple(_metric(metric) for metric in METRICS)
KPIS = (
    *SOLD_KPIS,
    *CUSTOMERS,
    *MONEY,
    *SERVICE,
    *COSTS,
    *CALLS,
    *CARE,
    *DELIVERY,
    *STAFF,
)
BY_NAME = {kpi.name: kpi for kpi in KPIS}
