"""Who finds whom, by what, and what is masked."""

import pytest
from django.urls import reverse

from crm.audit.models import AuditEvent
from crm.notify.models import Message
from customers.ledger import save_contract
from customers.models import Customer, UsageRef
from customers.records import add_external_id
from customers.services import REVEALS_PER_HOUR
from tests import factories as make


def _known_by_much(cast) -> Customer:
    firm = make.customer(
        cast.wuchang,
        manager=cast.zhao,
        name="武汉市邮科电子有限公司",
        code="HB-77",
        aliases=["邮电器材"],
        credit_code="91420100MA4KMGEH6J",
    )
    dates = {"starts_on": "2026-01-01", "ends_on": "2026-12-31"}
    save_contract(firm, by=None, number="HT-2026-7", **dates)
    add_external_id(firm, "contract", "EXT-9")
    UsageRef.objects.create(
        office=cast.wuchang, ref="EA000000001CN", customer_id=firm.pk
    )
    return firm


@pytest.fixture
def people(cast):
    return {
        "wang": make.customer(
            cast.wuhan,
            manager=cast.zhao,
            name="王秀英",
            kind="individual",
            phone="13900000001",
            id_number="11010519491231002X",
        ),
        "firm": _known_by_much(cast),
        "other": make.customer(cast.wuhan, name="武汉市东湖商贸有限公司"),
        "far": make.customer(
            cast.yichang, manager=cast.mei, name="宜昌邮科电子有限公司"
        ),
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("王秀英", "wang"),
        ("秀英", "wang"),
        ("wxy", "wang"),
        ("wangxiuying", "wang"),
        ("13900000001", "wang"),
        ("139 0000 0001", "wang"),
        ("邮科", "firm"),
        ("郵科電子", "firm"),
        ("ykdz", "firm"),
        ("hb-77", "firm"),
        ("HB-7", "firm"),
        ("0001", "wang"),
        ("00000001", "wang"),
        ("邮电器材", "firm"),  # an alias
        ("HT-2026-7", "firm"),
        ("EXT-9", "firm"),
        ("EA000000001CN", "firm"),
        ("91420100MA4KMGEH6J", "firm"),
        ("11010519491231002x", "wang"),
    ],
)
def test_a_manager_finds_own_customers_by_any_scrap(cast, people, client, query, found):
    make.sign_in(client, cast.zhao)
    answer = client.post(reverse("customers:search"), {"q": query})
    assert answer.status_code == 302
    assert answer.url == people[found].get_absolute_url()


@pytest.mark.parametrize(
    "query", ["东湖", "宜昌", "nobody", "%", "_", "'; --", "13800000000"]
)
def test_others_and_nonsense_are_not_found(cast, people, client, query):
    make.sign_in(client, cast.zhao)
    answer = client.post(reverse("customers:search"), {"q": query}, follow=True)
    assert answer.status_code == 200
    assert "Nobody found" in answer.content.decode()


def test_what_is_searched_for_never_stands_in_an_address(cast, people, client):
    make.sign_in(client, cast.zhao)
    make.customer(cast.wuhan, manager=cast.zhao, name="王秀兰", kind="individual")
    answer = client.post(reverse("customers:search"), {"q": "王秀"})
    assert answer.url == reverse("customers:search")
    assert client.get(answer.url).content.decode().count('class="id"') == 2
    ignored = client.get(answer.url, {"q": "东湖"}).content.decode()
    assert "王秀英" in ignored


def test_a_manager_sees_only_the_own_portfolio(cast, people):
    assert set(Customer.objects.visible_to(cast.zhao)) == {
        people["wang"],
        people["firm"],
    }
    assert set(Customer.objects.visible_to(cast.chen)) == {
        people["wang"],
        people["firm"],
        people["other"],
    }
    for person in (cast.zheng, cast.he, cast.gao, cast.liang, cast.tang, cast.yong):
        assert not Customer.objects.visible_to(person).exists()


def test_a_person_is_clear_to_their_manager_and_masked_to_others(cast, people, client):
    url = people["wang"].get_absolute_url()
    make.sign_in(client, cast.zhao)
    panel = reverse("customers:panel", args=[people["wang"].pk, "phones"])
    own = client.get(url).content.decode() + client.get(panel).content.decode()
    assert "王秀英" in own
    assert "13900000001" in own
    make.sign_in(client, cast.chen)
    masked = client.get(url).content.decode() + client.get(panel).content.decode()
    assert "王**" in masked
    assert "王秀英" not in masked
    assert "0000001" not in masked


def test_a_number_is_revealed_for_a_reason_and_written_down_first(cast, people, client):
    make.sign_in(client, cast.chen)
    phone = people["wang"].phones.get()
    url = reverse("customers:reveal", args=[people["wang"].pk, "phone", phone.pk])
    assert client.post(url, {}).status_code == 422
    answer = client.post(url, {"reason": "callback"})
    assert "13900000001" in answer.content.decode()
    event = AuditEvent.objects.get(action="customer.revealed")
    assert event.details == {"field": "phone", "row": phone.pk, "reason": "callback"}


def test_the_thirty_first_number_in_an_hour_is_refused(cast, people, client):
    make.sign_in(client, cast.chen)
    phone = people["wang"].phones.get()
    url = reverse("customers:reveal", args=[people["wang"].pk, "phone", phone.pk])
    for _time in range(REVEALS_PER_HOUR):
        assert client.post(url, {"reason": "callback"}).status_code == 200
    answer = client.post(url, {"reason": "callback"})
    assert answer.status_code == 422
    assert "13900000001" not in answer.content.decode()
    assert Message.objects.filter(to_user=cast.chen).count() == 1  # the alarm, once


def test_the_list_costs_the_same_at_any_length(cast, client, django_assert_num_queries):
    make.sign_in(client, cast.chen)
    url = reverse("customers:list")
    client.get(url)
    for _time in range(2):
        for _row in range(5):
            make.customer(cast.wuhan, manager=cast.zhao)
        with django_assert_num_queries(8):
            client.get(url)


def test_pages_follow_each_other_without_a_gap(cast, client, monkeypatch):
    monkeypatch.setattr("crm.web.PAGE_ROWS", 4)
    for _row in range(10):
        make.customer(cast.wuhan, name="同名有限公司")
    make.sign_in(client, cast.chen)
    seen, after = [], ""
    while True:
        page = client.get(reverse("customers:list"), {"after": after}).context["page"]
        seen += [row.pk for row in page.rows]
        after = page.next_key
        if not after:
            break
    assert len(seen) == len(set(seen)) == 10


@pytest.mark.parametrize(
    "query",
    [
        {"group": "nonsense"},
        {"group": "retained"},
        {"group": "retained", "base": "x", "current": "y"},
        {"office": "420500"},
        {"segment": "all"},
    ],
)
def test_a_wrong_filter_is_not_answered_with_everything(cast, client, query):
    make.sign_in(client, cast.chen)
    assert client.get(reverse("customers:list"), query).status_code == 404


def test_the_page_shows_thirteen_months(cast, people, client):
    make.sign_in(client, cast.zhao)
    answer = client.get(people["firm"].get_absolute_url())
    assert len(answer.context["months"]) == 13
    assert answer.content.decode().count('class="hit col"') == 13
