"""The page of topics: words with their trend, and what is suddenly named."""

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from complaints import learning
from complaints.models import TopicAlert
from crm.access.capabilities import AuthedRequest, may, needs
from crm.errors import Refused

ROLES = ("supervisor", "analyst")


class TopicFilter(forms.Form):
    """Filters that may stand in an address."""

    days = forms.TypedChoiceField(
        required=False, choices=[("7", 7), ("28", 28)], coerce=int, empty_value=7
    )
    order = forms.ChoiceField(
        required=False, choices=[(name, name) for name in learning.ORDERS]
    )


class DecideTopicForm(forms.Form):
    note = forms.CharField(min_length=2, max_length=300)
    state = forms.ChoiceField(choices=TopicAlert.State.choices[1:])


@needs("topic.view")
def topics(request: AuthedRequest) -> HttpResponse:
    """The words of one's area in the last days, each number opening its rows."""
    form = TopicFilter(request.GET)
    if not form.is_valid():
        raise Http404
    days, order = form.cleaned_data["days"], form.cleaned_data["order"] or "cases"
    posts = request.user.posts(*ROLES)
    today = localdate()
    rows = learning.trends([p.office.path for p in posts], today, days, order)
    for row in rows:
        row["rise"] = row["cases"] - row["before"]
    alerts = TopicAlert.objects.visible_to(request.user)
    near = alerts.filter(day__gt=today - timedelta(days=days))
    shown = list(
        near.select_related("office", "decided_by").order_by("-day", "-cases")[:50]
    )
    for alert in shown:
        is_open = alert.state == TopicAlert.State.RAISED
        alert.may_decide = is_open and may(request.user, "topic.decide", alert.office)
    office = posts[0].office if len(posts) == 1 else None
    context = {
        "rows": rows,
        "alerts": sorted(shown, key=lambda alert: not alert.may_decide),
        "days": days,
        "since": today - timedelta(days=days - 1),
        "until": today,
        "office": office,
        "sees_rows": office and may(request.user, "complaint.view", office),
    }
    return render(request, "complaints/topics.html", context)


@require_POST
@needs("topic.decide")
def decide(request: AuthedRequest, pk: int) -> HttpResponse:
    alert = get_object_or_404(TopicAlert.objects.visible_to(request.user), pk=pk)
    form = DecideTopicForm(request.POST)
    if form.is_valid():
        try:
            learning.decide(alert, by=request.user, **form.cleaned_data)
        except Refused as refusal:
            messages.error(request, str(refusal))
    else:
        messages.error(request, _("Say what is done about it."))
    return redirect("complaints:topics")
