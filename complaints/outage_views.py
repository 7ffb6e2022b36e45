"""Pages of the month: channels that were closed, and the bulletin case by case."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate, localtime, now
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from complaints import outages, reports
from complaints.clock_forms import MonthForm
from complaints.kinds import Channel, Severity
from complaints.models import ChannelOutage
from complaints.order_views import visible
from crm.access.capabilities import AuthedRequest, may, needs, require
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.org.calendar import start_of

CASES = 200


class OutageForm(forms.ModelForm):
    class Meta:
        model = ChannelOutage
        fields = ["channel", "office", "started_at", "reason"]
        labels = {"office": gettext_lazy("Office")}
        widgets = {
            "started_at": forms.DateTimeInput(
                format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}
            )
        }

    def __init__(self, *args: Any, offices: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        office: Any = self.fields["office"]
        office.queryset, office.to_field_name = offices, "code"
        kept = [c for c in Channel.choices if c[0] not in ("system", "regulator")]
        self.fields["channel"].choices = kept
        self.initial.setdefault("started_at", localtime(now()))


def _month(request: AuthedRequest) -> date:
    form = MonthForm(request.GET)
    if not form.is_valid():
        raise Http404
    return (form.cleaned_data["month"] or localdate()).replace(day=1)


@needs("outage.view")
def channels(request: AuthedRequest) -> HttpResponse:
    """How long each channel was open in a month; posted: one is closed."""
    offices = offices_of(request.user, "supervisor")
    sent = request.POST if request.method == "POST" else None
    form = OutageForm(sent, offices=offices)
    if sent is not None:
        require(request.user, "outage.keep")
    if sent is not None and form.is_valid():
        try:
            outages.note(by=request.user, **form.cleaned_data)
            return redirect("complaints:channels")
        except Refused as refusal:
            form.add_error("started_at", str(refusal))
    first = _month(request)
    start = start_of(first)
    end = min(now(), start_of((first + timedelta(days=32)).replace(day=1)))
    seen = ChannelOutage.objects.visible_to(request.user)
    touching = seen.filter(started_at__lt=end).filter(
        Q(ended_at=None) | Q(ended_at__gt=start)
    )
    rows = list(touching.select_related("office", "noted_by")[:500])
    for row in rows:
        is_mine = may(request.user, "outage.keep", row.office)
        row.may_end = row.ended_at is None and is_mine
    context = {
        "month": first,
        "rows": rows,
        "shares": outages.shares(rows, start, end),
        "form": form if may(request.user, "outage.keep") else None,
    }
    status = 422 if form.errors else 200
    return render(request, "complaints/channels.html", context, status=status)


@require_POST
@needs("outage.keep")
def channel_open(request: AuthedRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(ChannelOutage.objects.visible_to(request.user), pk=pk)
    try:
        outages.end(row, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("complaints:channels")


@needs("report.view")
def bulletin(request: AuthedRequest) -> HttpResponse:
    """The month's key cases, one by one (R-CMP-14): grave, forwarded, against the rules,
    past the law, taken up again, or with a finding."""
    first = _month(request)
    end = start_of((first + timedelta(days=32)).replace(day=1))
    taken = visible(request).filter(opened_at__gte=start_of(first), opened_at__lt=end)
    key = Q(severity=Severity.MAJOR) | Q(is_forwarded=True) | Q(is_violation=True)
    key |= Q(rounds__gt=1) | Q(findings__isnull=False)
    late = reports.marked(taken, "law_late").values("pk")
    cases = taken.filter(key | Q(pk__in=late)).distinct().order_by("opened_at", "pk")
    related = ("handling_office", "subcategory", "outcome")
    rows = cases.select_related(*related).prefetch_related(
        "findings__office", "measures__office"
    )
    context = {"month": first, "rows": rows[:CASES], "total": cases.count()}
    return render(request, "complaints/bulletin.html", context)
