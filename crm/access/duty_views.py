"""Shifts and absences of the people of one's area."""

from datetime import timedelta

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from crm.access import duty
from crm.access.capabilities import AuthedRequest, needs
from crm.access.models import Absence, Shift
from crm.access.once import once


class DutyForm(forms.ModelForm):
    """A person of one's area, from and to."""

    longest: timedelta

    def __init__(self, *args, people, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].queryset = people
        if "substitute" in self.fields:
            self.fields["substitute"].queryset = people

    def clean(self):
        typed = super().clean()
        begins, ends = (typed.get(name) for name in self.Meta.fields[1:3])
        if begins and not 2000 <= begins.year <= 2100:
            self.add_error(self.Meta.fields[1], _("This year is far away."))
        elif begins and ends and not begins <= ends <= begins + self.longest:
            self.add_error(
                self.Meta.fields[2], _("It ends before it begins, or too late.")
            )
        return typed


class ShiftForm(DutyForm):
    longest = timedelta(hours=24)

    class Meta:
        model = Shift
        fields = ["user", "starts_at", "ends_at"]
        widgets = dict.fromkeys(
            ["starts_at", "ends_at"],
            forms.DateTimeInput(attrs={"type": "datetime-local"}),
        )


class AbsenceForm(DutyForm):
    longest = timedelta(days=366)

    class Meta:
        model = Absence
        fields = ["user", "first_day", "last_day", "substitute", "reason"]
        widgets = dict.fromkeys(
            ["first_day", "last_day"], forms.DateInput(attrs={"type": "date"})
        )
        help_texts = {"reason": gettext_lazy("Leave, training …: no diagnosis.")}


FORMS = {
    "shift": (ShiftForm, duty.add_shift),
    "absence": (AbsenceForm, duty.add_absence),
}
MODELS = {"shift": Shift, "absence": Absence}


def _page(request: AuthedRequest, status: int = 200, **given) -> HttpResponse:
    people = duty.under(request.user)
    at = now()
    shifts = Shift.objects.filter(user__in=people, ends_at__gte=at)
    away = Absence.objects.filter(user__in=people, last_day__gte=localdate())
    context = {
        "shifts": shifts.select_related("user")[:200],
        "absences": away.select_related("user")[:200],
        "shift_form": given.get("shift") or ShiftForm(people=people, prefix="shift"),
        "absence_form": given.get("absence")
        or AbsenceForm(people=people, prefix="absence"),
    }
    return render(request, "access/duty.html", context, status=status)


@needs("duty.edit")
def roster(request: AuthedRequest) -> HttpResponse:
    return _page(request)


@require_POST
@needs("duty.edit")
def add(request: AuthedRequest, what: str) -> HttpResponse:
    if what not in FORMS:
        raise Http404
    form_class, service = FORMS[what]
    form = form_class(request.POST, people=duty.under(request.user), prefix=what)
    if not form.is_valid():
        return _page(request, 422, **{what: form})
    typed = dict(form.cleaned_data)
    person = typed.pop("user")
    once(request, lambda: str(service(person, by=request.user, **typed).pk))
    return redirect("access:duty")


@require_POST
@needs("duty.edit")
def remove(request: AuthedRequest, what: str, pk: int) -> HttpResponse:
    if what not in MODELS:
        raise Http404
    rows = MODELS[what].objects.filter(user__in=duty.under(request.user))
    duty.remove(get_object_or_404(rows, pk=pk), by=request.user)
    return redirect("access:duty")
