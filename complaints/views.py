"""Complaint list, intake, page, moves, files, and the panel on the customer page."""

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from complaints import services
from complaints.forms import VIEWS, FileForm, ListFilter, MoveForm
from complaints.models import Attachment, Complaint
from crm import text
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.models import User
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


def visible(request: AuthedRequest):
    return Complaint.objects.visible_to(request.user)


@needs("complaint.view")
def complaint_list(request: AuthedRequest) -> HttpResponse:
    """Work orders: what runs by the time left, all by when they came."""
    form = ListFilter(request.GET, offices=offices_of(request.user))
    if not form.is_valid():
        raise Http404
    chosen, at = form.cleaned_data, now()
    view = chosen["view"] or "due"
    rows = form.narrow(visible(request).for_list(), request.user, at)
    order = NEWEST if view == "all" else ["due_at", "pk"]
    page = keyset_page(rows, order, request.GET.get("after", ""))
    _dress(page.rows, request.user, at)
    context = {
        "page": page,
        "chosen": chosen,
        "view": view,
        "views": VIEWS,
        "form": form,
        "may_create": may(request.user, "complaint.create"),
        "month": localdate(),
    }
    return render(request, "complaints/list.html", context)


def _dress(rows: list[Complaint], user: User, at) -> None:
    """What a row shows that depends on the reader and the hour."""
    for row in rows:
        row.shown_customer = row.customer.name_for(user) if row.customer else ""
        row.over, row.soon = row.is_overdue(at), row.is_due_soon(at)


def _page(
    request: AuthedRequest, complaint: Complaint, status: int = 200, **forms
) -> HttpResponse:
    at = now()
    _dress([complaint], request.user, at)
    context = {
        "complaint": complaint,
        "caller_phone": text.mask_phone(complaint.caller_phone),
        "caller_name": text.mask_name(complaint.caller_name),
        "milestones": complaint.milestones.all(),
        "at": at,
        "moves": complaint.moves.select_related("by"),
        "files": complaint.attachments.select_related("added_by"),
        "correction_form": forms.get("correction") or CorrectionForm(),
        "move_form": forms.get("move") or MoveForm(complaint=complaint),
        "file_form": forms.get("file") or FileForm(),
        "may_move": may(request.user, "complaint.move"),
        "sees_customer": complaint.customer_id
        and Customer.objects.visible_to(request.user)
        .filter(pk=complaint.customer_id)
        .exists(),
    }
    return render(request, "complaints/detail.html", context, status=status)


@needs("complaint.view")
def detail(request: AuthedRequest, ref: str) -> HttpResponse:
    return _page(request, get_object_or_404(visible(request).for_list(), ref=ref))


@require_POST
@needs("complaint.move")
def move(request: AuthedRequest, ref: str) -> HttpResponse:
    complaint = get_object_or_404(visible(request).for_list(), ref=ref)
    form = MoveForm(request.POST, complaint=complaint)
    if form.is_valid():
        try:
            services.move_complaint(complaint, by=request.user, **form.cleaned_data)
            return redirect(complaint)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return _page(request, complaint, 422, move=form)


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
    return _page(request, complaint, 422, file=form)


@require_POST
@needs("customer.correct")
def correct(request: AuthedRequest, ref: str) -> HttpResponse:
    """Whoever works on a complaint may say that its customer's record is wrong."""
    rows = visible(request).for_list().exclude(customer=None)
    complaint = get_object_or_404(rows, ref=ref)
    form = CorrectionForm(request.POST)
    if not form.is_valid():
        return _page(request, complaint, 422, correction=form)
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
    _dress(rows, request.user, now())
    context = {"rows": rows, "empty": _("No complaint so far.")}
    return render(request, "complaints/_for_customer.html", context)
