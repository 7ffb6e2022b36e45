"""Pages of card batches: shares of pieces and samples, never of items."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import answered, once
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.web import keyset_page
from delivery.models import CardBatch
from delivery.quality import batches as service
from delivery.quality.forms import SpanForm
from delivery.quality.inspection_forms import BatchForm, ReturnForm, SampleForm

READERS = ("supervisor", "inspector", "manager")
KEEPERS = ("supervisor", "manager")


@needs("batch.view")
def batches(request: AuthedRequest) -> HttpResponse:
    """The batches of an office and some days, what they came to, a form for a new one."""
    if url := answered(request):
        return redirect(url)
    user = request.user
    may_keep = may(user, "batch.keep")
    sent = request.POST if request.method == "POST" else None
    form = BatchForm(sent, offices=offices_of(user, *KEEPERS), by=user)
    if sent is not None and may_keep and form.is_valid():
        draft = form.save(commit=False)
        try:
            url = once(request, lambda: service.keep(draft, by=user).get_absolute_url())
            return redirect(url)
        except Refused as refusal:
            form.add_error("code", str(refusal))
    asked = SpanForm(request.GET, by=user, roles=READERS)
    context: dict[str, Any] = {"form": form if may_keep else None, "asked": asked}
    if not asked.is_valid():
        return render(request, "quality/batches.html", context, status=422)
    rows = CardBatch.objects.visible_to(user).filter(
        office__path__startswith=asked.cleaned_data["office"].path,
        posted_on__range=(asked.span.first, asked.span.last),
    )
    context["figures"] = service.figures(rows)
    context["page"] = keyset_page(
        rows.select_related("office", "customer"),
        ["-posted_on", "-pk"],
        request.GET.get("after", ""),
    )
    status = 422 if sent is not None else 200
    return render(request, "quality/batches.html", context, status=status)


@needs("batch.view")
def batch(request: AuthedRequest, pk: int) -> HttpResponse:
    """One batch: what came back, what samples told, and forms for more of both."""
    rows = CardBatch.objects.visible_to(request.user)
    row = get_object_or_404(rows.select_related("office", "customer", "made_by"), pk=pk)
    if url := answered(request):
        return redirect(url)
    sent = request.POST if request.method == "POST" else None
    is_return = sent is not None and "cause" in sent
    returned = ReturnForm(sent if is_return else None, batch=row)
    sample = SampleForm(None if is_return else sent, batch=row)
    posted: Any = returned if is_return else sample
    if sent is not None and posted.is_valid():
        act = service.came_back if is_return else service.sampled
        draft = posted.save(commit=False)

        def kept() -> str:
            act(row, draft, by=request.user)
            return row.get_absolute_url()

        try:
            url = once(request, kept)
            messages.success(request, _("Kept."))
            return redirect(url)
        except Refused as refusal:
            posted.add_error(None, str(refusal))
    context = {
        "batch": row,
        "figures": service.figures(CardBatch.objects.filter(pk=row.pk)),
        "returns": row.returns.select_related("made_by"),
        "samples": row.samples.select_related("made_by"),
        "returned": returned if may(request.user, "batch.keep", row.office) else None,
        "sample": sample if may(request.user, "batch.sample", row.office) else None,
    }
    status = 422 if sent is not None else 200
    return render(request, "quality/batch.html", context, status=status)
