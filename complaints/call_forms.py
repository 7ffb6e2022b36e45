"""The form of a call, and what else an agent types."""

from functools import cache
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from complaints.kinds import (
    NEEDS_ADDRESS,
    NEEDS_ITEM,
    WITHOUT_CATEGORY,
    Channel,
    Group,
    Kind,
    Mood,
    Party,
    Scope,
    Severity,
)
from complaints.models import Call, Category
from crm import text

TAKEN_BY_PEOPLE = [c for c in Channel.choices if c[0] != Channel.SYSTEM]
EMPTY = [("", "—")]


@cache
def _keys(label: Any) -> tuple[str, ...]:
    """What finds a label whatever the page's language: its own words, pinyin, initials."""
    with override("zh-hans"):
        chinese = str(label)
    with override("en"):
        english = str(label).lower()
    return (chinese, *text.pinyin_of(chinese, is_name=False), english)


class CategorySelect(forms.Select):
    """Each option carries what finds it: its code, pinyin, initials and class."""

    def create_option(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(*args, **kwargs)
        row = getattr(option["value"], "instance", None)
        if row is not None:
            words = (row.code, row.initials, row.pinyin, row.name_zh, row.aliases)
            group = _keys(Group(row.group).label)
            option["attrs"]["data-keys"] = " ".join((*words, row.name.lower(), *group))
        return option


class KindSelect(forms.Select):
    """Types by their initials too: ts → 投诉."""

    def create_option(
        self, name: str, value: Any, label: Any, *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        option = super().create_option(name, value, label, *args, **kwargs)
        option["attrs"]["data-keys"] = " ".join((*_keys(label), str(value)))
        needs = (
            ("subcategory", value not in WITHOUT_CATEGORY),
            ("item_no", value in NEEDS_ITEM),
            ("new_address", value in NEEDS_ADDRESS),
        )
        option["attrs"]["data-needs"] = " ".join(n for n, wanted in needs if wanted)
        return option


def _combo(extra: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"data-combo": True, **(extra or {})}


def check_kind(form: forms.Form, typed: dict[str, Any]) -> None:
    """What a type asks for besides its words: a category, an item."""
    kind, sound = typed.get("kind"), set(form.fields) - set(form.errors)
    wants_category = kind and kind not in WITHOUT_CATEGORY
    if wants_category and not typed.get("subcategory") and "subcategory" in sound:
        form.add_error("subcategory", _("Choose what went wrong."))
    if kind in NEEDS_ITEM and not typed.get("item_no") and "item_no" in sound:
        form.add_error("item_no", _("Which item? Nothing can be done without it."))


class CallForm(forms.Form):
    """What the agent types while the caller speaks, in the order of speaking."""

    phone = forms.CharField(
        label=gettext_lazy("Caller's phone"),
        max_length=30,
        widget=forms.TextInput(
            attrs={
                "type": "tel",
                "class": "input-lg",
                "autocomplete": "off",
                "data-hotkey": "F2",
            }
        ),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Type"),
        choices=Kind.choices,
        initial=Kind.COMPLAINT,
        widget=KindSelect(attrs=_combo({"data-hotkey": "F3"})),
    )
    subcategory = forms.ModelChoiceField(
        label=gettext_lazy("Category"),
        queryset=Category.objects.none(),
        required=False,
        empty_label="—",
        widget=CategorySelect(attrs=_combo({"data-hotkey": "F4"})),
    )
    item_no = forms.CharField(
        label=gettext_lazy("Item number"),
        max_length=30,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "data-upper": True}),
    )
    description = forms.CharField(
        label=gettext_lazy("What happened"),
        max_length=4000,
        min_length=5,
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    new_address = forms.CharField(
        label=gettext_lazy("New address and recipient"), max_length=200, required=False
    )
    demand = forms.CharField(
        label=gettext_lazy("What the customer wants"), max_length=300, required=False
    )
    mood = forms.ChoiceField(
        label=gettext_lazy("Mood"), choices=EMPTY + Mood.choices, required=False
    )
    caller_name = forms.CharField(
        label=gettext_lazy("Caller's name"), max_length=60, required=False
    )
    party = forms.ChoiceField(
        label=gettext_lazy("The caller is"),
        choices=EMPTY + Party.choices,
        required=False,
    )
    channel = forms.ChoiceField(
        label=gettext_lazy("Channel"), choices=TAKEN_BY_PEOPLE, initial=Channel.HOTLINE
    )
    scope = forms.ChoiceField(
        label=gettext_lazy("Way of the item"),
        choices=EMPTY + Scope.choices,
        required=False,
    )
    severity = forms.ChoiceField(
        label=gettext_lazy("Severity"),
        choices=[("", gettext_lazy("by category")), *Severity.choices],
        required=False,
    )
    customer = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["subcategory"]
        field.queryset = Category.objects.filter(is_active=True)

    def clean_phone(self) -> str:
        normal = text.normalise_phone(self.cleaned_data["phone"])
        if not normal:
            raise forms.ValidationError(
                _("This is not a phone number. Write 13800138000 or 027-82345678.")
            )
        return normal

    def clean_item_no(self) -> str:
        """As printed: capitals, no blanks. Another carrier's number is kept: people ask."""
        return "".join(self.cleaned_data["item_no"].split()).upper()

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        check_kind(self, typed)
        if typed.get("kind") not in NEEDS_ADDRESS:
            typed["new_address"] = ""
        elif not typed.get("new_address") and "new_address" not in self.errors:
            self.add_error("new_address", _("Where is it to go instead?"))
        return typed

    def facts(self) -> dict[str, Any]:
        """What create_complaint takes, beside caller and customer."""
        names = ("kind", "subcategory", "item_no", "demand", "mood", "caller_name")
        more = ("party", "channel", "scope", "severity", "new_address")
        found = {name: self.cleaned_data[name] for name in (*names, *more)}
        if not found["severity"]:
            del found["severity"]
        return found


class SeatForm(forms.Form):
    extension = forms.RegexField(
        label=gettext_lazy("Extension"),
        regex=r"^[0-9*#]{2,12}$",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )


class WrapUpForm(forms.Form):
    """How the call ended: one key."""

    wrap_up = forms.ChoiceField(
        label=gettext_lazy("How the call ended"),
        choices=Call.WrapUp.choices,
        widget=forms.RadioSelect,
    )
