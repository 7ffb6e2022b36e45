"""Tools of the customer list: views, columns, exports, actions on all that match."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.fresh import fresh_password
from crm.access.models import User
from crm.access.once import once
from crm.errors import Refused
from crm.jobs.models import Job
from customers import exporting, listing
from customers.forms import ADDRESS, UNVERIFIED, WHOSE
from customers.models import Export, SavedView
from customers.record_forms import managers_of


class ViewForm(forms.ModelForm):
    class Meta:
        model = SavedView
        fields = ["name", "is_shared"]


class ExportForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("What for"),
        max_length=200,
        help_text=gettext_lazy("It stands in the audit trail beside your name."),
    )


class BulkForm(forms.Form):
    action = forms.ChoiceField(
        label=gettext_lazy("Do with all that match"),
        choices=[
            ("check", gettext_lazy("Make a task: check the record")),
            ("assign", gettext_lazy("Set the customer manager")),
            ("assist", gettext_lazy("Set the assistant manager")),
        ],
    )
    person = forms.ModelChoiceField(
        queryset=User.objects.none(),
        required=False,
        label=gettext_lazy("Customer manager"),
    )


def _tools(
    request: AuthedRequest, query: str, status: int = 200, **bound
) -> HttpResponse:
    user = request.user
    chosen = set(listing.QueryDict(query).get("cols", "").split(","))
    columns = [(name, listing.label_of(name), name in chosen) for name in listing.EXTRA]
    bulk = bound.get("bulk") or BulkForm()
    bulk.fields["person"].queryset = _people(user)
    selected = listing.QueryDict(query)
    own = ("cols", "whose", "unverified", "address")
    context = {
        "query": query,
        "kept": [(name, value) for name, value in selected.items() if name not in own],
        "whose": [(v, label, v == selected.get("whose")) for v, label in WHOSE],
        "unverified": [
            (v, label, v == selected.get("unverified")) for v, label in UNVERIFIED
        ],
        "addresses": [(v, label, v == selected.get("address")) for v, label in ADDRESS],
        "sure": bound.get("sure"),
        "views": SavedView.objects.visible_to(user).select_related("owner"),
        "columns": columns,
        "view_form": bound.get("view") or ViewForm(),
        "export_form": bound.get("export") or ExportForm(),
        "bulk_form": bulk,
        "may_bulk": may(user, "customer.assign"),
        "may_export": may(user, "customer.export"),
        "alone_rows": exporting.ALONE_ROWS,
    }
    return render(request, "customers/_tools.html", context, status=status)


def _people(user: User):
    """Customer managers of the user's offices."""
    found = User.objects.none()
    for posting in user.posts("supervisor"):
        found = found | managers_of(posting.office.path)
    return found.distinct()


def _query(request: AuthedRequest) -> str:
    return listing.clean_query(request.POST.get("query", ""))


@needs("customer.view")
def tools(request: AuthedRequest) -> HttpResponse:
    """The toolbox for the list's present selection; loaded when it is opened."""
    return _tools(request, listing.clean_query(request.GET.urlencode()))


@require_POST
@needs("customer.view")
def save_view(request: AuthedRequest) -> HttpResponse:
    form, query = ViewForm(request.POST), _query(request)
    if not form.is_valid():
        return _tools(request, query, 422, view=form)
    shared = form.cleaned_data["is_shared"]
    name = form.cleaned_data["name"]
    listing.save_view(by=request.user, name=name, query=query, shared=shared)
    return _tools(request, query)


@require_POST
@needs("customer.view")
def drop_view(request: AuthedRequest, pk: int) -> HttpResponse:
    own = SavedView.objects.visible_to(request.user).filter(owner=request.user)
    get_object_or_404(own, pk=pk).delete()
    return _tools(request, _query(request))


@require_POST
@needs("customer.export")
def ask_export(request: AuthedRequest) -> HttpResponse:
    form, query = ExportForm(request.POST), _query(request)
    if form.is_valid():
        reason = form.cleaned_data["reason"]

        def act() -> str:
            exporting.request_export(by=request.user, query=query, reason=reason)
            return reverse("customers:exports")

        try:
            answer = HttpResponse(status=204)
            answer.headers["HX-Redirect"] = once(request, act)
            return answer
        except Refused as refusal:
            form.add_error("reason", str(refusal))
    return _tools(request, query, 422, export=form)


@needs("customer.export")
def exports(request: AuthedRequest) -> HttpResponse:
    """My exports, and those that wait for my word."""
    rows = Export.objects.visible_to(request.user).select_related(
        "requested_by", "office", "decided_by", "recipients"
    )
    rows = list(rows[:100])
    for row in rows:
        row.is_mine = row.requested_by_id == request.user.pk
        row.waits_for_me = (
            row.state == Export.State.WAITING
            and not row.is_mine
            and may(request.user, "customer.export_approve", row.office)
        )
        row.can_fetch = (
            row.is_mine
            and row.state == Export.State.READY
            and row.downloads < exporting.DOWNLOADS
        )
    context = {"rows": rows, "most": exporting.DOWNLOADS}
    return render(request, "customers/exports.html", context)


@require_POST
@needs("customer.export_approve")
@fresh_password
def decide_export(request: AuthedRequest, pk: str) -> HttpResponse:
    row = get_object_or_404(Export.objects.visible_to(request.user), pk=pk)
    approve = request.POST.get("approve") == "yes"
    try:
        exporting.decide_export(row, by=request.user, approve=approve)
        messages.success(request, _("Done."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("customers:exports")


@require_POST
@needs("customer.export")
def fetch_export(request: AuthedRequest, pk: str) -> HttpResponse:
    """The file, to its asker only; anybody else's is not there."""
    own = Export.objects.visible_to(request.user).filter(requested_by=request.user)
    row = get_object_or_404(own, pk=pk)
    try:
        content = exporting.fetch_export(row, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("customers:exports")
    answer = HttpResponse("\ufeff" + content, content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = (
        f'attachment; filename="customers-{row.pk}.csv"'
    )
    return answer


@require_POST
@needs("customer.assign")
def bulk(request: AuthedRequest) -> HttpResponse:
    form, query = BulkForm(request.POST), _query(request)
    form.fields["person"].queryset = _people(request.user)
    if form.is_valid():

        def act() -> str:
            job = listing.start_bulk(by=request.user, query=query, **form.cleaned_data)
            return reverse("customers:bulk_job", args=[job.pk])

        try:
            if "sure" not in request.POST:
                reached = listing.count_bulk(
                    by=request.user, query=query, **form.cleaned_data
                )
                return _tools(request, query, bulk=form, sure=reached)
            answer = HttpResponse(status=204)
            answer.headers["HX-Redirect"] = once(request, act)
            return answer
        except Refused as refusal:
            beside = "person" if refusal.code == "bulk.person" else "action"
            form.add_error(beside, str(refusal))
    return _tools(request, query, 422, bulk=form)


@needs("customer.assign")
def bulk_job(request: AuthedRequest, pk: int) -> HttpResponse:
    """How far an action is; its card asks again until it is done."""
    own = Job.objects.filter(kind="customers.bulk", actor=request.user)
    context = {"job": get_object_or_404(own, pk=pk)}
    template = "customers/_bulk.html" if request.htmx else "customers/bulk.html"
    return render(request, template, context)
