"""Words of complaints: read by a job, counted by day, compared, found again."""

import random
import re
from datetime import timedelta
from html import unescape

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate, now

from complaints import handling, learning
from complaints.models import CaseTerms, Complaint, Outcome, Term, TermDay, TopicAlert
from complaints.segmenting import terms_of
from complaints.services import forget_customer
from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.notify.models import Message
from tests import factories as make


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


def logged(by, where, words, *, days=0, count=1, **facts) -> Complaint:
    """`count` work orders of some days ago, at noon, old enough to be read."""
    at = now() - timedelta(days=days, minutes=2)
    for _one in range(count):
        made = make.complaint(by, where, description=words, **facts)
        Complaint.objects.filter(pk=made.pk).update(opened_at=at)
    made.refresh_from_db()
    return made


def read() -> None:
    run_inline(enqueue("complaints.terms"))


def test_words_of_the_trade_are_whole_and_names_and_numbers_are_out():
    said = (
        "王小明的邮件放包裹柜，虚假签收，电话13800138000，单号EA123456789CN，态度恶劣"
    )
    assert terms_of(said) == ["包裹柜", "虚假签收", "态度恶劣"]


@pytest.mark.parametrize("odd", ["", "—", "😀" * 50, "<b>x</b>", "a" * 5000, "\x00"])
def test_odd_texts_have_no_words_and_break_nothing(odd):
    assert terms_of(odd) == []


def test_any_text_gives_short_words_each_once():
    random.seed(7)
    signs = "邮件投递员包裹柜丢失破损a1，。😀"
    for _one in range(200):
        said = "".join(random.choices(signs, k=random.randint(0, 80)))
        words = terms_of(said)
        assert len(words) == len(set(words))
        assert all(2 <= len(word) <= 16 for word in words)


def test_the_job_reads_each_work_order_once(cast):
    logged(cast.lin, cast.wuhan, "包裹柜打不开，包裹柜坏了。", count=2)
    read()
    read()
    assert CaseTerms.objects.count() == 2
    assert TermDay.objects.get(word="包裹柜").cases == 2
    assert Term.objects.get(word="包裹柜").cases == 2


def test_what_is_too_fresh_waits_and_nothing_behind_it_is_passed_over(cast):
    fresh = make.complaint(cast.lin, cast.wuhan, description="包裹柜坏了")
    logged(cast.lin, cast.wuhan, "包裹柜坏了")
    read()
    assert not CaseTerms.objects.exists()
    Complaint.objects.filter(pk=fresh.pk).update(opened_at=now() - timedelta(minutes=2))
    read()
    assert CaseTerms.objects.count() == 2


def test_a_word_named_far_more_than_on_its_weekday_is_an_alert(cast):
    for week in range(1, 9):
        logged(cast.lin, cast.wuhan, "包裹柜坏了", days=7 * week)
    logged(cast.lin, cast.wuhan, "包裹柜坏了", count=9, days=1)
    logged(cast.lin, cast.wuhan, "投递员很好", count=4)  # too few
    Complaint.objects.filter(opened_at__gt=now() - timedelta(days=2)).exclude(
        text="投递员很好"
    ).update(opened_at=now() - timedelta(minutes=2))
    read()
    run_inline(enqueue("complaints.topics"))
    alert = TopicAlert.objects.get()
    assert (alert.word, alert.cases, alert.usual) == ("包裹柜", 9, 1.0)
    assert alert.office == cast.wuhan
    told = Message.objects.filter(subject=learning.EMERGING)
    assert [m.to_user for m in told] == [cast.chen]
    run_inline(enqueue("complaints.topics"))
    assert told.count() == 1


def test_what_is_usual_on_this_weekday_is_no_alert(cast):
    for week in range(9):
        logged(cast.lin, cast.wuhan, "包裹柜坏了", days=7 * week, count=9)
    read()
    assert learning.sudden(localdate()) == []


def test_a_province_is_told_what_no_prefecture_sees_alone(cast):
    logged(cast.lin, cast.wuhan, "虚假签收", count=3)
    logged(cast.mei, cast.yichang, "虚假签收", count=3)
    read()
    run_inline(enqueue("complaints.topics"))
    assert TopicAlert.objects.get().office == cast.hubei


def test_an_alert_is_decided_once_by_a_supervisor_over_it(cast, client):
    alert = TopicAlert.objects.create(
        office=cast.wuhan,
        day=localdate(),
        word="包裹柜",
        cases=9,
        usual=1,
        raised_at=now(),
    )
    with pytest.raises(PermissionDenied):
        learning.decide(alert, by=cast.mei, state="taken", note="外局")
    make.sign_in(client, cast.chen)
    url = reverse("complaints:topic_decide", args=[alert.pk])
    client.post(url, {"state": "taken", "note": ""})
    alert.refresh_from_db()
    assert alert.state == "raised"
    client.post(url, {"state": "taken", "note": "已报修"})
    with pytest.raises(Refused):
        learning.decide(alert, by=cast.chen, state="dismissed", note="改主意")


def test_each_number_opens_as_many_rows(cast, client):
    logged(cast.lin, cast.wuhan, "包裹柜坏了", count=4)
    logged(cast.lin, cast.wuhan, "包裹柜坏了", days=9, count=2)
    logged(cast.mei, cast.yichang, "包裹柜坏了", count=3)
    read()
    make.sign_in(client, cast.chen)
    body = unescape(client.get(reverse("complaints:topics")).content.decode())
    (link,) = re.findall(r'href="([^"]+term=[^"]+)">4</a>', body)
    rows = client.get(link).context["page"]
    assert rows.total == 4
    make.sign_in(client, cast.zheng)  # the analyst counts and opens nothing
    body = client.get(reverse("complaints:topics")).content.decode()
    assert "包裹柜" in body
    assert "term=" not in body


def test_words_of_one_or_two_cases_are_not_shown(cast):
    logged(cast.lin, cast.wuhan, "虚假签收", count=2)
    read()
    assert learning.trends([cast.wuhan.path], localdate(), 7) == []


def test_a_trend_compares_with_the_days_before(cast):
    logged(cast.lin, cast.wuhan, "虚假签收", count=4)
    logged(cast.lin, cast.wuhan, "虚假签收", days=8, count=1)
    read()
    (row,) = learning.trends([cast.wuhan.path], localdate(), 7)
    assert (row["cases"], row["before"]) == (4, 1)
    assert (row["line"][-1], row["line"][-9], sum(row["line"])) == (4, 1, 5)


@pytest.fixture
def answered(cast) -> Complaint:
    order = logged(cast.lin, cast.wuhan, "包裹柜显示虚假签收，没有取件码。")
    order = make.push(order, cast.yong, "accepted")
    order = handling.answer(
        order, by=cast.yong, text="已重发取件码。", how="phone", at=now()
    )
    logged(cast.lin, cast.wuhan, "包裹柜坏了。")  # alike, and not answered
    read()
    return order


def test_cases_alike_come_with_their_answers(cast, answered):
    (found,) = learning.alike(cast.lin, "客户说包裹柜虚假签收")
    assert found == answered
    assert found.outcome.answer == "已重发取件码。"
    assert learning.alike(cast.lin, "包裹柜虚假签收", but=answered.pk) == []


def test_cases_alike_are_only_those_one_sees(cast, answered):
    assert learning.alike(cast.mei, "客户说包裹柜虚假签收") == []
    assert learning.alike(cast.lin, "") == []
    assert learning.alike(cast.lin, "完全无关的话题内容") == []


def test_the_call_form_shows_them_beside_what_is_typed(cast, client, answered):
    make.sign_in(client, cast.lin)
    look = client.get(reverse("complaints:new")).url + "look/"
    sent = {"phone": "", "kind": "complaint", "description": "包裹柜虚假签收了"}
    assert "已重发取件码" in client.post(look, sent).content.decode()
    page = client.get(reverse("complaints:alike", args=[answered.ref]))
    assert page.status_code == 200


def test_erasing_the_customer_takes_the_words_of_the_case(cast):
    customer = make.customer(cast.wuhan)
    logged(cast.lin, cast.wuhan, "虚假签收", customer=customer)
    read()
    forget_customer(customer)
    assert CaseTerms.objects.get().terms == []
    read()
    assert CaseTerms.objects.count() == 1
    assert Outcome.objects.count() == 0
