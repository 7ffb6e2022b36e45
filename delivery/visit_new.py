"""A visit for a customer: an appointment, or one that is being made; the customer's panel."""

import uuid
from datetime import timedelta

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import once
from crm.errors import Refused
from customers.models import Customer
from delivery import visit_log, visits
from delivery.models import Visit, VisitType, Way
from delivery.visit_forms import AppointForm, CustomerOnly
from delivery.visit_views import dress, visible


@needs("visit.request")
def new(request: AuthedRequest) -> HttpResponse:
    """A visit for a customer: an appointment, or one that is being made just now."""
    customers = Customer.objects.visible_to(request.user)
    about = CustomerOnly(request.GET, customers=customers)
    if not about.is_valid():
        raise Http404
    customer = about.cleaned_data["customer"]
    sent = request.POST if request.method == "POST" else None
    form = AppointForm(sent, initial={"day": localdate() + timedelta(days=1)})
    if sent is not None and "now" in sent:
        return _log_now(request, customer)
    if sent is not None and form.is_valid():
        typed = form.cleaned_data

        def act() -> str:
            return visits.appoint(customer, by=request.user, **typed).get_absolute_url()

        try:
            address = once(request, act)
            messages.success(request, _("The appointment is made."))
            return redirect(address if may(request.user, "visit.view") else customer)
        except Refused as refusal:
            _double(form, refusal)
    customer.shown = customer.name_for(request.user)
    context = {
        "customer": customer,
        "form": form,
        "token": uuid.uuid4(),
        "may_log": may(request.user, "visit.log", customer.office),
    }
    status = 422 if form.errors else 200
    return render(request, "delivery/new.html", context, status=status)


def _double(form: forms.Form, refusal: Refused) -> None:
    """A refusal beside its field; a double booking may be confirmed."""
    form.is_double = refusal.code == "visit.double"
    if refusal.code in ("visit.past", "visit.far", "visit.double"):
        form.add_error("day", str(refusal))
    else:
        form.add_error(None, str(refusal))


def _log_now(request: AuthedRequest, customer: Customer) -> HttpResponse:
    try:
        token = uuid.UUID(request.POST.get("token", ""))
    except ValueError:
        token = uuid.uuid4()
    made = visit_log.begin(
        customer,
        by=request.user,
        type=VisitType.OTHER,
        way=Way.VISIT,
        source=f"now:{request.user.pk}:{customer.pk}:{token.hex}",
    )
    return redirect(made)


@needs("customer.view")
def for_customer(request: AuthedRequest, pk: int) -> HttpResponse:
    """The panel on the customer page: what is planned, what was found last."""
    customer = get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)
    rows = Visit.objects.filter(
        customer=customer
    ).for_list()  # SECURITY: of who is seen
    planned = dress(list(rows.running().order_by("due_on")[:5]), request.user)
    done = rows.filter(state=Visit.State.DONE, covered_by=None).select_related("report")
    sees = set(
        visible(request).filter(customer=customer).values_list("pk", flat=True)[:200]
    )
    past = dress(list(done.order_by("-report__visited_on", "-pk")[:4]), request.user)
    for row in [*planned, *past]:
        row.may_open = row.pk in sees
    context = {
        "customer": customer,
        "planned": planned,
        "past": past,
        "may_request": may(request.user, "visit.request", customer.office),
        "may_log": may(request.user, "visit.log", customer.office),
        "token": uuid.uuid4(),
    }
    return render(request, "delivery/_for_customer.html", context)
