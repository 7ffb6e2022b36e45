"""What a kind of import fills: its columns, how each is checked, and how it is loaded."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.timezone import localdate
from django.utils.translation import gettext_lazy as _

from crm.text import ascii_digits

REASONS = {
    "missing": _("must not be empty"),
    "date": _("is not a date of the calendar; write 2026-11-21"),
    "date_range": _("is a date before 1980 or in the future"),
    "whole": _("is not a whole number"),
    "negative": _("must not be negative"),
    "amount": _("is not an amount with at most two decimals"),
    "too_long": _("is too long"),
    "columns": _("has another number of cells than the header"),
}
DATE_FORMS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y%m%d",
    "%Y.%m.%d",
    "%Y年%m月%d日",
    "%Y-%m-%d %H:%M:%S",
)
FIRST_DATE = date(1980, 1, 1)
CACHE_ENTRIES = 50_000


class Bad(ValueError):
    """A cell is wrong; the message is a key of REASONS."""


class Checked(dict):
    """A checking function that remembers: ledgers repeat their cells.

    A dict whose missing keys are computed is the fastest cache that Python has.
    """

    def __init__(self, check: Callable[[str], str]) -> None:
        super().__init__()
        self.check = check

    def __missing__(self, cell: str) -> str:
        clean = self.check(cell)
        if len(self) >= CACHE_ENTRIES:
            self.clear()
        self[cell] = clean
        return clean


def clean_date(cell: str) -> str:
    text = ascii_digits(cell)
    for form in DATE_FORMS:
        try:
            found = datetime.strptime(text, form).date()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
        if not FIRST_DATE <= found <= localdate() + timedelta(days=1):
            raise Bad("date_range")
        return found.isoformat()
    raise Bad("date" if text else "missing")


def clean_count(cell: str) -> str:
    text = ascii_digits(cell).replace(",", "")
    if not text:
        raise Bad("missing")
    if not re.fullmatch(r"[+-]?\d{1,9}(\.0+)?", text, re.ASCII):
        raise Bad("whole")
    if text.startswith("-") and int(float(text)) < 0:
        raise Bad("negative")
    return str(int(float(text)))


def clean_amount(cell: str) -> str:
    text = ascii_digits(cell).replace(",", "").removeprefix("¥").strip()
    if not text:
        raise Bad("missing")
    if not re.fullmatch(r"[+-]?\d{1,11}(\.\d{1,2}0*)?", text, re.ASCII):
        raise Bad("amount")
    return str(Decimal(text).quantize(Decimal("0.01")))


def clean_text(limit: int, *, required: bool = False) -> Callable[[str], str]:
    def clean(cell: str) -> str:
        text = ascii_digits(cell)
        if required and not text:
            raise Bad("missing")
        if len(text) > limit:
            raise Bad("too_long")
        return text

    return clean


@dataclass(frozen=True)
class Column:
    """One column of a target; `aliases` are headers it is guessed from."""

    name: str
    label: Any
    check: Callable[[str], str]
    is_required: bool = False
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """What loading one chunk did. `imported` has the line numbers that went in."""

    imported: list[int]
    created: int


@dataclass(frozen=True)
class Target:
    """A kind of import.

    `load(office, lines, columns)` puts checked lines in within the caller's transaction:
    `lines` are [line number, cell, …] in the order of `columns`. `likeness(office, lines,
    columns)` is the share of lines that equal stored ones, for the warning.
    """

    name: str
    label: Any
    columns: tuple[Column, ...]
    load: Callable[..., Loaded]
    likeness: Callable[..., float]

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def guess(self, headers: list[str]) -> dict[str, str]:
        """Header → column, by name or alias; each column at most once."""
        found: dict[str, str] = {}
        for column in self.columns:
            known = {column.name, *column.aliases, str(column.label)}
            known = {name.casefold() for name in known}
            for header in headers:
                if header.casefold() in known and header not in found:
                    found[header] = column.name
                    break
        return found


def target_named(name: str) -> Target:
    return import_string(settings.IMPORT_TARGETS[name])
