"""Pages of the monthly assessment: sheets, one sheet, what concerns oneself, files."""

from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from crm.access.capabilities import (
    AuthedRequest,
    may,
    may_everywhere,
    needs,
    require_everywhere,
)
from crm.access.scoping import offices_of
from crm.audit import services as audit
from crm.dashboards import assessing as service
from crm.dashboards import found
from crm.dashboards.forms import near
from crm.dashboards.models import AssessmentLine, AssessmentRule, AssessmentSheet
from crm.dashboards.periods import Kind, last_ended, span_of
from crm.errors import Refused
from crm.web import csv_answer, keyset_page

State = AssessmentSheet.State


class SheetForm(forms.Form):
    office = forms.ModelChoiceField(
        queryset=None, label=gettext_lazy("Office"), empty_label=None
    )
    month = forms.CharField(
        label=gettext_lazy("Month"), widget=forms.TextInput(attrs={"type": "month"})
    )

    def __init__(self, data: Any, *, by: Any) -> None:
        last = last_ended(Kind.MONTH, localdate())
        super().__init__(data, initial={"month": last.label})
        offices = offices_of(by, "supervisor")
        self.fields["office"].queryset = offices
        self.fields["office"].choices = [(unit.pk, str(unit)) for unit in near(offices)]

    def clean_month(self) -> date:
        try:
            return date.fromisoformat(f"{self.cleaned_data['month']}-01")
        except ValueError:
            raise forms.ValidationError(_("Write a month as 2026-10.")) from None


class RuleForm(forms.ModelForm):
    class Meta:
        model = AssessmentRule
        fields = ["percent"]


RuleFormSet = forms.modelformset_factory(AssessmentRule, form=RuleForm, extra=0)


class WordsForm(forms.Form):
    words = forms.CharField(label=gettext_lazy("Reason"), max_length=300)


@needs("assessment.view")
def assessments(request: AuthedRequest) -> HttpResponse:
    """The sheets that one sees; propose one for a month."""
    may_propose = may(request.user, "assessment.propose")
    sent = request.POST if request.method == "POST" and may_propose else None
    form = SheetForm(sent, by=request.user) if may_propose else None
    if sent is not None and form is not None and form.is_valid():
        asked = form.cleaned_data
        try:
            return redirect(
                service.propose(asked["office"], asked["month"], by=request.user)
            )
        except Refused as refusal:
            form.add_error("month", str(refusal))
    rows = AssessmentSheet.objects.visible_to(request.user)
    rows = rows.select_related("office", "made_by", "signed_by")
    context = {
        "page": keyset_page(rows, ["-month", "-pk"], request.GET.get("after", "")),
        "form": form,
        "may_rules": may_everywhere(request.user, "assessment.propose"),
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "dashboards/assessments.html", context, status=status)


def _sheet(request: AuthedRequest, pk: int) -> AssessmentSheet:
    rows = AssessmentSheet.objects.visible_to(request.user)
    return get_object_or_404(
        rows.select_related("office", "made_by", "signed_by"), pk=pk
    )


@needs("assessment.view")
def assessment(request: AuthedRequest, pk: int) -> HttpResponse:
    """One sheet: its lines by direction, key items, what everybody owes together."""
    row = _sheet(request, pk)
    is_open = row.state == State.PROPOSED
    may_do = may(request.user, "assessment.propose", row.office)
    is_maker = row.made_by_id == request.user.pk
    context = service.agenda(row) | {
        "sheet": row,
        "owed": service.owed(row),
        "most": service.MOST,
        "may_sign": is_open and may_do and not is_maker,
        "may_rule": is_open and may_do and not is_maker,
        "may_drop": is_open and may_do,
        "may_export": row.state == State.SIGNED
        and may(request.user, "assessment.export", row.office),
        "may_manage": may(request.user, "improvement.manage", row.office),
        "waits": is_open and localdate() <= row.object_until,
    }
    return render(request, "dashboards/assessment.html", context)


ACTS = {"sign": service.sign, "drop": service.drop}


@require_POST
@needs("assessment.propose")
def assessment_act(request: AuthedRequest, pk: int) -> HttpResponse:
    """Sign off, or throw away."""
    row = _sheet(request, pk)
    act = ACTS.get(request.POST.get("act", ""))
    if act is None:
        raise Http404
    try:
        act(row, by=request.user)
        messages.success(request, _("Done."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row)


@require_POST
@needs("assessment.export")
def assessment_export(request: AuthedRequest, pk: int) -> HttpResponse:
    """The file for finance, for the pay of the month after."""
    row = _sheet(request, pk)
    try:
        rows = service.export(row, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(row)
    return csv_answer(rows, f"assessment-{row.office.code}-{row.month:%Y-%m}.csv")


@needs("assessment.propose")
def assessment_cases(request: AuthedRequest, pk: int) -> HttpResponse:
    """The month's list for network control: verified cases of the regulator (R-KPI-04)."""
    row = _sheet(request, pk)
    cases = found.regulator_cases(row.office, span_of(Kind.MONTH, row.month))
    lines = [[_("Number"), _("Unit"), _("Class"), _("Serious"), _("Closed")]]
    lines += [
        [
            case.ref,
            case.handling_office.name,
            case.get_category_display(),
            _("yes") if case.is_violation else "",
            f"{case.closed_at:%Y-%m-%d}",
        ]
        for case in cases
    ]
    audit.record(request.user, "assessment.cases", row, office=row.office)
    return csv_answer(lines, f"regulator-{row.office.code}-{row.month:%Y-%m}.csv")


@needs("assessment.mine")
def assessment_mine(request: AuthedRequest) -> HttpResponse:
    """Lines that concern oneself, or the units one leads: to object to."""
    own = AssessmentLine.objects.visible_to(request.user)
    rows = own.exclude(sheet__state=State.DROPPED)
    rows = rows.select_related("sheet__office", "office", "user")
    page = keyset_page(rows, ["-found_on", "-pk"], request.GET.get("after", ""))
    for line in page.rows:
        line.may_object = (
            line.state == AssessmentLine.State.STANDS
            and line.sheet.state == State.PROPOSED
            and localdate() <= line.sheet.object_until
            and service.may_object(request.user, line)
        )
    return render(request, "dashboards/assessment_mine.html", {"page": page})


@require_POST
@needs("assessment.mine")
def line_act(request: AuthedRequest, pk: int, what: str) -> HttpResponse:
    """Object to a line, or rule on an objection."""
    rows = AssessmentLine.objects.visible_to(request.user)
    row = get_object_or_404(rows.select_related("sheet"), pk=pk)
    back = (
        redirect("dashboards:assessment_mine")
        if what == "object"
        else redirect("dashboards:assessment", row.sheet_id)
    )
    form = WordsForm(request.POST)
    if what not in ("object", "uphold", "lift"):
        raise Http404
    if not form.is_valid():
        messages.error(request, _("Say why."))
        return back
    words = form.cleaned_data["words"]
    try:
        if what == "object":
            service.object_to(row, by=request.user, objection=words)
        elif not may(request.user, "assessment.propose"):
            raise PermissionDenied("assessment.propose")
        else:
            service.rule(row, by=request.user, upholds=what == "uphold", ruling=words)
        messages.success(request, _("Kept."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return back


@needs("assessment.propose")
def assessment_rules(request: AuthedRequest) -> HttpResponse:
    """What a finding costs whom: the whole house's, set at the top."""
    require_everywhere(request.user, "assessment.propose")
    sent = request.POST if request.method == "POST" else None
    forms_ = RuleFormSet(sent, queryset=AssessmentRule.objects.all())
    if sent is not None and forms_.is_valid():
        forms_.save()
        changed = [f"{form.instance}" for form in forms_.forms if form.has_changed()]
        audit.record(
            request.user,
            "assessment.rules",
            "dashboards.assessmentrule",
            details={"now": changed},
        )
        messages.success(request, _("Saved."))
        return redirect("dashboards:assessments")
    status = 422 if sent is not None else 200
    context = {"forms": forms_}
    return render(request, "dashboards/assessment_rules.html", context, status=status)
