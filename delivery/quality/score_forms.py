"""Questions to the scores, and the form of a scheme."""

from typing import Any

from django import forms
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from crm.org.models import Office
from customers.queries import add_months
from delivery.models import ScorePart, ScoreScheme
from delivery.quality.forms import BOUNDS, OfficeForm
from delivery.quality.scores import COURIER
from delivery.quality.scoring import MEASURES

PART_WORDS = {
    "weight": pgettext_lazy("score", "weight"),
    "floor": pgettext_lazy("score", "no points at"),
    "target": pgettext_lazy("score", "all points at"),
}


class MonthField(forms.DateField):
    """A month as browsers write it, 2026-11: its first day."""

    def __init__(self, **facts: Any) -> None:
        widget = forms.DateInput(format="%Y-%m", attrs={"type": "month"})
        super().__init__(
            widget=widget, input_formats=["%Y-%m"], validators=BOUNDS, **facts
        )


class ScoreFilter(OfficeForm):
    """Which office, which month of acceptance, which units below it are compared."""

    month = MonthField(label=gettext_lazy("Month"))
    level = forms.ChoiceField(
        label=gettext_lazy("Compared"),
        choices=[*Office.Level.choices, (COURIER, gettext_lazy("Couriers"))],
        required=False,
    )
    courier = forms.CharField(required=False, max_length=40)

    def usual(self) -> dict[str, str]:
        return {"month": f"{add_months(localdate(), -1):%Y-%m}"}

    @property
    def address(self) -> str:
        """The question as a link carries it, without the office."""
        found = self.cleaned_data
        return f"month={found['month']:%Y-%m}&level={self.compared}"

    def clean(self) -> dict:
        """Unasked, the level below the office's; a courier is one of the couriers."""
        cleaned = super().clean() or {}
        office = cleaned.get("office")
        if office and not cleaned.get("level"):
            below = Office.objects.under(office).filter(depth=office.depth + 1)
            kinds = set(below.values_list("level", flat=True))
            levels = [level for level in Office.Level.values if level in kinds]
            is_courier = cleaned.get("courier") or not levels
            cleaned["level"] = COURIER if is_courier else levels[0]
            self.data["level"] = cleaned["level"]  # the choice as the page shows it
        return cleaned

    @property
    def compared(self) -> str:
        return self.cleaned_data["level"]


class SchemeForm(forms.ModelForm):
    """A scheme and its parts: a weight, a floor and a target for each measure."""

    valid_from = MonthField(
        label=ScoreScheme._meta.get_field("valid_from").verbose_name
    )

    class Meta:
        model = ScoreScheme
        help_texts = {"note": gettext_lazy("A scheme of the same month is replaced.")}
        fields = ["valid_from", "excellent", "met", "watch", "note"]

    def __init__(self, data: Any, *, last: ScoreScheme | None) -> None:
        next_month = add_months(localdate(), 1)
        names = ("excellent", "met", "watch")
        initial = {name: getattr(last, name) for name in names} if last else {}
        super().__init__(data, initial=initial | {"valid_from": next_month})
        known = {part.measure: part for part in last.parts.all()} if last else {}
        for name, measure in MEASURES.items():
            for what, low, high in (
                ("weight", 0, 100),
                ("floor", 0, 1_000_000),
                ("target", 0, 1_000_000),
            ):
                self.fields[f"{name}_{what}"] = forms.DecimalField(
                    label=f"{measure.label}: {PART_WORDS[what]}",
                    min_value=low,
                    max_value=high,
                    decimal_places=2,
                    initial=getattr(known[name], what) if name in known else 0,
                )

    def validate_unique(self) -> None:
        """One of the same month is replaced."""

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        first = cleaned.get("valid_from")
        if first and first < localdate().replace(day=1):
            message = _("A scheme begins with this month or a later one.")
            self.add_error("valid_from", message)
        lines = [cleaned.get(name) for name in ("excellent", "met", "watch")]
        if None not in lines and not lines[0] > lines[1] > lines[2]:
            self.add_error("met", _("The lines must fall from one band to the next."))
        weights = [cleaned.get(f"{name}_weight") for name in MEASURES]
        if None not in weights and sum(weights) != 100:
            message = _("The weights add up to %(sum)s, not to 100.")
            self.add_error(None, message % {"sum": sum(weights)})
        for name in MEASURES:
            self._check_direction(name, cleaned)
        return cleaned

    def _check_direction(self, name: str, cleaned: dict) -> None:
        is_low_good = MEASURES[name].is_low_good
        floor, target = cleaned.get(f"{name}_floor"), cleaned.get(f"{name}_target")
        if floor is None or target is None:
            return
        if floor == target:
            message = _("Floor and target are the same.")
            self.add_error(f"{name}_target", message)
        elif (floor > target) is not is_low_good:
            message = _("The wrong way round: little would earn more than much.")
            if is_low_good:
                message = _("The wrong way round: little is good here.")
            self.add_error(f"{name}_target", message)

    def parts(self) -> list[ScorePart]:
        return [
            ScorePart(
                measure=name,
                **{what: self.cleaned_data[f"{name}_{what}"] for what in PART_WORDS},
            )
            for name in MEASURES
        ]

    def rows(self) -> list[tuple[Any, list[Any]]]:
        """(label of the measure, its three fields)."""
        return [
            (measure.label, [self[f"{name}_{what}"] for what in PART_WORDS])
            for name, measure in MEASURES.items()
        ]
