"""Pages of standards and premium routes."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from crm.access.capabilities import AuthedRequest, may_everywhere, needs
from crm.access.once import answered, once
from crm.errors import Refused
from delivery.models import DeliveryStandard, PremiumRoute
from delivery.quality import standards as service
from delivery.quality.forms import RouteForm, StandardForm


@needs("standard.view")
def standards(request: AuthedRequest) -> HttpResponse:
    """What is promised, and a form for one more."""
    may_edit = may_everywhere(request.user, "standard.edit")
    if url := answered(request):
        return redirect(url)
    sent = request.POST if request.method == "POST" else None
    form = StandardForm(sent)
    if sent is not None and form.is_valid():

        def act() -> str:
            service.keep(form.save(commit=False), by=request.user)
            return request.path

        try:
            url = once(request, act)
            messages.success(request, _("Kept. The items are being counted anew."))
            return redirect(url)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    context = {
        "rows": DeliveryStandard.objects.all(),
        "form": form,
        "may_edit": may_edit,
    }
    status = 422 if form.errors else 200
    return render(request, "quality/standards.html", context, status=status)


@needs("standard.view")
def standard(request: AuthedRequest, pk: int) -> HttpResponse:
    """One standard: change it or take it away."""
    row = get_object_or_404(DeliveryStandard, pk=pk)
    may_edit = may_everywhere(request.user, "standard.edit")
    sent = request.POST if request.method == "POST" else None
    form = StandardForm(sent, instance=row)
    if sent is not None and "remove" in sent:
        try:
            service.remove(row, by=request.user)
        except Refused as refusal:
            messages.error(request, str(refusal))
            return redirect(request.path)
        return redirect("quality:standards")
    if sent is not None and form.is_valid():
        try:
            service.keep(form.save(commit=False), by=request.user)
            messages.success(request, _("Kept. The items are being counted anew."))
            return redirect("quality:standards")
        except Refused as refusal:
            form.add_error(None, str(refusal))
    context = {"row": row, "form": form, "may_edit": may_edit}
    status = 422 if form.errors else 200
    return render(request, "quality/standard.html", context, status=status)


@needs("standard.view")
def premium(request: AuthedRequest) -> HttpResponse:
    """Premium routes: the list, a form, and taking one away."""
    if url := answered(request):
        return redirect(url)
    sent = request.POST if request.method == "POST" else None
    form = RouteForm(sent)
    if sent is not None and "remove" in sent:
        rows = (
            PremiumRoute.objects.filter(pk=sent["remove"])
            if sent["remove"].isascii() and sent["remove"].isdigit()
            else []
        )
        for row in rows:
            service.remove_route(row, by=request.user)
        return redirect(request.path)
    if sent is not None and form.is_valid():

        def act() -> str:
            service.keep_route(form.save(commit=False), by=request.user)
            return request.path

        try:
            return redirect(once(request, act))
        except Refused as refusal:
            form.add_error(None, str(refusal))
    context = {
        "rows": PremiumRoute.objects.all(),
        "form": form,
        "may_edit": may_everywhere(request.user, "standard.edit"),
    }
    status = 422 if form.errors else 200
    return render(request, "quality/premium.html", context, status=status)
