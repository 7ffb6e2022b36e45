"""Pages of the addresses that are told: keep them, see what each was told."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, needs
from crm.access.once import once
from crm.access.scoping import offices_of
from crm.hooks import services
from crm.hooks.events import EVENTS
from crm.hooks.forms import EndpointForm
from crm.hooks.models import Dispatch, Endpoint


@needs("hook.manage")
def endpoints(request: AuthedRequest) -> HttpResponse:
    """The addresses; posted: one more, with its secret shown once."""
    offices = offices_of(request.user, "system_admin")
    sent = request.POST if request.method == "POST" else None
    form, made = EndpointForm(sent, offices=offices), []

    def add() -> str:
        made.append(services.add_endpoint(form.save(commit=False), by=request.user))
        return "made"

    if sent is not None and form.is_valid():
        once(request, add)
        if not made:  # the same form once more: nothing to show again
            return redirect("hooks:endpoints")
        form = EndpointForm(offices=offices)
    secret = made[0] if made else ""
    rows = Endpoint.objects.visible_to(request.user).select_related("office")
    context = {"rows": rows, "form": form, "secret": secret, "events": EVENTS}
    status = 422 if form.errors else 200
    return render(request, "hooks/endpoints.html", context, status=status)


def _endpoint(request: AuthedRequest, pk: int) -> Endpoint:
    rows = Endpoint.objects.visible_to(request.user).select_related("office")
    return get_object_or_404(rows, pk=pk)


@needs("hook.manage")
def endpoint(request: AuthedRequest, pk: int) -> HttpResponse:
    found = _endpoint(request, pk)
    log = found.dispatches.order_by("-created_at")[:100]
    context = {
        "endpoint": found,
        "log": log,
        "events": [EVENTS[e] for e in found.events],
    }
    return render(request, "hooks/endpoint.html", context)


DOERS: dict[str, Any] = {
    "test": services.try_out,
    "start": lambda row, by: services.switch(row, by=by, is_active=True),
    "stop": lambda row, by: services.switch(row, by=by, is_active=False),
}


@require_POST
@needs("hook.manage")
def act(request: AuthedRequest, pk: int) -> HttpResponse:
    """Test, stop, start, remove: by the button's name."""
    found = _endpoint(request, pk)
    if "remove" in request.POST:
        services.remove(found, by=request.user)
        return redirect("hooks:endpoints")
    for name, do in DOERS.items():
        if name in request.POST:
            do(found, by=request.user)
            messages.success(request, _("Saved."))
    return redirect("hooks:endpoint", pk)


@require_POST
@needs("hook.manage")
def again(request: AuthedRequest, pk: str) -> HttpResponse:
    """Send one event once more."""
    mine = Endpoint.objects.visible_to(request.user)
    row = get_object_or_404(Dispatch.objects.filter(endpoint__in=mine), pk=pk)
    services.send_again(row, by=request.user)
    return redirect("hooks:endpoint", row.endpoint_id)
