"""Forms of programmes, walkthroughs, contests and training, requests and reports."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.access.forms import PersonName
from crm.access.models import User
from crm.access.roles import Role
from crm.access.scoping import offices_of
from crm.library.forms import DATE, YEARS
from crm.org.models import Office, paths_above
from crm.programmes.models import (
    Award,
    BusinessSupervisor,
    Demand,
    Finding,
    Pilot,
    Programme,
    ReportDuty,
    StaffEvent,
    StaffRecord,
    Step,
    TakingPart,
    Trial,
    UnitRequest,
    Walk,
)
from crm.programmes.models.units import SPEAKERS
from crm.teams.models import Team
from crm.teams.services import eligible
from crm.text import normalise_phone

FOUND_LINES = 6


class ProgrammeForm(forms.ModelForm):
    first = forms.DateField(
        label=gettext_lazy("First day"), widget=DATE, validators=YEARS
    )
    last = forms.DateField(
        label=gettext_lazy("Last day"), widget=DATE, validators=YEARS
    )

    class Meta:
        model = Programme
        fields = ["office", "kind", "title", "text", "first", "last"]
        widgets = {"text": forms.Textarea(attrs={"rows": 8})}

    def __init__(
        self, data: Any, *, by: User, instance: Programme | None = None
    ) -> None:
        year = localdate().year  # R-KPI-48: March to December
        usual = {"first": date(year, 3, 1), "last": date(year, 12, 31)}
        super().__init__(data, instance=instance, initial=None if instance else usual)
        offices = offices_of(by, "supervisor")
        self.fields["office"].queryset = offices
        self.fields["office"].initial = offices.first()


class StepForm(forms.ModelForm):
    due_on = forms.DateField(label=gettext_lazy("Until"), widget=DATE, validators=YEARS)

    class Meta:
        model = Step
        fields = ["what", "due_on"]


class DemandForm(forms.ModelForm):
    class Meta:
        model = Demand
        fields = ["process", "hint"]


class PilotForm(forms.ModelForm):
    first = forms.DateField(
        label=gettext_lazy("First day"), widget=DATE, validators=YEARS
    )
    last = forms.DateField(
        label=gettext_lazy("Last day"), widget=DATE, validators=YEARS
    )

    class Meta:
        model = Pilot
        fields = ["touchpoint", "office", "first", "last", "what"]

    def __init__(self, data: Any, *, programme: Programme) -> None:
        today = localdate()
        usual = {"first": today, "last": min(programme.last, today + timedelta(60))}
        super().__init__(data, initial=usual, auto_id="pilot-%s")
        below = Office.objects.active().under(programme.office)
        self.fields["office"].queryset = below.exclude(pk=programme.office_id)


class TextForm(forms.Form):
    """A longer text: a branch's plan, a revision, a result."""

    text = forms.CharField(
        label=gettext_lazy("Text"),
        min_length=2,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 5}),
    )


class WalkForm(forms.ModelForm):
    on = forms.DateField(label=gettext_lazy("Day"), widget=DATE, validators=YEARS)

    class Meta:
        model = Walk
        fields = ["demand", "office", "mode", "occasion", "on"]
        widgets = {"mode": forms.RadioSelect}

    def __init__(self, data: Any, *, programme: Programme, demand: str = "") -> None:
        super().__init__(data, initial={"on": localdate(), "demand": demand})
        self.fields["demand"].queryset = programme.demands.filter(is_open=True)
        self.fields["demand"].label = _("Process")
        below = Office.objects.active().under(programme.office)
        self.fields["office"].queryset = below


class FoundForm(forms.Form):
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"), choices=Finding.Kind.choices, required=False
    )
    text = forms.CharField(
        label=gettext_lazy("In words"), max_length=500, required=False
    )


FoundFormSet = forms.formset_factory(
    FoundForm, extra=FOUND_LINES, max_num=30, validate_max=True
)


class EventForm(forms.ModelForm):
    held_on = forms.DateField(label=gettext_lazy("Day"), widget=DATE, validators=YEARS)
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Who takes part"),
        choices=Role.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Nobody ticked: everybody."),
    )

    class Meta:
        model = StaffEvent
        fields = ["office", "kind", "skill", "title", "held_on", "hours", "text"]
        widgets = {"text": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, data: Any, *, by: User) -> None:
        super().__init__(data, initial={"held_on": localdate()})
        offices = offices_of(by, "supervisor")
        self.fields["office"].queryset = offices
        self.fields["office"].initial = offices.first()


class PartForm(forms.ModelForm):
    took_part = forms.NullBooleanField(
        label=gettext_lazy("Took part"),
        widget=forms.NullBooleanSelect,
    )

    class Meta:
        model = TakingPart
        fields = ["took_part", "score"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("score") is not None and not cleaned.get("took_part"):
            self.add_error("score", _("Who was not there has no score."))
        return cleaned


PartFormSet = forms.modelformset_factory(TakingPart, form=PartForm, extra=0)


class AwardForm(forms.ModelForm):
    person = PersonName(
        label=gettext_lazy("User name"),
        required=False,
        max_length=60,
        help_text=gettext_lazy("Empty: the office itself."),
    )

    class Meta:
        model = Award
        fields = ["office", "kind", "year", "reason"]

    def __init__(self, data: Any, *, by: User) -> None:
        super().__init__(data, initial={"year": localdate().year})
        self.fields["reason"].label = _("Reason")
        offices = offices_of(by, "supervisor")
        self.fields["office"].queryset = offices
        self.fields["office"].initial = offices.first()


class RequestForm(forms.ModelForm):
    class Meta:
        model = UnitRequest
        fields = ["asking", "asked", "subject", "text", "hours"]
        widgets = {"text": forms.Textarea(attrs={"rows": 4})}

    def __init__(self, data: Any, *, by: User) -> None:
        super().__init__(data)
        own = offices_of(by, *SPEAKERS)
        self.fields["asking"].queryset = own
        self.fields["asking"].initial = own.first()
        self.fields["asked"].queryset = Office.objects.active()


class DutyForm(forms.ModelForm):
    class Meta:
        model = ReportDuty
        fields = ["office", "reader", "title", "day"]

    def __init__(self, data: Any, *, by: User) -> None:
        super().__init__(data)
        own = offices_of(by, Role.SUPERVISOR)
        self.fields["reader"].queryset = own
        self.fields["reader"].initial = own.first()
        self.fields["office"].queryset = own


class RecordForm(forms.ModelForm):
    joined_on = forms.DateField(
        label=gettext_lazy("With us since"),
        widget=DATE,
        validators=YEARS,
        required=False,
    )

    class Meta:
        model = StaffRecord
        fields = ["badge", "level", "origin", "joined_on"]


class PhotoForm(forms.Form):
    photo = forms.FileField(
        label=gettext_lazy("Picture (JPEG, PNG)"),
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png"}),
    )


class TesterForm(forms.ModelForm):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    phone = forms.CharField(label=gettext_lazy("Phone"), max_length=30)
    applied_on = forms.DateField(
        label=gettext_lazy("Applied on"), widget=DATE, validators=YEARS
    )

    class Meta:
        model = BusinessSupervisor
        fields = ["office", "name", "phone", "source", "applied_on", "about"]
        widgets = {"about": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, data: Any, *, by: User) -> None:
        super().__init__(data, initial={"applied_on": localdate()})
        offices = offices_of(by, "supervisor")
        self.fields["office"].queryset = offices
        self.fields["office"].initial = offices.first()

    def clean_phone(self) -> str:
        number = normalise_phone(self.cleaned_data["phone"])
        if not number:
            raise forms.ValidationError(_("This is no phone number."))
        return number


class TermForm(forms.Form):
    """From when until when somebody tries services."""

    first = forms.DateField(
        label=gettext_lazy("Term from"), widget=DATE, validators=YEARS
    )
    last = forms.DateField(
        label=gettext_lazy("Term until"), widget=DATE, validators=YEARS
    )


class TrialForm(forms.ModelForm):
    on = forms.DateField(label=gettext_lazy("Day"), widget=DATE, validators=YEARS)

    class Meta:
        model = Trial
        fields = ["programme", "on", "rating", "verdict"]
        widgets = {"verdict": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, data: Any, *, tester: BusinessSupervisor, by: User) -> None:
        super().__init__(data, initial={"on": localdate()})
        self.fields["programme"].queryset = Programme.objects.visible_to(by).filter(
            office__path__in=paths_above(tester.office.path)
        )


class TeamForm(forms.ModelForm):
    class Meta:
        model = Team
        fields = ["office", "kind", "name", "purpose", "is_entity"]
        widgets = {"purpose": forms.Textarea(attrs={"rows": 2})}

    def __init__(self, data: Any, *, by: User, usual: Any) -> None:
        """`usual`: office and kind, as the list of what is missing names them."""
        super().__init__(data)
        offices = offices_of(by, "supervisor")
        self.fields["office"].queryset = offices
        code = usual.get("office", "")
        self.fields["office"].initial = (
            offices.filter(code=code).first() if code else offices.first()
        )
        self.fields["kind"].initial = usual.get("kind")
        if code:  # the name is what is left to be typed
            self.fields["name"].widget.attrs["data-focus"] = ""


class TeamChangeForm(forms.ModelForm):
    class Meta:
        model = Team
        fields = ["name", "purpose", "is_entity"]
        widgets = {"purpose": forms.Textarea(attrs={"rows": 2})}

    def __init__(self, data: Any, *, instance: Team) -> None:
        super().__init__(data, instance=instance, auto_id="change-%s")


class MemberForm(forms.Form):
    user = PersonName(label=gettext_lazy("Person (name or user name)"), max_length=150)
    duty = forms.CharField(
        label=gettext_lazy("What they do there"), max_length=60, required=False
    )
    is_leader = forms.BooleanField(label=gettext_lazy("Leads it"), required=False)

    def __init__(self, data: Any, *, team: Team) -> None:
        super().__init__(data)
        self.fields["user"].people = eligible(team)
