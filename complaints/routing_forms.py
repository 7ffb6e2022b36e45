"""Forms of routing: a rule, a desk, a sample for the dry run."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from complaints.kinds import Kind, Scope, Severity
from complaints.models import Desk, RoutingRule
from customers.models import Customer

ANY = ("", gettext_lazy("Any"))


class RuleForm(forms.ModelForm):
    class Meta:
        model = RoutingRule
        fields = [
            "office",
            "position",
            "kind",
            "severity",
            "segment",
            "is_inter_province",
            "target",
            "target_office",
            "desk",
            "is_fast_lane",
            "gives_person",
        ]

    is_key = forms.BooleanField(
        label=gettext_lazy("only customers with priority by grade"), required=False
    )

    def __init__(self, *args: Any, offices: QuerySet, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("office", "target_office"):
            field: Any = self.fields[name]
            field.queryset, field.to_field_name = offices, "code"
        self.fields["desk"].queryset = Desk.objects.filter(office__in=offices)

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        wants_office = typed.get("target") == RoutingRule.Target.OFFICE
        is_missing = not typed.get("target_office")
        if wants_office and is_missing and "target_office" not in self.errors:
            self.add_error("target_office", _("Say which office."))
        return typed

    def rule(self) -> RoutingRule:
        rule: RoutingRule = self.save(commit=False)
        rule.benefit = "priority_queue" if self.cleaned_data["is_key"] else ""
        return rule


class DeskForm(forms.ModelForm):
    class Meta:
        model = Desk
        fields = ["office", "name", "members"]
        widgets = {"members": forms.CheckboxSelectMultiple}

    def __init__(
        self, *args: Any, offices: QuerySet, people: QuerySet, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        office: Any = self.fields["office"]
        office.queryset, office.to_field_name = offices, "code"
        self.fields["members"].queryset = people


class SampleForm(forms.Form):
    """A work order that is not: who would get it?"""

    office = forms.ModelChoiceField(
        label=gettext_lazy("Taken in at"), queryset=None, to_field_name="code"
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Type"), choices=Kind.choices, initial=Kind.COMPLAINT
    )
    severity = forms.ChoiceField(
        label=gettext_lazy("Severity"), choices=Severity.choices
    )
    scope = forms.ChoiceField(
        label=gettext_lazy("Way of the item"),
        choices=[ANY, *Scope.choices],
        required=False,
    )
    customer = forms.CharField(
        label=gettext_lazy("Customer code"), max_length=40, required=False
    )

    def __init__(
        self, *args: Any, offices: QuerySet, customers: QuerySet, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["office"].queryset = offices
        self.customers = customers

    def clean_customer(self) -> Customer | None:
        code = self.cleaned_data["customer"].strip()
        found = self.customers.filter(code=code).first() if code else None
        if code and found is None:
            raise forms.ValidationError(_("No customer of yours has this code."))
        return found
