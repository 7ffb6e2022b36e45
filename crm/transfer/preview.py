"""What an import would do, seen on its first rows, before anything is written."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

from crm.errors import Refused
from crm.text import mask_name
from crm.transfer.checking import Checker, Rejection, require_mapping
from crm.transfer.models import Import
from crm.transfer.reading import detect, records
from crm.transfer.targets import Target, target_named

CHECKED_ROWS = 1000
SHOWN_ROWS = 8
SHOWN_ERRORS = 10
LIKE_WARNING = 0.5


@dataclass(frozen=True)
class Preview:
    """`problem` is why the mapping cannot be used yet, else "".

    Cells of columns that are left out are not shown, and names are masked: a preview
    must not be a way to read personal data.
    """

    rows: list[tuple[int, list[str]]]
    problem: str
    errors: list[Rejection]
    checked: int
    good: int
    likeness: float  # share of good rows that equal stored ones

    @property
    def looks_known(self) -> bool:
        return self.likeness > LIKE_WARNING

    @property
    def likeness_percent(self) -> int:
        return round(100 * self.likeness)


def _shower(target: Target, to: str, *, by_sender: bool) -> Callable[[str], str]:
    """How a column's cells are shown: only to who sent the file, personal ones masked.

    SECURITY: a mapping is chosen freely, so it cannot be what protects a cell from others.
    """
    known = {column.name: column for column in target.columns}
    if not by_sender or to not in known:
        return lambda cell: "…" if cell else ""
    return mask_name if known[to].is_personal else lambda cell: cell


def preview(
    batch: Import, mapping: dict[str, str], *, by_sender: bool = False
) -> Preview:
    """Check the first thousand rows under `mapping`. Reads a small part of the file."""
    form = detect(batch.path)
    source = records(batch.path, form, offset=form.body_offset, line=2)
    sample = []
    try:
        for record in islice(source, CHECKED_ROWS):
            sample.append(record)
    except Refused as refusal:
        return Preview([], str(refusal), [], 0, 0, 0.0)
    target = target_named(batch.target)
    shown = [
        _shower(target, mapping.get(column, ""), by_sender=by_sender)
        for column in batch.columns
    ]
    rows = [
        (
            record.line,
            [show(cell) for show, cell in zip(shown, record.cells, strict=False)],
        )
        for record in sample[:SHOWN_ROWS]
    ]
    try:
        require_mapping(target, batch.columns, mapping)
    except Refused as refusal:
        return Preview(rows, str(refusal), [], 0, 0, 0.0)
    checked = Checker(target, batch.columns, mapping).check(sample)
    likeness = 0.0
    if checked.lines:
        likeness = target.likeness(batch.office, checked.lines, checked.columns)
    errors = checked.rejections[:SHOWN_ERRORS]
    if not by_sender:
        errors = [replace(error, value="…") for error in errors]
    return Preview(rows, "", errors, len(sample), len(checked.lines), likeness)
