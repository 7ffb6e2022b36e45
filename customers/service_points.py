"""Service points (服务要点): what whoever serves a customer should know right now.

One function for every touch point (R-CUS-66, R-CUS-67): the customer page, the complaint
form, the API. Automatic points are computed from data; the others are rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Q, Sum
from django.db.models.functions import ExtractIsoWeekDay, ExtractMonth
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers.alert_words import said
from customers.ledger import CONTRACT_ALERT_DAYS, Ageing, ageing_of
from customers.models import Alert, Customer, UsageDay
from customers.queries import member_ids

BIRTHDAY_DAYS = 7
HABIT_DAYS = 90
HABIT_WEEKS = 6  # so many posting days at least, and
HABIT_SHARE = 0.6  # this share of them on one weekday
NUMBERED = ("weekday", "month")  # habits that are numbers: none is empty
ORDER = {"bad": 0, "warn": 1, "info": 2}


@dataclass(frozen=True)
class Point:
    """One line for the screen. `pinned` is the row's id when a person pinned it."""

    text: str
    tone: str  # bad, warn, info
    icon: str
    pinned: int | None = None


def points_of(
    customer: Customer, today: date | None = None, *, ageing: Ageing | None = None
) -> list[Point]:
    """The points of a customer, the most urgent first. Cost: 11 queries, constant."""
    today = today or localdate()
    ageing = ageing or ageing_of(customer, today)
    found = [
        *_signals(customer),
        *_alerts(customer),
        *_arrears(ageing),
        *_contracts(customer, today),
        *_birthdays(customer, today),
        *_habit(customer, today),
        *_facts(customer),
        *_rows(customer, today),
    ]
    return sorted(found, key=lambda point: ORDER[point.tone])


def _signals(customer: Customer) -> Iterator[Point]:
    open_now = customer.timeline.filter(kind="complaint", is_open=True).count()
    if open_now:
        text = ngettext(
            "%(n)s complaint is open", "%(n)s complaints are open", open_now
        )
        yield Point(text % {"n": open_now}, "bad", "message-square-warning")


def _alerts(customer: Customer) -> Iterator[Point]:
    """The gravest open alert stands for all."""
    live = customer.alerts.exclude(state="closed").select_related("rule")
    if gravest := live.first():
        tone = "bad" if gravest.level >= Alert.GRAVE else "warn"
        text = _("About to leave? %(reason)s") % {"reason": said(gravest)}
        yield Point(text, tone, "bell-ring")


def _arrears(ageing: Ageing) -> Iterator[Point]:
    if ageing.arrears:
        text = _("In arrears: %(amount)s yuan, the oldest for %(days)s days")
        values = {"amount": f"{ageing.arrears:,.2f}", "days": ageing.oldest_days}
        yield Point(text % values, "bad", "banknote")


def _contracts(customer: Customer, today: date) -> Iterator[Point]:
    last = (
        customer.contracts.filter(ended_on=None, starts_on__lte=today)
        .order_by("-ends_on")
        .first()
    )
    if last is None:
        return
    days = (last.ends_on - today).days
    if days < 0:
        yield Point(
            _("Contract %(number)s has expired") % {"number": last.number},
            "bad",
            "file-x",
        )
    elif days <= CONTRACT_ALERT_DAYS:
        text = ngettext(
            "Contract %(number)s ends in %(n)s day",
            "Contract %(number)s ends in %(n)s days",
            days,
        )
        yield Point(text % {"number": last.number, "n": days}, "warn", "file-clock")
    if not last.has_safety_agreement:
        yield Point(_("No safety agreement yet"), "warn", "shield-alert")


def _birthdays(customer: Customer, today: date) -> Iterator[Point]:
    soon = customer.contacts.filter(
        next_birthday__range=(today, today + timedelta(days=BIRTHDAY_DAYS))
    )
    for contact in soon.order_by("next_birthday"):
        lunar = contact.birthday_calendar == contact.Calendar.LUNAR
        text = (
            _("Lunar birthday of a contact on %(day)s")
            if lunar
            else _("Birthday of a contact on %(day)s")
        )
        yield Point(text % {"day": contact.next_birthday}, "info", "cake")


def _habit(customer: Customer, today: date) -> Iterator[Point]:
    """The weekday on which most posting days of the last quarter fall."""
    days = UsageDay.objects.filter(
        customer__in=member_ids(customer), day__gte=today - timedelta(days=HABIT_DAYS)
    )
    rows: list[Any] = list(
        days.annotate(weekday=ExtractIsoWeekDay("day"))
        .values("weekday")
        .annotate(times=Count("day", distinct=True))
    )
    total = sum(row["times"] for row in rows)
    best: dict[str, Any] = max(rows, key=lambda row: row["times"], default={})
    if total >= HABIT_WEEKS and best["times"] >= HABIT_SHARE * total:
        names = weekday_names()
        text = _("Usually sends on %(day)s") % {"day": names[best["weekday"] - 1]}
        yield Point(text, "info", "calendar-clock")


def weekday_names() -> list[str]:
    return [
        _("Monday"),
        _("Tuesday"),
        _("Wednesday"),
        _("Thursday"),
        _("Friday"),
        _("Saturday"),
        _("Sunday"),
    ]


def _facts(customer: Customer) -> Iterator[Point]:
    if customer.strategic_class:
        yield Point(customer.get_strategic_class_display(), "info", "landmark")
    if customer.signing_habit:
        text = _("Signing: %(habit)s") % {"habit": customer.signing_habit}
        yield Point(text, "info", "pen-line")
    if customer.service_plan:
        text = _("Service plan: %(plan)s") % {"plan": customer.service_plan}
        yield Point(text, "info", "package-check")


def _rows(customer: Customer, today: date) -> Iterator[Point]:
    lasting = Q(valid_until=None) | Q(valid_until__gte=today)
    for row in customer.service_points.filter(lasting):
        yield Point(_(row.text), row.tone, "pin", row.pk)


@dataclass(frozen=True)
class Behaviour:
    """Shares of the last year's revenue by one habit, largest first."""

    label: str
    parts: list[tuple[str, float]]  # name, percent


def behaviour_of(customer: Customer, today: date | None = None) -> list[Behaviour]:
    """Products, weekdays, months, destinations and payment of the last year (R-CUS-47, R-CUS-50).

    Reads the sums by day only. Cost: six queries.
    """
    today = today or localdate()
    days = UsageDay.objects.filter(
        customer__in=member_ids(customer), day__gt=today - timedelta(days=365)
    )
    weekdays = dict(enumerate(weekday_names(), start=1))
    by_weekday = days.annotate(weekday=ExtractIsoWeekDay("day"))
    found = [
        (_("Products"), _shares(days, "product")),
        (
            _("Weekdays"),
            [
                (weekdays[n], share)
                for n, share in sorted(_shares(by_weekday, "weekday"))
            ],
        ),
        (_("Months"), _months(days)),
        (_("Destinations"), _shares(days, "region")),
        (_("Payment"), _shares(days, "payment")),
    ]
    return [Behaviour(label, parts) for label, parts in found if parts]


def _months(days: Any) -> list[tuple[str, float]]:
    """Shares of the calendar's months, in their order: the season."""
    by_month = _shares(days.annotate(month=ExtractMonth("day")), "month", most=12)
    return [(_("Month %(n)s") % {"n": n}, share) for n, share in sorted(by_month)]


def _shares(days: Any, column: str, *, most: int = 7) -> list[tuple[Any, float]]:
    rows = (
        days.exclude(**({column: ""} if column not in NUMBERED else {column: 0}))
        .values(column)
        .annotate(revenue=Sum("revenue"))
        .order_by("-revenue")
    )
    found = [(row[column], row["revenue"]) for row in rows if row["revenue"] > 0]
    total = sum(revenue for _name, revenue in found)
    return [(name, float(100 * revenue / total)) for name, revenue in found[:most]]
