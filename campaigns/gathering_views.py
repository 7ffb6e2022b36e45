"""Pages of forums, activities and offers."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_POST

from campaigns import gatherings as service
from campaigns.forms import TEXT, CustomerField
from campaigns.models import Gathering, Invitation, Offer
from campaigns.models.gatherings import seen_invitations
from campaigns.season_views import PLANNERS
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import answered, once
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.web import keyset_page
from customers.models import GradeScheme, SavedView
from delivery.quality.forms import bounded
from delivery.visit_forms import DAY


class GatheringForm(forms.ModelForm):
    class Meta:
        model = Gathering
        fields = ["office", "kind", "name", "day", "place", "agenda"]
        widgets = {"day": DAY, "agenda": TEXT}

    def __init__(self, data: Any, *, offices: Any) -> None:
        super().__init__(data)
        self.fields["office"].queryset = offices
        self.fields["office"].empty_label = None
        bounded(self, "day")


class OfferForm(forms.ModelForm):
    class Meta:
        model = Offer
        fields = [
            "office",
            "name",
            "words",
            "grades",
            "segment",
            "first_day",
            "last_day",
        ]
        widgets = {"first_day": DAY, "last_day": DAY}

    def __init__(self, data: Any, *, offices: Any) -> None:
        super().__init__(data, prefix="o")
        self.fields["office"].queryset = offices
        self.fields["office"].empty_label = None
        bounded(self, "first_day", "last_day")

    def clean_grades(self) -> list[str]:
        schemes = GradeScheme.objects.filter(state=GradeScheme.State.ACTIVE)
        rules = schemes.values_list("rules", flat=True)
        known = {grade["code"] for one in rules for grade in one["grades"]}
        asked = self.cleaned_data["grades"]
        if known and (unknown := [code for code in asked if code not in known]):
            message = _("No grade is called %(codes)s; there are %(known)s.")
            values = {"codes": ", ".join(unknown), "known": ", ".join(sorted(known))}
            raise forms.ValidationError(message % values)
        return asked


class InviteForm(forms.Form):
    view = forms.ModelChoiceField(
        label=gettext_lazy("Saved view"),
        queryset=SavedView.objects.none(),
        required=False,
    )
    customer = CustomerField(required=False)

    def __init__(self, data: Any, *, by: Any) -> None:
        super().__init__(data)
        self.fields["view"].queryset = SavedView.objects.visible_to(by)
        self.fields["customer"].by = by

    def clean(self) -> dict:
        found = super().clean() or {}
        if not self.errors and not (found.get("view") or found.get("customer")):
            self.add_error(
                "view", _("Choose a saved view, or give a customer's number.")
            )
        return found


class MinutesForm(forms.Form):
    minutes = forms.CharField(
        label=pgettext_lazy("meeting", "Minutes"),
        max_length=8000,
        widget=forms.Textarea(attrs={"rows": 8}),
    )
    adjusted = forms.CharField(
        label=gettext_lazy("What we change in our care because of it"),
        max_length=600,
        required=False,
        widget=TEXT,
    )


class GuestForm(forms.Form):
    answer = forms.ChoiceField(choices=Invitation.Answer.choices, required=False)
    came = forms.NullBooleanField(required=False)
    said = forms.CharField(max_length=300, required=False)


@needs("gathering.view")
def gathering_list(request: AuthedRequest) -> HttpResponse:
    """Forums and activities, newest first; offers in force; forms for both."""
    if url := answered(request):
        return redirect(url)
    user = request.user
    sent = request.POST if request.method == "POST" else None
    is_offer = sent is not None and "o-name" in sent
    offices = offices_of(user, *PLANNERS)
    form = GatheringForm(None if is_offer else sent, offices=offices)
    offer_form = OfferForm(sent if is_offer else None, offices=offices)
    posted: Any = offer_form if is_offer else form
    may_plan = may(user, "gathering.plan")
    if sent is not None and may_plan and posted.is_valid():
        draft = posted.save(commit=False)

        def act() -> str:
            if is_offer:
                service.keep_offer(draft, by=user)
                return request.path
            return service.keep(draft, by=user).get_absolute_url()

        return redirect(once(request, act))
    rows = Gathering.objects.visible_to(user).select_related("office")
    page = keyset_page(rows, ["-day", "-pk"], request.GET.get("after", ""))
    counts = service.attendance(page.rows)
    for row in page.rows:
        row.counts = counts.get(row.pk, {"invited": 0, "coming": 0, "came": 0})
    offers = Offer.objects.visible_to(user).filter(last_day__gte=localdate())
    context = {
        "page": page,
        "offers": offers.select_related("office"),
        "form": form if may_plan else None,
        "offer_form": offer_form if may_plan else None,
        "today": localdate(),
    }
    status = 422 if posted.errors else 200
    return render(request, "campaigns/gatherings.html", context, status=status)


def _page(request: AuthedRequest, row: Gathering, **bound: Any) -> HttpResponse:
    user = request.user
    may_plan = may(user, "gathering.plan", row.office)
    rows = row.invitations.filter(seen_invitations(user)).select_related(
        "customer__office", "customer__manager"
    )
    page = keyset_page(rows, ["pk", "customer"], request.GET.get("after", ""))
    for one in page.rows:
        one.shown = one.customer.name_for(user)
    is_planned = row.state == Gathering.State.PLANNED
    given: dict[str, Any] = {}
    if may_plan and is_planned:
        given["invite"] = InviteForm(None, by=user)
    if may_plan and row.day <= localdate() and row.state != Gathering.State.DROPPED:
        start = {"minutes": row.minutes, "adjusted": row.adjusted}
        given["minutes"] = MinutesForm(initial=start)
    context = {
        "gathering": row,
        "page": page,
        "counts": service.attendance([row]).get(row.pk, {}),
        "forms": given | bound,
        "may_plan": may_plan and is_planned,
        "may_note": may(user, "gathering.note") and row.state != "dropped",
        "answers": Invitation.Answer.choices,
        "is_past": row.day <= localdate(),
    }
    return render(
        request, "campaigns/gathering.html", context, status=422 if bound else 200
    )


def _seen(request: AuthedRequest, pk: int) -> Gathering:
    rows = Gathering.objects.visible_to(request.user)
    return get_object_or_404(rows.select_related("office", "made_by"), pk=pk)


@needs("gathering.view")
def gathering(request: AuthedRequest, pk: int) -> HttpResponse:
    """One gathering: guests, who came, minutes."""
    return _page(request, _seen(request, pk))


@require_POST
@needs("gathering.plan")
def gathering_act(request: AuthedRequest, pk: int, act: str) -> HttpResponse:
    """Invite, write the minutes, call off."""
    row = _seen(request, pk)
    if act == "off":
        try:
            service.call_off(row, by=request.user)
        except Refused as refusal:
            messages.error(request, str(refusal))
        return redirect(row)
    given: dict[str, Any] = {
        "invite": InviteForm(request.POST, by=request.user),
        "minutes": MinutesForm(request.POST),
    }
    if act not in given:
        raise Http404
    form = given[act]
    if form.is_valid():
        typed = form.cleaned_data
        try:
            if act == "invite":
                number = service.invite(row, by=request.user, **typed)
                messages.success(request, _("%(n)s guests invited.") % {"n": number})
            else:
                service.hold(row, by=request.user, **typed)
                messages.success(request, _("Kept."))
            return redirect(row)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return _page(request, row, **{act: form})


@require_POST
@needs("gathering.note")
def invitation(request: AuthedRequest, pk: int) -> HttpResponse:
    """What a guest answered, whether it came, what it said."""
    rows = Invitation.objects.filter(
        seen_invitations(request.user),
        gathering__in=Gathering.objects.visible_to(request.user),
    )
    row = get_object_or_404(rows.select_related("gathering"), pk=pk)
    form = GuestForm(request.POST)
    try:
        if form.is_valid():
            service.note(row, by=request.user, **form.cleaned_data)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row.gathering)
