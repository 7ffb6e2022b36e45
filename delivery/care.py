"""Greetings: which days come, whom to call, whom to write, and how seldom.

Source: R-VIS-13, anchors.md 4.15. Lunar days as crm.numbers.next_lunar says: a leap month
that a year lacks is the ordinary month, a 30th that a month lacks is its 29th.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, Q
from django.utils.timezone import get_current_timezone, localdate, now
from django.utils.translation import gettext as _

from crm import numbers
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.notify.models import Message
from customers.models import ContactPerson, Contract, Customer
from customers.models.choices import Purpose
from delivery import messaging
from delivery.models import CareRule, VisitType
from delivery.visit_rules import PRIORITY, keep_office

Kind, Way = CareRule.Kind, CareRule.Way
SHOWN_AHEAD = 60  # days that the page looks ahead
SEND_AT = time(9, 30)
CAPS = ((timedelta(days=7), 1), (timedelta(days=365), 6))  # messages at most in a time
VALUED = ["diamond", "platinum"]
# kind, name, Chinese name, calendar, month, day, grades, ahead
HOUSE: tuple[tuple[Any, ...], ...] = (
    (Kind.FESTIVAL, "New Year", "元旦", "solar", 1, 1, VALUED, 5),
    (Kind.FESTIVAL, "Spring Festival", "春节", "lunar", 1, 1, [*VALUED, "gold"], 7),
    (Kind.FESTIVAL, "Dragon Boat Festival", "端午节", "lunar", 5, 5, VALUED, 5),
    (Kind.FESTIVAL, "Mid-Autumn Festival", "中秋节", "lunar", 8, 15, VALUED, 5),
    (Kind.FESTIVAL, "National Day", "国庆节", "solar", 10, 1, VALUED, 5),
    (Kind.BIRTHDAY, "Birthday", "生日", "solar", None, None, [*VALUED, "gold"], 3),
    (Kind.ANNIVERSARY, "Anniversary of the contract", "签约周年", "solar", None, None)
    + (VALUED, 5),
)


def sow() -> None:
    """The greetings of the house, where there are none."""
    if CareRule.objects.filter(office=None).exists():
        return
    names = ("kind", "name", "name_zh", "calendar", "month", "day", "grades", "ahead")
    CareRule.objects.bulk_create(
        CareRule(**dict(zip(names, row, strict=True))) for row in HOUSE
    )


@transaction.atomic
def save_rule(row: CareRule, *, by: User) -> CareRule:
    """Make or change a greeting. Refused("care.day") for a day that no year has."""
    keep_office(row, by)
    if row.kind == Kind.FESTIVAL:
        try:
            day_of(row, localdate())
        except ValueError as error:
            raise Refused("care.day", _("This month has no such day.")) from error
    else:
        row.month = row.day = None
    row.made_by = row.made_by or by
    row.save()
    audit.record(by, "care.rule_saved", row, office=row.office)
    return row


def day_of(rule: CareRule, since: date) -> date:
    """The first day of a festival on or after a day. ValueError for one no year has."""
    month, day = rule.month or 0, rule.day or 0
    if rule.calendar == CareRule.Calendar.LUNAR:
        return numbers.next_lunar(since, month, day)
    date(2024, month, day)
    return numbers.next_yearly(since, month, day)


# --- whom ------------------------------------------------------------------------------


def _customers(rule: CareRule) -> Any:
    rows = Customer.objects.filter(merged_into=None, erased_at=None)
    if rule.office:
        rows = rows.filter(office__path__startswith=rule.office.path)
    if rule.grades:
        rows = rows.filter(grade__code__in=rule.grades)
    return rows


def whom(rule: CareRule, first: date, last: date) -> list[tuple[date, Any]]:
    """(day, customers) for each day of a rule between two days."""
    rows = _customers(rule)
    if rule.kind == Kind.FESTIVAL:
        day = day_of(rule, first)
        return [(day, rows)] if day <= last else []
    found = []
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        if rule.kind == Kind.BIRTHDAY:
            born = ContactPerson.objects.filter(
                customer=OuterRef("pk"), next_birthday=day
            )
            found.append((day, rows.filter(Exists(born))))
        else:
            found.append((day, _anniversaries(rows, day)))
    return found


def _anniversaries(rows: Any, day: date) -> Any:
    """Customers whose first contract began on this day of an earlier year; 29 February
    counts on the 28th."""
    wanted = Q(starts_on__month=day.month, starts_on__day=day.day)
    if (day.month, day.day) == (2, 28) and (day + timedelta(days=1)).month == 3:
        wanted |= Q(starts_on__month=2, starts_on__day=29)
    mine = Contract.objects.filter(customer=OuterRef("pk"))
    begun = mine.filter(wanted, starts_on__lt=day.replace(day=1))
    earlier = mine.filter(starts_on__lt=OuterRef("starts_on"))
    first = begun.filter(~Exists(earlier.filter(customer=OuterRef("customer"))))
    return rows.filter(Exists(first))


# --- calls and messages ------------------------------------------------------------------

CALLS = """
INSERT INTO delivery_visit (type, way, customer_id, office_id, visitor_id, is_given, source,
    note, first_day, due_on, priority, state, minutes, place, is_pinned, why, misses,
    made_at, reason)
SELECT 'greeting', 'call', c.id, c.office_id, c.manager_id, false,
       'care:' || %s || ':' || c.id || ':' || %s, %s, %s, %s, %s, 'open', 15, 0, false, '{}',
       0, %s, ''
FROM customers_customer c WHERE c.manager_id IS NOT NULL AND c.id IN (CHOSEN)
ON CONFLICT (source) DO NOTHING"""


@transaction.atomic
def make_calls(rule: CareRule, today: date) -> int:
    """Calls that are due for the days ahead; how many are new."""
    made = 0
    for day, customers in whom(rule, today, today + timedelta(days=rule.ahead)):
        sql, params = customers.order_by().values("pk").query.sql_with_params()
        opens = max(today, day - timedelta(days=rule.ahead))
        values: list[Any] = [rule.pk, f"{day}", rule.name_zh or rule.name, opens, day]
        values += [PRIORITY[VisitType.GREETING], now()]
        with connection.cursor() as cursor:
            cursor.execute(CALLS.replace("CHOSEN", sql), [*values, *params])
            made += cursor.rowcount
    return made


@transaction.atomic
def send_messages(rule: CareRule, today: date) -> int:
    """Messages of the day, to mobiles of customers who consented to care, under the caps;
    how many. Twice a day is once: each has its key."""
    at = datetime.combine(today, SEND_AT, get_current_timezone())
    sent = 0
    for day, customers in whom(rule, today, today):
        consented = customers.filter(
            consents__purpose=Purpose.CARE, consents__withdrawn_at=None
        )
        phones = messaging.mobiles_of(consented)
        full = _at_their_cap([bytes(phone.number_index) for phone in phones], at)
        sent += messaging.send(
            [phone for phone in phones if bytes(phone.number_index) not in full],
            purpose=Message.Purpose.CARE,
            subject=rule.name,
            body=rule.text,
            key=f"care:{rule.pk}:{day}",
            at=at,
        )
    return sent


def _at_their_cap(indexes: list[bytes], at: datetime) -> set[bytes]:
    """Numbers that have had as many messages of care as the caps allow."""
    full: set[bytes] = set()
    had = Message.objects.filter(
        purpose=Message.Purpose.CARE, contact_index__in=indexes
    ).order_by()
    for span, most in CAPS:
        rows = had.filter(created_at__gt=at - span).values_list("contact_index")
        counted = rows.annotate(n=Count("pk")).filter(n__gte=most)
        full |= {bytes(index) for index, _n in counted}
    return full


def care_step(job: Job) -> bool:
    """Job, each morning: calls of the days ahead, messages of today; a rule a step."""
    today = localdate()
    rules = CareRule.objects.filter(is_on=True, pk__gt=job.cursor.get("after", 0))
    rule = rules.select_related("office").order_by("pk").first()
    if rule is None:
        return True
    act = make_calls if rule.way == Way.CALL else send_messages
    made = act(rule, today)
    job.result = {"made": job.result.get("made", 0) + made}
    job.cursor = {"after": rule.pk}
    return False


@dataclass
class Coming:
    """A day of care ahead, and how many of the reader's customers it concerns."""

    day: date
    rule: CareRule
    count: int


def coming(user: User, rules: list[CareRule]) -> list[Coming]:
    """Festivals of the next 60 days, birthdays and anniversaries of the next seven."""
    today = localdate()
    visible = Customer.objects.visible_to(user)
    found = []
    for rule in rules:
        if not rule.is_on:
            continue
        ahead = SHOWN_AHEAD if rule.kind == Kind.FESTIVAL else 7
        for day, rows in whom(rule, today, today + timedelta(days=ahead)):
            count = visible.filter(pk__in=rows.order_by().values("pk")).count()
            if count or rule.kind == Kind.FESTIVAL:
                found.append(Coming(day, rule, count))
    return sorted(found, key=lambda one: (one.day, one.rule.pk))
