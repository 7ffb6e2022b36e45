"""The organisation directory: list, hand-over, acceptance, conversion."""

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from crm import text
from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.models import User
from crm.access.scoping import offices_of
from crm.errors import Refused
from crm.org.models import Office
from crm.web import keyset_page
from customers import directory
from customers.models import Organisation
from customers.record_forms import managers_of


class HandOverForm(forms.Form):
    developer = forms.ModelChoiceField(
        queryset=User.objects.none(), label=gettext_lazy("Market developer")
    )
    outlet = forms.ModelChoiceField(
        queryset=Office.objects.none(),
        required=False,
        label=gettext_lazy("Outlet that supports"),
    )

    def for_entry(self, entry: Organisation, user: User) -> None:
        self.fields["developer"].queryset = managers_of(entry.office.path)
        outlets = offices_of(user).filter(path__startswith=entry.office.path)
        self.fields["outlet"].queryset = outlets


class AnswerForm(forms.Form):
    answer = forms.CharField(
        label=gettext_lazy("Answer"), max_length=200, required=False
    )


def _visible(request: AuthedRequest) -> QuerySet[Organisation]:
    rows = Organisation.objects.visible_to(request.user)
    return rows.select_related("office", "developer", "customer", "outlet")


@needs("directory.view")
def entries(request: AuthedRequest) -> HttpResponse:
    """The entries by name, under a state and the beginning of a name or its pinyin."""
    rows = _visible(request)
    state = request.GET.get("state", "")
    if state:
        if state not in Organisation.State.values:
            raise Http404
        rows = rows.filter(state=state)
    query = request.GET.get("q", "").strip()[:60]
    if query:
        folded = text.fold(query)
        by = (
            {"pinyin__startswith": folded}
            if folded.isascii()
            else {"pinyin__startswith": text.pinyin_of(text.company_core(query))[0]}
        )
        rows = rows.filter(**by)
    page = keyset_page(rows, ["pinyin", "pk"], request.GET.get("after", ""))
    context = {
        "page": page,
        "state": state,
        "query": query,
        "states": Organisation.State.choices,
    }
    return render(request, "customers/directory.html", context)


def _page(
    request: AuthedRequest, entry: Organisation, status: int = 200, **bound
) -> HttpResponse:
    hand = bound.get("hand") or HandOverForm()
    hand.for_entry(entry, request.user)
    is_mine = entry.developer_id == request.user.pk
    context = {
        "entry": entry,
        "hand_form": hand,
        "answer_form": bound.get("answer") or AnswerForm(),
        "may_hand": may(request.user, "directory.assign", entry.office)
        and entry.state in ("new", "declined", "handed"),
        "may_answer": is_mine and entry.state == "handed",
        "may_convert": is_mine and entry.state == "accepted",
        "phone": text.mask_phone(entry.phone) if not is_mine else entry.phone,
        "address": entry.address if is_mine else text.mask_address(entry.address),
    }
    return render(request, "customers/organisation.html", context, status=status)


@needs("directory.view")
def entry_page(request: AuthedRequest, pk: int) -> HttpResponse:
    return _page(request, get_object_or_404(_visible(request), pk=pk))


@require_POST
@needs("directory.assign")
def hand_over(request: AuthedRequest, pk: int) -> HttpResponse:
    entry = get_object_or_404(_visible(request), pk=pk)
    form = HandOverForm(request.POST)
    form.for_entry(entry, request.user)
    if form.is_valid():
        try:
            directory.hand_over(entry, by=request.user, **form.cleaned_data)
            messages.success(request, _("Handed over."))
            return redirect(entry)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return _page(request, entry, 422, hand=form)


@require_POST
@needs("directory.view")
def answer(request: AuthedRequest, pk: int) -> HttpResponse:
    entry = get_object_or_404(_visible(request), pk=pk)
    form = AnswerForm(request.POST)
    if form.is_valid():
        try:
            directory.answer_handover(
                entry,
                by=request.user,
                accept=request.POST.get("accept") == "yes",
                answer=form.cleaned_data["answer"],
            )
            return redirect(entry)
        except Refused as refusal:
            form.add_error("answer", str(refusal))
    return _page(request, entry, 422, answer=form)


@require_POST
@needs("directory.view")
def convert(request: AuthedRequest, pk: int) -> HttpResponse:
    entry = get_object_or_404(_visible(request), pk=pk)
    try:
        customer = directory.convert(entry, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(entry)
    messages.success(request, _("%(code)s is saved.") % {"code": customer.code})
    return redirect(customer)
