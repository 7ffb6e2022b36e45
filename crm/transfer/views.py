"""The import pages: list, upload, mapping with preview, progress, rejected rows."""

from collections.abc import Iterator

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, needs
from crm.audit import services as audit
from crm.errors import Refused
from crm.transfer import reading, services
from crm.transfer.forms import EXAMPLE, UploadForm
from crm.transfer.models import Import
from crm.transfer.preview import preview
from crm.transfer.targets import REASONS, target_named
from crm.web import csv_answer


def _imports(request: AuthedRequest):
    return Import.objects.visible_to(request.user).select_related(
        "office", "created_by", "job"
    )


@needs("transfer.import")
def import_list(request: AuthedRequest) -> HttpResponse:
    rows = _imports(request).order_by("-created_at")[:100]
    return render(request, "transfer/list.html", {"imports": rows})


@needs("transfer.import")
def new(request: AuthedRequest) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None, by=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect(_upload(request, form.cleaned_data))
        except Refused as refusal:
            form.add_error("file", str(refusal))
    return render(
        request, "transfer/new.html", {"form": form}, status=422 if form.errors else 200
    )


def _upload(request: AuthedRequest, chosen: dict) -> Import:
    source = chosen["file"] or EXAMPLE.open("rb")
    with source:
        return services.upload(
            source,
            by=request.user,
            office=chosen["office"],
            target=chosen["target"],
            file_name=getattr(source, "name", EXAMPLE.name),
        )


def _mapping_of(request: AuthedRequest, batch: Import) -> dict[str, str]:
    """Source column → target column, from the form's selects (one for each column)."""
    if request.method != "POST":
        return batch.mapping
    names = {f"map-{index}": column for index, column in enumerate(batch.columns)}
    return {column: request.POST.get(name, "") for name, column in names.items()}


def _options_of(request: AuthedRequest, batch: Import) -> dict[str, str]:
    """Match column and what to do with known rows, from the form."""
    if request.method != "POST" or not target_named(batch.target).keys:
        return batch.options
    return {name: request.POST.get(name, "") for name in ("match", "on_match")}


def _context(
    request: AuthedRequest, batch: Import, mapping: dict[str, str], refusal: str = ""
) -> dict:
    target = target_named(batch.target)
    context = {
        "batch": batch,
        "target": target,
        "note": target.note and target.note(batch.options),
        "home": target.home and target.home(batch.options),
        "REASONS": REASONS,
        "refusal": refusal,
        "options": _options_of(request, batch),
        "keys": [target.column(name) for name in target.keys],
        "on_match": Import.OnMatch.choices,
        "may_correct": batch.created_by_id == request.user.pk and batch.path.exists(),
    }
    if batch.state == Import.State.UPLOADED:
        context["preview"] = preview(
            batch,
            {k: v for k, v in mapping.items() if v},
            by_sender=batch.created_by_id == request.user.pk,
        )
        context["choices"] = [
            (index, column, mapping.get(column, ""))
            for index, column in enumerate(batch.columns)
        ]
    return context


@needs("transfer.view")
def detail(request: AuthedRequest, pk: str) -> HttpResponse:
    batch = get_object_or_404(_imports(request), pk=pk)
    context = _context(request, batch, batch.mapping)
    context["first_rejections"] = batch.rejections.all()[:20]
    return render(request, "transfer/detail.html", context)


@require_POST
@needs("transfer.view")
def show_preview(request: AuthedRequest, pk: str) -> HttpResponse:
    """The mapping form under another mapping: checked again, nothing stored."""
    batch = get_object_or_404(_imports(request), pk=pk)
    context = _context(request, batch, _mapping_of(request, batch))
    return render(request, "transfer/_mapping.html", context)


@require_POST
@needs("transfer.view")
def start(request: AuthedRequest, pk: str) -> HttpResponse:
    batch = get_object_or_404(_imports(request), pk=pk)
    mapping = _mapping_of(request, batch)
    try:
        options = _options_of(request, batch)
        services.start_import(batch, by=request.user, mapping=mapping, options=options)
    except Refused as refusal:
        context = _context(request, batch, mapping, str(refusal))
        return render(request, "transfer/detail.html", context, status=422)
    return redirect(batch)


@needs("transfer.view")
def progress(request: AuthedRequest, pk: str) -> HttpResponse:
    """The progress card; it asks for itself again until the import is done."""
    batch = get_object_or_404(_imports(request), pk=pk)
    if batch.state not in (Import.State.RUNNING, Import.State.REVERTING):
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return render(request, "transfer/_progress.html", {"batch": batch})


@require_POST
@needs("transfer.view")
def revert(request: AuthedRequest, pk: str) -> HttpResponse:
    """Take a whole import back."""
    batch = get_object_or_404(_imports(request), pk=pk)
    try:
        services.revert_import(batch, by=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(batch)


@needs("transfer.view")
def correct(request: AuthedRequest, pk: str) -> HttpResponse:
    """The rejected rows as they were sent, with the reason, to be put right and sent again.

    SECURITY: only to the person who sent the file: it shows no more than they had.
    """
    own = _imports(request).filter(created_by=request.user)
    batch = get_object_or_404(own, pk=pk)
    if not batch.path.exists():
        raise Http404
    audit.record(
        request.user, "import.correction_downloaded", batch, office=batch.office
    )
    reasons = {row.line: row for row in batch.rejections.all()}

    def rows() -> Iterator[list]:
        yield [*batch.columns, _("Reason")]
        form = reading.detect(batch.path)
        for record in reading.records(
            batch.path, form, offset=form.body_offset, line=2
        ):
            if row := reasons.get(record.line):
                yield [*record.cells, f"{row.column} {REASONS[row.reason]}".strip()]

    return csv_answer(rows(), f"correct-{batch.pk}.csv")


@needs("transfer.view")
def rejected(request: AuthedRequest, pk: str) -> HttpResponse:
    """Rejected rows as CSV with a mark that Excel needs: row, column, value, reason."""
    batch = get_object_or_404(_imports(request), pk=pk)
    audit.record(request.user, "import.rejected_downloaded", batch, office=batch.office)

    def rows() -> Iterator[list]:
        yield [_("Row"), _("Column"), _("Value"), _("Reason")]
        for row in batch.rejections.iterator(chunk_size=2000):
            yield [row.line, row.column, row.value, REASONS[row.reason]]

    return csv_answer(rows(), f"rejected-{batch.pk}.csv")
