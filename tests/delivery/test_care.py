"""Greetings: which day, whom, by consent and seldom; lunar days against a second library."""

from datetime import date, datetime, timedelta

import pytest
from borax.calendars.lunardate import LunarDate
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate, now
from lunar_python import LunarMonth, LunarYear

from crm.errors import Refused
from crm.jobs.services import enqueue
from crm.notify.models import Message
from crm.numbers import next_lunar
from customers.consents import give_consent, withdraw_consent
from customers.ledger import save_contract
from customers.models import CustomerGrade
from delivery import care
from delivery.models import CareRule, Visit
from tests import factories as make

DAY = date(2026, 6, 17)  # two days before the Dragon Boat Festival


@pytest.fixture
def june(db, time_machine):
    time_machine.move_to("2026-06-17 06:00+08:00", tick=False)


def graded(where, code="diamond", **facts):
    customer = make.customer(where, **facts)
    CustomerGrade.objects.create(
        customer=customer, code=code, name=code, rank=0, since=now()
    )
    return customer


# --- lunar days -----------------------------------------------------------------------


def test_lunar_months_agree_with_a_second_library_on_every_day():
    """Months with their first day and length, 1901 to 2056: that is every day."""
    for year in range(1901, 2057):
        for month in LunarYear.fromYear(year).getMonths():
            assert_month(year, month)


def assert_month(year: int, month: LunarMonth) -> None:
    if month.getYear() != year:
        return  # the table of a year begins and ends in its neighbours
    number, leap = abs(month.getMonth()), month.getMonth() < 0
    first = LunarDate(year, number, 1, int(leap)).to_solar_date()
    assert first.toordinal() + 1721424.5 == month.getFirstJulianDay() - 0.5
    last = first + timedelta(days=month.getDayCount() - 1)
    for day in (first, last):
        found = LunarDate.from_solar(day)
        assert (found.year, found.month, bool(found.leap)) == (year, number, leap)
    assert LunarDate.from_solar(last + timedelta(days=1)).day == 1


@pytest.mark.parametrize(
    ("since", "month", "day", "found"),
    [
        ("2025-07-01", 6, 1, "2025-07-25"),  # 2025 has a leap sixth month
        ("2025-08-01", 6, 1, "2026-07-14"),  # 2026 has none: the ordinary month
        ("2024-12-31", 12, 30, "2025-01-28"),  # its twelfth month has 29 days
    ],
)
def test_birthdays_of_leap_months_and_of_the_thirtieth(since, month, day, found):
    leap = month == 6
    assert next_lunar(date.fromisoformat(since), month, day, leap=leap) == (
        date.fromisoformat(found)
    )


# --- calls ----------------------------------------------------------------------------


def test_a_festival_becomes_a_call_of_the_manager_once(cast, june):
    customer = graded(cast.wuhan, manager=cast.zhao)
    graded(cast.wuhan, manager=cast.zhao, code="vip")
    graded(cast.wuhan)  # nobody looks after them
    for _twice in range(2):
        enqueue("delivery.care")
        make.run_jobs("delivery.care")
    visit = Visit.objects.get()
    assert (visit.customer, visit.type, visit.way) == (customer, "greeting", "call")
    assert visit.due_on == date(2026, 6, 19)  # the fifth of the fifth month
    assert visit.note == "端午节"


def test_a_lunar_birthday_and_an_anniversary_become_calls(cast, june):
    customer = graded(cast.wuhan, manager=cast.zhao)
    customer.contacts.create(
        name="李主任",
        birthday_calendar="lunar",
        birthday_month=5,
        birthday_day=4,
        next_birthday=next_lunar(DAY, 5, 4),
    )
    for number, year in (("HT-1", 2023), ("HT-2", 2024)):
        starts = date(year, 6, 20) - timedelta(days=number == "HT-2")
        save_contract(
            customer, by=None, number=number, starts_on=starts, ends_on="2026-12-31"
        )
    enqueue("delivery.care")
    make.run_jobs("delivery.care")
    due = dict(Visit.objects.values_list("note", "due_on"))
    assert due == {
        "生日": date(2026, 6, 18),
        "端午节": date(2026, 6, 19),
        "签约周年": date(2026, 6, 20),  # of the first contract
    }


# --- messages ---------------------------------------------------------------------------


@pytest.fixture
def rule(cast, june):
    return CareRule.objects.create(
        office=cast.wuhan,
        kind="festival",
        name="Fathers",
        month=6,
        day=17,
        way="sms",
        text="中国邮政祝您节日快乐",
    )


def test_a_message_goes_to_who_consented_and_in_the_morning(cast, rule):
    asked = make.customer(cast.wuhan, kind="individual", name="王秀英")
    give_consent(asked, "care", by=cast.chen, how="书面")
    make.customer(cast.wuhan)
    ended = make.customer(cast.wuhan)
    give_consent(ended, "care", by=cast.chen, how="书面")
    withdraw_consent(ended.consents.get(), by=cast.chen)
    foreign = make.customer(cast.yichang)
    give_consent(foreign, "care", by=cast.mei, how="书面")
    assert care.send_messages(rule, DAY) == 1
    assert care.send_messages(rule, DAY) == 0
    message = Message.objects.get(channel="sms")
    assert message.to_address == asked.phones.get().number
    assert message.purpose == "care"
    assert message.due_at == datetime.fromisoformat("2026-06-17T09:30:00+08:00")


def test_nobody_gets_two_messages_in_a_week_or_seven_in_a_year(
    cast, rule, time_machine
):
    asked = make.customer(cast.wuhan)
    give_consent(asked, "care", by=cast.chen, how="书面")
    sent = []
    for week in range(10):
        for days in (0, 3):
            at = datetime.fromisoformat("2026-06-17T06:00:00+08:00")
            time_machine.move_to(at + timedelta(days=8 * week + days), tick=False)
            today = localdate()
            rule.month, rule.day = today.month, today.day
            rule.save()
            sent.append(care.send_messages(rule, today))
    assert sent[:4] == [1, 0, 1, 0]
    assert sum(sent) == 6


# --- pages and rights -------------------------------------------------------------------


def test_the_page_tells_what_comes_and_how_many_of_mine(cast, june, client, sign_in):
    graded(cast.wuhan, manager=cast.zhao)
    graded(cast.yichang, manager=cast.mei)
    sign_in(cast.zhao)
    page = client.get(reverse("delivery:care"))
    (boat,) = [one for one in page.context["coming"] if one.rule.month == 5]
    assert (boat.day, boat.count) == (date(2026, 6, 19), 1)
    assert client.post(reverse("delivery:care"), {}).status_code == 403


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"month": 2, "day": 31}, "day"),
        ({"calendar": "lunar", "month": 1, "day": 31}, "day"),
        ({"month": ""}, "__all__"),
        ({"way": "sms"}, "__all__"),
    ],
)
def test_a_day_that_no_year_has_is_refused(cast, june, client, sign_in, facts, field):
    sign_in(cast.chen)
    office = cast.wuhan.pk
    typed = {"kind": "festival", "name": "x", "office": office, "calendar": "solar"}
    typed |= {"month": 3, "day": 3, "way": "call", "ahead": 5, **facts}
    page = client.post(reverse("delivery:care"), typed)
    assert page.status_code == 422
    assert field in page.context["form"].errors


def test_the_houses_greetings_are_the_provinces(cast, june):
    row = CareRule.objects.filter(office=None).first()
    with pytest.raises(PermissionDenied):
        care.save_rule(row, by=cast.chen)
    with pytest.raises(Refused):
        care.save_rule(
            CareRule(office=cast.wuhan, kind="festival", name="x", month=2, day=30),
            by=cast.chen,
        )
