"""Front-line feedback: submit and follow one's own; decide; the monthly bulletin."""

from datetime import date, datetime, time

from django import forms
from django.contrib import messages
from django.core import validators
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate, make_aware, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import once
from crm.errors import Refused
from crm.improvement import queries, services
from crm.improvement.models import Feedback

MOST = 200


class FeedbackForm(forms.ModelForm):
    class Meta:
        model = Feedback
        fields = ["kind", "title", "text"]
        widgets = {"text": forms.Textarea(attrs={"rows": 4})}


class DecisionForm(forms.Form):
    """A step, the reply to the submitter, the department of a dispatch."""

    step = forms.ChoiceField(
        choices=[(name, name) for name in services.STEPS], widget=forms.HiddenInput
    )
    note = forms.CharField(
        label=gettext_lazy("Reply to the submitter"),
        min_length=2,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    department = forms.ChoiceField(
        label=gettext_lazy("Department (when dispatched)"),
        choices=[("", "—"), *Feedback.Department.choices],
        required=False,
    )


class MonthForm(forms.Form):
    month = forms.DateField(
        required=False,
        input_formats=["%Y-%m"],
        validators=[
            validators.MinValueValidator(date(2000, 1, 1)),
            validators.MaxValueValidator(date(2100, 1, 1)),
        ],
    )


LABELS = {
    "solve": gettext_lazy("It is solved"),
    "pass_up": gettext_lazy("Pass it up"),
    "dispatch": gettext_lazy("Dispatch"),
    "send_back": gettext_lazy("Back to the branch"),
    "decline": gettext_lazy("Not taken up"),
}


def _rows(request: AuthedRequest):
    rows = Feedback.objects.visible_to(request.user)
    return rows.select_related("by", "office")


@needs("feedback.submit")
def mine(request: AuthedRequest) -> HttpResponse:
    """What one has submitted, and the form; for supervisors also what waits for them."""
    form = FeedbackForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        office = request.user.postings_now[0].office
        typed = form.cleaned_data
        pk = once(
            request,
            lambda: str(services.submit(by=request.user, office=office, **typed).pk),
        )
        messages.success(request, _("Thank you: it is with your branch now."))
        return redirect("improvement:detail", pk)
    rows = _rows(request)
    waiting = []
    if may(request.user, "feedback.decide"):
        running = rows.open().exclude(by=request.user).order_by("due_at")[:MOST]
        waiting = [row for row in running if services.may_decide(request.user, row)]
    own = list(Feedback.objects.filter(by=request.user)[:MOST])
    context = {
        "form": form,
        "own": own,
        "points": sum(row.points for row in own),
        "waiting": waiting,
        "at": now(),
    }
    return render(
        request, "improvement/mine.html", context, status=422 if form.errors else 200
    )


def _page(request: AuthedRequest, row: Feedback, form=None) -> HttpResponse:
    open_steps = [
        (name, LABELS[name])
        for name in LABELS
        if row.state in services.STEPS[name].before
    ]
    context = {
        "row": row,
        "lines": row.lines.select_related("by"),
        "form": form or DecisionForm(),
        "steps": open_steps if services.may_decide(request.user, row) else [],
        "at": now(),
    }
    status = 422 if form and form.errors else 200
    return render(request, "improvement/detail.html", context, status=status)


@needs("feedback.submit")
def detail(request: AuthedRequest, pk: int) -> HttpResponse:
    return _page(request, get_object_or_404(_rows(request), pk=pk))


@require_POST
@needs("feedback.decide")
def decide(request: AuthedRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(_rows(request), pk=pk)
    form = DecisionForm(request.POST)
    if form.is_valid():
        try:
            services.decide(row, by=request.user, **form.cleaned_data)
            return redirect("improvement:detail", row.pk)
        except Refused as refusal:
            is_department = refusal.code == "feedback.department"
            form.add_error("department" if is_department else None, str(refusal))
    return _page(request, row, form)


@needs("feedback.decide")
def bulletin(request: AuthedRequest) -> HttpResponse:
    """R-CMP-47: what the front line said in a month and what became of it; to print."""
    form = MonthForm(request.GET)
    if not form.is_valid():
        raise Http404
    first = form.cleaned_data["month"] or localdate().replace(day=1)
    after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    begins, ends = (make_aware(datetime.combine(d, time())) for d in (first, after))
    rows = Feedback.objects.visible_to(request.user).filter(at__gte=begins, at__lt=ends)
    counts = {kind: rows.filter(kind=kind).count() for kind in Feedback.Kind.values}
    context = {
        "month": first,
        "kinds": [(label, counts[value]) for value, label in Feedback.Kind.choices],
        "lines": queries.bulletin(rows, now()),
        "ranking": queries.ranking(rows),
        "open": rows.open().select_related("office", "by").order_by("due_at")[:MOST],
        "at": now(),
    }
    return render(request, "improvement/bulletin.html", context)
