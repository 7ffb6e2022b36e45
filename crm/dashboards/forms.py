"""The board's question: which office, which two periods."""

from datetime import date
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q, Subquery
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.access.capabilities import may
from crm.access.models import User
from crm.access.scoping import offices_of
from crm.dashboards.periods import Kind, last_ended, span_of
from crm.dashboards.reckoned import KPIS
from crm.dashboards.registry import GROUPS
from crm.dashboards.retention import default_periods
from crm.dashboards.targets import GRIDS
from crm.org.models import Office
from customers.queries import FIRST_YEAR, LAST_YEAR, Period

YEARS = [
    MinValueValidator(date(FIRST_YEAR, 1, 1)),
    MaxValueValidator(date(LAST_YEAR, 12, 31)),
]
DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class BoardForm(forms.Form):
    office = forms.ModelChoiceField(
        queryset=None,
        to_field_name="code",
        label=gettext_lazy("Office"),
        empty_label=None,
    )
    base_first = forms.DateField(
        label=gettext_lazy("Base period from"), widget=DATE, validators=YEARS
    )
    base_last = forms.DateField(
        label=gettext_lazy("Base period to"), widget=DATE, validators=YEARS
    )
    current_first = forms.DateField(
        label=gettext_lazy("Current period from"), widget=DATE
    )
    current_last = forms.DateField(
        label=gettext_lazy("Current period to"), widget=DATE, validators=YEARS
    )

    def __init__(self, data, *, by: User) -> None:
        self.by = by
        offices = offices_of(by, "supervisor", "analyst")
        base, current = default_periods()
        known = {"office": offices.values_list("code", flat=True).first()}
        known |= {"base_first": base.first, "base_last": base.last}
        known |= {"current_first": current.first, "current_last": current.last}
        given = {name: data[name] for name in known if data.get(name)}
        super().__init__({**known, **given})
        self.fields["office"].queryset = offices

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        for name in ("base", "current"):
            first, last = cleaned.get(f"{name}_first"), cleaned.get(f"{name}_last")
            if first and last and last < first:
                self.add_error(f"{name}_last", _("The period ends before it begins."))
            elif first and last:
                cleaned[name] = Period(first, last)
        base, current = cleaned.get("base"), cleaned.get("current")
        if not may(self.by, "kpi.drill"):  # one day could single a customer out
            for name, period in (("base", base), ("current", current)):
                if period and not period.is_whole_months:
                    self.add_error(f"{name}_first", _("Choose whole months."))
        if base and current and current.first <= base.last:
            self.add_error(
                "current_first", _("The current period must begin after the base.")
            )
        return cleaned


def near(offices: Any, chosen: str = "") -> list[Office]:
    """The offices to choose from: the two highest levels of one's own, and the chosen one;
    those below are reached by their rows. One query, however many there are."""
    top = offices.order_by("depth").values("depth")[:1]
    named = Q(code=chosen.replace("\0", ""))
    return list(offices.filter(Q(depth__lte=Subquery(top) + 1) | named))


class OfficeField(forms.ChoiceField):
    """One of the offices that are offered, by its code; no query of its own."""

    units: dict[str, Office]

    def offer(self, units: list[Office]) -> None:
        self.units = {unit.code: unit for unit in units}
        self.choices = [(code, str(unit)) for code, unit in self.units.items()]

    def clean(self, value: Any) -> Office:
        return self.units[super().clean(value)]


SHORT = (Kind.DAY, Kind.WEEK, Kind.TEN_DAYS)


class FiguresForm(forms.Form):
    """Which office, which kind of period, and a day that lies in it."""

    office = OfficeField(label=gettext_lazy("Office"))
    kind = forms.ChoiceField(label=gettext_lazy("Period"), choices=Kind.choices)
    day = forms.DateField(
        label=gettext_lazy("with the day"), widget=DATE, validators=YEARS
    )

    def __init__(self, data: Any, *, by: User) -> None:
        self.by = by
        self.offices = offices = offices_of(by, "supervisor", "analyst")
        kind = data.get("kind") or Kind.MONTH
        units = near(offices, data.get("office", ""))
        known = {
            "office": units[0].code if units else "",
            "kind": kind,
            "day": last_ended(kind, localdate()).last if kind in Kind else "",
        }
        given = {name: data[name] for name in known if data.get(name)}
        super().__init__({**known, **given})
        self.fields["office"].offer(units)

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        if cleaned.get("kind") in SHORT and not may(self.by, "kpi.drill"):
            self.add_error(
                "kind", _("Choose whole months.")
            )  # a day could name somebody
        if cleaned.get("kind") and cleaned.get("day"):
            cleaned["span"] = span_of(cleaned["kind"], cleaned["day"])
        return cleaned


class StandingForm(FiguresForm):
    """Which workbook is wanted again and again: any office, any kind of period."""

    def __init__(self, data: Any, *, by: User) -> None:
        super().__init__(data, by=by)
        del self.fields["day"]


class GridForm(forms.Form):
    """Which KPI's targets, of which office and those below it, for which year."""

    kpi = forms.ChoiceField(label=gettext_lazy("Figure"))
    office = OfficeField(label=gettext_lazy("Office"))
    kind = forms.ChoiceField(label=gettext_lazy("Period"))
    year = forms.IntegerField(
        label=gettext_lazy("Year"), min_value=FIRST_YEAR, max_value=LAST_YEAR
    )

    def __init__(self, data: Any, *, by: User) -> None:
        offices = offices_of(by, "supervisor")
        known = {
            "kpi": KPIS[0].name,
            "office": offices.values_list("code", flat=True).first(),
            "kind": Kind.MONTH.value,
            "year": localdate().year,
        }
        given = {name: data[name] for name in known if data.get(name)}
        super().__init__({**known, **given})
        self.fields["office"].offer(near(offices, given.get("office", "")))
        self.fields["kpi"].choices = [
            (label, [(kpi.name, kpi.label) for kpi in KPIS if kpi.group == group])
            for group, label in GROUPS.items()
        ]
        self.fields["kind"].choices = [(kind.value, kind.label) for kind in GRIDS]


class CostForm(forms.Form):
    """Whose service costs, of which year."""

    office = OfficeField(label=gettext_lazy("Office"))
    year = forms.IntegerField(
        label=gettext_lazy("Year"), min_value=FIRST_YEAR, max_value=LAST_YEAR
    )

    def __init__(self, data: Any, *, by: User) -> None:
        offices = offices_of(by, "supervisor", "finance")
        units = near(offices, data.get("office", ""))
        known = {
            "office": units[0].code if units else "",
            "year": localdate().year,
        }
        given = {name: data[name] for name in known if data.get(name)}
        super().__init__({**known, **given})
        self.fields["office"].offer(units)
