"""A published bulletin as PDF and DOCX, made by a worker, kept beside the archive.

Loaded in workers only: the libraries are big. A bulletin names no person, so its files are
not encrypted; they are read through the page that checks who may.
"""

import io
from functools import partial
from pathlib import Path
from typing import Any

import docx
from django.utils.timezone import localtime, now
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Pt, RGBColor

from campaigns.reporting import bars
from campaigns.typesetting import compile_pdf
from crm.dashboards.bulletins import path_of
from crm.dashboards.models import Bulletin
from crm.jobs.models import Job

FOLDER = Path(__file__).parent / "typst"
NUMERALS = "一二三四五六七八九十"
HEAD = ["名次", "单位", "实绩", "目标", "分子", "分母"]
RED = RGBColor(0xC0, 0, 0)


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return "—"
    said = f"{value:,.2f}"
    return f"{said} %" if unit == "%" else said


def numeral(n: int) -> str:
    """1 to 12 as 一 to 十二."""
    return NUMERALS[n - 1] if n <= 10 else f"十{NUMERALS[n - 11]}"


def as_document(row: Bulletin) -> dict[str, Any]:
    """What both formats print, as plain data in Chinese."""
    sections = []
    for place, table in enumerate(row.tables, 1):
        unit, failing = table["unit"], table["failing"]
        words = (
            f"{row.office.name}{table['label']}为{_number(table['whole'], unit)}，"
            f"上期{_number(table['before'], unit)}，目标{_number(table['target'], unit)}。"
        )
        if table["benchmark"] is not None:
            words += f"标杆值{_number(table['benchmark'], unit)}。"
        words += (
            f"未达标{len(failing)}个单位：{'、'.join(failing)}。" if failing else ""
        )
        rows, rank = [], 0
        for line in table["lines"]:
            rank += not line["is_few"]
            told = [_count(line["top"]), _count(line["bottom"])]
            first = "—" if line["is_few"] else f"{rank}"
            values = [_number(line[name], unit) for name in ("value", "target")]
            rows.append([first, line["office"], *values, *told])
        ranked = [line for line in table["lines"] if not line["is_few"]]
        shares = [(line["office"], line["value"]) for line in ranked]
        sections.append(
            {
                "title": f"{numeral(place)}、{table['label']}",
                "words": words,
                "head": HEAD,
                "rows": rows,
                "chart": bars(shares, table["target"]) if shares else "",
            }
        )
    return {
        "office": row.office.name,
        "ref": row.ref,
        "title": row.title,
        "period": f"{row.span.label}（{row.first} 至 {row.last}）",
        "opening": row.opening.splitlines(),
        "closing": row.closing.splitlines(),
        "sections": sections,
        "day": f"{localtime(row.published_at or now()):%Y年%m月%d日}",
    }


def _count(number: float | None) -> str:
    return "—" if number is None else f"{number:,.0f}"


def word(document: dict[str, Any]) -> bytes:
    """The same as DOCX, for who has to go on editing: headings, tables, no charts."""
    book = docx.Document()
    style: Any = book.styles["Normal"]
    style.font.name, style.font.size = "SimSun", Pt(12)
    style.element.rPr.rFonts.set(qn("w:eastAsia"), "SimSun")
    _line(book, f"{document['office']} 通报", size=22, color=RED)
    _line(book, document["ref"], size=12)
    _line(book, document["title"], size=17)
    _line(book, document["period"], size=10)
    for words in document["opening"]:
        book.add_paragraph(words)
    for section in document["sections"]:
        book.add_heading(section["title"], level=2)
        book.add_paragraph(section["words"])
        table = book.add_table(rows=1, cols=len(HEAD), style="Table Grid")
        for cell, words in zip(table.rows[0].cells, section["head"], strict=True):
            cell.text = words
        for row in section["rows"]:
            for cell, words in zip(table.add_row().cells, row, strict=True):
                cell.text = words
    for words in document["closing"]:
        book.add_paragraph(words)
    for words in (document["office"], document["day"]):
        book.add_paragraph(words).alignment = WD_ALIGN_PARAGRAPH.RIGHT
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _line(book: Any, words: str, *, size: int, color: RGBColor | None = None) -> None:
    """A centred line of the head."""
    line = book.add_paragraph()
    line.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = line.add_run(words)
    run.bold, run.font.size = size > 12, Pt(size)
    if color:
        run.font.color.rgb = color


def bulletin_step(job: Job) -> bool:
    """Job: both files of a published bulletin. Twice writes the same."""
    row = Bulletin.objects.select_related("office").get(pk=job.params["bulletin"])
    document = as_document(row)
    for kind, make in (
        ("pdf", partial(compile_pdf, FOLDER / "bulletin.typ")),
        ("docx", word),
    ):
        path = path_of(row, kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make(document))
    Bulletin.objects.filter(pk=row.pk).update(files_at=now())
    return True
