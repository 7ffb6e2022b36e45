"""Pages of the season by their users: forms keep what was typed, numbers open their names."""

import re

import pytest
from django.urls import reverse
from django.utils.timezone import localdate

from campaigns import events, seasons
from campaigns.models import (
    CardOrder,
    MarketingEvent,
    OrientationReview,
    Season,
    SeasonMember,
)
from crm.org.models import Office
from tests import factories as make
from tests.seasons import FACTS, contracted, issued, ordered, product, season


@pytest.fixture
def pair(cast):
    last = season(cast.wuhan, "2026")
    row = season(cast.wuhan, "2027", previous=last)
    kept, lost, new = (
        make.customer(cast.wuhan, manager=cast.zhao) for _one in range(3)
    )
    ordered(last, kept)
    ordered(last, lost)
    ordered(row, kept)
    ordered(row, new)
    return row


def test_each_number_of_the_board_opens_as_many_rows(client, cast, pair):
    make.sign_in(client, cast.chen)
    body = client.get(pair.get_absolute_url()).content.decode()
    links = re.findall(r'href="([^"]*group=(\w+)[^"]*)">(\d+)</a>', body)
    assert {group for _url, group, _n in links} >= {"base", "kept", "lost", "new"}
    for url, _group, number in links:
        page = client.get(url.replace("&amp;", "&")).content.decode()
        assert f'<span class="count">{number}</span>' in page


def test_a_manager_sees_the_own_customers_and_no_link_to_others(client, cast, pair):
    make.customer(cast.wuhan)
    make.sign_in(client, cast.zhao)
    body = client.get(pair.get_absolute_url()).content.decode()
    assert "mine=1" in body
    assert "group=base&amp;office=" not in body


def test_the_pages_ask_the_same_number_of_queries_for_more_rows(
    client, cast, pair, django_assert_max_num_queries
):
    make.sign_in(client, cast.chen)
    pages = [
        reverse("campaigns:names", args=["2027"]) + "?group=base",
        reverse("campaigns:orders", args=["2027"]),
        reverse("campaigns:stages"),
    ]
    for page in pages:
        client.get(page)
        with django_assert_max_num_queries(25):
            client.get(page)


def test_a_reason_is_noted_and_shown_in_the_list(client, cast, pair):
    make.sign_in(client, cast.zhao)
    seasons.freeze_base(pair, by=cast.ping, is_sure=True)
    lost = SeasonMember.objects.exclude(
        customer__in=CardOrder.objects.filter(season=pair).values("customer")
    ).get(in_base=True)
    page = reverse("campaigns:member", args=["2027", lost.customer_id])
    wrong = client.post(page, {"lost": "price", "is_settled": "on"})
    assert wrong.status_code == 422
    assert client.post(page, {"lost": "price", "lost_note": "涨价"}).status_code == 302
    body = client.get(reverse("campaigns:names", args=["2027"]) + "?group=lost")
    assert "涨价" in body.content.decode()


def test_a_review_is_written_handed_in_and_countersigned_on_the_page(client, cast):
    row = season(cast.wuhan)
    make.sign_in(client, cast.ping)
    page = reverse("campaigns:review", args=[row.code])
    lines = {
        "form-TOTAL_FORMS": 1,
        "form-INITIAL_FORMS": 0,
        "form-0-words": "名址不准",
        "form-0-likelihood": 9,
        "form-0-impact": 4,
        "form-0-measure": "虚拟投递",
    }
    wrong = client.post(page, FACTS | lines | {"submit": "1"})
    assert wrong.status_code == 422
    assert FACTS["script"] in wrong.content.decode()
    sent = FACTS | lines | {"form-0-likelihood": 3, "submit": "1"}
    assert client.post(page, sent).status_code == 302
    make.sign_in(client, cast.rui)
    decide = reverse("campaigns:review_decide", args=[row.code])
    assert client.post(decide, {"sign": "1", "reply": ""}).status_code == 422
    assert client.post(decide, {"sign": "1", "reply": "同意"}).status_code == 302
    assert OrientationReview.objects.get().countersigned_by == cast.rui


def test_an_offer_is_made_once_however_often_it_is_sent(client, cast):
    row = issued(cast)
    customer = make.customer(cast.wuhan, manager=cast.zhao)
    make.sign_in(client, cast.zhao)
    page = reverse("campaigns:order_new", args=[row.code])
    sent = {
        "customer": customer.code,
        "product": product().pk,
        "pieces": 1500,
        "ordered_on": f"{localdate()}",
        "token": "0d4cfa2b-7b4c-4a36-8c2c-0a9d8a2b0002",
    }
    wrong = client.post(page, sent)
    assert wrong.status_code == 422
    assert "1500" in wrong.content.decode()
    for _time in range(2):
        assert client.post(page, sent | {"pieces": 1000}).status_code == 302
    assert CardOrder.objects.count() == 1


def test_a_foreign_customer_is_no_customer(client, cast):
    row = issued(cast)
    foreign = make.customer(cast.yichang)
    make.sign_in(client, cast.chen)
    answer = client.post(
        reverse("campaigns:order_new", args=[row.code]),
        {
            "customer": foreign.code,
            "product": product().pk,
            "pieces": 1000,
            "ordered_on": f"{localdate()}",
        },
    )
    assert answer.status_code == 422
    assert not CardOrder.objects.exists()


def test_the_api_says_what_the_board_says(client, cast, pair):
    make.sign_in(client, cast.chen)
    found = client.get("/api/v1/seasons/2027/").json()
    assert (found["counts"]["base"], found["counts"]["kept"]) == (2, 1)
    rate = found["rates"][0]
    assert (rate["kpi"], rate["numerator"], rate["denominator"]) == (
        "retention_rate",
        1,
        2,
    )
    listed = client.get("/api/v1/card-orders/?season=2027").json()["results"]
    assert len(listed) == 2
    assert client.get("/api/v1/card-orders/?state=nonsense").status_code == 400
    assert client.get("/api/v1/seasons/2027/report/").json()["revenue"] == 4000


def test_a_stage_is_finished_by_the_api_once(client, cast):
    row = issued(cast)
    order = contracted(row, make.customer(cast.wuhan, manager=cast.zhao), cast.zhao)
    make.sign_in(client, cast.chen)
    url = f"/api/v1/card-orders/{order.pk}/stages/consult/finish/"
    for _time in range(2):
        answer = client.post(url, {"pieces": 2000}, content_type="application/json")
        assert (answer.status_code, answer.json()["pieces_out"]) == (200, 2000)
    late = f"/api/v1/card-orders/{order.pk}/stages/print/finish/"
    assert client.post(late, {}, content_type="application/json").status_code == 400


def test_a_complaint_that_names_an_error_shows_the_order(client, cast):
    row = issued(cast)
    order = contracted(row, make.customer(cast.wuhan), cast.chen)
    make.sign_in(client, cast.lin)
    url = reverse("campaigns:named") + f"?ref={order.ref.upper()}"
    named = client.get(url).content.decode()
    assert order.ref in named
    assert order.get_absolute_url() not in named  # an agent opens nothing further
    make.sign_in(client, cast.mei)
    assert not client.get(url).content


def test_the_public_page_of_prizes_wants_no_login(client, cast):
    answer = client.get("/prizes/")
    assert answer.status_code == 200


def test_the_report_counts_money_and_compares_two_seasons(client, cast, pair):
    make.sign_in(client, cast.chen)
    body = client.get(reverse("campaigns:report", args=["2027"])).content.decode()
    assert "4,000.00" in body
    assert Season.objects.get(code="2026").name in body


def test_an_event_leads_to_organisations_and_they_to_orders(client, cast):
    row = season(cast.wuhan)
    fits = make.entry(cast.wuhan, "武汉光明医院", industry="health")
    make.entry(cast.wuhan, "武汉某学校", industry="education")
    make.entry(cast.yichang, "宜昌光明医院", industry="health")
    make.sign_in(client, cast.chen)
    page = reverse("campaigns:campaigns", args=[row.code])
    sent = {
        "office": cast.wuhan.pk,
        "name": "医院周年",
        "day": f"{localdate()}",
        "industry": "health",
    }
    assert client.post(page, sent).status_code == 302
    event = MarketingEvent.objects.get()
    assert list(events.found(event)) == [fits]
    for _time in range(2):
        client.post(event.get_absolute_url(), {"entries": fits.pk})
    assert events.conversion(event).denominator == 1
    assert not events.found(event).exists()
    customer = make.customer(cast.wuhan)
    fits.customer, fits.state = customer, "matched"
    fits.save()
    events.join(event)
    assert SeasonMember.objects.get(customer=customer).event == event
    ordered(row, customer)
    assert events.conversion(event).numerator == 1


def test_resources_and_competitors_stand_in_the_plan(client, cast):
    row = season(cast.wuhan)
    make.sign_in(client, cast.ping)
    add = reverse("campaigns:plan_add", args=[row.code, "resource"])
    wrong = client.post(add, {"kind": "people", "name": "外呼", "planned": "-1"})
    assert wrong.status_code == 422
    sent = {"kind": "people", "name": "外呼", "planned": "20", "price": "260"}
    assert client.post(add, sent).status_code == 302
    add = reverse("campaigns:plan_add", args=[row.code, "competitor"])
    client.post(add, {"name": "电子贺卡", "strategy": "免费"})
    body = client.get(reverse("campaigns:plan", args=[row.code])).content.decode()
    assert "5,200.00" in body
    assert "电子贺卡" in body
    note = row.competitors.get()
    client.post(reverse("campaigns:plan_drop", args=[row.code, "competitor", note.pk]))
    assert not row.competitors.exists()


def test_a_proposal_is_for_one_customer_and_seen_by_who_keeps_it(client, cast, pair):
    customer = make.customer(cast.wuhan, manager=cast.zhao)
    make.sign_in(client, cast.zhao)
    page = reverse("campaigns:proposal_new", args=["2027", customer.pk])
    sent = {
        "title": "会员回访方案",
        "body": "分三步",
        "expected": "回信一成",
        "issue": "1",
    }
    assert client.post(page, sent | {"body": ""}).status_code == 422
    assert client.post(page, sent).status_code == 422  # no team there (R-ORG-07)
    card = reverse("campaigns:member", args=["2027", customer.pk])
    assert page not in client.get(card).content.decode()
    Office.objects.filter(pk=cast.hubei.pk).update(has_biu_team=True)
    assert page in client.get(card).content.decode()
    found = client.post(page, sent)
    assert found.status_code == 302
    assert "回信一成" in client.get(found.url).content.decode()
    plan = client.get(reverse("campaigns:plan", args=["2027"])).content.decode()
    assert "会员回访方案" not in plan
    document = Season.objects.get(code="2027").documents.get()
    assert (document.state, document.customer) == ("issued", customer)
    other = make.user("other", ("manager", cast.wuhan))
    make.sign_in(client, other)
    assert client.get(found.url).status_code == 404
    plain = reverse("campaigns:document", args=["2027", document.pk])
    assert client.get(plain).status_code == 404
