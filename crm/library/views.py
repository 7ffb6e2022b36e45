"""Pages of documents: what holds here, what one is to read, drafts and their issue."""

from typing import Any

from django.contrib import messages
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, may, needs, require
from crm.access.once import once
from crm.access.scoping import subtree
from crm.errors import Refused
from crm.library import services
from crm.library.forms import (
    DocumentForm,
    EditionForm,
    PromiseFormSet,
    promises_of,
)
from crm.library.models import Document, Edition, Reading
from crm.text import number_of

State = Edition.State
MOST = 300


@needs("library.read")
def documents(request: AuthedRequest) -> HttpResponse:
    """What holds here, by kind; what one is still to confirm comes first."""
    asked = request.GET.get("q", "").strip()[:60]
    rows = Document.objects.visible_to(request.user).select_related("office", "current")
    drafts = Edition.objects.filter(document=OuterRef("pk"), state=State.DRAFT)
    rows = rows.annotate(has_draft=Exists(drafts))
    if asked:
        rows = rows.filter(title__icontains=asked)
    found = sorted(rows[:MOST], key=lambda row: list(Document.Kind).index(row.kind))
    for row in found:
        row.has_draft &= may(request.user, "library.write", row.office)
        row.is_mine = row.kind == Document.Kind.POST and any(
            posting.role in row.roles for posting in request.user.postings_now
        )
    may_write = may(request.user, "library.write")
    missing = (
        services.missing_slots(request.user.posts("supervisor")[0].office)
        if may_write
        else []
    )
    context = {
        "documents": found,
        "q": asked,
        "waiting": services.waiting_for(request.user),
        "today": localdate(),
        "may_write": may_write,
        "missing": missing,
    }
    return render(request, "library/documents.html", context)


def _document(request: AuthedRequest, pk: int) -> Document:
    rows = Document.objects.visible_to(request.user)
    return get_object_or_404(rows.select_related("office", "current"), pk=pk)


@needs("library.read")
def document(request: AuthedRequest, pk: int) -> HttpResponse:
    """The edition in force, or an older one; who is still to read it."""
    row = _document(request, pk)
    may_write = may(request.user, "library.write", row.office)
    editions = list(row.editions.select_related("written_by", "issued_by"))
    if not may_write:
        editions = [one for one in editions if one.state != State.DRAFT]
    asked = request.GET.get("edition", "")
    chosen = next((one for one in editions if str(one.number) == asked), None)
    shown = chosen or row.current or (editions[0] if editions else None)
    # SECURITY: of whom the reader supervises, and oneself.
    readings = Reading.objects.filter(
        subtree(request.user, "supervisor"), edition=shown
    )
    readings = readings.select_related("user", "office").order_by("read_at", "pk")
    own = Reading.objects.filter(edition=row.current, user=request.user).first()
    context = {
        "document": row,
        "edition": shown,
        "editions": editions,
        "promises": shown.promises.all() if shown else [],
        "may_write": may_write,
        "draft": next((one for one in editions if one.state == State.DRAFT), None),
        "may_issue": may_write
        and shown is not None
        and shown.state == State.DRAFT
        and shown.written_by_id != request.user.pk,
        "own": own,
        "readings": readings[:MOST],
        "asked": readings.count(),
        "read": readings.exclude(read_at=None).count(),
        "today": localdate(),
    }
    return render(request, "library/document.html", context)


@needs("library.write")
def document_new(request: AuthedRequest) -> HttpResponse:
    sent = request.POST or None
    form = DocumentForm(sent, by=request.user)
    text = EditionForm(sent, prefix="text")
    lines = PromiseFormSet(sent, prefix="promise")
    if sent and all([form.is_valid(), text.is_valid(), lines.is_valid()]):
        row, draft = form.save(commit=False), text.save(commit=False)

        def act() -> str:
            made = services.write(
                row, draft, by=request.user, promises=promises_of(lines)
            )
            return made.get_absolute_url()

        return redirect(once(request, act))
    return _form_page(request, None, form, text, lines)


@needs("library.write")
def document_edit(request: AuthedRequest, pk: int) -> HttpResponse:
    """The draft of the next edition, begun from the last one."""
    row = _document(request, pk)
    require(request.user, "library.write", row.office)
    draft, known = services.draft_of(row)
    sent = request.POST or None
    version = draft.version
    form = DocumentForm(sent, instance=row, by=request.user)
    text = EditionForm(sent, instance=draft, prefix="text")
    lines = PromiseFormSet(sent, initial=None if sent else known, prefix="promise")
    if sent and all([form.is_valid(), text.is_valid(), lines.is_valid()]):
        typed = sent.get("version", "")
        try:
            kept = services.save_draft(
                row,
                by=request.user,
                facts=text.cleaned_data,
                promises=promises_of(lines),
                version=number_of(typed, -1),
            )
            services.save_facts(row, by=request.user)
            messages.success(request, _("Saved."))
            return redirect(f"{row.get_absolute_url()}?edition={kept.number}")
        except Refused as refusal:
            text.add_error(None, str(refusal))
    return _form_page(request, row, form, text, lines, version)


def _form_page(
    request: AuthedRequest,
    row: Document | None,
    form: Any,
    text: Any,
    lines: Any,
    version: int = 0,
) -> HttpResponse:
    is_wrong = any(one is not None and one.errors for one in (form, text))
    is_wrong = is_wrong or any(line for line in lines.errors)
    context = {
        "document": row,
        "form": form,
        "text": text,
        "lines": lines,
        "version": version,
        "has_promises": row is None or row.kind == Document.Kind.PROMISE,
    }
    return render(
        request, "library/edit.html", context, status=422 if is_wrong else 200
    )


@require_POST
@needs("library.write")
def document_act(request: AuthedRequest, pk: int) -> HttpResponse:
    """Issue the draft, or withdraw what holds."""
    row = _document(request, pk)
    try:
        if request.POST.get("act") == "issue":
            typed = request.POST.get("version", "")
            draft = get_object_or_404(row.editions, state=State.DRAFT)
            services.issue(
                draft,
                by=request.user,
                version=number_of(typed, -1),
            )
            messages.success(request, _("It is issued."))
        elif request.POST.get("act") == "drop":
            services.drop(row, by=request.user)
            return redirect("library:documents")
        elif request.POST.get("act") == "withdraw":
            services.withdraw(row, by=request.user)
            messages.success(request, _("It holds no longer."))
        else:
            raise Http404
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(row)


@require_POST
@needs("library.read")
def confirm(request: AuthedRequest, pk: int) -> HttpResponse:
    """One has read it."""
    row = _document(request, pk)
    try:
        typed = number_of(request.POST.get("edition", ""))
        services.confirm(row, by=request.user, number=typed)
        messages.success(request, _("Thank you: it is noted."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("library:documents")
