"""Grading: schemes, runs, the list behind every number, why, and grades by hand."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.fresh import fresh_password
from crm.access.once import once
from crm.access.scoping import offices_of
from crm.charts import flow
from crm.errors import Refused
from crm.org.models import Office
from crm.web import keyset_page
from customers import grade_runs, grading
from customers.grade_forms import (
    RULES,
    RunForm,
    SchemeForm,
)
from customers.models import (
    Customer,
    GradeAssessment,
    GradeOverride,
    GradeRun,
    GradeScheme,
    GradeTally,
)

PRESETS = {
    "guangdong": gettext_lazy("Letter mail: diamond, platinum, gold, VIP, ordinary"),
    "hubei": gettext_lazy("Express: 10,000 yuan or first five of the office"),
    "three": gettext_lazy("VIP, important, ordinary"),
}
Move = GradeTally.Move


def _schemes(request: AuthedRequest) -> QuerySet[GradeScheme]:
    return GradeScheme.objects.visible_to(request.user).select_related("office")


def _runs(request: AuthedRequest) -> QuerySet[GradeRun]:
    related = ("scheme__office", "office", "made_by", "proposed_by", "approved_by")
    return GradeRun.objects.visible_to(request.user).select_related(*related)


# --- schemes ----------------------------------------------------------------------------


@needs("grading.view")
def grading_home(request: AuthedRequest) -> HttpResponse:
    """Schemes and runs of one's offices, newest first."""
    context = {
        "schemes": _schemes(request)[:50],
        "runs": _runs(request)[:50],
        "presets": PRESETS.items(),
        "overrides": _waiting(request),
    }
    return render(request, "customers/grading.html", context)


def _waiting(request: AuthedRequest) -> list[GradeOverride]:
    """Grades by hand that wait for a word, of customers that one may see."""
    seen = Customer.objects.visible_to(request.user)
    rows = GradeOverride.objects.filter(state="asked", customer__in=seen)
    found = list(rows.select_related("customer__office", "asked_by")[:50])
    for row in found:
        row.shown_customer = row.customer.name_for(request.user)
    return found


@needs("grading.edit")
def scheme_new(request: AuthedRequest) -> HttpResponse:
    preset = request.GET.get("preset", "guangdong")
    if preset not in PRESETS:
        raise Http404
    office = offices_of(request.user, "supervisor").first()
    draft = GradeScheme(
        office=office, name=str(PRESETS[preset])[:60], valid_from=localdate()
    )
    return _edit(request, draft, grading.PRESETS[preset])


@needs("grading.view")
def scheme(request: AuthedRequest, pk: int) -> HttpResponse:
    """A scheme: a form as long as it is an unused draft, else to read."""
    found = get_object_or_404(_schemes(request), pk=pk)
    return _edit(request, found, found.parsed())


def _edit(
    request: AuthedRequest, found: GradeScheme, rules: grading.Rules
) -> HttpResponse:
    is_used = bool(found.pk) and found.runs.exists()
    may_edit = not is_used and may(request.user, "grading.edit", found.office)
    form = SchemeForm(
        request.POST or None,
        instance=found,
        rules=rules,
        offices=offices_of(request.user, "supervisor"),
    )
    if not may_edit:  # to read: every rule of it, in the same places
        form.fields["office"].queryset = Office.objects.filter(pk=found.office_id)
        for field in form.fields.values():
            field.disabled = True
    status = 200
    if request.method == "POST" and may_edit:
        status = 422
        if form.is_valid():
            try:
                return redirect(once(request, lambda: _saved(request, form)))
            except Refused as refusal:
                form.add_error(None, str(refusal))
    run_form = _run_form(request, found)
    context = {
        "form": form,
        "scheme": found,
        "may_edit": may_edit,
        "is_used": is_used,
        "run_form": run_form,
        "runs": found.runs.select_related("office") if found.pk else [],
    }
    return render(request, "customers/scheme.html", context, status=status)


def _run_form(request: AuthedRequest, found: GradeScheme, data: Any = None) -> RunForm:
    form = RunForm(
        data,
        initial={
            "until": grade_runs.last_period_end(found.cycle),
            "office": found.office_id,
        },
    )
    inside = offices_of(request.user, "supervisor")
    form.fields["office"].queryset = inside.filter(path__startswith=found.office.path)
    return form


def _saved(request: AuthedRequest, form: SchemeForm) -> str:
    made = grade_runs.save_scheme(form.instance, form.rules, by=request.user)
    messages.success(request, _("Saved."))
    return made.get_absolute_url()


@require_POST
@needs("grading.edit")
def scheme_act(request: AuthedRequest, pk: int, action: str) -> HttpResponse:
    """Copy a scheme as its next version, or delete a draft."""
    found = get_object_or_404(_schemes(request), pk=pk)
    try:
        if action == "copy":
            return redirect(grade_runs.copy_scheme(found, by=request.user))
        if action != "delete":
            raise Http404
        grade_runs.delete_scheme(found, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(found)
    return redirect("customers:grading")


# --- runs -------------------------------------------------------------------------------


@require_POST
@needs("grading.run")
def run_start(request: AuthedRequest, pk: int) -> HttpResponse:
    """Compute a scheme for an office: a preview that touches nobody."""
    found = get_object_or_404(_schemes(request), pk=pk)
    form = _run_form(request, found, request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose an office and a day."))
        return redirect(found)
    try:
        return redirect(
            grade_runs.start_run(found, by=request.user, **form.cleaned_data)
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(found)


@needs("grading.view")
def run(request: AuthedRequest, pk: int) -> HttpResponse:
    """A run: how far it is, who would be where, who would move, and the list behind it."""
    found = get_object_or_404(_runs(request), pk=pk)
    if request.htmx and request.headers.get("HX-Target") == "progress":
        if found.state not in (GradeRun.State.COMPUTING, GradeRun.State.APPROVED):
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        if grade_runs.stuck_jobs(found):
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return render(request, "customers/_grade_progress.html", {"run": found})
    names = {grade.code: grade.name for grade in found.scheme.parsed().grades}
    chosen = {n: request.GET[n] for n in ("grade", "was", "move") if request.GET.get(n)}
    known = {"grade": names, "was": names, "move": Move.values}
    if any(value not in known[name] for name, value in chosen.items()):
        raise Http404
    own, place = Customer.objects.visible_to(request.user), None
    if code := request.GET.get("office", "")[:20].replace("\0", ""):
        place = get_object_or_404(offices_of(request.user, "supervisor"), code=code)
        own = own.filter(office__path__startswith=place.path)
    rows = GradeAssessment.objects.filter(run=found, customer__in=own, **chosen)
    rows = rows.select_related("customer__office", "customer__manager")
    page = keyset_page(
        rows,
        ["-amount", "-customer"],
        request.GET.get("after", ""),
        key_field="customer_id",
    )
    for row in page.rows:
        row.shown_name = row.customer.name_for(request.user)
        row.shown_grade, row.said = names[row.grade], RULES[row.rule]
        row.shown_was = names.get(row.was, "")
    context = {
        "run": found,
        "page": page,
        "chosen": chosen,
        "said": " · ".join(
            filter(None, [_chosen(chosen, names), place and str(place)])
        ),
        **_figures(request, found, names),
        **_may(request, found),
    }
    return render(request, "customers/grade_run.html", context)


def _chosen(chosen: dict[str, str], names: dict[str, str]) -> str:
    """The list's filter in words."""
    words = [names[chosen[n]] for n in ("was", "grade") if n in chosen]
    if "move" in chosen:
        words.insert(0, str(Move(chosen["move"]).label))
    return " → ".join(words)


def _may(request: AuthedRequest, found: GradeRun) -> dict[str, Any]:
    user, state, states = request.user, found.state, GradeRun.State
    may_run = may(user, "grading.run", found.office)
    is_under_way = state in (states.COMPUTING, states.APPROVED)
    stuck = grade_runs.stuck_jobs(found) if is_under_way else []
    return {
        "stuck": stuck,
        "may_resume": may_run and bool(stuck),
        "may_propose": may_run and state == states.COMPUTED,
        "may_approve": state == states.PROPOSED
        and may(user, "grading.approve", found.office)
        and found.proposed_by_id != user.pk,
        "may_cancel": may_run
        and state in (states.COMPUTING, states.COMPUTED, states.PROPOSED),
    }


Tallies = list[dict[str, Any]]


def _total(tallies: Tallies, **wanted: str) -> int:
    """Customers of the tallies that have these values."""
    return sum(
        row["customers"]
        for row in tallies
        if all(row[name] == value for name, value in wanted.items())
    )


def _figures(
    request: AuthedRequest, found: GradeRun, names: dict[str, str]
) -> dict[str, Any]:
    """Distribution, moves, flows and offices, from the tallies of one's own offices."""
    own = offices_of(request.user, "supervisor")
    columns = ("office__path", "was", "grade", "move", "customers")
    tallies = list(found.tallies.filter(office__in=own).values(*columns))
    return {
        "spread": [
            (code, name, _total(tallies, grade=code)) for code, name in names.items()
        ],
        "moves": [
            (move, label, _total(tallies, move=move)) for move, label in Move.choices
        ],
        "by_office": _by_office(found, tallies, names),
        **_flows(tallies, names),
    }


def _flows(tallies: Tallies, names: dict[str, str]) -> dict[str, Any]:
    """From each grade in force to each of the run: as a table and as a picture."""
    flows, bands, none = [], [], _("None yet")
    for was in (*names, ""):
        wanted = {"was": was} if was else {"move": Move.NEW}
        if whole := _total(tallies, **wanted):
            cells = [(code, _total(tallies, grade=code, **wanted)) for code in names]
            shares = [(code, n, round(100 * n / whole)) for code, n in cells]
            flows.append((was, names.get(was, ""), whole, shares))
            bands += [
                (names.get(was, none), names[code], n, _direction(was, code, [*names]))
                for code, n in cells
                if n
            ]
    label = _("From the grade in force to that of the run")
    picture = flow(bands, [*names.values(), none], label=label)
    return {"flows": flows, "picture": picture}


def _by_office(
    found: GradeRun, tallies: Tallies, names: dict[str, str]
) -> list[tuple[Office, bool, int, list[int]]]:
    """Counts by grade of the run's office itself and of each office right below it."""
    children = Office.objects.filter(
        path__startswith=found.office.path, depth=found.office.depth + 1
    )
    rows = []
    for office in (found.office, *children):
        is_itself = office == found.office
        inside = [
            row
            for row in tallies
            if row["office__path"] == office.path
            or (not is_itself and row["office__path"].startswith(office.path))
        ]
        counts = [_total(inside, grade=code) for code in names]
        if sum(counts):
            rows.append((office, is_itself, sum(counts), counts))
    return rows


def _direction(was: str, code: str, codes: list[str]) -> str:
    """Whether a way leads up, down, nowhere, or into the grades for the first time."""
    if not was:
        return "new"
    before, after = codes.index(was), codes.index(code)
    return "same" if before == after else "up" if after < before else "down"


RUN_ACTS = {
    "propose": grade_runs.propose_run,
    "approve": grade_runs.approve_run,
    "cancel": grade_runs.cancel_run,
    "resume": grade_runs.resume_run,
}


@require_POST
@needs("grading.run")
@fresh_password
def run_act(request: AuthedRequest, pk: int, action: str) -> HttpResponse:
    found = get_object_or_404(_runs(request), pk=pk)
    if action not in RUN_ACTS:
        raise Http404
    try:
        RUN_ACTS[action](found, by=request.user)
        messages.success(request, _("Done."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(found)
