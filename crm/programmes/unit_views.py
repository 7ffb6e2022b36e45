"""Pages of requests between units, and of the reports that units owe each other."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import answered, once
from crm.access.scoping import subtree
from crm.errors import Refused
from crm.programmes import units
from crm.programmes.forms import DutyForm, RequestForm, TextForm
from crm.programmes.models import DutyReport, ReportDuty, UnitRequest
from crm.web import keyset_page

State = UnitRequest.State
DAYS = 90  # of the tallies


@needs("unit.ask")
def unit_requests(request: AuthedRequest) -> HttpResponse:
    """What other units ask of one's own, and what one's own has asked; ask for more."""
    user = request.user
    sent = request.POST if request.method == "POST" else None
    if sent is not None and (done := answered(request)):
        return redirect(done)
    form = RequestForm(sent, by=user)
    if sent is not None and form.is_valid():
        made = form.save(commit=False)
        try:
            return redirect(
                once(request, lambda: units.ask(made, by=user).get_absolute_url())
            )
        except Refused as refusal:
            form.add_error("asked", str(refusal))
    rows = UnitRequest.objects.visible_to(user).select_related("asking", "asked")
    waiting = [
        row
        for row in rows.filter(state__in=[State.OPEN, State.TAKEN]).order_by("due_at")[
            :200
        ]
        if may(user, "unit.ask", row.asked)
    ]
    is_late = request.GET.get("late") == "1"
    if is_late:
        rows = rows.filter(state__in=[State.OPEN, State.TAKEN], due_at__lt=now())
    context = {
        "form": form,
        "waiting": [] if is_late else waiting,
        "is_late": is_late,
        "page": keyset_page(rows, ["-made_at", "-pk"], request.GET.get("after", "")),
        "tallies": units.tallies(user, localdate() - timedelta(DAYS)),
        "days": DAYS,
        "at": now(),
    }
    status = 422 if form.errors else 200
    return render(request, "programmes/unit_requests.html", context, status=status)


def _request(request: AuthedRequest, pk: int) -> UnitRequest:
    rows = UnitRequest.objects.visible_to(request.user)
    return get_object_or_404(
        rows.select_related("asking", "asked", "made_by", "taken_by", "replied_by"),
        pk=pk,
    )


@needs("unit.ask")
def unit_request(request: AuthedRequest, pk: int) -> HttpResponse:
    row = _request(request, pk)
    is_waiting = row.state in (State.OPEN, State.TAKEN)
    context = {
        "row": row,
        "form": TextForm(),
        "may_take": row.state == State.OPEN
        and may(request.user, "unit.ask", row.asked),
        "may_answer": is_waiting and may(request.user, "unit.ask", row.asked),
        "may_close": row.state == State.ANSWERED
        and may(request.user, "unit.ask", row.asking),
        "may_withdraw": is_waiting and may(request.user, "unit.ask", row.asking),
        "is_late": is_waiting and row.due_at < now(),
        "ratings": range(5, 0, -1),
    }
    return render(request, "programmes/unit_request.html", context)


def _words(request: AuthedRequest) -> str:
    form = TextForm(request.POST)
    if not form.is_valid():
        raise Refused("words", _("Write a few words."))
    return form.cleaned_data["text"][:4000]


def _rating(request: AuthedRequest) -> int | None:
    typed = request.POST.get("rating", "")
    return int(typed) if typed in ("1", "2", "3", "4", "5") else None


Act = Callable[[AuthedRequest, UnitRequest], Any]
ACTS: dict[str, Act] = {
    "take": lambda request, row: units.take(row, by=request.user),
    "answer": lambda request, row: units.answer(
        row, by=request.user, words=_words(request)
    ),
    "close": lambda request, row: units.close(
        row, by=request.user, rating=_rating(request)
    ),
    "withdraw": lambda request, row: units.withdraw(
        row, by=request.user, words=_words(request)
    ),
    "again": lambda request, row: units.ask_again(
        row, by=request.user, words=_words(request)
    ),
}


@require_POST
@needs("unit.ask")
def unit_request_act(request: AuthedRequest, pk: int, act: str) -> HttpResponse:
    row = _request(request, pk)
    if act not in ACTS:
        raise Http404
    try:
        ACTS[act](request, row)
        messages.success(request, _("Done."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row)


@needs("unit.ask")
def reports(request: AuthedRequest) -> HttpResponse:
    """The reports that one's unit owes and gets; ask a unit for one every month."""
    user = request.user
    may_manage = may(user, "report.manage")
    sent = request.POST if request.method == "POST" and may_manage else None
    form = DutyForm(sent, by=user) if may_manage else None
    if sent is not None and form is not None and form.is_valid():
        try:
            units.owe(form.save(commit=False), by=user)
            messages.success(request, _("Saved."))
            return redirect("programmes:reports")
        except Refused as refusal:
            form.add_error("office", str(refusal))
    rows = DutyReport.objects.visible_to(user)
    rows = rows.select_related("duty__office", "duty__reader")
    duties = ReportDuty.objects.filter(is_active=True).select_related(
        "office", "reader"
    )
    context = {
        "form": form,
        "page": keyset_page(rows, ["-month", "-pk"], request.GET.get("after", "")),
        "duties": duties.filter(subtree(user, "supervisor", lookup="reader")),
        "today": localdate(),
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "programmes/reports.html", context, status=status)


def _report(request: AuthedRequest, pk: int) -> DutyReport:
    rows = DutyReport.objects.visible_to(request.user)
    return get_object_or_404(
        rows.select_related("duty__office", "duty__reader", "filed_by", "commented_by"),
        pk=pk,
    )


@needs("unit.ask")
def report(request: AuthedRequest, pk: int) -> HttpResponse:
    """One report: filed here, commented here. What was typed stays when it is refused."""
    row = _report(request, pk)
    user = request.user
    is_ours = any(post.office_id == row.duty.office_id for post in user.postings_now)
    may_file = is_ours and may(user, "unit.ask", row.duty.office)
    may_file = may_file and not row.commented_by_id
    may_comment = row.filed_at and may(user, "report.manage", row.duty.reader)
    sent = request.POST if request.method == "POST" else None
    is_comment = "comment" in sent if sent is not None else not may_file
    start = row.comment if is_comment else row.text
    form = TextForm(sent, initial={"text": start})
    if sent is not None and form.is_valid():
        text = form.cleaned_data["text"]
        try:
            if is_comment:
                units.comment(row, by=user, words=text[:1000])
            else:
                units.file(row, by=user, text=text)
            messages.success(request, _("Saved."))
            return redirect(row)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    context = {
        "row": row,
        "form": form,
        "may_file": may_file,
        "may_comment": may_comment,
        "today": localdate(),
    }
    status = 422 if form.errors else 200
    return render(request, "programmes/report.html", context, status=status)


@require_POST
@needs("report.manage")
def report_end(request: AuthedRequest, pk: int) -> HttpResponse:
    """No report from now on."""
    rows = ReportDuty.objects.filter(
        subtree(request.user, "supervisor", lookup="reader")
    )
    units.release(get_object_or_404(rows, pk=pk), by=request.user)
    messages.success(request, _("Done."))
    return redirect("programmes:reports")
