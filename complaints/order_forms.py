"""One form for each action of the workflow that asks for more than a click."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.core import signing
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from complaints import texts
from complaints.call_forms import CategorySelect, KindSelect, check_kind
from complaints.form_parts import (
    ActionForm,
    moment,
    office_named,
    user_named,
    words,
)
from complaints.kinds import WITHOUT_CATEGORY, Kind
from complaints.models import Category, Complaint, Outcome
from crm.access.models import User
from crm.org.models import Office

LONGEST = timedelta(days=730)
SHOWN_SALT = "complaints.shown"


class NoteForm(ActionForm):
    note = words(gettext_lazy("Note"))


class PlainForm(ActionForm):
    """A click: the note may stay empty."""

    note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=2000)


class EmptyForm(ActionForm):
    pass


class ContactForm(ActionForm):
    how = forms.ChoiceField(label=gettext_lazy("How"), choices=Outcome.How.choices)
    at = moment(gettext_lazy("When"))
    note = words(gettext_lazy("What was said"))


class AnswerForm(ActionForm):
    text = words(gettext_lazy("What the customer was told"), least=5, rows=4)
    how = forms.ChoiceField(label=gettext_lazy("How"), choices=Outcome.How.choices)
    at = moment(gettext_lazy("When"))
    as_is = forms.BooleanField(
        label=gettext_lazy("These words are meant: keep them"),
        required=False,
        widget=forms.HiddenInput,
    )

    def clean(self) -> dict[str, Any]:
        """Phrases that no customer should read are shown once, with better ones."""
        typed = super().clean() or {}
        office = self.complaint.handling_office
        if texts.UNKNOWN in typed.get("text", ""):
            said = _("Fill in the gap %(gap)s.") % {"gap": texts.UNKNOWN}
            self.add_error("text", said)
        banned = texts.banned_in(typed.get("text", ""), office)
        if banned and not typed.get("as_is"):
            self.fields["as_is"].widget = forms.CheckboxInput()
            for row in banned:
                said = _("Not to a customer: “%(phrase)s”. Better: %(instead)s")
                shown = {"phrase": row.phrase, "instead": row.instead or "—"}
                self.add_error("text", said % shown)
        return typed

    def given(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("text", "how", "at")}


class AssignForm(ActionForm):
    """To any office; to a person by their user name."""

    office = forms.CharField(
        label=gettext_lazy("Office"),
        max_length=60,
        widget=forms.TextInput(attrs={"list": "offices", "autocomplete": "off"}),
        help_text=gettext_lazy("Code or name"),
    )
    owner = forms.CharField(
        label=gettext_lazy("Person (may stay empty)"),
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"list": "people", "autocomplete": "off"}),
    )
    note = words(gettext_lazy("Why"))

    def clean_office(self) -> Office | None:
        return office_named(self.cleaned_data["office"])

    def clean_owner(self) -> User | None:
        return user_named(self.cleaned_data["owner"])


class CheckForm(ActionForm):
    result = forms.ChoiceField(
        label=gettext_lazy("The customer is"),
        choices=[("", "—"), *Outcome.Check.choices],
    )
    satisfaction = forms.TypedChoiceField(
        label=gettext_lazy("Satisfaction, 5 is best"),
        choices=[("", "—"), *((n, str(n)) for n in range(5, 0, -1))],
        coerce=int,
        empty_value=None,
        required=False,
    )
    note = words(gettext_lazy("What they said"))


class ArchiveForm(ActionForm):
    """The finding; complaints and their like are closed with all of it or not at all."""

    liability = forms.ChoiceField(
        label=gettext_lazy("Liable"),
        choices=[("", "—"), *Outcome.Liability.choices],
        required=False,
    )
    liable_office = forms.CharField(
        label=gettext_lazy("Liable unit (code or name)"),
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"list": "offices", "autocomplete": "off"}),
    )
    liable_user = forms.CharField(
        label=gettext_lazy("Liable person (user name)"), max_length=60, required=False
    )
    liable_team = forms.CharField(
        label=gettext_lazy("Liable team"), max_length=40, required=False
    )
    cause = forms.ChoiceField(
        label=gettext_lazy("Root cause"),
        choices=[("", "—"), *Outcome.Cause.choices],
        required=False,
    )
    cause_note = forms.CharField(
        label=gettext_lazy("About the cause"), max_length=300, required=False
    )
    measure = forms.CharField(
        label=gettext_lazy("Corrective action"), max_length=300, required=False
    )
    measure_office = forms.CharField(
        label=gettext_lazy("Done by (code or name; empty: the liable unit)"),
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"list": "offices", "autocomplete": "off"}),
    )
    measure_owner = forms.CharField(
        label=gettext_lazy("Done by the person (may stay empty)"),
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"list": "people", "autocomplete": "off"}),
    )
    measure_due = forms.DateField(
        label=gettext_lazy("Done until (empty: 30 days)"),
        required=False,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )
    none_needed = forms.BooleanField(
        label=gettext_lazy("No corrective action is needed"), required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("liability", "cause"):
            self.fields[name].required = self.complaint.needs_finding

    def clean_liable_office(self) -> Office | None:
        return office_named(self.cleaned_data["liable_office"])

    def clean_liable_user(self) -> User | None:
        return user_named(self.cleaned_data["liable_user"])

    def clean_measure_office(self) -> Office | None:
        return office_named(self.cleaned_data["measure_office"])

    def clean_measure_owner(self) -> User | None:
        return user_named(self.cleaned_data["measure_owner"])

    def clean_measure_due(self) -> date | None:
        due = self.cleaned_data["measure_due"]
        if due and not localdate() <= due <= localdate() + LONGEST:
            raise forms.ValidationError(_("Between today and two years from now."))
        return due

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        named = {
            "unit": "liable_office",
            "person": "liable_user",
            "team": "liable_team",
        }
        wanted = named.get(typed.get("liability", ""))
        if wanted and not typed.get(wanted) and wanted not in self.errors:
            self.add_error(wanted, _("Say who."))
        has_measure = typed.get("measure") or typed.get("none_needed")
        if self.complaint.needs_finding and not has_measure:
            self.add_error(
                "measure", _("Say what is done, or tick that nothing is needed.")
            )
        return typed

    def given(self) -> dict[str, Any]:
        typed = dict(self.cleaned_data)
        typed["measure_needed"] = not typed.pop("none_needed")
        return typed


class ConvertForm(ActionForm):
    kind = forms.ChoiceField(
        label=gettext_lazy("New type"),
        choices=Kind.choices,
        widget=KindSelect(attrs={"data-combo": True}),
    )
    subcategory = forms.ModelChoiceField(
        label=gettext_lazy("Category"),
        queryset=Category.objects.filter(is_active=True),
        required=False,
        empty_label="—",
        widget=CategorySelect(attrs={"data-combo": True}),
    )
    note = words(gettext_lazy("Why"))

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        has_one = typed.get("subcategory") or self.complaint.subcategory_id
        if typed.get("kind") and typed["kind"] not in WITHOUT_CATEGORY and not has_one:
            self.add_error("subcategory", _("Choose what went wrong."))
        return typed


class MergeForm(ActionForm):
    into = forms.CharField(
        label=gettext_lazy("Number of the one that stays"),
        max_length=20,
        widget=forms.TextInput(attrs={"list": "alike", "autocomplete": "off"}),
        help_text=gettext_lazy(
            "Open ones of the same caller, customer or item are offered."
        ),
    )
    sure = forms.BooleanField(
        label=gettext_lazy("They belong together though caller and item differ"),
        required=False,
    )
    note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=300)

    def clean_into(self) -> str:
        return self.cleaned_data["into"].split()[0].upper()

    def given(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("into", "note", "sure")}


class SplitForm(ActionForm):
    kind = forms.ChoiceField(
        label=gettext_lazy("Type"),
        choices=Kind.choices,
        widget=KindSelect(attrs={"data-combo": True}),
    )
    subcategory = forms.ModelChoiceField(
        label=gettext_lazy("Category"),
        queryset=Category.objects.filter(is_active=True),
        required=False,
        empty_label="—",
        widget=CategorySelect(attrs={"data-combo": True}),
    )
    item_no = forms.CharField(
        label=gettext_lazy("Item number"), max_length=30, required=False
    )
    description = words(gettext_lazy("The other matter"), least=5)

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        check_kind(self, typed)
        return typed


class AdoptForm(ActionForm):
    parent = forms.CharField(
        label=gettext_lazy("Number of the incident (empty: take it out)"),
        max_length=20,
        required=False,
    )


class SkipForm(forms.Form):
    reason = forms.CharField(label=gettext_lazy("Why"), min_length=2, max_length=200)


class JudgeForm(forms.Form):
    note = forms.CharField(label=gettext_lazy("Why"), min_length=2, max_length=300)


FORMS: dict[str, type[ActionForm]] = {
    "accept": PlainForm,
    "claim": EmptyForm,
    "contact": ContactForm,
    "verify": PlainForm,
    "start": PlainForm,
    "answer": AnswerForm,
    "suspend": NoteForm,
    "assign": AssignForm,
    "return": NoteForm,
    "escalate": NoteForm,
    "check": CheckForm,
    "survey": EmptyForm,
    "archive": ArchiveForm,
    "reopen": NoteForm,
    "cancel": NoteForm,
    "convert": ConvertForm,
    "merge": MergeForm,
    "unmerge": NoteForm,
    "split": SplitForm,
    "adopt": AdoptForm,
    "note": NoteForm,
}


class ChangeForm(forms.ModelForm):
    """The facts of a work order. `shown` carries, signed, what the form was filled with:
    only what differs from it is changed, and two people clash only over one field."""

    shown = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Complaint
        fields = [
            "subcategory",
            "severity",
            "item_no",
            "scope",
            "party",
            "mood",
            "demand",
            "is_forwarded",
            "is_upheld",
            "is_violation",
        ]
        labels = {
            "subcategory": gettext_lazy("Category"),
            "severity": gettext_lazy("Severity"),
            "scope": gettext_lazy("Way of the item"),
            "party": gettext_lazy("The caller is"),
            "mood": gettext_lazy("Mood"),
            "demand": gettext_lazy("What the customer wants"),
            "is_forwarded": gettext_lazy("Forwarded by the State Post Bureau"),
            "is_upheld": gettext_lazy("Verified as true"),
            "is_violation": pgettext_lazy(
                "work order", "Serious violation of the rules"
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("subcategory", "scope", "party", "mood", "demand", "item_no"):
            self.fields[name].required = False
        if not self.is_bound:
            kept = {name: self.initial[name] for name in self.Meta.fields}
            self.initial["shown"] = signing.dumps(kept, salt=SHOWN_SALT)

    def clean_shown(self) -> dict[str, Any]:
        try:
            return signing.loads(self.cleaned_data["shown"], salt=SHOWN_SALT)
        except signing.BadSignature as error:
            raise forms.ValidationError(_("Open the page anew.")) from error

    def given(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(as shown, as typed) of the fields that differ, rows as their ids."""
        shown = self.cleaned_data["shown"]
        typed = {name: self.cleaned_data[name] for name in self.Meta.fields}
        plain = {name: getattr(value, "pk", value) for name, value in typed.items()}
        changed = {n: value for n, value in plain.items() if value != shown.get(n)}
        return {n: shown.get(n) for n in changed}, changed
