"""What other apps' pages show of card orders: fragments, by public reference."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from campaigns.gatherings import offers_for
from campaigns.models import CardOrder, ProductionError
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.scoping import subtree
from customers.models import Customer

READERS = ("agent", "handler", "manager", "supervisor", "planner")


@needs("order.named")
def named(request: AuthedRequest) -> HttpResponse:
    """The order or production error that a complaint names (?ref=…), of one's offices."""
    ref = request.GET.get("ref", "")[:60]
    inside = subtree(request.user, *READERS, lookup="customer__office")
    # SECURITY: the reader's offices only; agents may look, and open nothing further.
    orders = CardOrder.objects.filter(inside).select_related(
        "season", "product", "customer"
    )
    errors = ProductionError.objects.filter(stage__order__in=orders)
    error = errors.filter(ref__iexact=ref).first() if ref else None
    order = (
        orders.filter(pk=error.stage.order_id)
        if error
        else orders.filter(ref__iexact=ref).exclude(ref="")
    ).first()
    if order is None:
        return HttpResponse()  # the complaint names something else
    context = {
        "order": order,
        "error": error,
        "stage": order.stages.filter(done_at=None).first(),
        "may_open": may(request.user, "order.view")
        and CardOrder.objects.visible_to(request.user).filter(pk=order.pk).exists(),
    }
    return render(request, "campaigns/_named.html", context)


@needs("order.view")
def for_customer(request: AuthedRequest, pk: int) -> HttpResponse:
    """A customer's card orders on its page."""
    inside = Customer.objects.visible_to(request.user)
    handled = Customer.objects.filter(subtree(request.user, "handler", "planner"))
    customer = get_object_or_404(
        (inside | handled).select_related("office", "grade").distinct(), pk=pk
    )
    rows = CardOrder.objects.visible_to(request.user).filter(customer=customer)
    rows = rows.select_related("season", "product").order_by("-ordered_on", "-pk")
    context = {
        "orders": rows[:6],
        "customer": customer,
        "offers": offers_for(customer),
    }
    return render(request, "campaigns/_for_customer.html", context)
