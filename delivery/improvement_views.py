"""Pages of improvements: what weak items of surveys and findings led to."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.errors import Refused
from crm.web import keyset_page
from delivery import improving
from delivery.models import Improvement
from delivery.round_forms import WordsForm


@needs("improvement.see")
def improvements(request: AuthedRequest) -> HttpResponse:
    """What is to be improved, by whom, and whether it helped."""
    rows = Improvement.objects.visible_to(request.user)
    rows = rows.select_related(
        *("round", "question__version", "finding__inspection", "office", "owner")
    )
    page = keyset_page(rows, ["due_on", "pk"], request.GET.get("after", ""))
    found = improving.verdicts_since(page.rows)
    for row in page.rows:
        over = may(request.user, "improvement.manage", row.office)
        row.may_do = row.done_at is None and (row.owner_id == request.user.pk or over)
        row.may_judge = bool(
            row.done_at
            and row.is_effective is None
            and over
            and request.user.pk not in (row.owner_id, row.done_by_id)
        )
        row.since = improving.score_since(row, request.user) if row.done_at else None
        row.found = found.get(row.pk)
    context = {"page": page, "today": localdate()}
    return render(request, "delivery/improvements.html", context)


@require_POST
@needs("improvement.see")
def improvement_step(request: AuthedRequest, pk: int, what: str) -> HttpResponse:
    row = get_object_or_404(Improvement.objects.visible_to(request.user), pk=pk)
    form = WordsForm(request.POST)
    if what not in ("do", "judge"):
        raise Http404
    if not form.is_valid():
        messages.error(request, _("Write a few words."))
        return redirect("delivery:improvements")
    words = form.cleaned_data["words"]
    try:
        if what == "do":
            improving.finish(row, by=request.user, words=words)
        else:
            helps = form.cleaned_data["helps"] == "yes"
            improving.judge(row, by=request.user, helps=helps, words=words)
        messages.success(request, _("Done."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("delivery:improvements")
