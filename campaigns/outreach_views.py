"""Pages of outreach: campaigns and their steps, calls on the phone, letters; events."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns import answering, events, outreach
from campaigns.forms import EventForm
from campaigns.models import (
    Campaign,
    Contact,
    MarketingEvent,
    OutreachStep,
    PrintFile,
    StepVariant,
    Touch,
)
from campaigns.outreach_forms import (
    AnswerForm,
    CallForm,
    CampaignForm,
    PickForm,
    StepForm,
    VariantForm,
)
from campaigns.season_views import PLANNERS, frame_of, season_of
from campaigns.stepping import words_for
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import answered, once
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.web import keyset_page
from customers.models import Customer, Organisation

Way = OutreachStep.Way


@needs("campaign.view")
def campaign_list(request: AuthedRequest, code: str) -> HttpResponse:
    """The campaigns of a season, a form for a new one; the events and prospects."""
    season = season_of(request, code)
    if url := answered(request):
        return redirect(url)
    user = request.user
    offices = offices_of(user, *PLANNERS).under(season.office)
    may_plan = season.is_open and may(user, "campaign.plan")
    sent = request.POST if request.method == "POST" else None
    is_event = sent is not None and "day" in sent
    form: Any = CampaignForm(
        None if is_event else sent,
        offices=offices,
        by=user,
        instance=Campaign(season=season),
    )
    event_form: Any = EventForm(
        sent if is_event else None,
        offices=offices,
        instance=MarketingEvent(season=season),
    )
    posted = event_form if is_event else form
    if sent is not None and may_plan and posted.is_valid():
        keep = events.keep if is_event else outreach.keep
        draft = posted.save(commit=False)
        try:
            return redirect(
                once(request, lambda: keep(draft, by=user).get_absolute_url())
            )
        except Refused as refusal:
            posted.add_error(None, str(refusal))
    rows = Campaign.objects.visible_to(user).filter(season=season)
    listed = MarketingEvent.objects.visible_to(user).filter(season=season)
    context = frame_of(request, season, "outreach") | {
        "campaigns": rows.select_related("office"),
        "events": [(row, events.conversion(row)) for row in listed[:50]],
        "form": form if may_plan else None,
        "event_form": event_form if may_plan else None,
    }
    status = 422 if posted.errors else 200
    return render(request, "campaigns/campaigns.html", context, status=status)


def _campaign(request: AuthedRequest, pk: int) -> Campaign:
    rows = Campaign.objects.visible_to(request.user)
    return get_object_or_404(
        rows.select_related("season__office", "office", "made_by", "view", "without"),
        pk=pk,
    )


def _page(request: AuthedRequest, row: Campaign, **bound: Any) -> HttpResponse:
    may_plan = row.season.is_open and may(request.user, "campaign.plan", row.office)
    is_draft = row.state == Campaign.State.DRAFT
    forms: dict[str, Any] = {}
    if may_plan and is_draft:
        forms = {"step": StepForm(), "variant": VariantForm()}
    counts = answering.state_counts(row)
    stops = [
        (str(label), counts[reason])
        for reason, label in Contact.Stop.choices
        if counts.get(reason)
    ]
    context = frame_of(request, row.season, "outreach") | {
        "campaign": row,
        "steps": answering.step_figures(row),
        "counts": counts,
        "stops": stops,
        "through": counts.get("done", 0) + counts.get("stopped", 0),
        "forms": forms | bound,
        "may_start": may_plan,
        "is_draft": is_draft,
        "expected": _expected(row) if is_draft else None,
        "may_touch": may(request.user, "touch.do"),
    }
    return render(
        request, "campaigns/campaign.html", context, status=422 if bound else 200
    )


def _expected(row: Campaign) -> int:
    try:
        return outreach.chosen(row).count()
    except Refused:  # its saved view is wrong by now: starting says so
        return 0


@needs("campaign.view")
def campaign(request: AuthedRequest, pk: int) -> HttpResponse:
    """One campaign: steps, progress, response and conversion."""
    return _page(request, _campaign(request, pk))


ACTS: dict[str, Callable[..., Any]] = {
    "start": outreach.start,
    "pause": outreach.pause,
    "resume": outreach.resume,
    "drop": outreach.drop_step,
}


@require_POST
@needs("campaign.plan")
def campaign_act(request: AuthedRequest, pk: int, act: str) -> HttpResponse:
    """Start, pause, resume; a step or a group's words more, a step less."""
    row = _campaign(request, pk)
    chosen = request.POST.get("step", "")
    step = row.steps.filter(pk=chosen).first() if chosen.isdecimal() else None
    if act in ACTS and (act != "drop" or step):
        try:
            ACTS[act](step if act == "drop" else row, by=request.user)
        except Refused as refusal:
            messages.error(request, str(refusal))
        return redirect(row)
    forms: dict[str, Any] = {
        "step": StepForm(request.POST, instance=OutreachStep(campaign=row)),
        "variant": VariantForm(request.POST, instance=StepVariant(step=step)),
    }
    if act not in forms or (act == "variant" and step is None):
        raise Http404
    form = forms[act]
    if form.is_valid():

        def acted() -> str:
            draft = form.save(commit=False)
            keep = outreach.keep_step if act == "step" else outreach.keep_variant
            keep(draft, by=request.user)
            return row.get_absolute_url()

        try:
            return redirect(once(request, acted))
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return _page(request, row, **{act: form})


@needs("touch.do")
def contacts(request: AuthedRequest, pk: int) -> HttpResponse:
    """Who is in a campaign, where each stands; an answer that came is noted here."""
    row = _campaign(request, pk)
    seen = Customer.objects.visible_to(request.user).values("pk")
    rows = row.contacts.filter(customer__in=seen).select_related(
        "customer__office", "customer__manager"
    )
    state = request.GET.get("state", "")
    if state in Contact.State.values:
        rows = rows.filter(state=state)
    page = keyset_page(rows, ["pk", "customer"], request.GET.get("after", ""))
    for one in page.rows:
        one.shown = one.customer.name_for(request.user)
    context = frame_of(request, row.season, "outreach") | {
        "campaign": row,
        "page": page,
        "state": state,
        "states": [("", _("All")), *Contact.State.choices],
        "answers": Contact.Answer.choices,
    }
    return render(request, "campaigns/contacts.html", context)


@require_POST
@needs("touch.do")
def contact_answer(request: AuthedRequest, pk: int) -> HttpResponse:
    """What a customer answered."""
    seen = Customer.objects.visible_to(request.user).values("pk")
    rows = Contact.objects.filter(
        customer__in=seen, campaign__in=Campaign.objects.visible_to(request.user)
    )
    row = get_object_or_404(rows.select_related("campaign"), pk=pk)
    form = AnswerForm(request.POST)
    if form.is_valid():
        answering.answered(row, by=request.user, **form.cleaned_data)
        messages.success(request, _("Kept."))
    return redirect("campaigns:contacts", row.campaign_id)


# --- calls and letters -----------------------------------------------------------------------


@needs("touch.do")
def calls(request: AuthedRequest) -> HttpResponse:
    """The next call of one's customers: number, words, one key an answer."""
    rows = answering.open_touches(request.user, Way.CALL)
    row = rows.order_by("due_at", "pk").first()
    if row:
        customer = row.contact.customer
        customer.shown = customer.name_for(request.user)
        row.words = words_for(row.step, customer)
        phone = customer.phones.filter(is_invalid=False).order_by("-is_primary").first()
        row.number = phone.number_for(request.user) if phone else ""
        row.clear = phone.number if phone and customer.is_of(request.user) else ""
    context = {
        "touch": row,
        "left": rows.count(),
        "answers": Contact.Answer.choices,
        "letters": answering.open_touches(request.user, Way.LETTER).count(),
        "files": PrintFile.objects.filter(
            kind=PrintFile.Kind.MAILING, asked_by=request.user
        ).order_by("-asked_at")[:5],
    }
    return render(request, "campaigns/calls.html", context)


@require_POST
@needs("touch.do")
def call_done(request: AuthedRequest, pk: int) -> HttpResponse:
    """What the call came to."""
    row = get_object_or_404(Touch.objects.visible_to(request.user), pk=pk)
    form = CallForm(request.POST)
    if form.is_valid():
        try:
            answering.called(row, by=request.user, **form.cleaned_data)
            about = row.contact.customer.name_for(request.user)
            messages.success(request, _("Kept for %(name)s.") % {"name": about})
        except Refused as refusal:
            messages.error(request, str(refusal))
    return redirect("campaigns:calls")


@require_POST
@needs("touch.do")
def letters(request: AuthedRequest) -> HttpResponse:
    """Print the letters that wait: one file, and they count as posted."""
    if answering.print_letters(request.user):
        messages.success(request, _("A worker makes it: load the page again shortly."))
    else:
        messages.error(request, _("No letter waits."))
    return redirect("campaigns:calls")


# --- events --------------------------------------------------------------------------------------


@needs("campaign.view")
def event(request: AuthedRequest, pk: int) -> HttpResponse:
    """An event: what it leads to in the directory, who is on its list, who ordered."""
    rows = MarketingEvent.objects.visible_to(request.user)
    row = get_object_or_404(rows.select_related("season__office", "office"), pk=pk)
    may_plan = row.season.is_open and may(request.user, "season.plan", row.office)
    found = events.found(row)
    form = PickForm(request.POST if request.method == "POST" else None, entries=found)
    if request.method == "POST" and may_plan:
        if form.is_valid():
            number = events.add(row, form.cleaned_data["entries"], by=request.user)
            messages.success(request, _("%(n)s prospects added.") % {"n": number})
            return redirect(row)
        messages.error(request, _("Tick the organisations first."))
    page = keyset_page(found, ["pinyin", "pk"], request.GET.get("after", ""))
    listed = row.prospects.select_related(
        "organisation__office", "organisation__developer", "organisation__customer"
    )
    context = frame_of(request, row.season, "outreach") | {
        "event": row,
        "page": page,
        "prospects": listed.order_by("pk")[:200],
        "conversion": events.conversion(row),
        "may_plan_event": may_plan,
        "may_directory": may(request.user, "directory.view"),
        "new": Organisation.State.NEW,
    }
    return render(request, "campaigns/event.html", context)
