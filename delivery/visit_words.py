"""Why a visit is due, and why on that day: facts into sentences, where they are shown."""

from datetime import date

from django.utils.dateparse import parse_date
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from delivery.models import Visit, VisitType


def due_because(visit: Visit) -> str:
    """What made it due, by its source and its rule."""
    if visit.plan:
        return _("Plan: %(name)s") % {"name": visit.plan}
    head = visit.source.partition(":")[0]
    rule = visit.rule
    if head == "regular" and rule:
        facts = {"grade": visit.note or rule.grade, "n": rule.days}
        return _("Grade %(grade)s: every %(n)s days") % facts
    if head == "leader" and rule:
        facts = {"yuan": f"{rule.at_least:,}", "n": rule.days}
        return _("At least %(yuan)s yuan a year: a leader every %(n)s days") % facts
    if head == "contract" and rule:
        facts = {"number": visit.note, "n": rule.days}
        return _("First contract %(number)s: day %(n)s") % facts
    if head == "alert":
        return _("An alert is open")
    if head == "next":
        return _("Agreed at the last visit")
    if visit.type == VisitType.COMPLAINT:
        return _("Serious complaint %(ref)s") % {"ref": visit.note}
    return visit.note


def day_because(visit: Visit) -> str:
    """Why it is on its day, or on none."""
    facts = visit.why
    said = _WORDS.get(facts.get("code", ""), _nothing)(visit)
    if before := parse_date(facts.get("from", "") or ""):
        said = _("%(why)s; it was on %(day)s") % {"why": said, "day": before}
    return said


def _nothing(visit: Visit) -> str:
    if visit.visitor is None and visit.state == Visit.State.OPEN:
        return _left(visit)
    if visit.day is None and visit.state == Visit.State.OPEN:
        return _("Waits for the next planning")
    return ""


def _near(visit: Visit) -> str:
    count = visit.why.get("n", 0)
    said = ngettext(
        "%(n)s more visit in the same district that day",
        "%(n)s more visits in the same district that day",
        count,
    )
    return _("%(company)s; by %(day)s") % {
        "company": said % {"n": count},
        "day": visit.due_on,
    }


def _window(visit: Visit) -> str:
    return _("The emptiest day between %(first)s and %(last)s") % _span(visit)


def _late(visit: Visit) -> str:
    if visit.due_on < localdate():
        return _("Overdue since %(last)s: the first free slot") % _span(visit)
    return _("No free slot by %(last)s: the first one after it") % _span(visit)


def _full(visit: Visit) -> str:
    return _("No free slot in the next 40 working days")


def _capacity(visit: Visit) -> str:
    who = visit.visitor or _("Nobody")
    return _("%(who)s has no slots: set a number a day, or let somebody else go") % {
        "who": who
    }


def _left(visit: Visit) -> str:
    if visit.visitor is None:
        return _("The customer has no manager: assign one")
    return _("%(who)s does not work here any more") % {"who": visit.visitor}


def _hand(visit: Visit) -> str:
    return _("Fixed by %(who)s") % {"who": visit.why.get("by", "")}


def _span(visit: Visit) -> dict[str, date]:
    return {"first": visit.first_day, "last": visit.due_on}


_WORDS = {
    "near": _near,
    "window": _window,
    "late": _late,
    "full": _full,
    "capacity": _capacity,
    "left": _left,
    "calendar": lambda visit: _("The office has no working days"),
    "ahead": lambda visit: _("Opens on %(first)s") % _span(visit),
    "hand": _hand,
    "asked": lambda visit: _("The customer asked for this time"),
    "agreed": lambda visit: _("Agreed at %(ref)s") % {"ref": visit.why.get("ref", "")},
}
