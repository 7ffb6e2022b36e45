"""Pages of bulletins: the list, a new one, one to read or edit, its files."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs
from crm.access.models import User
from crm.access.once import answered, once
from crm.access.scoping import offices_of
from crm.audit import services as audit
from crm.dashboards import bulletins as service
from crm.dashboards.boards import units_below
from crm.dashboards.forms import DATE, YEARS, near
from crm.dashboards.models import Bulletin, Receipt
from crm.dashboards.periods import Kind, span_of
from crm.dashboards.reckoned import KPIS
from crm.dashboards.registry import GROUPS
from crm.errors import Refused
from crm.org.models import Office
from crm.web import keyset_page

FILES = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
State = Bulletin.State


class BulletinForm(forms.ModelForm):
    """What a new bulletin is about; the units are those one level below its office."""

    kind = forms.ChoiceField(label=gettext_lazy("Period"), choices=Kind.choices)
    day = forms.DateField(
        label=gettext_lazy("with the day"), widget=DATE, validators=YEARS
    )
    kpis = forms.MultipleChoiceField(
        label=gettext_lazy("Figures"), widget=forms.SelectMultiple(attrs={"size": 12})
    )

    class Meta:
        model = Bulletin
        fields = ["office", "title", "kind", "day", "kpis"]

    def __init__(self, data: Any, *, by: User) -> None:
        super().__init__(data)
        offices = offices_of(by, "supervisor").exclude(level=Office.Level.OUTLET)
        self.fields["office"].queryset = offices
        self.fields["office"].choices = [(unit.pk, str(unit)) for unit in near(offices)]
        self.fields["office"].empty_label = None
        self.fields["kind"].initial = Kind.MONTH
        self.fields["kpis"].choices = [
            (label, [(kpi.name, kpi.label) for kpi in KPIS if kpi.group == group])
            for group, label in GROUPS.items()
        ]


class WordsForm(forms.ModelForm):
    class Meta:
        model = Bulletin
        fields = [*service.FACTS]
        widgets = {
            "opening": forms.Textarea(attrs={"rows": 5}),
            "closing": forms.Textarea(attrs={"rows": 5}),
        }


@needs("bulletin.read")
def bulletins(request: AuthedRequest) -> HttpResponse:
    """Those that one writes or received, newest first; a new one."""
    if url := answered(request):
        return redirect(url)
    may_write = may(request.user, "bulletin.write")
    sent = request.POST if request.method == "POST" and may_write else None
    form = BulletinForm(sent, by=request.user) if may_write else None
    if sent is not None and form is not None and form.is_valid():
        draft = form.save(commit=False)
        span = span_of(form.cleaned_data["kind"], form.cleaned_data["day"])
        draft.kind, draft.first, draft.last = span.kind, span.first, span.last
        units = units_below(draft.office)

        def act() -> str:
            return service.make(draft, by=request.user, units=units).get_absolute_url()

        try:
            return redirect(once(request, act))
        except Refused as refusal:
            field = {"bulletin.kpis": "kpis", "bulletin.empty": "day"}.get(refusal.code)
            form.add_error(field, str(refusal))
    rows = Bulletin.objects.visible_to(request.user).select_related("office", "made_by")
    page = keyset_page(rows, ["-made_at", "-pk"], request.GET.get("after", ""))
    mine = Receipt.objects.filter(user=request.user, bulletin__in=page.rows)
    read = dict(mine.values_list("bulletin", "read_at"))
    for row in page.rows:
        row.is_unread = row.pk in read and read[row.pk] is None
    status = 422 if form is not None and form.errors else 200
    context = {"page": page, "form": form}
    return render(request, "dashboards/bulletins.html", context, status=status)


def _bulletin(request: AuthedRequest, pk: int) -> Bulletin:
    rows = Bulletin.objects.visible_to(request.user)
    return get_object_or_404(
        rows.select_related("office", "made_by", "approved_by"), pk=pk
    )


@needs("bulletin.read")
def bulletin(request: AuthedRequest, pk: int) -> HttpResponse:
    """Read one; its writers edit the words while it is no final document."""
    row = _bulletin(request, pk)
    may_write = may(request.user, "bulletin.write", row.office)
    is_open = row.state in (State.DRAFT, State.APPROVED)
    form, status, version = None, 200, row.version
    if may_write and is_open:
        sent = request.POST if request.method == "POST" else None
        form = WordsForm(sent, instance=row)
        if sent is not None and form.is_valid():
            typed = sent.get("version", "")
            try:
                service.edit(
                    row,
                    by=request.user,
                    facts=form.cleaned_data,
                    version=int(typed) if typed.isdecimal() else -1,
                )
                messages.success(request, _("Saved."))
                return redirect(row)
            except Refused as refusal:
                form.add_error(None, str(refusal))
                version = Bulletin.objects.values_list("version", flat=True).get(pk=pk)
        status = 422 if form.errors else 200
    if not is_open:
        service.opened(row, request.user)
    receipts = row.receipts.select_related("user", "office").order_by(
        "office__path", "pk"
    )
    context = {
        "bulletin": Bulletin.objects.select_related("office").get(pk=pk),
        "words": row if form is None or not form.errors else None,
        "form": form,
        "version": version,
        "may_write": may_write,
        "may_approve": may_write
        and request.user.pk not in (row.made_by_id, row.edited_by_id),
        "receipts": receipts if may_write else [],
        "read": sum(one.read_at is not None for one in receipts) if may_write else 0,
    }
    return render(request, "dashboards/bulletin.html", context, status=status)


ACTS = {
    "count": service.count_anew,
    "approve": service.approve,
    "publish": service.publish,
    "archive": service.archive,
    "drop": service.drop,
}


@require_POST
@needs("bulletin.write")
def bulletin_act(request: AuthedRequest, pk: int) -> HttpResponse:
    """Take the figures anew, approve, publish, put away, throw away."""
    row = _bulletin(request, pk)
    act = ACTS.get(request.POST.get("act", ""))
    if act is None:
        raise Http404
    facts: dict[str, Any] = {}
    if act is service.approve:
        typed = request.POST.get("version", "")
        facts["version"] = int(typed) if typed.isdecimal() else -1
    try:
        act(row, by=request.user, **facts)
        messages.success(request, _("Done."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    gone = not Bulletin.objects.filter(pk=pk).exists()
    return redirect("dashboards:bulletins") if gone else redirect(row)


@needs("bulletin.read")
def bulletin_file(request: AuthedRequest, pk: int, kind: str) -> FileResponse:
    """The PDF or DOCX of a published bulletin; each download is in the trail."""
    row = _bulletin(request, pk)
    path = service.path_of(row, kind)
    if kind not in FILES or row.files_at is None or not path.exists():
        raise Http404
    service.opened(row, request.user)
    audit.record(
        request.user,
        "bulletin.fetched",
        row,
        office=row.office,
        details={"kind": kind},
    )
    name = f"bulletin-{row.year}-{row.number}.{kind}"
    return FileResponse(
        path.open("rb"), as_attachment=True, filename=name, content_type=FILES[kind]
    )
