"""Pages of business supervisors: who applied, who tries services, what they found."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import answered, once
from crm.audit import services as audit
from crm.errors import Refused
from crm.programmes import testers as service
from crm.programmes.forms import TermForm, TesterForm, TrialForm
from crm.programmes.models import BusinessSupervisor
from crm.text import words_of, written_phone
from crm.web import keyset_page

State = BusinessSupervisor.State


@needs("staff.manage")
def testers(request: AuthedRequest) -> HttpResponse:
    """The list, and a form for an application."""
    sent = request.POST if request.method == "POST" else None
    if sent is not None and (done := answered(request)):
        return redirect(done)
    form = TesterForm(sent, by=request.user)
    if sent is not None and form.is_valid():
        row = form.save(commit=False)

        def act() -> str:
            return service.apply(row, by=request.user).get_absolute_url()

        try:
            return redirect(once(request, act))
        except Refused as refusal:
            form.add_error("applied_on", str(refusal))
    rows = BusinessSupervisor.objects.visible_to(request.user).select_related("office")
    context = {
        "form": form,
        "page": keyset_page(rows, ["-applied_on", "-pk"], request.GET.get("after", "")),
        "today": localdate(),
    }
    status = 422 if form.errors else 200
    return render(request, "programmes/testers.html", context, status=status)


def _tester(request: AuthedRequest, pk: int) -> BusinessSupervisor:
    rows = BusinessSupervisor.objects.visible_to(request.user)
    rows = rows.select_related("office", "noted_by", "decided_by")
    return get_object_or_404(rows, pk=pk)


def _page(
    request: AuthedRequest, row: BusinessSupervisor, **forms: Any
) -> HttpResponse:
    is_kept = may(request.user, "staff.manage", row.office)
    context = {
        "row": row,
        "phone": written_phone(row.phone) if row.phone else "",
        "today": localdate(),
        "trials": row.trials.select_related("programme"),
        "may_decide": is_kept
        and row.state == State.APPLIED
        and row.noted_by_id != request.user.pk,
        "waits": row.state == State.APPLIED and row.noted_by_id == request.user.pk,
        "may_end": is_kept and row.state == State.APPROVED,
        "term": TermForm(None),
        "trial": TrialForm(None, tester=row, by=request.user)
        if is_kept and row.state in (State.APPROVED, State.ENDED)
        else None,
        **forms,
    }
    status = 422 if any(form.errors for form in forms.values()) else 200
    return render(request, "programmes/tester.html", context, status=status)


@needs("staff.manage")
def tester(request: AuthedRequest, pk: int) -> HttpResponse:
    """Name and phone of one person: who looked stands in the trail."""
    row = _tester(request, pk)
    audit.record(request.user, "tester.shown", row, office=row.office)
    return _page(request, row)


@require_POST
@needs("staff.manage")
def tester_act(request: AuthedRequest, pk: int, act: str) -> HttpResponse:
    """Take, refuse, end, note a trial; the service says who may."""
    row = _tester(request, pk)
    if act not in ("take", "refuse", "end", "trial"):
        raise Http404
    if act == "trial":
        return _trial(request, row)
    try:
        if act == "take":
            form = TermForm(request.POST)
            if not form.is_valid():
                return _page(request, row, term=form)
            service.take(row, by=request.user, **form.cleaned_data)
        else:
            reason = words_of(request.POST.get("reason", ""), 300)
            do = service.refuse if act == "refuse" else service.end
            do(row, by=request.user, reason=reason)
        messages.success(request, _("Done."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row)


def _trial(request: AuthedRequest, row: BusinessSupervisor) -> HttpResponse:
    if done := answered(request):
        return redirect(done)
    form = TrialForm(request.POST, tester=row, by=request.user)
    if form.is_valid():
        made = form.save(commit=False)
        made.tester = row

        def act() -> str:
            service.note(made, by=request.user)
            return row.get_absolute_url()

        try:
            return redirect(once(request, act))
        except Refused as refusal:
            form.add_error("on", str(refusal))
    return _page(request, row, trial=form)
