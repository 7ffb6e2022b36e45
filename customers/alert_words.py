"""An alert's evidence as a sentence."""

from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from customers.models import Alert, WatchRule
from customers.queries import add_months
from customers.seasons import month_span, months_in, year_before

Kind = WatchRule.Kind


def _yuan(value: Any) -> str:
    return f"{value:,.0f}"


def _month(facts: dict[str, Any], back: int = 0) -> str:
    return f"{add_months(date.fromisoformat(facts['month']), -back):%Y-%m}"


def _fall(facts: dict[str, Any]) -> dict[str, Any]:
    lost = 100 * (1 - facts["now"] / facts["expected"]) if facts["expected"] else 100
    names = ("now", "then", "expected")
    return {n: _yuan(facts[n]) for n in names} | {"percent": f"{lost:.0f}"}


def _year(facts: dict[str, Any]) -> str:
    """The days compared with are said wherever the festival has moved them."""
    span = year_before(month_span(date.fromisoformat(facts["month"])))
    base = f"{span[0]:%Y-%m}" if months_in(span) else f"{span[0]} – {span[1]}"
    text = _("%(month)s: %(now)s yuan, %(percent)s %% below %(then)s in %(base)s")
    return text % (_fall(facts) | {"month": _month(facts), "base": base})


def _three_months(text: str, facts: dict[str, Any]) -> str:
    return text % (_fall(facts) | {"first": _month(facts, 2), "last": _month(facts)})


def said(alert: Alert) -> str:
    """Why the alert was raised, in one sentence with its figures; its rule comes with it."""
    facts = alert.evidence
    match alert.rule.kind:
        case Kind.YEAR:
            return _year(facts)
        case Kind.QUARTER_YEAR:
            text = _(
                "%(first)s to %(last)s: %(now)s yuan, %(percent)s %% below %(then)s "
                "a year before"
            )
            return _three_months(text, facts)
        case Kind.QUARTER:
            text = _(
                "%(first)s to %(last)s: %(now)s yuan after %(then)s in the three months "
                "before; by the season %(expected)s were to be expected"
            )
            return _three_months(text, facts)
        case Kind.MONTH:
            text = _(
                "%(month)s: %(now)s yuan after %(then)s the month before; by the season "
                "%(expected)s were to be expected"
            )
            return text % (_fall(facts) | {"month": _month(facts)})
    return _other(alert.rule.kind, facts)


def _other(kind: str, facts: dict[str, Any]) -> str:
    texts = {
        Kind.SILENT: _(
            "Nothing sent for %(days)s days, since %(last)s; before, on %(often)s days a year"
        ),
        Kind.ALIVE: _(
            "Still a customer by %(alive)s %%, last sent on %(last)s, %(revenue)s yuan "
            "in twelve months"
        ),
        Kind.CONTRACT: _(
            "Contract %(number)s ended on %(ended)s, no other one follows"
        ),
        Kind.GRADE: _("Grade fallen: %(before)s → %(after)s"),
        Kind.COMPLAINT: _("Complaint %(ref)s was opened again"),
        Kind.CONTACT: _("No contact for %(days)s days, since %(last)s"),
        Kind.ARREARS: _("Owes %(owed)s yuan, the oldest for %(days)s days"),
    }
    money = {n: _yuan(facts[n]) for n in ("revenue", "owed") if n in facts}
    return texts[Kind(kind)] % (facts | money)
