"""Numbers with check digits, and lunar dates; pure."""

import re
from datetime import date

from borax.calendars.lunardate import LunarDate
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

LUNAR_MONTH = 30  # days at the most
CREDIT_DIGITS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
CREDIT_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def is_credit_code(text: str) -> bool:
    """A unified social credit code with the right check character (GB 32100-2015)."""
    code = text.upper()
    if len(code) != 18 or any(sign not in CREDIT_DIGITS for sign in code):
        return False
    total = sum(
        CREDIT_DIGITS.index(sign) * weight
        for sign, weight in zip(code, CREDIT_WEIGHTS, strict=False)
    )
    return CREDIT_DIGITS[(31 - total % 31) % 31] == code[17]


def is_id_number(text: str) -> bool:
    """A resident's ID number: a real birth date and the right check digit (GB 11643)."""
    number = text.upper()
    if not re.fullmatch(r"\d{17}[\dX]", number, re.ASCII):
        return False
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(
        int(digit) * weight for digit, weight in zip(number, ID_WEIGHTS, strict=False)
    )
    return "10X98765432"[total % 11] == number[17]


def valid_credit_code(text: str) -> None:
    """Validator of model and form fields."""
    if text and not is_credit_code(text):
        raise ValidationError(_("This is no credit code: its check character differs."))


def valid_id_number(text: str) -> None:
    """Validator of model and form fields."""
    if text and not is_id_number(text):
        raise ValidationError(_("This is no ID number: its check digit differs."))


def mask_id_number(number: str) -> str:
    """The first and the last character stay (reliability.md B25)."""
    return f"{number[0]}{'*' * 16}{number[-1]}" if number else ""


def next_yearly(day: date, month: int, day_of_month: int) -> date:
    """The first such solar date on or after `day`; 29 February falls back to the 28th."""
    for year in (day.year, day.year + 1):
        try:
            found = date(year, month, day_of_month)
        except ValueError:
            found = date(year, 2, 28)
        if found >= day:
            return found
    raise AssertionError("one of two years has the date ahead")


def next_lunar(day: date, month: int, day_of_month: int, *, leap: bool = False) -> date:
    """The first such lunar date on or after `day`, as a solar date.

    A leap month that a year lacks falls back to the ordinary month, a 30th that a month
    lacks to its 29th (libraries.md: lunar 12/30 does not exist in 2024–2028).
    """
    first_year = LunarDate.from_solar(day).year
    for year in (first_year, first_year + 1):
        found = _lunar(year, month, day_of_month, leap)
        if found >= day:
            return found
    raise AssertionError("one of two lunar years has the date ahead")


def _lunar(year: int, month: int, day_of_month: int, leap: bool) -> date:
    if day_of_month > LUNAR_MONTH:
        raise ValueError(f"lunar {month}/{day_of_month}")
    for try_leap in (True, False) if leap else (False,):
        for try_day in (day_of_month, day_of_month - 1):
            try:
                return LunarDate(year, month, try_day, int(try_leap)).to_solar_date()
            except ValueError:
                continue
    raise ValueError(f"lunar {month}/{day_of_month}")
