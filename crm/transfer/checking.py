"""Checking rows against a mapping: good lines out, each bad one with column and reason."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from crm.errors import Refused
from crm.text import star_digits
from crm.transfer.reading import Record
from crm.transfer.targets import Bad, Target


@dataclass(frozen=True)
class Rejection:
    line: int
    column: str
    value: str
    reason: str


@dataclass
class Batch:
    """`lines` are [line number, clean cell, …] in the order of `columns`."""

    columns: list[str]
    lines: list[list] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)


class Checker:
    """The plan of one import: which cell goes where and how it is checked."""

    def __init__(
        self, target: Target, headers: list[str], mapping: dict[str, str]
    ) -> None:
        self.headers = headers
        chosen = {to: source for source, to in mapping.items() if to}
        self.columns = [
            column.name for column in target.columns if column.name in chosen
        ]
        self.sources = [chosen[name] for name in self.columns]
        self.plan = [
            (target.column(name).remembered(), headers.index(chosen[name]))
            for name in self.columns
        ]

        self.is_entrusted = target.home is not None  # whatever the mapping says
        self.personal = {
            headers.index(chosen[name])
            for name in self.columns
            if target.column(name).is_personal
        }

    def check(self, records: Iterable[Record]) -> Batch:
        batch = Batch(self.columns)
        plan, width, add = self.plan, len(self.headers), batch.lines.append
        for record in records:
            line, cells, _end = record
            try:
                if len(cells) != width:
                    raise Bad("columns")
                add([line, *[checked[cells[index]] for checked, index in plan]])
            except Bad:
                batch.rejections.append(self._explain(record, width))
        return batch

    def _explain(self, record: Record, width: int) -> Rejection:
        """The first bad cell of a record. Slow path: bad rows only."""
        if len(record.cells) != width:
            return Rejection(record.line, "", str(len(record.cells)), "columns")
        for source, (checked, index) in zip(self.sources, self.plan, strict=True):
            cell = record.cells[index]
            try:
                checked[cell]
            except Bad as bad:
                return Rejection(
                    record.line, source, self._shown(index, cell), str(bad)
                )
        raise AssertionError("a record was bad and no cell of it is")

    def _shown(self, index: int, cell: str) -> str:
        """A bad cell as a list of rejections may show it."""
        if index in self.personal or self.is_entrusted:
            return f"{cell[:1]}***" if cell else ""
        return star_digits(cell)[:60]


def require_mapping(
    target: Target, headers: list[str], mapping: dict[str, str]
) -> None:
    """Refused("mapping.…") unless the mapping names known columns and all required ones."""
    wanted = [to for to in mapping.values() if to]
    known = {column.name for column in target.columns}
    for source, to in mapping.items():
        if source not in headers:
            message = _("The file has no column “%(name)s”.") % {"name": source}
            raise Refused("mapping.no_column", message)
        if to and to not in known:
            message = _("There is nothing called “%(name)s” to import.") % {"name": to}
            raise Refused("mapping.unknown", message)
    if len(set(wanted)) < len(wanted):
        raise Refused("mapping.twice", _("Two columns go to the same place."))
    missing = [c for c in target.columns if c.is_required and c.name not in wanted]
    if missing:
        names = ", ".join(str(column.label) for column in missing)
        message = _("No column is given for: %(names)s.") % {"names": names}
        raise Refused("mapping.missing", message)
