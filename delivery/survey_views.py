"""The public page of a survey: no login, both languages, three taps."""

from typing import Any

from django import forms
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext_lazy

from crm.errors import Refused
from delivery import surveys
from delivery.models import Invitation, Question, QuestionnaireVersion

Kind = Question.Kind
CHOICES = {
    Kind.YES_NO: [("1", gettext_lazy("Yes")), ("0", gettext_lazy("No"))],
    Kind.RATING: [(str(n), str(n)) for n in range(1, 6)],
}


class SurveyForm(forms.Form):
    """The questions of a version; one that others make needless is not asked for."""

    def __init__(
        self, *args: Any, version: QuestionnaireVersion, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.questions = list(version.questions.all())
        for question in self.questions:
            self.fields[question.code] = self._field(question)

    def _field(self, question: Question) -> forms.Field:
        if question.kind == Kind.WORDS:
            box = forms.Textarea(attrs={"rows": 3, "maxlength": 500})
            field = forms.CharField(
                label=str(question), required=False, max_length=500, widget=box
            )
            field.is_later = bool(question.only_if)
            return field
        return forms.TypedChoiceField(
            label=str(question),
            choices=CHOICES[Kind(question.kind)],
            coerce=int,
            empty_value=None,
            required=False,
            widget=forms.RadioSelect,
        )

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        for question in self.questions:
            asked = surveys.is_asked(question, typed)
            is_empty = typed.get(question.code) in (None, "")
            if asked and question.is_required and is_empty:
                if question.code not in self.errors:
                    self.add_error(question.code, gettext_lazy("Please choose."))
            elif not asked:
                typed.pop(question.code, None)
        return typed


@login_not_required
def survey(request: HttpRequest, token: str) -> HttpResponse:
    """Asked: the questions; answered or too late: a sentence that says so.

    SECURITY: the token is the only key; the page names neither customer nor matter.
    """
    rows = Invitation.objects.select_related("version")
    invitation = get_object_or_404(rows, token=token)
    if invitation.answered_at or invitation.expires_at < now():
        return _page(request, invitation, None)
    is_sent = request.method == "POST"
    sent = request.POST if is_sent else None
    form = SurveyForm(sent, version=invitation.version)
    if is_sent and form.is_valid():
        try:
            surveys.answer(invitation, form.cleaned_data)
        except Refused as refusal:
            if refusal.code == "survey.missing":
                form.add_error(None, str(refusal))
                return _page(request, invitation, form, 422)
        return redirect("survey", token)
    if invitation.opened_at is None:
        Invitation.objects.filter(pk=invitation.pk).update(opened_at=now())
    return _page(request, invitation, form, 422 if form.errors else 200)


def _page(
    request: HttpRequest,
    invitation: Invitation,
    form: SurveyForm | None,
    status: int = 200,
) -> HttpResponse:
    if form is None and not invitation.answered_at:
        status = 410
    context = {"invitation": invitation, "form": form}
    answer = render(request, "delivery/survey.html", context, status=status)
    answer.headers["X-Robots-Tag"] = "noindex"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
