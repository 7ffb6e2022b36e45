"""An order's list and cards: virtual delivery, print runs, files; addresses to look at."""

from typing import Any

from django.contrib import messages
from django.db.models import Prefetch
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns import addressing, files, printing
from campaigns.card_forms import HandOverForm, JudgeForm, ListForm, RunForm
from campaigns.models import (
    CardOrder,
    CheckedAddress,
    PrintFile,
    PrintRun,
    PrizeCard,
)
from campaigns.order_views import visible
from campaigns.season_views import frame_of
from crm.access.capabilities import AuthedRequest, may, needs, require
from crm.access.once import once
from crm.audit import services as audit
from crm.errors import Refused
from crm.text import mask_name
from crm.web import keyset_page

Kind = PrintFile.Kind


def _order(request: AuthedRequest, pk: int) -> CardOrder:
    return get_object_or_404(visible(request).select_related("recipients"), pk=pk)


def _page(request: AuthedRequest, row: CardOrder, **bound: Any) -> HttpResponse:
    may_keep = row.season.is_open and may(
        request.user, "print.run", row.customer.office
    )
    check = row.checks.select_related("made_by").first()
    forms: dict[str, Any] = {}
    if may_keep and row.state in (CardOrder.State.OFFER, CardOrder.State.CONTRACT):
        forms["list"] = ListForm(None, order=row, user=request.user)
        if row.recipients_id and row.state == CardOrder.State.CONTRACT:
            forms["run"] = RunForm()
    runs = row.runs.select_related("batch", "made_by").prefetch_related(
        Prefetch("files", PrintFile.objects.exclude(state=PrintFile.State.GONE))
    )
    row.shown = row.customer.name_for(request.user)
    context = frame_of(request, row.season, "orders") | {
        "order": row,
        "forms": forms | bound,
        "counts": printing.counts_of(row),
        "check": check,
        "result": addressing.result_of(check) if check else None,
        "runs": runs,
        "kinds": [(kind.value, kind.label) for kind in PrintFile.OF_RUNS],
        "hand_over": HandOverForm() if may_keep else None,
        "may_keep": may_keep,
    }
    return render(
        request, "campaigns/cards.html", context, status=422 if bound else 200
    )


@needs("print.run")
def cards(request: AuthedRequest, pk: int) -> HttpResponse:
    """An order's recipients, what virtual delivery says, its print runs and their files."""
    row = _order(request, pk)
    require(request.user, "print.run", row.customer.office)
    return _page(request, row)


@require_POST
@needs("print.run")
def cards_act(request: AuthedRequest, pk: int, act: str) -> HttpResponse:
    """Choose the list, check it, print."""
    row = _order(request, pk)
    if act == "check":
        return _checked(request, row)
    forms: dict[str, Any] = {
        "list": ListForm(request.POST, order=row, user=request.user),
        "run": RunForm(request.POST),
    }
    if act not in forms:
        raise Http404
    form = forms[act]
    if form.is_valid():
        typed = form.cleaned_data

        def acted() -> str:
            if act == "list":
                addressing.choose_list(row, typed["recipients"], by=request.user)
            else:
                printing.make(row, by=request.user, **typed)
            return f"{row.get_absolute_url()}cards/"

        try:
            return redirect(once(request, acted))
        except Refused as refusal:
            fields = {
                "print.blocked": "without_blocked",
                "print.doubtful": "doubtful_confirmed",
                "print.digits": "first",
                "print.taken": "first",
            }
            name = fields.get(refusal.code)
            form.add_error(name if name in form.fields else None, str(refusal))
    return _page(request, row, **{act: form})


def _checked(request: AuthedRequest, row: CardOrder) -> HttpResponse:
    try:
        addressing.deliver_virtually(row, by=request.user)
        messages.success(request, _("Every address was looked at."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("campaigns:cards", row.pk)


def _run(request: AuthedRequest, pk: int) -> PrintRun:
    rows = PrintRun.objects.filter(order__in=visible(request))
    return get_object_or_404(
        rows.select_related("order__customer__office", "order__season__office"), pk=pk
    )


@needs("print.run")
def run(request: AuthedRequest, pk: int) -> HttpResponse:
    """The cards of a run: codes masked, whom each went to."""
    row = _run(request, pk)
    require(request.user, "print.run", row.order.customer.office)
    rows = PrizeCard.objects.filter(run=row).select_related("recipient")
    page = keyset_page(rows, ["number", "pk"], request.GET.get("after", ""))
    for one in page.rows:
        one.shown = mask_name(one.recipient.name) if one.recipient else "—"
    row.order.shown = row.order.customer.name_for(request.user)
    context = frame_of(request, row.order.season, "orders") | {
        "run": row,
        "page": page,
        "may_reveal": may(request.user, "card.reveal", row.order.customer.office),
    }
    return render(request, "campaigns/run.html", context)


@require_POST
@needs("print.run")
def run_act(request: AuthedRequest, pk: int, act: str) -> HttpResponse:
    """Have files made, or hand the cards over to delivery."""
    row = _run(request, pk)
    form = HandOverForm(request.POST)
    try:
        if act == "file" and request.POST.get("kind") in PrintFile.OF_RUNS:
            files.ask_run(row, request.POST["kind"], by=request.user)
            messages.success(
                request, _("A worker makes it: load the page again shortly.")
            )
        elif act == "hand" and form.is_valid():
            printing.hand_over(row, by=request.user, **form.cleaned_data)
            messages.success(request, _("The cards are a batch of delivery now."))
        elif act == "hand":
            messages.error(request, next(iter(form.errors.values()))[0])
        else:
            raise Http404
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("campaigns:cards", row.order_id)


@require_POST
@needs("card.reveal")
def card_reveal(request: AuthedRequest, pk: int) -> HttpResponse:
    """One whole code; the look is in the trail."""
    seen = PrintRun.objects.filter(order__in=visible(request))
    card = get_object_or_404(
        PrizeCard.objects.filter(run__in=seen).select_related(
            "run__order__customer__office"
        ),
        pk=pk,
    )
    messages.info(request, printing.reveal(card, by=request.user))
    return redirect(card.run)


@needs("season.view")
def print_file(request: AuthedRequest, pk: Any) -> HttpResponse:
    """A file, once; every download is in the trail."""
    rows = PrintFile.objects.select_related(
        "run__order__customer__office", "season__office"
    )
    row = get_object_or_404(rows, pk=pk)
    seen = (
        may(request.user, "print.run", row.run.order.customer.office)
        and visible(request).filter(pk=row.run.order_id).exists()
        if row.run
        else row.asked_by_id == request.user.pk
    )
    if not seen:
        raise Http404
    try:
        content = files.fetch(row, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(row.season)
    is_data = row.kind == Kind.DATA
    answer = HttpResponse(
        content, content_type="text/csv" if is_data else "application/pdf"
    )
    answer.headers["Content-Disposition"] = f'attachment; filename="{row.file_name}"'
    return answer


# --- addresses that a section looks at ---------------------------------------------------------


@needs("address.judge")
def addresses(request: AuthedRequest) -> HttpResponse:
    """Doubtful addresses of one's delivery section, the oldest first."""
    rows = addressing.waiting(request.user).select_related(
        "recipient", "office", "check_run__order__season"
    )
    page = keyset_page(rows, ["checked_at", "pk"], request.GET.get("after", ""))
    for row in page.rows:
        row.shown = mask_name(row.recipient.name)
    if page.rows:
        audit.record(request.user, "address.listed", details={"n": len(page.rows)})
    context = {"page": page, "codes": CheckedAddress.Code.choices}
    return render(request, "campaigns/addresses.html", context)


@require_POST
@needs("address.judge")
def address_judge(request: AuthedRequest, pk: int) -> HttpResponse:
    """The section's word on one address."""
    row = get_object_or_404(CheckedAddress.objects.visible_to(request.user), pk=pk)
    form = JudgeForm(request.POST)
    try:
        if form.is_valid():
            addressing.judge(row, by=request.user, **form.cleaned_data)
            messages.success(request, _("Kept."))
        else:
            messages.error(request, next(iter(form.errors.values()))[0])
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("campaigns:addresses")
