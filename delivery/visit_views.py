"""The day, the week, the month; one visit and its report; lists of visits."""

import re
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_POST

from crm import text
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.models import Posting, User
from crm.access.scoping import offices_of
from crm.web import keyset_page
from customers.models import CustomerAddress, CustomerPhone
from customers.seasons import month_span
from delivery import planning, visit_lists, visits
from delivery.models import Visit, VisitPlan, VisitReport
from delivery.visit_forms import (
    ListFilter,
)
from delivery.visit_rules import AHEAD
from delivery.visit_words import day_because, due_because

MAP = "https://uri.amap.com/search?keyword="
UNPLANNED_SHOWN = 30
SHOWN_A_DAY = 4
VIEWS = ("day", "week", "month")
NUMBER = re.compile(r"[0-9]{1,18}")


class DayFilter(forms.Form):
    view = forms.ChoiceField(choices=[(v, v) for v in VIEWS], required=False)
    on = forms.DateField(required=False)
    who = forms.CharField(required=False, max_length=60)


def visible(request: AuthedRequest) -> Any:
    return Visit.objects.visible_to(request.user)


def visitors_under(user: User) -> Any:
    """Who may go: managers and supervisors posted at or below the user's offices."""
    offices = offices_of(user, "supervisor")
    posts = Posting.objects.in_force(localdate()).filter(
        office__in=offices, role__in=["manager", "supervisor"]
    )
    people = User.objects.filter(is_active=True, pk__in=posts.values("user"))
    return people.order_by("full_name", "username")


def _whose(request: AuthedRequest, name: str) -> User:
    """Whose calendar: one's own, or that of somebody whose visits one may give away."""
    if not name or name == request.user.username:
        return request.user
    return get_object_or_404(visitors_under(request.user), username=name)


def dress(rows: list[Visit], user: User) -> list[Visit]:
    """What a row shows: name, reasons, whether it is late."""
    today = localdate()
    for row in rows:
        row.shown_customer = row.customer.name_for(user)
        row.because, row.day_because = due_because(row), day_because(row)
        is_open = row.state == Visit.State.OPEN
        row.is_late = is_open and row.due_on < today
        row.is_behind = is_open and bool(row.day and row.day > row.due_on >= today)
    return rows


def reach(rows: list[Visit], user: User) -> None:
    """Address with a link to a map, and a phone, for each. Two queries."""
    customers = {row.customer_id: row.customer for row in rows}
    places: dict[int, CustomerAddress] = {}
    found = CustomerAddress.objects.filter(customer__in=customers)
    for address in found.order_by("-type", "-pk"):  # the pick-up address last: it wins
        places[address.customer_id] = address
    phones = {}
    # SECURITY: of customers whose visits the reader sees.
    numbers = CustomerPhone.objects.filter(customer__in=customers, is_invalid=False)
    for phone in numbers.order_by("is_primary", "-pk"):
        phones[phone.customer_id] = phone
    for row in rows:
        if address := places.get(row.customer_id):
            address.customer = row.customer
            row.address = address.text_for(user)
            row.map = MAP + quote(row.address)
        if phone := phones.get(row.customer_id):
            phone.customer = row.customer
            row.phone = phone.number_for(user)
            row.dial = "" if "*" in row.phone else text.normalise_phone(phone.number)


@needs("visit.view")
def calendar(request: AuthedRequest) -> HttpResponse:
    """A day in its order, a week, a month."""
    form = DayFilter(request.GET)
    if not form.is_valid():
        raise Http404
    chosen = form.cleaned_data
    who = _whose(request, chosen["who"])
    view, on = chosen["view"] or "day", chosen["on"] or localdate()
    if not 2000 <= on.year <= 2100:
        raise Http404
    first, last, step = _span(view, on)
    rows = visible(request).for_list()
    waiting = rows.running().filter(visitor=who)
    planned = waiting.filter(day__range=(first, last))
    found = dress(list(planned.order_by("day", "place", "at", "pk")), request.user)
    done = rows.filter(report__by=who, report__visited_on__range=(first, last))
    context = {
        "view": view,
        "views": [
            ("day", pgettext("calendar", "Day")),
            ("week", _("Week")),
            ("month", pgettext("calendar", "Month")),
        ],
        "first": first,
        "last": last,
        "on": on,
        "who": who,
        "is_mine": who == request.user,
        "today": localdate(),
        "before": first - timedelta(days=1) if view != "day" else on - step,
        "behind": last + timedelta(days=1) if view != "day" else on + step,
        "people": _people(request),
    }
    if view == "day":
        context |= _day(request, who, on, found, waiting, done)
    else:
        context |= _grid(view, first, last, found, done)
    return render(request, "delivery/calendar.html", context)


def _people(request: AuthedRequest) -> list[User]:
    if not may(request.user, "visit.give"):
        return []
    return list(visitors_under(request.user)[:300])


def _span(view: str, on: date) -> tuple[date, date, timedelta]:
    if view == "month":
        first, last = month_span(on)
        return first, last, timedelta(days=28)
    if view == "week":
        first = on - timedelta(days=on.weekday())
        return first, first + timedelta(days=6), timedelta(days=7)
    return on, on, timedelta(days=1)


def _day(
    request: AuthedRequest,
    who: User,
    on: date,
    found: list[Visit],
    waiting: Any,
    done: Any,
) -> dict[str, Any]:
    """The day's list in order, done ones, what waits; and how the plan stands."""
    done = dress(list(done.select_related("report")[:UNPLANNED_SHOWN]), request.user)
    reach(found, request.user)
    unlogged, unplanned = [], []
    if on == localdate():
        before = waiting.filter(day__lt=on).order_by("day", "pk")
        unlogged = dress(list(before[:UNPLANNED_SHOWN]), request.user)
        none = waiting.filter(day=None, first_day__lte=on + timedelta(days=AHEAD))
        unplanned = dress(list(none[:UNPLANNED_SHOWN]), request.user)
    return {
        "rows": found,
        "done": done,
        "unlogged": unlogged,
        "unplanned": unplanned,
        "load": planning.loads_of([who.pk], on)[who.pk] if on == localdate() else None,
        "may_order": who == request.user and len(found) > 1,
    }


def _grid(
    view: str, first: date, last: date, found: list[Visit], closed: Any
) -> dict[str, Any]:
    """The days of a week or a month, each with its visits."""
    done: dict[date, int] = {}
    for day in closed.values_list("report__visited_on", flat=True):
        done[day] = done.get(day, 0) + 1
    by_day: dict[date, list[Visit]] = {}
    for row in found:
        by_day.setdefault(row.day, []).append(row)
    start = first - timedelta(days=first.weekday())
    count = 7 * (((last - start).days // 7) + 1)
    days = []
    for offset in range(count):
        day = start + timedelta(days=offset)
        mine = by_day.get(day, [])
        shown = mine if view == "week" else mine[:SHOWN_A_DAY]
        days.append(
            {
                "day": day,
                "rows": shown,
                "more": len(mine) - len(shown),
                "count": len(mine),
                "done": done.get(day, 0),
                "is_inside": first <= day <= last,
                "is_today": day == localdate(),
            }
        )
    return {"weeks": [days[n : n + 7] for n in range(0, count, 7)]}


@require_POST
@needs("visit.log")
def order(request: AuthedRequest) -> HttpResponse:
    """One's own day, put in order by hand."""
    form = DayFilter(request.POST)
    if not form.is_valid() or form.cleaned_data["on"] is None:
        raise Http404
    day = form.cleaned_data["on"]
    typed = [
        one for one in request.POST.getlist("visit")[:100] if NUMBER.fullmatch(one)
    ]
    up = request.POST.get("up", "")
    if up in typed[1:]:
        at = typed.index(up)
        typed[at - 1], typed[at] = typed[at], typed[at - 1]
    visits.arrange(request.user, day, [int(one) for one in typed])
    if request.htmx or request.headers.get("X-Quiet"):
        return HttpResponse(status=204)
    return redirect(f"{request.path.removesuffix('order/')}?on={day}")


@require_POST
@needs("visit.log")
def replan(request: AuthedRequest) -> HttpResponse:
    """Plan somebody's open visits now: one's own, or of somebody one supervises."""
    who = _whose(request, request.POST.get("who", ""))
    load = planning.plan_people([who.pk])[who.pk]
    facts = {"kept": load.kept, "late": load.late, "open": load.unplaced}
    said = _(
        "Planned: %(kept)s within the window, %(late)s behind it, %(open)s without."
    )
    messages.success(request, said % facts)
    return redirect(reverse("delivery:visits") + "?" + urlencode({"who": who.username}))


@needs("visit.view")
def today(request: AuthedRequest) -> HttpResponse:
    """The panel on the page Today: the day's visits, and how many are overdue."""
    day = localdate()
    mine = visible(request).running().filter(visitor=request.user)
    rows = mine.filter(day=day).for_list().order_by("place", "at", "pk")
    context = {
        "rows": dress(list(rows[:UNPLANNED_SHOWN]), request.user),
        "overdue": mine.filter(due_on__lt=day).count(),
    }
    return render(request, "delivery/_today.html", context)


@needs("visit.view")
def visit_list(request: AuthedRequest) -> HttpResponse:
    """The rows behind a figure."""
    form = ListFilter(request.GET)
    if not form.is_valid():
        raise Http404
    chosen = form.cleaned_data
    rows = visit_lists.narrowed(visible(request), chosen).for_list()
    key = ["due_on", "pk"]
    if chosen["state"] == "done":
        key = ["-due_on", "-pk"]
    page = keyset_page(
        rows.select_related("report"),
        key,
        chosen["after"],
        cap=None if chosen["plan"] else 1000,
    )
    dress(page.rows, request.user)
    kept = {
        n: v for n, v in chosen.items() if v and n not in ("after", "state", "type")
    }
    context = {
        "page": page,
        "chosen": chosen,
        "form": form,
        "kept": kept,
        "shown": _shown(request, kept),
    }
    return render(request, "delivery/list.html", context)


def _shown(request: AuthedRequest, kept: dict[str, Any]) -> list[str]:
    """What a figure narrowed the list by, in words."""
    user = request.user
    known = {user.username: user.full_name}
    if "who" in kept:
        named = visitors_under(user).filter(username=kept["who"]).first()
        known[kept["who"]] = (
            named.full_name if named else known.get(kept["who"], kept["who"])
        )
    plans = VisitPlan.objects.visible_to(user)
    words = {
        "who": lambda value: known[value],
        "office": lambda value: offices_of(user).filter(code=value).first() or value,
        "plan": lambda value: plans.filter(pk=value).first() or value,
        "result": lambda value: VisitReport.Result(value).label,
    }
    return [str(words[name](value)) for name, value in kept.items() if name in words]
