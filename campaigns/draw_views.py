"""Pages of the draw: levels and numbers by two people, winners, who was told, claims."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns import prizes, winners
from campaigns.card_forms import (
    ClaimForm,
    DrawForm,
    LevelForm,
    NumbersForm,
    ToldForm,
    WinFilter,
)
from campaigns.models import PrintFile, PrizeDraw, PrizeLevel, Season, Win
from campaigns.season_views import frame_of, season_of
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import once
from crm.errors import Refused
from crm.text import mask_name
from crm.web import csv_answer, keyset_page


def _draw(season: Season) -> PrizeDraw | None:
    return PrizeDraw.objects.filter(season=season).first()


def _page(request: AuthedRequest, season: Season, **bound: Any) -> HttpResponse:
    user, draw = request.user, _draw(season)
    may_enter = season.is_open and may(user, "draw.enter", season.office)
    forms: dict[str, Any] = {}
    if may_enter:
        start = {"drawn_on": season.draw_on} if season.draw_on else {}
        forms["draw"] = DrawForm(
            instance=draw or PrizeDraw(season=season), initial={} if draw else start
        )
        if draw and not draw.matched_at:
            forms["level"] = LevelForm()
    levels = list(
        PrizeLevel.objects.filter(draw=draw)
        .select_related("entered_by", "confirmed_by")
        .prefetch_related("numbers")
        if draw
        else []
    )
    for level in levels:
        level.is_mine = level.entered_by_id == user.pk
        level.shows = level.confirmed_by_id is not None or level.is_mine
        level.form = bound.get(f"numbers{level.pk}") or NumbersForm(
            prefix=f"n{level.pk}"
        )
    wins = Win.objects.visible_to(user).filter(level__draw__season=season)
    context = frame_of(request, season, "draw") | {
        "draw": draw,
        "levels": levels,
        "forms": forms | bound,
        "may_enter": may_enter,
        "cards": winners.cards_of(season),
        "figures": winners.figures(wins, season),
        "may_wins": may(user, "win.view"),
        "followers": season.followers.exists(),
    }
    return render(request, "campaigns/draw.html", context, status=422 if bound else 200)


@needs("season.view")
def draw(request: AuthedRequest, code: str) -> HttpResponse:
    """The draw of a season: its days, levels, numbers; what became of the prizes."""
    season = season_of(request, code)
    if request.method != "POST":
        return _page(request, season)
    if not may(request.user, "draw.enter", season.office):
        raise Http404
    form = DrawForm(request.POST, instance=_draw(season) or PrizeDraw(season=season))
    if form.is_valid():
        try:
            prizes.keep(form.save(commit=False), by=request.user)
            messages.success(request, _("Saved."))
            return redirect("campaigns:draw", season.code)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return _page(request, season, draw=form)


@require_POST
@needs("draw.enter")
def level_add(request: AuthedRequest, code: str) -> HttpResponse:
    """A level more."""
    season = season_of(request, code)
    found = _draw(season)
    if found is None:
        raise Http404
    found.season = season
    form = LevelForm(request.POST, instance=PrizeLevel(draw=found))
    if form.is_valid():

        def act() -> str:
            prizes.keep_level(form.save(commit=False), by=request.user)
            return f"{season.get_absolute_url()}draw/"

        try:
            return redirect(once(request, act))
        except Refused as refusal:
            name = refusal.code.partition(".")[2]
            form.add_error(name if name in form.fields else None, str(refusal))
    return _page(request, season, level=form)


@require_POST
@needs("draw.enter")
def numbers(request: AuthedRequest, code: str, pk: int) -> HttpResponse:
    """Enter a level's numbers, or, as another person, enter them again."""
    season = season_of(request, code)
    level = get_object_or_404(
        PrizeLevel.objects.select_related("draw"), pk=pk, draw__season=season
    )
    level.draw.season = season
    form = NumbersForm(request.POST, prefix=f"n{level.pk}")
    if form.is_valid():
        try:
            written = form.cleaned_data["numbers"]
            kept = prizes.enter(level, by=request.user, written=written)
            if kept.confirmed_by_id:
                messages.success(request, _("Confirmed: both entries agree."))
            else:
                messages.success(
                    request, _("Entered. Another person has to enter them too.")
                )
            return redirect("campaigns:draw", season.code)
        except Refused as refusal:
            form.add_error("numbers", str(refusal))
    return _page(request, season, **{f"numbers{level.pk}": form})


@require_POST
@needs("draw.enter")
def match(request: AuthedRequest, code: str) -> HttpResponse:
    """Find the winning cards."""
    season = season_of(request, code)
    try:
        number = prizes.match(season, by=request.user)
        messages.success(request, _("%(n)s winning cards found.") % {"n": number})
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("campaigns:draw", season.code)


# --- winners -------------------------------------------------------------------------------------


def _wins(request: AuthedRequest, season: Season, which: str) -> Any:
    rows = winners.wins_of(season, request.user)
    narrowed = {
        "recipient": {"recipient_told": None},
        "customer": {"customer_told": None},
        "open": {"claimed_on": None},
        "claimed": {"claimed_on__isnull": False},
    }
    return rows.filter(**narrowed.get(which, {}))


@needs("win.view")
def wins(request: AuthedRequest, code: str) -> HttpResponse:
    """Winning cards of one's customers: who was told, what was claimed."""
    season = season_of(request, code)
    form = WinFilter(request.GET)
    if not form.is_valid():
        raise Http404
    which = form.cleaned_data["which"]
    page = keyset_page(
        _wins(request, season, which), ["rank", "pk"], request.GET.get("after", "")
    )
    for row in page.rows:
        who = row.card.recipient
        row.recipient_shown = mask_name(who.name) if who else "—"
        row.shown = row.customer.name_for(request.user)
    context = frame_of(request, season, "draw") | {
        "page": page,
        "which": which,
        "filters": WinFilter.WHICH,
        "draw": _draw(season),
        "may_note": season.is_open and may(request.user, "win.note"),
        "claim": ClaimForm(),
        "files": PrintFile.objects.filter(
            season=season, kind=PrintFile.Kind.NOTICES, asked_by=request.user
        ).order_by("-asked_at")[:6],
    }
    return render(request, "campaigns/wins.html", context)


@require_POST
@needs("win.note")
def wins_told(request: AuthedRequest, code: str) -> HttpResponse:
    """Letters for the ticked wins, or the word that they were called."""
    season = season_of(request, code)
    seen = winners.told_by(request.user).filter(level__draw__season=season)
    form = ToldForm(request.POST, wins=seen)
    if not form.is_valid():
        messages.error(request, _("Tick the winning cards first."))
        return redirect("campaigns:wins", season.code)
    typed = form.cleaned_data
    picked = seen.filter(pk__in=[row.pk for row in typed["wins"]])
    try:
        number = winners.inform(
            season, picked, by=request.user, whom=typed["whom"], way=typed["way"]
        )
        messages.success(request, _("%(n)s noted as told today.") % {"n": number})
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("campaigns:wins", season.code)


@require_POST
@needs("win.note")
def win_claim(request: AuthedRequest, pk: int) -> HttpResponse:
    """A prize was handed out."""
    rows = Win.objects.visible_to(request.user).select_related("level__draw__season")
    row = get_object_or_404(rows, pk=pk)
    form = ClaimForm(request.POST)
    try:
        if form.is_valid():
            winners.claim(row, by=request.user, on=form.cleaned_data["on"])
            messages.success(request, _("Kept."))
        else:
            messages.error(request, next(iter(form.errors.values()))[0])
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("campaigns:wins", row.level.draw.season.code)


@needs("win.note")
def phone_list(request: AuthedRequest, code: str) -> HttpResponse:
    """Whom to call about prizes, as CSV: recipients and senders with their numbers."""
    season = season_of(request, code)
    mine = winners.told_by(request.user).values("pk")
    rows = _wins(request, season, "open").filter(pk__in=mine)
    rows = list(rows.order_by("customer", "rank")[:2000])

    def lines() -> Any:
        yield [
            _("Level"),
            _("Prize"),
            _("Recipient"),
            _("Phone"),
            _("Sender"),
            _("Sender's phone"),
        ]
        for row in rows:
            who = row.card.recipient
            phone = row.customer.phones.filter(is_primary=True).first()
            yield [
                row.level.name,
                row.level.prize,
                who.name if who else "",
                who.phone if who else "",
                row.customer.name_for(request.user),
                phone.number_for(request.user) if phone else "",
            ]

    winners.note_phone_list(season, rows, by=request.user)
    return csv_answer(lines(), f"prizes-{season.code}.csv")


@login_not_required
def public(request: HttpRequest) -> HttpResponse:
    """What a card's QR code opens: the last draws' numbers, places and days; no login."""
    draws = PrizeDraw.objects.filter(matched_at__isnull=False)
    draws = draws.select_related("season").prefetch_related("levels__numbers")
    context = {"draws": draws.order_by("-drawn_on")[:2], "today": localdate()}
    return render(request, "campaigns/prizes.html", context)
