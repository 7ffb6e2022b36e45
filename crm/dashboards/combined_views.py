"""Pages of the combined assessment: marks of the units below, opinions, weights."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.scoping import offices_of
from crm.audit import services as audit
from crm.dashboards import combined as service
from crm.dashboards.boards import units_below
from crm.dashboards.figure_views import address
from crm.dashboards.forms import FiguresForm, near
from crm.dashboards.models import Opinion
from crm.dashboards.reckoned import KPIS
from crm.errors import Refused
from crm.org.models import Office
from crm.web import csv_answer


class OpinionForm(forms.ModelForm):
    class Meta:
        model = Opinion
        fields = ["office", "source", "points", "words"]

    def __init__(self, data: Any, *, units: list[Office]) -> None:
        super().__init__(data)
        below = Office.objects.filter(pk__in=[unit.pk for unit in units])
        self.fields["office"].queryset = below
        self.fields["office"].label = _("Unit")
        self.fields["words"].label = _("Reason")


class WeightsForm(forms.Form):
    """A number for each figure; empty or nought leaves it out."""

    qualitative = forms.IntegerField(
        label=gettext_lazy("Share of the qualitative part, percent"),
        min_value=0,
        max_value=100,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for kpi in KPIS:
            self.fields[kpi.name] = forms.IntegerField(
                label=kpi.label,
                min_value=0,
                max_value=service.MOST_WEIGHT,
                required=False,
            )

    def weights(self) -> dict[str, int]:
        return {kpi.name: self.cleaned_data[kpi.name] or 0 for kpi in KPIS}


@needs("kpi.target")
def combined(request: AuthedRequest) -> HttpResponse:
    """The marks of the units below an office for a period; say what one thinks of a unit."""
    asked = FiguresForm(request.GET, by=request.user)
    if not asked.is_valid():
        return render(request, "dashboards/combined.html", {"form": asked}, status=422)
    office, span = asked.cleaned_data["office"], asked.cleaned_data["span"]
    if not may(request.user, "kpi.target", office):
        raise Http404
    units = units_below(office)
    sent = request.POST if request.method == "POST" else None
    opinion = OpinionForm(sent, units=units)
    here = f"{reverse('dashboards:combined')}?{address(office, span)}"
    if sent is not None and opinion.is_valid():
        made = opinion.save(commit=False)
        made.kind, made.first = span.kind, span.first
        try:
            service.say(made, by=request.user)
            messages.success(request, _("Saved."))
            return redirect(here)
        except Refused as refusal:
            opinion.add_error("office", str(refusal))
    marks = service.marks_of(office, span)
    if request.GET.get("file") == "csv":
        audit.record(request.user, "kpi.combined_exported", office, office=office)
        return csv_answer(_lines(marks), f"combined-{span.label}.csv")
    rows = Opinion.objects.visible_to(request.user).filter(
        office__in=units, kind=span.kind, first=span.first
    )
    context = {
        "form": asked,
        "office": office,
        "span": span,
        "marks": marks,
        "opinion": opinion,
        "opinions": rows.select_related("office", "by"),
        "weighting": service.weighting_of(office, span.first.year),
        "earlier": address(office, span.previous),
        "later": address(office, span.following),
        "address": address(office, span),
    }
    status = 422 if opinion.errors else 200
    return render(request, "dashboards/combined.html", context, status=status)


def _lines(marks: list[service.Mark]) -> list[list]:
    head = [
        _("Place"),
        _("Unit"),
        pgettext("menu", "Figures"),
        _("Opinions"),
        _("Together"),
    ]
    return [
        head,
        *(
            [
                mark.rank or "",
                mark.office,
                *(
                    "" if part is None else part
                    for part in (mark.quantitative, mark.qualitative, mark.combined)
                ),
            ]
            for mark in marks
        ),
    ]


@needs("kpi.target")
def weights(request: AuthedRequest) -> HttpResponse:
    """Weigh the figures for a year."""
    offices = offices_of(request.user, "supervisor")
    code = request.GET.get("office", "")[:20].replace("\0", "")
    office = offices.filter(code=code).first() if code else offices.first()
    typed = request.GET.get("year", "")
    year = int(typed) if typed.isdecimal() and len(typed) == 4 else localdate().year
    if office is None or not 2000 <= year <= 2100:
        raise Http404
    known = service.weighting_of(office, year)
    start = {**known.weights, "qualitative": known.qualitative}
    sent = request.POST if request.method == "POST" else None
    form = WeightsForm(sent, initial=start)
    if sent is not None and form.is_valid():
        try:
            service.weigh(
                office,
                year,
                by=request.user,
                qualitative=form.cleaned_data["qualitative"],
                weights=form.weights(),
            )
            messages.success(request, _("Saved."))
            return redirect(f"{request.path}?office={office.code}&year={year}")
        except Refused as refusal:
            form.add_error(None, str(refusal))
    context = {
        "form": form,
        "office": office,
        "offices": near(offices, office.code),
        "year": year,
        "is_own": known.office_id == office.pk and known.pk is not None,
        "from_office": known.office if known.pk else None,
    }
    status = 422 if form.errors else 200
    return render(request, "dashboards/weights.html", context, status=status)
