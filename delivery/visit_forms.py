"""Forms of visits."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.text import format_lazy
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from crm.access.capabilities import may_everywhere
from crm.access.models import User
from crm.org.queries import next_working_day
from customers.models import Customer, UsageDay
from delivery.models import (
    Visit,
    VisitCapacity,
    VisitPlan,
    VisitReport,
    VisitRule,
    VisitType,
    Way,
)
from delivery.visit_log import others_due
from delivery.visit_rules import grade_names

NEXT_CHOICES = [
    ("7", gettext_lazy("1 week")),
    ("14", gettext_lazy("2 weeks")),
    ("30", gettext_lazy("1 month")),
    ("90", gettext_lazy("3 months")),
    ("date", gettext_lazy("On a day")),
    ("none", gettext_lazy("None needed")),
]
LONGEST = 400  # days of a plan or a round
DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
NEXT_TYPES = [
    (member.value, member.label)
    for member in (
        VisitType.REGULAR,
        VisitType.APPOINTMENT,
        VisitType.AFTER_CAMPAIGN,
        VisitType.PRE_CAMPAIGN,
        VisitType.GREETING,
        VisitType.OTHER,
    )
]
STOCK_TYPES = {VisitType.AFTER_CAMPAIGN, VisitType.PRE_CAMPAIGN}


def chips(label: Any, choices: Any, **facts: Any) -> forms.MultipleChoiceField:
    box = forms.CheckboxSelectMultiple
    return forms.MultipleChoiceField(
        label=label, choices=choices, widget=box, required=False, **facts
    )


def chip(label: Any, choices: Any, **facts: Any) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, choices=choices, widget=forms.RadioSelect, **facts
    )


def words(label: Any, rows: int = 2) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": rows})
    return forms.CharField(label=label, required=False, max_length=1000, widget=widget)


class ReportForm(forms.Form):
    """What a visit found. Few fields must be filled: result, and what comes next."""

    result = chip(gettext_lazy("Result"), VisitReport.Result.choices)
    met = forms.MultipleChoiceField(
        label=pgettext_lazy("visit", "Met"),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    met_others = forms.CharField(
        label=gettext_lazy("Others"), required=False, max_length=100
    )
    satisfaction = chip(
        gettext_lazy("Satisfaction"),
        [(str(n), str(n)) for n in range(1, 6)],
        required=False,
    )
    shortcomings = chips(
        gettext_lazy("What falls short"), VisitReport.Shortcoming.choices
    )
    needs = chips(gettext_lazy("Needs"), VisitReport.Need.choices)
    need_text = words(gettext_lazy("What they need"))
    competitor = forms.CharField(
        label=gettext_lazy("Competitor"), required=False, max_length=60
    )
    usage = chip(
        gettext_lazy("Cards bought last"), VisitReport.Usage.choices, required=False
    )
    stock_left = forms.IntegerField(
        label=gettext_lazy("Pieces left"),
        required=False,
        min_value=0,
        max_value=100_000_000,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    advice = words(gettext_lazy("Advice given"))
    note = words(gettext_lazy("Note"))
    next_when = chip(gettext_lazy("Next visit"), NEXT_CHOICES)
    next_on = forms.DateField(
        label=gettext_lazy("Next date"), required=False, widget=DAY
    )
    next_type = forms.ChoiceField(
        label=gettext_lazy("Next purpose"), choices=NEXT_TYPES, required=False
    )
    visited_on = forms.DateField(label=gettext_lazy("Day of the visit"), widget=DAY)
    also = chips(gettext_lazy("It does for these, too"), [])

    def __init__(self, *args: Any, visit: Visit, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.visit = visit
        self.others = {str(row.pk): row for row in others_due(visit, user)[:6]}
        self.fields["also"].choices = [
            (pk, f"{row.get_type_display()} ({row.due_on})")
            for pk, row in self.others.items()
        ]
        if not self.others:
            del self.fields["also"]
        self.contacts = {str(c.pk): c for c in visit.customer.contacts.all()[:12]}
        for contact in self.contacts.values():
            contact.customer = visit.customer
        self.fields["met"].choices = [
            (pk, " ".join(filter(None, [c.name_for(user), c.post])))
            for pk, c in self.contacts.items()
        ]
        self.fields["visited_on"].initial = localdate()
        self.fields["next_type"].initial = VisitType.REGULAR
        if not self.contacts:
            del self.fields["met"]
        if visit.type not in STOCK_TYPES:
            self.fields["usage"].is_rare = self.fields["stock_left"].is_rare = True

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        when = typed.get("next_when")
        if when == "date" and not typed.get("next_on") and "next_on" not in self.errors:
            self.add_error("next_on", _("Choose the day."))
        if when not in (None, "", "date"):
            typed["next_on"] = None
        if when and when.isdigit():
            wish = localdate() + timedelta(days=int(when))
            typed["next_on"] = next_working_day(self.visit.customer.office, wish)
        day, ahead = typed.get("visited_on"), typed.get("next_on")
        if day and day > localdate():
            self.add_error("visited_on", _("This day has not come yet."))
        if ahead and ahead < localdate():
            self.add_error("next_on", _("The next date lies in the past, or too far."))
        if typed.get("next_on") and not typed.get("next_type"):
            typed["next_type"] = VisitType.REGULAR
        return typed

    def given(self) -> dict[str, Any]:
        """What delivery.visit_log.log takes."""
        typed = dict(self.cleaned_data)
        typed.pop("next_when")
        typed["met"] = [self.contacts[pk] for pk in typed.pop("met", [])]
        typed["also"] = [self.others[pk] for pk in typed.pop("also", [])]
        typed["satisfaction"] = int(typed["satisfaction"] or 0) or None
        if typed["next_on"] is None:
            typed["next_type"] = ""
        return typed


class PutForm(forms.Form):
    """A day fixed by hand."""

    day = forms.DateField(label=pgettext_lazy("calendar", "Day"), widget=DAY)
    at = forms.TimeField(
        label=gettext_lazy("Time"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    even_so = forms.BooleanField(
        label=gettext_lazy("Plan it even so"), required=False, widget=forms.HiddenInput
    )


class MissForm(forms.Form):
    words = forms.CharField(
        label=gettext_lazy("What happened"), min_length=2, max_length=100
    )


class DropForm(forms.Form):
    reason = forms.CharField(
        label=pgettext_lazy("visit", "Why not"), min_length=2, max_length=200
    )


class PersonField(forms.ModelChoiceField):
    def label_from_instance(self, row: User) -> str:
        return f"{row.full_name} ({row.username})"


class GiveForm(forms.Form):
    to = PersonField(
        label=gettext_lazy("Who goes"),
        queryset=User.objects.none(),
        required=False,
        to_field_name="username",
        empty_label=gettext_lazy("The customer's manager"),
    )

    def __init__(self, *args: Any, people: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["to"].queryset = people


def _minutes(count: int) -> Any:
    return format_lazy(gettext_lazy("{n} minutes"), n=count)


class AppointForm(PutForm):
    """A customer asks for a visit at a time."""

    field_order = ("day", "at", "minutes", "type", "way", "note", "even_so")
    minutes = forms.TypedChoiceField(
        label=gettext_lazy("How long"),
        choices=[(str(n), _minutes(n)) for n in (30, 60, 90, 120, 180)],
        coerce=int,
        initial="60",
    )
    type = forms.ChoiceField(
        label=gettext_lazy("Purpose"),
        choices=[
            (member.value, member.label)
            for member in (
                VisitType.APPOINTMENT,
                VisitType.ACTIVITY,
                VisitType.OTHER,
                VisitType.GREETING,
            )
        ],
    )
    way = forms.ChoiceField(label=pgettext_lazy("visit", "How"), choices=Way.choices)
    note = forms.CharField(
        label=pgettext_lazy("visit", "About"), required=False, max_length=200
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["at"].required = True


class RuleForm(forms.ModelForm):
    class Meta:
        model = VisitRule
        fields = [
            "type",
            "office",
            "grade",
            "at_least",
            "leader",
            "way",
            "days",
            "slack",
            "is_on",
        ]

    def __init__(self, *args: Any, offices: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        bind_office(self, offices, user)
        grades = [("", _("any"))] + sorted(grade_names().items())
        known = {code for code, _name in grades}
        if self.instance.grade not in known:
            grades.append((self.instance.grade, self.instance.grade))
        self.fields["grade"] = forms.ChoiceField(
            label=_("grade"), choices=grades, required=False
        )


def bind_office(form: forms.ModelForm, offices: Any, user: User) -> None:
    """One's own offices; the whole house only for who is posted at its top. A rule that is
    there keeps its office."""
    field = form.fields["office"]
    field.queryset = offices
    field.empty_label = None
    if may_everywhere(user, "visit.rule"):
        field.required, field.empty_label = False, _("The whole house")
    if form.instance.pk:
        field.disabled = True
        field.required = False


class CapacityForm(forms.ModelForm):
    class Meta:
        model = VisitCapacity
        fields = ["visits", "calls"]


class PlanForm(forms.ModelForm):
    """A plan over a list that is frozen when it is made."""

    WHOM = [
        ("product", gettext_lazy("Who bought a product in a time")),
        ("view", gettext_lazy("One of my saved views of the customer list")),
    ]
    whom = chip(gettext_lazy("Whom"), WHOM, initial="product")
    product = forms.CharField(
        label=gettext_lazy("Product"), required=False, max_length=40
    )
    since = forms.DateField(label=gettext_lazy("From"), required=False, widget=DAY)
    until = forms.DateField(label=gettext_lazy("To"), required=False, widget=DAY)
    view = forms.ModelChoiceField(
        label=gettext_lazy("Saved view"), queryset=None, required=False
    )

    class Meta:
        model = VisitPlan
        fields = ["name", "type", "way", "office", "first_day", "due_on"]
        widgets = {"first_day": DAY, "due_on": DAY}

    def __init__(self, *args: Any, offices: Any, views: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["office"].queryset = offices
        self.fields["office"].to_field_name = "code"
        self.fields["view"].queryset = views
        self.instance.whom = {}  # written by the service

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        first, last = typed.get("first_day"), typed.get("due_on")
        if last and last < localdate():
            self.add_error("due_on", _("This day has passed."))
        elif first and last and not 0 <= (last - first).days <= LONGEST:
            self.add_error("due_on", _("It ends before it begins, or too late."))
        if typed.get("whom") == "view" and not typed.get("view"):
            self.add_error("view", _("Choose a view."))
        if typed.get("whom") == "product":
            self._check_product(typed)
        return typed

    def _check_product(self, typed: dict[str, Any]) -> None:
        """Product and time are there, and somebody bought it then."""
        names = ("product", "since", "until")
        for name in names:
            if not typed.get(name) and name not in self.errors:
                self.add_error(name, _("This is needed."))
        if any(name in self.errors for name in names):
            return
        since, until = typed["since"], typed["until"]
        if not 0 <= (until - since).days <= 2 * LONGEST:
            self.add_error("until", _("It ends before it begins, or too late."))
            return
        used = UsageDay.objects.filter(
            day__range=(since, until), product__contains=typed["product"]
        )
        if not used.exists():
            self.add_error("product", _("Nobody bought this in that time."))


class CustomerOnly(forms.Form):
    """?customer=…: whom a page is about."""

    customer = forms.ModelChoiceField(queryset=Customer.objects.none())

    def __init__(self, *args: Any, customers: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["customer"].queryset = customers


class ListFilter(forms.Form):
    """The rows behind a figure: every one of these stands in the address."""

    STATES = [
        ("", gettext_lazy("All")),
        ("open", gettext_lazy("To be done")),
        ("overdue", gettext_lazy("Overdue")),
        ("unplanned", gettext_lazy("Without a day")),
        ("late", gettext_lazy("Planned behind the window")),
        ("done", gettext_lazy("Done")),
        ("dropped", pgettext_lazy("visit", "Dropped")),
        ("left", gettext_lazy("Not visited")),
    ]
    state = forms.ChoiceField(choices=STATES, required=False)
    type = forms.ChoiceField(
        choices=[("", gettext_lazy("All")), *VisitType.choices], required=False
    )
    result = forms.ChoiceField(
        choices=[("", ""), *VisitReport.Result.choices], required=False
    )
    who = forms.CharField(required=False, max_length=60)  # a user name
    office = forms.CharField(required=False, max_length=20)  # a code
    plan = forms.IntegerField(required=False, min_value=1)
    customer = forms.IntegerField(required=False, min_value=1)
    since = forms.DateField(required=False, widget=DAY)
    until = forms.DateField(required=False, widget=DAY)
    way = forms.ChoiceField(choices=[("", ""), *Way.choices], required=False)
    after = forms.CharField(required=False)
