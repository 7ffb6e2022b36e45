"""The form of a grading scheme: every rule a field, checked as a whole."""

from datetime import date
from typing import Any

from django import forms
from django.core.validators import MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.org.models import Office
from customers import grading
from customers.models import GradeOverride, GradeScheme, choices

ROWS = 6
BENEFITS = {
    "dedicated_agent": gettext_lazy("Dedicated agent"),
    "priority_queue": gettext_lazy("Priority queue"),
    "status_sms": gettext_lazy("Item status SMS"),
    "disturbance_sms": gettext_lazy("Disturbance SMS"),
    "green_channel": gettext_lazy("Claim green channel"),
    "visits": gettext_lazy("Regular visits"),
    "offers": gettext_lazy("Own offers"),
    "greeting_calls": gettext_lazy("Greeting calls"),
    "own_solution": gettext_lazy("Own solution"),
    "tracking": gettext_lazy("Items watched until they arrive"),
}
DIMENSIONS = {
    "revenue": gettext_lazy("Revenue contribution"),
    "profit": gettext_lazy("Profit"),
    "credit": gettext_lazy("Credit"),
    "payment": gettext_lazy("Payment terms"),
    "brand": gettext_lazy("Brand influence"),
    "loyalty": gettext_lazy("Loyalty"),
}
RULES = {
    "amount": gettext_lazy("the revenue decided"),
    "score": gettext_lazy("the score decided"),
    "no_usage": gettext_lazy("no revenue in twelve months"),
    "strategic": gettext_lazy("raised as a strategic customer"),
    "top": gettext_lazy("raised as one of the first of the office"),
    "capped": gettext_lazy("held down by old arrears"),
    "protected": gettext_lazy("held up: not yet often enough below the line"),
}
TABLE_HELP = {
    "revenue": gettext_lazy("share of customers with less revenue, at least: points"),
    "profit": gettext_lazy("profit ÷ revenue, at least: points"),
    "credit": gettext_lazy("days of the oldest arrears, at most: points"),
    "payment": gettext_lazy("days of credit, at most: points"),
    "loyalty": gettext_lazy("months of twelve with usage, at least: points"),
    "brand": gettext_lazy("class: points"),
}
WRONG = {
    "sum": gettext_lazy("The weights must make 100."),
    "codes": gettext_lazy("Give at least two grades, each code once."),
    "falling": gettext_lazy("Each step must be lower than the one before."),
    "gap": gettext_lazy("The last step must be 0, so that everybody has a grade."),
    "hundred": gettext_lazy("A score is never over 100."),
    "length": gettext_lazy("Give as many thresholds as there are grades."),
    "range": gettext_lazy("A coefficient lies between 0 and 10."),
    "unknown": gettext_lazy("This is no code of a grade above."),
    "bounds": gettext_lazy("The bounds are out of order."),
    "points": gettext_lazy("Points must fall, from 100 to 0 at most."),
}
BESIDE = {"weights": "weight_revenue"}
BESIDE |= {"grades": "code_0"} | {n: f"table_{n}" for n in grading.DIMENSIONS}


def _pairs(text: str, sign: str) -> list[tuple[str, str]]:
    """Lines "left sign right"; ValidationError names the line that is none."""
    found = []
    for line in text.splitlines():
        if not line.strip():
            continue
        left, middle, right = line.partition(sign)
        if not middle or not left.strip() or not right.strip():
            message = _("This line cannot be read: %(line)s")
            raise forms.ValidationError(message % {"line": line[:40]})
        found.append((left.strip(), right.strip()))
    return found


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        message = _("This is no number: %(text)s") % {"text": text[:20]}
        raise forms.ValidationError(message) from error
    if not abs(value) <= grading.MOST:  # also what is no number at all: nan
        message = _("This number is too large: %(text)s") % {"text": text[:20]}
        raise forms.ValidationError(message)
    return int(value) if value.is_integer() else value


class SchemeForm(forms.ModelForm):
    """A draft. `rules` is what the fields say, once the form is valid."""

    segments = forms.MultipleChoiceField(
        label=gettext_lazy("Customers to grade"),
        choices=choices.Segment.choices,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "checks"}),
    )
    lift = forms.IntegerField(
        label=gettext_lazy("Steps that a good score may add to the amount's grade"),
        min_value=0,
        max_value=5,
    )
    top = forms.IntegerField(
        label=gettext_lazy("First so many of an office by revenue"),
        min_value=0,
        max_value=1000,
    )
    top_grade = forms.CharField(
        label=gettext_lazy("… get at least the grade"), max_length=12, required=False
    )
    strategic_grade = forms.CharField(
        label=gettext_lazy("Strategic classes get at least"),
        max_length=12,
        required=False,
    )
    cap_days = forms.IntegerField(
        label=gettext_lazy("Arrears older than so many days"), min_value=0
    )
    cap_grade = forms.CharField(
        label=gettext_lazy("… get at most the grade"), max_length=12, required=False
    )
    protection = forms.IntegerField(
        label=gettext_lazy("Runs below the line before a downgrade"),
        min_value=1,
        max_value=8,
    )
    factors = forms.CharField(
        label=gettext_lazy("Coefficients of offices"),
        widget=forms.Textarea(attrs={"rows": 2}),
        required=False,
        help_text=gettext_lazy("One a line: office code = 0.9"),
    )
    ladders = forms.CharField(
        label=gettext_lazy("Thresholds of offices"),
        widget=forms.Textarea(attrs={"rows": 2}),
        required=False,
        help_text=gettext_lazy("One a line: office code = 4000000, 1500000, …, 0"),
    )

    class Meta:
        model = GradeScheme
        fields = ["name", "office", "cycle", "product", "valid_from"]
        widgets = {
            "valid_from": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        }

    def __init__(self, *args: Any, rules: grading.Rules, offices: Any, **more) -> None:
        initial = more.pop("initial", {}) | self._written(rules)
        super().__init__(*args, initial=initial, **more)
        self.fields["office"].queryset = offices
        for name in DIMENSIONS:
            self.fields[f"weight_{name}"] = forms.IntegerField(
                label=_("Weight"), min_value=0, max_value=100
            )
            self.fields[f"table_{name}"] = forms.CharField(
                label=_("Table"),
                widget=forms.Textarea(attrs={"rows": 5}),
                help_text=TABLE_HELP[name],
            )
        for row in range(ROWS):
            self.fields[f"code_{row}"] = forms.SlugField(
                label=_("Code"), max_length=12, required=False
            )
            self.fields[f"name_{row}"] = forms.CharField(
                label=_("Name"), max_length=20, required=False
            )
            self.fields[f"amount_{row}"] = forms.IntegerField(
                label=_("Yuan a year"),
                min_value=0,
                max_value=grading.MOST,
                required=False,
            )
            self.fields[f"score_{row}"] = forms.IntegerField(
                label=_("Score"), min_value=0, required=False
            )
            self.fields[f"benefits_{row}"] = forms.MultipleChoiceField(
                label=_("Benefits"),
                choices=BENEFITS.items(),
                widget=forms.CheckboxSelectMultiple(attrs={"class": "checks"}),
                required=False,
            )

    @staticmethod
    def _written(rules: grading.Rules) -> dict[str, Any]:
        """Rules as the fields show them."""
        plain = (
            *("segments", "lift", "top", "top_grade", "strategic_grade"),
            *("cap_days", "cap_grade", "protection"),
        )
        found: dict[str, Any] = {name: getattr(rules, name) for name in plain}
        found["factors"] = "\n".join(f"{c} = {n}" for c, n in rules.factors.items())
        found["ladders"] = "\n".join(
            f"{code} = {', '.join(map(str, row))}"
            for code, row in rules.ladders.items()
        )
        for name in grading.DIMENSIONS:
            table: Any = rules.tables.get(name) or rules.brand.items()
            found[f"weight_{name}"] = rules.weights[name]
            found[f"table_{name}"] = "\n".join(f"{a}: {b}" for a, b in table)
        for row, grade in enumerate(rules.grades):
            for name in ("code", "name", "amount", "score"):
                found[f"{name}_{row}"] = getattr(grade, name)
            found[f"benefits_{row}"] = list(grade.benefits)
        return found

    def grade_rows(self) -> list[list[Any]]:
        names = ("code", "name", "amount", "score", "benefits")
        return [[self[f"{name}_{row}"] for name in names] for row in range(ROWS)]

    def dimension_rows(self) -> list[tuple[Any, Any, Any]]:
        return [
            (label, self[f"weight_{n}"], self[f"table_{n}"])
            for n, label in DIMENSIONS.items()
        ]

    def _grades(self, cleaned: dict[str, Any]) -> tuple[grading.Grade, ...]:
        grades = []
        for row in range(ROWS):
            if not (code := cleaned.get(f"code_{row}")):
                if any(cleaned.get(f"{n}_{row}") for n in ("name", "amount", "score")):
                    self.add_error(f"code_{row}", _("Give the grade a code."))
                continue
            grades.append(
                grading.Grade(
                    code,
                    cleaned.get(f"name_{row}") or code,
                    cleaned.get(f"amount_{row}") or 0,
                    cleaned.get(f"score_{row}") or 0,
                    tuple(cleaned.get(f"benefits_{row}") or ()),
                )
            )
        return tuple(grades)

    def _read(self, name: str, read: Any) -> Any:
        """What a text field says; its error stands beside it."""
        try:
            return read(self.cleaned_data.get(name) or "")
        except forms.ValidationError as error:
            self.add_error(name, error)
            return {}

    def _check_offices(self, name: str, lines: dict[str, Any]) -> None:
        known = Office.objects.filter(code__in=lines).values_list("code", flat=True)
        if unknown := sorted(set(lines) - set(known)):
            message = _("There is no office with the code %(codes)s.")
            self.add_error(name, message % {"codes": ", ".join(unknown)})

    def _written_rules(self) -> dict[str, Any]:
        """Tables, brand, coefficients and thresholds, read from their text fields."""

        def table(text: str) -> grading.Table:
            return tuple((_number(a), int(_number(b))) for a, b in _pairs(text, ":"))

        def points(text: str) -> dict[str, int]:
            return {a: int(_number(b)) for a, b in _pairs(text, ":")}

        def factors(text: str) -> dict[str, float]:
            return {a: _number(b) for a, b in _pairs(text, "=")}

        def ladders(text: str) -> dict[str, tuple[int, ...]]:
            return {
                a: tuple(int(_number(one)) for one in b.replace("，", ",").split(","))
                for a, b in _pairs(text, "=")
            }

        found = {
            "tables": {n: self._read(f"table_{n}", table) for n in grading.TABLES},
            "brand": grading.BRAND | self._read("table_brand", points),
            "factors": self._read("factors", factors),
            "ladders": self._read("ladders", ladders),
        }
        for name in ("factors", "ladders"):
            self._check_offices(name, found[name])
        return found

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        written = self._written_rules()
        grades = self._grades(cleaned)
        if self.errors:
            return cleaned
        plain = (
            *("lift", "top", "top_grade", "strategic_grade"),
            *("cap_days", "cap_grade", "protection"),
        )
        self.rules = grading.Rules(
            grades=grades,
            weights={n: cleaned[f"weight_{n}"] for n in grading.DIMENSIONS},
            segments=tuple(cleaned["segments"]),
            **written,
            **{name: cleaned[name] for name in plain},
        )
        try:
            grading.check(self.rules)
        except grading.Wrong as wrong:
            beside = BESIDE.get(wrong.field, wrong.field)
            if wrong.field in ("amount", "score"):
                beside = f"{wrong.field}_{wrong.place}"
            self.add_error(beside, str(WRONG[wrong.reason]))
        return cleaned


class RunForm(forms.Form):
    office = forms.ModelChoiceField(queryset=None, label=gettext_lazy("Office"))
    until = forms.DateField(
        label=gettext_lazy("Last day of the twelve months"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        validators=[MinValueValidator(date(2000, 1, 1))],
    )


class OverrideForm(forms.ModelForm):
    code = forms.ChoiceField(label=gettext_lazy("Grade"))
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200)

    class Meta:
        model = GradeOverride
        fields = ["code", "until", "reason"]
        widgets = {"until": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")}
