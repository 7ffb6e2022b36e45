"""Forms of inspections and card batches."""

from typing import Any

from django import forms
from django.core.validators import FileExtensionValidator
from django.db.models import Q
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.access.models import Posting, Role, User
from crm.org.models import Office
from crm.org.queries import ancestry
from customers.models import Customer
from delivery.models import (
    CardBatch,
    CardReturn,
    CardSample,
    Check,
    Improvement,
    Inspection,
)
from delivery.quality.forms import bounded
from delivery.visit_forms import DAY, PersonField


def posted(offices: Q, *roles: str) -> Any:
    """Active people with one of these roles at such offices."""
    rows = Posting.objects.in_force(localdate()).filter(offices, role__in=roles)
    people = User.objects.filter(is_active=True, pk__in=rows.values("user"))
    return people.order_by("username")


class InspectionForm(forms.ModelForm):
    inspector = PersonField(
        label=gettext_lazy("Who inspects"), queryset=None, to_field_name="username"
    )

    class Meta:
        model = Inspection
        fields = ["kind", "office", "title", "planned_on", "inspector"]
        widgets = {"planned_on": DAY}

    def __init__(self, data: Any, *, offices: Any, by: User) -> None:
        super().__init__(
            data, initial={"planned_on": localdate(), "inspector": by.username}
        )
        self.fields["office"].queryset = offices
        self.fields["office"].empty_label = None
        self.fields["inspector"].queryset = posted(
            Q(office__in=offices), Role.INSPECTOR, Role.SUPERVISOR
        )
        bounded(self, "planned_on")


class CheckForm(forms.ModelForm):
    class Meta:
        model = Check
        fields = ["what", "waybill", "expected", "expected_on"]
        widgets = {"expected_on": DAY}

    def __init__(self, data: Any, *, is_probe: bool) -> None:
        super().__init__(data)
        if is_probe:
            self.fields["what"].label = gettext_lazy("Addressee")
            del self.fields["expected"]
            bounded(self, "expected_on")
        else:
            del self.fields["waybill"]
            del self.fields["expected_on"]

    def clean_waybill(self) -> str:
        return "".join(self.cleaned_data["waybill"].split()).upper()


class NoteForm(forms.ModelForm):
    """What was found at one point."""

    photo = forms.FileField(
        label=gettext_lazy("Photo"),
        required=False,
        validators=[FileExtensionValidator(["jpg", "jpeg", "png"])],
        widget=forms.FileInput(attrs={"accept": "image/*", "capture": "environment"}),
    )

    class Meta:
        model = Check
        fields = ["actual_on", "actual", "verdict"]
        widgets = {"actual_on": DAY}

    def __init__(self, data: Any, files: Any, *, check: Check) -> None:
        super().__init__(data, files, instance=check, prefix=f"c{check.pk}")
        if check.inspection.kind != Inspection.Kind.PROBE:
            del self.fields["actual_on"]
        else:
            bounded(self, "actual_on")

    def clean_actual_on(self) -> Any:
        found = self.cleaned_data["actual_on"]
        if found and found > localdate():
            raise forms.ValidationError(_("This day is still to come."))
        return found


def owners_of(office: Office) -> list[User]:
    """Who may see to an improvement: those who handle mail or supervise there, below and
    above. One query, whatever the number of findings on a page."""
    here = Q(office__path__startswith=office.path)
    above = Q(office__path__in=ancestry(office))
    return list(posted(here | above, Role.HANDLER, Role.SUPERVISOR))


class MendForm(forms.ModelForm):
    """An improvement for a finding."""

    owner = forms.ChoiceField(label=gettext_lazy("Who sees to it"))

    class Meta:
        model = Improvement
        fields = ["what", "owner", "due_on"]
        widgets = {"due_on": DAY, "what": forms.Textarea(attrs={"rows": 2})}

    def __init__(self, data: Any, *, owners: list[User], check: int) -> None:
        super().__init__(data, prefix=f"m{check}")
        bounded(self, "due_on")
        self.fields["owner"].choices = [
            ("", "---------"),
            *(
                (user.username, f"{user.full_name} ({user.username})")
                for user in owners
            ),
        ]
        self.owners = {user.username: user for user in owners}

    def clean_owner(self) -> User:
        return self.owners[self.cleaned_data["owner"]]

    def clean_due_on(self) -> Any:
        if self.cleaned_data["due_on"] < localdate():
            raise forms.ValidationError(_("This day has passed."))
        return self.cleaned_data["due_on"]


class BatchForm(forms.ModelForm):
    customer = forms.CharField(
        label=gettext_lazy("Customer's number"), required=False, max_length=20
    )

    class Meta:
        model = CardBatch
        fields = [
            *("office", "code", "customer", "posted_on", "pieces", "checked", "faulty"),
            *("is_presorted", "saved_hours"),
        ]
        widgets = {"posted_on": DAY}

    def __init__(self, data: Any, *, offices: Any, by: User) -> None:
        super().__init__(data, initial={"posted_on": localdate()})
        self.by = by
        self.fields["office"].queryset = offices
        self.fields["office"].empty_label = None
        bounded(self, "posted_on")

    def clean_customer(self) -> Customer | None:
        code = self.cleaned_data["customer"].strip()
        if not code:
            return None
        found = Customer.objects.visible_to(self.by).filter(code=code).first()
        if found is None:
            raise forms.ValidationError(_("No customer of yours has this number."))
        return found

    def clean_posted_on(self) -> Any:
        if self.cleaned_data["posted_on"] > localdate():
            raise forms.ValidationError(_("This day is still to come."))
        return self.cleaned_data["posted_on"]

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        pieces, checked = cleaned.get("pieces"), cleaned.get("checked")
        faulty = cleaned.get("faulty")
        if pieces is not None and checked is not None and checked > pieces:
            self.add_error("checked", _("More than were posted."))
        if checked is not None and faulty is not None and faulty > checked:
            self.add_error("faulty", _("More than were checked."))
        return cleaned


class ReturnForm(forms.ModelForm):
    class Meta:
        model = CardReturn
        fields = ["day", "cause", "pieces"]
        widgets = {"day": DAY}

    def __init__(self, data: Any, *, batch: CardBatch) -> None:
        super().__init__(data, initial={"day": localdate()}, auto_id="return_%s")
        self.batch = batch

    def clean_day(self) -> Any:
        return _within(self.cleaned_data["day"], self.batch)


class SampleForm(forms.ModelForm):
    class Meta:
        model = CardSample
        fields = ["kind", "day", "asked", "arrived", "in_time"]
        widgets = {"day": DAY}

    def __init__(self, data: Any, *, batch: CardBatch) -> None:
        super().__init__(data, initial={"day": localdate()})
        self.batch = batch

    def clean_day(self) -> Any:
        return _within(self.cleaned_data["day"], self.batch)

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        names = ("asked", "arrived", "in_time")
        asked, arrived, in_time = (cleaned.get(name) for name in names)
        if asked is not None and asked > self.batch.pieces:
            self.add_error("asked", _("More than were posted."))
        if asked is not None and arrived is not None and arrived > asked:
            self.add_error("arrived", _("More than were asked."))
        if arrived is not None and in_time is not None and in_time > arrived:
            self.add_error("in_time", _("More than arrived."))
        return cleaned


def _within(day: Any, batch: CardBatch) -> Any:
    if day < batch.posted_on:
        raise forms.ValidationError(_("The batch was not posted yet."))
    if day > localdate():
        raise forms.ValidationError(_("This day is still to come."))
    return day
