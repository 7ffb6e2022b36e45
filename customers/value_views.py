"""Who matters: customers by what they are expected to bring, and who is about to leave."""

from typing import Any

from django import forms
from django.db.models import QuerySet, Sum
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _

from crm.access.capabilities import AuthedRequest, needs
from crm.access.scoping import offices_of
from crm.org.models import Office
from crm.web import keyset_page
from customers.models import Customer, CustomerValue, ValueFit, ValueTally
from customers.models.value import AT_RISK

Level = CustomerValue.Level


class ValueFilter(forms.Form):
    """Filters that may stand in an address."""

    office = forms.CharField(required=False)
    value = forms.ChoiceField(required=False, choices=Level.choices)
    often = forms.ChoiceField(required=False, choices=Level.choices)
    risk = forms.ChoiceField(required=False, choices=[("1", _("About to leave"))])


def _rows(request: AuthedRequest, office: Office, chosen: dict) -> QuerySet:
    """Values of visible customers of an office and below, under clean filters."""
    seen = Customer.objects.visible_to(request.user).filter(erased_at=None)
    inside = seen.filter(office__path__startswith=office.path)
    rows = CustomerValue.objects.filter(customer__in=inside)
    if chosen["value"]:
        rows = rows.filter(value_class=chosen["value"])
    if chosen["often"]:
        rows = rows.filter(frequency_class=chosen["often"])
    if chosen["risk"]:
        rows = rows.filter(alive__lt=AT_RISK).exclude(value_class=Level.LOW)
    return rows.select_related("customer__office", "customer__manager")


def _matrix(office: Office) -> tuple[list[tuple[Any, list]], dict[str, Any]]:
    """Counts by value class and frequency class of an office and below, and their sums."""
    inside = ValueTally.objects.filter(office__path__startswith=office.path)
    sums = inside.values("value_class", "frequency_class").annotate(n=Sum("customers"))
    found = {(row["value_class"], row["frequency_class"]): row["n"] for row in sums}
    rows = [
        (
            label,
            [(value, often, found.get((value, often), 0)) for often in Level.values],
        )
        for value, label in Level.choices
    ]
    names = ("customers", "at_risk", "value_12", "active", "repeaters", "months_12")
    found_sums = inside.aggregate(**{name: Sum(name) for name in names})
    active = found_sums["active"] or 0
    found_sums["repeat_rate"] = found_sums["repeaters"] / active if active else None
    found_sums["loyalty"] = found_sums["months_12"] / active if active else None
    return rows, found_sums


@needs("value.view")
def values(request: AuthedRequest) -> HttpResponse:
    """Customers by expected value, best first; supervisors also see how they are spread.

    The spread is read from tallies, never counted.
    """
    form = ValueFilter(request.GET)
    if not form.is_valid():
        raise Http404
    chosen = form.cleaned_data
    offices = offices_of(request.user, "manager", "supervisor")
    if chosen["office"]:
        office = get_object_or_404(offices, code=chosen["office"])
    else:
        office = offices.first()
    rows = _rows(request, office, chosen) if office else CustomerValue.objects.none()
    page = keyset_page(rows, ["-value_36", "-customer"], request.GET.get("after", ""))
    for row in page.rows:
        row.shown_name = row.customer.name_for(request.user)
    context = {
        "page": page,
        "office": office,
        "offices": offices,
        "chosen": chosen,
        "levels": Level.choices,
        "is_supervisor": bool(request.user.posts("supervisor")),
    }
    if context["is_supervisor"] and office:
        context["matrix"], context["sums"] = _matrix(office)
        above = [office.path[:end] for end in range(8, len(office.path) + 1, 4)]
        fits = ValueFit.objects.filter(office__path__in=above)
        context["fit"] = fits.order_by("-until", "-office__path").first()
    return render(request, "customers/values.html", context)


@needs("customer.view")
def of_customer(request: AuthedRequest, pk: int) -> HttpResponse:
    """The value panel of a customer's page, with the data behind each figure."""
    seen = Customer.objects.visible_to(request.user)
    customer = get_object_or_404(seen, pk=pk)
    found = CustomerValue.objects.filter(customer=customer).select_related("fit")
    return render(request, "customers/_value.html", {"value": found.first()})
