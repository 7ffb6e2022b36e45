"""Forms of the complaint pages."""

import uuid

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from complaints.models import Complaint
from complaints.workflow import MOVES, State
from crm import text


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
        choices=Complaint.Category.choices,
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
