"""Forms of seasons, their plan and their review."""

import hashlib
from datetime import timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from campaigns.models import (
    CompetitorNote,
    Duty,
    MarketingEvent,
    Milestone,
    OrientationReview,
    PilotFinding,
    PilotUser,
    Resource,
    ReviewRisk,
    Season,
    SeasonDocument,
    SeasonMember,
)
from crm.access.models import User
from crm.org.models import Office
from crm.org.queries import ancestry
from customers.models import Customer
from delivery.quality.forms import bounded
from delivery.visit_forms import DAY, PersonField

TEXT = forms.Textarea(attrs={"rows": 3})


def people_at(office: Office) -> Any:
    """Active people posted at, above or below an office. One query when it is drawn."""
    here = User.objects.filter(
        is_active=True, postings__office__path__startswith=office.path
    )
    above = User.objects.filter(
        is_active=True, postings__office__path__in=ancestry(office)
    )
    return (here | above).distinct().order_by("username")


def person(label: Any, **facts: Any) -> PersonField:
    return PersonField(
        label=label, queryset=User.objects.none(), to_field_name="username", **facts
    )


class CustomerField(forms.CharField):
    """A customer by its number, among those that the form's user sees."""

    def __init__(self, **facts: Any) -> None:
        facts = {"label": gettext_lazy("Customer's number"), "max_length": 40} | facts
        super().__init__(**facts)
        self.by: User | None = None
        self.kept: Customer | None = None  # whom the page is about already

    def clean(self, value: Any) -> Any:
        code = super().clean(value)
        if not code:
            return None
        rows = (
            Customer.objects.visible_to(self.by) if self.by else Customer.objects.none()
        )
        if self.kept and self.kept.code == code:
            return self.kept
        found = list(rows.select_related("office").filter(code=code)[:2])
        if not found:
            raise forms.ValidationError(_("No customer of yours has this number."))
        if len(found) > 1:
            message = _(
                "Several offices have a customer of this number: begin at its page."
            )
            raise forms.ValidationError(message)
        return found[0]


class SeasonForm(forms.ModelForm):
    class Meta:
        model = Season
        error_messages = {
            "code": {
                "unique": gettext_lazy("There is a season of this code."),
                "invalid": gettext_lazy(
                    "Letters, digits, hyphens and underscores only."
                ),
            }
        }
        fields = [
            *("office", "code", "name", "previous", "first_day", "last_day"),
            *("posting_on", "draw_on", "purpose", "content", "retention_target"),
            *("new_target", "follow_up_target", "won_back_counts", "pre_visits_wanted"),
            *(
                "revenue_target",
                "customers_target",
                "share_target",
                "slogan",
                "prize_digits",
            ),
        ]
        widgets = dict.fromkeys(("first_day", "last_day", "posting_on", "draw_on"), DAY)

    def __init__(self, data: Any, *, offices: Any, seasons: Any, **facts: Any) -> None:
        super().__init__(data, **facts)
        self.fields["office"].queryset = offices
        self.fields["office"].empty_label = None
        self.fields["previous"].queryset = seasons.exclude(pk=self.instance.pk)
        bounded(self, "first_day", "last_day", "posting_on", "draw_on")
        for name in ("retention_target", "follow_up_target"):
            self.fields[name].validators.append(MaxValueValidator(100))
        if self.instance.pk:
            del self.fields["office"]

    def clean(self) -> dict:
        found = super().clean() or {}
        first, draw = found.get("first_day"), found.get("draw_on")
        if first and draw and draw < first:
            self.add_error("draw_on", _("The draw lies before the season."))
        return found

    def clean_code(self) -> str:
        code = self.cleaned_data["code"]
        if not any(letter.isdigit() for letter in code):
            raise forms.ValidationError(_("A season's code names its year."))
        return code


YEAR = 366  # days around a season that its milestones may lie in


class SeenForm(forms.ModelForm):
    """A form that says so when somebody has changed its row since it was shown."""

    def __init__(self, data: Any = None, **facts: Any) -> None:
        super().__init__(data, **facts)
        self.seen = self._seen()

    def _seen(self) -> str:
        """What the fields hold now, as the page sends it back."""
        if not self.instance.pk:
            return ""
        held = {
            name: str(self.instance.__dict__.get(_column(self.instance, name)))
            for name in self._meta.fields
        }
        return hashlib.sha256(f"{held}".encode()).hexdigest()

    def clean(self) -> dict:
        sent = self.data.get("seen", "")
        if sent and sent != self.seen:
            message = _(
                "Somebody has changed this since you opened it. Yours stands below: look at "
                "theirs, then save again to put yours in its place."
            )
            raise forms.ValidationError(message)
        return super().clean() or {}


def _column(row: Any, name: str) -> str:
    return row._meta.get_field(name).attname


class MilestoneForm(SeenForm):
    owner = person(gettext_lazy("Owner"), required=False)

    class Meta:
        model = Milestone
        fields = ["content", "department", "duty", "owner", "first_day", "due_on"]
        widgets = {"first_day": DAY, "due_on": DAY}

    def __init__(self, data: Any, *, season: Season, **facts: Any) -> None:
        super().__init__(data, **facts)
        self.instance.season = season
        self.fields["owner"].queryset = people_at(season.office)
        duties = Duty.objects.filter(group__season=season).select_related(
            "group__office"
        )
        self.fields["duty"].queryset = duties
        self.fields["duty"].label_from_instance = lambda duty: (
            f"{duty.group.office} · {duty}"
        )
        self.initial["content"] = str(self.instance)
        bounded(self, "first_day", "due_on")
        season_ends = season.last_day + timedelta(days=YEAR)
        self.fields["due_on"].validators.append(MaxValueValidator(season_ends))
        season_begins = season.first_day - timedelta(days=YEAR)
        self.fields["first_day"].validators.append(MinValueValidator(season_begins))

    def save(self, commit: bool = True) -> Milestone:
        if {"first_day", "due_on"} & set(self.changed_data):
            self.instance.anchor = ""  # days set by hand stay where they are
        if "content" not in self.changed_data and self.instance.pk:
            self.instance.content = Milestone.objects.get(pk=self.instance.pk).content
        return super().save(commit)


class GroupForm(forms.Form):
    office = forms.ModelChoiceField(
        label=gettext_lazy("Bureau"),
        queryset=None,
        to_field_name="code",
        empty_label=None,
    )
    leader = person(gettext_lazy("Bureau leader in charge"))

    def __init__(self, data: Any, *, season: Season, offices: list[Office]) -> None:
        super().__init__(data)
        wanted = Office.objects.filter(pk__in=[office.pk for office in offices])
        self.fields["office"].queryset = wanted
        self.fields["leader"].queryset = people_at(season.office)


class DutyForm(forms.ModelForm):
    owner = person(gettext_lazy("Owner"))

    class Meta:
        model = Duty
        fields = ["department", "words", "owner"]

    def __init__(self, data: Any, *, office: Office, **facts: Any) -> None:
        super().__init__(data, **facts)
        self.fields["owner"].queryset = people_at(office)


class ResourceForm(SeenForm):
    class Meta:
        model = Resource
        fields = ["kind", "name", "unit", "planned", "used", "price"]


class CompetitorForm(forms.ModelForm):
    class Meta:
        model = CompetitorNote
        fields = ["name", "strategy", "answer", "sales"]


class DocumentForm(SeenForm):
    class Meta:
        model = SeasonDocument
        fields = ["kind", "title", "body"]
        widgets = {"body": forms.Textarea(attrs={"rows": 14})}


class ProposalForm(SeenForm):
    """A database-marketing proposal for one customer (R-CAM-30)."""

    class Meta:
        model = SeasonDocument
        fields = ["title", "body", "expected"]
        widgets = {"body": forms.Textarea(attrs={"rows": 12})}


class ReviewForm(forms.ModelForm):
    class Meta:
        model = OrientationReview
        fields = ["affected", "changes", "complaints", "script"]
        widgets = {
            "affected": TEXT,
            "changes": TEXT,
            "script": forms.Textarea(attrs={"rows": 5}),
        }


RiskFormSet = forms.modelformset_factory(
    ReviewRisk,
    fields=["words", "likelihood", "impact", "measure"],
    extra=3,
    max_num=20,
    can_delete=True,
)


class DecisionForm(forms.Form):
    reply = forms.CharField(
        label=gettext_lazy("Judgement of the service department"),
        max_length=600,
        widget=TEXT,
    )


class PilotUserForm(forms.ModelForm):
    customer = CustomerField()

    class Meta:
        model = PilotUser
        fields = ["customer", "applied_on", "first_day", "last_day", "waiver"]
        widgets = dict.fromkeys(("applied_on", "first_day", "last_day"), DAY)

    def __init__(self, data: Any, *, by: User, **facts: Any) -> None:
        super().__init__(data, **facts)
        self.fields["customer"].by = by
        bounded(self, "applied_on", "first_day", "last_day")


class PilotFindingForm(forms.ModelForm):
    class Meta:
        model = PilotFinding
        fields = ["kind", "words", "reward", "done"]
        widgets = {"words": TEXT}


class MemberForm(forms.ModelForm):
    """What was learned of a customer in a season."""

    class Meta:
        model = SeasonMember
        fields = ["lost", "lost_note", "proposal", "is_settled", "effect", "finding"]
        widgets = {"effect": TEXT, "finding": TEXT}


class EventForm(forms.ModelForm):
    class Meta:
        model = MarketingEvent
        fields = ["office", "name", "day", "analysis", "industry", "size", "words"]
        widgets = {"day": DAY, "analysis": TEXT}

    def __init__(self, data: Any, *, offices: Any, **facts: Any) -> None:
        super().__init__(data, **facts)
        self.fields["office"].queryset = offices
        self.fields["office"].empty_label = None
        bounded(self, "day")


class NamesForm(forms.Form):
    """The names behind a figure: season, group and office stand in the address."""

    GROUPS = (
        ("base", pgettext_lazy("season", "Ordered last season")),
        ("kept", pgettext_lazy("season", "Kept")),
        ("lost", pgettext_lazy("season", "Not ordered yet")),
        ("unexplained", pgettext_lazy("season", "Not ordered, no reason noted")),
        ("new", pgettext_lazy("season", "New")),
        ("won_back", pgettext_lazy("season", "Won back")),
        ("followed", pgettext_lazy("season", "Followed up")),
        ("waiting", pgettext_lazy("season", "Not followed up yet")),
    )
    group = forms.ChoiceField(choices=GROUPS)
    office = forms.ModelChoiceField(
        queryset=Office.objects.none(), to_field_name="code", required=False
    )

    def __init__(self, data: Any, *, offices: Any) -> None:
        super().__init__(data)
        self.fields["office"].queryset = offices
