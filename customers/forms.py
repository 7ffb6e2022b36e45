"""Forms of the customer pages."""

from django import forms
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from customers.queries import GROUPS, Period


class FilterForm(forms.Form):
    """Filters of the list that may stand in an address: nothing personal."""

    segment = forms.ChoiceField(
        label=_("Segment"),
        required=False,
        choices=[("", _("Any")), *Customer.Segment.choices],
    )
    kind = forms.ChoiceField(
        label=_("Kind"),
        required=False,
        choices=[("", _("Any")), *Customer.Kind.choices],
    )
    office = forms.CharField(required=False, widget=forms.HiddenInput)
    group = forms.ChoiceField(
        required=False,
        choices=[(name, name) for name in ("", *GROUPS)],
        widget=forms.HiddenInput,
    )
    base = forms.CharField(required=False, widget=forms.HiddenInput)
    current = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_base(self) -> Period | None:
        return _period(self.cleaned_data["base"])

    def clean_current(self) -> Period | None:
        return _period(self.cleaned_data["current"])


def _period(written: str) -> Period | None:
    if not written:
        return None
    try:
        return Period.parse(written)
    except ValueError as error:
        raise forms.ValidationError(
            _("Write a period as 2026-01-01..2026-06-30.")
        ) from error


class RevealForm(forms.Form):
    reason = forms.ChoiceField(
        choices=[
            ("callback", _("Call the customer back")),
            ("complaint", _("Work on a complaint")),
            ("visit", _("Prepare a visit")),
        ]
    )
