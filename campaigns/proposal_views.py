"""Database-marketing proposals: a document for one customer in a season (R-CAM-30)."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from campaigns.forms import ProposalForm
from campaigns.models import SeasonDocument
from campaigns.plan_views import versions_of, written
from campaigns.season_views import frame_of, season_of
from crm.access.capabilities import AuthedRequest, needs
from crm.access.once import answered, once
from crm.errors import Refused
from customers.models import Customer


@needs("member.note")
def proposal(
    request: AuthedRequest, code: str, pk: int, document: int = 0
) -> HttpResponse:
    """Write, revise, issue a proposal for a customer that one keeps."""
    season = season_of(request, code)
    customers = Customer.objects.visible_to(request.user).select_related("office")
    customer = get_object_or_404(
        customers.filter(office__path__startswith=season.office.path), pk=pk
    )
    if url := answered(request):
        return redirect(url)
    rows = season.documents.filter(customer=customer)
    row = get_object_or_404(rows, pk=document) if document else None
    sent = request.POST if request.method == "POST" else None
    blank = SeasonDocument(season=season, customer=customer, kind="proposal")
    form = ProposalForm(sent, instance=row or blank)
    if sent is not None and form.is_valid():
        draft = form.save(commit=False)

        def act() -> str:
            kept = written(request, draft)
            return reverse("campaigns:proposal", args=[code, customer.pk, kept.pk])

        try:
            return redirect(once(request, act))
        except Refused as refusal:
            form.add_error(None, str(refusal))
    shown = rows.filter(pk=document).first()
    is_newest = shown is None or not hasattr(shown, "replaced_by")
    customer.shown = customer.name_for(request.user)
    context = frame_of(request, season, "board") | {
        "document": shown,
        "customer": customer,
        "form": form if season.is_open and is_newest else None,
        "versions": versions_of(shown),
    }
    status = 422 if form.errors else 200
    return render(request, "campaigns/document.html", context, status=status)
