"""Pages of seasons: the list, the board, the names behind each figure, a customer in it."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns import figures, seasons
from campaigns.forms import MemberForm, NamesForm, SeasonForm
from campaigns.models import CardOrder, Season, SeasonMember
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.models import User
from crm.access.once import answered, once
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.org.models import Office
from crm.org.queries import has_biu_team
from crm.web import keyset_page
from customers.models import Customer
from delivery.models import VisitReport
from delivery.quality.rates import Share

READERS = ("manager", "supervisor", "planner", "reviewer")
PLANNERS = ("supervisor", "planner")


def season_of(request: AuthedRequest, code: str) -> Season:
    rows = Season.objects.visible_to(request.user)
    return get_object_or_404(
        rows.select_related("office", "previous", "pre_plan", "after_plan"), code=code
    )


def frame_of(request: AuthedRequest, season: Season, here: str) -> dict[str, Any]:
    """What every page of a season shows."""
    return {
        "season": season,
        "here": here,
        "may_plan": season.is_open and may(request.user, "season.plan", season.office),
    }


@needs("season.view")
def season_list(request: AuthedRequest) -> HttpResponse:
    """All seasons, newest first; who plans opens one here."""
    if url := answered(request):
        return redirect(url)
    user = request.user
    rows = Season.objects.visible_to(user).select_related("office", "previous")
    sent = request.POST if request.method == "POST" else None
    may_plan = may(user, "season.plan")
    form = SeasonForm(sent, offices=offices_of(user, *PLANNERS), seasons=rows)
    if sent is not None and may_plan and form.is_valid():
        draft = form.save(commit=False)
        try:
            url = once(request, lambda: seasons.keep(draft, by=user).get_absolute_url())
            return redirect(url)
        except Refused as refusal:
            form.add_error("previous", str(refusal))
    page = keyset_page(rows, ["-first_day", "-pk"], request.GET.get("after", ""))
    context = {"page": page, "form": form if may_plan else None}
    return render(
        request, "campaigns/seasons.html", context, status=422 if form.errors else 200
    )


@dataclass
class OfficeRow:
    """A line of the board: an office and all below it."""

    office: Office
    counts: figures.SeasonCounts
    rates: list[tuple[str, Share, float | None]]
    opens: bool  # whether the reader may open its names: the list equals the figure


def _rows(season: Season, user: User) -> list[OfficeRow]:
    """The reader's offices and those one level below. Four queries; the counts, which cost
    seconds beside a million orders, are kept for a minute."""
    offices = list(offices_of(user, *READERS).under(season.office))
    if not offices:
        return []
    top = min(office.depth for office in offices)
    shown = [office for office in offices if office.depth <= top + 1]
    paths = {office.pk: office.path for office in Office.objects.under(season.office)}
    counted = cache.get_or_set(
        f"season:{season.pk}:{season.previous_id}:{season.base_frozen_at}",
        lambda: figures.counts_by_office(season, season.office),
        settings.FIGURES_KEPT_SECONDS,
    )
    found = []
    for office in shown:
        inside = [
            counts
            for pk, counts in counted.items()
            if paths.get(pk, "").startswith(office.path)
        ]
        counts = sum(inside, figures.SeasonCounts())
        if office.kind != Office.Kind.BUREAU and not (counts.base or counts.orders):
            continue  # a call centre has no card customers
        rates = [
            (name, read(counts, season), figures.target_of(name, season))
            for name, (read, _target) in figures.RATES.items()
        ]
        boss = any(p.office.contains(office) for p in user.posts(*PLANNERS))
        found.append(OfficeRow(office, counts, rates, boss))
    return found


def _mine(season: Season, user: User) -> list[tuple[str, str, int]]:
    """A manager's own customers: (group, label, number). A query each."""
    if not user.posts("manager"):
        return []
    rows = Customer.objects.visible_to(user).filter(manager=user)
    return [
        (group, label, figures.group_of(rows, group, season).count())
        for group, label in NamesForm.GROUPS
    ]


WHERE = {
    "season.posting": "edit/",
    "season.group": "plan/#groups",
    "season.visits": "names/?group=base",
    "season.review": "review/",
    "season.pilot": "review/#pilot",
}


def _obstacles(row: Season) -> list[tuple[str, str]]:
    """(words, where it is mended) of all that is in the way of issuing."""
    url = row.get_absolute_url()
    return [
        (words, url + WHERE[code] if code in WHERE else "")
        for code, words in seasons.obstacles(row)
    ]


@needs("season.view")
def season(request: AuthedRequest, code: str) -> HttpResponse:
    """The board: targets and what was reached, office by office; what is in the way."""
    row = season_of(request, code)
    lines = _rows(row, request.user)
    is_draft = row.state == Season.State.DRAFT
    context = frame_of(request, row, "board") | {
        "lines": lines,
        "whole": lines[0] if lines else None,
        "mine": _mine(row, request.user),
        "may_issue": row.is_open and may(request.user, "season.issue", row.office),
        "obstacles": _obstacles(row) if is_draft else [],
        "before_sells": row.previous is not None
        and row.previous.is_open
        and row.previous.last_day >= localdate(),
        "is_over": row.last_day < localdate(),
    }
    return render(request, "campaigns/season.html", context)


@needs("season.plan")
def season_edit(request: AuthedRequest, code: str) -> HttpResponse:
    """The season's facts and targets."""
    row = season_of(request, code)
    rows = Season.objects.visible_to(request.user)
    sent = request.POST if request.method == "POST" else None
    form = SeasonForm(
        sent, offices=offices_of(request.user, *PLANNERS), seasons=rows, instance=row
    )
    if sent is not None and form.is_valid():
        try:
            seasons.keep(form.save(commit=False), by=request.user)
            messages.success(request, _("Saved."))
            return redirect("campaigns:season", form.instance.code)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    fresh = season_of(request, code)  # what the form refused must not be shown as kept
    context = frame_of(request, fresh, "board") | {"form": form}
    status = 422 if form.errors else 200
    return render(request, "campaigns/season_edit.html", context, status=status)


ACTS = {
    "freeze": lambda row, by: seasons.freeze_base(row, by=by),
    "freeze_sure": lambda row, by: seasons.freeze_base(row, by=by, is_sure=True),
    "before": lambda row, by: seasons.plan_visits(row, by=by, when="before"),
    "after": lambda row, by: seasons.plan_visits(row, by=by, when="after"),
    "issue": lambda row, by: seasons.issue(row, by=by),
    "close": lambda row, by: seasons.close(row, by=by),
}


@require_POST
@needs("season.view")
def season_act(request: AuthedRequest, code: str) -> HttpResponse:
    """Freeze the base, plan visits, issue, close. Twice says what is so already."""
    row = season_of(request, code)
    act = ACTS.get(request.POST.get("act", ""))
    if act is None:
        raise Http404
    try:
        act(row, request.user)
        messages.success(request, _("Done."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row)


@needs("member.view")
def names(request: AuthedRequest, code: str) -> HttpResponse:
    """The customers behind a figure, counted whole: the list is as long as the figure."""
    row = season_of(request, code)
    form = NamesForm(request.GET, offices=offices_of(request.user, *READERS))
    if not form.is_valid():
        raise Http404
    office = form.cleaned_data["office"] or row.office
    if not office.path.startswith(row.office.path):
        office = row.office
    group = form.cleaned_data["group"]
    rows = members_seen(request.user).filter(office__path__startswith=office.path)
    if request.GET.get("mine"):
        rows = rows.filter(manager=request.user)
    found = figures.group_of(rows, group, row).select_related("office", "manager")
    page = keyset_page(found, ["pinyin", "pk"], request.GET.get("after", ""), cap=None)
    noted = {
        member.customer_id: member
        for member in SeasonMember.objects.filter(
            season=row, customer__in=[one.pk for one in page.rows]
        )
    }
    for one in page.rows:
        one.shown, one.member = one.name_for(request.user), noted.get(one.pk)
    context = frame_of(request, row, "board") | {
        "page": page,
        "group": group,
        "groups": NamesForm.GROUPS,
        "office": office,
        "may_note": may(request.user, "member.note"),
        "may_open": may(request.user, "customer.view"),
    }
    return render(request, "campaigns/names.html", context)


def members_seen(user: User) -> Any:
    """Customers whose names a planner, too, reads in a season's lists."""
    inside = Customer.objects.filter(merged_into=None)
    visible = Customer.objects.visible_to(user)
    offices = [posting.office for posting in user.posts("planner")]
    for office in offices:
        visible = visible | inside.filter(office__path__startswith=office.path)
    return visible


@needs("member.note")
def member(request: AuthedRequest, code: str, pk: int) -> HttpResponse:
    """One customer in a season: what it ordered in each, what was found, what is noted."""
    row = season_of(request, code)
    customers = Customer.objects.visible_to(request.user).filter(
        office__path__startswith=row.office.path
    )
    customer = get_object_or_404(customers.select_related("office"), pk=pk)
    noted = SeasonMember.objects.filter(season=row, customer=customer).first()
    sent = request.POST if request.method == "POST" else None
    blank = noted or SeasonMember(season=row, customer=customer)
    form = MemberForm(sent, instance=blank)
    if sent is not None and form.is_valid():
        try:
            facts = form.cleaned_data
            seasons.note(row, customer, by=request.user, facts=facts)
            messages.success(request, _("Saved."))
            return redirect("campaigns:member", row.code, customer.pk)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    customer.shown = customer.name_for(request.user)
    orders = CardOrder.objects.filter(customer=customer).select_related(
        "season", "product"
    )
    reports = VisitReport.objects.filter(
        visit__customer=customer, visit__plan__in=figures.plans_of(row)
    )
    context = frame_of(request, row, "board") | {
        "customer": customer,
        "proposals": row.documents.filter(customer=customer).exclude(state="revised"),
        "may_propose": row.is_open and has_biu_team(customer.office),
        "form": form if row.is_open else None,
        "member": noted,
        "orders": orders.order_by("-ordered_on", "-pk")[:20],
        "reports": reports.select_related("visit", "by").order_by("visited_on"),
        "back": reverse("campaigns:names", args=[row.code]) + "?group=base",
    }
    status = 422 if form.errors else 200
    return render(request, "campaigns/member.html", context, status=status)
