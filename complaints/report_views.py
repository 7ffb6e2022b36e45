"""Reports of work orders, and the monthly list for the regulator's desk."""

from collections.abc import Iterator
from datetime import timedelta

from django import forms
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.timezone import localdate, localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from complaints import reports, stages
from complaints.clock_forms import MonthForm
from complaints.forms import BOUNDS
from complaints.models import Complaint
from complaints.order_views import visible
from crm.access.capabilities import AuthedRequest, needs
from crm.access.scoping import offices_of
from crm.org.calendar import start_of
from crm.web import csv_answer
from customers.queries import add_months

PERIOD_DAYS = 30
TRAFFIC_MONTHS = 12


def day(label: str) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(
        label=label, required=False, widget=widget, validators=BOUNDS
    )


class ReportForm(forms.Form):
    """Filters that may stand in an address."""

    since = day(gettext_lazy("From"))
    until = day(gettext_lazy("To"))
    by = forms.ChoiceField(
        label=pgettext_lazy("report", "By"),
        required=False,
        choices=[(name, row[0]) for name, row in reports.DIMENSIONS.items()],
    )
    office = forms.ModelChoiceField(
        label=gettext_lazy("Office"),
        queryset=None,
        required=False,
        to_field_name="code",
    )

    def __init__(self, *args, offices, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["office"].queryset = offices


@needs("report.view")
def report(request: AuthedRequest) -> HttpResponse:
    """One table by the chosen dimension, each number opening its rows."""
    form = ReportForm(request.GET, offices=offices_of(request.user, "supervisor"))
    if not form.is_valid():
        raise Http404
    chosen = form.cleaned_data
    until = chosen["until"] or localdate()
    since = chosen["since"] or until - timedelta(days=PERIOD_DAYS - 1)
    by = chosen["by"] or "office"
    seen = visible(request)
    if chosen["office"]:
        seen = seen.filter(office__path__startswith=chosen["office"].path)
    offices = [chosen["office"]] if chosen["office"] else None
    passed = offices or [p.office for p in request.user.posts("supervisor")]
    begins, ends = start_of(since), start_of(until + timedelta(days=1))
    rows = seen.filter(opened_at__gte=begins, opened_at__lt=ends)
    first_month = start_of(add_months(localdate(), 1 - TRAFFIC_MONTHS))
    context = {
        "form": ReportForm(
            initial={**chosen, "since": since, "until": until, "by": by},
            offices=form.fields["office"].queryset,
        ),
        "lines": reports.lines(rows, by),
        "columns": [reports.MARKS[mark][0] for mark in reports.COLUMNS],
        "dimension": reports.DIMENSIONS[by][0],
        "parameter": reports.PARAMETER.get(by, by),
        "since": since,
        "until": until,
        "office": chosen["office"],
        "months": reports.traffic(seen, first_month),
        "this_month": localdate(),
        "stages": stages.by_office([o.path for o in passed], begins, ends),
        "steps": [step.label for step in stages.STEPS],
    }
    return render(request, "complaints/report.html", context)


@needs("report.view")
def regulator(request: AuthedRequest) -> HttpResponse:
    """R-CMP-13: what was forwarded, major or a violation in a month, for network control."""
    form = MonthForm(request.GET)
    if not form.is_valid():
        raise Http404
    first = form.cleaned_data["month"] or localdate().replace(day=1)
    rows = visible(request).filter(
        opened_at__gte=start_of(first), opened_at__lt=start_of(add_months(first, 1))
    )
    rows = reports.marked(rows, "forwarded") | reports.marked(rows, "major")
    return csv_answer(
        _lines(rows.for_list().order_by("pk")), f"regulator-{first:%Y-%m}.csv"
    )


def _lines(rows: QuerySet[Complaint]) -> Iterator[list]:
    yield [
        *(_("Number"), _("Opened"), _("Type"), _("Category"), _("Item number")),
        *(
            _("Handled by"),
            _("State"),
            _("Severity"),
            _("Forwarded by the State Post Bureau"),
        ),
        *(_("Verified as true"), _("Serious violation of the rules")),
    ]
    truth = {None: "", True: _("Yes"), False: _("No")}
    for row in rows.iterator(chunk_size=1000):
        yield [
            row.ref,
            f"{localtime(row.opened_at):%Y-%m-%d %H:%M}",
            row.get_kind_display(),
            row.subcategory or row.get_category_display(),
            row.item_no,
            row.handling_office,
            row.get_state_display(),
            row.get_severity_display(),
            truth[row.is_forwarded],
            truth[row.is_upheld],
            truth[row.is_violation],
        ]
