"""The season's work plan: timetable, groups, documents, resources, competitors, load."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns import pipeline, planning, seasons, timetable
from campaigns.forms import (
    CompetitorForm,
    DocumentForm,
    DutyForm,
    GroupForm,
    MilestoneForm,
    ResourceForm,
)
from campaigns.models import (
    CardOrder,
    CompetitorNote,
    Duty,
    Milestone,
    Resource,
    Season,
    SeasonDocument,
    ServiceGroup,
)
from campaigns.season_views import frame_of, season_of
from crm import charts
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import answered, once
from crm.errors import Refused

ADDED: dict[str, tuple[Any, Any]] = {
    "resource": (ResourceForm, Resource),
    "competitor": (CompetitorForm, CompetitorNote),
}
DROPPED: dict[str, Any] = {
    "milestone": Milestone,
    "resource": Resource,
    "competitor": CompetitorNote,
}


def _page(request: AuthedRequest, season: Season, **bound: Any) -> HttpResponse:
    """The plan, with a form that was refused where there is one."""
    frame = frame_of(request, season, "plan")
    milestones = list(season.milestones.select_related("owner"))
    user = request.user
    today = localdate()
    for row in milestones:
        row.is_late = row.done_on is None and row.due_on < today
        row.may_do = season.is_open and (frame["may_plan"] or row.owner_id == user.pk)
    groups = season.groups.select_related("office", "leader")
    forms = {}
    if frame["may_plan"]:
        forms = {
            "milestone": MilestoneForm(None, season=season),
            "group": GroupForm(None, season=season, offices=seasons.bureaux(season)),
            "resource": ResourceForm(),
            "competitor": CompetitorForm(),
        } | bound
    resources = list(season.resources.all())
    context = frame | {
        "milestones": milestones,
        "groups": groups.prefetch_related(
            "duties__owner", "duties__milestones"
        ).order_by("office__path"),
        "lacking": seasons.missing_groups(season),
        "groups_before": season.previous is not None
        and season.previous.groups.exists(),
        "documents": season.documents.filter(customer=None).select_related("made_by"),
        "resources": resources,
        "planned": sum(row.planned * row.price for row in resources),
        "used": sum((row.used or 0) * row.price for row in resources),
        "competitors": season.competitors.select_related("made_by"),
        "forms": forms,
        "peak": _peak(request, season),
    }
    return render(request, "campaigns/plan.html", context, status=422 if bound else 200)


def _peak(request: AuthedRequest, season: Season) -> dict[str, Any] | None:
    """Pieces due each day (R-CAM-18): a chart and its highest day."""
    orders = CardOrder.objects.visible_to(request.user).filter(season=season)
    days = pipeline.load_by_day(orders)
    if not days:
        return None
    top = max(days, key=lambda one: one.total)
    labels = [f"{one.day:%m-%d}" for one in days]
    return {
        "chart": charts.columns(
            labels,
            [one.total for one in days],
            unit=_("pieces"),
            label=_("Pieces due a day"),
        ),
        "top": top,
        "days": [one for one in days if one.total],
    }


@needs("season.view")
def plan(request: AuthedRequest, code: str) -> HttpResponse:
    return _page(request, season_of(request, code))


@require_POST
@needs("season.plan")
def lay(request: AuthedRequest, code: str) -> HttpResponse:
    """The preset timetable, or its days counted anew from the anchors."""
    row = season_of(request, code)
    try:
        timetable.lay(row, by=request.user)
        messages.success(request, _("The timetable is counted from the posting day."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("campaigns:plan", row.code)


@require_POST
@needs("season.plan")
def add(request: AuthedRequest, code: str, kind: str) -> HttpResponse:
    """A milestone, resource or competitor note more."""
    season = season_of(request, code)
    form: Any
    if kind == "milestone":
        form = MilestoneForm(request.POST, season=season)
    elif kind in ADDED:
        form_class, model = ADDED[kind]
        form = form_class(request.POST, instance=model(season=season))
    else:
        raise Http404
    if not form.is_valid():
        return _page(request, season, **{kind: form})

    def act() -> str:
        planning.keep(form.save(commit=False), by=request.user)
        return f"{season.get_absolute_url()}plan/#{kind}s"

    try:
        return redirect(once(request, act))
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return _page(request, season, **{kind: form})


@require_POST
@needs("season.view")
def milestone_act(request: AuthedRequest, code: str, pk: int) -> HttpResponse:
    """Say that a milestone is done."""
    season = season_of(request, code)
    row = get_object_or_404(season.milestones, pk=pk)
    mine = row.owner_id == request.user.pk
    if not mine and not may(request.user, "season.plan", season.office):
        raise Http404
    try:
        planning.done(row, by=request.user)
        messages.success(request, _("Done: %(name)s.") % {"name": row})
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("campaigns:plan", season.code)


@needs("season.plan")
def milestone(request: AuthedRequest, code: str, pk: int) -> HttpResponse:
    """Change a milestone; days set by hand hang on no anchor any more."""
    season = season_of(request, code)
    row = get_object_or_404(season.milestones, pk=pk)
    sent = request.POST if request.method == "POST" else None
    form = MilestoneForm(sent, season=season, instance=row)
    return _edited(request, season, form, _("Milestone"), planning.keep)


@needs("season.plan")
def resource(request: AuthedRequest, code: str, pk: int) -> HttpResponse:
    season = season_of(request, code)
    row = get_object_or_404(season.resources, pk=pk)
    sent = request.POST if request.method == "POST" else None
    form = ResourceForm(sent, instance=row)
    return _edited(request, season, form, _("Resource"), planning.keep)


def _edited(
    request: AuthedRequest, season: Season, form: Any, title: str, keep: Any
) -> HttpResponse:
    if form.is_bound and form.is_valid():
        try:
            keep(form.save(commit=False), by=request.user)
            messages.success(request, _("Saved."))
            return redirect("campaigns:plan", season.code)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    context = frame_of(request, season, "plan") | {"form": form, "title": title}
    status = 422 if form.errors else 200
    return render(request, "campaigns/edit.html", context, status=status)


@require_POST
@needs("season.plan")
def drop(request: AuthedRequest, code: str, kind: str, pk: int) -> HttpResponse:
    season = season_of(request, code)
    if kind not in DROPPED:
        raise Http404
    # SECURITY: rows of a season that season_of has checked.
    row = get_object_or_404(DROPPED[kind].objects.filter(season=season), pk=pk)
    try:
        planning.drop(row, by=request.user)
        messages.success(request, _("Struck: %(name)s.") % {"name": row})
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("campaigns:plan", season.code)


@require_POST
@needs("season.plan")
def group(request: AuthedRequest, code: str) -> HttpResponse:
    """Set up a bureau's service group, or name another leader."""
    season = season_of(request, code)
    form = GroupForm(request.POST, season=season, offices=seasons.bureaux(season))
    if form.is_valid():
        typed = form.cleaned_data
        try:
            planning.set_group(
                season, typed["office"], by=request.user, leader=typed["leader"]
            )
            messages.success(request, _("The group is set up."))
            return redirect(f"{season.get_absolute_url()}plan/#groups")
        except Refused as refusal:
            form.add_error("leader", str(refusal))
    return _page(request, season, group=form)


@require_POST
@needs("season.plan")
def groups_before(request: AuthedRequest, code: str) -> HttpResponse:
    """The groups of the season before."""
    season = season_of(request, code)
    try:
        number = planning.take_over_groups(season, by=request.user)
        messages.success(request, _("%(n)s groups are set up.") % {"n": number})
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(f"{season.get_absolute_url()}plan/#groups")


@needs("season.plan")
def duties(request: AuthedRequest, code: str, pk: int) -> HttpResponse:
    """The duties of one group: whose each is, one more, one less."""
    season = season_of(request, code)
    row = get_object_or_404(
        ServiceGroup.objects.filter(season=season).select_related("office", "leader"),
        pk=pk,
    )
    row.season = season
    sent = request.POST if request.method == "POST" else None
    chosen = (sent or request.GET).get("duty", "")
    found = row.duties.filter(pk=chosen).first() if chosen.isdecimal() else None
    form = DutyForm(sent, office=row.office, instance=found or Duty(group=row))
    if sent is not None:
        if "drop" in sent and found:
            try:
                planning.drop_duty(found, by=request.user)
                messages.success(request, _("Struck: %(name)s.") % {"name": found})
            except Refused as refusal:
                messages.error(request, str(refusal))
            return redirect("campaigns:duties", season.code, row.pk)
        if form.is_valid():
            try:
                planning.keep_duty(form.save(commit=False), by=request.user)
                return redirect("campaigns:duties", season.code, row.pk)
            except Refused as refusal:
                form.add_error(None, str(refusal))
    context = frame_of(request, season, "plan") | {
        "group": row,
        "duties": row.duties.select_related("owner"),
        "form": form,
        "chosen": found,
    }
    status = 422 if form.errors else 200
    return render(request, "campaigns/duties.html", context, status=status)


@needs("season.view")
def document(request: AuthedRequest, code: str, pk: int = 0) -> HttpResponse:
    """One document: read, write a draft, revise what was issued, issue."""
    season = season_of(request, code)
    documents = season.documents.filter(customer=None)
    row = get_object_or_404(documents, pk=pk) if pk else None
    frame = frame_of(request, season, "plan")
    if (row is None or request.method == "POST") and not frame["may_plan"]:
        raise Http404 if not season.is_open else PermissionDenied
    if url := answered(request):
        return redirect(url)
    sent = request.POST if request.method == "POST" else None
    form = DocumentForm(sent, instance=row or SeasonDocument(season=season))
    if sent is not None and form.is_valid():
        draft = form.save(commit=False)
        try:

            def act() -> str:
                kept = written(request, draft)
                return f"{season.get_absolute_url()}documents/{kept.pk}/"

            return redirect(once(request, act))
        except Refused as refusal:
            form.add_error(None, str(refusal))
    shown = get_object_or_404(season.documents, pk=pk) if pk else None
    is_newest = shown is None or not hasattr(shown, "replaced_by")
    context = frame | {
        "document": shown,
        "form": form if frame["may_plan"] and is_newest else None,
        "versions": versions_of(shown),
    }
    status = 422 if form.errors else 200
    return render(request, "campaigns/document.html", context, status=status)


def written(request: AuthedRequest, draft: SeasonDocument) -> SeasonDocument:
    kept = planning.write(draft, by=request.user)
    if "issue" in request.POST:
        planning.issue_document(kept, by=request.user)
    return kept


def versions_of(row: SeasonDocument | None) -> list[SeasonDocument]:
    """The document's other versions, newest first. A query each."""
    found = []
    newer = row
    while newer is not None and (newer := getattr(newer, "replaced_by", None)):
        found.insert(0, newer)
    older = row
    while older is not None and (older := older.replaces):
        found.append(older)
    return found
