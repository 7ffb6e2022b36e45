"""How due times came about, more time for one, and the limits behind them all."""

from collections.abc import Iterator
from datetime import datetime, time

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate, localtime, make_aware, now
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_POST

from complaints import clocks, extensions, limits
from complaints.clock_forms import DecideForm, ExtensionForm, LimitForm, MonthForm
from complaints.models import Complaint, Extension, Limit, Milestone
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import once
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.web import csv_answer
from customers.queries import add_months


def _visible(request: AuthedRequest):
    return Complaint.objects.visible_to(request.user)


def _page(
    request: AuthedRequest, complaint: Complaint, status: int = 200, **forms: object
) -> HttpResponse:
    shown = clocks.shown(complaint)
    for row, _spans in shown:
        row.asked = list(row.extensions.select_related("asked_by", "decided_by"))
        may_decide = extensions.may_decide(request.user, row, complaint)
        for extension in row.asked:
            is_asker = extension.asked_by_id == request.user.pk
            extension.is_open = extension.state == Extension.State.ASKED
            extension.may_decide = extension.is_open and may_decide and not is_asker
        row.is_legal = row.kind in limits.LEGAL
        row.form = forms.get(row.kind) if row.met_at is None else None
        if row.met_at is None and row.form is None:
            row.form = ExtensionForm(prefix=str(row.pk))
    context = {
        "complaint": complaint,
        "clocks": shown,
        "pauses": complaint.pauses.all(),
        "calendar_office": complaint.handling_office,
        "may_ask": may(request.user, "complaint.move"),
    }
    return render(request, "complaints/working.html", context, status=status)


@needs("complaint.view")
def working(request: AuthedRequest, ref: str) -> HttpResponse:
    """How each due time came about: limits, spans of working time, pauses, extensions."""
    return _page(request, get_object_or_404(_visible(request).for_list(), ref=ref))


@require_POST
@needs("complaint.move")
def extend(request: AuthedRequest, pk: int) -> HttpResponse:
    """Ask for more time for one clock."""
    rows = Milestone.objects.filter(complaint__in=_visible(request))
    milestone = get_object_or_404(rows.select_related("complaint"), pk=pk)
    form = ExtensionForm(request.POST, prefix=str(milestone.pk))
    if form.is_valid():
        try:
            once(request, lambda: _ask(request, milestone, form))
            messages.success(request, _("Your request waits for approval."))
            return redirect("complaints:working", milestone.complaint.ref)
        except Refused as refusal:
            form.add_error("until_at", str(refusal))
    complaint = get_object_or_404(
        _visible(request).for_list(), pk=milestone.complaint_id
    )
    return _page(request, complaint, 422, **{milestone.kind: form})


def _ask(request: AuthedRequest, milestone: Milestone, form: ExtensionForm) -> str:
    extension = extensions.ask(milestone, by=request.user, **form.cleaned_data)
    return str(extension.pk)


@require_POST
@needs("complaint.extend")
def decide(request: AuthedRequest, pk: int) -> HttpResponse:
    rows = Extension.objects.filter(milestone__complaint__in=_visible(request))
    extension = get_object_or_404(rows.select_related("milestone__complaint"), pk=pk)
    form = DecideForm(request.POST)
    if form.is_valid():
        try:
            extensions.decide(extension, by=request.user, **form.cleaned_data)
        except Refused as refusal:
            messages.error(request, str(refusal))
    return redirect("complaints:working", extension.milestone.complaint.ref)


@needs("clock.export")
def export(request: AuthedRequest) -> HttpResponse:
    """All clocks of the work orders opened in a month, one line each."""
    form = MonthForm(request.GET)
    if not form.is_valid():
        raise Http404
    first = form.cleaned_data["month"] or localdate().replace(day=1)
    begins = make_aware(datetime.combine(first, time()))
    ends = make_aware(datetime.combine(add_months(first, 1), time()))
    seen = _visible(request).filter(opened_at__gte=begins, opened_at__lt=ends)
    rows = Milestone.objects.filter(complaint__in=seen)
    rows = rows.select_related("complaint__handling_office", "limit").order_by("pk")
    return csv_answer(_lines(rows), f"clocks-{first:%Y-%m}.csv")


def _lines(rows: QuerySet[Milestone]) -> Iterator[list]:
    yield [
        *(_("Number"), _("Type"), _("Office"), _("Clock"), _("Round"), _("Basis")),
        *(_("Begun"), _("Due"), pgettext("clock", "Met"), pgettext("clock", "Late")),
    ]
    at = now()
    for row in rows.iterator(chunk_size=1000):
        complaint = row.complaint
        yield [
            complaint.ref,
            complaint.get_kind_display(),
            complaint.handling_office,
            row.get_kind_display(),
            row.round,
            row.limit.get_basis_display() if row.limit else "",
            f"{localtime(row.starts_at):%Y-%m-%d %H:%M}",
            f"{localtime(row.due_at):%Y-%m-%d %H:%M}",
            f"{localtime(row.met_at):%Y-%m-%d %H:%M}" if row.met_at else "",
            int((row.met_at or at) > row.due_at),
        ]


def _limits(request: AuthedRequest, form: LimitForm | None, status: int = 200):
    mine = offices_of(request.user, "supervisor")
    rows = list(Limit.objects.select_related("office"))
    for row in rows:
        row.may_end = (
            row.until is None
            and row.office is not None
            and may(request.user, "limit.edit", row.office)
        )
    context = {"rows": rows, "form": form or LimitForm(offices=mine)}
    return render(request, "complaints/limits.html", context, status=status)


@needs("limit.view")
def limit_list(request: AuthedRequest) -> HttpResponse:
    return _limits(request, None)


@require_POST
@needs("limit.edit")
def limit_add(request: AuthedRequest) -> HttpResponse:
    form = LimitForm(request.POST, offices=offices_of(request.user, "supervisor"))
    if form.is_valid():
        try:
            once(
                request,
                lambda: str(limits.add_limit(by=request.user, **form.cleaned_data).pk),
            )
            return redirect("complaints:limits")
        except Refused as refusal:
            form.add_error("minutes", str(refusal))
    return _limits(request, form, 422)


@require_POST
@needs("limit.edit")
def limit_end(request: AuthedRequest, pk: int) -> HttpResponse:
    mine = offices_of(request.user, "supervisor")
    limit = get_object_or_404(Limit.objects.filter(office__in=mine), pk=pk)
    limits.end_limit(limit, by=request.user)
    return redirect("complaints:limits")
