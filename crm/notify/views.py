"""The inbox: what the place tells a user."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest
from crm.errors import Refused
from crm.notify.events import CHANNELS
from crm.notify.forms import PreferenceForm
from crm.notify.models import Message
from crm.notify.services import choose
from crm.text import mask_phone


def inbox(request: AuthedRequest) -> HttpResponse:
    news = Message.objects.inbox_of(request.user)[:100]
    return render(request, "notify/inbox.html", {"news": news})


def preferences(request: AuthedRequest) -> HttpResponse:
    """How one wants to be told of what."""
    sent = request.POST if request.method == "POST" else None
    form = PreferenceForm(sent, user=request.user)
    if sent is not None and form.is_valid():
        try:
            choose(request.user, form.wanted())
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("notify:preferences")
    context = {
        "form": form,
        "rows": form.rows(),
        "channels": CHANNELS.values(),
        "mobile": mask_phone(request.user.mobile),
    }
    status = 422 if form.errors else 200
    return render(request, "notify/preferences.html", context, status=status)


@require_POST
def read_all(request: AuthedRequest) -> HttpResponse:
    Message.objects.inbox_of(request.user).unread().update(read_at=now())
    return redirect("notify:inbox")
