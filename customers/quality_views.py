"""Data quality by office and month."""

from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm import charts
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.scoping import offices_of
from customers import data_quality as measures
from customers.addresses import table_age
from customers.models import DataQuality

ROLES = ("manager", "supervisor")
OLD_TABLE = timedelta(days=365)


@needs("quality.view")
def data_quality(request: AuthedRequest) -> HttpResponse:
    """An office's figures, those below it, and how they went in 13 months."""
    offices = offices_of(request.user, *ROLES)
    code = request.GET.get("office", "")
    office = get_object_or_404(offices, code=code) if code else offices.first()
    if office is None:
        return render(request, "customers/data_quality.html", {})
    own, itself, below = measures.quality_by_office(office)
    months = measures.quality_by_month(office)
    newest = DataQuality.objects.order_by("-measured_at").first()
    shares = [(name, row.complete) for name, row in months if row.complete is not None]
    chart = shares and charts.columns(
        [name for name, _share in shares],
        [round(100 * share, 1) for _name, share in shares],
        unit="%",
        label=_("Complete addresses by month"),
    )
    version, published = table_age()
    context = {
        "office": office,
        "offices": offices,
        "own": own,
        "itself": itself,
        "may_drill": may(request.user, "kpi.drill", office),  # the list shows as many
        "below": [(child, row) for child, row in below if row.customers],
        "chart": chart,
        "months": months,
        "newest": newest,
        "table_version": version,
        "table_published": published,
        "table_is_old": not published or localdate() - published > OLD_TABLE,
        "customers_url": reverse("customers:list"),
    }
    return render(request, "customers/data_quality.html", context)
