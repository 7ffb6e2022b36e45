"""One screen for every call: it rings, opens, is looked up, kept, saved and wrapped up."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import (
    Http404,
    HttpResponse,
    HttpResponseRedirect,
)
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from complaints import calls, clocks, learning, services, texts
from complaints.call_forms import CallForm, SeatForm, WrapUpForm
from complaints.models import Call, Complaint, Seat, TextBlock
from crm import text
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.fields import blind_index
from crm.org.models import Office
from crm.org.queries import calendar_of
from customers import search
from customers.models import Customer
from customers.service_points import points_of
from customers.services import find_by_phone, lookup_by_phone
from delivery.models import Visit

RECENT = timedelta(days=90)
OPEN_SHOWN, PAST_SHOWN, FOUND_SHOWN = 5, 6, 9  # keys 1 to 9 choose


class SeeOther(HttpResponseRedirect):
    """The address with the number is not kept by the browser's history either."""

    status_code = 303


def intake_office(user: User) -> Office:
    """Where `user` takes work orders in: the first of their postings that may."""
    offices = [
        p.office for p in user.postings_now if may(user, "complaint.create", p.office)
    ]
    if not offices:
        raise Http404
    return offices[0]


@needs("complaint.create")
def pop(request: AuthedRequest) -> HttpResponse:
    """/call?from=…&to=…&call_id=…: opens the form under an address without the number."""
    given = {
        name: request.GET.get(name, "")[:64].replace("\0", "")
        for name in ("from", "to", "call_id")
    }
    office = intake_office(request.user)
    facts = {"called": given["to"][:20], "call_id": given["call_id"]}
    try:
        call = calls.open_call(
            by=request.user, office=office, number=given["from"], **facts
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("complaints:list")
    return SeeOther(reverse("call:form", args=[call.token]))


@needs("complaint.create")
def new(request: AuthedRequest) -> HttpResponse:
    """An empty form, or one about a customer; where an agent's day begins."""
    call = calls.open_call(by=request.user, office=intake_office(request.user))
    if pk := request.GET.get("customer", ""):
        visible = Customer.objects.visible_to(request.user)
        about = get_object_or_404(visible, pk=pk if pk.isdecimal() else 0)
        calls.keep_draft(call, {"customer": str(about.pk)})
    if pk := request.GET.get("visit", ""):
        seen = Visit.objects.visible_to(request.user)
        seen = seen.select_related("report", "customer__office")
        visit = get_object_or_404(seen, pk=pk if pk.isdecimal() else 0)
        calls.keep_draft(call, _from_visit(visit, request.user))
    return redirect("call:form", call.token)


def _from_visit(visit: Visit, user: User) -> dict[str, str]:
    """What a visit has found out, under its reference, and the customer's number for who
    may read it."""
    report = getattr(visit, "report", None)
    parts = [report.need_text, report.note] if report else []
    found = "\n".join(part for part in parts if part)
    facts = {"customer": str(visit.customer_id)}
    phones = visit.customer.phones.filter(is_primary=True, is_invalid=False)
    if visit.customer.is_of(user) and (phone := phones.first()):
        facts["phone"] = text.written_phone(phone.number)
    return facts | {"description": f"{visit.ref}: {found}".strip()}


def _call(request: AuthedRequest, token: str) -> Call:
    rows = Call.objects.of(request.user).select_related("office", "complaint")
    return get_object_or_404(rows, token=token)


@needs("complaint.create")
def form(request: AuthedRequest, token: str) -> HttpResponse:
    """The call's screen; posted: a work order, or a reminder on one that is open."""
    call = _call(request, token)
    if request.method != "POST":
        if call.done_at and call.complaint:
            return redirect(call.complaint)
        typed = {"phone": text.written_phone(call.number), **calls.drafted(call)}
        if "check" in request.GET:
            return _screen(request, call, CallForm(typed), status=422)
        return _screen(request, call, CallForm(initial=typed))
    posted = CallForm(request.POST)
    try:
        if ref := request.POST.get("nudge"):
            return _nudge(request, call, ref)
        if posted.is_valid():
            return _save(request, call, posted)
        # The page of errors is read by GET, so that loading it anew loses nothing.
        calls.keep_draft(call, _typed(request))
        return redirect(f"{request.path}?check=1")
    except Refused as refusal:
        posted.is_valid()
        posted.add_error(None, str(refusal))
    return _screen(request, call, posted, status=422)


def _save(request: AuthedRequest, call: Call, posted: CallForm) -> HttpResponse:
    typed = posted.cleaned_data
    complaint = services.create_complaint(
        by=request.user,
        office=call.office or intake_office(request.user),
        description=typed["description"],
        caller_phone=typed["phone"],
        customer=_customer(request.user, typed["phone"], typed["customer"]),
        token=call.token,
        **posted.facts(),
    )
    call.complaint = complaint
    call.save(update_fields=["complaint"])
    messages.success(request, _("%(ref)s is saved.") % {"ref": complaint.ref})
    if "again" in request.POST:
        _finish(request, call, calls.guess(call))
        return redirect("complaints:new")
    if call.call_id:
        calls.set_state(request.user, Seat.State.WRAP_UP)
        return redirect("call:wrap_up", call.token)
    _finish(request, call, calls.guess(call))
    return redirect(complaint)


def _finish(request: AuthedRequest, call: Call, wrap_up: str) -> None:
    calls.finish(call, by=request.user, wrap_up=wrap_up, complaint=call.complaint)


def _nudge(request: AuthedRequest, call: Call, ref: str) -> HttpResponse:
    typed = _typed(request)
    phone, item_no = _looked(call, typed)
    customer = _chosen(request.user, phone, typed["customer"])
    found = calls.open_work(phone, customer, item_no)
    complaint = get_object_or_404(found, ref=ref.replace("\0", ""))
    note = typed["description"][:2000] or _("The customer asks again.")
    calls.remind(call, complaint, by=request.user, note=note)
    said = _("Reminder added to %(ref)s.") % {"ref": complaint.ref}
    messages.success(request, said)
    seen = Complaint.objects.visible_to(request.user).filter(pk=complaint.pk)
    return redirect(complaint if seen.exists() else "complaints:new")


def _typed(request: AuthedRequest) -> dict[str, str]:
    """The form's fields as sent, for the draft."""
    names = CallForm.base_fields
    return {name: request.POST.get(name, "").replace("\0", "") for name in names}


def _looked(call: Call, typed: dict[str, str]) -> tuple[str, str]:
    """Phone and item, as far as this call has asked for them: others tell nothing."""
    phone, item_no = text.normalise_phone(typed["phone"]), item_of(typed)
    is_phone = phone and call.looked_index is not None
    is_item = item_no and call.looked_item is not None
    return (
        phone if is_phone and bytes(call.looked_index) == blind_index(phone) else "",
        item_no if is_item and bytes(call.looked_item) == blind_index(item_no) else "",
    )


def item_of(typed: dict[str, str]) -> str:
    """An item number as it is printed: capitals, no blanks."""
    return "".join(typed["item_no"].split()).upper()


def _chosen(user: User, phone: str, pk: str) -> Customer | None:
    return _customer(user, phone, int(pk) if pk.isdecimal() and len(pk) < 18 else None)


def _customer(user: User, phone: str, pk: int | None) -> Customer | None:
    """The chosen one, or the only one who is known by this number. One that was chosen
    must be known by it or be visible."""
    if pk == 0:  # somebody else
        return None
    found = find_by_phone(phone)
    chosen = next((c for c in found if c.pk == pk), None)
    if chosen is None and pk:
        rows = Customer.objects.visible_to(user).select_related("office", "grade")
        chosen = rows.filter(pk=pk).first()
    if chosen is None and pk is None and len(found) == 1 and found[0].is_known:
        chosen = found[0]
    return chosen


def _screen(
    request: AuthedRequest, call: Call, shown: CallForm, status: int = 200
) -> HttpResponse:
    values = {name: str(shown[name].value() or "") for name in shown.fields}
    rows = Call.objects.of(request.user).drafts().exclude(pk=call.pk)
    others = rows.exclude(draft="", number_index=None)
    context = {
        "call": call,
        "takes_calls": True,
        "blocks": texts.offered(request.user, TextBlock.Use.CALL),
        "form": shown,
        "drafts": [_labelled(row) for row in others.order_by("opened_at")[:8]],
        "my_seat": Seat.objects.filter(user=request.user).first(),
        "seat_form": SeatForm(),
        "states": Seat.State.choices,
        **_look(request.user, call, values),
    }
    return render(request, "complaints/call.html", context, status=status)


def _labelled(call: Call) -> Call:
    """What tells one open form from another."""
    typed = calls.drafted(call)
    number = text.normalise_phone(typed.get("phone", "")) or call.number
    words = typed.get("description", "")[:6]
    call.label = words or (text.mask_phone(number) if number else "")
    return call


@require_POST
@needs("complaint.create")
def look(request: AuthedRequest, token: str) -> HttpResponse:
    """What is known after each field: who calls, what is open, when it would be due. The
    draft is kept on the way."""
    call = _call(request, token)
    typed = _typed(request)
    with suppress(Refused):
        calls.keep_draft(call, typed)
    context = {"call": call, "swap": True, **_look(request.user, call, typed)}
    return render(request, "complaints/_call_look.html", context)


@require_POST
@needs("complaint.create")
def keep(request: AuthedRequest, token: str) -> HttpResponse:
    """The draft, every few seconds while somebody types."""
    try:
        calls.keep_draft(_call(request, token), _typed(request))
    except Refused:
        return HttpResponse(status=413)
    return HttpResponse(status=204)


def _look(user: User, call: Call, typed: dict[str, str]) -> dict[str, Any]:
    context = _caller(user, call, typed)
    customer = context["customer"]
    try:
        if item_no := item_of(typed):
            calls.look_item(call, item_no, by=user)
    except Refused as refusal:
        context["refusal"] = str(refusal)
    phone, item_no = _looked(call, typed)
    if item_no and customer is None and not context.get("is_other"):
        context["senders"] = _senders(user, item_no)
    open_work = calls.open_work(phone, customer, item_no)
    context["open_work"] = rows = list(open_work[:OPEN_SHOWN])
    at = now()
    for row in rows:
        row.over, row.soon = row.is_overdue(at), row.is_due_soon(at)
    if customer:
        past = Complaint.objects.filter(customer=customer, opened_at__gte=at - RECENT)
        context["recent"] = past.count()
        seen = Customer.objects.visible_to(user).filter(pk=customer.pk).exists()
        if seen:
            context["past"] = list(customer.timeline.order_by("-at")[:PAST_SHOWN])
    context["cases"] = learning.alike(user, typed["description"])
    return context | _preview(call, typed, customer)


def _senders(user: User, item_no: str) -> list[Customer]:
    """Whose waybill it is, among the customers that `user` sees anyway: to be chosen."""
    hits = search.find(user, item_no, OPEN_SHOWN)
    return [
        _dressed(user, hit.customer) for hit in hits if hit.reason is search.WAYBILL
    ]


def _caller(user: User, call: Call, typed: dict[str, str]) -> dict[str, Any]:
    """Who has this number, each with the reason. A number is asked for once a call, so
    that typing on costs nothing of the hour's allowance."""
    phone = text.normalise_phone(typed["phone"])
    pk = typed["customer"]
    if not phone:
        chosen = _chosen(user, "", pk) if pk else None
        return {"customer": _dressed(user, chosen), "found": []}
    index = blind_index(phone)
    try:
        if call.looked_index is not None and bytes(call.looked_index) == index:
            found = find_by_phone(phone)
        else:
            found = lookup_by_phone(phone, by=user)
            call.looked_index = index
            call.save(update_fields=["looked_index"])
    except Refused as refusal:
        audit.record(user, refusal.code, result="denied")
        return {"customer": None, "found": [], "refusal": str(refusal)}
    chosen = _chosen(user, phone, pk)
    for customer in found:
        _dressed(user, customer)
    if chosen and chosen.pk not in {customer.pk for customer in found}:
        _dressed(user, chosen)
    match = next((c for c in found if chosen and c.pk == chosen.pk), chosen)
    return {
        "is_other": pk == "0",
        "customer": match,
        "found": found,
        "looked_up": True,
        "masked": text.mask_phone(phone),
    }


def _dressed(user: User, customer: Customer | None) -> Customer | None:
    if customer is not None:
        customer.shown_name = customer.name_for(user)
        customer.points = points_of(customer)
        customer.is_known = getattr(customer, "is_known", True)
    return customer


def _preview(
    call: Call, typed: dict[str, str], customer: Customer | None
) -> dict[str, Any]:
    """When it would be due and who would handle it, before anything is saved."""
    posted = CallForm({**typed, "phone": "13800138000", "description": "12345"})
    posted.is_valid()
    office = call.office
    if office is None or "kind" not in posted.cleaned_data:
        return {}
    facts = {
        name: value
        for name, value in posted.cleaned_data.items()
        if name in ("kind", "subcategory", "channel", "scope", "severity") and value
    }
    draft = services.drafted(office, customer, **facts)
    calendar = calendar_of(draft.handling_office)
    return {
        "planned": clocks.planned(draft, calendar, now()),
        "handled_by": draft.handling_office,
        "category": facts.get("subcategory"),
        "draft": draft,
    }


@require_POST
@needs("customer.lookup")
def find(request: AuthedRequest, token: str) -> HttpResponse:
    """A customer by name, pinyin, code, contract or waybill, when the number tells nothing."""
    call = _call(request, token)
    query = request.POST.get("q", "")[:60].replace("\0", "")
    hits = search.find(request.user, query, FOUND_SHOWN) if query.strip() else []
    for hit in hits:
        hit.customer.shown_name = hit.customer.name_for(request.user)
    context = {"call": call, "hits": hits, "asked": bool(query.strip())}
    return render(request, "complaints/_call_found.html", context)


@needs("complaint.create")
def wrap_up(request: AuthedRequest, token: str) -> HttpResponse:
    """How the call ended: one digit, or Enter for what is guessed."""
    call = _call(request, token)
    posted = WrapUpForm(request.POST or None, initial={"wrap_up": calls.guess(call)})
    if request.method == "POST" and posted.is_valid():
        _finish(request, call, posted.cleaned_data["wrap_up"])
        return redirect("complaints:new")
    context = {"call": call, "form": posted, "takes_calls": True}
    return render(
        request,
        "complaints/wrap_up.html",
        context,
        status=422 if posted.errors else 200,
    )
