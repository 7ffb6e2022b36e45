"""Pages of greetings: what comes, and the rules of supervisors."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from crm.access.capabilities import AuthedRequest, may, needs, require
from crm.access.models import User
from crm.access.once import once
from crm.access.scoping import offices_of
from crm.errors import Refused
from delivery import care as service
from delivery.models import CareRule
from delivery.visit_forms import bind_office
from delivery.visit_rules import grade_names, may_keep


class CareForm(forms.ModelForm):
    class Meta:
        model = CareRule
        fields = [
            *("kind", "name", "name_zh", "office", "calendar", "month", "day"),
            *("grades", "way", "ahead", "text", "is_on"),
        ]

    def __init__(self, *args: Any, offices: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        bind_office(self, offices, user)
        self.fields["grades"] = forms.MultipleChoiceField(
            label=_("grades"),
            choices=sorted(grade_names().items()),
            widget=forms.CheckboxSelectMultiple,
            required=False,
            help_text=_("None chosen: all customers."),
        )


def _saved(request: AuthedRequest, form: CareForm) -> bool:
    def act() -> str:
        service.save_rule(form.save(commit=False), by=request.user)
        return reverse("delivery:care")

    try:
        once(request, act)
    except Refused as refusal:
        form.add_error("day", str(refusal))
        return False
    messages.success(request, _("Saved. It holds from tonight."))
    return True


@needs("visit.view")
def care(request: AuthedRequest) -> HttpResponse:
    """Days that come, with how many of one's customers; the rules behind them."""
    is_boss = may(request.user, "visit.rule")
    offices = offices_of(request.user, "supervisor")
    sent = request.POST if request.method == "POST" else None
    if sent is not None:
        require(request.user, "visit.rule")
    form = CareForm(sent, offices=offices, user=request.user) if is_boss else None
    if form is not None and form.is_valid() and _saved(request, form):
        return redirect("delivery:care")
    names = grade_names()
    rules = list(CareRule.objects.visible_to(request.user).select_related("office"))
    for row in rules:
        row.may_edit = is_boss and may_keep(request.user, row)
        row.grades_said = [names.get(code, code) for code in row.grades]
    context = {
        "rules": rules,
        "coming": service.coming(request.user, rules),
        "form": form,
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "delivery/care.html", context, status=status)


@needs("visit.rule")
def rule(request: AuthedRequest, pk: int) -> HttpResponse:
    rows = CareRule.objects.visible_to(request.user).select_related("office")
    row = get_object_or_404(rows, pk=pk)
    offices = offices_of(request.user, "supervisor")
    sent = request.POST if request.method == "POST" else None
    form = CareForm(sent, instance=row, offices=offices, user=request.user)
    if form.is_valid() and _saved(request, form):
        return redirect("delivery:care")
    context = {"rule": row, "form": form}
    status = 422 if form.errors else 200
    return render(request, "delivery/care_rule.html", context, status=status)
