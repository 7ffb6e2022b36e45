"""Pages of inspections and probe mail: the plan, what is found, what it leads to."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import answered, once
from crm.access.scoping import offices_of
from crm.audit import services as audit
from crm.errors import Refused
from crm.files import MAX_BYTES
from crm.web import keyset_page, picture
from delivery import improving
from delivery.models import Check, Inspection
from delivery.quality import inspecting as service
from delivery.quality.inspection_forms import (
    CheckForm,
    InspectionForm,
    MendForm,
    NoteForm,
    owners_of,
)

Kind, State = Inspection.Kind, Inspection.State


@needs("inspection.view")
def inspections(request: AuthedRequest) -> HttpResponse:
    """What is planned and what was found, and a form for a new one."""
    if url := answered(request):
        return redirect(url)
    user = request.user
    may_plan = may(user, "inspection.plan")
    sent = request.POST if request.method == "POST" else None
    form = InspectionForm(
        sent, offices=offices_of(user, "supervisor", "inspector"), by=user
    )
    if sent is not None and may_plan and form.is_valid():
        draft = form.save(commit=False)
        url = once(request, lambda: service.plan(draft, by=user).get_absolute_url())
        return redirect(url)
    rows = Inspection.objects.visible_to(user)
    listed = rows.select_related("office", "inspector")
    page = keyset_page(listed, ["-planned_on", "-pk"], request.GET.get("after", ""))
    counted = service.counts_of(page.rows)
    for row in page.rows:
        row.counts = counted[row.pk]
        row.total = sum(row.counts.values())
    context = {
        "page": page,
        "form": form if may_plan else None,
        "today": localdate(),
        "shares": service.shares(rows),
    }
    status = 422 if sent is not None else 200
    return render(request, "quality/inspections.html", context, status=status)


def _seen(request: AuthedRequest, pk: int) -> Inspection:
    rows = Inspection.objects.visible_to(request.user)
    return get_object_or_404(rows.select_related("office", "inspector"), pk=pk)


def _may_do(request: AuthedRequest, row: Inspection) -> bool:
    return row.state == State.PLANNED and (
        row.inspector_id == request.user.pk
        or may(request.user, "inspection.plan", row.office)
    )


@needs("inspection.view")
def inspection(request: AuthedRequest, pk: int) -> HttpResponse:
    """One inspection: each point with what was expected and found; posted, one more."""
    row = _seen(request, pk)
    if url := answered(request):
        return redirect(url)
    sent = request.POST if request.method == "POST" else None
    form = CheckForm(sent, is_probe=row.kind == Kind.PROBE)
    if sent is not None and form.is_valid():
        check = form.save(commit=False)

        def act() -> str:
            service.add_check(row, check, by=request.user)
            return row.get_absolute_url()

        try:
            address = once(request, act)
            messages.success(request, _("Added."))
            return redirect(address)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return _page(request, row, form, status=422 if sent is not None else 200)


def _page(
    request: AuthedRequest,
    row: Inspection,
    form: CheckForm,
    *,
    noting: NoteForm | None = None,
    mending: tuple[int, MendForm] | None = None,
    summary: str = "",
    status: int = 200,
) -> HttpResponse:
    checks = list(row.checks.prefetch_related("improvements__owner"))
    items = service.items_of(checks, request.user)
    may_do = _may_do(request, row)
    may_mend = may(request.user, "improvement.manage", row.office)
    owners = owners_of(row.office) if may_mend else []
    lines: list[dict[str, Any]] = []
    for check in checks:
        check.inspection = row
        item = items.get(check.waybill)
        line: dict[str, Any] = {"check": check, "item": item}
        if item and item.delivered and check.actual_on:
            line["differs"] = localdate(item.delivered) != check.actual_on
        if may_do:
            is_posted = noting is not None and noting.instance.pk == check.pk
            line["form"] = noting if is_posted else NoteForm(None, None, check=check)
        is_in_hand = any(b.is_effective is None for b in check.improvements.all())
        if may_mend and check.verdict == Check.Verdict.MISSED and not is_in_hand:
            line["mend"] = (
                mending[1]
                if mending and mending[0] == check.pk
                else MendForm(None, owners=owners, check=check.pk)
            )
        lines.append(line)
    context = {
        "inspection": row,
        "lines": lines,
        "form": form,
        "may_do": may_do,
        "summary": summary,
        "is_probe": row.kind == Kind.PROBE,
        "met": sum(check.verdict == Check.Verdict.MET for check in checks),
        "noted": sum(check.verdict != "" for check in checks),
    }
    return render(request, "quality/inspection.html", context, status=status)


def _check_of(row: Inspection, pk: int) -> Check:
    return get_object_or_404(row.checks.select_related("inspection__office"), pk=pk)


@needs("inspection.plan")
@require_POST
def check_note(request: AuthedRequest, pk: int, check: int) -> HttpResponse:
    """What was found at one point; or the point goes."""
    row = _seen(request, pk)
    found = _check_of(row, check)
    blank = CheckForm(None, is_probe=row.kind == Kind.PROBE)
    form = NoteForm(request.POST, request.FILES, check=found)
    try:
        if "remove" in request.POST:
            service.take_away(row, found, by=request.user)
            return redirect(row)
        if form.is_valid():
            facts = {k: v for k, v in form.cleaned_data.items() if k != "photo"}
            picture = form.cleaned_data.get("photo")
            data = picture.read(MAX_BYTES + 1) if picture else None
            service.note(row, found, by=request.user, data=data, **facts)
            messages.success(request, _("Kept."))
            return redirect(found.get_absolute_url())
    except Refused as refusal:
        form.add_error(None, str(refusal))
    return _page(request, row, blank, noting=form, status=422)


@needs("improvement.manage")
@require_POST
def check_mend(request: AuthedRequest, pk: int, check: int) -> HttpResponse:
    """An improvement for a finding: owner, last day."""
    row = _seen(request, pk)
    found = _check_of(row, check)
    form = MendForm(request.POST, owners=owners_of(row.office), check=found.pk)
    blank = CheckForm(None, is_probe=row.kind == Kind.PROBE)
    if form.is_valid():
        try:
            improving.mend(found, by=request.user, **form.cleaned_data)
            messages.success(request, _("Saved."))
            return redirect(found.get_absolute_url())
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return _page(request, row, blank, mending=(found.pk, form), status=422)


@needs("inspection.plan")
@require_POST
def end(request: AuthedRequest, pk: int) -> HttpResponse:
    """It is done, or dropped."""
    row = _seen(request, pk)
    summary = request.POST.get("summary", "").replace("\0", "").strip()[:500]
    try:
        dropped = "drop" in request.POST
        service.end(row, by=request.user, summary=summary, dropped=dropped)
    except Refused as refusal:
        messages.error(request, str(refusal))
        blank = CheckForm(None, is_probe=row.kind == Kind.PROBE)
        return _page(request, row, blank, summary=summary, status=422)
    messages.success(request, _("Ended."))
    return redirect(row)


@needs("inspection.view")
def photo(request: AuthedRequest, pk: int, check: int) -> HttpResponse:
    """The picture of a point, to whoever may see the inspection; never stored on the way."""
    row = _seen(request, pk)
    found = _check_of(row, check)
    if found.photo is None:
        raise Http404
    audit.record(request.user, "inspection.photo_seen", row, office=row.office)
    return picture(found.path)
