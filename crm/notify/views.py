"""The inbox: what the place tells a user."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest
from crm.notify.models import Message


def inbox(request: AuthedRequest) -> HttpResponse:
    news = Message.objects.inbox_of(request.user)[:100]
    return render(request, "notify/inbox.html", {"news": news})


@require_POST
def read_all(request: AuthedRequest) -> HttpResponse:
    Message.objects.inbox_of(request.user).unread().update(read_at=now())
    return redirect("notify:inbox")
