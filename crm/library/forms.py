"""Forms of documents and their promises."""

from datetime import date
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.access.models import User
from crm.access.roles import Role
from crm.access.scoping import offices_of
from crm.library.models import Document, Edition, Promise

LINES = 5  # empty lines for promises
YEARS = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2100, 12, 31))]
DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class DocumentForm(forms.ModelForm):
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Concerns"),
        choices=Role.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Nobody ticked: everybody."),
    )

    class Meta:
        model = Document
        fields = ["office", "kind", "slot", "title", "roles", "is_signed"]

    def __init__(self, *args: Any, by: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            del self.fields["office"]
            return
        offices = offices_of(by, "supervisor")
        self.fields["office"].queryset = offices
        self.fields["office"].initial = offices.first()


class EditionForm(forms.ModelForm):
    effective_on = forms.DateField(
        label=gettext_lazy("In force from"), widget=DATE, validators=YEARS
    )

    class Meta:
        model = Edition
        fields = ["text", "change", "effective_on"]
        widgets = {"text": forms.Textarea(attrs={"rows": 14}), "effective_on": DATE}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["effective_on"].initial = localdate()


class PromiseForm(forms.ModelForm):
    class Meta:
        model = Promise
        fields = ["content", "price", "limit"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields:  # an empty line is no promise
            self.fields[name].required = False

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        filled = [name for name in ("content", "price", "limit") if cleaned.get(name)]
        if filled and len(filled) < 3:
            raise forms.ValidationError(
                _("Write the service, its price and its time limit.")
            )
        return cleaned


PromiseFormSet = forms.formset_factory(PromiseForm, extra=LINES, max_num=60)


def promises_of(formset: Any) -> list[dict[str, str]]:
    """The filled lines."""
    return [line for line in formset.cleaned_data if line.get("content")]
