"""One visit: its form while it is open, its report afterwards, what is typed so far."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.models import User
from crm.access.once import once
from crm.errors import Refused
from delivery import visit_log, visits
from delivery.models import Visit, VisitReport
from delivery.visit_forms import DropForm, GiveForm, MissForm, PutForm, ReportForm
from delivery.visit_views import dress, reach, visible, visitors_under


def one(request: AuthedRequest, pk: int) -> Visit:
    rows = visible(request).for_list().select_related("customer__manager", "closed_by")
    return get_object_or_404(rows, pk=pk)


@needs("visit.view")
def visit(request: AuthedRequest, pk: int) -> HttpResponse:
    """One visit: its form while it is open, its report afterwards; posted: it is logged."""
    row = one(request, pk)
    if request.method != "POST":
        return visit_page(request, row)
    form = ReportForm(request.POST, visit=row, user=request.user)
    if not form.is_valid():
        return visit_page(request, row, 422, report=form)

    def act() -> str:
        visit_log.log(row, by=request.user, **form.given())
        return row.get_absolute_url()

    fields = {
        "visit.future": "visited_on",
        "visit.before": "visited_on",
        "visit.next": "next_on",
    }
    try:
        address = once(request, act)
    except Refused as refusal:
        form.add_error(fields.get(refusal.code), str(refusal))
        return visit_page(request, one(request, pk), 422, report=form)
    messages.success(request, _("The visit is logged."))
    return redirect(address)


def visit_page(
    request: AuthedRequest, row: Visit, status: int = 200, **given: Any
) -> HttpResponse:
    """The page, with a form that was refused."""
    user = request.user
    dress([row], user)
    is_open = row.state == Visit.State.OPEN
    is_mine = visits.may_act(user, row)
    draft = visit_log.draft_of(row, user) if is_open and is_mine else None
    report = VisitReport.objects.filter(visit=row).select_related("by").first()
    form = given.get("report")
    if form is None and is_open and is_mine:
        form = _form(row, user, draft.typed if draft else "")
    is_boss = may(user, "visit.give", row.customer.office)
    people = visitors_under(user) if is_boss else User.objects.none()
    reach([row], user)
    met = list(report.met.all()) if report else []
    for contact in met:
        contact.customer = row.customer
    last = visible(request).filter(customer=row.customer, state="done", covered_by=None)
    last = last.exclude(pk=row.pk)
    context = {
        "visit": row,
        "report": report,
        "met": [contact.name_for(user) for contact in met],
        "form": form if is_open or status == 422 else None,
        "draft": draft,
        "token": uuid.uuid4(),
        "photos": list(row.photos.all()),
        "may_act": is_open and is_mine,
        "put_form": given.get("put") or PutForm(initial={"day": row.day, "at": row.at}),
        "miss_form": given.get("miss") or MissForm(),
        "drop_form": given.get("drop") or DropForm(),
        "give_form": given.get("give") or GiveForm(people=people),
        "opened": next(iter(given), ""),
        "is_boss": is_boss,
        "may_drop": is_open and visits.may_drop(user, row),
        "last": last.select_related("report").order_by("-closed_at").first(),
        "may_follow": report and is_mine,
        "may_order": may(user, "complaint.create"),
    }
    return render(request, "delivery/visit.html", context, status=status)


def _form(row: Visit, user: User, typed: str) -> ReportForm:
    """Empty, or as the draft has it: unchecked, so that nothing is red before it is sent."""
    if not typed:
        return ReportForm(visit=row, user=user)
    data = QueryDict(typed)
    lists = ("met", "needs", "shortcomings")
    initial = {n: data.getlist(n) if n in lists else data.get(n) for n in data}
    return ReportForm(initial=initial, visit=row, user=user)


@require_POST
@needs("visit.log")
def keep(request: AuthedRequest, pk: int) -> HttpResponse:
    """What is typed so far."""
    row = one(request, pk)
    typed = request.POST.copy()
    for name in ("csrfmiddlewaretoken", "token"):
        typed.pop(name, None)
    try:
        visit_log.keep(row, by=request.user, typed=typed)
    except Refused as refusal:
        return HttpResponse(str(refusal), status=409, content_type="text/plain")
    return HttpResponse(status=204)
