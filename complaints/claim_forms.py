"""Forms of claims, findings and units that help."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from complaints import claims
from complaints.compensation import Mail, Missing, suggest
from complaints.form_parts import office_named, user_named
from complaints.models import Claim, Finding
from crm.access.models import User
from crm.org.models import Office

OFFICE = {"list": "offices", "autocomplete": "off"}


class ClaimForm(forms.ModelForm):
    """What happened to the item; the amount stays empty for what the rule gives."""

    amount = forms.DecimalField(
        label=gettext_lazy("Amount, if not by the rule"),
        required=False,
        min_value=Decimal(0),
        max_digits=12,
        decimal_places=2,
    )

    class Meta:
        model = Claim
        fields = [
            "regime",
            "mail",
            "damage",
            "postage",
            "loss",
            "insured",
            "total",
            "declared",
            "excuse",
            "amount",
            "reason",
            "is_advance",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("mail", Mail.RECORDED)
        for name in ("postage", "loss", "insured", "total", "declared"):
            self.fields[name].validators.append(MinValueValidator(0))

    def clean(self) -> dict[str, Any]:
        """Reckons on the way: what the rule needs is asked for beside its field."""
        typed = super().clean() or {}
        if not self.errors:
            try:
                self.suggestion = suggest(claims.case_of(typed))
            except Missing as missing:
                self.add_error(missing.field, _("The rule needs this value."))
            else:
                amount = typed.get("amount")
                is_other = amount is not None and amount != self.suggestion.amount
                if is_other and not typed.get("reason"):
                    self.add_error("reason", _("Say why it differs from the rule."))
        return typed

    def _post_clean(self) -> None:
        """Not a row yet: the service makes it, the database checks it."""


class DecisionForm(forms.Form):
    decision = forms.CharField(
        label=gettext_lazy("Why"), max_length=300, required=False
    )


class PayForm(forms.Form):
    voucher = forms.CharField(label=gettext_lazy("Voucher"), max_length=40)


class RecoverForm(forms.Form):
    amount = forms.DecimalField(
        label=gettext_lazy("Recovered, yuan"),
        min_value=Decimal("0.01"),
        max_digits=12,
        decimal_places=2,
    )
    office = forms.CharField(
        label=gettext_lazy("From (code or name)"),
        max_length=60,
        widget=forms.TextInput(attrs=OFFICE),
    )

    def clean_office(self) -> Office | None:
        return office_named(self.cleaned_data["office"])


class FindingForm(forms.ModelForm):
    office = forms.CharField(
        label=gettext_lazy("Unit (code or name)"),
        max_length=60,
        widget=forms.TextInput(attrs=OFFICE),
    )
    user = forms.CharField(
        label=gettext_lazy("Person (user name, may stay empty)"),
        max_length=60,
        required=False,
    )

    class Meta:
        model = Finding
        fields = ["basis", "office", "team", "user", "share", "note"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("share", 100)
        share = self.fields["share"]
        share.validators += [MinValueValidator(1), MaxValueValidator(100)]

    def clean_office(self) -> Office | None:
        return office_named(self.cleaned_data["office"])

    def clean_user(self) -> User | None:
        return user_named(self.cleaned_data["user"])

    def _post_clean(self) -> None:
        """Not a row yet: the service makes it."""


class WordsForm(forms.Form):
    text = forms.CharField(
        label=gettext_lazy("Why"),
        min_length=2,
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class HelpForm(forms.Form):
    office = forms.CharField(
        label=gettext_lazy("Unit (code or name)"),
        max_length=60,
        widget=forms.TextInput(attrs=OFFICE),
    )
    request = forms.CharField(
        label=gettext_lazy("What is asked"), min_length=2, max_length=300
    )

    def clean_office(self) -> Office | None:
        return office_named(self.cleaned_data["office"])


class RateForm(forms.Form):
    rating = forms.TypedChoiceField(
        choices=[(n, str(n)) for n in range(1, 6)], coerce=int
    )
