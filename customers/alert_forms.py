"""Forms of the watch: a rule, the filters of alerts, the answer to one."""

from datetime import date
from typing import Any

from django import forms
from django.core import validators
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from crm.access.models import Posting, User
from crm.org.models import Office
from customers.models import Alert, AlertReport, WatchRule, choices

Kind = WatchRule.Kind


GROUPS = (
    ("all", pgettext_lazy("key customers", "All")),
    ("joined", gettext_lazy("Joined")),
    ("left", gettext_lazy("Left")),
    ("idle", gettext_lazy("Sent nothing")),
    ("fallen", gettext_lazy("Over 10 % below last year")),
)


class MovementFilter(forms.Form):
    """Filters that may stand in an address."""

    office = forms.CharField(required=False)
    month = forms.DateField(
        required=False,
        input_formats=["%Y-%m"],
        validators=[
            validators.MinValueValidator(date(2000, 1, 1)),
            validators.MaxValueValidator(date(2100, 1, 1)),
        ],
    )
    group = forms.ChoiceField(required=False, choices=GROUPS)
    product = forms.CharField(required=False, max_length=40)


class OfficeForm(forms.Form):
    office = forms.ModelChoiceField(queryset=None, to_field_name="code")

    def __init__(self, *args: Any, offices: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["office"].queryset = offices


class GiveForm(forms.Form):
    """To whom an alert goes: the managers of its customer's office and of those above it;
    without an office all managers, of whom the service takes what they may see."""

    to = forms.ModelChoiceField(queryset=None, label=gettext_lazy("Give it to"))

    def __init__(self, *args: Any, office: Office | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        postings = Posting.objects.in_force(localdate()).filter(role="manager")
        if office is not None:
            above = [office.path[:end] for end in range(4, len(office.path) + 1, 4)]
            postings = postings.filter(office__path__in=above)
        people = User.objects.filter(pk__in=postings.values("user"), is_active=True)
        self.fields["to"].queryset = people.order_by("full_name")


class AlertFilter(forms.Form):
    """Filters that may stand in an address."""

    level = forms.TypedChoiceField(
        required=False, choices=WatchRule.Level.choices, coerce=int, empty_value=None
    )
    kind = forms.ChoiceField(required=False, choices=Kind.choices)
    state = forms.ChoiceField(required=False, choices=Alert.State.choices)
    outcome = forms.ChoiceField(required=False, choices=Alert.Outcome.choices)
    whose = forms.ChoiceField(
        required=False, choices=[("mine", "mine"), ("nobody", "nobody")]
    )
    office = forms.CharField(required=False, max_length=20)
    rule = forms.IntegerField(required=False, min_value=1, max_value=2**31)
    reported = forms.ChoiceField(required=False, choices=[("1", "1")])

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
        if chosen["whose"] == "mine":
            wanted["owner"] = user
        elif chosen["whose"]:
            wanted["owner"] = None
        if chosen["office"]:
            path = Office.objects.filter(code=chosen["office"]).values("path")[:1]
            rows = rows.filter(customer__office__path__startswith=Subquery(path))
        if chosen["reported"]:
            rows = reported(rows)
        return rows.filter(**wanted)


def reported(rows: QuerySet[Alert]) -> QuerySet[Alert]:
    """Those of `rows` that somebody has reported upwards."""
    return rows.filter(Exists(AlertReport.objects.filter(alert=OuterRef("pk"))))


class ReportForm(forms.Form):
    """What a level says to the one above it, or below."""

    text = forms.CharField(
        label=gettext_lazy("In words"),
        min_length=2,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class AnswerForm(forms.Form):
    outcome = forms.ChoiceField(
        label=gettext_lazy("What came of it"),
        choices=[(one.value, one.label) for one in Alert.BY_HAND],
        widget=forms.RadioSelect(attrs={"class": "checks"}),
    )
    note = forms.CharField(
        label=gettext_lazy("What you found"),
        min_length=2,
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
        places = offices.filter(depth__lte=2)
        if self.instance.pk:  # also of an office that was closed since
            places = places | Office.objects.filter(pk=self.instance.office_id)
        self.fields["office"].queryset = places
        if self.instance.pk:
            for name in ("office", "kind"):
                self.fields[name].disabled = True

    def clean(self) -> dict[str, Any]:
        """A number that the kind works with must be there; one it ignores goes."""
        cleaned = super().clean() or {}
        if not 1 <= (cleaned.get("task_days") or 0) <= 60:
            self.add_error("task_days", _("From 1 to 60."))
        if not 0 <= (cleaned.get("often") or 0) <= 366:
            self.add_error("often", _("A year has 366 days at most."))
        for name, kinds in (
            ("percent", WatchRule.NEEDS_PERCENT),
            ("days", WatchRule.NEEDS_DAYS),
        ):
            if cleaned.get("kind") not in kinds:
                cleaned[name] = None
            elif not cleaned.get(name) and name not in self.errors:
                self.add_error(name, _("This kind of rule needs it."))
        return cleaned
