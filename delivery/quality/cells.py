"""Checks of cells that items and events share: waybills, moments, ratings, yes or no."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from crm.org.calendar import SHANGHAI
from crm.text import ascii_digits
from crm.transfer.targets import ROUNDED, Bad, clean_flag
from delivery.quality.waybills import trouble_with

MOMENT_FORMS = (
    *("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y年%m月%d日 %H:%M:%S", "%Y%m%d%H%M%S"),
    *("%Y年%m月%d日 %H:%M", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日"),
)
MONTH_FIRST = ("%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y")
# COST: compared without a zone, which is five times as fast; China has had one offset, and
# no summer time, since 1992.
EARLIEST = datetime(1992, 1, 1)  # noqa: DTZ001 - local
TOLERANCE = timedelta(minutes=10)  # clocks of scanners differ
PROMISES = timedelta(days=400)


def clean_waybill(cell: str) -> str:
    number = ascii_digits(cell).replace(" ", "").upper()
    if not number:
        raise Bad("missing")
    if trouble := trouble_with(number):
        raise Bad("rounded" if ROUNDED.fullmatch(number) else trouble)
    return number


def clean_reference(cell: str) -> str:
    """A number of somebody else's making: an order of a market place, an event's id."""
    number = ascii_digits(cell)
    if not number:
        raise Bad("missing")
    if ROUNDED.fullmatch(number):
        raise Bad("rounded")
    if len(number) > 40:
        raise Bad("too_long")
    if not re.fullmatch(r"[\w.:/+-]+", number, re.ASCII):
        raise Bad("reference")
    return number


def _read(text: str, forms: tuple[str, ...]) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in forms:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - local, set below
        except ValueError:
            continue
    raise Bad("moment")


def moment(
    forms: tuple[str, ...] = MOMENT_FORMS,
    *,
    ahead: timedelta = TOLERANCE,
    is_required: bool = False,
    is_day_whole: bool = False,
) -> Callable[[str], str]:
    """A check of dates with times, local where no zone is said, none further `ahead`.

    `is_day_whole`: a bare date is the day's end, as of a promise.
    """

    def check(cell: str) -> str:
        text = ascii_digits(cell)
        if not text:
            if is_required:
                raise Bad("missing")
            return ""
        found = _read(text, forms)
        if found.tzinfo is not None:
            found = found.astimezone(SHANGHAI).replace(tzinfo=None)
        if found < EARLIEST:
            raise Bad("date_range")
        if found > datetime.now(SHANGHAI).replace(tzinfo=None) + ahead:
            raise Bad("future")
        if is_day_whole and len(text) <= 11:
            found += timedelta(days=1, microseconds=-1)
        return f"{found.isoformat()}+08:00"

    return check


def clean_yes_no(cell: str) -> str:
    """t, f, or nothing where it is not said."""
    return ("t" if clean_flag(cell) else "f") if cell.strip() else ""


def clean_ratings(cell: str) -> str:
    """Ratings from 1 to 5, several with + between them, as PostgreSQL writes an array."""
    text = ascii_digits(cell).replace(" ", "")
    if not text:
        return ""
    if not re.fullmatch(r"[1-5](\+[1-5])*", text) or len(text) > 40:
        raise Bad("rating")
    return "{" + text.replace("+", ",") + "}"


def clean_small(most: int) -> Callable[[str], str]:
    """A whole number from 0 to `most`."""

    def check(cell: str) -> str:
        text = ascii_digits(cell)
        if not text:
            return ""
        if not re.fullmatch(r"\d{1,5}", text, re.ASCII) or int(text) > most:
            raise Bad("whole")
        return text

    return check
