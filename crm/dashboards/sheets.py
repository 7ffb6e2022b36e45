"""The figures of a board as a workbook: formats, filters, definitions, what is hidden.

Sources: R-KPI-42; anchors.md 5.4 item 40. Two sheets of at most some thousand cells: made
at once, in memory.
"""

import io
from typing import Any

import xlsxwriter
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _

from crm.access.models import User
from crm.dashboards.boards import Cell, Read, untold_units
from crm.dashboards.periods import Span
from crm.dashboards.reckoned import KPIS
from crm.dashboards.registry import UNITS, Kpi
from crm.org.models import Office
from crm.text import safe_cell

FORMATS = {"percent": '0.00"%"', "yuan": "#,##0.00", "pieces": "#,##0"}
PLAIN = "0.00"
WIDE, MIDDLE, NARROW = 44, 24, 13


class Book:
    """A workbook in memory, with the formats of our units."""

    def __init__(self) -> None:
        self.out = io.BytesIO()
        # SECURITY: no cell of ours is a formula or a link, whatever a name looks like.
        options = {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
        }
        self.book = xlsxwriter.Workbook(self.out, options)
        self.head = self.book.add_format({"bold": True, "bottom": 1, "text_wrap": True})
        self.note = self.book.add_format({"italic": True, "font_color": "#555555"})
        self.formats = {
            unit: self.book.add_format({"num_format": FORMATS.get(unit, PLAIN)})
            for unit in UNITS
        }
        self.whole = self.book.add_format({"num_format": "#,##0"})

    def table(
        self, name: str, notes: list[str], heads: list[str], rows: list[list[Any]]
    ) -> None:
        """A sheet: notes, a head that stays and filters, and rows of (value, format)."""
        sheet = self.book.add_worksheet(name[:31])
        for line, words in enumerate(notes):
            sheet.write_string(line, 0, safe_cell(words), self.note)
        top = len(notes) + 1
        for column, words in enumerate(heads):
            sheet.write_string(top, column, safe_cell(words), self.head)
        for line, row in enumerate(rows, top + 1):
            for column, cell in enumerate(row):
                value, form = cell if isinstance(cell, tuple) else (cell, None)
                if value is None:
                    sheet.write_string(line, column, "—")
                elif isinstance(value, str):
                    sheet.write_string(line, column, safe_cell(value), form)
                else:
                    sheet.write_number(line, column, float(value), form)
        sheet.freeze_panes(top + 1, 1)
        sheet.autofilter(top, 0, top + max(len(rows), 1), len(heads) - 1)
        sheet.set_column(0, 0, MIDDLE)
        sheet.set_column(1, len(heads) - 1, NARROW)

    def content(self) -> bytes:
        self.book.close()
        return self.out.getvalue()


def _notes(
    by: User, office: Office, span: Span, here: Read, *, hides: bool
) -> list[str]:
    state = _("final") if here.is_final else _("not final yet")
    days = f"{span.label} ({span.first} – {span.last})"
    notes = [
        f"{office} · {days} · {state}",
        _("Counted %(at)s, exported by %(who)s at %(now)s.")
        % {
            "at": f"{localtime(here.at):%Y-%m-%d %H:%M}",
            "who": by.username,
            "now": f"{localtime(now()):%Y-%m-%d %H:%M}",
        },
    ]
    if hides:
        notes.append(_("Cells of fewer than five are hidden: —."))
    return notes


def workbook(
    by: User,
    office: Office,
    span: Span,
    cells: list[Cell],
    here: Read,
    units: list[tuple[Office, dict]],
    *,
    hides: bool,
) -> bytes:
    """The figures of an office with their definitions, and those of the units below."""
    book = Book()
    shares = {unit.pk: by_name for unit, by_name in units}
    untold = {kpi.name: untold_units(kpi, shares) if hides else set() for kpi in KPIS}
    notes = _notes(by, office, span, here, hides=hides)
    heads = [
        _("Figure"),
        _("Unit"),
        _("Value"),
        _("Target"),
        _("Before"),
        _("Last year"),
    ]
    heads += [_("Numerator"), _("Denominator"), _("Definition"), _("Left out")]
    heads += [_("Version")]
    book.table(_("Figures"), notes, heads, [_line(book, cell) for cell in cells])
    book.table(
        _("Units"),
        notes,
        [_("Office"), *(f"{kpi.label}" for kpi in KPIS)],
        [
            [
                f"{unit}",
                *(
                    (
                        _shown(kpi, by_name, untold[kpi.name], unit),
                        book.formats[kpi.unit],
                    )
                    for kpi in KPIS
                ),
            ]
            for unit, by_name in units
        ],
    )
    return book.content()


def _line(book: Book, cell: Cell) -> list[Any]:
    kpi, form, hidden = cell.kpi, book.formats[cell.kpi.unit], cell.is_hidden
    return [
        f"{kpi.label}",
        f"{UNITS[kpi.unit]}" if kpi.per == 1 else f"/ {kpi.per:,}",
        (cell.value, form),
        (cell.target, form),
        (cell.previous, form),
        (cell.year_before, form),
        (None if hidden else cell.share.numerator, book.whole),
        (None if hidden else cell.share.denominator, book.whole),
        f"{kpi.top.words} / {kpi.bottom.words}",
        f"{kpi.excludes}",
        (kpi.version, book.whole),
    ]


def _shown(kpi: Kpi, by_name: dict, untold: set[int], unit: Office) -> Any:
    share = by_name.get(kpi.name)
    return None if share is None or unit.pk in untold else kpi.shown(share)
