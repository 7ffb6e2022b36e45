"""One's standing orders for workbooks of figures."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, needs
from crm.dashboards import standing
from crm.dashboards.forms import StandingForm
from crm.dashboards.periods import last_ended
from crm.errors import Refused


@needs("kpi.view")
def exports(request: AuthedRequest) -> HttpResponse:
    """The list, and a form for another."""
    today = localdate()
    is_sent = request.method == "POST"
    form = StandingForm(request.POST if is_sent else request.GET, by=request.user)
    if is_sent and form.is_valid():
        asked = form.cleaned_data
        try:
            standing.order(asked["office"], asked["kind"], by=request.user, today=today)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("You will be told when the next is ready."))
            return redirect("dashboards:exports")
    rows = [
        (row, span, standing.address_of(row.office, span))
        for row in standing.of(request.user)
        for span in [last_ended(row.kind, today)]
    ]
    context = {"form": form, "rows": rows, "is_sent": is_sent}
    status = 422 if is_sent else 200
    return render(request, "dashboards/exports.html", context, status=status)


@require_POST
@needs("kpi.view")
def export_end(request: AuthedRequest, pk: int) -> HttpResponse:
    get_object_or_404(standing.of(request.user), pk=pk).delete()
    messages.success(request, _("Ended: nothing more will be sent."))
    return redirect("dashboards:exports")
