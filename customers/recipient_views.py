"""Recipient lists of customers: versions, cleansing, corrections, hand-back, end."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from crm import text
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.fresh import fresh_password
from crm.access.once import once
from crm.audit import services as audit
from crm.errors import Refused
from crm.transfer import services as transfer
from crm.transfer.forms import small_enough
from crm.web import csv_answer, keyset_page
from customers import exporting, recipients
from customers.models import CustomerAddress, Recipient, RecipientList

STATES = {
    "open": gettext_lazy("In use"),
    "ended": gettext_lazy("Agreement has ended"),
    "closed": gettext_lazy("Destroyed"),
}
VERDICTS = {"delivered": True, "returned": False}


class UploadForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File of the customer"),
        help_text=gettext_lazy(
            "CSV (UTF-8 or GB18030) up to 200 MB, or XLSX up to 20 MB."
        ),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.xlsx"}),
        validators=[small_enough],
    )
    whole = forms.BooleanField(
        label=gettext_lazy("The file is the whole list: who is missing in it leaves"),
        required=False,
        initial=True,
    )


class HandBackForm(forms.Form):
    reason = forms.CharField(label=gettext_lazy("What for"), max_length=200)


class DestroyForm(forms.Form):
    typed = forms.CharField(
        label=gettext_lazy("Write the list's name to confirm"), max_length=60
    )


class RecipientForm(forms.ModelForm):
    name = forms.CharField(label=gettext_lazy("Recipient"), max_length=60)
    address = forms.CharField(label=gettext_lazy("Address"), max_length=200)
    organisation = forms.CharField(
        label=gettext_lazy("Organisation"), max_length=80, required=False
    )
    phone = forms.CharField(label=gettext_lazy("Phone"), max_length=30, required=False)

    class Meta:
        model = Recipient
        fields = ["name", "address", "postcode", "organisation", "phone", "ref"]


def _visible(request: AuthedRequest) -> QuerySet[RecipientList]:
    rows = RecipientList.objects.visible_to(request.user)
    return rows.select_related("customer__office", "contract", "closed_by")


def _list(request: AuthedRequest, pk: int) -> RecipientList:
    return get_object_or_404(_visible(request), pk=pk)


def _recipient(request: AuthedRequest, pk: int) -> Recipient:
    """A present recipient of a list that the user may see."""
    rows = Recipient.objects.filter(
        until=None, recipient_list__in=RecipientList.objects.visible_to(request.user)
    )
    return get_object_or_404(
        rows.select_related("recipient_list__customer__office"), pk=pk
    )


@needs("recipients.keep")
def lists(request: AuthedRequest) -> HttpResponse:
    """The lists that one answers for, newest first."""
    rows = _visible(request)
    state = request.GET.get("state", "open")
    if state not in STATES:
        raise Http404
    if state == "closed":
        rows = rows.exclude(closed_at=None)
    else:
        rows = rows.filter(closed_at=None)
        if state == "ended":
            rows = rows.filter(ends_on__lt=localdate())
    page = keyset_page(rows, ["-made_at", "-pk"], request.GET.get("after", ""))
    versions = recipients.newest_versions(page.rows)
    for row in page.rows:
        row.newest = versions.get(row.pk)
        row.shown_customer = row.customer.name_for(request.user)
    context = {"page": page, "state": state, "states": STATES.items()}
    return render(request, "customers/recipient_lists.html", context)


def _filtered(rows: QuerySet[Recipient], quality: str, flaw: str) -> QuerySet:
    """Recipients of one class, or with one flaw. Http404 for words that are neither."""
    if quality and quality not in CustomerAddress.Quality.values:
        raise Http404
    if flaw and flaw not in Recipient.Flaw.values:
        raise Http404
    rows = rows.filter(quality=quality) if quality else rows
    return rows.filter(flaws__contains=[flaw]) if flaw else rows


def _page(
    request: AuthedRequest, listed: RecipientList, status: int = 200, **bound: Any
) -> HttpResponse:
    quality, flaw = request.GET.get("quality", ""), request.GET.get("flaw", "")
    rows = _filtered(recipients.current(listed), quality, flaw)  # worst first
    page = keyset_page(
        rows, ["-quality", "-pk"], request.GET.get("after", ""), cap=None
    )
    for row in page.rows:
        row.shown_name = text.mask_name(row.name)
        row.shown_address = text.mask_address(row.address)
        row.said = [Recipient.Flaw(one).label for one in row.flaws]
    versions = list(listed.versions.select_related("made_by")[:20])
    newest = next((v for v in versions if not v.is_undone), None)
    counts = newest.by_class if newest else {}
    flaws = newest.flaws if newest else {}
    user, customer = request.user, listed.customer
    context = {
        "list": listed,
        "customer": customer,
        "customer_name": customer.name_for(user),
        "page": page,
        "quality": quality,
        "flaw": flaw,
        "versions": versions,
        "newest": newest,
        "classes": [
            (v, label, counts.get(v, 0)) for v, label in CustomerAddress.Quality.choices
        ],
        "flaws": [
            (v, label, flaws[v])
            for v, label in Recipient.Flaw.choices
            if flaws.get(v, 0)
        ],
        "verdicts": [
            ("delivered", _("Delivered here"), "mail-check"),
            ("returned", _("Mail came back"), "mail-x"),
            ("remove", _("Remove"), "user-minus"),
        ],
        "exports": listed.exports.select_related("requested_by", "decided_by"),
        "upload_form": bound.get("upload") or UploadForm(),
        "hand_form": bound.get("hand") or HandBackForm(),
        "destroy_form": bound.get("destroy") or DestroyForm(),
        "may_keep": listed.is_open and may(user, "recipients.keep", customer.office),
    }
    return render(request, "customers/recipient_list.html", context, status=status)


@needs("recipients.keep")
def recipient_list(request: AuthedRequest, pk: int) -> HttpResponse:
    return _page(request, _list(request, pk))


@require_POST
@needs("recipients.keep")
def upload(request: AuthedRequest, pk: int) -> HttpResponse:
    """A file for the next version; it goes on in the import's mapping and preview."""
    listed = _list(request, pk)
    form = UploadForm(request.POST, request.FILES)
    if form.is_valid() and not listed.is_open:
        form.add_error("file", _("This list was handed back or destroyed."))
    if form.is_valid():
        file = form.cleaned_data["file"]
        options = {"list": listed.pk, "whole": form.cleaned_data["whole"]}
        try:
            batch = transfer.upload(
                file,
                by=request.user,
                office=listed.customer.office,
                target="recipients",
                file_name=file.name,
                options=options,
            )
            return redirect(batch)
        except Refused as refusal:
            form.add_error("file", str(refusal))
    return _page(request, listed, 422, upload=form)


@needs("recipients.keep")
def report(request: AuthedRequest, pk: int) -> HttpResponse:
    """The cleansing report for the customer; it names no person."""
    listed = _list(request, pk)
    office = listed.customer.office
    audit.record(request.user, "recipients.reported", listed, office=office)
    name = f"report-{listed.pk}-v{listed.version}.csv"
    return csv_answer(recipients.report_rows(listed), name)


@require_POST
@needs("recipients.keep")
def hand_back(request: AuthedRequest, pk: int) -> HttpResponse:
    """Ask for the whole list as a file; a second person approves it on the exports page."""
    listed, form = _list(request, pk), HandBackForm(request.POST)
    if form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            exporting.request_hand_back(listed, by=request.user, reason=reason)
            messages.success(request, _("Asked for: a second person approves it."))
            return redirect("customers:exports")
        except Refused as refusal:
            form.add_error("reason", str(refusal))
    return _page(request, listed, 422, hand=form)


@require_POST
@needs("recipients.keep")
@fresh_password
def destroy(request: AuthedRequest, pk: int) -> HttpResponse:
    listed, form = _list(request, pk), DestroyForm(request.POST)
    if form.is_valid() and form.cleaned_data["typed"] != listed.name:
        form.add_error("typed", _("That is not the list's name."))
    if form.is_valid():
        try:
            recipients.destroy(listed, by=request.user)
            messages.success(request, _("Destroyed."))
            return redirect(listed)
        except Refused as refusal:
            form.add_error("typed", str(refusal))
    return _page(request, listed, 422, destroy=form)


@needs("recipients.keep")
def recipient(request: AuthedRequest, pk: int) -> HttpResponse:
    """One recipient in clear, to be put right. Reading it stands in the audit trail."""
    row = _recipient(request, pk)
    listed, status = row.recipient_list, 200
    form = RecipientForm(request.POST or None, instance=row)
    if request.method == "POST":
        if form.is_valid():
            facts = {name: form.cleaned_data[name] for name in recipients.FACTS}
            try:
                return redirect(once(request, lambda: _corrected(request, row, facts)))
            except Refused as refusal:
                beside = "address" if refusal.code == "recipients.twice" else None
                form.add_error(beside, str(refusal))
        status = 422
    else:
        office = listed.customer.office
        details = {"recipient": row.pk}
        audit.record(
            request.user, "recipients.read", listed, office=office, details=details
        )
    said = [Recipient.Flaw(one).label for one in row.flaws]
    context = {"form": form, "row": row, "list": listed, "said": said}
    return render(request, "customers/recipient.html", context, status=status)


def _corrected(request: AuthedRequest, row: Recipient, facts: dict) -> str:
    recipients.correct(row, by=request.user, facts=facts)
    messages.success(request, _("Saved."))
    return row.recipient_list.get_absolute_url()


@require_POST
@needs("recipients.keep")
def verdict(request: AuthedRequest, pk: int, what: str) -> HttpResponse:
    """Delivered, returned or removed, by one button."""
    row = _recipient(request, pk)
    if what not in (*VERDICTS, "remove"):
        raise Http404
    try:
        if what == "remove":
            recipients.remove(row, by=request.user)
        else:
            delivered = VERDICTS[what]
            recipients.report_delivery(row, by=request.user, delivered=delivered)
        messages.success(request, _("Saved."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row.recipient_list)
