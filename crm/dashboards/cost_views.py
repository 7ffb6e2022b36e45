"""Service costs: the grid of an office's year, and cost beside benefit of the units below."""

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm.access.capabilities import AuthedRequest, may, needs
from crm.dashboards import costs as book
from crm.dashboards.cells import shown_numbers, typed_numbers
from crm.dashboards.forms import CostForm
from crm.dashboards.models import ServiceCost
from crm.dashboards.targets import units_of
from crm.errors import Refused


def _name(key: book.Key) -> str:
    return f"{key[0]}-{key[1]}"


def _cell(
    request: AuthedRequest,
    key: book.Key,
    values: dict[book.Key, Decimal],
    wrong: dict[book.Key, str],
) -> dict[str, Any]:
    """What an input shows: what was typed, wrong or not, else what is noted."""
    name = _name(key)
    value = f"{values[key]:.2f}".removesuffix(".00") if key in values else ""
    return {
        "name": name,
        "month": key[1],
        "value": request.POST.get(name, value) if key in wrong else value,
        "shown": request.POST.get(f"s-{name}", value),
        "wrong": wrong.get(key, ""),
        "is_open": key[1] <= localdate(),
    }


@needs("cost.note")
def costs(request: AuthedRequest) -> HttpResponse:
    """Look at a year's costs of an office, or keep all of them at once."""
    form = CostForm(request.GET, by=request.user)
    if not form.is_valid():
        return render(request, "dashboards/costs.html", {"form": form}, status=422)
    office, year = form.cleaned_data["office"], form.cleaned_data["year"]
    query = urlencode({"office": office.code, "year": year})
    months, today = book.months_of(year), localdate()
    keys = [(kind, month) for kind in ServiceCost.Kind.values for month in months]
    values = book.noted(office, year)
    wrong: dict[book.Key, str] = {}
    if request.method == "POST":
        shown = shown_numbers(request, {key: f"s-{_name(key)}" for key in keys})
        values, wrong = typed_numbers(request, {key: _name(key) for key in keys})
        early = {key for key in values if key[1] > today}
        wrong |= dict.fromkeys(early, _("That month has not begun."))
        if not wrong:
            try:
                changed = book.keep(
                    office, year, values, by=request.user, shown=shown, today=today
                )
                messages.success(request, _("%(n)s costs changed.") % {"n": changed})
                return redirect(f"{reverse('dashboards:costs')}?{query}")
            except Refused as refusal:
                form.add_error(None, str(refusal))

    context = {
        "form": form,
        "office": office,
        "year": year,
        "months": months,
        "rows": [
            (label, [_cell(request, (kind, month), values, wrong) for month in months])
            for kind, label in ServiceCost.Kind.choices
        ],
        "wrong": wrong,
        "query": query,
        "benefits": book.benefits(units_of(office), year),
        "may_drill": may(request.user, "kpi.drill", office),
    }
    status = 422 if wrong or form.errors else 200
    return render(request, "dashboards/costs.html", context, status=status)
