"""Pages of hand-overs."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.access.capabilities import AuthedRequest, may, needs, require
from crm.access.models import User
from crm.access.once import once
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.web import keyset_page
from customers.models import Customer
from delivery import handovers as service
from delivery.models import Handover
from delivery.visit_forms import PersonField
from delivery.visit_views import visitors_under


class StartForm(forms.Form):
    giver = PersonField(label=gettext_lazy("Hands over"), queryset=User.objects.none())
    taker = PersonField(label=gettext_lazy("Takes over"), queryset=User.objects.none())
    office = forms.ModelChoiceField(
        label=gettext_lazy("Customers of"), queryset=None, to_field_name="code"
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), min_length=2, max_length=200)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offices = offices_of(user, "supervisor")
        # SECURITY: managers of customers in the supervisor's own offices; no customer shows.
        owning = Customer.objects.filter(office__in=offices).exclude(manager=None)
        givers = User.objects.filter(pk__in=owning.values("manager"))
        self.fields["giver"].queryset = givers.order_by("full_name")
        self.fields["taker"].queryset = visitors_under(user)
        self.fields["office"].queryset = offices


@needs("handover.view")
def handovers(request: AuthedRequest) -> HttpResponse:
    """Those of one's offices and one's own; supervisors begin one."""
    is_boss = may(request.user, "handover.start")
    sent = request.POST if request.method == "POST" else None
    if sent is not None:
        require(request.user, "handover.start")
    form = StartForm(sent, user=request.user) if is_boss else None
    if sent is not None and form is not None and form.is_valid():
        typed = form.cleaned_data

        def act() -> str:
            return service.start(by=request.user, **typed).get_absolute_url()

        try:
            return redirect(once(request, act))
        except Refused as refusal:
            field = "taker" if refusal.code == "handover.taker" else "giver"
            form.add_error(field, str(refusal))
    rows = Handover.objects.visible_to(request.user)
    rows = rows.select_related("giver", "taker", "office", "made_by")
    page = keyset_page(rows, ["-made_at", "-pk"], request.GET.get("after", ""))
    context = {"page": page, "form": form}
    status = 422 if form is not None and form.errors else 200
    return render(request, "delivery/handovers.html", context, status=status)


@needs("handover.view")
def handover(request: AuthedRequest, pk: int) -> HttpResponse:
    """The checklist with what each point is about; ticked, signed, cancelled here."""
    rows = Handover.objects.visible_to(request.user)
    rows = rows.select_related("giver", "taker", "office", "made_by", "giver_signed_by")
    row = get_object_or_404(rows, pk=pk)
    if request.method == "POST":
        try:
            messages.success(request, _act(request, row))
        except Refused as refusal:
            messages.error(request, str(refusal))
        return redirect(row)
    counts = service.contents(row) if row.is_open else {}
    items = [
        (value, label, value in row.checked, counts.get(value))
        for value, label in Handover.Item.choices
    ]
    context = {
        "row": row,
        "items": items,
        "size": service.portfolio(row).count() if row.is_open else row.customers,
        "is_ready": len(row.checked) == len(Handover.Item),
        "may_start": may(request.user, "handover.start", row.office),
    }
    return render(request, "delivery/handover.html", context)


def _act(request: AuthedRequest, row: Handover) -> str:
    """Do what was asked; what to say of it."""
    if "sign" in request.POST:
        done = service.sign(row, by=request.user)
        if done.taker_signed_at is None:
            return _("Signed. %(who)s signs next.") % {"who": done.taker}
        facts = {"n": done.customers, "who": done.taker}
        return _("%(n)s customers have gone to %(who)s.") % facts
    if "cancel" in request.POST:
        service.cancel(row, by=request.user)
        return _("The hand-over is cancelled.")
    service.check(row, by=request.user, items=request.POST.getlist("item"))
    return _("Saved.")
