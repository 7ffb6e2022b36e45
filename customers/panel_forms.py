"""Forms of the rows that hang on a customer: the panels' forms."""

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm import text
from crm.access.models import User
from customers.models import (
    ContactPerson,
    Contract,
    CorrectionRequest,
    Customer,
    CustomerAddress,
    CustomerPhone,
    ExternalId,
    Opportunity,
    RecipientList,
    ServicePoint,
    TimelineEntry,
)
from customers.models.choices import Purpose
from customers.record_forms import PhoneField

DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class PhoneForm(forms.ModelForm):
    number = PhoneField()

    class Meta:
        model = CustomerPhone
        fields = ["number", "type", "contact"]

    def for_customer(self, customer: Customer, user: User) -> None:
        """Only the customer's own persons, named as `user` may read them."""
        people = customer.contacts.select_related("customer__office")
        self.fields["contact"].queryset = people
        self.fields["contact"].label_from_instance = lambda row: row.name_for(user)


class AddressForm(forms.ModelForm):
    address = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=200,
        help_text=gettext_lazy("Province, city, county, road, number, room."),
    )

    class Meta:
        model = CustomerAddress
        fields = ["address", "postcode", "type", "source"]

    def clean_postcode(self) -> str:
        code = text.ascii_digits(self.cleaned_data["postcode"])
        if code and not (code.isdigit() and len(code) == 6):
            raise forms.ValidationError(_("A postcode has six digits."))
        return code


class ContactForm(forms.ModelForm):
    phone = PhoneField(required=False)
    email = forms.EmailField(
        label=gettext_lazy("E-mail"), required=False, max_length=120
    )

    class Meta:
        model = ContactPerson
        fields = [
            "name",
            "post",
            "email",
            "birthday_calendar",
            "birthday_month",
            "birthday_day",
            "is_leap_month",
            "remarks",
        ]

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        for name, most in (("birthday_month", 12), ("birthday_day", 31)):
            value = cleaned.get(name)
            if value is not None and not 1 <= value <= most:
                self.add_error(name, _("Between 1 and %(most)s.") % {"most": most})
        if not self.errors and bool(cleaned.get("birthday_month")) != bool(
            cleaned.get("birthday_day")
        ):
            self.add_error("birthday_day", _("A birthday has a month and a day."))
        return cleaned


class ExternalIdForm(forms.ModelForm):
    class Meta:
        model = ExternalId
        fields = ["system", "value"]


class ConsentForm(forms.Form):
    purpose = forms.ChoiceField(label=gettext_lazy("Purpose"), choices=Purpose.choices)
    how = forms.CharField(
        label=gettext_lazy("How it was given"),
        max_length=120,
        help_text=gettext_lazy("Paper of 1 March, call C-…, tick in the app, …"),
    )


class NoteForm(forms.Form):
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"), choices=TimelineEntry.Note.choices
    )
    text = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class PinForm(forms.ModelForm):
    class Meta:
        model = ServicePoint
        fields = ["text", "tone", "valid_until"]
        widgets = {"valid_until": DAY}


class CorrectionForm(forms.ModelForm):
    wanted = forms.CharField(
        label=gettext_lazy("How it should be"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    class Meta:
        model = CorrectionRequest
        fields = ["field", "wanted"]


class DecisionForm(forms.Form):
    applied = forms.TypedChoiceField(
        label=gettext_lazy("Decision"),
        choices=[
            ("yes", gettext_lazy("The record is put right")),
            ("no", gettext_lazy("Declined")),
        ],
        coerce=lambda value: value == "yes",
    )
    reply = forms.CharField(label=gettext_lazy("Reply"), max_length=200)


class OpportunityForm(forms.ModelForm):
    class Meta:
        model = Opportunity
        fields = ["title", "kind", "stage", "revenue", "due_on", "problems"]
        widgets = {"due_on": DAY}


class StageForm(forms.ModelForm):
    class Meta:
        model = Opportunity
        fields = ["stage", "due_on", "problems", "evaluation"]
        widgets = {"due_on": DAY}

    def _post_clean(self) -> None:
        """Only the typed values matter; the service writes them."""


class ContractForm(forms.ModelForm):
    credit_days = forms.IntegerField(
        label=gettext_lazy("Payment term in days"),
        min_value=0,
        max_value=3650,
        initial=30,
    )

    class Meta:
        model = Contract
        fields = [
            "number",
            "starts_on",
            "ends_on",
            "billing",
            "credit_days",
            "credit_limit",
            "price_terms",
            "has_safety_agreement",
        ]
        widgets = {"starts_on": DAY, "ends_on": DAY}

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        first, last = cleaned.get("starts_on"), cleaned.get("ends_on")
        if first and last and last < first:
            self.add_error("ends_on", _("It ends before it begins."))
        limit = cleaned.get("credit_limit")
        if limit is not None and limit < 0:
            self.add_error("credit_limit", _("This must not be negative."))
        return cleaned

    def _post_clean(self) -> None:
        """Checked above, beside the fields; constraints are the last line."""


TERMS = ("price_terms", "credit_days", "credit_limit", "has_safety_agreement")


class ContractChangeForm(forms.ModelForm):
    """Change the terms, end a contract early, or attach its scan."""

    credit_days = forms.IntegerField(
        label=gettext_lazy("Payment term in days"), min_value=0, max_value=3650
    )
    file = forms.FileField(
        label=gettext_lazy("Scan (PDF, JPEG, PNG)"),
        required=False,
        widget=forms.ClearableFileInput(attrs={"accept": ".pdf,.jpg,.jpeg,.png"}),
    )

    class Meta:
        model = Contract
        fields = [*TERMS, "ended_on"]
        widgets = {"ended_on": DAY}

    def clean_credit_limit(self):
        limit = self.cleaned_data["credit_limit"]
        if limit is not None and limit < 0:
            raise forms.ValidationError(_("This must not be negative."))
        return limit

    def _post_clean(self) -> None:
        """Only the typed values matter; the services write them."""


class RecipientListForm(forms.ModelForm):
    class Meta:
        model = RecipientList
        fields = ["name", "purpose", "agreement", "contract", "ends_on", "at_end"]
        widgets = {"ends_on": DAY}

    def for_customer(self, customer: Customer, user: User) -> None:
        self.fields["contract"].queryset = customer.contracts.all()
