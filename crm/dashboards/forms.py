"""The board's question: which office, which two periods."""

from datetime import date

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.access.capabilities import may
from crm.access.models import User
from crm.access.scoping import offices_of
from crm.dashboards.retention import default_periods
from customers.queries import FIRST_YEAR, LAST_YEAR, Period

YEARS = [
    MinValueValidator(date(FIRST_YEAR, 1, 1)),
    MaxValueValidator(date(LAST_YEAR, 12, 31)),
]
DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class BoardForm(forms.Form):
    office = forms.ModelChoiceField(
        queryset=None,
        to_field_name="code",
        label=gettext_lazy("Office"),
        empty_label=None,
    )
    base_first = forms.DateField(
        label=gettext_lazy("Base period from"), widget=DATE, validators=YEARS
    )
    base_last = forms.DateField(
        label=gettext_lazy("Base period to"), widget=DATE, validators=YEARS
    )
    current_first = forms.DateField(
        label=gettext_lazy("Current period from"), widget=DATE
    )
    current_last = forms.DateField(
        label=gettext_lazy("Current period to"), widget=DATE, validators=YEARS
    )

    def __init__(self, data, *, by: User) -> None:
        self.by = by
        offices = offices_of(by, "supervisor", "analyst")
        base, current = default_periods()
        known = {"office": offices.values_list("code", flat=True).first()}
        known |= {"base_first": base.first, "base_last": base.last}
        known |= {"current_first": current.first, "current_last": current.last}
        given = {name: data[name] for name in known if data.get(name)}
        super().__init__({**known, **given})
        self.fields["office"].queryset = offices

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        for name in ("base", "current"):
            first, last = cleaned.get(f"{name}_first"), cleaned.get(f"{name}_last")
            if first and last and last < first:
                self.add_error(f"{name}_last", _("The period ends before it begins."))
            elif first and last:
                cleaned[name] = Period(first, last)
        base, current = cleaned.get("base"), cleaned.get("current")
        if not may(self.by, "kpi.drill"):  # one day could single a customer out
            for name, period in (("base", base), ("current", current)):
                if period and not period.is_whole_months:
                    self.add_error(f"{name}_first", _("Choose whole months."))
        if base and current and current.first <= base.last:
            self.add_error(
                "current_first", _("The current period must begin after the base.")
            )
        return cleaned
