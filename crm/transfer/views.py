"""The import pages: list, upload, mapping with preview, progress, rejected rows."""

import csv
from collections.abc import Iterator

from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.access.capabilities import AuthedRequest, needs
from crm.audit import services as audit
from crm.errors import Refused
from crm.transfer import services
from crm.transfer.forms import EXAMPLE, UploadForm
from crm.transfer.models import Import
from crm.transfer.preview import preview
from crm.transfer.targets import REASONS, target_named


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
            target=next(iter(settings.IMPORT_TARGETS)),
            file_name=getattr(source, "name", EXAMPLE.name),
        )


def _mapping_of(request: AuthedRequest, batch: Import) -> dict[str, str]:
    """Source column → target column, from the form's selects (one for each column)."""
    if request.method != "POST":
        return batch.mapping
    names = {f"map-{index}": column for index, column in enumerate(batch.columns)}
    return {column: request.POST.get(name, "") for name, column in names.items()}


def _context(batch: Import, mapping: dict[str, str]) -> dict:
    target = target_named(batch.target)
    context = {"batch": batch, "target": target, "REASONS": REASONS}
    if batch.state == Import.State.UPLOADED:
        context["preview"] = preview(batch, {k: v for k, v in mapping.items() if v})
        context["choices"] = [
            (index, column, mapping.get(column, ""))
            for index, column in enumerate(batch.columns)
        ]
    return context


@needs("transfer.import")
def detail(request: AuthedRequest, pk: str) -> HttpResponse:
    batch = get_object_or_404(_imports(request), pk=pk)
    context = _context(batch, batch.mapping)
    context["first_rejections"] = batch.rejections.all()[:20]
    return render(request, "transfer/detail.html", context)


@require_POST
@needs("transfer.import")
def show_preview(request: AuthedRequest, pk: str) -> HttpResponse:
    """The mapping form under another mapping: checked again, nothing stored."""
    batch = get_object_or_404(_imports(request), pk=pk)
    return render(
        request, "transfer/_mapping.html", _context(batch, _mapping_of(request, batch))
    )


@require_POST
@needs("transfer.import")
def start(request: AuthedRequest, pk: str) -> HttpResponse:
    batch = get_object_or_404(_imports(request), pk=pk)
    mapping = _mapping_of(request, batch)
    try:
        services.start_import(batch, by=request.user, mapping=mapping)
    except Refused:
        context = _context(batch, mapping)  # its preview says what is missing
        return render(request, "transfer/detail.html", context, status=422)
    return redirect(batch)


@needs("transfer.import")
def progress(request: AuthedRequest, pk: str) -> HttpResponse:
    """The progress card; it asks for itself again until the import is done."""
    batch = get_object_or_404(_imports(request), pk=pk)
    if batch.state == Import.State.DONE:
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return render(request, "transfer/_progress.html", {"batch": batch})


@needs("transfer.import")
def rejected(request: AuthedRequest, pk: str) -> HttpResponse:
    """Rejected rows as CSV with a mark that Excel needs: row, column, value, reason."""
    batch = get_object_or_404(_imports(request), pk=pk)
    audit.record(request.user, "import.rejected_downloaded", batch, office=batch.office)

    class Echo:
        def write(self, text: str) -> str:
            return text

    def lines() -> Iterator[str]:
        writer = csv.writer(Echo(), quoting=csv.QUOTE_ALL)
        yield "\ufeff" + writer.writerow(
            [_("Row"), _("Column"), _("Value"), _("Reason")]
        )
        for row in batch.rejections.iterator(chunk_size=2000):
            reason = REASONS[row.reason]
            yield writer.writerow(
                [row.line, _safe(row.column), _safe(row.value), reason]
            )

    answer = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = (
        f'attachment; filename="rejected-{batch.pk}.csv"'
    )
    return answer


def _safe(cell: str) -> str:
    """SECURITY: a cell that a spreadsheet would take for a formula gets a quote before it."""
    return f"'{cell}" if cell[:1] in "=+-@\t\r＝＋－＠" and cell else cell
