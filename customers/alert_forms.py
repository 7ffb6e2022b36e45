"""Forms of the watch: a rule, the filters of alerts, the answer to one."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.access.models import User
from customers.models import Alert, WatchRule, choices

Kind = WatchRule.Kind
NEEDS_PERCENT = {
    *(Kind.YEAR, Kind.QUARTER_YEAR, Kind.QUARTER, Kind.MONTH, Kind.ALIVE),
}
NEEDS_DAYS = {Kind.SILENT, Kind.CONTRACT, Kind.GRADE, Kind.ARREARS}


class AlertFilter(forms.Form):
    """Filters that may stand in an address."""

    level = forms.TypedChoiceField(
        required=False, choices=WatchRule.Level.choices, coerce=int, empty_value=None
    )
    kind = forms.ChoiceField(required=False, choices=Kind.choices)
    state = forms.ChoiceField(required=False, choices=Alert.State.choices)
    outcome = forms.ChoiceField(required=False, choices=Alert.Outcome.choices)
    whose = forms.ChoiceField(required=False, choices=[("mine", "mine")])
    rule = forms.IntegerField(required=False, min_value=1, max_value=2**31)

    def narrow(self, rows: QuerySet[Alert], user: User) -> QuerySet[Alert]:
        """Live alerts of `rows` unless another state or an outcome is asked for."""
        chosen = self.cleaned_data
        if chosen["state"]:
            rows = rows.filter(state=chosen["state"])
        elif not chosen["outcome"]:
            rows = rows.exclude(state=Alert.State.CLOSED)
        named = {"kind": "rule__kind", "outcome": "outcome", "level": "level"}
        named |= {"rule": "rule"}
        wanted = {named[name]: chosen[name] for name in named if chosen[name]}
        if chosen["whose"]:
            wanted["owner"] = user
        return rows.filter(**wanted)


class AnswerForm(forms.Form):
    outcome = forms.ChoiceField(
        label=gettext_lazy("What came of it"),
        choices=[(one.value, one.label) for one in Alert.BY_HAND],
        widget=forms.RadioSelect(attrs={"class": "checks"}),
    )
    note = forms.CharField(
        label=gettext_lazy("What you found"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class RuleForm(forms.ModelForm):
    segments = forms.MultipleChoiceField(
        label=gettext_lazy("Segments"),
        choices=choices.Segment.choices,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "checks"}),
    )

    class Meta:
        model = WatchRule
        fields = [
            *("office", "kind", "level", "percent", "days", "at_least", "often"),
            *("segments", "task_days", "is_on"),
        ]
        help_texts = {
            "percent": gettext_lazy(
                "How far revenue must have fallen; for the value model: odds of still "
                "being a customer below this."
            ),
            "days": gettext_lazy(
                "Without usage, in arrears, or since the contract ended or the grade fell."
            ),
            "often": gettext_lazy(
                "40 for weekly senders, 9 for monthly ones, 0 for all."
            ),
        }

    def __init__(self, *args: Any, offices: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["office"].queryset = offices.filter(depth__lte=2)
        if self.instance.pk:
            for name in ("office", "kind"):
                self.fields[name].disabled = True

    def clean(self) -> dict[str, Any]:
        """A number that the kind works with must be there; one it ignores goes."""
        cleaned = super().clean() or {}
        for name, kinds in (("percent", NEEDS_PERCENT), ("days", NEEDS_DAYS)):
            if cleaned.get("kind") not in kinds:
                cleaned[name] = None
            elif not cleaned.get(name) and name not in self.errors:
                self.add_error(name, _("This kind of rule needs it."))
        return cleaned
