"""The day, the week, the month; one visit and its report; lists of visits."""

import uuid
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm import text
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.models import User
from crm.access.once import once
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.web import keyset_page
from customers.models import Customer, CustomerAddress
from delivery import planning, visit_lists, visit_log, visits
from delivery.models import Visit, VisitType, Way
from delivery.visit_forms import (
    AppointForm,
    CustomerOnly,
    ListFilter,
)
from delivery.visit_rules import AHEAD
from delivery.visit_words import day_because, due_because

MAP = "https://uri.amap.com/search?keyword="
UNPLANNED_SHOWN = 30
SHOWN_A_DAY = 4
VIEWS = ("day", "week", "month")


class DayFilter(forms.Form):
    view = forms.ChoiceField(choices=[(v, v) for v in VIEWS], required=False)
    on = forms.DateField(required=False)
    who = forms.CharField(required=False, max_length=60)


def visible(request: AuthedRequest) -> Any:
    return Visit.objects.visible_to(request.user)


def visitors_under(user: User) -> Any:
    """Who may go: managers and supervisors posted at or below the user's offices."""
    offices = offices_of(user, "supervisor")
    posted = User.objects.filter(
        is_active=True,
        postings__office__in=offices,
        postings__role__in=["manager", "supervisor"],
    )
    return posted.distinct().order_by("full_name", "username")


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
        row.is_late = row.state == Visit.State.OPEN and row.due_on < today
    return rows


def reach(rows: list[Visit], user: User) -> None:
    """Address with a link to a map, and a phone, for each. Two queries."""
    customers = {row.customer_id: row.customer for row in rows}
    places: dict[int, CustomerAddress] = {}
    found = CustomerAddress.objects.filter(customer__in=customers)
    for address in found.order_by("-type", "-pk"):  # the pick-up address last: it wins
        places[address.customer_id] = address
    phones = {}
    numbers = Customer.phones.rel.related_model.objects.filter(
        customer__in=customers, is_invalid=False
    )
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
        "views": [("day", _("Day")), ("week", _("Week")), ("month", _("Month"))],
        "on": on,
        "who": who,
        "is_mine": who == request.user,
        "today": localdate(),
        "before": first - timedelta(days=1) if view != "day" else on - step,
        "behind": last + timedelta(days=1) if view != "day" else on + step,
        "people": _people(request),
        "may_request": may(request.user, "visit.request"),
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
        first, last = visit_lists.month_of(on)
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
    typed = request.POST.getlist("visit")[:100]
    wanted = [int(one) for one in typed if one.isascii() and one.isdecimal()]
    pair = request.POST.get("up", "")
    if pair in typed and typed.index(pair):
        at = typed.index(pair)
        wanted[at - 1], wanted[at] = wanted[at], wanted[at - 1]
    visits.arrange(request.user, day, wanted)
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
    mine = who == request.user
    return redirect("/visits/" if mine else f"/visits/?who={who.username}")


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
        "people": _people(request),
    }
    return render(request, "delivery/list.html", context)


@needs("visit.request")
def new(request: AuthedRequest) -> HttpResponse:
    """A visit for a customer: an appointment, or one that is being made just now."""
    customers = Customer.objects.visible_to(request.user)
    about = CustomerOnly(request.GET, customers=customers)
    if not about.is_valid():
        raise Http404
    customer = about.cleaned_data["customer"]
    sent = request.POST if request.method == "POST" else None
    form = AppointForm(sent, initial={"day": localdate() + timedelta(days=1)})
    if sent is not None and "now" in sent:
        return _log_now(request, customer)
    if sent is not None and form.is_valid():
        typed = form.cleaned_data

        def act() -> str:
            return visits.appoint(customer, by=request.user, **typed).get_absolute_url()

        try:
            address = once(request, act)
            messages.success(request, _("The appointment is made."))
            return redirect(address if may(request.user, "visit.view") else customer)
        except Refused as refusal:
            _double(form, refusal)
    customer.shown = customer.name_for(request.user)
    context = {
        "customer": customer,
        "form": form,
        "token": uuid.uuid4(),
        "may_log": may(request.user, "visit.log", customer.office),
        "is_double": "even_so" in form.errors,
    }
    status = 422 if form.errors else 200
    return render(request, "delivery/new.html", context, status=status)


def _double(form: forms.Form, refusal: Refused) -> None:
    """A refusal beside its field; a double booking may be confirmed."""
    if refusal.code == "visit.double":
        form.add_error("even_so", str(refusal))
    elif refusal.code in ("visit.past", "visit.far"):
        form.add_error("day", str(refusal))
    else:
        form.add_error(None, str(refusal))


def _log_now(request: AuthedRequest, customer: Customer) -> HttpResponse:
    token = request.POST.get("token", "")[:36]
    made = visit_log.begin(
        customer,
        by=request.user,
        type=VisitType.OTHER,
        way=Way.VISIT,
        source=f"now:{request.user.pk}:{token}",
    )
    return redirect(made)


@needs("customer.view")
def for_customer(request: AuthedRequest, pk: int) -> HttpResponse:
    """The panel on the customer page: what is planned, what was found last."""
    customer = get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)
    rows = Visit.objects.filter(
        customer=customer
    ).for_list()  # SECURITY: of who is seen
    planned = dress(list(rows.running().order_by("due_on")[:5]), request.user)
    done = rows.filter(state=Visit.State.DONE, covered_by=None).select_related("report")
    sees = set(
        visible(request).filter(customer=customer).values_list("pk", flat=True)[:200]
    )
    past = dress(list(done.order_by("-report__visited_on", "-pk")[:4]), request.user)
    for row in [*planned, *past]:
        row.may_open = row.pk in sees
    context = {
        "customer": customer,
        "planned": planned,
        "past": past,
        "may_request": may(request.user, "visit.request", customer.office),
        "may_log": may(request.user, "visit.log", customer.office),
        "token": uuid.uuid4(),
    }
    return render(request, "delivery/_for_customer.html", context)
