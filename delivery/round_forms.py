"""Forms of questionnaires, rounds and calls."""

import uuid
from typing import Any

from django import forms
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.teams.models import Team
from delivery.models import (
    Improvement,
    Question,
    QuestionnaireVersion,
    SurveyMember,
    SurveyRound,
)
from delivery.questionnaires import MOST
from delivery.visit_forms import DAY, LONGEST, PersonField


class QuestionnaireForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    name_zh = forms.CharField(
        label=gettext_lazy("Chinese name"), max_length=40, required=False
    )
    office = forms.ModelChoiceField(
        label=gettext_lazy("Office"), queryset=None, to_field_name="code"
    )

    def __init__(self, *args: Any, offices: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["office"].queryset = offices


class IntroForm(forms.Form):
    intro = forms.CharField(
        label=gettext_lazy("Introduction"), max_length=300, required=False
    )
    intro_zh = forms.CharField(
        label=gettext_lazy("Introduction in Chinese"), max_length=200, required=False
    )


class QuestionForm(forms.Form):
    """One question; without a text it is left out. `after` is the number of the line that
    it leans on."""

    code = forms.SlugField(max_length=20, required=False, widget=forms.HiddenInput)
    text = forms.CharField(
        label=gettext_lazy("Question"), max_length=200, required=False
    )
    text_zh = forms.CharField(
        label=gettext_lazy("In Chinese"), max_length=120, required=False
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Answer"), choices=Question.Kind.choices
    )
    is_required = forms.BooleanField(
        label=gettext_lazy("must be answered"), required=False, initial=True
    )
    after = forms.IntegerField(
        label=gettext_lazy("only if question no."),
        required=False,
        min_value=1,
        max_value=MOST,
    )
    values = forms.CharField(
        label=gettext_lazy("was answered with"),
        required=False,
        max_length=20,
        help_text=gettext_lazy("1,2,3 — or 1 for yes, 0 for no"),
    )

    def clean_values(self) -> list[int]:
        typed = self.cleaned_data["values"].replace("，", ",").split(",")
        found = [part.strip() for part in typed if part.strip()]
        if not all(part in {"0", "1", "2", "3", "4", "5"} for part in found):
            raise forms.ValidationError(_("Numbers from 0 to 5, with commas between."))
        return sorted({int(part) for part in found})

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if typed.get("text_zh") and not typed.get("text"):
            typed["text"] = typed["text_zh"]
        return typed


QuestionFormSet = forms.formset_factory(QuestionForm, extra=2, max_num=MOST)


def questions_in(lines: Any, known: set[str]) -> list[dict[str, Any]]:
    """The questions of a valid formset, as delivery.questionnaires takes them. A line keeps
    its code if the draft knows it; one that leans on another names its code."""
    codes: dict[int, str] = {}
    for number, line in enumerate(lines, 1):
        if line.cleaned_data.get("text"):
            code = line.cleaned_data["code"]
            is_good = code in known and code not in codes.values()
            codes[number] = code if is_good else f"q{uuid.uuid4().hex[:10]}"
    return [
        {
            "code": codes[number],
            "kind": typed["kind"],
            "text": typed["text"],
            "text_zh": typed["text_zh"],
            "is_required": typed["is_required"],
            "only_if": codes.get(typed["after"], "?") if typed["after"] else "",
            "only_values": typed["values"],
        }
        for number, line in enumerate(lines, 1)
        if (typed := line.cleaned_data).get("text")
    ]


class RoundForm(forms.ModelForm):
    """A round; whom it asks follows from the way."""

    product = forms.CharField(
        label=gettext_lazy("Product"), required=False, max_length=40
    )
    since = forms.DateField(
        label=gettext_lazy("Customers with usage from"), required=False, widget=DAY
    )
    until = forms.DateField(label=gettext_lazy("to"), required=False, widget=DAY)
    units = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Units that are asked"),
        queryset=None,
        required=False,
        to_field_name="code",
    )
    rated = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Units that are rated"),
        queryset=None,
        required=False,
        to_field_name="code",
    )

    class Meta:
        model = SurveyRound
        fields = [
            *("name", "version", "way", "target", "topic", "office", "opens_on"),
            *("closes_on", "is_census", "quota", "attempts", "gap_hours"),
            *("benchmark", "before", "repeats", "team"),
        ]
        widgets = {"opens_on": DAY, "closes_on": DAY}

    def __init__(
        self, *args: Any, offices: Any, versions: Any, rounds: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        callers = Team.objects.active().filter(kind=Team.Kind.FOLLOW_UP)
        self.fields["team"].queryset = callers.filter(office__in=offices)
        for name in ("office", "units", "rated"):
            self.fields[name].queryset = offices
            self.fields[name].to_field_name = "code"
        self.fields["version"].queryset = versions
        self.fields["before"].queryset = rounds

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        first, last = typed.get("opens_on"), typed.get("closes_on")
        if last and last < localdate():
            self.add_error("closes_on", _("This day has passed."))
        elif first and last and not 0 <= (last - first).days <= LONGEST:
            self.add_error("closes_on", _("It ends before it begins, or too late."))
        is_units = typed.get("way") == SurveyRound.Way.UNITS
        wanted = ("units", "rated") if is_units else ("since", "until")
        for name in wanted:
            if not typed.get(name) and name not in self.errors:
                self.add_error(name, _("This is needed."))
        if typed.get("team") and typed.get("way") != SurveyRound.Way.PHONE:
            self.add_error("team", _("A team calls in a round of calls only."))
        since, until = typed.get("since"), typed.get("until")
        if since and until and not 0 <= (until - since).days <= 2 * LONGEST:
            self.add_error("until", _("It ends before it begins, or too late."))
        return typed

    def whom(self) -> dict[str, Any]:
        typed = self.cleaned_data
        if typed["way"] == SurveyRound.Way.UNITS:
            return {
                "units": [office.code for office in typed["units"]],
                "rated": [office.code for office in typed["rated"]],
            }
        return {
            "product": typed["product"],
            "since": f"{typed['since']}",
            "until": f"{typed['until']}",
        }


class CodeForm(forms.Form):
    """A call without an answer."""

    code = forms.ChoiceField(choices=SurveyMember.Code.choices)
    later = forms.DateTimeField(
        label=gettext_lazy("Call again at"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )


class ImproveForm(forms.ModelForm):
    owner = PersonField(label=gettext_lazy("Who sees to it"), queryset=None)

    class Meta:
        model = Improvement
        fields = ["what", "office", "owner", "due_on"]
        widgets = {"due_on": DAY, "what": forms.Textarea(attrs={"rows": 2})}

    def __init__(self, *args: Any, offices: Any, people: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["office"].queryset = offices
        self.fields["office"].to_field_name = "code"
        self.fields["owner"].queryset = people

    def clean_due_on(self) -> Any:
        if self.cleaned_data["due_on"] < localdate():
            raise forms.ValidationError(_("This day has passed."))
        return self.cleaned_data["due_on"]


class WordsForm(forms.Form):
    words = forms.CharField(min_length=2, max_length=300)
    helps = forms.CharField(required=False, max_length=3)


def initial_of(version: QuestionnaireVersion) -> list[dict[str, Any]]:
    """A version's questions as lines of the formset."""
    rows = list(version.questions.all())
    numbers = {row.code: n for n, row in enumerate(rows, 1)}
    return [
        {
            "code": row.code,
            "text": row.text,
            "text_zh": row.text_zh,
            "kind": row.kind,
            "is_required": row.is_required,
            "after": numbers.get(row.only_if),
            "values": ",".join(str(value) for value in row.only_values),
        }
        for row in rows
    ]
