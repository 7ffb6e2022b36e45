"""Pages of teams: which there are and which are missing, one team and its work."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import answered, once
from crm.errors import Refused
from crm.programmes import teamwork
from crm.programmes.forms import MemberForm, TeamChangeForm, TeamForm
from crm.teams import services
from crm.teams.models import Member, Team
from crm.text import number_of
from crm.web import keyset_page


@needs("programme.see")
def teams(request: AuthedRequest) -> HttpResponse:
    """Teams of one's offices; for supervisors those that are missing, and a new one."""
    user = request.user
    may_make = may(user, "staff.manage")
    sent = request.POST if request.method == "POST" and may_make else None
    if sent is not None and (done := answered(request)):
        return redirect(done)
    form = TeamForm(sent, by=user, usual=request.GET) if may_make else None
    if sent is not None and form is not None and form.is_valid():
        row = form.save(commit=False)
        try:
            return redirect(
                once(request, lambda: services.make(row, by=user).get_absolute_url())
            )
        except Refused as refusal:
            form.add_error("name", str(refusal))
    rows = Team.objects.visible_to(user).active().select_related("office")
    page = keyset_page(
        rows.order_by("office__path", "pk"),
        ["office__path", "pk"],
        request.GET.get("after", ""),
    )
    people: dict[int, list[Member]] = {}
    active = Member.objects.active().filter(team__in=[row.pk for row in page.rows])
    for member in active.select_related("user"):
        people.setdefault(member.team_id, []).append(member)
    for row in page.rows:
        row.people = people.get(row.pk, [])
    context = {
        "page": page,
        "form": form,
        "is_open": form is not None and (form.errors or "office" in request.GET),
        "missing": services.missing(user) if may_make else [],
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "programmes/teams.html", context, status=status)


def _team(request: AuthedRequest, pk: int) -> Team:
    rows = Team.objects.visible_to(request.user).select_related("office", "made_by")
    return get_object_or_404(rows, pk=pk)


def _page(request: AuthedRequest, row: Team, **forms: Any) -> HttpResponse:
    user = request.user
    members = list(row.members.filter(until=None).select_related("user"))
    here = set(
        services.eligible(row)
        .filter(pk__in=[member.user_id for member in members])
        .values_list("pk", flat=True)
    )
    is_ours = user.pk in here
    may_keep = services.may_keep(user, row)
    near = [member for member in members if member.user_id in here]
    heads: list[str] = []
    works: dict[Member, list[int]] = {member: [] for member in near}
    if may_keep or is_ours:
        heads, numbers = teamwork.work_of(row, near)
        works = dict(zip(near, numbers, strict=True))
    context = {
        "team": row,
        "members": [(member, works.get(member)) for member in members],
        "heads": heads,
        "left": row.members.exclude(until=None).select_related("user")[:50],
        "may_keep": may_keep,
        "change": TeamChangeForm(None, instance=row) if may_keep else None,
        "join": MemberForm(None, team=row) if may_keep else None,
        **forms,
    }
    status = 422 if any(form.errors for form in forms.values()) else 200
    return render(request, "programmes/team.html", context, status=status)


@needs("programme.see")
def team(request: AuthedRequest, pk: int) -> HttpResponse:
    """Who is in it, what each has in hand, who was in it before."""
    return _page(request, _team(request, pk))


@require_POST
@needs("staff.manage")
def team_act(request: AuthedRequest, pk: int, act: str) -> HttpResponse:
    """Change, join, lead, leave, end; the service says who may."""
    row = _team(request, pk)
    user = request.user
    if act in ("change", "join"):
        return _typed(request, row, act)
    number = number_of(request.POST.get("member", ""), 0)
    acts = {
        "lead": lambda: services.lead(row, number, by=user),
        "leave": lambda: services.leave(row, number, by=user),
        "end": lambda: services.end(row, by=user),
    }
    if act not in acts:
        raise Http404
    try:
        acts[act]()
        messages.success(request, _("Done."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row)


def _typed(request: AuthedRequest, row: Team, act: str) -> HttpResponse:
    if done := answered(request):
        return redirect(done)
    seen = request.POST.get("seen", "")
    form = (
        MemberForm(request.POST, team=row)
        if act == "join"
        else TeamChangeForm(request.POST, instance=row)
    )

    def do() -> str:
        facts = form.cleaned_data
        if act == "join":
            services.join(row, by=request.user, **facts)
        else:
            services.change(row, by=request.user, seen=seen, **facts)
        return row.get_absolute_url()

    if form.is_valid():
        try:
            return redirect(once(request, do))
        except Refused as refusal:
            form.add_error(
                "name" if refusal.code == "team.name" else None, str(refusal)
            )
    row.refresh_from_db()
    return _page(request, row, **{act: form})
