"""What people are told of, and how each wants to be told: the table of the profile page.

News is written in the application always where somebody's clock runs (`is_fixed`): late in
silence is what this product must not be.
"""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


@dataclass(frozen=True)
class Event:
    label: Any
    is_fixed: bool = False


EVENTS: dict[str, Event] = {
    "order.came": Event(_("A work order comes to me")),
    "order.clock": Event(_("A clock runs out, or has run out"), is_fixed=True),
    "order.asked": Event(_("A customer asks again, or is not satisfied")),
    "claim": Event(_("Compensation to be decided, or decided")),
    "finding": Event(_("A finding, or help that is asked of my unit")),
    "quality": Event(_("Quality checks")),
    "measure": Event(_("Corrective actions")),
    "item.risk": Event(_("Items of key customers that may come late"), is_fixed=True),
    "topic": Event(_("A topic is suddenly named often")),
    "visit": Event(_("My visits: the day's list, appointments, what I am given")),
    "customer": Event(_("Alerts of customers, exports, prospects, grades")),
    "bulletin": Event(_("Bulletins about my units")),
    "figures": Event(_("Workbooks of figures that I ordered")),
    "programme": Event(_("Programmes and walkthroughs")),
    "unit": Event(_("Requests and reports of my unit")),
    "incident": Event(_("Incidents, and risks that I watch"), is_fixed=True),
    "library": Event(_("Documents to read and confirm")),
    "season": Event(_("The card season: reviews, stages, what is late")),
    "feedback": Event(_("Front-line feedback")),
    "system": Event(_("Everything else")),
}
IN_APP, EMAIL, DIGEST, SMS = "in_app", "email", "digest", "sms"
CHANNELS: dict[str, Any] = {
    IN_APP: _("In the application"),
    EMAIL: _("E-mail at once"),
    DIGEST: pgettext_lazy("notification", "E-mail once a day"),
    SMS: _("SMS"),
}
USUAL = frozenset({IN_APP})
