"""Text blocks, phrases that no answer contains, and the sender behind a waybill."""

import re
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localtime, now

from complaints import texts
from complaints.models import BannedPhrase, Complaint, TextBlock
from customers.models import UsageRef
from tests import factories as make

ANSWER = {"how": "phone"}


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


def a_block(owner=None, office=None, **facts) -> TextBlock:
    facts = {"title": "致歉", "body": "抱歉，{customer}。工单 {ref}。", **facts}
    return TextBlock.objects.create(owner=owner, office=office, **facts)


def test_a_block_is_offered_with_its_variables_filled_in(cast):
    order = make.complaint(cast.lin, cast.wuhan, caller_name="王小明")
    a_block(office=cast.hubei, body="{ref}：{agent}，{office}，件号 {item}。")
    (block,) = texts.offered(cast.lin, "answer", order)
    gap = texts.UNKNOWN
    assert block.said == f"{order.ref}：Lin，武汉市，件号 {gap}。"


def test_own_blocks_and_those_of_offices_above_are_offered_and_no_others(cast):
    a_block(cast.lin, title="我的")
    a_block(cast.mei, title="别人的")
    a_block(office=cast.hubei, title="全省")
    a_block(office=cast.yichang, title="邻市")
    a_block(office=cast.wuhan, title="破损用", group="damage")
    order = make.complaint(cast.lin, cast.wuhan, category="delay")
    offered = {row.title for row in texts.offered(cast.lin, "answer", order)}
    assert offered == {"我的", "全省"}
    assert texts.offered(cast.lin, "call") == []


def test_ones_own_key_wins_over_the_offices(cast):
    a_block(cast.lin, title="我的", digit=1)
    a_block(office=cast.wuhan, title="局里的", digit=1)
    rows = texts.offered(cast.lin, "answer")
    assert [(row.title, row.digit) for row in rows] == [("我的", 1), ("局里的", None)]


def test_only_supervisors_write_for_their_office(cast):
    with pytest.raises(PermissionDenied):
        texts.save_block(TextBlock(office=cast.wuhan, title="x", body="x"), by=cast.lin)
    with pytest.raises(PermissionDenied):
        texts.save_block(TextBlock(office=cast.wuhan, title="x", body="x"), by=cast.mei)
    with pytest.raises(PermissionDenied):
        texts.remove_block(a_block(cast.mei), by=cast.chen)


def test_the_page_keeps_changes_and_removes(cast, client):
    make.sign_in(client, cast.lin)
    page = reverse("complaints:texts")
    sent = {"use": "call", "title": "催投", "body": "{agent} 已记录", "digit": "3"}
    assert client.post(page, sent).status_code == 302
    block = TextBlock.objects.get()
    assert (block.owner, block.digit) == (cast.lin, 3)
    assert client.post(f"{page}?edit={block.pk}", sent | {"title": "催"}).url == page
    block.refresh_from_db()
    assert block.title == "催"
    again = client.post(page, sent)
    assert again.status_code == 422
    assert "choose a free one" in again.content.decode()
    client.post(reverse("complaints:text_remove", args=[block.pk]))
    assert not TextBlock.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"body": "{prise}"}, "Nothing fills in {prise}."),
        ({"digit": "0"}, "greater than or equal to 1"),
        ({"title": ""}, "required"),
        ({"body": "x" * 1001}, "at most 1000"),
        ({"office": "420100"}, "Select a valid choice"),  # an agent has no office
    ],
)
def test_bad_input_is_told_beside_its_field(cast, client, wrong, said):
    make.sign_in(client, cast.lin)
    sent = {"use": "call", "title": "a", "body": "b", **wrong}
    answer = client.post(reverse("complaints:texts"), sent)
    assert answer.status_code == 422
    assert said in answer.content.decode()


def answer_of(cast, client, words, **more):
    order = make.push(make.complaint(cast.chen, cast.wuhan), cast.chen, "accepted")
    make.sign_in(client, cast.chen)
    sent = {"text": words, "how": "phone", "at": f"{localtime(now()):%Y-%m-%dT%H:%M}"}
    url = reverse("complaints:act", args=[order.ref, "answer"])
    # Opened a minute ago: the form's time has no seconds.
    Complaint.objects.filter(pk=order.pk).update(
        opened_at=localtime(now()).replace(second=0, microsecond=0)
    )
    return order, client.post(url, sent | more)


def test_a_phrase_that_no_customer_should_read_is_shown_with_a_better_one(cast, client):
    order, answer = answer_of(cast, client, "这事不 归我管，您再等等。")
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "不归我管" in page
    assert "我帮您转给负责的同事" in page
    assert re.search(r'type="checkbox" name="as_is"', page)
    assert "这事不 归我管，您再等等。" in page  # nothing typed is lost


def test_what_is_meant_goes_out_as_it_stands(cast, client):
    order, answer = answer_of(
        cast, client, "收件人说“我不知道有包裹”，已核实。", as_is="on"
    )
    assert answer.status_code == 302
    order.refresh_from_db()
    assert order.outcome.answer.startswith("收件人说")


def test_an_office_bans_its_own_phrases_and_leaves_the_house_alone(cast, client):
    make.sign_in(client, cast.chen)
    sent = {"phrase": "等 着吧", "instead": "请稍候", "office": "420100"}
    assert client.post(reverse("complaints:text_ban"), sent).status_code == 302
    own = BannedPhrase.objects.get(phrase="等着吧")
    assert texts.banned_in("您就等着吧", cast.wuhan) == [own]
    assert texts.banned_in("您就等着吧", cast.yichang) == []
    assert client.post(reverse("complaints:text_ban"), sent).status_code == 422
    house = BannedPhrase.objects.filter(office=None).first()
    url = reverse("complaints:text_allow", args=[house.pk])
    assert client.post(url).status_code == 404


def test_a_waybill_proposes_its_sender_and_takes_nobody_unasked(cast, client):
    sender = make.customer(cast.wuhan, manager=cast.zhao)
    foreign = make.customer(cast.yichang)
    UsageRef.objects.create(office=cast.wuhan, ref="EA1CN", customer_id=sender.pk)
    UsageRef.objects.create(office=cast.yichang, ref="EB1CN", customer_id=foreign.pk)
    make.sign_in(client, cast.lin)
    form = client.get(reverse("complaints:new")).url
    look = form + "look/"
    typed = {"phone": "13999999999", "item_no": "ea1cn", "kind": "enquiry"}
    page = client.post(look, typed).content.decode()
    assert "The item was sent by this customer" in page
    assert f'value="{sender.pk}" form="call-form">' in page  # not checked
    page = client.post(look, typed | {"item_no": "EB1CN"}).content.decode()
    assert "The item was sent by" not in page


def test_a_promise_is_never_of_the_past(cast):
    order = make.complaint(cast.lin, cast.wuhan)
    first = order.milestones.get(kind="first")
    assert (
        texts.filled("{due}", cast.lin, order)
        == f"{localtime(first.due_at):%Y-%m-%d %H:%M}"
    )
    order.milestones.update(due_at=now() - timedelta(days=1))
    assert texts.filled("{due}", cast.lin, order) == texts.UNKNOWN


def test_a_gap_is_filled_before_it_goes_out(cast, client):
    _order, answer = answer_of(cast, client, f"最迟 {texts.UNKNOWN} 前答复您")
    assert answer.status_code == 422
    assert "Fill in the gap" in answer.content.decode()


def test_a_banned_phrase_is_no_text_block(cast, client):
    make.sign_in(client, cast.lin)
    sent = {"use": "answer", "title": "a", "body": "这事不归我管"}
    answer = client.post(reverse("complaints:texts"), sent)
    assert answer.status_code == 422
    assert "我帮您转给负责的同事" in answer.content.decode()


def test_the_page_says_whose_key_counts(cast, client):
    a_block(cast.lin, digit=1)
    a_block(office=cast.wuhan, digit=1)
    make.sign_in(client, cast.lin)
    page = client.get(reverse("complaints:texts")).content.decode()
    assert page.count("<kbd>Alt 1</kbd>") == 1
    assert "your own has this key" in page
