"""Opening an improvement for a weak figure, or an error of quality that was assessed."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import answered, once
from crm.dashboards import assessing, effects
from crm.dashboards.figure_views import address
from crm.dashboards.forms import FiguresForm
from crm.dashboards.models import AssessmentLine, AssessmentSheet
from crm.dashboards.reckoned import BY_NAME
from crm.errors import Refused
from crm.org.models import Office
from delivery.quality.inspection_forms import MendForm, owners_of


@needs("improvement.manage")
def line_improve(request: AuthedRequest, pk: int) -> HttpResponse:
    """Who does what until when about an error of quality on an assessment sheet."""
    lines = AssessmentLine.objects.select_related("sheet__office", "office").filter(
        sheet__in=AssessmentSheet.objects.visible_to(request.user)
    )
    line = get_object_or_404(lines, pk=pk)
    if not line.is_key_item or not may(request.user, "improvement.manage", line.office):
        raise Http404
    context = {"topic": line.words, "office": line.office}
    return _asked(
        request,
        line.office,
        line.sheet.get_absolute_url(),
        lambda facts: assessing.manage(line, by=request.user, **facts),
        context,
    )


@needs("improvement.manage")
def kpi_improve(request: AuthedRequest, name: str) -> HttpResponse:
    """Who does what until when about a figure of an office in a period."""
    kpi, asked = BY_NAME.get(name), FiguresForm(request.GET, by=request.user)
    if kpi is None or not asked.is_valid():
        raise Http404
    office, span = asked.cleaned_data["office"], asked.cleaned_data["span"]
    if not may(request.user, "improvement.manage", office):
        raise Http404
    here = f"{reverse('dashboards:kpi', args=[name])}?{address(office, span)}"
    context = {"topic": f"{kpi} · {span.label}", "office": office, "is_figure": True}
    return _asked(
        request,
        office,
        here,
        lambda facts: effects.improve(
            kpi, office, span, here, by=request.user, **facts
        ),
        context,
    )


def _asked(
    request: AuthedRequest,
    office: Office,
    here: str,
    open_it: Callable[[dict[str, Any]], Any],
    context: dict[str, Any],
) -> HttpResponse:
    """The form of an improvement of an office; sent, it is opened once."""
    sent = request.POST if request.method == "POST" else None
    if sent is not None and answered(request):
        return redirect("delivery:improvements")
    form = MendForm(sent, owners=owners_of(office), check=0)
    if sent is not None and form.is_valid():

        def act() -> str:
            open_it(form.cleaned_data)
            return reverse("delivery:improvements")

        try:
            url = once(request, act)
            messages.success(request, _("Done."))
            return redirect(url)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    context |= {"form": form, "here": here}
    status = 422 if form.errors else 200
    return render(request, "dashboards/kpi_improve.html", context, status=status)
