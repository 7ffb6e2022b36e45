"""The page of a leak: whom it has hit, for the auditors of the whole house."""

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.access.capabilities import AuthedRequest, needs, require_everywhere
from crm.access.models import User
from crm.audit import services as audit
from crm.risk import breach
from crm.web import csv_answer
from customers.models import Export

MOST = 200  # on the page; the file has all
MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class BreachForm(forms.Form):
    actor = forms.CharField(
        label=gettext_lazy("Account (user name)"), max_length=60, required=False
    )
    export = forms.CharField(
        label=gettext_lazy("Exported file (id)"), max_length=40, required=False
    )
    since = forms.DateTimeField(
        label=gettext_lazy("From"), widget=MOMENT, required=False
    )
    until = forms.DateTimeField(
        label=gettext_lazy("Until"), widget=MOMENT, required=False
    )
    cause = forms.CharField(
        label=gettext_lazy("Cause, for the notices"), max_length=500, required=False
    )
    measures = forms.CharField(
        label=gettext_lazy("Measures, for the notices"), max_length=500, required=False
    )

    def clean_actor(self) -> User | None:
        name = self.cleaned_data["actor"].strip()
        if not name:
            return None
        found = User.objects.filter(username=name).first()
        if found is None:
            raise forms.ValidationError(_("Nobody here has this user name."))
        return found

    def clean_export(self) -> Export | None:
        typed = self.cleaned_data["export"].strip()
        if not typed:
            return None
        try:
            # SECURITY: auditors of the whole house only; see the view.
            found = Export.objects.filter(pk=UUID(typed)).first()
        except ValueError:
            found = None
        if found is None:
            raise forms.ValidationError(_("There is no such file."))
        return found

    def clean(self) -> dict[str, Any]:
        asked = super().clean() or {}
        is_timed = asked.get("since") and asked.get("until")
        is_named = asked.get("actor") or asked.get("export")
        if not self.errors and not is_timed and not is_named:
            raise forms.ValidationError(
                _("Name an account, a file, or a time from and until.")
            )
        if is_timed and asked["since"] >= asked["until"]:
            self.add_error("until", _("The end lies before the beginning."))
        return asked


@needs("breach.report")
def breach_report(request: AuthedRequest) -> HttpResponse:
    """Ask whom a leak has hit; on the page, or as a file. Each asking is in the trail."""
    require_everywhere(request.user, "breach.report")
    sent = request.POST if request.method == "POST" else None
    form = BreachForm(sent)
    context: dict[str, Any] = {"form": form, "at": localtime()}
    if sent is not None and form.is_valid():
        asked = form.cleaned_data
        names = ("actor", "export", "since", "until")
        found = breach.report(**{name: asked[name] for name in names})
        details = {name: str(asked[name] or "") for name in names}
        hit = {"hit": len(found.hits)}
        audit.record(request.user, "breach.reported", details=details | hit)
        if "file" in sent:
            return csv_answer(breach.lines(found), "breach.csv")
        context |= {
            "found": found,
            "hits": found.hits[:MOST],
            "notices": breach.notices(found, asked["cause"], asked["measures"]),
        }
    status = 422 if form.errors else 200
    return render(request, "risk/breach.html", context, status=status)
