"""Reading what people send: CSV in the encodings that Excel writes, and XLSX.

An XLSX is turned into delimited text once, so that everything after reads one thing and
can begin anywhere: a place in a file is (byte offset, line number).
"""

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from django.utils.translation import gettext as _

from crm.errors import Refused
from crm.text import ascii_digits

ENCODINGS = ("utf-8-sig", "gb18030")
DELIMITERS = ",;\t|"
MAX_XLSX_BYTES = 20 * 2**20
MAX_XLSX_MEMBERS = 200
MAX_XLSX_UNPACKED = 300 * 2**20
MAX_XLSX_RATIO = 100
MAX_XLSX_ROWS = 200_000
MAX_CELL = 32_767
OTHER_TYPES = {
    b"%PDF": "PDF",
    b"\xd0\xcf\x11\xe0": "XLS",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"Rar!": "RAR",
    b"\x1f\x8b": "GZIP",
}
csv.field_size_limit(MAX_CELL)


@dataclass(frozen=True)
class Format:
    """How a stored text is read, and its header."""

    encoding: str
    delimiter: str
    columns: list[str]
    body_offset: int  # where the first row after the header begins


class Record(
    NamedTuple
):  # COST: made once a row; a dataclass would take four times as long
    line: int  # the header is line 1
    cells: list[str]
    end: int  # byte offset of the next record


def store(source: BinaryIO, path: Path) -> tuple[int, str]:
    """Copy an upload to `path` as delimited text; return its size and SHA-256 as sent.

    Raises Refused for a file that is not a table: file.empty, file.type, file.bomb.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as out:
        while block := source.read(2**20):
            digest.update(block)
            size += len(block)
            out.write(block)
    try:
        _check_type(path, size)
        if _starts(path, b"PK\x03\x04"):
            _xlsx_to_text(path)
    except Refused:
        path.unlink()
        raise
    return size, digest.hexdigest()


def _starts(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _check_type(path: Path, size: int) -> None:
    if size == 0:
        raise Refused("file.empty", _("The file is empty."))
    for magic, name in OTHER_TYPES.items():
        if _starts(path, magic):
            raise Refused(
                "file.type",
                _("This is a %(type)s file. Save the table as CSV or XLSX.")
                % {"type": name},
            )
    with path.open("rb") as file:
        if _starts(path, b"PK\x03\x04"):
            return
        while block := file.read(2**20):
            if b"\x00" in block:
                message = _("This is not a table: save it as CSV or XLSX.")
                raise Refused("file.type", message)


def _check_package(path: Path) -> None:
    """Refuse a zip that is no workbook or would unpack to too much, before unpacking."""
    bomb = Refused(
        "file.bomb", _("The workbook unpacks to too much data. Save it as CSV.")
    )
    if path.stat().st_size > MAX_XLSX_BYTES:
        raise Refused("file.size", _("A workbook may have 20 MB. Save it as CSV."))
    try:
        with zipfile.ZipFile(path) as package:
            members = package.infolist()
    except zipfile.BadZipFile as error:
        raise Refused("file.type", _("The workbook is damaged.")) from error
    names = {member.filename for member in members}
    if "xl/workbook.xml" not in names or any("vbaProject" in name for name in names):
        raise Refused("file.type", _("This is not an XLSX workbook without macros."))
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members) or 1
    if len(members) > MAX_XLSX_MEMBERS or unpacked > MAX_XLSX_UNPACKED:
        raise bomb
    if unpacked > 2**20 and unpacked / packed > MAX_XLSX_RATIO:
        raise bomb


def _xlsx_to_text(path: Path) -> None:
    from python_calamine import (  # COST: 10 MB, rarely needed
        CalamineError,
        CalamineWorkbook,
    )

    _check_package(path)
    try:
        book = CalamineWorkbook.from_path(str(path))
        sheet = book.get_sheet_by_index(0)
        rows = sheet.to_python(skip_empty_area=False, nrows=MAX_XLSX_ROWS + 1)
    except CalamineError as error:
        raise Refused("file.type", _("The workbook cannot be read.")) from error
    if len(rows) > MAX_XLSX_ROWS:
        raise Refused(
            "file.size", _("A workbook may have 200,000 rows. Save it as CSV.")
        )
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def detect(path: Path) -> Format:
    """Encoding, delimiter and header of a stored text. Raises Refused("file.header")."""
    encoding = _encoding(path)
    with path.open("rb") as file:
        first = file.readline()
        text = first.decode(encoding)
        delimiter = max(DELIMITERS, key=text.count)
        file.seek(0)
        header = next(_records(file, encoding, delimiter, 1), None)
    columns = [ascii_digits(cell) for cell in header.cells] if header else []
    if header is None or not any(columns):
        raise Refused("file.header", _("The first row must name the columns."))
    if len(set(columns)) < len(columns):
        raise Refused("file.header", _("Two columns have the same name."))
    return Format(encoding, delimiter, columns, header.end)


def _encoding(path: Path) -> str:
    """UTF-8 (with or without a mark), else GB18030, which Excel writes in China."""
    for encoding in ENCODINGS:
        try:
            with path.open(encoding=encoding, newline="") as file:
                while file.read(2**20):
                    pass
        except UnicodeDecodeError:
            continue
        return encoding
    raise Refused("file.encoding", _("The text is neither UTF-8 nor GB18030."))


def _records(
    file: BinaryIO, encoding: str, delimiter: str, line: int
) -> Iterator[Record]:
    """Records from the file's position on; csv pulls a line only when it needs one."""
    position = file.tell()
    plain = "utf-8" if encoding == "utf-8-sig" and position else encoding

    def lines() -> Iterator[str]:
        nonlocal position
        for raw in file:
            position += len(raw)
            yield raw.decode(plain)

    number = line - 1
    try:
        for number, cells in enumerate(
            csv.reader(lines(), delimiter=delimiter), start=line
        ):
            yield Record(number, cells, position)
    except csv.Error as error:
        message = _(
            "Row %(n)s cannot be read: a quote is not closed, a cell is too long, or "
            "lines end as on old Macs."
        )
        raise Refused("file.row", message % {"n": number + 1}) from error


def records(path: Path, form: Format, *, offset: int, line: int) -> Iterator[Record]:
    """Records from `offset` on, the first numbered `line`; empty lines are skipped."""
    with path.open("rb", buffering=io.DEFAULT_BUFFER_SIZE * 16) as file:
        file.seek(offset)
        for record in _records(file, form.encoding, form.delimiter, line):
            if any(record.cells):
                yield record
