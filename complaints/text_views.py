"""Text blocks, one's own and one's offices', and the phrases that no answer contains."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from complaints import texts
from complaints.models import BannedPhrase, TextBlock
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.scoping import offices_of


class BlockForm(forms.ModelForm):
    """A block of one's own, or of an office that one supervises."""

    class Meta:
        model = TextBlock
        fields = ["use", "title", "body", "group", "digit", "office"]
        labels = {"office": gettext_lazy("For all at")}
        widgets = {"body": forms.Textarea(attrs={"rows": 4, "maxlength": 1000})}

    def __init__(self, *args: Any, offices: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        office: Any = self.fields["office"]
        office.queryset, office.to_field_name = offices, "code"
        office.empty_label = _("Only for me")
        known = " ".join(
            f"{{{name}}} {said}," for name, said in texts.VARIABLES.items()
        )
        self.fields["body"].help_text = known.rstrip(",")

    def clean_body(self) -> str:
        body = self.cleaned_data["body"]
        if unknown := texts.unknown_variables(body):
            shown = ", ".join(f"{{{name}}}" for name in unknown)
            raise forms.ValidationError(
                _("Nothing fills in %(what)s.") % {"what": shown}
            )
        return body

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if typed.get("use") == TextBlock.Use.ANSWER:
            for row in texts.banned_in(typed.get("body", ""), typed.get("office")):
                shown = {"phrase": row.phrase, "instead": row.instead or "—"}
                said = _("Not to a customer: “%(phrase)s”. Better: %(instead)s")
                self.add_error("body", said % shown)
        return typed


class BanForm(forms.ModelForm):
    class Meta:
        model = BannedPhrase
        fields = ["phrase", "instead", "office"]

    def __init__(self, *args: Any, offices: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        office: Any = self.fields["office"]
        office.queryset, office.to_field_name = offices, "code"
        office.required = True

    def clean_phrase(self) -> str:
        return "".join(self.cleaned_data["phrase"].split())


def _mine(request: AuthedRequest) -> Any:
    return offices_of(request.user, "supervisor")


def _page(request: AuthedRequest, status: int = 200, **given: Any) -> HttpResponse:
    rows = list(texts.blocks_of(request.user))
    supervised = set(_mine(request).values_list("pk", flat=True))
    mine = {(r.use, r.digit) for r in rows if r.owner_id and r.digit}
    for row in rows:
        row.is_hidden = row.owner_id is None and (row.use, row.digit) in mine
        row.is_mine = row.owner_id == request.user.pk or row.office_id in supervised
    bans = BannedPhrase.objects.select_related("office")
    context = {
        "rows": rows,
        "form": given.get("form") or BlockForm(offices=_mine(request)),
        "editing": given.get("editing"),
        "bans": [b for b in bans if b.office_id in {None, *supervised}],
        "ban_form": given.get("ban_form") or BanForm(offices=_mine(request)),
        "may_share": may(request.user, "text.share"),
    }
    return render(request, "complaints/texts.html", context, status=status)


def _block(request: AuthedRequest, pk: str) -> TextBlock:
    """A block that this reader may change."""
    rows = TextBlock.objects.filter(owner=request.user)
    rows |= TextBlock.objects.filter(office__in=_mine(request))
    return get_object_or_404(rows, pk=pk if pk.isdecimal() and len(pk) < 18 else 0)


@needs("text.keep")
def text_list(request: AuthedRequest) -> HttpResponse:
    """The blocks; ?edit= opens one in the form; posted: one more, or that one changed."""
    asked = request.GET.get("edit", "")
    editing = _block(request, asked) if asked else None
    if request.method != "POST":
        form = BlockForm(instance=editing, offices=_mine(request))
        return _page(request, form=form, editing=editing)
    form = BlockForm(
        request.POST,
        instance=editing or TextBlock(owner=request.user),
        offices=_mine(request),
    )
    if form.is_valid():
        block = form.save(commit=False)
        block.owner = None if block.office else request.user
        try:
            with transaction.atomic():
                texts.save_block(block, by=request.user)
        except IntegrityError:
            form.add_error("digit", _("Another text has this key: choose a free one."))
        else:
            messages.success(request, _("“%(what)s” is kept.") % {"what": block.title})
            return redirect("complaints:texts")
    return _page(request, 422, form=form, editing=editing)


@require_POST
@needs("text.keep")
def text_remove(request: AuthedRequest, pk: int) -> HttpResponse:
    texts.remove_block(_block(request, str(pk)), by=request.user)
    return redirect("complaints:texts")


@require_POST
@needs("text.share")
def ban(request: AuthedRequest) -> HttpResponse:
    form = BanForm(request.POST, offices=_mine(request))
    if form.is_valid():
        try:
            with transaction.atomic():
                texts.ban(form.save(commit=False), by=request.user)
        except IntegrityError:
            form.add_error("phrase", _("It stands there already."))
        else:
            return redirect("complaints:texts")
    return _page(request, 422, ban_form=form)


@require_POST
@needs("text.share")
def allow(request: AuthedRequest, pk: int) -> HttpResponse:
    rows = BannedPhrase.objects.filter(office__in=_mine(request))
    texts.allow(get_object_or_404(rows, pk=pk), by=request.user)
    return redirect("complaints:texts")
