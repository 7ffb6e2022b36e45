"""Macros: kept on one page, staged on another, done when somebody has looked."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core import signing
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from complaints import doing, services, texts
from complaints.models import Category, Complaint, Macro, TextBlock
from complaints.order_forms import FORMS, SHOWN_SALT
from complaints.order_views import left_for, visible
from complaints.workflow import ACTIONS, open_actions
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.once import once
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.org.models import Office
from customers.records import Clash


class MacroForm(forms.ModelForm):
    """A macro of one's own, or of an office that one supervises."""

    class Meta:
        model = Macro
        fields = [
            "title",
            "action",
            "text",
            "target",
            "severity",
            "subcategory",
            "office",
        ]
        labels = {"office": gettext_lazy("For all at")}
        widgets = {"text": forms.Textarea(attrs={"rows": 3, "maxlength": 1000})}

    def __init__(self, *args: Any, offices: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        office: Any = self.fields["office"]
        office.queryset, office.to_field_name = offices, "code"
        office.empty_label = _("Only for me")
        target: Any = self.fields["target"]
        target.queryset, target.to_field_name = Office.objects.active(), "code"
        self.fields["subcategory"].queryset = Category.objects.filter(is_active=True)

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        is_handing = typed.get("action") == "assign"
        if is_handing and not typed.get("target") and "target" not in self.errors:
            self.add_error("target", _("Say to whom it is handed."))
        if not is_handing:
            typed["target"] = None
        if unknown := texts.unknown_variables(typed.get("text", "")):
            shown = ", ".join(f"{{{name}}}" for name in unknown)
            self.add_error("text", _("Nothing fills in %(what)s.") % {"what": shown})
        return typed


def _mine(request: AuthedRequest) -> Any:
    return offices_of(request.user, "supervisor")


@needs("text.keep")
def macro_list(request: AuthedRequest) -> HttpResponse:
    """The macros that one may use; posted: one more."""
    sent = request.POST if request.method == "POST" else None
    blank = Macro(owner=request.user)
    form = MacroForm(sent, instance=blank, offices=_mine(request))
    if sent is not None and form.is_valid():
        macro = form.save(commit=False)
        macro.owner = None if macro.office else request.user
        texts.save_block(macro, by=request.user)
        messages.success(request, _("“%(what)s” is kept.") % {"what": macro.title})
        return redirect("complaints:macros")
    rows = list(texts.macros_of(request.user))
    supervised = set(_mine(request).values_list("pk", flat=True))
    for row in rows:
        row.is_mine = row.owner_id == request.user.pk or row.office_id in supervised
    context = {
        "rows": rows,
        "form": form,
        "may_share": may(request.user, "text.share"),
    }
    status = 422 if form.errors else 200
    return render(request, "complaints/macros.html", context, status=status)


@require_POST
@needs("text.keep")
def macro_remove(request: AuthedRequest, pk: int) -> HttpResponse:
    rows = Macro.objects.filter(owner=request.user)
    rows |= Macro.objects.filter(office__in=_mine(request))
    texts.remove_block(get_object_or_404(rows, pk=pk), by=request.user)
    return redirect("complaints:macros")


@needs("complaint.move")
def macro(request: AuthedRequest, ref: str, pk: int) -> HttpResponse:
    """Staged: what it changes, before and after, and its action's form, to be read and
    corrected; posted: all of it or nothing."""
    complaint = get_object_or_404(visible(request).for_list(), ref=ref)
    found = get_object_or_404(texts.macros_of(request.user), pk=pk)
    facts = {"complaint": complaint, "user": request.user, "auto_id": "id_step_%s"}
    form_class = FORMS[found.action]
    if request.method != "POST":
        words = doing.staged(found, complaint, request.user)
        form = form_class(initial=words, **facts)
        return _stage(request, found, complaint, form)
    form, status = form_class(request.POST, **facts), 422
    if form.is_valid():
        try:
            shown = signing.loads(request.POST.get("shown", ""), salt=SHOWN_SALT)
            given = {"by": request.user, "shown": shown, **form.given()}

            def act() -> str:
                done = doing.run_macro(found, complaint, **given)
                return left_for(request, done, found.title)

            return redirect(once(request, act))
        except signing.BadSignature:
            form.add_error(None, _("Open the page anew."))
        except Refused as refusal:
            form.add_error(None, str(refusal))
        except Clash:
            status = 409
            said = _("Somebody else has changed it: look at it once more.")
            form.add_error(None, said)
    return _stage(request, found, complaint, form, status)


def _stage(
    request: AuthedRequest,
    found: Macro,
    complaint: Complaint,
    form: Any,
    status: int = 200,
) -> HttpResponse:
    shown = {"severity": complaint.severity, "subcategory": complaint.subcategory_id}
    changes = []
    changed = doing.changes_of(found, complaint)
    if "severity" in changed:
        pair = complaint.get_severity_display(), found.get_severity_display()
        changes.append((_("Severity"), *pair))
    if "subcategory" in changed:
        pair = complaint.subcategory or "—", found.subcategory
        changes.append((_("Category"), *pair))
    is_open = found.action in open_actions(complaint.state)
    context = {
        "macro": found,
        "complaint": complaint,
        "form": form,
        "changes": changes,
        "action": ACTIONS[found.action],
        "blocks": texts.offered(request.user, TextBlock.Use.ANSWER, complaint),
        "is_open": is_open
        and services.may_over(request.user, "complaint.move", complaint),
        "shown": signing.dumps(shown, salt=SHOWN_SALT),
    }
    return render(request, "complaints/macro.html", context, status=status)
