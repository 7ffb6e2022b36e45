"""Forms of outreach and of the events that lead to prospects."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import Campaign, Contact, OutreachStep, StepVariant
from customers.models import Organisation, SavedView


class CampaignForm(forms.ModelForm):
    class Meta:
        model = Campaign
        fields = [
            *("office", "name", "whom", "view", "without", "again_days"),
            *("stops_on_answer", "stops_on_order", "stops_on_complaint"),
        ]

    def __init__(self, data: Any, *, offices: Any, by: Any, **facts: Any) -> None:
        super().__init__(data, **facts)
        self.fields["office"].queryset = offices
        self.fields["office"].empty_label = None
        views = SavedView.objects.visible_to(by)
        self.fields["view"].queryset = views
        self.fields["without"].queryset = views

    def clean(self) -> dict:
        found = super().clean() or {}
        if found.get("whom") == Campaign.Whom.VIEW and not found.get("view"):
            self.add_error("view", _("Choose the saved view."))
        return found


class StepForm(forms.ModelForm):
    class Meta:
        model = OutreachStep
        fields = ["way", "delay", "condition", "subject", "body"]
        widgets = {"body": forms.Textarea(attrs={"rows": 4})}


class VariantForm(forms.ModelForm):
    class Meta:
        model = StepVariant
        fields = ["segment", "body"]
        widgets = {"body": forms.Textarea(attrs={"rows": 3})}


class AnswerForm(forms.Form):
    answer = forms.ChoiceField(
        label=gettext_lazy("Answer"), choices=Contact.Answer.choices
    )


class CallForm(forms.Form):
    result = forms.ChoiceField(
        choices=[*Contact.Answer.choices, ("nobody", gettext_lazy("Nobody reached"))]
    )


class PickForm(forms.Form):
    """Organisations of the directory that an event leads to."""

    entries = forms.ModelMultipleChoiceField(queryset=Organisation.objects.none())

    def __init__(self, data: Any, *, entries: Any) -> None:
        super().__init__(data)
        self.fields["entries"].queryset = entries
