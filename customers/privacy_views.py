"""Data protection at one customer, and what is kept how long."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, needs
from crm.access.fresh import fresh_password
from crm.errors import Refused
from customers import privacy
from customers.models import Customer


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Who asked for it, and how"), max_length=200
    )


class EraseForm(ReasonForm):
    code = forms.CharField(
        label=gettext_lazy("Type the customer code to confirm"), max_length=40
    )


def _customer(request: AuthedRequest, pk: int) -> Customer:
    rows = Customer.objects.visible_to(request.user).select_related("office")
    return get_object_or_404(rows, pk=pk)


def _page(request: AuthedRequest, customer: Customer, status: int = 200, **bound):
    context = {
        "customer": customer,
        "name": customer.name_for(request.user),
        "data_form": bound.get("data") or ReasonForm(prefix="data"),
        "erase_form": bound.get("erase") or EraseForm(prefix="erase"),
    }
    return render(request, "customers/privacy.html", context, status=status)


@needs("customer.erase")
def page(request: AuthedRequest, pk: int) -> HttpResponse:
    return _page(request, _customer(request, pk))


@require_POST
@needs("customer.erase")
@fresh_password
def data(request: AuthedRequest, pk: int) -> HttpResponse:
    """Everything about one customer as JSON, for handing to them."""
    customer = _customer(request, pk)
    form = ReasonForm(request.POST, prefix="data")
    if not form.is_valid():
        return _page(request, customer, 422, data=form)
    reason = form.cleaned_data["reason"]
    found = privacy.subject_data(customer, by=request.user, reason=reason)
    answer = HttpResponse(privacy.as_json(found), content_type="application/json")
    answer.headers["Content-Disposition"] = (
        f'attachment; filename="customer-{customer.pk}.json"'
    )
    return answer


@require_POST
@needs("customer.erase")
def hold(request: AuthedRequest, pk: int) -> HttpResponse:
    customer = _customer(request, pk)
    privacy.set_hold(customer, by=request.user, on=not customer.legal_hold)
    return redirect("customers:privacy", pk=pk)


@require_POST
@needs("customer.erase")
@fresh_password
def erase(request: AuthedRequest, pk: int) -> HttpResponse:
    customer = _customer(request, pk)
    form = EraseForm(request.POST, prefix="erase")
    if form.is_valid() and form.cleaned_data["code"] != customer.code:
        form.add_error("code", _("This is not the customer's code."))
    if form.is_valid():
        try:
            reason = form.cleaned_data["reason"]
            privacy.erase(customer, by=request.user, reason=reason)
            messages.success(request, _("The record is erased."))
            return redirect("customers:list")
        except Refused as refusal:
            form.add_error("reason", str(refusal))
    return _page(request, customer, 422, erase=form)


@needs("customer.erase")
def retention(request: AuthedRequest) -> HttpResponse:
    """The table of what is kept how long, and how much of it is due tonight."""
    rows = [(keeping, keeping.due().count()) for keeping in privacy.RETENTION]
    return render(request, "customers/retention.html", {"rows": rows})
