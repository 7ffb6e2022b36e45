"""Forms of quality checks and corrective actions."""

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from complaints.clock_forms import MonthForm
from complaints.models import QualityCheck, QualitySheet
from complaints.models.quality import FULL_MARKS

LINES = 15


def words(label: Any, *, required: bool = True) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=required,
        min_length=2,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class ScoreForm(forms.Form):
    """One field for each point of the sheet: marks, or a tick for a fatal error."""

    note = words(gettext_lazy("What the agent should know"), required=False)

    def __init__(self, *args: Any, sheet: QualitySheet, **kwargs: Any) -> None:
        given = kwargs.pop("given", {})
        super().__init__(*args, **kwargs)
        self.points = list(sheet.points.all())
        note = self.fields.pop("note")
        for point in self.points:
            name = f"p{point.pk}"
            self.fields[name] = (
                forms.BooleanField(label=str(point), required=False)
                if point.is_fatal
                else self._marks(point)
            )
            self.initial[name] = given.get(str(point.pk))
        self.fields["note"] = note

    def _marks(self, point: Any) -> forms.IntegerField:
        label = _("%(point)s (of %(marks)s)") % {"point": point, "marks": point.marks}
        box = forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"})
        facts = {"min_value": 0, "max_value": point.marks, "widget": box}
        return forms.IntegerField(label=label, **facts)

    def given(self) -> dict[str, Any]:
        return {str(p.pk): self.cleaned_data[f"p{p.pk}"] for p in self.points}


class RuleForm(ScoreForm):
    note = words(gettext_lazy("Ruling"))


class AppealForm(forms.Form):
    words = words(gettext_lazy("Why"))


class CheckFilter(MonthForm):
    """Filters that may stand in an address."""

    state = forms.ChoiceField(
        required=False, choices=[("", ""), *QualityCheck.State.choices]
    )
    agent = forms.CharField(required=False, max_length=60)


class PointForm(forms.Form):
    """One line of a sheet; an empty name leaves it out."""

    name = forms.CharField(label=gettext_lazy("Point"), max_length=60, required=False)
    name_zh = forms.CharField(
        label=gettext_lazy("Chinese name"), max_length=40, required=False
    )
    marks = forms.IntegerField(
        label=gettext_lazy("Marks (0: a fatal error)"),
        required=False,
        validators=[MinValueValidator(0), MaxValueValidator(FULL_MARKS)],
    )

    def row(self) -> tuple[str, str, int] | None:
        typed = self.cleaned_data
        name = typed.get("name") or typed.get("name_zh")
        return (
            (name, typed.get("name_zh", ""), typed.get("marks") or 0) if name else None
        )


PointFormSet = forms.formset_factory(
    PointForm, extra=0, max_num=LINES, absolute_max=LINES
)


class SheetForm(forms.Form):
    office = forms.ModelChoiceField(
        label=gettext_lazy("Office"), queryset=None, to_field_name="code"
    )
    pass_mark = forms.IntegerField(
        label=gettext_lazy("Passed from"), min_value=1, max_value=FULL_MARKS, initial=85
    )

    def __init__(self, *args: Any, offices: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["office"].queryset = offices
        self.fields["office"].empty_label = None


class JudgeMeasureForm(forms.Form):
    words = words(gettext_lazy("What happened afterwards"))
    helps = forms.TypedChoiceField(
        label=gettext_lazy("Did it help?"),
        choices=[
            ("yes", gettext_lazy("It helped")),
            ("no", gettext_lazy("It did not")),
        ],
        coerce=lambda value: value == "yes",
    )
