"""Letters, labels, cards and sheets as PDF, by Typst. Loaded in workers only: it is big.

What is printed comes in as data; a template never sees markup of ours, so that no name in
a list is read as a command.
"""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import segno
import typst
from django.conf import settings
from django.utils.timezone import localdate

from campaigns.models import PrintFile, PrizeCard

FOLDER = Path(__file__).parent / "typst"


@cache
def _fonts() -> typst.Fonts:
    """COST: reading the fonts takes longer than setting a page."""
    return typst.Fonts()


def compile_pdf(template: str, data: dict[str, Any]) -> bytes:
    """A template of campaigns/typst with its data, as PDF."""
    return typst.compile(
        str(FOLDER / f"{template}.typ"),
        root=str(FOLDER),
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        font_paths=_fonts(),
    )


def typeset(row: PrintFile, cards: Iterable[PrizeCard]) -> bytes:
    """One part of a run as PDF."""
    order = row.run.order
    data = {
        "season": order.season.name,
        "order": f"{order}",
        "run": row.run.number,
        "customer": order.customer.name or order.customer.code,
        "content": order.content,
        "day": f"{localdate():%Y-%m-%d}",
        "cards": [_card(one) for one in cards],
    }
    if row.kind == PrintFile.Kind.CARDS:
        data["qr"] = _qr()
    if row.kind == PrintFile.Kind.SHEET:
        data |= _sheet(row)
    return compile_pdf(row.kind, data)


def _card(card: PrizeCard) -> dict[str, str]:
    who = card.recipient
    facts = ("name", "organisation", "address", "postcode")
    found = {name: getattr(who, name) if who else "" for name in facts}
    return found | {"group": card.group_code, "number": card.number}


def _qr() -> str:
    """The page that tells when and where prizes are handed out; never a number."""
    code = segno.make(f"{settings.PUBLIC_URL}/prizes/", error="m", micro=False)
    return code.svg_inline(border=1)


def _sheet(row: PrintFile) -> dict[str, Any]:
    """What the hand-over sheet adds up."""
    run = row.run
    sections: dict[str, int] = {}
    for card in PrizeCard.objects.filter(run=run).select_related("recipient"):
        section = (card.recipient.postcode[:4] if card.recipient else "") or "—"
        sections[section] = sections.get(section, 0) + 1
    first = PrizeCard.objects.filter(run=run).order_by("number").first()
    last = PrizeCard.objects.filter(run=run).order_by("-number").first()
    return {
        "cards": [],
        "pieces": run.pieces,
        "blocked": run.blocked,
        "first": first.number if first else "",
        "last": last.number if last else "",
        "sections": sorted(sections.items()),
    }
