"""Contracts, receivables, service points, behaviour."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils.timezone import localdate

from crm.errors import Refused
from customers import ledger
from customers.models import Customer, Receivable, UsageDay, UsageMonth
from customers.partitions import ensure_partition
from customers.records import add_phone
from customers.service_points import behaviour_of, points_of
from tests import factories as make

TODAY = date(2026, 11, 22)


@pytest.fixture
def firm(cast) -> Customer:
    return make.customer(cast.wuhan, manager=cast.zhao, segment="contract")


def bill(customer: Customer, number: str, due_on: date, amount: str, paid: str = "0"):
    return Receivable.objects.create(
        customer=customer,
        office=customer.office,
        number=number,
        issued_on=due_on - timedelta(days=30),
        due_on=due_on,
        amount=amount,
        paid=paid,
    )


def test_ageing_puts_each_unpaid_yuan_into_one_bucket(firm):
    for number, days in enumerate((-5, 0, 1, 30, 31, 60, 61, 90, 91, 180, 181, 400)):
        bill(firm, f"B{number}", TODAY - timedelta(days=days), "100", "40")
    bill(firm, "paid", TODAY - timedelta(days=50), "100", "100")
    found = ledger.ageing_of(firm, TODAY)
    assert found.not_due == 120  # due today is not late yet
    assert found.overdue == [120, 120, 120, 120, 120]
    assert (found.owed, found.oldest_days) == (720, 400)
    assert found.rate is None


def test_the_arrears_rate_is_overdue_by_revenue_of_twelve_whole_months(firm, cast):
    for month, revenue in (
        ((2025, 10), 999),
        ((2025, 11), 500),
        ((2026, 10), 500),
        ((2026, 11), 7),
    ):
        UsageMonth.objects.create(
            customer=firm, month=date(*month, 1), lines=1, pieces=1, revenue=revenue
        )
    bill(firm, "B1", TODAY - timedelta(days=10), "10")
    assert ledger.ageing_of(firm, TODAY).rate == Decimal("0.01")
    assert ledger.ageing_of_office(cast.hubei, TODAY).rate == Decimal("0.01")
    assert ledger.ageing_of_office(cast.yichang, TODAY).owed == 0


def test_the_database_refuses_impossible_money(firm):
    for facts in ({"amount": "0"}, {"amount": "5", "paid": "6"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            bill(firm, "B1", TODAY, **facts)


def test_a_contract_is_kept_once_and_ends_in_its_period(client, cast, firm):
    make.sign_in(client, cast.zhao)
    url = reverse("customers:panel", args=[firm.pk, "contracts"])
    data = {
        "number": "HT-1",
        "starts_on": "2026-01-01",
        "ends_on": "2025-12-31",
        "billing": "on_account",
        "credit_days": "30",
    }
    assert "ends before" in client.post(url, data).content.decode()
    data["ends_on"] = f"{localdate().year + 1}-12-31"
    assert client.post(url, data).status_code == 200
    assert client.post(url, data).status_code == 422
    contract = firm.contracts.get()
    change = reverse(
        "customers:panel_row", args=[firm.pk, "contracts", contract.pk, "change"]
    )
    assert client.post(change, {}).status_code == 422
    terms = {"credit_days": "45", "price_terms": "九折"}
    early = client.post(change, terms | {"ended_on": "2020-01-01"})
    assert early.status_code == 422
    assert "does not run" in early.content.decode()
    today = localdate().isoformat()
    assert client.post(change, terms | {"ended_on": today}).status_code == 200
    contract.refresh_from_db()
    assert (contract.credit_days, contract.price_terms) == (45, "九折")
    assert not contract.is_in_force(localdate() + timedelta(days=1))


def test_agents_read_contracts_and_do_not_write_them(client, cast, firm):
    make.sign_in(client, cast.lin)
    url = reverse("customers:panel", args=[firm.pk, "contracts"])
    assert client.get(url).context["form"] is None
    with pytest.raises(PermissionDenied):
        ledger.save_contract(firm, by=cast.lin, number="HT-9")


def test_a_scan_is_what_its_bytes_say(client, cast, firm):
    contract = ledger.save_contract(
        firm, by=cast.zhao, number="HT-1", starts_on=TODAY, ends_on=TODAY
    )
    with pytest.raises(Refused):
        ledger.attach_file(contract, by=cast.zhao, name="a.pdf", data=b"<html>")
    ledger.attach_file(contract, by=cast.zhao, name="a.pdf", data=b"%PDF-1.7")
    make.sign_in(client, cast.zhao)
    url = reverse("customers:contract_file", args=[contract.files.get().pk])
    answer = client.get(url)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert b"".join(answer.streaming_content) == b"%PDF-1.7"


def days_of(customer: Customer, days: list[date], **facts) -> None:

    with connection.cursor() as cursor:
        for month in {day.replace(day=1) for day in days}:
            ensure_partition(cursor, month, "customers_usageday")
    facts = {"product": "标快", "region": "上海", "payment": "记账", **facts}
    for day in days:
        UsageDay.objects.create(
            customer=customer, day=day, pieces=1, revenue=10, cost=0, **facts
        )


def test_points_are_computed_from_what_is_there(cast, firm):
    assert points_of(firm, TODAY) == []
    bill(firm, "B1", TODAY - timedelta(days=40), "100")
    ledger.save_contract(
        firm,
        by=cast.zhao,
        number="HT-1",
        starts_on=date(2026, 1, 1),
        ends_on=TODAY + timedelta(days=20),
    )
    firm.contacts.create(
        name="李梅",
        birthday_calendar="lunar",
        birthday_month=10,
        birthday_day=17,
        next_birthday=TODAY + timedelta(days=3),
    )
    mondays = [TODAY - timedelta(days=6 + 7 * week) for week in range(7)]
    days_of(firm, [*mondays, TODAY - timedelta(days=3)])
    texts = [point.text for point in points_of(firm, TODAY)]
    assert texts[0] == "In arrears: 100.00 yuan, the oldest for 40 days"
    assert set(texts[1:3]) == {
        "Contract HT-1 ends in 20 days",
        "No safety agreement yet",
    }
    assert set(texts[3:]) == {
        "Lunar birthday of a contact on 2026-11-25",
        "Usually sends on Monday",
    }


def test_points_show_at_the_touch_points(client, cast, firm):
    bill(firm, "B1", localdate() - timedelta(days=40), "100")
    number = "13955556666"

    add_phone(firm, number)
    make.sign_in(client, cast.lin)
    card = make.look_up(client, number)
    page = client.get(reverse("customers:summary", args=[firm.pk]))
    for answer in (card, page):
        assert "In arrears: 100.00 yuan" in answer.content.decode()


def test_behaviour_is_the_shares_of_revenue(cast, firm):
    days_of(firm, [TODAY - timedelta(days=n) for n in range(3)])
    days_of(firm, [TODAY - timedelta(days=9)], product="包裹", region="")
    found = {one.label: one.parts for one in behaviour_of(firm, TODAY)}
    assert found["Products"] == [("标快", 75.0), ("包裹", 25.0)]
    assert found["Destinations"] == [("上海", 100.0)]
    assert sum(share for _name, share in found["Weekdays"]) == pytest.approx(100)
