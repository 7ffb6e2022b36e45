"""Pages of orders, of the stages that wait, and of products."""

from typing import Any

from django.contrib import messages
from django.db.models import Exists, OuterRef, Sum
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns import orders as service
from campaigns import pipeline, products
from campaigns.models import (
    CardOrder,
    CardProduct,
    OrderStage,
    PriceBand,
    ProductionError,
    Requirement,
)
from campaigns.order_forms import (
    BandFormSet,
    ContractForm,
    ErrorForm,
    OfferForm,
    OrderFilter,
    PiecesForm,
    ProductForm,
    ReasonForm,
    RequirementForm,
    StageForm,
)
from campaigns.season_views import frame_of, season_of
from crm.access.capabilities import AuthedRequest, may, may_everywhere, needs
from crm.access.once import answered, once
from crm.errors import Refused
from crm.web import keyset_page
from customers.models import Customer
from delivery.visit_forms import CustomerOnly

State = CardOrder.State


def visible(request: AuthedRequest) -> Any:
    rows = CardOrder.objects.visible_to(request.user)
    return rows.select_related("season__office", "customer__office", "product")


@needs("order.view")
def order_list(request: AuthedRequest, code: str) -> HttpResponse:
    """A season's orders that the reader sees, newest first; the stages they stand in."""
    season = season_of(request, code)
    form = OrderFilter(request.GET)
    if not form.is_valid():
        raise Http404
    rows = visible(request).filter(season=season)
    mine = rows
    which, stage = form.cleaned_data["which"], form.cleaned_data["stage"]
    waits = pipeline.waiting().filter(order=OuterRef("pk"))
    if which == "late":
        rows = rows.filter(Exists(waits.filter(due_on__lt=localdate())))
    elif which:
        rows = rows.filter(state=which)
    if stage:
        rows = rows.filter(Exists(waits.filter(stage=stage)), state=State.CONTRACT)
    page = keyset_page(rows, ["-ordered_on", "-pk"], request.GET.get("after", ""))
    for row in page.rows:
        row.shown = row.customer.name_for(request.user)
    stages = pipeline.stage_counts(mine)
    context = frame_of(request, season, "orders") | {
        "page": page,
        "which": which,
        "chosen_stage": stage,
        "filters": OrderFilter.WHICH,
        "stages": [one for one in stages if one.orders],
        "sums": mine.valid()
        .order_by()
        .aggregate(pieces=Sum("pieces", default=0), revenue=Sum("revenue", default=0)),
        "fulfilment": service.fulfilment(mine),
        "may_keep": season.is_open and may(request.user, "order.keep"),
    }
    return render(request, "campaigns/orders.html", context)


@needs("order.keep")
def order_new(request: AuthedRequest, code: str) -> HttpResponse:
    """An offer for a customer; ?customer=… names it."""
    season = season_of(request, code)
    if url := answered(request):
        return redirect(url)
    sent = request.POST if request.method == "POST" else None
    about = CustomerOnly(
        request.GET, customers=Customer.objects.visible_to(request.user)
    )
    known = about.cleaned_data["customer"] if about.is_valid() else None
    form = OfferForm(sent, season=season, by=request.user, about=known)
    if sent is not None and form.is_valid():
        draft = form.save(commit=False)
        try:
            return redirect(
                once(
                    request,
                    lambda: service.offer(draft, by=request.user).get_absolute_url(),
                )
            )
        except Refused as refusal:
            _beside(form, refusal)
    context = frame_of(request, season, "orders") | {
        "form": form,
        "about": known and known.name_for(request.user),
        "prices": products.offered_in(season),
    }
    status = 422 if form.errors else 200
    return render(request, "campaigns/order_new.html", context, status=status)


def _beside(form: Any, refusal: Refused) -> None:
    """A refusal beside the field that it is about."""
    field = refusal.code.rpartition(".")[2]
    name = {"office": "customer", "days": "ordered_on"}.get(field, field)
    form.add_error(name if name in form.fields else None, str(refusal))


def _order(request: AuthedRequest, pk: int) -> CardOrder:
    return get_object_or_404(visible(request), pk=pk)


def _page(request: AuthedRequest, row: CardOrder, **bound: Any) -> HttpResponse:
    user = request.user
    may_keep = row.season.is_open and may(user, "order.keep", row.customer.office)
    is_open = row.state in (State.OFFER, State.CONTRACT)
    stages = list(row.stages.select_related("office", "owner", "done_by"))
    today = localdate()
    held = False
    for stage in stages:
        stage.order = row
        stage.is_late = stage.done_at is None and stage.due_on < today
        stage.may_do = (
            row.state == State.CONTRACT
            and not held
            and stage.done_at is None
            and row.season.is_open
            and pipeline.may_do(user, stage)
        )
        held = held or stage.done_at is None
    forms: dict[str, Any] = {}
    if may_keep and row.state == State.OFFER:
        forms["contract"] = ContractForm(initial={"on": localdate()})
    if may_keep and is_open:
        forms |= {"drop": ReasonForm(), "requirement": RequirementForm()}
    row.shown = row.customer.name_for(user)
    errors = ProductionError.objects.filter(stage__order=row)
    context = frame_of(request, row.season, "orders") | {
        "order": row,
        "stages": stages,
        "errors": errors.select_related("stage", "noted_by"),
        "requirements": row.requirements.select_related("noted_by"),
        "forms": forms | bound,
        "may_keep": may_keep,
        "may_open": may(user, "customer.view"),
        "error_form": bound.get("error") or ErrorForm(),
        "may_error": any(pipeline.may_do(user, stage) for stage in stages[:1])
        and row.season.is_open,
    }
    return render(
        request, "campaigns/order.html", context, status=422 if bound else 200
    )


@needs("order.view")
def order(request: AuthedRequest, pk: int) -> HttpResponse:
    """One order: its terms, demands, stages and errors."""
    return _page(request, _order(request, pk))


@needs("order.keep")
def order_edit(request: AuthedRequest, pk: int) -> HttpResponse:
    """Change an offer."""
    row = _order(request, pk)
    sent = request.POST if request.method == "POST" else None
    form = OfferForm(sent, season=row.season, by=request.user, instance=row)
    if sent is not None and form.is_valid():
        try:
            return redirect(service.offer(form.save(commit=False), by=request.user))
        except Refused as refusal:
            _beside(form, refusal)
    context = frame_of(request, row.season, "orders") | {
        "form": form,
        "order": row,
        "prices": products.offered_in(row.season),
    }
    status = 422 if form.errors else 200
    return render(request, "campaigns/order_new.html", context, status=status)


@require_POST
@needs("order.keep")
def order_act(request: AuthedRequest, pk: int, act: str) -> HttpResponse:
    """Contract, call off, or a demand of the customer."""
    row = _order(request, pk)
    forms: dict[str, Any] = {
        "contract": ContractForm(request.POST),
        "drop": ReasonForm(request.POST),
        "requirement": RequirementForm(request.POST, instance=Requirement(order=row)),
    }
    if act not in forms:
        raise Http404
    form = forms[act]
    if form.is_valid():

        def acted() -> str:
            typed, by = form.cleaned_data, request.user
            if act == "contract":
                service.contract(row, by=by, **typed)
            elif act == "drop":
                service.drop(row, by=by, **typed)
            else:
                service.demand(form.save(commit=False), by=by)
            return row.get_absolute_url()

        try:
            return redirect(once(request, acted))
        except Refused as refusal:
            _beside(form, refusal)
    return _page(request, row, **{act: form})


@require_POST
@needs("order.keep")
def requirement_judge(
    request: AuthedRequest, pk: int, requirement: int
) -> HttpResponse:
    """Whether a demand was met."""
    row = _order(request, pk)
    found = get_object_or_404(row.requirements, pk=requirement)
    try:
        service.judge(found, by=request.user, is_met="met" in request.POST)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row)


# --- stages ------------------------------------------------------------------------------------


@needs("stage.do")
def stage_list(request: AuthedRequest) -> HttpResponse:
    """What waits for the reader or the reader's unit, the latest first."""
    rows = OrderStage.objects.visible_to(request.user).filter(
        pk__in=pipeline.waiting().values("pk")
    )
    if request.GET.get("mine"):
        rows = rows.filter(owner=request.user)
    rows = rows.select_related(
        "order__season", "order__customer__office", "office", "owner"
    )
    page = keyset_page(rows, ["due_on", "pk"], request.GET.get("after", ""))
    today = localdate()
    orders = [row.order_id for row in page.rows]
    seen = set(visible(request).filter(pk__in=orders).values_list("pk", flat=True))
    for row in page.rows:
        row.is_late = row.due_on < today
        row.shown = row.order.customer.name_for(request.user)
        row.opens = row.order_id in seen
        row.may_do = pipeline.may_do(request.user, row)
    context = {"page": page, "is_mine": bool(request.GET.get("mine"))}
    return render(request, "campaigns/stages.html", context)


def _back(request: AuthedRequest, stage: OrderStage) -> HttpResponse:
    """The order's page, or, for a unit that sees no more than its stage, its list."""
    if visible(request).filter(pk=stage.order_id).exists():
        return redirect(stage.order)
    return redirect("campaigns:stages")


def _stage(request: AuthedRequest, pk: int) -> OrderStage:
    rows = OrderStage.objects.visible_to(request.user).select_related(
        "order__season__office", "order__customer__office", "office", "owner"
    )
    return get_object_or_404(rows, pk=pk)


@require_POST
@needs("stage.do")
def stage_act(request: AuthedRequest, pk: int) -> HttpResponse:
    """Begin or finish a stage, with the pieces."""
    row = _stage(request, pk)
    form = PiecesForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give a whole number of pieces."))
        return _back(request, row)
    act = pipeline.begin if "begin" in request.POST else pipeline.finish
    try:
        act(row, by=request.user, pieces=form.cleaned_data["pieces"])
    except Refused as refusal:
        messages.error(request, str(refusal))
    return _back(request, row)


@needs("stage.do")
def stage(request: AuthedRequest, pk: int) -> HttpResponse:
    """Whose a stage is, and until when."""
    row = _stage(request, pk)
    sent = request.POST if request.method == "POST" else None
    form = StageForm(sent, stage=row)
    if sent is not None and form.is_valid():
        try:
            pipeline.give(row, by=request.user, **form.cleaned_data)
            messages.success(request, _("Saved."))
            return _back(request, row)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    context = frame_of(request, row.order.season, "orders") | {
        "form": form,
        "title": row.get_stage_display(),
        "back": row.order.get_absolute_url(),
    }
    status = 422 if form.errors else 200
    return render(request, "campaigns/edit.html", context, status=status)


@require_POST
@needs("stage.do")
def stage_error(request: AuthedRequest, pk: int) -> HttpResponse:
    """An error of a stage; it gets the number that complaints name it by."""
    row = _stage(request, pk)
    form = ErrorForm(request.POST, instance=ProductionError(stage=row))
    if form.is_valid():

        def act() -> str:
            pipeline.note_error(form.save(commit=False), by=request.user)
            return row.order.get_absolute_url()

        try:
            return redirect(once(request, act))
        except Refused as refusal:
            _beside(form, refusal)
    order_seen = visible(request).filter(pk=row.order_id).first()
    if order_seen is None:
        messages.error(request, _("The error was not kept: look at its fields again."))
        return redirect("campaigns:stages")
    return _page(request, order_seen, error=form)


@require_POST
@needs("stage.do")
def error_settle(request: AuthedRequest, pk: int) -> HttpResponse:
    """An error is put right."""
    seen = OrderStage.objects.visible_to(request.user)
    rows = ProductionError.objects.filter(stage__in=seen)
    row = get_object_or_404(rows.select_related("stage__order"), pk=pk)
    try:
        pipeline.settle(row, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return _back(request, row.stage)


# --- products ------------------------------------------------------------------------------------


@needs("order.view")
def product_list(request: AuthedRequest) -> HttpResponse:
    rows = CardProduct.objects.prefetch_related("bands")
    may_edit = may(request.user, "product.edit")
    context = {
        "rows": rows,
        "may_edit": may_edit and may_everywhere(request.user, "product.edit"),
    }
    return render(request, "campaigns/products.html", context)


@needs("product.edit")
def product(request: AuthedRequest, pk: int = 0) -> HttpResponse:
    """A product with its price bands."""
    row = get_object_or_404(CardProduct, pk=pk) if pk else None
    sent = request.POST if request.method == "POST" else None
    form = ProductForm(sent, instance=row)
    kept = PriceBand.objects.filter(product=row) if row else PriceBand.objects.none()
    bands = BandFormSet(sent, queryset=kept)
    if sent is not None and form.is_valid() and bands.is_valid():
        lines = [
            (one["least"], one["step"], one["price"])
            for one in bands.cleaned_data
            if one and not one.get("DELETE")
        ]
        try:
            products.keep(form.save(commit=False), lines, by=request.user)
            messages.success(request, _("Saved."))
            return redirect("campaigns:products")
        except Refused as refusal:
            form.add_error(None, str(refusal))
    context = {"form": form, "bands": bands, "product": row}
    status = 422 if form.errors or any(bands.errors) else 200
    return render(request, "campaigns/product.html", context, status=status)
