"""Forms of the complaint pages."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from complaints.kinds import Group, Kind
from complaints.models import Complaint
from complaints.workflow import MOVES, State
from crm import text
from crm.access.models import User

VIEWS = (
    ("due", gettext_lazy("To do")),
    ("mine", gettext_lazy("Mine")),
    ("free", gettext_lazy("Without an owner")),
    ("overdue", gettext_lazy("Overdue")),
    ("law", gettext_lazy("Past the law")),
    ("all", gettext_lazy("All")),
)
ANY = ("", gettext_lazy("Any"))


class ListFilter(forms.Form):
    """Filters that may stand in an address; one that cannot be is a missing page."""

    view = forms.ChoiceField(required=False, choices=VIEWS)
    kind = forms.ChoiceField(
        label=gettext_lazy("Type"), required=False, choices=[ANY, *Kind.choices]
    )
    category = forms.ChoiceField(
        label=gettext_lazy("Class"), required=False, choices=[ANY, *Group.choices]
    )
    state = forms.ChoiceField(
        label=gettext_lazy("State"), required=False, choices=[ANY, *State.choices]
    )
    office = forms.ModelChoiceField(queryset=None, required=False, to_field_name="code")
    days = forms.IntegerField(required=False, min_value=0, max_value=9999)

    def __init__(self, *args: Any, offices: QuerySet, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["office"].queryset = offices

    def narrow(self, rows: Any, user: User, at: datetime) -> Any:
        """The rows that the filters leave of `rows`."""
        chosen = self.cleaned_data
        rows = {
            "mine": lambda: rows.open().filter(owner=user),
            "free": lambda: rows.open().filter(owner=None),
            "overdue": lambda: rows.overdue(at),
            "law": lambda: rows.past_the_law(at),
            "all": lambda: rows,
        }.get(chosen["view"], rows.open)()
        for name in ("kind", "category", "state"):
            if chosen[name]:
                rows = rows.filter(**{name: chosen[name]})
        if chosen["days"] is not None:
            rows = rows.filter(opened_at__gte=at - timedelta(days=chosen["days"]))
        if chosen["office"]:
            rows = rows.filter(office__path__startswith=chosen["office"].path)
        return rows


class ComplaintForm(forms.Form):
    """What the agent types while the caller speaks. The customer is chosen beside it."""

    phone = forms.CharField(
        label=gettext_lazy("Caller's phone"),
        max_length=30,
        widget=forms.TextInput(
            attrs={
                "type": "tel",
                "class": "input-lg",
                "autocomplete": "off",
                "autofocus": True,
                "data-hotkey": "F2",
            }
        ),
        help_text=gettext_lazy("The customer shows when you stop typing."),
    )
    item_no = forms.CharField(
        label=gettext_lazy("Item number"), max_length=30, required=False
    )
    caller_name = forms.CharField(
        label=gettext_lazy("Caller's name"), max_length=60, required=False
    )
    channel = forms.ChoiceField(
        label=gettext_lazy("Channel"), choices=Complaint.Channel.choices
    )
    category = forms.ChoiceField(
        label=gettext_lazy("Category"),
        choices=Complaint.Group.choices,
        widget=forms.RadioSelect,
    )
    description = forms.CharField(
        label=gettext_lazy("What happened"),
        max_length=4000,
        min_length=5,
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    customer = forms.IntegerField(required=False, widget=forms.HiddenInput)
    token = forms.UUIDField(initial=uuid.uuid4, widget=forms.HiddenInput)

    def clean_phone(self) -> str:
        normal = text.normalise_phone(self.cleaned_data["phone"])
        if not normal:
            raise forms.ValidationError(
                _("This is not a phone number. Write 13800138000 or 027-82345678.")
            )
        return normal


class MoveForm(forms.Form):
    """The next state and why; only moves that are open from where it stands."""

    after = forms.ChoiceField(label=gettext_lazy("Next step"))
    note = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=2000,
        min_length=2,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args, complaint: Complaint, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        labels = dict(State.choices)
        open_moves = MOVES[complaint.state]
        self.fields["after"].choices = [(move, labels[move]) for move in open_moves]


class FileForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("PDF, JPEG or PNG, up to 10 MB."),
    )
