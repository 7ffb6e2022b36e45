"""How one wants to be told: a field of ticks for each event."""

from typing import Any

from django import forms

from crm.notify.events import CHANNELS, EVENTS, IN_APP
from crm.notify.services import channels_of


class PreferenceForm(forms.Form):
    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        for name, event in EVENTS.items():
            self.fields[self.field_of(name)] = forms.MultipleChoiceField(
                label=event.label,
                choices=list(CHANNELS.items()),
                required=False,
                widget=forms.CheckboxSelectMultiple,
            )

    @staticmethod
    def field_of(event: str) -> str:
        return event.replace(".", "_")

    def rows(self) -> list[dict[str, Any]]:
        """One row for each event: its label and (name, value, words, ticked, fixed) a channel."""
        found = []
        for name, event in EVENTS.items():
            field = self.field_of(name)
            chosen = (
                self.data.getlist(field)
                if self.is_bound
                else channels_of(self.user, name)
            )
            ticks = [
                (
                    field,
                    channel,
                    words,
                    channel in chosen,
                    event.is_fixed and channel == IN_APP,
                )
                for channel, words in CHANNELS.items()
            ]
            found.append({"label": event.label, "ticks": ticks})
        return found

    def wanted(self) -> dict[str, list[str]]:
        return {name: self.cleaned_data[self.field_of(name)] for name in EVENTS}
