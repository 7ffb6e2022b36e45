"""Customer list, search, page, and the panels other apps' pages show."""

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm import charts
from crm.access.capabilities import AuthedRequest, needs
from crm.access.models import User
from crm.access.scoping import offices_of
from crm.audit import services as audit
from crm.errors import Refused
from crm.web import PAGE_ROWS, TOTAL_CAP, keyset_page
from customers import services
from customers.forms import FilterForm, RevealForm
from customers.models import Customer, CustomerPhone
from customers.queries import months_of, retention_group

BY_NAME = ["pinyin", "pk"]


def filtered(request: AuthedRequest, form: FilterForm) -> QuerySet[Customer]:
    """Visible customers under the address's filters; wrong filters are a 404, not "all"."""
    if not form.is_valid():
        raise Http404
    chosen = form.cleaned_data
    rows = Customer.objects.visible_to(request.user)
    for name in ("segment", "kind"):
        if chosen[name]:
            rows = rows.filter(**{name: chosen[name]})
    if chosen["office"]:
        office = get_object_or_404(offices_of(request.user), code=chosen["office"])
        rows = rows.filter(office__path__startswith=office.path)
    if chosen["group"]:
        if not (chosen["base"] and chosen["current"]):
            raise Http404
        rows = retention_group(rows, chosen["group"], chosen["base"], chosen["current"])
    return rows


@needs("customer.view")
def customer_list(request: AuthedRequest) -> HttpResponse:
    form = FilterForm(request.GET)
    rows = filtered(request, form).for_list()
    # A list behind a figure of the board is counted whole: it must equal the figure.
    cap = None if form.cleaned_data["group"] else TOTAL_CAP
    page = keyset_page(rows, BY_NAME, request.GET.get("after", ""), cap=cap)
    labels = _dress(page.rows, request.user)
    chosen = form.cleaned_data
    kept = [(name, chosen[name]) for name in ("office", "group", "base", "current")]
    kept = [(name, value) for name, value in kept if value]
    context = {"page": page, "chosen": chosen, "kept": kept, "labels": labels}
    return render(request, "customers/list.html", context)


@needs("customer.view")
def search(request: AuthedRequest) -> HttpResponse:
    """Find by any scrap; a single hit opens at once.

    What is typed may be personal: it comes in a POST and waits in the session for the
    page that shows the results, so that it stands in no address and Back works.
    """
    if request.method == "POST":
        query = request.POST.get("q", "").replace("\x00", "").strip()[:60]
        request.session["search"] = query
        rows = _found(request, query)
        audit.record(request.user, "customer.searched", details={"found": len(rows)})
        return redirect(rows[0] if len(rows) == 1 else "customers:search")
    query = request.session.get("search", "")
    context = {"rows": _found(request, query), "query": query, "limit": PAGE_ROWS}
    return render(request, "customers/search.html", context)


def _found(request: AuthedRequest, query: str) -> list[Customer]:
    if not query:
        return []
    found = Customer.objects.visible_to(request.user).matching(query).for_list()
    rows = list(found.order_by(*BY_NAME)[:PAGE_ROWS])
    _dress(rows, request.user)
    return rows


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
    customer = get_object_or_404(
        Customer.objects.visible_to(request.user).select_related(
            "office", "manager", "assistant"
        ),
        pk=pk,
    )
    phones = [
        (phone, phone.number_for(request.user)) for phone in customer.phones.all()
    ]
    months = months_of(customer)
    chart = charts.columns(
        [f"{m.month:%y-%m}" for m in months],
        [float(m.revenue) for m in months],
        unit=_("yuan"),
        label=_("Revenue by month; the figures follow as a table."),
    )
    context = {
        "customer": customer,
        "name": customer.name_for(request.user),
        "is_own": customer.is_of(request.user),
        "phones": phones,
        "months": months,
        "chart": chart,
        "timeline": customer.timeline.order_by("-at")[:20],
        "reveal_form": RevealForm(),
    }
    return render(request, "customers/detail.html", context)


@require_POST
@needs("customer.reveal")
def reveal(request: AuthedRequest, pk: int) -> HttpResponse:
    """One clear number, for a reason, audited before it is shown."""
    visible = Customer.objects.visible_to(request.user)
    phones = CustomerPhone.objects.filter(customer__in=visible).select_related(
        "customer__office"
    )
    phone = get_object_or_404(phones, pk=pk)
    form = RevealForm(request.POST)
    context = {"phone": phone, "shown": "", "refusal": ""}
    if form.is_valid():
        try:
            reason = form.cleaned_data["reason"]
            context["shown"] = services.reveal_phone(
                phone, by=request.user, reason=reason
            )
        except Refused as refusal:
            context["refusal"] = str(refusal)
            audit.record(request.user, refusal.code, phone.customer, result="denied")
    status = 200 if context["shown"] else 422
    return render(request, "customers/_phone.html", context, status=status)
