"""What a kind of import fills: its columns, how each is checked, and how it is loaded."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.timezone import localdate
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from crm.org.models import Office
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
    "choice": _("is none of the known words"),
    "phone": _("is not a phone number"),
    "rounded": _("was rounded by the spreadsheet: format the column as text"),
    "credit_code": _("is not a credit code"),
    "id_number": _("is not an ID number"),
    "postcode": _("is not a postcode of six digits"),
    "control": _("contains characters that cannot be shown"),
    "error_cell": _("is an error of the spreadsheet's formula"),
    "ditto": _("points to another row: write it out"),
    "no_name": _("says that nothing is known; leave the row out"),
    "taken": _("belongs to another customer of this office"),
    "no_customer": _("is no customer code of this office"),
    "no_office": _("is no office at or below this one"),
    "no_manager": _("is no customer manager of this office"),
    "order": _("lies before the first day"),
    "paid": _("is more than the amount"),
    "not_positive": _("must be more than zero"),
    "closed": _("is a merged or erased customer"),
    "check_digit": _("has a wrong check digit: a digit is mistyped"),
    "other_carrier": _(
        "is no waybill of the postal service (S10, or thirteen digits): another carrier's?"
    ),
    "foreign_event": _("is a scan that another office told"),
    "foreign_item": _("is no item that this office may change"),
    "reference": _("has characters that no reference has"),
    "moment": _("is not a date with a time; write 2026-11-21 09:30"),
    "future": _("lies in the future"),
    "rating": _("is no rating from 1 to 5"),
    "season_days": _("lies in no open season of this office"),
    "no_product": _("is no card product"),
}
DATE_FORMS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y%m%d",
    "%Y.%m.%d",
    "%Y年%m月%d日",
    "%Y-%m-%d %H:%M:%S",
)
ROUNDED = re.compile(r"\d(\.\d+)?E\+?\d+", re.IGNORECASE)  # 1.38E+10
ERROR_CELL = re.compile(
    r"#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!|SPILL!)", re.IGNORECASE
)
CONTROL = re.compile(r"[\x00-\x1f\x7f\ufffd]")
FIRST_DATE, LAST_DATE = date(1980, 1, 1), date(2100, 12, 31)
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


class Fresh(Checked):
    """The same for a column whose cells differ: remembering them would only cost memory."""

    def __missing__(self, cell: str) -> str:
        return self.check(cell)


def clean_date(cell: str) -> str:
    return _date(cell, localdate() + timedelta(days=1))


def clean_day(cell: str) -> str:
    """A date that may lie ahead, as the end of a contract does."""
    return _date(cell, LAST_DATE)


def _date(cell: str, latest: date) -> str:
    text = ascii_digits(cell)
    for form in DATE_FORMS:
        try:
            found = datetime.strptime(text, form).date()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
        if not FIRST_DATE <= found <= latest:
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
        if CONTROL.search(text):
            raise Bad("control")
        if ERROR_CELL.fullmatch(text):
            raise Bad("error_cell")
        return text

    return clean


def clean_choice(choices: Any) -> Callable[[str], str]:
    """One of Django's choices, by value or by its label in either language."""

    def clean(cell: str) -> str:
        text = ascii_digits(cell).casefold()
        if not text:
            return ""
        for language in ("en", "zh-hans"):
            with override(language):
                for value, label in choices.choices:
                    if text in (str(value).casefold(), str(label).casefold()):
                        return str(value)
        raise Bad("choice")

    return clean


def optional(check: Callable[[str], str]) -> Callable[[str], str]:
    """An empty cell is fine; a filled one is checked."""
    return lambda cell: check(cell) if cell.strip() else ""


def clean_flag(cell: str) -> str:
    text = ascii_digits(cell).casefold()
    if text in ("", "0", "no", "n", "否", "false", "无"):
        return ""
    if text in ("1", "yes", "y", "是", "true", "有"):
        return "1"
    raise Bad("choice")


@dataclass(frozen=True)
class Column:
    """One column of a target; `aliases` are headers it is guessed from."""

    name: str
    label: Any
    check: Callable[[str], str]
    is_required: bool = False
    aliases: tuple[str, ...] = ()
    is_personal: bool = False  # never shown in a preview or a list of rejections
    is_unique: bool = False  # its cells differ from line to line

    def remembered(self) -> Checked:
        return (Fresh if self.is_unique else Checked)(self.check)


@dataclass(frozen=True)
class Run:
    """What a loader needs to know of the import that it works for."""

    office: Office
    source_id: int = 0
    batch_id: uuid.UUID = uuid.UUID(int=0)
    by: Any = None
    options: dict = field(default_factory=dict)  # {"match": column, "on_match": …}


@dataclass(frozen=True)
class Loaded:
    """What loading one chunk did. `imported` has the line numbers that went in,
    `rejected` those that did not: (line, column, reason); `counts` whatever else the
    target counts, added up over the chunks."""

    imported: list[int]
    created: int
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """A kind of import.

    `load(run, lines, columns)` puts checked lines in within the caller's transaction:
    `lines` are [line number, cell, …] in the order of `columns`. `likeness(office, lines,
    columns)` is the share of lines that equal stored ones, for the warning. `revert(run,
    place)` takes an import back by steps and returns the next place, None at its end.
    `keys` are the columns that rows may be matched by; without any, rows are only added.
    `finish(run)` follows the last chunk. `capability` is what importing it takes. With
    `home`, a target is imported from another page, which puts what it concerns into the
    options; `home(options)` is that page's address, and lines are remembered for the one
    import, not for the office.
    """

    name: str
    label: Any
    columns: tuple[Column, ...]
    load: Callable[..., Loaded]
    likeness: Callable[..., float]
    revert: Callable[..., int | None]
    keys: tuple[str, ...] = ()
    chunk: int = 40_000
    finish: Callable[[Run], None] | None = None
    note: Callable[[dict], str] | None = None  # what to mind, beside the mapping
    check_revert: Callable[[dict], None] | None = None  # Refused when it must stay
    capability: str = "transfer.import"
    home: Callable[[dict], str] | None = None
    counts: dict[str, Any] = field(
        default_factory=dict
    )  # name in Loaded.counts → label

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
