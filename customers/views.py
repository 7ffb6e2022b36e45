"""Customer list, search, page, and the panels other apps' pages show."""

import re

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_POST

from crm import charts, text
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.models import User
from crm.access.once import once
from crm.audit import services as audit
from crm.errors import Refused
from crm.numbers import mask_id_number
from crm.web import PAGE_ROWS, TOTAL_CAP, keyset_page, part
from customers import notes, services
from customers.forms import FilterForm, RevealForm
from customers.ledger import BUCKETS, ageing_of
from customers.listing import KEPT, filtered, shown_columns
from customers.models import Customer, TimelineEntry
from customers.panel_forms import NoteForm
from customers.panels import PANELS
from customers.queries import months_of
from customers.search import ending_of, find
from customers.service_points import points_of

BY_NAME = ["pinyin", "pk"]
TIMELINE_ROWS = 20
TIMELINE_KINDS = [
    ("", pgettext_lazy("timeline", "All")),
    ("note", pgettext_lazy("timeline", "Notes")),
    ("visit", pgettext_lazy("timeline", "Visits")),
    ("complaint", pgettext_lazy("timeline", "Complaints")),
    ("opportunity", pgettext_lazy("timeline", "Opportunities")),
    ("grade", pgettext_lazy("timeline", "Grades")),
]


@needs("customer.view")
def customer_list(request: AuthedRequest) -> HttpResponse:
    form = FilterForm(request.GET)
    if not form.is_valid():
        raise Http404  # a wrong filter is no filter: never answer it with "all"
    extra = [name for name, _label in shown_columns(request.GET.get("cols", ""))]
    rows = filtered(request.user, form.cleaned_data).for_list(*extra)
    # A list behind a figure of the board is counted whole: it must equal the figure.
    cap = None if form.cleaned_data["group"] else TOTAL_CAP
    page = keyset_page(rows, BY_NAME, request.GET.get("after", ""), cap=cap)
    labels = _dress(page.rows, request.user)
    columns = shown_columns(request.GET.get("cols", ""))
    for row in page.rows if columns else ():
        row.more = [_cell(row, name) for name, _label in columns]
    chosen = form.cleaned_data
    kept = [(name, chosen[name]) for name in KEPT]
    kept = [(name, value) for name, value in kept if value]
    context = {
        "page": page,
        "chosen": chosen,
        "kept": kept,
        "labels": labels,
        "columns": columns,
        "cols": ",".join(name for name, _label in columns),
    }
    return render(request, "customers/list.html", context)


def _cell(row: Customer, name: str) -> str:
    """One extra column of a row: the choice's word, the date, or a dash."""
    value = getattr(row, f"get_{name}_display", lambda: getattr(row, name))()
    return value or "—"


WORK_ORDER = re.compile(r"C-\d{8}-\d{6}")  # its page is complaints', by name


@needs("customer.view")
def search(request: AuthedRequest) -> HttpResponse:
    """Find by any scrap; a single hit opens at once.

    What is typed may be personal: it comes in a POST and waits in the session for the
    page that shows the results, so that it stands in no address and Back works.
    """
    if request.method == "POST":
        query = request.POST.get("q", "").replace("\x00", "").strip()[:60]
        request.session["search"] = ""
        if WORK_ORDER.fullmatch(query.upper()):
            return redirect("complaints:detail", query.upper())
        if ending := ending_of(query):
            try:
                services.search_by_ending(ending, by=request.user)
            except Refused as refusal:
                context = {"query": query, "refusal": str(refusal)}
                return render(request, "customers/search.html", context, status=422)
        request.session["search"] = query
        hits = find(request.user, query)
        audit.record(request.user, "customer.searched", details={"found": len(hits)})
        only = hits[0].customer if len(hits) == 1 else None
        return redirect(only or "customers:search")
    query = request.session.get("search", "")
    hits = find(request.user, query)
    _dress([hit.customer for hit in hits], request.user)
    context = {"hits": hits, "query": query, "limit": PAGE_ROWS, "outside": []}
    if not hits and text.normalise_phone(query):
        context |= _outside(request.user, query)
    return render(request, "customers/search.html", context)


def _outside(user: User, query: str) -> dict:
    """A whole number that nobody in scope has: the minimum card of whoever has it."""
    try:
        found = services.lookup_by_phone(query, by=user)
    except Refused as refusal:
        audit.record(user, refusal.code, result="denied")
        return {"refusal": str(refusal)}
    for customer in found:
        customer.shown_name = customer.name_for(user)
    return {"outside": found}


def _dress(rows: list[Customer], user: User) -> dict[str, dict[str, str]]:
    """Put on each row what it shows; return the labels of segments and kinds.

    COST: addresses and labels once a page: reverse() and get_…_display() are dear in a
    loop.
    """
    base = reverse("customers:list")
    segments = {value: str(label) for value, label in Customer.Segment.choices}
    kinds = {value: str(label) for value, label in Customer.Kind.choices}
    for row in rows:
        row.url, row.shown_name = f"{base}{row.pk}/", row.name_for(user)
        row.shown_manager = row.manager.full_name if row.manager else "—"
        row.shown_segment, row.shown_kind = segments[row.segment], kinds[row.kind]
    return {"segment": segments, "kind": kinds}


@needs("customer.view")
def detail(request: AuthedRequest, pk: int) -> HttpResponse:
    """The frame of the 360° page; its panels load themselves. A merged one leads on."""
    related = ("office", "manager", "assistant", "household", "parent", "grade")
    rows = Customer.objects.visible_to(request.user).select_related(*related)
    customer = rows.filter(pk=pk).first()
    if customer is None:
        survivors = Customer.objects.visible_to(request.user)
        return redirect(get_object_or_404(survivors, merged__pk=pk))
    months = months_of(customer, count=25)
    this, before = months[12:], months[:13]
    chart = charts.columns(
        [f"{m.month:%y-%m}" for m in this],
        [float(m.revenue) for m in this],
        unit=_("yuan"),
        label=_("Revenue by month; the figures follow as a table."),
        before=[float(m.revenue) for m in before]
        if any(m.revenue for m in before)
        else (),
        before_label=_("a year before"),
    )
    user = request.user
    context = {
        "customer": customer,
        "name": customer.name_for(user),
        "aliases": customer.aliases_for(user),
        "id_number": mask_id_number(customer.id_number),
        "facts": _facts(customer),
        "months": list(zip(this, before, strict=True)),
        "year": sum(m.revenue for m in this[1:]),
        "profit": sum(m.revenue - m.cost for m in this[1:]),
        "has_before": any(m.revenue for m in before),
        "has_cost": any(m.cost for m in this),
        "chart": chart,
        "panels": PANELS,
        "may_edit": may(user, "customer.edit", customer.office),
    }
    return render(request, "customers/detail.html", context)


@needs("customer.view")
def summary(request: AuthedRequest, pk: int) -> HttpResponse:
    """Service points, what is owed, and relatives: the frame shows them at once behind."""
    rows = Customer.objects.visible_to(request.user).select_related("office")
    customer = get_object_or_404(rows, pk=pk)
    ageing = ageing_of(customer)
    context = {
        "customer": customer,
        "points": points_of(customer, ageing=ageing),
        "ageing": ageing,
        "buckets": list(zip(BUCKETS, ageing.overdue, strict=True)),
        "relatives": _relatives(customer, request.user),
    }
    return render(request, "customers/_summary.html", context)


def _facts(customer: Customer) -> list[tuple[str, str]]:
    """The filled fields of the record with their labels, in the reader's language."""
    names = (
        "kind segment credit_code nature industry size strategic_class source legal_basis "
        "membership signing_habit service_plan list_state"
    )
    found = []
    for name in names.split():
        field = Customer._meta.get_field(name)
        shown = getattr(
            customer, f"get_{name}_display", lambda n=name: getattr(customer, n)
        )()
        if shown:
            found.append((capfirst(field.verbose_name), shown))
    flags = ("is_headquarters", "is_potential_key_account", "legal_hold")
    marks = [
        str(Customer._meta.get_field(name).verbose_name)
        for name in flags
        if getattr(customer, name)
    ]
    return [*found, (_("Marks"), ", ".join(marks))] if marks else found


def _relatives(customer: Customer, user: User) -> list[tuple[str, Customer]]:
    """Parent, children and household, as far as the reader sees them. One query."""
    rule = Q(parent=customer) | Q(pk=customer.parent_id)
    if customer.household_id:
        rule |= Q(household=customer.household_id)
    rows = Customer.objects.visible_to(user).filter(rule).exclude(pk=customer.pk)
    found = []
    for row in rows.select_related("office").order_by("pinyin")[:30]:
        row.shown_name = row.name_for(user)
        word = _("Household")
        if row.pk == customer.parent_id:
            word = _("Parent")
        elif row.parent_id == customer.pk:
            word = _("Child")
        found.append((word, row))
    return found


@needs("customer.view")
def timeline(request: AuthedRequest, pk: int) -> HttpResponse:
    """One page of the timeline under a filter of kinds; a POST writes a note into it."""
    visible = Customer.objects.visible_to(request.user).select_related("office")
    customer = get_object_or_404(visible, pk=pk)
    form, status = NoteForm(request.POST or None, auto_id="note-%s"), 200
    if request.method == "POST":
        if form.is_valid():
            once(request, lambda: _write_note(request, customer, form))
            form = NoteForm(auto_id="note-%s")
        else:
            status = 422
    kind = request.GET.get("kind", "")
    rows = customer.timeline.select_related("by").order_by("-at", "-pk")
    if kind == "note":
        rows = rows.filter(kind__in=TimelineEntry.Note.values)
    elif kind:
        rows = rows.filter(kind=kind)
    after = request.GET.get("before", "")
    if after.isascii() and after.isdigit() and len(after) < 19:
        rows = _older(rows, customer, int(after))
    entries = list(rows[: TIMELINE_ROWS + 1])
    context = {
        "customer": customer,
        "entries": entries[:TIMELINE_ROWS],
        "next": entries[TIMELINE_ROWS - 1].pk if len(entries) > TIMELINE_ROWS else "",
        "kind": kind,
        "kinds": TIMELINE_KINDS,
        "note_form": form,
        "may_edit": may(request.user, "customer.edit", customer.office),
        "is_more": bool(after) and bool(request.htmx),
    }
    fragment = "customers/_timeline.html"
    return part(request, fragment, "customers/part.html", context, status)


def _older(rows: QuerySet, customer: Customer, pk: int) -> QuerySet:
    """The entries behind one of them: by time, so flat at any depth."""
    last = customer.timeline.filter(pk=pk).values_list("at", flat=True).first()
    if last is None:
        raise Http404
    return rows.filter(Q(at__lt=last) | Q(at=last, pk__lt=pk))


def _write_note(request: AuthedRequest, customer: Customer, form: NoteForm) -> str:
    typed = form.cleaned_data
    notes.add_note(customer, by=request.user, kind=typed["kind"], text=typed["text"])
    return ""


@require_POST
@needs("customer.reveal")
def reveal(request: AuthedRequest, pk: int, field: str, row: int) -> HttpResponse:
    """One clear value, for a reason, audited before it is shown."""
    customer = get_object_or_404(
        Customer.objects.visible_to(request.user).select_related("office"), pk=pk
    )
    if field not in ("phone", "address", "contact", "id_number"):
        raise Http404
    form = RevealForm(request.POST)
    context = {"customer": customer, "field": field, "row": row}
    if form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            context["shown"] = services.reveal(
                customer, field, row, by=request.user, reason=reason
            )
        except ObjectDoesNotExist as missing:
            raise Http404 from missing
        except Refused as refusal:
            context["refusal"] = str(refusal)
            audit.record(request.user, refusal.code, customer, result="denied")
            services.sound_alarm(request.user, customer)
    status = 200 if context.get("shown") else 422
    return render(request, "customers/_revealed.html", context, status=status)
