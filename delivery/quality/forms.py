"""Questions to the figures and lists of delivery quality."""

import re
from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from crm.access.scoping import offices_of
from customers.queries import FIRST_YEAR, LAST_YEAR
from customers.seasons import month_span
from delivery.models import (
    DeliveryStandard,
    Disturbance,
    PickupLine,
    PickupSheet,
    PremiumRoute,
)
from delivery.quality.figures import Span
from delivery.quality.which import CHOICES

MOST_DAYS = 400
BOUNDS = [
    MinValueValidator(date(FIRST_YEAR, 1, 1)),
    MaxValueValidator(date(LAST_YEAR, 12, 31)),
]


def day(label: Any, *, required: bool = True) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(
        label=label, widget=widget, validators=BOUNDS, required=required
    )


def bounded(form: forms.BaseForm, *names: str) -> None:
    """Days that the calendars know, where a form's fields come from its model."""
    for name in names:
        form.fields[name].validators += BOUNDS


class OfficeForm(forms.Form):
    """Which office; what is not asked stands at `usual()`."""

    office = forms.ModelChoiceField(
        queryset=None,
        to_field_name="code",
        label=gettext_lazy("Office"),
        empty_label=None,
    )

    def __init__(self, data: Any, *, by: Any, roles: tuple[str, ...]) -> None:
        offices = offices_of(by, *roles)
        units = list(offices)  # COST: asked once for the default and the choices
        top = min((unit.depth for unit in units), default=1)
        known = {"office": units[0].code if units else ""} | self.usual()
        given = {name: data[name] for name in self.base_fields if data.get(name)}
        super().__init__({**known, **given})
        self.fields["office"].queryset = offices
        # Two levels to choose from; those below are reached by their rows.
        self.fields["office"].choices = [
            (unit.code, str(unit))
            for unit in units
            if unit.depth <= top + 1 or unit.code == given.get("office")
        ]

    def usual(self) -> dict[str, str]:
        return {}


class ProductForm(OfficeForm):
    product = forms.CharField(
        label=gettext_lazy("Product"),
        max_length=20,
        required=False,
        widget=forms.TextInput(attrs={"size": 6}),
    )


class SpanForm(ProductForm):
    """Which office, which days of acceptance, which product."""

    since = day(gettext_lazy("Days from"))
    until = day(gettext_lazy("to"))
    field_order = ["office", "since", "until", "product"]

    def usual(self) -> dict[str, str]:
        first, last = month_span(localdate().replace(day=1) - timedelta(days=1))
        return {"since": f"{first}", "until": f"{last}"}

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        first, last = cleaned.get("since"), cleaned.get("until")
        if first and last and last < first:
            self.add_error("until", _("The period ends before it begins."))
        elif first and last and (last - first).days > MOST_DAYS:
            message = _("At most %(days)s days.") % {"days": MOST_DAYS}
            self.add_error("until", message)
        return cleaned

    @property
    def span(self) -> Span:
        found = self.cleaned_data
        return Span(found["since"], found["until"], found["product"])

    @property
    def address(self) -> str:
        """The question as a link carries it: explicit days, never "last month"."""
        found = self.cleaned_data
        whole = f"office={found['office'].code}&since={found['since']}&until={found['until']}"
        return whole + (f"&product={found['product']}" if found["product"] else "")


class ItemFilter(SpanForm):
    which = forms.ChoiceField(
        label=gettext_lazy("Which"), choices=CHOICES, required=False
    )
    from_region = forms.CharField(required=False, max_length=40)
    to_region = forms.CharField(required=False, max_length=40)
    courier = forms.CharField(required=False, max_length=40)


class StandardForm(forms.ModelForm):
    class Meta:
        model = DeliveryStandard
        fields = [
            *("product", "relation", "valid_from", "valid_until", "mode", "limit"),
            *("cut_off", "first_days", "first_share", "max_days", "max_share"),
            *("lost_days", "target", "attempts", "gap_hours", "opens", "closes"),
            "source",
        ]
        widgets = {
            "valid_from": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
            "valid_until": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
            **{
                name: forms.TimeInput(format="%H:%M", attrs={"type": "time"})
                for name in ("cut_off", "opens", "closes")
            },
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        bounded(self, "valid_from", "valid_until")

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        first, last = cleaned.get("valid_from"), cleaned.get("valid_until")
        if first and last and last < first:
            self.add_error("valid_until", _("This day lies before the first."))
        low, high = cleaned.get("first_days"), cleaned.get("max_days")
        if (low is None) is not (high is None):
            missing = "first_days" if low is None else "max_days"
            self.add_error(missing, _("Both steps, or neither."))
        elif low is not None and high is not None and high < low:
            self.add_error("max_days", _("The second step is not below the first."))
        if first and "product" in cleaned and "relation" in cleaned:
            self._refuse_overlap(cleaned, first, last)
        opens, closes = cleaned.get("opens"), cleaned.get("closes")
        if opens and closes and closes <= opens:
            self.add_error("closes", _("The window ends before it begins."))
        return cleaned

    def _refuse_overlap(self, cleaned: dict, first: date, last: date | None) -> None:
        others = DeliveryStandard.objects.filter(
            product=cleaned["product"], relation=cleaned["relation"]
        ).exclude(pk=self.instance.pk)
        others = others.exclude(valid_until__lt=first)
        if last:
            others = others.exclude(valid_from__gt=last)
        if other := others.first():
            message = _("Another one holds from %(day)s on: end that one first.")
            self.add_error("valid_from", message % {"day": other.valid_from})


class RouteForm(forms.ModelForm):
    class Meta:
        model = PremiumRoute
        fields = ["name", "from_region", "to_region", "target", "most_cv"]


class OrderFilter(SpanForm):
    class Which(models.TextChoices):
        DUE = "due", pgettext_lazy("pickup", "Due")
        TIMELY = "timely", pgettext_lazy("pickup", "In time")
        MISSED = "missed", pgettext_lazy("pickup", "Not in time")
        CALLED = "called", pgettext_lazy("pickup", "The customer was asked")
        CANCELLED = "cancelled", pgettext_lazy("pickup", "Cancelled before")

    which = forms.ChoiceField(
        label=gettext_lazy("Which"), choices=Which.choices, required=False
    )


class SheetForm(forms.ModelForm):
    """The days and the settings of a new assessment; those of the last one stand there."""

    class Meta:
        model = PickupSheet
        fields = [
            *("office", "first", "last", "target", "excellent", "per_point"),
            *("rounding", "cap"),
        ]
        widgets = {
            name: forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
            for name in ("first", "last")
        }

    def __init__(self, data: Any, *, offices: Any, last: PickupSheet | None) -> None:
        first, until = month_span(localdate().replace(day=1) - timedelta(days=1))
        initial: dict[str, Any] = {"first": first, "last": until}
        names = ("target", "excellent", "per_point", "rounding", "cap")
        if last:
            initial |= {name: getattr(last, name) for name in names}
        super().__init__(data, initial=initial)
        bounded(self, "first", "last")
        self.fields["office"].queryset = offices.filter(numchild__gt=0)
        self.fields["office"].empty_label = None

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and last < first:
            self.add_error("last", _("The period ends before it begins."))
        elif last and last >= localdate():
            self.add_error("last", _("These days are not over yet."))
        target, excellent = cleaned.get("target"), cleaned.get("excellent")
        if target is not None and excellent is not None and excellent < target:
            self.add_error("excellent", _("This is below the line."))
        return cleaned


class BasesForm(forms.Form):
    """The performance pay of each unit below the line."""

    def __init__(self, data: Any, *, lines: list[PickupLine]) -> None:
        super().__init__(data)
        self.lines = lines
        for line in lines:
            self.fields[f"base_{line.pk}"] = forms.DecimalField(
                label=str(line.unit),
                max_digits=12,
                decimal_places=2,
                min_value=0,
                required=False,
                initial=line.base,
            )

    @property
    def bases(self) -> dict[int, Any]:
        return {line.pk: self.cleaned_data[f"base_{line.pk}"] for line in self.lines}

    def rows(self) -> list[tuple[PickupLine, Any]]:
        return [(line, self[f"base_{line.pk}"]) for line in self.lines]


class DisturbanceForm(forms.ModelForm):
    class Meta:
        model = Disturbance
        fields = [
            *(
                "office",
                "places",
                "first",
                "last",
                "cause",
                "note",
                "is_excusing",
                "sms",
            )
        ]
        widgets = {
            "sms": forms.Textarea(attrs={"rows": 3}),
            **{
                name: forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
                for name in ("first", "last")
            },
        }

    def __init__(self, data: Any, *, offices: Any) -> None:
        super().__init__(data, initial={"first": localdate(), "last": localdate()})
        bounded(self, "first", "last")
        self.fields["office"].queryset = offices
        self.fields["office"].empty_label = None

    def clean_places(self) -> list[str]:
        names = re.split("[,，、;；]", ",".join(self.cleaned_data["places"] or []))
        return [name.strip() for name in names if name.strip()]

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and last < first:
            self.add_error("last", _("The period ends before it begins."))
        elif first and last and (last - first).days > MOST_DAYS:
            message = _("At most %(days)s days.") % {"days": MOST_DAYS}
            self.add_error("last", message)
        elif last and last > localdate() + timedelta(days=30):
            self.add_error("last", _("This lies far ahead."))
        if cleaned.get("sms") and last and last < localdate():
            self.add_error("sms", _("It is over: nobody waits for such news."))
        return cleaned


class CapacityForm(forms.Form):
    pieces = forms.IntegerField(
        label=gettext_lazy("Items that can be handed out a day"),
        min_value=1,
        max_value=10_000_000,
        required=False,
        help_text=gettext_lazy("Empty: it is not known."),
    )
