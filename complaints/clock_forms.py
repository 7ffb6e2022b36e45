"""Forms of clocks: more time, a decision on it, a limit of an office."""

from datetime import date
from typing import Any

from django import forms
from django.core import validators
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from complaints.models import Limit


class ExtensionForm(forms.Form):
    until_at = forms.DateTimeField(
        label=gettext_lazy("More time until"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        min_length=5,
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class MonthForm(forms.Form):
    month = forms.DateField(
        required=False,
        input_formats=["%Y-%m"],
        validators=[
            validators.MinValueValidator(date(2000, 1, 1)),
            validators.MaxValueValidator(date(2100, 1, 1)),
        ],
    )


class DecideForm(forms.Form):
    grants = forms.BooleanField(required=False)


class LimitForm(forms.ModelForm):
    """A limit of one's own office: in working minutes or in days of the calendar."""

    class Meta:
        model = Limit
        fields = [
            "office",
            "kind",
            "clock",
            "basis",
            "minutes",
            "days",
            "channel",
            "source",
            "since",
        ]

    def __init__(self, *args: Any, offices: QuerySet, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        office: Any = self.fields["office"]
        office.queryset, office.required = offices, True
        office.to_field_name = "code"
        self.fields["since"].widget = forms.DateInput(
            format="%Y-%m-%d", attrs={"type": "date"}
        )

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if bool(typed.get("minutes")) == bool(typed.get("days")):
            self.add_error(
                "minutes", _("Give either working minutes or calendar days.")
            )
        elif (typed.get("days") or 1) > 366 or (typed.get("minutes") or 1) > 200_000:
            self.add_error("minutes", _("A limit is shorter than a year."))
        return typed
