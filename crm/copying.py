"""Many new rows at once: COPY instead of INSERT, for imports.

Django's bulk_create spends four fifths of its time on putting statements together.
"""

import csv
import io
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from django.db import connection, models

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _text(value: str) -> str:
    return value if value.isalnum() else value.translate(ESCAPES)


def _array(value: list[str]) -> str:
    inner = ",".join(
        '"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in value
    )
    return f"{{{inner}}}".translate(ESCAPES)


# COST: looked up by type, once a cell.
WRITERS: dict[type, Callable[[Any], str]] = {
    type(None): lambda value: r"\N",
    bool: lambda value: "t" if value else "f",
    bytes: lambda value: rf"\\x{value.hex()}",
    str: _text,
    list: _array,
}


def _written(value: Any) -> str:
    """One value in COPY's text format."""
    return WRITERS.get(type(value), lambda other: _text(str(other)))(value)


def copy_in(rows: Iterable[models.Model]) -> None:
    """Insert unsaved rows of one model; each gets its id first, as bulk_create gives it.

    Within the caller's transaction. No conflict is ignored: the caller has looked.
    """
    rows = list(rows)
    if not rows:
        return
    meta = rows[0]._meta
    sequence = f"{meta.db_table}_{meta.pk.column}_seq"
    fields: Any = meta.concrete_fields
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(%s::regclass) FROM generate_series(1, %s)",
            [sequence, len(rows)],
        )
        for row, (pk,) in zip(rows, cursor.fetchall(), strict=True):
            row.pk = pk
        buffer = io.StringIO()
        plain = [_reader(field) for field in fields]
        for row in rows:
            buffer.write("\t".join([_written(read(row)) for read in plain]))
            buffer.write("\n")
            row._state.adding, row._state.db = False, connection.alias
        buffer.seek(0)
        columns = ", ".join(field.column for field in fields)
        cursor.copy_expert(f"COPY {meta.db_table} ({columns}) FROM STDIN", buffer)


def _reader(field: Any) -> Callable[[Any], Any]:
    """How the field's value, as the database stores it, is read from a row."""
    if getattr(field, "auto_now_add", False) or getattr(field, "auto_now", False):
        return lambda row: field.pre_save(row, True)
    read = attrgetter(field.attname)
    if hasattr(field, "sealed"):
        return lambda row: field.sealed(read(row))
    return read


def copy_lines(
    cursor: Any, table: str, lines: list[list], columns: list[str], texts: Iterable[str]
) -> None:
    """Put checked lines of an import, [line number, cell, …] in the order of `columns`, into
    a staging table; an empty cell is NULL, in columns of `texts` an empty text.

    SECURITY: `table` and `columns` are names of ours, never the user's.
    """
    buffer = io.StringIO()
    csv.writer(buffer).writerows(lines)
    buffer.seek(0)
    names = ", ".join(["line", *columns])
    filled = ", ".join(name for name in columns if name in texts)
    cursor.copy_expert(
        f"COPY {table} ({names}) FROM STDIN (FORMAT csv, FORCE_NOT_NULL ({filled}))",
        buffer,
    )
