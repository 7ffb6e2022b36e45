"""Pages of programmes: the list, one programme with its branches and points, its steps."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs, require
from crm.access.models import User
from crm.access.once import once
from crm.errors import Refused
from crm.programmes import pilots, services, walking
from crm.programmes.forms import (
    DemandForm,
    PilotForm,
    ProgrammeForm,
    StepForm,
    TextForm,
)
from crm.programmes.models import (
    Adoption,
    BusinessSupervisor,
    Demand,
    Finding,
    Pilot,
    Programme,
    Walk,
)
from crm.text import number_of, words_of
from crm.web import keyset_page

MOST = 200


@needs("programme.see")
def programmes(request: AuthedRequest) -> HttpResponse:
    """What runs here, and one's own walks; begin a new one."""
    may_manage = may(request.user, "programme.manage")
    sent = request.POST if request.method == "POST" and may_manage else None
    form = ProgrammeForm(sent, by=request.user) if may_manage else None
    if sent is not None and form is not None and form.is_valid():
        made = form.save(commit=False)
        url = once(
            request,
            lambda: services.write(made, by=request.user).get_absolute_url(),
        )
        return redirect(url)
    rows = Programme.objects.visible_to(request.user).select_related("office")
    mine = Walk.objects.filter(user=request.user).select_related("demand", "office")
    asked = Walk.objects.visible_to(request.user).filter(state=Walk.State.BOOKED)
    waiting = [
        walk
        for walk in asked.exclude(user=request.user).select_related(
            "demand", "office", "user"
        )[:MOST]
        if may(request.user, "walk.answer", walk.office)
    ]
    context = {
        "page": keyset_page(rows, ["-first", "-pk"], request.GET.get("after", "")),
        "form": form,
        "mine": mine[:20],
        "waiting": waiting,
        "today": localdate(),
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "programmes/programmes.html", context, status=status)


def programme_of(request: AuthedRequest, pk: int) -> Programme:
    rows = Programme.objects.visible_to(request.user)
    return get_object_or_404(
        rows.select_related("office", "made_by", "issued_by", "wanted_by"), pk=pk
    )


def _page(request: AuthedRequest, row: Programme, **forms: Any) -> HttpResponse:
    user = request.user
    may_manage = may(user, "programme.manage", row.office)
    adoptions = row.adoptions.visible_to(user).select_related("office", "filed_by")
    for one in adoptions:
        one.is_ours = any(
            post.office_id == one.office_id for post in user.posts("supervisor")
        )
    scores = walking.ranking(row)
    walks, alone = (sum(getattr(s, n) for s in scores) for n in ("walks", "alone"))
    found = Finding.objects.filter(
        walk__in=Walk.objects.visible_to(user).filter(demand__programme=row),
        is_valid=None,
    )
    context = {
        "programme": row,
        "steps": row.steps.all(),
        "demands": row.demands.filter(is_open=True),
        "adoptions": adoptions,
        "scores": scores[: walking.TOP],
        "own": next((s for s in scores if s.user == user.pk), None),
        "walks": walks,
        "alone_share": 100 * alone / walks if walks else None,
        "findings": found.select_related("walk__user", "walk__office", "walk__demand")[
            :MOST
        ]
        if may_manage
        else [],
        "trials": row.trials.filter(
            tester__in=BusinessSupervisor.objects.visible_to(user)
        ).select_related("tester__office")[:MOST],
        "pilots": row.pilots.select_related("office", "concluded_by"),
        "verdicts": Pilot.Verdict.choices,
        "pilot_form": PilotForm(None, programme=row) if may_manage else None,
        "may_manage": may_manage,
        "is_open": row.state == Programme.State.ISSUED,
        "may_issue": row.state == Programme.State.DRAFT
        and may_manage
        and row.made_by_id != user.pk,
        "may_issue_revision": may_manage and row.wanted_by_id != user.pk,
        "step_form": StepForm(),
        "demand_form": DemandForm(),
        "today": localdate(),
        **forms,
    }
    wrong = any(form.errors for form in forms.values())
    return render(
        request, "programmes/programme.html", context, status=422 if wrong else 200
    )


@needs("programme.see")
def programme(request: AuthedRequest, pk: int) -> HttpResponse:
    return _page(request, programme_of(request, pk))


def _text(sent: QueryDict) -> str:
    form = TextForm(sent)
    if not form.is_valid():
        raise Refused("text", _("Write a few words."))
    return form.cleaned_data["text"]


def _adoption(request: AuthedRequest, row: Programme) -> Adoption:
    typed = number_of(request.POST.get("adoption", ""), 0)
    rows = row.adoptions.visible_to(request.user)
    return get_object_or_404(rows, pk=typed)


def _step(request: AuthedRequest, row: Programme) -> None:
    typed = number_of(request.POST.get("step", ""), 0)
    step = get_object_or_404(row.steps, pk=typed)
    services.step_done(step, by=request.user)


def _demand_closed(request: AuthedRequest, row: Programme) -> None:
    require(request.user, "programme.manage", row.office)
    typed = number_of(request.POST.get("demand", ""), 0)
    rows = row.demands.filter(pk=typed)
    rows.update(is_open=False)


Act = Callable[[AuthedRequest, Programme], Any]
ACTS: dict[str, Act] = {
    "issue": lambda request, row: services.issue(row, by=request.user),
    "drop": lambda request, row: services.drop(row, by=request.user),
    "revise": lambda request, row: services.revise(
        row,
        by=request.user,
        text=_text(request.POST),
        seen=request.POST.get("seen", ""),
    ),
    "issue_revision": lambda request, row: services.issue_revision(
        row, by=request.user, seen=request.POST.get("seen", "")
    ),
    "drop_revision": lambda request, row: services.drop_revision(
        row, by=request.user, seen=request.POST.get("seen", "")
    ),
    "close": lambda request, row: services.close(
        row, by=request.user, result=_text(request.POST)
    ),
    "file": lambda request, row: services.file_plan(
        _adoption(request, row), by=request.user, text=_text(request.POST)
    ),
    "agree": lambda request, row: services.answer_plan(
        _adoption(request, row), by=request.user
    ),
    "return": lambda request, row: services.answer_plan(
        _adoption(request, row), by=request.user, demand=_text(request.POST)[:500]
    ),
    "step_done": _step,
    "pilot_end": lambda request, row: pilots.conclude(
        row,
        number_of(request.POST.get("pilot", ""), 0),
        by=request.user,
        verdict=request.POST.get("verdict", ""),
        result=words_of(request.POST.get("text", ""), 1000),
    ),
    "demand_closed": _demand_closed,
}


@needs("programme.manage")
def programme_edit(request: AuthedRequest, pk: int) -> HttpResponse:
    """Change a draft."""
    row = programme_of(request, pk)
    if row.state != Programme.State.DRAFT:
        return redirect(row)
    sent = request.POST if request.method == "POST" else None
    form = ProgrammeForm(sent, by=request.user, instance=row)
    if sent is not None and form.is_valid():
        try:
            services.edit(form.save(commit=False), by=request.user)
            messages.success(request, _("Saved."))
            return redirect(row)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    status = 422 if form.errors else 200
    context = {"form": form, "programme": row}
    return render(request, "programmes/edit.html", context, status=status)


@require_POST
@needs("programme.see")
def programme_act(request: AuthedRequest, pk: int, act: str) -> HttpResponse:
    """One step of a programme; the service says who may."""
    row = programme_of(request, pk)
    if act not in ACTS:
        raise Http404
    try:
        ACTS[act](request, row)
        messages.success(request, _("Done."))
        if act == "drop":
            return redirect("programmes:programmes")
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row)


def _add_demand(row: Programme, made: Demand, *, by: User) -> None:
    require(by, "programme.manage", row.office)
    made.programme = row
    made.save()


ADDED: dict[str, tuple[Callable[[QueryDict, Programme], Any], Callable[..., Any]]] = {
    "step": (lambda sent, _row: StepForm(sent), services.add_step),
    "demand": (lambda sent, _row: DemandForm(sent), _add_demand),
    "pilot": (lambda sent, row: PilotForm(sent, programme=row), pilots.begin),
}


@require_POST
@needs("programme.manage")
def programme_add(request: AuthedRequest, pk: int, what: str) -> HttpResponse:
    """A milestone, a process to be walked, or a place that tries it first."""
    row = programme_of(request, pk)
    require(request.user, "programme.manage", row.office)
    if what not in ADDED:
        raise Http404
    if row.state == Programme.State.CLOSED:  # its page has no form to show errors in
        messages.error(request, _("The programme is not at this step."))
        return redirect(row)
    form_of, add = ADDED[what]
    form = form_of(request.POST, row)
    if form.is_valid():

        def act() -> str:
            add(row, form.save(commit=False), by=request.user)
            return row.get_absolute_url()

        try:
            return redirect(once(request, act))
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return _page(request, row, **{f"{what}_form": form})
