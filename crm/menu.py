"""The menu: what each role's postings open, in groups, in the order of the working day."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.capabilities import may
from crm.access.roles import CAPABILITIES, Role


@cache
def address_of(url_name: str) -> str:
    """COST: reverse() is dear twenty times a page; addresses do not change."""
    return reverse(url_name)


@dataclass(frozen=True)
class MenuEntry:
    label: Any
    url_name: str
    icon: str
    capability: str

    @property
    def url(self) -> str:
        return address_of(self.url_name)


GROUPS: tuple[tuple[Any, tuple[MenuEntry, ...]], ...] = (
    (
        _("Desk"),
        (
            MenuEntry(
                pgettext_lazy("menu", "Now"), "front:front", "target", "front.see"
            ),
            MenuEntry(_("Today"), "customers:today", "sun", "task.view"),
            MenuEntry(
                _("Take a call"), "complaints:new", "headset", "complaint.create"
            ),
            MenuEntry(_("Work orders"), "complaints:list", "inbox", "complaint.view"),
            MenuEntry(_("Alerts"), "customers:alerts", "bell-ring", "alert.view"),
            MenuEntry(
                _("Follow-up calls"), "delivery:next_call", "phone-call", "survey.call"
            ),
            MenuEntry(_("Visits"), "delivery:visits", "map-pin-check", "visit.view"),
            MenuEntry(_("Greetings"), "delivery:care", "gift", "visit.view"),
            MenuEntry(_("Claims"), "complaints:claims", "banknote", "claim.view"),
            MenuEntry(_("Items at risk"), "quality:risks", "hourglass", "risk.view"),
            MenuEntry(_("Incidents"), "risk:incidents", "siren", "incident.declare"),
            MenuEntry(_("Imports"), "transfer:list", "file-up", "transfer.import"),
        ),
    ),
    (
        pgettext_lazy("menu", "Figures and assessment"),
        (
            MenuEntry(
                _("KPI board"), "dashboards:board", "layout-dashboard", "kpi.view"
            ),
            MenuEntry(
                pgettext_lazy("menu", "Figures"),
                "dashboards:figures",
                "chart-column",
                "kpi.view",
            ),
            MenuEntry(
                _("Work orders in figures"),
                "complaints:report",
                "chart-column",
                "report.view",
            ),
            MenuEntry(
                _("Bulletins"), "dashboards:bulletins", "newspaper", "bulletin.read"
            ),
            MenuEntry(
                _("Combined assessment"), "dashboards:combined", "trophy", "kpi.target"
            ),
            MenuEntry(_("Service costs"), "dashboards:costs", "coins", "cost.note"),
            MenuEntry(
                _("Assessment"), "dashboards:assessments", "scale", "assessment.view"
            ),
            MenuEntry(_("My figures"), "dashboards:mine", "target", "figures.mine"),
            MenuEntry(
                _("My assessment"),
                "dashboards:assessment_mine",
                "gavel",
                "assessment.mine",
            ),
        ),
    ),
    (
        _("Customers"),
        (
            MenuEntry(_("Customers"), "customers:list", "users", "customer.view"),
            MenuEntry(
                _("Organisation directory"),
                "customers:directory",
                "building-2",
                "directory.view",
            ),
            MenuEntry(
                _("Correction requests"),
                "customers:corrections",
                "pencil-ruler",
                "customer.correct",
            ),
            MenuEntry(_("Grading"), "customers:grading", "medal", "grading.view"),
            MenuEntry(_("Customer value"), "customers:values", "gem", "value.view"),
            MenuEntry(
                _("Key customers"),
                "customers:movement",
                "arrow-left-right",
                "movement.view",
            ),
            MenuEntry(
                _("Forecast"), "customers:forecast", "chart-line", "forecast.view"
            ),
            MenuEntry(
                _("Recipient lists"),
                "customers:recipient_lists",
                "book-user",
                "recipients.keep",
            ),
            MenuEntry(
                _("Data quality"),
                "customers:data_quality",
                "map-pinned",
                "quality.view",
            ),
            MenuEntry(
                _("Duplicates"), "customers:duplicates", "copy-check", "customer.merge"
            ),
            MenuEntry(
                _("Exports"), "customers:exports", "file-down", "customer.export"
            ),
            MenuEntry(
                _("Data protection"),
                "customers:retention",
                "shield-check",
                "customer.erase",
            ),
            MenuEntry(
                _("Hand-overs"), "delivery:handovers", "handshake", "handover.view"
            ),
        ),
    ),
    (
        pgettext_lazy("menu", "Card season"),
        (
            MenuEntry(_("Card season"), "campaigns:seasons", "mailbox", "season.view"),
            MenuEntry(
                _("Outreach calls"), "campaigns:calls", "phone-outgoing", "touch.do"
            ),
            MenuEntry(_("Card production"), "campaigns:stages", "printer", "stage.do"),
            MenuEntry(
                _("Addresses to check"),
                "campaigns:addresses",
                "map-pin-x",
                "address.judge",
            ),
            MenuEntry(
                _("Events and offers"),
                "campaigns:gatherings",
                "party-popper",
                "gathering.view",
            ),
            MenuEntry(_("Card batches"), "quality:batches", "layers", "batch.view"),
        ),
    ),
    (
        pgettext_lazy("menu", "Delivery quality"),
        (
            MenuEntry(
                _("Delivery quality"), "quality:board", "package-check", "delivery.view"
            ),
            MenuEntry(_("Mail items"), "quality:items", "package-search", "item.view"),
            MenuEntry(_("Pickups"), "quality:pickups", "truck", "pickup.view"),
            MenuEntry(
                _("Pickup assessment"), "quality:sheets", "receipt-text", "pickup.sheet"
            ),
            MenuEntry(
                _("Inspections"),
                "quality:inspections",
                "clipboard-list",
                "inspection.view",
            ),
            MenuEntry(
                _("Disturbances"),
                "quality:disturbances",
                "cloud-lightning",
                "disturbance.view",
            ),
            MenuEntry(
                _("Improvements"),
                "delivery:improvements",
                "trending-up",
                "improvement.see",
            ),
        ),
    ),
    (
        pgettext_lazy("menu", "Service quality"),
        (
            MenuEntry(
                _("Quality checks"),
                "complaints:quality",
                "clipboard-check",
                "quality.see",
            ),
            MenuEntry(
                _("Corrective actions"), "complaints:measures", "wrench", "measure.view"
            ),
            MenuEntry(_("Findings"), "complaints:findings", "gavel", "finding.rule"),
            MenuEntry(
                _("Buck-passing"), "complaints:suspicions", "scale", "complaint.judge"
            ),
            MenuEntry(
                _("Topics"), "complaints:topics", "message-square-text", "topic.view"
            ),
            MenuEntry(
                _("Channels"), "complaints:channels", "radio-tower", "outage.view"
            ),
            MenuEntry(_("Text blocks"), "complaints:texts", "text-quote", "text.keep"),
            MenuEntry(
                _("Visits in figures"),
                "delivery:board",
                "chart-no-axes-gantt",
                "visit.board",
            ),
            MenuEntry(_("Visit plans"), "delivery:plans", "list-todo", "visit.plan"),
            MenuEntry(
                _("Surveys"), "delivery:rounds", "clipboard-pen", "survey.manage"
            ),
        ),
    ),
    (
        pgettext_lazy("menu", "The house"),
        (
            MenuEntry(
                pgettext_lazy("menu", "Library"),
                "library:documents",
                "library",
                "library.read",
            ),
            MenuEntry(
                _("Front-line feedback"),
                "improvement:mine",
                "lightbulb",
                "feedback.submit",
            ),
            MenuEntry(
                _("Programmes"), "programmes:programmes", "footprints", "programme.see"
            ),
            MenuEntry(
                _("Contests and training"),
                "programmes:events",
                "trophy",
                "programme.see",
            ),
            MenuEntry(_("Teams"), "programmes:teams", "users-round", "programme.see"),
            MenuEntry(
                pgettext_lazy("people", "Staff"),
                "programmes:staff",
                "id-card",
                "staff.manage",
            ),
            MenuEntry(
                _("Business supervisors"),
                "programmes:testers",
                "user-check",
                "staff.manage",
            ),
            MenuEntry(
                _("Requests of units"),
                "programmes:unit_requests",
                "handshake",
                "unit.ask",
            ),
            MenuEntry(
                _("Reports of units"), "programmes:reports", "file-text", "unit.ask"
            ),
            MenuEntry(_("Risks"), "risk:risks", "shield-alert", "risk.see"),
        ),
    ),
    (
        pgettext_lazy("menu", "Administration"),
        (
            MenuEntry(_("Routing"), "complaints:routing", "route", "routing.edit"),
            MenuEntry(
                _("Shifts and absences"), "access:duty", "calendar-clock", "duty.edit"
            ),
            MenuEntry(_("Users"), "access:users", "user-cog", "user.manage"),
            MenuEntry(_("Offices"), "access:offices", "network", "office.manage"),
            MenuEntry(
                _("Calendars"), "access:calendar", "calendar-days", "calendar.manage"
            ),
            MenuEntry(_("Webhooks"), "hooks:endpoints", "webhook", "hook.manage"),
            MenuEntry(
                pgettext_lazy("menu", "Audit trail"),
                "dashboards:audit",
                "scroll-text",
                "audit.view",
            ),
            MenuEntry(
                _("Whom a leak has hit"), "risk:breach", "shield-x", "breach.report"
            ),
        ),
    ),
)
MENU = tuple(entry for _label, entries in GROUPS for entry in entries)


Groups = tuple[tuple[Any, tuple[MenuEntry, ...]], ...]


@cache
def groups_of(roles: frozenset[str]) -> Groups:
    """The groups, with the entries that these roles open; none is empty."""
    found = (
        (label, tuple(one for one in entries if roles & CAPABILITIES[one.capability]))
        for label, entries in GROUPS
    )
    return tuple((label, entries) for label, entries in found if entries)


def first_of(user: Any) -> MenuEntry | None:
    """Where somebody lands: their own work before what everybody may open."""
    own = [entry for entry in MENU if may(user, entry.capability)]
    special = [one for one in own if CAPABILITIES[one.capability] != set(Role)]
    return next(iter(special or own), None)
