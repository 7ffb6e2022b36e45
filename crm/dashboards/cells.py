"""Numbers in the cells of a grid: as they were typed, and as the page had shown them."""

from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

from crm.access.capabilities import AuthedRequest

LARGEST = Decimal("9999999999.99")


def typed_numbers(
    request: AuthedRequest, names: dict[Any, str]
) -> tuple[dict[Any, Decimal], dict[Any, str]]:
    """The numbers that were typed into the inputs of these names, by their keys, and what
    is wrong with those that are none."""
    found: dict[Any, Decimal] = {}
    wrong: dict[Any, str] = {}
    for key, name in names.items():
        text = request.POST.get(name, "").strip()
        if not text:
            continue
        try:
            value = Decimal(text.replace(",", ""))
        except InvalidOperation:
            wrong[key] = _("Not a number.")
            continue
        if not (value.is_finite() and 0 <= value <= LARGEST):
            wrong[key] = _("Between 0 and 9,999,999,999.99.")
            continue
        found[key] = value.quantize(Decimal("0.01"))
    return found, wrong


def shown_numbers(
    request: AuthedRequest, names: dict[Any, str]
) -> dict[Any, Decimal | None]:
    """What each cell held when the page was made, as hidden inputs send it back: so that
    what somebody else has set meanwhile is told from what was changed here."""
    found: dict[Any, Decimal | None] = {}
    for key, name in names.items():
        text = request.POST.get(name)
        if text is not None:
            with suppress(InvalidOperation):
                value = Decimal(text) if text else None
                if value is None or value.is_finite():
                    found[key] = value
    return found
