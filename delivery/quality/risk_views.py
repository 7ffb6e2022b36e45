"""The page of items at risk: what the office can still save, and what came of it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.errors import Refused
from crm.web import keyset_page
from customers.models import Customer
from delivery.models import ItemRisk
from delivery.quality import risks as service
from delivery.round_forms import WordsForm

State = ItemRisk.State


@needs("risk.view")
def risks(request: AuthedRequest) -> HttpResponse:
    """What is open, the most urgent first; or what has ended, the latest first."""
    wanted = request.GET.get("state", State.OPEN)
    wanted = wanted if wanted in State.values else State.OPEN
    rows = ItemRisk.objects.visible_to(request.user).filter(state=wanted)
    if office := request.GET.get("office", ""):
        rows = rows.filter(office__code=office)
    order = ["due_at", "pk"] if wanted == State.OPEN else ["-due_at", "-pk"]
    page = keyset_page(
        rows.select_related("office", "customer", "acted_by"),
        order,
        request.GET.get("after", ""),
    )
    seen = Customer.objects.visible_to(request.user).filter(
        pk__in={row.customer_id for row in page.rows}
    )
    known = set(seen.values_list("pk", flat=True))
    at = now()
    for row in page.rows:
        row.is_known = row.customer_id in known
        row.hours = int((row.due_at - at).total_seconds() // 3600)
        row.may_act = may(request.user, "risk.act", row.office)
    context = {"page": page, "state": wanted, "states": State.choices}
    return render(request, "quality/risks.html", context)


@needs("risk.act")
@require_POST
def act(request: AuthedRequest, pk: int) -> HttpResponse:
    """Write down what was done."""
    row = get_object_or_404(ItemRisk.objects.visible_to(request.user), pk=pk)
    form = WordsForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Write a few words."))
    else:
        try:
            service.act(row, by=request.user, note=form.cleaned_data["words"])
            messages.success(request, _("Kept."))
        except Refused as refusal:
            messages.error(request, str(refusal))
    return redirect("quality:risks")
