"""Opening an improvement for a weak figure."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import answered, once
from crm.dashboards import effects
from crm.dashboards.figure_views import address
from crm.dashboards.forms import FiguresForm
from crm.dashboards.reckoned import BY_NAME
from crm.errors import Refused
from delivery.quality.inspection_forms import MendForm, owners_of


@needs("improvement.manage")
def kpi_improve(request: AuthedRequest, name: str) -> HttpResponse:
    """Who does what until when about a figure of an office in a period."""
    kpi, asked = BY_NAME.get(name), FiguresForm(request.GET, by=request.user)
    if kpi is None or not asked.is_valid():
        raise Http404
    office, span = asked.cleaned_data["office"], asked.cleaned_data["span"]
    if not may(request.user, "improvement.manage", office):
        raise Http404
    sent = request.POST if request.method == "POST" else None
    if sent is not None and answered(request):
        return redirect("delivery:improvements")
    form = MendForm(sent, owners=owners_of(office), check=0)
    here = f"{reverse('dashboards:kpi', args=[name])}?{address(office, span)}"
    if sent is not None and form.is_valid():

        def act() -> str:
            facts: dict[str, Any] = form.cleaned_data
            effects.improve(kpi, office, span, here, by=request.user, **facts)
            return reverse("delivery:improvements")

        try:
            url = once(request, act)
            messages.success(request, _("Done."))
            return redirect(url)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    context = {"kpi": kpi, "office": office, "span": span, "form": form, "here": here}
    status = 422 if form.errors else 200
    return render(request, "dashboards/kpi_improve.html", context, status=status)
