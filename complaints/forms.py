"""Forms of the complaint pages."""

from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.core import validators
from django.db.models import QuerySet
from django.utils.timezone import localdate
from django.utils.translation import gettext_lazy, pgettext_lazy

from complaints import reports
from complaints.kinds import Channel, Group, Kind
from complaints.models import Outcome
from complaints.workflow import State
from crm.access.models import User
from crm.org.calendar import start_of

VIEWS = (
    ("due", gettext_lazy("To do")),
    ("mine", gettext_lazy("Mine")),
    ("free", gettext_lazy("Without an owner")),
    ("overdue", gettext_lazy("Overdue")),
    ("law", gettext_lazy("Past the law")),
    ("all", gettext_lazy("All")),
)
ANY = ("", gettext_lazy("Any"))


BOUNDS = [
    validators.MinValueValidator(date(2000, 1, 1)),
    validators.MaxValueValidator(date(2100, 1, 1)),
]


class ListFilter(forms.Form):
    """Filters that may stand in an address; one that cannot be is a missing page."""

    view = forms.ChoiceField(required=False, choices=VIEWS)
    kind = forms.ChoiceField(
        label=gettext_lazy("Type"), required=False, choices=[ANY, *Kind.choices]
    )
    category = forms.ChoiceField(
        label=pgettext_lazy("work order", "Class"),
        required=False,
        choices=[ANY, *Group.choices],
    )
    state = forms.ChoiceField(
        label=gettext_lazy("State"), required=False, choices=[ANY, *State.choices]
    )
    office = forms.ModelChoiceField(queryset=None, required=False, to_field_name="code")
    days = forms.IntegerField(required=False, min_value=0, max_value=9999)
    # What reports open: the rows behind a figure.
    channel = forms.ChoiceField(required=False, choices=[ANY, *Channel.choices])
    handled = forms.CharField(required=False, max_length=20)
    cause = forms.ChoiceField(required=False, choices=[ANY, *Outcome.Cause.choices])
    agent = forms.CharField(required=False, max_length=60)
    mark = forms.ChoiceField(
        required=False, choices=[(name, row[0]) for name, row in reports.MARKS.items()]
    )
    term = forms.CharField(required=False, max_length=16)
    since = forms.DateField(required=False, validators=BOUNDS)
    until = forms.DateField(required=False, validators=BOUNDS)

    def __init__(self, *args: Any, offices: QuerySet, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["office"].queryset = offices

    def narrow(self, rows: Any, user: User, at: datetime) -> Any:
        """The rows that the filters leave of `rows`."""
        chosen = self.cleaned_data
        rows = {
            "mine": lambda: rows.open().filter(owner=user),
            "free": lambda: rows.open().filter(owner=None),
            "overdue": lambda: rows.overdue(at),
            "law": lambda: rows.past_the_law(at),
            "all": lambda: rows,
        }.get(chosen["view"], rows.open)()
        named = {
            "handled": "handling_office__code",
            "agent": "created_by__username",
            "cause": "outcome__cause",
        }
        for name in ("kind", "category", "state", "channel", *named):
            if chosen[name]:
                rows = rows.filter(**{named.get(name, name): chosen[name]})
        rows = reports.marked(rows, chosen["mark"])
        if chosen["term"]:
            rows = rows.filter(case_terms__terms__contains=[chosen["term"]])
        if chosen["since"]:
            rows = rows.filter(opened_at__gte=start_of(chosen["since"]))
        if chosen["until"]:
            end = start_of(chosen["until"] + timedelta(days=1))
            rows = rows.filter(opened_at__lt=end)
        if chosen["days"] is not None:
            first = localdate(at) - timedelta(days=max(0, chosen["days"] - 1))
            rows = rows.filter(opened_at__gte=start_of(first))
        if chosen["office"]:
            rows = rows.filter(office__path__startswith=chosen["office"].path)
        return rows


class FileForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("PDF, JPEG or PNG, up to 10 MB."),
        # On a phone these kinds offer the camera, too.
        widget=forms.ClearableFileInput(
            attrs={"accept": "image/jpeg,image/png,application/pdf"}
        ),
    )
