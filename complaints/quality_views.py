"""Pages of quality checks and corrective actions."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from complaints import measures, quality
from complaints.models import CorrectiveAction, QualityCheck
from complaints.order_views import visible
from complaints.quality_forms import (
    LINES,
    AppealForm,
    CheckFilter,
    JudgeMeasureForm,
    PointFormSet,
    RuleForm,
    ScoreForm,
    SheetForm,
)
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.web import keyset_page

CHECKERS = ("quality_checker", "supervisor")


def _checks(request: AuthedRequest) -> Any:
    return QualityCheck.objects.visible_to(request.user)


@needs("quality.see")
def check_list(request: AuthedRequest) -> HttpResponse:
    """A month's sample by agent, and its rows; agents see what is scored of them."""
    form = CheckFilter(request.GET)
    if not form.is_valid():
        raise Http404
    chosen = form.cleaned_data
    month = (chosen["month"] or localdate()).replace(day=1)
    rows = _checks(request).filter(month=month)
    agents = quality.by_agent(rows)
    for name, lookup in (("state", "state"), ("agent", "agent__username")):
        if chosen[name]:
            rows = rows.filter(**{lookup: chosen[name]})
    context = {
        "month": month,
        "chosen": chosen,
        "agents": agents,
        "states": QualityCheck.State.choices,
        "page": keyset_page(
            rows.for_list(), ["agent_id", "pk"], request.GET.get("after", "")
        ),
        "may_draw": may(request.user, "quality.draw"),
        "may_edit": may(request.user, "quality.edit"),
    }
    return render(request, "complaints/quality.html", context)


@require_POST
@needs("quality.draw")
def draw(request: AuthedRequest) -> HttpResponse:
    """Fill up a month's sample in one's offices."""
    form = CheckFilter(request.POST)
    month = form.cleaned_data["month"] if form.is_valid() else None
    month = month or localdate()
    posts = request.user.posts(*CHECKERS)
    drawn = sum(quality.draw(month, p.office, by=request.user) for p in posts)
    said = ngettext("%(n)s work order drawn.", "%(n)s work orders drawn.", drawn)
    messages.success(request, said % {"n": drawn})
    return redirect(f"/complaints/quality/?month={month:%Y-%m}")


def _check_page(
    request: AuthedRequest, check: QualityCheck, status: int = 200, **given: Any
) -> HttpResponse:
    user, order = request.user, check.complaint
    is_judge = check.state == "appealed" and quality.may_rule(user, check)
    is_checker = may(user, "quality.check", check.office) and check.agent_id != user.pk
    sheet = check.sheet or quality.sheet_for(check.office)
    forms = {
        "score": ScoreForm(sheet=sheet, given=check.given)
        if is_checker and (check.state == "drawn" or quality.may_correct(user, check))
        else None,
        "rule": RuleForm(sheet=sheet, given=check.given) if is_judge else None,
        "appeal": AppealForm()
        if check.state == "scored" and check.agent_id == user.pk
        else None,
        "coach": AppealForm()
        if check.coach_by and not check.coached_at and is_checker
        else None,
    }
    lines = [
        (point, check.given.get(str(point.pk)))
        for point in sheet.points.all()
        if check.state != "drawn"
    ]
    context = {
        "check": check,
        "sees_order": visible(request).filter(pk=order.pk).exists(),
        "order": order,
        "moves": order.moves.select_related("by"),
        "call": order.calls.first(),
        "sheet": sheet,
        "lines": lines,
        **{f"{name}_form": form for name, form in (forms | given).items()},
    }
    return render(request, "complaints/quality_check.html", context, status=status)


@needs("quality.see")
def check(request: AuthedRequest, pk: int) -> HttpResponse:
    return _check_page(request, get_object_or_404(_checks(request).for_list(), pk=pk))


def _score(row: QualityCheck, by: Any, form: Any) -> None:
    note = form.cleaned_data["note"]
    quality.score(row, by=by, given=form.given(), note=note)


def _rule(row: QualityCheck, by: Any, form: Any) -> None:
    words = form.cleaned_data["note"]
    quality.rule(row, by=by, given=form.given(), words=words)


CHECK_STEPS: dict[str, tuple[Any, Any]] = {
    "score": (ScoreForm, _score),
    "rule": (RuleForm, _rule),
    "appeal": (
        AppealForm,
        lambda row, by, f: quality.appeal(row, by=by, **f.cleaned_data),
    ),
    "coach": (
        AppealForm,
        lambda row, by, f: quality.coach(row, by=by, **f.cleaned_data),
    ),
}


@require_POST
@needs("quality.see")
def check_step(request: AuthedRequest, pk: int, step: str) -> HttpResponse:
    """Score, appeal, rule, coach; the next one to score follows a score."""
    row = get_object_or_404(_checks(request).for_list(), pk=pk)
    if step not in CHECK_STEPS:
        raise Http404
    form_class, service = CHECK_STEPS[step]
    facts = (
        {"sheet": row.sheet or quality.sheet_for(row.office)}
        if issubclass(form_class, ScoreForm)
        else {}
    )
    form = form_class(request.POST, **facts)
    if not form.is_valid():
        return _check_page(request, row, 422, **{step: form})
    try:
        service(row, request.user, form)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("complaints:quality_check", pk)
    row.refresh_from_db()
    if step == "score":
        said = _("%(ref)s: %(n)s marks.") % {"ref": row.complaint.ref, "n": row.score}
        messages.success(request, said)
    else:
        messages.success(request, _("Saved."))
    following = _checks(request).filter(state="drawn", month=row.month, pk__gt=row.pk)
    next_one = following.exclude(agent=request.user).order_by("pk").first()
    if step == "score" and next_one:
        return redirect("complaints:quality_check", next_one.pk)
    return redirect("complaints:quality_check", pk)


@needs("quality.edit")
def sheet(request: AuthedRequest) -> HttpResponse:
    """The sheet of an office: what is in force, and publishing the next version."""
    offices = offices_of(request.user, "supervisor")
    asked = request.GET.get("office", "")[:20].replace("\0", "")
    office = offices.filter(code=asked).first() or offices.first()
    if office is None:
        raise Http404
    now_in_force = quality.sheet_for(office)
    form, points = SheetForm(request.POST or None, offices=offices), None
    if request.method == "POST":
        points = PointFormSet(request.POST)
        if form.is_valid() and points.is_valid():
            rows = [row for line in points.forms if (row := line.row())]
            try:
                typed = form.cleaned_data
                quality.publish(by=request.user, rows=rows, **typed)
                messages.success(request, _("Published: checks are scored by it."))
                return redirect(f"{request.path}?office={typed['office'].code}")
            except Refused as refusal:
                form.add_error(None, str(refusal))
    else:
        mark = now_in_force.pass_mark
        form = SheetForm(initial={"office": office, "pass_mark": mark}, offices=offices)
        lines = [
            {"name": p.name, "name_zh": p.name_zh, "marks": p.marks}
            for p in now_in_force.points.all()
        ]
        empty = [{} for _one in range(min(3, LINES - len(lines)))]
        points = PointFormSet(initial=lines + empty)
    context = {
        "form": form,
        "points": points,
        "sheet": now_in_force,
        "office": office,
        "offices": offices,
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "complaints/quality_sheet.html", context, status=status)


MEASURE_VIEWS = {
    "open": Q(done_at=None),
    "judge": Q(done_at__isnull=False, is_effective=None),
    "all": Q(),
}


@needs("measure.view")
def measure_list(request: AuthedRequest) -> HttpResponse:
    """Corrective actions: to be done by their last day, then to be judged."""
    view = request.GET.get("view", "open")
    if view not in MEASURE_VIEWS:
        raise Http404
    rows = CorrectiveAction.objects.visible_to(request.user)
    related = (
        "complaint__office",
        "office",
        "owner",
        "made_by",
        "done_by",
        "judged_by",
    )
    page = keyset_page(
        rows.filter(MEASURE_VIEWS[view]).select_related(*related),
        ["due_on", "pk"],
        request.GET.get("after", ""),
    )
    for row in page.rows:
        row.may_do = row.done_at is None and measures.may_do(request.user, row)
        waits = row.done_at is not None and row.is_effective is None
        row.may_judge = waits and measures.may_judge(request.user, row)
        if row.may_judge:
            row.compared = measures.before_and_after(row)
            before, after, days = row.compared
            row.rates = (before / 3, after / max(days, 1) * 10)
    context = {"page": page, "view": view, "today": localdate()}
    return render(request, "complaints/measures.html", context)


MEASURE_STEPS: dict[str, tuple[Any, Any]] = {
    "do": (AppealForm, measures.do),
    "judge": (JudgeMeasureForm, measures.judge),
}


@require_POST
@needs("measure.view")
def measure_step(request: AuthedRequest, pk: int, step: str) -> HttpResponse:
    if step not in MEASURE_STEPS:
        raise Http404
    rows = CorrectiveAction.objects.visible_to(request.user)
    row = get_object_or_404(rows, pk=pk)
    form_class, service = MEASURE_STEPS[step]
    form = form_class(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say in a few words what was done or found."))
        return redirect("complaints:measures")
    try:
        service(row, by=request.user, **form.cleaned_data)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("complaints:measures")
