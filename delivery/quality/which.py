"""The items behind a figure: one name for each numerator, denominator and what spoils it.

The same conditions as the tallies', so that a number on a card is the number of rows.
"""

from typing import Any

from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from delivery.quality.figures import Span
from delivery.quality.marks import Mark

# name → (label, marks that are set, marks that are not)
WHICH: dict[str, tuple[Any, Mark, Mark]] = {
    "all": (pgettext_lazy("items", "All that are evaluated"), Mark(0), Mark(0)),
    "limited": (_("With a limit"), Mark.LIMITED, Mark(0)),
    "on_time": (_("On time"), Mark.ON_TIME, Mark(0)),
    "late": (_("Not on time"), Mark.LIMITED, Mark.ON_TIME),
    "attempt_on_time": (
        _("First attempt within the limit"),
        Mark.ATTEMPT_ON_TIME,
        Mark(0),
    ),
    "attempt_late": (
        _("No attempt within the limit"),
        Mark.LIMITED,
        Mark.ATTEMPT_ON_TIME,
    ),
    "in_72h": (_("Within 72 hours"), Mark.IN_72H, Mark(0)),
    "plus_1": (_("Limit + 1 day"), Mark.PLUS_1, Mark(0)),
    "plus_2": (_("Limit + 2 days"), Mark.PLUS_2, Mark(0)),
    "plus_3": (_("Limit + 3 days"), Mark.PLUS_3, Mark(0)),
    "much_late": (_("Later than limit + 3 days"), Mark.LIMITED, Mark.PLUS_3),
    "in_first": (_("First step of two"), Mark.IN_FIRST, Mark(0)),
    "in_max": (_("Second step of two"), Mark.IN_MAX, Mark(0)),
    "delivered": (pgettext_lazy("rate", "Delivered"), Mark.DELIVERED, Mark(0)),
    "undelivered": (_("Not delivered"), Mark(0), Mark.DELIVERED),
    "first_attempt": (_("At the first attempt"), Mark.FIRST_ATTEMPT, Mark(0)),
    "later_attempt": (_("Not at the first"), Mark.ATTEMPTED, Mark.FIRST_ATTEMPT),
    "undelivered_twice": (
        _("Undelivered, and attempted as prescribed"),
        Mark.TWO_TRIES,
        Mark.DELIVERED,
    ),
    "undelivered_once": (
        _("Undelivered, and not attempted as prescribed"),
        Mark(0),
        Mark.DELIVERED | Mark.TWO_TRIES,
    ),
    "returned": (pgettext_lazy("rate", "Returned"), Mark.RETURNED, Mark(0)),
    "by_address": (_("Returned for the address"), Mark.BY_ADDRESS, Mark(0)),
    "by_recipient": (_("Returned for the recipient"), Mark.BY_RECIPIENT, Mark(0)),
    "by_operator": (_("Returned by our mistake"), Mark.BY_OPERATOR, Mark(0)),
    "gone": (
        _("Neither delivered nor returned"),
        Mark(0),
        Mark.DELIVERED | Mark.RETURNED,
    ),
    "damaged": (pgettext_lazy("item", "Damaged"), Mark.DAMAGED, Mark(0)),
    "shortage": (_("Contents short"), Mark.SHORTAGE, Mark(0)),
    "false_signed": (_("False signing confirmed"), Mark.FALSE_SIGNED, Mark(0)),
    "scanned": (_("Completely scanned"), Mark.SCANNED, Mark(0)),
    "unscanned": (_("A scan is missing"), Mark(0), Mark.SCANNED),
    "wanted_met": (_("Requirement met"), Mark.WANTED_MET, Mark(0)),
    "wanted_unmet": (_("Requirement not met"), Mark.WANTED, Mark.WANTED_MET),
}
# These are outside every rate.
APART = {
    "unripe": _("Not evaluated yet"),
    "flawed": _("Impossible sequences"),
    "excluded": _("Excused by a disturbance"),
}
CHOICES = [(name, row[0]) for name, row in WHICH.items()] + list(APART.items())


def narrowed(items: Any, which: str, span: Span) -> Any:
    """`items` accepted in the span that are counted under a name of WHICH or APART."""
    rows = items.filter(accepted_on__range=(span.first, span.last))
    if span.product:
        rows = rows.filter(product=span.product)
    if which == "flawed":
        return rows.exclude(flaw="").filter(ripe_on__lte=span.at)
    rows = rows.filter(flaw="")
    if which == "excluded":
        return rows.filter(disturbance_id__isnull=False, ripe_on__lte=span.at)
    rows = rows.filter(disturbance_id__isnull=True)
    if which == "unripe":
        return rows.filter(ripe_on__gt=span.at)
    _label, there, absent = WHICH[which]
    rows = rows.filter(ripe_on__lte=span.at)
    if not there | absent:
        return rows
    hit = F("marks").bitand(int(there | absent))
    return rows.annotate(hit=hit).filter(Q(hit=int(there)))
