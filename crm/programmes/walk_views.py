"""Pages of walkthroughs: pick and book one, walk it, judge what was found, improve it."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import answered, once
from crm.errors import Refused
from crm.programmes import walking
from crm.programmes.forms import FoundFormSet, WalkForm
from crm.programmes.models import Finding, Walk
from crm.programmes.views import programme_of
from crm.text import number_of, words_of
from delivery.quality.inspection_forms import MendForm, owners_of


@needs("programme.see")
def walk_new(request: AuthedRequest, pk: int) -> HttpResponse:
    """Pick a process, an office and a day."""
    row = programme_of(request, pk)
    sent = request.POST if request.method == "POST" else None
    done = answered(request) if sent is not None else ""
    if done:
        return redirect(done)
    form = WalkForm(sent, programme=row, demand=request.GET.get("demand", ""))
    if sent is not None and form.is_valid():
        made = form.save(commit=False)
        try:
            return redirect(
                once(
                    request,
                    lambda: walking.book(made, by=request.user).get_absolute_url(),
                )
            )
        except Refused as refusal:
            name = {"walk.day": "on", "walk.where": "office", "walk.again": "on"}
            form.add_error(name.get(refusal.code), str(refusal))
    context = {"programme": row, "form": form}
    status = 422 if form.errors else 200
    return render(request, "programmes/walk_new.html", context, status=status)


def _walk(request: AuthedRequest, pk: int) -> Walk:
    rows = Walk.objects.visible_to(request.user).select_related(
        "demand__programme__office", "office", "user", "answered_by"
    )
    return get_object_or_404(rows, pk=pk)


def _page(request: AuthedRequest, row: Walk, **more: Any) -> HttpResponse:
    user = request.user
    is_own = row.user_id == user.pk
    findings = list(row.findings.select_related("improvement__owner", "judged_by"))
    owners = owners_of(row.office) if findings else []
    may_improve = may(user, "improvement.manage", row.office)
    for one in findings:
        one.may_judge = one.is_valid is None and walking.may_judge(user, row)
        is_free = one.improvement_id is None and one.is_valid is not False
        if may_improve and is_free:
            one.form = more.get(f"mend{one.pk}") or MendForm(
                None, owners=owners, check=one.pk
            )
    context = {
        "walk": row,
        "findings": findings,
        "found": more.get("found") or FoundFormSet(prefix="found"),
        "may_finish": is_own
        and row.state == Walk.State.AGREED
        and row.on <= localdate(),
        "may_withdraw": is_own and row.state in (Walk.State.BOOKED, Walk.State.AGREED),
        "is_early": row.state == Walk.State.AGREED and row.on > localdate(),
        "may_reply": row.state == Walk.State.BOOKED
        and may(user, "walk.answer", row.office),
    }
    status = 422 if more else 200
    return render(request, "programmes/walk.html", context, status=status)


@needs("programme.see")
def walk(request: AuthedRequest, pk: int) -> HttpResponse:
    return _page(request, _walk(request, pk))


def _reply(request: AuthedRequest, row: Walk) -> None:
    words = words_of(request.POST.get("words", ""), 300)
    agrees = request.POST.get("agrees") == "yes"
    walking.reply(row, by=request.user, agrees=agrees, words=words)


def _judge(request: AuthedRequest, row: Walk) -> None:
    typed = number_of(request.POST.get("finding", ""), 0)
    found = get_object_or_404(row.findings, pk=typed)
    words = words_of(request.POST.get("words", ""), 300)
    walking.judge(
        found,
        by=request.user,
        is_valid=request.POST.get("valid") == "yes",
        words=words,
    )


@require_POST
@needs("programme.see")
def walk_act(request: AuthedRequest, pk: int, act: str) -> HttpResponse:
    """Answer of the branch, what was found, whether it holds."""
    row = _walk(request, pk)
    if act == "finish":
        return _finish(request, row)
    if act == "withdraw":
        return _withdraw(request, row)
    if act not in ("reply", "judge"):
        raise Http404
    try:
        (_reply if act == "reply" else _judge)(request, row)
        messages.success(request, _("Done."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row)


def _withdraw(request: AuthedRequest, row: Walk) -> HttpResponse:
    try:
        walking.withdraw(row, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(row)
    messages.success(request, _("Withdrawn."))
    return redirect(row.demand.programme)


def _finish(request: AuthedRequest, row: Walk) -> HttpResponse:
    lines = FoundFormSet(request.POST, prefix="found")
    if not lines.is_valid():
        return _page(request, row, found=lines)
    found = [
        (line["kind"] or Finding.Kind.PROBLEM, line["text"])
        for line in lines.cleaned_data
        if line.get("text")
    ]
    try:
        walking.finish(row, by=request.user, found=found)
        messages.success(request, _("Thank you: it is noted."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row)


@require_POST
@needs("improvement.manage")
def walk_improve(request: AuthedRequest, pk: int, finding: int) -> HttpResponse:
    """An improvement for what was found."""
    row = _walk(request, pk)
    found = get_object_or_404(row.findings, pk=finding)
    form = MendForm(request.POST, owners=owners_of(row.office), check=found.pk)
    if not form.is_valid():
        return _page(request, row, **{f"mend{found.pk}": form})
    try:
        walking.improve(found, by=request.user, **form.cleaned_data)
        messages.success(request, _("Done."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row)
