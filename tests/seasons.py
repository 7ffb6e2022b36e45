"""Seasons, reviews and orders for tests."""

from datetime import date, timedelta

from django.utils.timezone import localdate

from campaigns import orders, planning, review, seasons
from campaigns.models import CardOrder, CardProduct, ReviewRisk, Season
from crm.org.models import Office
from customers.models import Customer

FACTS = {
    "affected": "上季全部贺卡客户",
    "changes": "新增在线校对",
    "complaints": 12,
    "script": "您好，这里是邮政贺卡服务……",
}


def season(office: Office, code: str = "2027", **facts) -> Season:
    """A season around today, half a year to both sides."""
    today = localdate()
    facts = {
        "name": f"{code}贺卡季",
        "first_day": today - timedelta(days=180),
        "last_day": today + timedelta(days=180),
        **facts,
    }
    soon = max(facts["first_day"], today + timedelta(days=10))
    facts.setdefault("posting_on", min(facts["last_day"], soon))
    return Season.objects.create(office=office, code=code, **facts)


def risk(**facts) -> ReviewRisk:
    facts = {
        "words": "名址不准，退件增多",
        "likelihood": 3,
        "impact": 4,
        "measure": "虚拟投递",
    } | facts
    return ReviewRisk(**facts)


def issued(cast, office: Office | None = None, code: str = "2027", **facts) -> Season:
    """A running season of Wuhan: group, review by two people, issued."""
    row = season(office or cast.wuhan, code, **facts)
    planning.set_group(row, cast.wuhan, by=cast.chen, leader=cast.chen)
    review.write(row, by=cast.ping, facts=FACTS, risks=[risk()])
    review.submit(row, by=cast.ping)
    review.decide(row, by=cast.rui, is_signed=True, reply="同意")
    return seasons.issue(row, by=cast.chen)


def product() -> CardProduct:
    return CardProduct.objects.get(code="custom-ordinary")


def ordered(
    row: Season, customer: Customer, on: date | None = None, **facts
) -> CardOrder:
    """A delivered order, as an import brings it."""
    facts = {"pieces": 1000, "revenue": "2000.00", "state": "done", **facts}
    return CardOrder.objects.create(
        season=row, customer=customer, ordered_on=on or row.first_day, **facts
    )


def contracted(row: Season, customer: Customer, by, pieces: int = 2000) -> CardOrder:
    """An order under contract, with its stages."""
    draft = CardOrder(season=row, customer=customer, product=product(), pieces=pieces)
    draft.ordered_on = localdate()
    made = orders.offer(draft, by=by)
    return orders.contract(made, by=by, number=f"HK-{made.pk}", on=localdate())
