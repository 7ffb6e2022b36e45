"""Pages of surveys: questionnaires, rounds with their figures, calls, improvements."""

from datetime import timedelta
from typing import Any

import segno
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import once
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.web import keyset_page
from customers.models import Customer, CustomerPhone
from delivery import improving, questionnaires, round_figures, surveys
from delivery import rounds as service
from delivery.calling import free_to_call
from delivery.models import (
    Answer,
    Improvement,
    Questionnaire,
    QuestionnaireVersion,
    SurveyMember,
    SurveyRound,
)
from delivery.round_forms import (
    CodeForm,
    ImproveForm,
    IntroForm,
    QuestionFormSet,
    QuestionnaireForm,
    RoundForm,
    initial_of,
    questions_in,
)
from delivery.survey_figures import Whole
from delivery.survey_views import SurveyForm
from delivery.visit_views import visitors_under

LETTERS = 200  # on one print
WORDS_SHOWN = 50


def _rounds(request: AuthedRequest) -> Any:
    rows = SurveyRound.objects.visible_to(request.user)
    return rows.select_related("version__questionnaire", "office", "before")


# --- questionnaires ------------------------------------------------------------------


@needs("survey.manage")
def questionnaire_list(request: AuthedRequest) -> HttpResponse:
    offices = offices_of(request.user, "supervisor")
    sent = request.POST if request.method == "POST" else None
    form = QuestionnaireForm(sent, offices=offices)
    if form.is_valid():

        def act() -> str:
            made = questionnaires.make(by=request.user, **form.cleaned_data)
            return reverse("delivery:questionnaire", args=[made.pk])

        return redirect(once(request, act))
    rows = Questionnaire.objects.visible_to(request.user).select_related("office")
    context = {
        "rows": rows.prefetch_related("versions").order_by("pk"),
        "form": form,
    }
    status = 422 if form.errors else 200
    return render(request, "delivery/questionnaires.html", context, status=status)


@needs("survey.manage")
def questionnaire(request: AuthedRequest, pk: int) -> HttpResponse:
    """The draft to be edited and published, or what is in force."""
    rows = Questionnaire.objects.visible_to(request.user).select_related("office")
    row = get_object_or_404(rows, pk=pk)
    sent = request.POST if request.method == "POST" else None
    if sent is not None and "edit" in sent:
        questionnaires.draft_of(row, by=request.user)
        return redirect("delivery:questionnaire", row.pk)
    version = row.versions.order_by("-number").first()
    is_draft = version is not None and version.published_at is None
    intro = IntroForm(
        sent, initial={"intro": version.intro, "intro_zh": version.intro_zh}
    )
    lines = QuestionFormSet(sent if is_draft else None, initial=initial_of(version))
    wrong = ""
    if sent is not None and is_draft and intro.is_valid() and lines.is_valid():
        try:
            known = set(version.questions.values_list("code", flat=True))
            typed = {**intro.cleaned_data, "questions": questions_in(lines, known)}
            questionnaires.save_draft(version, by=request.user, **typed)
            if "publish" in sent:
                questionnaires.publish(version, by=request.user)
                messages.success(request, _("Published."))
            else:
                messages.success(request, _("Saved."))
            return redirect("delivery:questionnaire", row.pk)
        except Refused as refusal:
            wrong = str(refusal)
    context = {
        "row": row,
        "version": version,
        "is_draft": is_draft,
        "intro": intro,
        "lines": lines,
        "wrong": wrong,
        "questions": list(version.questions.all()),
        "may_edit": row.office is None
        or may(request.user, "survey.manage", row.office),
    }
    status = 422 if sent is not None else 200
    return render(request, "delivery/questionnaire.html", context, status=status)


# --- rounds --------------------------------------------------------------------------


@needs("survey.manage")
def round_list(request: AuthedRequest) -> HttpResponse:
    """Rounds, and a form for a new one."""
    user = request.user
    seen = Questionnaire.objects.visible_to(user)
    versions = QuestionnaireVersion.objects.filter(
        questionnaire__in=seen, published_at__isnull=False
    ).select_related("questionnaire")
    sent = request.POST if request.method == "POST" else None
    form = RoundForm(
        sent,
        offices=offices_of(user, "supervisor"),
        versions=versions,
        rounds=SurveyRound.objects.visible_to(user),
        initial={
            "opens_on": localdate(),
            "closes_on": localdate() + timedelta(days=14),
        },
    )
    counted = None
    if form.is_valid():
        draft = form.save(commit=False)
        if sent is not None and "sure" in sent:

            def act() -> str:
                return service.make(draft, by=user, whom=form.whom()).get_absolute_url()

            return redirect(once(request, act))
        counted = service.counted(draft, form.whom())
    page = keyset_page(
        _rounds(request), ["-made_at", "-pk"], request.GET.get("after", "")
    )
    wholes = round_figures.wholes_of(page.rows, user)
    for row in page.rows:
        row.whole = wholes[row.pk]
    context = {"page": page, "form": form, "counted": counted}
    status = 422 if form.errors else 200
    return render(request, "delivery/rounds.html", context, status=status)


@needs("survey.manage")
def survey_round(request: AuthedRequest, pk: int) -> HttpResponse:
    """What a round says: the whole with its interval, by stratum, item by item, in words;
    posted: an improvement for a weak item."""
    user = request.user
    row = get_object_or_404(_rounds(request), pk=pk)
    by = request.GET.get("by", "")
    if by not in ("", *round_figures.DIMENSIONS):
        raise Http404
    if "end" in request.POST:
        service.end(row, by=user)
        messages.success(request, _("The survey has ended."))
        return redirect(row)
    sent = request.POST if request.method == "POST" else None
    form = ImproveForm(
        sent, offices=offices_of(user, "supervisor"), people=visitors_under(user)
    )
    items = round_figures.items_of(row, user)
    if sent is not None and form.is_valid():
        return _improve(request, row, form, items)
    states = row.members.visible_to(user).order_by().values_list("state")
    whole = round_figures.whole_of(row, user)
    context = {
        "row": row,
        "may_end": not row.ended_at
        and row.closes_on >= localdate()
        and may(user, "survey.manage", row.office),
        "whole": whole,
        "beyond": _beyond(row, whole.score),
        "is_certain": _is_certain(row, whole),
        "earlier": round_figures.whole_of(row.before, user) if row.before else None,
        "strata": round_figures.strata_of(row, user, by),
        "by": by,
        "items": items,
        "words": _words(row, user),
        "states": _counted(states),
        "form": form,
        "asked_of": sent.get("question", "") if sent else "",
        "improvements": Improvement.objects.visible_to(user)
        .filter(round=row)
        .select_related("owner", "question", "office"),
    }
    status = 422 if form.errors else 200
    return render(request, "delivery/round.html", context, status=status)


def _improve(
    request: AuthedRequest, row: SurveyRound, form: ImproveForm, items: list[Any]
) -> HttpResponse:
    """Open an improvement for one of the round's items."""
    codes = {str(item.question.pk): item.question for item in items}
    question = codes.get(request.POST.get("question", ""))
    if question is None:
        raise Http404

    def act() -> str:
        improving.improve(row, question, by=request.user, **form.cleaned_data)
        return row.get_absolute_url()

    address = once(request, act)
    messages.success(request, _("Saved."))
    return redirect(address)


def _beyond(row: SurveyRound, score: float | None) -> float | None:
    """Points above the industry's benchmark."""
    if score is None or row.benchmark is None:
        return None
    return score - float(row.benchmark)


def _is_certain(row: SurveyRound, found: Whole) -> bool:
    """Whether the range lies wholly on one side of the benchmark."""
    if row.benchmark is None or found.interval is None:
        return False
    low, high = found.interval
    return not low <= float(row.benchmark) <= high


def _counted(states: Any) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for (state,) in states:
        counts[state] = counts.get(state, 0) + 1
    return [
        (str(label), counts.get(value, 0))
        for value, label in SurveyMember.State.choices
    ]


def _words(row: SurveyRound, user: Any) -> list[Answer]:
    """What people wrote; without who they are."""
    members = SurveyMember.objects.visible_to(user).filter(round=row)
    found = Answer.objects.filter(invitation__member__in=members).exclude(words="")
    return list(
        found.select_related("invitation__office").order_by("-pk")[:WORDS_SHOWN]
    )


@needs("survey.manage")
def letters(request: AuthedRequest, pk: int) -> HttpResponse:
    """Letters to be printed: one page each, with the link as a code to be scanned."""
    row = get_object_or_404(_rounds(request), pk=pk, way=SurveyRound.Way.PRINT)
    members = row.members.visible_to(request.user).filter(state="sent")
    found = list(members.select_related("customer__office", "invitation")[:LETTERS])
    for member in found:
        member.name = member.customer.name_for(request.user)
        member.link = surveys.link(member.invitation)
        member.code = segno.make(member.link, micro=False).svg_data_uri(scale=4)
    context = {"row": row, "members": found, "most": LETTERS}
    return render(request, "delivery/letters.html", context)


# --- calls ---------------------------------------------------------------------------


def _member(request: AuthedRequest, pk: int) -> SurveyMember:
    rows = SurveyMember.objects.visible_to(request.user).filter(taken_by=request.user)
    rows = rows.select_related(
        "customer__office", "office", "round__version", "invitation__version"
    )
    return get_object_or_404(rows, pk=pk)


@needs("survey.call")
def next_call(request: AuthedRequest) -> HttpResponse:
    """Whom to call now: the script, the number, the answers, or why there are none."""
    member = service.next_call(request.user)
    if member is None:
        free = free_to_call(request.user, localdate())
        upcoming = free.order_by("next_at")
        context = {"waiting": upcoming.count(), "next": upcoming.first()}
        return render(request, "delivery/no_call.html", context)
    return call_page(request, _member(request, member.pk))


def call_page(
    request: AuthedRequest, member: SurveyMember, status: int = 200, **given: Any
) -> HttpResponse:
    user = request.user
    # SECURITY: of the call that the agent has taken (_member).
    phones = CustomerPhone.objects.filter(customer=member.customer, is_invalid=False)
    phone = phones.order_by("-is_primary", "pk").first()
    if phone:
        phone.customer = member.customer
    form = given.get("form") or SurveyForm(version=member.invitation.version)
    context = {
        "member": member,
        "name": member.customer.name_for(user),
        "phone": phone,
        "phone_shown": phone.number_for(user) if phone else "",
        "form": form,
        "codes": SurveyMember.Code.choices,
        "later": given.get("later") or CodeForm(),
        "script": member.invitation.version.said,
        "segment": Customer.Segment(member.segment).label if member.segment else "",
    }
    return render(request, "delivery/call.html", context, status=status)


@require_POST
@needs("survey.call")
def call_done(request: AuthedRequest, pk: int) -> HttpResponse:
    """The answers, or the code of a call without any; then the next one."""
    member = _member(request, pk)
    if "code" in request.POST:
        later = CodeForm(request.POST)
        if not later.is_valid():
            return call_page(request, member, 422, later=later)
        typed = later.cleaned_data

        try:
            service.attempt(member, by=request.user, **typed)
        except Refused as refusal:
            if refusal.code != "call.later":
                return _told(request, str(refusal))
            later.add_error("later", str(refusal))
            return call_page(request, member, 422, later=later)
        return _told(request)
    form = SurveyForm(request.POST, version=member.invitation.version)
    if not form.is_valid():
        return call_page(request, member, 422, form=form)

    try:
        service.take_down(member, by=request.user, given=form.cleaned_data)
    except Refused as refusal:
        return _told(request, str(refusal))
    return _told(request)


def _told(request: AuthedRequest, wrong: str = "") -> HttpResponse:
    """On to the next call, with what became of this one."""
    if wrong:
        messages.error(request, wrong)
    else:
        messages.success(request, _("Kept. The next one:"))
    return redirect("delivery:next_call")
