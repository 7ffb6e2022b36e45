"""Letters, labels, cards and sheets as PDF, by Typst. Loaded in workers only: it is big.

What is printed comes in as data; a template never sees markup of ours, so that no name in
a list is read as a command.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import segno
import typst
from django.conf import settings
from django.db.models import Count, Max, Min
from django.db.models.functions import Left
from django.utils.timezone import localdate

from campaigns import files, reporting, stepping, winners
from campaigns.models import (
    PrintFile,
    PrintRun,
    PrizeCard,
    PrizeDraw,
    Touch,
    Win,
)
from crm.org.models import Office

FOLDER = Path(__file__).parent / "typst"


@cache
def _fonts() -> typst.Fonts:
    """COST: reading the fonts takes longer than setting a page."""
    return typst.Fonts()


def compile_pdf(template: Path, data: dict[str, Any]) -> bytes:
    """A template with its data, as PDF."""
    return typst.compile(
        str(template),
        root=str(template.parent),
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        font_paths=_fonts(),
    )


def typeset(row: PrintFile) -> bytes:
    """What a file's kind says, as PDF."""
    by_kind = {
        PrintFile.Kind.NOTICES: _notices,
        PrintFile.Kind.MAILING: _mailing,
        PrintFile.Kind.REPORT: _report,
    }
    data = by_kind.get(PrintFile.Kind(row.kind), _of_run)(row)
    return compile_pdf(
        FOLDER / f"{row.kind}.typ", data | {"day": f"{localdate():%Y-%m-%d}"}
    )


def _of_run(row: PrintFile) -> dict[str, Any]:
    """Cards of one part of a run, or what its hand-over sheet adds up."""
    if row.run is None:
        raise ValueError(row.kind)
    order = row.run.order
    data: dict[str, Any] = {
        "season": order.season.name,
        "order": f"{order}",
        "run": row.run.number,
        "customer": order.customer.name or order.customer.code,
        "content": order.content,
    }
    if row.kind == PrintFile.Kind.SHEET:
        return data | _sheet(row.run)
    data["cards"] = [_card(one) for one in files.cards_of(row)]
    if row.kind == PrintFile.Kind.CARDS:
        data["qr"] = _qr()
    return data


def _card(card: PrizeCard) -> dict[str, str]:
    who = card.recipient
    facts = ("name", "organisation", "address", "postcode")
    found = {name: getattr(who, name) if who else "" for name in facts}
    return found | {"group": card.group_code, "number": card.number}


def _qr() -> str:
    """The page that tells when and where prizes are handed out; never a number."""
    code = segno.make(f"{settings.PUBLIC_URL}/prizes/", error="m", micro=False)
    return code.svg_inline(border=1)


def _sheet(run: PrintRun) -> dict[str, Any]:
    cards = PrizeCard.objects.filter(run=run)
    sections = (
        cards.order_by()
        .values_list(Left("recipient__postcode", 4))
        .annotate(n=Count("pk"))
        .order_by("recipient__postcode")
    )
    sums: dict[str, int] = {}
    for section, number in sections:
        sums[section or "—"] = sums.get(section or "—", 0) + number
    ends = cards.aggregate(first=Min("number"), last=Max("number"))
    return ends | {
        "pieces": run.pieces,
        "blocked": run.blocked,
        "sections": sorted(sums.items()),
    }


def _notices(row: PrintFile) -> dict[str, Any]:
    """Letters to the recipients of winning cards, or one to each customer with all its."""
    wins = winners.wins_of(row.season, row.asked_by)
    wins = wins.filter(pk__in=row.params["wins"]).order_by("customer", "level__rank")
    draw = PrizeDraw.objects.get(season=row.season)
    if row.params["whom"] == "recipient":
        letters = [_to_recipient(win) for win in wins if win.card.recipient]
    else:
        grouped: dict[int, list[Win]] = {}
        for win in wins:
            grouped.setdefault(win.customer_id, []).append(win)
        letters = [_to_customer(mine) for mine in grouped.values()]
    return {
        "letters": letters,
        "first": f"{draw.redeem_from}",
        "last": f"{draw.redeem_until}",
        "place": draw.place,
        "documents": draw.documents,
        "office": row.season.office.name,
        "slogan": row.season.slogan,
    }


def _line(win: Win) -> dict[str, str]:
    return {"level": win.level.name, "prize": win.level.prize, "code": f"{win.card}"}


def _to_recipient(win: Win) -> dict[str, Any]:
    who = win.card.recipient
    sender = win.customer.name or win.customer.code
    return {
        "name": who.name if who else "",
        "address": who.address if who else "",
        "postcode": who.postcode if who else "",
        "words": f"{sender}寄给您的贺卡中奖了，恭喜！请核对贺卡上的兑奖码。",
        "wins": [_line(win)],
    }


def _to_customer(wins: list[Win]) -> dict[str, Any]:
    customer = wins[0].customer
    place = customer.addresses.order_by("pk").first()
    return {
        "name": customer.name or customer.code,
        "address": place.text if place else "",
        "postcode": place.postcode if place else "",
        "words": f"您寄出的贺卡中有{len(wins)}枚中奖。我们已提示收件人，也请您转告。",
        "wins": [_line(win) for win in wins],
    }


def _mailing(row: PrintFile) -> dict[str, Any]:
    """Letters of an outreach step to who was chosen."""
    touches = Touch.objects.none()
    if row.asked_by:
        touches = Touch.objects.visible_to(row.asked_by)
    touches = touches.filter(pk__in=row.params["touches"])
    letters = []
    for touch in touches.select_related("contact__customer", "step").order_by("pk"):
        customer = touch.contact.customer
        place = customer.addresses.order_by("pk").first()
        letters.append(
            {
                "name": customer.name or customer.code,
                "address": place.text if place else "",
                "postcode": place.postcode if place else "",
                "subject": touch.step.subject,
                "words": stepping.words_for(touch.step, customer),
            }
        )
    return {"letters": letters, "office": row.season.office.name}


def _report(row: PrintFile) -> dict[str, Any]:
    office = Office.objects.get(code=row.params["office"])
    return reporting.as_document(row.season, office)
