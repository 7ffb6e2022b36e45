"""The list of work orders, their files, and the panel on the customer page."""

from typing import Any

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from complaints import services
from complaints.forms import VIEWS, FileForm, ListFilter
from complaints.models import Attachment
from complaints.order_views import dress, order_page, visible
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import once
from crm.access.scoping import offices_of
from crm.audit import services as audit
from crm.errors import Refused
from crm.files import MAX_BYTES
from crm.web import keyset_page
from customers.models import Customer
from customers.notes import request_correction
from customers.panel_forms import CorrectionForm

NEWEST = ["-opened_at", "-pk"]


@needs("complaint.view")
def complaint_list(request: AuthedRequest) -> HttpResponse:
    """Work orders: what runs by the time left, all by when they came."""
    return list_page(request)


def list_page(
    request: AuthedRequest, status: int = 200, bulk: Any = None
) -> HttpResponse:
    """The list that the address asks for; `bulk` is a hand-over that could not be."""
    form = ListFilter(request.GET, offices=offices_of(request.user))
    if not form.is_valid():
        raise Http404
    chosen, at = form.cleaned_data, now()
    view = chosen["view"] or "due"
    rows = form.narrow(visible(request).for_list(), request.user, at)
    order = NEWEST if view == "all" else ["due_at", "pk"]
    page = keyset_page(rows, order, request.GET.get("after", ""))
    dress(page.rows, request.user, at)
    context = {
        "page": page,
        "chosen": chosen,
        "view": view,
        "views": VIEWS,
        "form": form,
        "kept": _kept(form),
        "may_create": may(request.user, "complaint.create"),
        "month": localdate(),
        "bulk": bulk,
        "may_bulk": may(request.user, "complaint.bulk"),
    }
    return render(request, "complaints/list.html", context, status=status)


def _kept(form: ListFilter) -> list[tuple[str, str, str]]:
    """What a report narrowed the list by: (name, value, words)."""
    found = []
    for name in (
        "channel",
        "handled",
        "agent",
        "cause",
        "mark",
        "term",
        "since",
        "until",
    ):
        value = form.cleaned_data[name]
        words = dict(getattr(form.fields[name], "choices", [])).get(value, value)
        if value:
            found.append((name, str(value), str(words)))
    return found


@require_POST
@needs("complaint.attach")
def attach(request: AuthedRequest, ref: str) -> HttpResponse:
    complaint = get_object_or_404(visible(request).for_list(), ref=ref)
    form = FileForm(request.POST, request.FILES)
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            data = file.read(MAX_BYTES + 1)
            services.attach_file(complaint, by=request.user, name=file.name, data=data)
            return redirect(complaint)
        except Refused as refusal:
            form.add_error("file", str(refusal))
    return order_page(request, complaint, 422, file=form)


@require_POST
@needs("customer.correct")
def correct(request: AuthedRequest, ref: str) -> HttpResponse:
    """Whoever works on a complaint may say that its customer's record is wrong."""
    rows = visible(request).for_list().exclude(customer=None)
    complaint = get_object_or_404(rows, ref=ref)
    form = CorrectionForm(request.POST)
    if not form.is_valid():
        return order_page(request, complaint, 422, correction=form)
    office = request.user.postings_now[0].office

    def act() -> str:
        typed = form.cleaned_data
        request_correction(complaint.customer, by=request.user, office=office, **typed)
        return complaint.get_absolute_url()

    address = once(request, act)
    messages.success(request, _("Your request is on its way to the call centre."))
    return redirect(address)


@needs("complaint.view")
def download(request: AuthedRequest, pk: str) -> HttpResponse:
    """A file to whoever may see its complaint: never shown in the page, never stored."""
    files = Attachment.objects.filter(complaint__in=visible(request))
    attachment = get_object_or_404(files, pk=pk)
    audit.record(request.user, "complaint.file_read", attachment.complaint)
    answer = FileResponse(
        attachment.path.open("rb"),
        as_attachment=True,
        filename=attachment.name,
        content_type=attachment.content_type,
    )
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return answer


@needs("complaint.view")
def for_customer(request: AuthedRequest, pk: int) -> HttpResponse:
    """The panel on the customer page."""
    customer = get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)
    rows = list(
        visible(request).for_list().filter(customer=customer).order_by(*NEWEST)[:5]
    )
    dress(rows, request.user, now())
    context = {"rows": rows, "empty": _("No complaint so far.")}
    return render(request, "complaints/_for_customer.html", context)


@needs("complaint.view")
def naming(request: AuthedRequest) -> HttpResponse:
    """Work orders that name one of these references (?ref=…&ref=…): a fragment."""
    refs = [ref.upper() for ref in request.GET.getlist("ref") if ref][:20]
    rows = visible(request).for_list().filter(item_no__in=refs).order_by(*NEWEST)[:10]
    return render(request, "complaints/_naming.html", {"rows": rows})
