"""The queue of likely duplicates, merging side by side, and undoing it."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import capfirst
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm import text
from crm.access.capabilities import AuthedRequest, needs
from crm.access.models import User
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.services import enqueue
from crm.numbers import mask_id_number
from crm.web import TOTAL_CAP, keyset_page
from customers import duplicates, merging
from customers.models import Customer, DuplicatePair, Merge

SUREST = ["-score", "-pk"]


def _pairs(request: AuthedRequest) -> Any:
    return duplicates.queue(request.user).select_related(
        "first__office", "second__office", "first__manager", "second__manager"
    )


@needs("customer.merge")
def queue(request: AuthedRequest) -> HttpResponse:
    """Open pairs whose both sides the reader sees; of the others only how many there are."""
    page = keyset_page(_pairs(request), SUREST, request.GET.get("after", ""))
    for pair in page.rows:
        _dress(pair, request.user)
    context = {
        "page": page,
        "elsewhere": duplicates.elsewhere(request.user),
        "most": TOTAL_CAP,
        "sweep": Job.objects.filter(kind="customers.duplicates")
        .order_by("-pk")
        .first(),
        "merges": _recent_merges(request),
    }
    return render(request, "customers/duplicates.html", context)


def _dress(pair: DuplicatePair, user: User) -> None:
    pair.names = [row.name_for(user) for row in (pair.first, pair.second)]
    labels = dict(DuplicatePair.Reason.choices)
    pair.why = [labels[reason] for reason in pair.reasons]


def _recent_merges(request: AuthedRequest) -> list[Merge]:
    visible = Customer.objects.visible_to(request.user)
    rows = Merge.objects.filter(survivor__in=visible, undone_at=None)
    rows = list(rows.select_related("survivor__office", "loser__office", "by")[:10])
    for row in rows:
        row.names = [one.name_for(request.user) for one in (row.loser, row.survivor)]
    return rows


@require_POST
@needs("customer.merge")
def sweep(request: AuthedRequest) -> HttpResponse:
    """Look through the whole base now; a sweep that is under way is enough."""
    if not Job.objects.unfinished().filter(kind="customers.duplicates").exists():
        enqueue("customers.duplicates", by=request.user)
    messages.success(request, _("The search for duplicates is under way."))
    return redirect("customers:duplicates")


@needs("customer.merge")
def pair(request: AuthedRequest, pk: int) -> HttpResponse:
    """Side by side: which record stays, and of each differing field which value."""
    row = get_object_or_404(_pairs(request), pk=pk)
    refusal = ""
    stays = request.POST.get("stays", "") or str(_richer(row).pk)
    survivor, loser = row.first, row.second
    if stays == str(row.second_id):
        survivor, loser = loser, survivor
    fields = merging.differing(survivor, loser)
    if request.method == "POST" and "merge" in request.POST:
        take = {name for name in fields if request.POST.get(f"take-{name}") == "loser"}
        try:
            merging.merge(survivor, loser, by=request.user, take=take)
            messages.success(request, _("The two are one now. You can undo this."))
            return redirect(survivor)
        except Refused as refused:
            refusal = str(refused)
    context = {
        "pair": row,
        "survivor": survivor,
        "loser": loser,
        "columns": [_column(one, request.user) for one in (survivor, loser)],
        "fields": [
            (name, *_both(name, survivor, loser, request.user)) for name in fields
        ],
        "refusal": refusal,
    }
    _dress(row, request.user)
    status = 422 if refusal else 200
    return render(request, "customers/pair.html", context, status=status)


def _richer(row: DuplicatePair) -> Customer:
    """The record that is proposed to stay: the one with a manager, else the older one."""
    if row.second.manager_id and not row.first.manager_id:
        return row.second
    return row.first


def _both(name: str, survivor: Customer, loser: Customer, user: User) -> tuple:
    """(label, survivor's value, loser's value, take the loser's?) for one field."""
    label = capfirst(Customer._meta.get_field(name).verbose_name)
    ours, theirs = _value(name, survivor, user), _value(name, loser, user)
    return label, ours, theirs, not getattr(survivor, name)


def _value(name: str, customer: Customer, user: User) -> Any:
    """One field as the reader may see it."""
    if name == "name":
        return customer.name_for(user)
    if name == "id_number":
        return mask_id_number(customer.id_number) or "—"
    if name == "parent":
        return customer.parent.name_for(user) if customer.parent else "—"
    value = getattr(customer, name)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    shown = getattr(customer, f"get_{name}_display", lambda: value)()
    return shown or "—"


def _column(customer: Customer, user: User) -> dict[str, Any]:
    """What stands above a column: whose record it is, and what hangs on it."""
    phones = [text.mask_phone(phone.number) for phone in customer.phones.all()[:3]]
    return {
        "customer": customer,
        "name": customer.name_for(user),
        "phones": phones,
        "places": [row.text_for(user) for row in customer.addresses.all()[:2]],
        "contracts": customer.contracts.count(),
        "entries": customer.timeline.count(),
    }


@require_POST
@needs("customer.merge")
def different(request: AuthedRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(_pairs(request), pk=pk)
    duplicates.decide_different(row, by=request.user)
    messages.success(request, _("They stay two."))
    return redirect("customers:duplicates")


@require_POST
@needs("customer.merge")
def undo(request: AuthedRequest, pk: int) -> HttpResponse:
    visible = Customer.objects.visible_to(request.user)
    rows = Merge.objects.filter(survivor__in=visible).select_related("survivor")
    row = get_object_or_404(rows, pk=pk)
    try:
        kept = merging.undo(row, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(row.survivor)
    message = _("The two are two again.")
    if kept:
        message += " " + _("Changed since and kept: %(fields)s.") % {
            "fields": ", ".join(kept)
        }
    messages.success(request, message)
    return redirect(row.survivor)


@needs("customer.view")
def of_customer(request: AuthedRequest, pk: int) -> HttpResponse:
    """The panel on the customer page: who it may be too, and what was merged into it."""
    visible = Customer.objects.visible_to(request.user)
    customer = get_object_or_404(visible, pk=pk)
    mine = Q(first=customer) | Q(second=customer)
    everywhere = DuplicatePair.objects.filter(mine, state="open").count()
    pairs = list(_pairs(request).filter(mine)[:5])
    for row in pairs:
        _dress(row, request.user)
        row.other = row.second if row.first_id == customer.pk else row.first
        row.other_name = row.other.name_for(request.user)
    merges = list(
        customer.merges.filter(undone_at=None).select_related("loser__office", "by")
    )
    for row in merges:
        row.loser_name = row.loser.name_for(request.user)
    context = {
        "customer": customer,
        "pairs": pairs,
        "elsewhere": everywhere - len(pairs),
        "merges": merges,
        "today": now(),
    }
    return render(request, "customers/_duplicates.html", context)
