"""Many work orders handed over at once, by supervisors; each says for itself if it cannot."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from complaints import handling
from complaints.form_parts import office_named, user_named
from complaints.order_views import visible
from complaints.views import list_page
from crm.access.capabilities import AuthedRequest, needs
from crm.access.models import User
from crm.access.once import once
from crm.errors import Refused
from crm.org.models import Office
from crm.web import PAGE_ROWS


class HandOverForm(forms.Form):
    office = forms.CharField(max_length=60)
    owner = forms.CharField(max_length=60, required=False)
    note = forms.CharField(min_length=2, max_length=300)

    def clean_office(self) -> Office | None:
        return office_named(self.cleaned_data["office"])

    def clean_owner(self) -> User | None:
        return user_named(self.cleaned_data["owner"])


@require_POST
@needs("complaint.bulk")
def hand_over(request: AuthedRequest) -> HttpResponse:
    """The ticked rows of one page of the list; what cannot be handed over is named."""
    refs = request.POST.getlist("ref")[:PAGE_ROWS]
    rows = list(visible(request).filter(ref__in=[r.replace("\0", "") for r in refs]))
    form = HandOverForm(request.POST)
    if rows and form.is_valid():
        return redirect(once(request, lambda: _hand(request, rows, form.cleaned_data)))
    if not rows:
        messages.error(request, _("Tick the work orders to be handed over."))
    for name, errors in form.errors.items():
        label = {"office": _("Office"), "owner": _("Person"), "note": _("Why")}
        messages.error(request, f"{label[name]}: {errors[0]}")
    return list_page(request, 422, {"refs": refs, "typed": request.POST})


def _hand(request: AuthedRequest, rows: list[Any], given: dict[str, Any]) -> str:
    done, failed = 0, []
    for row in sorted(rows, key=lambda row: row.pk):
        try:
            handling.assign(row, by=request.user, **given)
            done += 1
        except Refused as refusal:
            failed.append(f"{row.ref}: {refusal}")
        except PermissionDenied:
            failed.append(f"{row.ref}: {_('not yours to hand over')}")
    if done:
        said = ngettext("%(n)s handed over.", "%(n)s handed over.", done)
        messages.success(request, said % {"n": done})
    for line in failed[:10]:
        messages.error(request, line)
    if len(failed) > 10:
        messages.error(request, _("and %(n)s more") % {"n": len(failed) - 10})
    return f"/complaints/?{request.GET.urlencode()}"
