"""The form of an address that is told."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.hooks.events import EVENTS
from crm.hooks.models import Endpoint
from crm.hooks.sending import Unsafe, resolved


class EndpointForm(forms.ModelForm):
    url = forms.URLField(
        label=gettext_lazy("Address"), max_length=300, assume_scheme="https"
    )
    events = forms.MultipleChoiceField(
        label=gettext_lazy("Events"),
        choices=list(EVENTS.items()),
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Endpoint
        fields = ["name", "url", "office", "events"]

    def __init__(self, *args: Any, offices: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        office: Any = self.fields["office"]
        office.queryset, office.to_field_name = offices, "code"

    def clean_url(self) -> str:
        """Told here rather than in the log; it is checked again before each sending."""
        try:
            resolved(self.cleaned_data["url"])
        except Unsafe as error:
            message = _("We cannot send there: %(why)s") % {"why": _(str(error))}
            raise forms.ValidationError(message) from error
        return self.cleaned_data["url"]
