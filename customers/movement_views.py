"""Key contract customers month by month, what service does, and the months ahead."""

from datetime import date
from typing import Any

from django.db.models import F, Max, Min, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm.access.capabilities import AuthedRequest, needs
from crm.access.scoping import offices_of
from crm.charts import columns
from crm.org.models import Office
from crm.web import csv_answer, keyset_page
from customers.alert_forms import GROUPS, MovementFilter
from customers.forecast import outlook
from customers.key_months import Movement, effects_of, movements
from customers.models import Customer, Forecast, KeyMonth, ServiceEffect
from customers.queries import add_months


def _chosen(request: AuthedRequest) -> tuple[dict[str, Any], Office, QuerySet[Office]]:
    """Clean filters, the office asked for (else the first), and those to choose from."""
    form = MovementFilter(request.GET)
    if not form.is_valid():
        raise Http404
    offices = offices_of(request.user, "supervisor")
    code = form.cleaned_data["office"]
    office = get_object_or_404(offices, code=code) if code else offices.first()
    if office is None:
        raise Http404
    return form.cleaned_data, office, offices


def _group(office: Office, month: date, group: str) -> QuerySet[KeyMonth]:
    """The rows behind a figure; of those who left, the month before."""
    before = add_months(month, -1)
    inside = KeyMonth.objects.filter(office__path__startswith=office.path)
    now = inside.filter(month=month)

    def survivors(of: date) -> QuerySet:
        rows = KeyMonth.objects.filter(month=of)
        return rows.values_list(Coalesce("customer__merged_into", "customer"))

    if group == "joined":
        return now.exclude(customer__in=survivors(before))
    if group == "left":
        return inside.filter(month=before).exclude(customer__in=survivors(month))
    if group == "idle":
        return now.filter(pieces__lte=0)
    if group == "fallen":
        return now.filter(base_revenue__gt=0, revenue__lt=F("base_revenue") * 9 / 10)
    return now


def _months() -> list[date]:
    """The months that are written down, newest first; two looks into the index."""
    ends = KeyMonth.objects.aggregate(first=Min("month"), last=Max("month"))
    months, month = [], ends["last"]
    while month and month >= ends["first"] and len(months) < 36:
        months.append(month)
        month = add_months(month, -1)
    return months


@needs("movement.view")
def movement(request: AuthedRequest) -> HttpResponse:
    """Number, volume and revenue of key contract customers, by office and by name."""
    chosen, office, offices = _chosen(request)
    months = _months()
    month = chosen["month"] or (months[0] if months else None)
    context: dict[str, Any] = {
        "office": office,
        "offices": offices,
        "months": months,
        "month": month,
        "groups": GROUPS,
        "group": chosen["group"] or "all",
    }
    if month is not None:
        seen = Customer.objects.visible_to(request.user).filter(erased_at=None)
        rows = _group(office, month, context["group"]).filter(customer__in=seen)
        page = keyset_page(
            rows.select_related("customer__office", "customer__manager"),
            ["-revenue", "-pk"],
            request.GET.get("after", ""),
        )
        for row in page.rows:
            row.shown_customer = row.customer.name_for(request.user)
            row.change = Movement.change(row.revenue, row.base_revenue)
        context |= {"page": page, **_figures(office, month)}
    return render(request, "customers/movement.html", context)


def _figures(office: Office, month: date) -> dict[str, Any]:
    by_path = movements(office, month)
    children = Office.objects.filter(
        path__startswith=office.path, depth=office.depth + 1
    )
    lines = [(office, True, by_path.get(office.path, Movement()))]
    for child in children:
        parts = [row for path, row in by_path.items() if path.startswith(child.path)]
        lines.append((child, False, sum(parts, Movement())))
    names = dict(ServiceEffect.Action.choices)
    served = add_months(month, -3)
    return {
        "whole": sum(by_path.values(), Movement()),
        "lines": [line for line in lines if line[2].number or line[2].previous_number],
        "effects": [(names[one.action], one) for one in effects_of(office, served)],
        "served": served,
    }


@needs("movement.view")
def movement_file(request: AuthedRequest) -> HttpResponse:
    """The figures by office as a file: no customer is named in it."""
    chosen, office, _offices = _chosen(request)
    month = chosen["month"] or add_months(localdate(), -1)
    head = [
        *(_("Office"), _("Key customers"), _("Joined"), _("Left"), _("Pieces")),
        *(_("Pieces last year"), _("Revenue"), _("Revenue last year")),
    ]
    rows = [
        [
            *(str(one), row.number, row.joined, row.left, row.pieces),
            *(row.base_pieces, row.revenue, row.base_revenue),
        ]
        for one, _itself, row in _figures(office, month)["lines"]
    ]
    return csv_answer([head, *rows], f"key-customers-{month:%Y-%m}.csv")


@needs("forecast.view")
def forecast(request: AuthedRequest) -> HttpResponse:
    """Pieces of the months ahead by office and product, with the back-test's error."""
    chosen, office, offices = _chosen(request)
    inside = Forecast.objects.filter(office__path__startswith=office.path)
    products = list(inside.order_by("product").values_list("product").distinct())
    product = chosen["product"]
    found = outlook(office, product)
    context = {
        "office": office,
        "offices": offices,
        "by_office": _by_office(request, office, product),
        "products": [row[0] for row in products if row[0]],
        "product": product,
        "outlook": found,
        "by_product": _by_product(inside),
    }
    if found.months:
        context["chart"] = columns(
            [f"{row['month']:%y-%m}" for row in found.months],
            [
                float(row["said"] if row["came"] is None else row["came"])
                for row in found.months
            ],
            unit=_("pieces"),
            label=_("Pieces by month"),
            before=[float(row["said"]) for row in found.months],
            before_label=_("forecast"),
            ahead=sum(row["came"] is None for row in found.months),
        )
    return render(request, "customers/forecast.html", context)


def _by_product(inside: QuerySet[Forecast]) -> list[dict[str, Any]]:
    """The coming months of each product, largest first."""
    sums = inside.filter(actual=None).values("product").annotate(n=Sum("pieces"))
    return list(sums.order_by("-n")[:20])


def _by_office(
    request: AuthedRequest, office: Office, product: str
) -> list[tuple[Office, float]]:
    """The coming months of each office right below, one's own ones."""
    own = offices_of(request.user, "supervisor")
    rows = Forecast.objects.filter(office__path__startswith=office.path, actual=None)
    if product:
        rows = rows.filter(product=product)
    sums = dict(rows.values_list("office__path").annotate(n=Sum("pieces")))
    found = []
    for child in own.filter(path__startswith=office.path, depth=office.depth + 1):
        number = sum(n for path, n in sums.items() if path.startswith(child.path))
        found.append((child, number))
    return [row for row in found if row[1]]
