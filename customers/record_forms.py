"""Forms of a customer's record and of the rows that hang on it."""

from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.core import signing
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm import text
from crm.access.models import Posting, User
from crm.access.scoping import offices_of
from crm.numbers import mask_id_number, valid_credit_code, valid_id_number
from customers.models import Customer

SHOWN_SALT = "customers.shown"


def clean_phone(number: str) -> str:
    """The number as typed, or a ValidationError when it is none."""
    normal = text.normalise_phone(number)
    if number and (not normal or normal in text.SHORT_NUMBERS):
        raise forms.ValidationError(_("This is not a phone number."))
    return number


class PhoneField(forms.CharField):
    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", gettext_lazy("Phone"))
        attrs = {"type": "tel", "autocomplete": "off"}
        super().__init__(
            max_length=30,
            widget=forms.TextInput(attrs=attrs),
            validators=[clean_phone],
            **kwargs,
        )


def managers_of(office_path: str) -> Any:
    """Users posted as customer managers at or above an office."""
    posts = Posting.objects.in_force(localdate()).filter(role="manager")
    posts = posts.select_related("office")
    ids = [p.user_id for p in posts if office_path.startswith(p.office.path)]
    return User.objects.filter(pk__in=ids, is_active=True).order_by("full_name")


class CustomerForm(forms.ModelForm):
    """The record. Values that its reader sees masked stay unless something else is typed.

    `shown` carries, signed, what the form was filled with: only what differs from it is
    written, so that two people changing different fields do not undo each other.
    """

    aliases = SimpleArrayField(
        forms.CharField(max_length=60),
        label=gettext_lazy("Also called"),
        required=False,
        max_length=10,
        help_text=gettext_lazy("Short names, separated by commas."),
    )
    id_number = forms.CharField(
        label=gettext_lazy("ID number"), max_length=18, required=False
    )
    household_name = forms.CharField(
        label=gettext_lazy("Household"), max_length=60, required=False
    )
    parent_code = forms.CharField(
        label=gettext_lazy("Code of the parent customer"), max_length=40, required=False
    )
    shown = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Customer
        fields = [
            "kind",
            "segment",
            "name",
            "aliases",
            "credit_code",
            "nature",
            "industry",
            "size",
            "is_headquarters",
            "strategic_class",
            "is_potential_key_account",
            "source",
            "legal_basis",
            "membership",
            "signing_habit",
            "service_plan",
            "list_state",
            "manager",
            "assistant",
        ]

    def __init__(self, *args: Any, by: User, may_assign: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by = by
        row = self.instance
        self.fields["name"].required = True
        if row.pk is None or not may_assign:
            del self.fields["manager"], self.fields["assistant"]
        else:
            people = managers_of(row.office.path)
            for name in ("manager", "assistant"):
                self.fields[name].queryset = people
                self.fields[name].required = False
        self.masked = {}
        if row.pk:
            self.masked = {
                "name": row.name_for(by),
                "aliases": ",".join(row.aliases_for(by)),
                "id_number": mask_id_number(row.id_number),
            }
            self.initial |= self.masked
            self.initial["household_name"] = row.household.name if row.household else ""
            self.initial["parent_code"] = row.parent.code if row.parent else ""
            kept = {
                name: _plain(self.initial.get(name))
                for name in self.fields
                if name != "shown"
            }
            kept["version"] = row.version
            self.initial["shown"] = signing.dumps(kept, salt=SHOWN_SALT)

    def clean_credit_code(self) -> str:
        code = self.cleaned_data["credit_code"].upper()
        valid_credit_code(code)
        return code

    def clean_id_number(self) -> str:
        number = self.cleaned_data["id_number"].upper()
        if number and number != self.masked.get("id_number"):
            valid_id_number(number)
        return number

    def clean_parent_code(self) -> str:
        code = self.cleaned_data["parent_code"]
        if not code:
            return ""
        found = Customer.objects.visible_to(self.by).filter(code=code)
        found = found.exclude(pk=self.instance.pk)
        self.parent = found.first()
        if self.parent is None:
            raise forms.ValidationError(_("No customer that you see has this code."))
        return code

    def clean_shown(self) -> dict:
        if self.instance.pk is None:
            return {}
        try:
            return signing.loads(self.cleaned_data["shown"], salt=SHOWN_SALT)
        except signing.BadSignature as error:
            raise forms.ValidationError(
                _("The form was altered on its way. Open it anew.")
            ) from error

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        row = self.instance
        if self.masked and cleaned.get("kind") != row.kind:
            hidden = self.masked["name"] != (row.name or row.code)
            if hidden and cleaned.get("name") == self.masked["name"]:
                # SECURITY: a firm's name is not masked: nobody turns a person into one to read it.
                message = _("Type the whole name to change the kind.")
                self.add_error("kind", message)
        manager, assistant = cleaned.get("manager"), cleaned.get("assistant")
        if assistant and assistant == manager:
            self.add_error("assistant", _("Main and assistant manager are two people."))
        return cleaned

    def _post_clean(self) -> None:
        """The form never writes into the instance: services do."""

    def changed(self) -> dict[str, Any]:
        """Field → typed value, of those that differ from what the form had shown."""
        shown = self.cleaned_data["shown"]
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if name != "shown" and _plain(value) != shown.get(name, "")
        }


def _plain(value: Any) -> Any:
    value = getattr(value, "pk", value)
    if isinstance(value, list | tuple):
        return ",".join(value)
    return "" if value is None else value


class NewCustomerForm(CustomerForm):
    """A new record with its first phone and address."""

    office = forms.ModelChoiceField(queryset=None, label=gettext_lazy("Office"))
    code = forms.CharField(
        label=gettext_lazy("Customer code"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("Left empty, a code is given."),
    )
    phone = PhoneField(required=False)
    address = forms.CharField(
        label=gettext_lazy("Address"), max_length=200, required=False
    )
    field_order = ["office", "kind", "name", "phone", "segment", "address"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = ("agent", "manager", "supervisor")
        self.fields["office"].queryset = offices_of(self.by, *roles)
        self.initial.setdefault("office", self.by.posts(*roles)[0].office)
        self.fields["name"].widget.attrs["autofocus"] = True


class LikelyForm(forms.Form):
    """What is typed so far, to look for duplicates: nothing is required."""

    name = forms.CharField(required=False, max_length=120)
    kind = forms.ChoiceField(required=False, choices=Customer.Kind.choices)
    phone = forms.CharField(required=False, max_length=30)
    credit_code = forms.CharField(required=False, max_length=18)
    id_number = forms.CharField(required=False, max_length=18)
