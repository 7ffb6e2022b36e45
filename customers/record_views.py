"""Making and changing a customer's record, and the panels of its page."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import once
from crm.audit import services as audit
from crm.errors import Refused
from crm.web import part
from customers import duplicates, records
from customers.models import ContractFile, Customer, Household
from customers.panels import PANELS, Line, Panel
from customers.record_forms import CustomerForm, LikelyForm, NewCustomerForm
from customers.service_points import behaviour_of


def visible(request: AuthedRequest) -> QuerySet[Customer]:
    return Customer.objects.visible_to(request.user)


def _customer(request: AuthedRequest, pk: int) -> Customer:
    return get_object_or_404(visible(request).select_related("office"), pk=pk)


# --- the record -------------------------------------------------------------------------


@needs("customer.create")
def new(request: AuthedRequest) -> HttpResponse:
    form = NewCustomerForm(request.POST or None, by=request.user, may_assign=False)
    context: dict[str, Any] = {"form": form, "groups": _groups(form)}
    status = 200
    if request.method == "POST":
        status = 422
        try:
            if form.is_valid():
                return redirect(once(request, lambda: _create(request, form, context)))
        except MayBeKnown:
            context["ask"] = True
        except Refused as refusal:
            form.add_error("code", str(refusal))
    return render(request, "customers/form.html", context, status=status)


class MayBeKnown(Exception):
    """It may be somebody who is recorded, and nobody has said "all the same"."""


def _ask_first(
    request: AuthedRequest, form: NewCustomerForm, context: dict[str, Any]
) -> None:
    if "anyway" in request.POST:
        return
    wanted = ("name", "kind", "phone", "credit_code", "id_number")
    typed = {name: form.cleaned_data[name] for name in wanted}
    found = duplicates.look_for_likely(by=request.user, **typed)
    context |= _seen(request, found)
    if found:
        raise MayBeKnown


def _seen(request: AuthedRequest, found: list[Customer]) -> dict[str, Any]:
    """Those that the reader may see, and how many there are besides."""
    visible_ids = visible(request).filter(pk__in=[row.pk for row in found])
    seen = set(visible_ids.values_list("pk", flat=True))
    rows = [row for row in found if row.pk in seen]
    for row in rows:
        row.shown_name = row.name_for(request.user)
    return {"rows": rows, "elsewhere": len(found) - len(rows)}


def _create(
    request: AuthedRequest, form: NewCustomerForm, context: dict[str, Any]
) -> str:
    _ask_first(request, form, context)
    typed = dict(form.cleaned_data)
    typed.pop("shown")
    if not may(request.user, "customer.assign", typed["office"]):
        mine = [p.office for p in request.user.posts("manager")]
        if any(office.contains(typed["office"]) for office in mine):
            typed["manager"] = request.user  # else nobody of them would see it again
    _resolve(typed, form, typed["office"])
    customer = records.create_customer(by=request.user, **typed)
    messages.success(request, _("%(code)s is saved.") % {"code": customer.code})
    return customer.get_absolute_url()


def _resolve(wanted: dict[str, Any], form: CustomerForm, office: Any) -> None:
    """Typed household name and parent code become the rows that they name."""
    if "household_name" in wanted:
        name = wanted.pop("household_name")
        wanted["household"] = name and _household(name, office)
        wanted["household"] = wanted["household"] or None
    if "parent_code" in wanted:
        wanted["parent"] = form.parent if wanted.pop("parent_code") else None


def _household(name: str, office: Any) -> Household:
    return Household.objects.get_or_create(name=name, office=office)[0]


@needs("customer.edit")
def edit(request: AuthedRequest, pk: int) -> HttpResponse:
    customer = get_object_or_404(
        visible(request).select_related("office", "household", "parent"), pk=pk
    )
    may_assign = may(request.user, "customer.assign", customer.office)
    form = CustomerForm(
        request.POST or None,
        instance=customer,
        by=request.user,
        may_assign=may_assign,
    )
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                _change(request, customer, form)
                return redirect(customer)
            except Refused as refusal:
                form.add_error(None, str(refusal))
            except records.Clash as clash:
                status = 409
                _explain_clash(form, clash)
    context = {"form": form, "customer": customer, "groups": _groups(form)}
    return render(request, "customers/form.html", context, status=status)


def _change(request: AuthedRequest, customer: Customer, form: CustomerForm) -> None:
    shown = form.cleaned_data["shown"]
    after = form.changed()
    if set(after) & set(form.masked) and shown["version"] != customer.version:
        raise records.Clash(form.masked)
    before = {name: shown.get(name, "") for name in after}
    before |= {name: getattr(customer, name) for name in form.masked if name in after}
    for name in {"household_name", "parent_code"} & set(after):
        before[name.split("_")[0]] = getattr(customer, name.split("_")[0])
    _resolve(after, form, customer.office)
    for name in {"manager", "assistant"} & set(after):
        person = after.pop(name)
        after[f"{name}_id"] = person.pk if person else None
        before[f"{name}_id"] = before.pop(name) or None
    records.change_customer(customer, by=request.user, before=before, after=after)
    messages.success(request, _("The record is saved."))


def _explain_clash(form: CustomerForm, clash: records.Clash) -> None:
    """Beside each field: what somebody else has written there meanwhile."""
    for name, there in clash.fields.items():
        field = name.removesuffix("_id")
        field = {"household": "household_name", "parent": "parent_code"}.get(
            field, field
        )
        if field in form.masked:
            there = "…"
        message = _("Somebody else changed this meanwhile; it is now: %(there)s")
        form.add_error(
            field if field in form.fields else None, message % {"there": there or "—"}
        )


GROUPS = (
    (
        _("Who it is"),
        "office kind name code aliases credit_code id_number phone address",
    ),
    (_("What kind"), "segment nature industry size is_headquarters strategic_class"),
    (_("Who looks after it"), "manager assistant household_name parent_code"),
    (_("Service"), "membership signing_habit service_plan list_state"),
    (_("Where it came from"), "source legal_basis is_potential_key_account"),
)


def _groups(form: CustomerForm) -> list[tuple[str, list]]:
    found = []
    for title, names in GROUPS:
        fields = [form[name] for name in names.split() if name in form.fields]
        if fields:
            found.append((_(title), fields))
    return found


@require_POST
@needs("customer.create")
def likely(request: AuthedRequest) -> HttpResponse:
    """While somebody types: customers that it may be; those of other offices are counted."""
    form = LikelyForm(request.POST)
    form.is_valid()
    typed = {name: form.cleaned_data.get(name, "") for name in form.fields}
    typed["kind"] = typed["kind"] or Customer.Kind.CORPORATE
    try:
        found = duplicates.look_for_likely(by=request.user, **typed)
    except Refused as refusal:
        return render(request, "customers/_likely.html", {"refusal": str(refusal)})
    return render(request, "customers/_likely.html", _seen(request, found))


@require_POST
@needs("customer.edit")
def verify(request: AuthedRequest, pk: int) -> HttpResponse:
    customer = _customer(request, pk)
    records.verify_customer(customer, by=request.user)
    messages.success(request, _("The record counts as checked today."))
    return redirect(customer)


# --- panels -----------------------------------------------------------------------------


def _panel(name: str) -> Panel:
    if name not in PANELS:
        raise Http404
    return PANELS[name]


def _bound(panel_form: Any, request: AuthedRequest, customer: Customer) -> Any:
    data = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    form = panel_form(*data)
    if hasattr(form, "for_customer"):
        form.for_customer(customer, request.user)
    return form


def _show(
    request: AuthedRequest,
    customer: Customer,
    name: str,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    """The panel as a fragment. `form` is the bound one when it has errors."""
    panel = _panel(name)
    may_change = may(request.user, panel.capability, customer.office)
    lines: list[Line] = []
    for row in panel.rows(customer)[: panel.most]:
        line = panel.line(row, request.user)
        if more.get("changing") == line.pk:
            line.change = more["change_form"]
        if line.change:  # several forms on one page: each its own ids
            line.change.auto_id = f"{name}-{line.pk}-%s"
        lines.append(line)
    form = more.get("form")
    if form is None and panel.form:
        form = panel.form()
        if hasattr(form, "for_customer"):
            form.for_customer(customer, request.user)
    if form is not None:
        form.auto_id = f"{name}-%s"
    context = {
        "customer": customer,
        "panel": panel,
        "name": name,
        "lines": lines,
        "form": form if may_change else None,
        "may_change": may_change,
        "refusal": more.get("refusal", ""),
        "open": bool(more.get("form")),
        "changing": more.get("changing"),
    }
    fragment = "customers/_panel.html"
    return part(request, fragment, "customers/part.html", context, status)


@needs("customer.view")
def panel(request: AuthedRequest, pk: int, name: str) -> HttpResponse:
    """GET shows a panel; POST adds a line to it, once for each form that was drawn."""
    customer, found = _customer(request, pk), _panel(name)
    if request.method != "POST":
        return _show(request, customer, name)
    if found.add is None:
        raise Http404
    form = _bound(found.form, request, customer)
    if not form.is_valid():
        return _show(request, customer, name, 422, form=form)
    add = found.add

    def act() -> str:
        add(customer, request.user, form.cleaned_data)
        return ""

    try:
        once(request, act)
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return _show(request, customer, name, 422, form=form)
    return _show(request, customer, name)


@require_POST
@needs("customer.view")
def panel_row(
    request: AuthedRequest, pk: int, name: str, row: int, action: str
) -> HttpResponse:
    """Change one line of a panel: by its form ("change"), or by one of its buttons."""
    customer, found = _customer(request, pk), _panel(name)
    target = get_object_or_404(found.rows(customer), pk=row)
    form = None
    try:
        if action != "change":
            # A button that is not offered any more was pressed twice: show how it stands.
            offered = {one for one, _label in found.line(target, request.user).actions}
            if found.act and action in offered:
                found.act(target, action, request.user)
            return _show(request, customer, name)
        if found.change is None:
            raise Http404
        form = _bound(found.change_form, request, customer)
        if not form.is_valid():
            return _show(request, customer, name, 422, changing=row, change_form=form)
        found.change(target, request.user, form.cleaned_data)
    except Refused as refusal:
        if form is None:
            return _show(request, customer, name, 422, refusal=str(refusal))
        form.add_error(None, str(refusal))
        return _show(request, customer, name, 422, changing=row, change_form=form)
    return _show(request, customer, name)


@needs("customer.view")
def behaviour(request: AuthedRequest, pk: int) -> HttpResponse:
    """Products, weekdays, destinations, payment: what the customer does."""
    context = {"found": behaviour_of(_customer(request, pk))}
    return render(request, "customers/_behaviour.html", context)


@needs("customer.view")
def contract_file(request: AuthedRequest, pk: str) -> HttpResponse:
    """A scan to whoever sees its customer: never shown in the page, never stored."""
    files = ContractFile.objects.filter(contract__customer__in=visible(request))
    file = get_object_or_404(files.select_related("contract__customer"), pk=pk)
    audit.record(request.user, "contract.file_read", file.contract.customer)
    answer = FileResponse(
        file.path.open("rb"),
        as_attachment=True,
        filename=file.name,
        content_type=file.content_type,
    )
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return answer
