"""Forms of the customer pages."""

from django import forms
from django.utils.translation import gettext_lazy as _

from customers.models import Customer, CustomerAddress, choices
from customers.queries import GROUPS, Period

WHOSE = [("mine", _("My portfolio")), ("nobody", _("Without a manager"))]
ADDRESS = [
    *((quality.lower(), label) for quality, label in CustomerAddress.Quality.choices),
    ("none", _("No address")),
]
UNVERIFIED = [("180", _("180 days")), ("365", _("365 days"))]


class FilterForm(forms.Form):
    """Filters of the list that may stand in an address: nothing personal."""

    segment = forms.ChoiceField(required=False, choices=Customer.Segment.choices)
    kind = forms.ChoiceField(required=False, choices=Customer.Kind.choices)
    strategic_class = forms.ChoiceField(
        required=False, choices=choices.StrategicClass.choices
    )
    industry = forms.ChoiceField(required=False, choices=choices.Industry.choices)
    list_state = forms.ChoiceField(required=False, choices=choices.ListState.choices)
    address = forms.ChoiceField(required=False, choices=ADDRESS)
    whose = forms.ChoiceField(required=False, choices=WHOSE)
    unverified = forms.ChoiceField(required=False, choices=UNVERIFIED)
    office = forms.CharField(required=False)
    group = forms.ChoiceField(required=False, choices=[(name, name) for name in GROUPS])
    base = forms.CharField(required=False)
    current = forms.CharField(required=False)

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
