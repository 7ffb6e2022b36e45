"""Forms of risks, emergency plans and incidents."""

from typing import Any

from django import forms
from django.utils.timezone import localdate, localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.access.forms import PersonName
from crm.access.models import User
from crm.access.scoping import offices_of, reaching
from crm.library.forms import DATE, YEARS
from crm.library.models import Document
from crm.risk.models import Contact, Drill, Incident, Risk


class RiskForm(forms.ModelForm):
    owner = PersonName(label=gettext_lazy("Who watches it (user name)"), max_length=60)
    review_on = forms.DateField(
        label=gettext_lazy("Looked at again by"), widget=DATE, validators=YEARS
    )
    kpi = forms.ChoiceField(label=gettext_lazy("Figure that warns"), required=False)

    class Meta:
        model = Risk
        fields = [
            *("office", "kind", "title", "likelihood", "impact", "measures"),
            *("owner", "review_on", "state", "kpi", "line"),
        ]
        widgets = {"measures": forms.Textarea(attrs={"rows": 3})}

    def __init__(
        self, data: Any, *, by: User, kpis: Any, instance: Risk | None = None
    ) -> None:
        start: dict[str, Any] = {"owner": by.username, "review_on": localdate()}
        if instance:
            start = {"owner": instance.owner.username}
        super().__init__(data, instance=instance, initial=start)
        offices = offices_of(by, "supervisor")
        self.fields["office"].queryset = offices
        self.fields["office"].initial = offices.first()
        self.fields["kpi"].choices = [("", "—"), *kpis]


class ContactForm(forms.ModelForm):
    phone = forms.CharField(label=gettext_lazy("Phone"), max_length=30, required=False)

    class Meta:
        model = Contact
        fields = ["name", "duty", "phone"]


class DrillForm(forms.ModelForm):
    held_on = forms.DateField(label=gettext_lazy("Day"), widget=DATE, validators=YEARS)

    class Meta:
        model = Drill
        fields = ["held_on", "scenario", "people", "minutes", "lessons"]
        widgets = {"lessons": forms.Textarea(attrs={"rows": 3})}


class IncidentForm(forms.ModelForm):
    leader = PersonName(label=gettext_lazy("Who leads (user name)"), max_length=60)
    noticed_at = forms.DateTimeField(
        label=gettext_lazy("Noticed at"),
        widget=forms.DateTimeInput(
            attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"
        ),
    )

    class Meta:
        model = Incident
        fields = [
            *("office", "kind", "grade", "title", "text", "plan"),
            *("noticed_at", "leader"),
        ]
        widgets = {"text": forms.Textarea(attrs={"rows": 4})}

    def __init__(self, data: Any, *, by: User) -> None:
        start = {"noticed_at": localtime(), "leader": by.username}
        super().__init__(data, initial=start)
        offices = offices_of(by, "supervisor", "handler", "agent")
        self.fields["office"].queryset = offices
        self.fields["office"].initial = offices.first()
        plans = Document.objects.filter(reaching(by, "supervisor", "handler", "agent"))
        self.fields["plan"].queryset = plans.filter(
            kind=Document.Kind.EMERGENCY, current__isnull=False
        )

    def clean_noticed_at(self) -> Any:
        found = self.cleaned_data["noticed_at"]
        if not 2000 <= found.year <= 2100:
            raise forms.ValidationError(_("Write a day of this century."))
        return found
