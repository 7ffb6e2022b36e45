"""Forms of lists, print runs, the draw."""

from typing import Any

from django import forms
from django.utils.timezone import localdate
from django.utils.translation import gettext_lazy, pgettext_lazy

from campaigns.models import CardOrder, CheckedAddress, PrizeDraw, PrizeLevel, Win
from customers.models import RecipientList
from delivery.quality.forms import bounded, day
from delivery.visit_forms import DAY


class ListForm(forms.Form):
    recipients = forms.ModelChoiceField(
        label=gettext_lazy("Recipient list"), queryset=RecipientList.objects.none()
    )

    def __init__(self, data: Any, *, order: CardOrder, user: Any) -> None:
        super().__init__(data, initial={"recipients": order.recipients_id})
        rows = RecipientList.objects.visible_to(user).filter(
            customer=order.customer, closed_at=None
        )
        self.fields["recipients"].queryset = rows


class RunForm(forms.Form):
    group = forms.RegexField(
        r"^[0-9A-Z]*$",
        label=gettext_lazy("Group"),
        max_length=10,
        required=False,
        help_text=gettext_lazy("As the stock is numbered; empty where it has none."),
    )
    first = forms.CharField(
        label=gettext_lazy("First number"),
        max_length=12,
        help_text=gettext_lazy(
            "Of the stock that is printed on; zeros in front count."
        ),
    )
    doubtful_confirmed = forms.BooleanField(
        label=gettext_lazy(
            "The customer has confirmed the doubtful addresses (class C)"
        ),
        required=False,
    )
    without_blocked = forms.BooleanField(
        label=gettext_lazy("Print without the blocked addresses (class D)"),
        required=False,
    )


class HandOverForm(forms.Form):
    on = day(gettext_lazy("Handed over on"))
    is_presorted = forms.BooleanField(
        label=gettext_lazy("sorted before hand-over"), required=False
    )
    saved_hours = forms.DecimalField(
        label=gettext_lazy("hours saved by sorting"),
        min_value=0,
        max_value=240,
        max_digits=6,
        decimal_places=1,
        required=False,
    )


class JudgeForm(forms.Form):
    code = forms.ChoiceField(
        label=gettext_lazy("Result"), choices=CheckedAddress.Code.choices
    )
    note = forms.CharField(label=gettext_lazy("Note"), max_length=120, required=False)


class DrawForm(forms.ModelForm):
    class Meta:
        model = PrizeDraw
        fields = [
            *("drawn_on", "source", "redeem_from", "redeem_until", "place"),
            *("documents", "allows_several"),
        ]
        widgets = dict.fromkeys(("drawn_on", "redeem_from", "redeem_until"), DAY)

    def __init__(self, data: Any = None, **facts: Any) -> None:
        super().__init__(data, **facts)
        bounded(self, "drawn_on", "redeem_from", "redeem_until")


class LevelForm(forms.ModelForm):
    class Meta:
        model = PrizeLevel
        fields = ["rank", "name", "prize", "mode", "digits"]


class NumbersForm(forms.Form):
    numbers = forms.CharField(
        label=gettext_lazy("Winning numbers"),
        max_length=6000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=gettext_lazy("One a line; with groups: group, space, number."),
    )


class WinFilter(forms.Form):
    WHICH = (
        ("", pgettext_lazy("win", "All")),
        ("recipient", pgettext_lazy("win", "Recipient not told")),
        ("customer", pgettext_lazy("win", "Sender not told")),
        ("open", pgettext_lazy("win", "Not claimed")),
        ("claimed", pgettext_lazy("win", "Claimed")),
    )
    which = forms.ChoiceField(choices=WHICH, required=False)


class ToldForm(forms.Form):
    """What is done with the wins that are ticked."""

    wins = forms.ModelMultipleChoiceField(queryset=Win.objects.none())
    whom = forms.ChoiceField(choices=[("recipient", ""), ("customer", "")])
    way = forms.ChoiceField(choices=Win.Way.choices)

    def __init__(self, data: Any, *, wins: Any) -> None:
        super().__init__(data)
        self.fields["wins"].queryset = wins


class ClaimForm(forms.Form):
    on = day(gettext_lazy("Handed out on"))

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, initial={"on": localdate()})
