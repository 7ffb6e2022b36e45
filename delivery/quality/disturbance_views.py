"""Pages of disturbances: what is running, what is to be decided, what was excused."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import answered, once
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.web import keyset_page
from delivery.models import Disturbance
from delivery.quality import disturbances as service
from delivery.quality.forms import DisturbanceForm

State = Disturbance.State


@needs("disturbance.view")
def disturbances(request: AuthedRequest) -> HttpResponse:
    """All that reach into one's offices, and a form for a new one."""
    if url := answered(request):
        return redirect(url)
    may_note = may(request.user, "disturbance.note")
    sent = request.POST if request.method == "POST" else None
    offices = offices_of(request.user, "supervisor")
    form = DisturbanceForm(sent, offices=offices)
    if sent is not None and may_note and form.is_valid():
        draft = form.save(commit=False)
        url = once(
            request, lambda: service.propose(draft, by=request.user).get_absolute_url()
        )
        messages.success(request, _("Noted. Somebody else decides on it."))
        return redirect(url)
    rows = Disturbance.objects.visible_to(request.user).select_related("office")
    page = keyset_page(rows, ["-first", "-pk"], request.GET.get("after", ""))
    today = localdate()
    for row in page.rows:
        row.is_running = row.state == State.APPROVED and row.first <= today <= row.last
    context = {"page": page, "form": form if may_note else None}
    status = 422 if sent is not None else 200
    return render(request, "quality/disturbances.html", context, status=status)


def _seen(request: AuthedRequest, pk: int) -> Disturbance:
    rows = Disturbance.objects.visible_to(request.user)
    return get_object_or_404(
        rows.select_related("office", "made_by", "decided_by"), pk=pk
    )


@needs("disturbance.view")
def disturbance(request: AuthedRequest, pk: int) -> HttpResponse:
    """One disturbance: its area and time, its decision, its items."""
    row = _seen(request, pk)
    may_decide = (
        may(request.user, "disturbance.decide", row.office)
        and row.made_by_id != request.user.pk
    )
    report = row.report or {"offices": [], "products": []}
    context = {
        "row": row,
        "reports": [
            (_("Excused items by office"), _("Office"), report["offices"]),
            (_("Excused items by product"), _("Product"), report["products"]),
        ],
        "may_decide": may_decide and row.state == State.PROPOSED,
        "may_withdraw": may_decide and row.state == State.APPROVED,
        "entitled": service.entitled_to(row).count()
        if row.sms and row.told is None
        else None,
    }
    return render(request, "quality/disturbance.html", context)


@needs("disturbance.decide")
@require_POST
def step(request: AuthedRequest, pk: int, what: str) -> HttpResponse:
    """Approve, refuse, withdraw."""
    row = _seen(request, pk)
    said = request.POST.get("decision", "").replace("\0", "").strip()[:300]
    try:
        if what in ("approve", "refuse"):
            is_yes = what == "approve"
            service.decide(row, by=request.user, approved=is_yes, decision=said)
            messages.success(
                request,
                _(
                    "Approved. Its items are being excused; load the page again for them."
                )
                if is_yes
                else _("Refused."),
            )
        elif what == "withdraw":
            service.withdraw(row, by=request.user)
        else:
            raise Http404
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row)
