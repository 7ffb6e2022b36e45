"""What a form asks by type, which limit is broken, leaving a seat, the causes found."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils.timezone import now

from complaints import closing, handling
from complaints.calls import take_seat
from complaints.models import Complaint, Milestone, Seat
from tests import factories as make


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


SENT = {
    "phone": "13900000001",
    "kind": "address_change",
    "channel": "hotline",
    "item_no": "EA1CN",
    "description": "地址写错了，要改投。",
}


def test_a_change_of_address_asks_where_to(cast, client):
    make.sign_in(client, cast.lin)
    form = client.get(reverse("complaints:new")).url
    answer = client.post(form, SENT, follow=True)
    assert answer.status_code == 422
    assert "Where is it to go instead?" in answer.content.decode()
    client.post(form, SENT | {"new_address": "武昌区中山路1号 李四"})
    order = Complaint.objects.get()
    assert order.new_address == "武昌区中山路1号 李四"
    page = client.get(order.get_absolute_url()).content.decode()
    assert "武昌区中山路1号 李四" in page
    raw = Complaint.objects.extra(select={"raw": "new_address"}).values("raw")[0]["raw"]
    assert "武昌".encode() not in bytes(raw)


def test_other_types_keep_no_address(cast, client):
    make.sign_in(client, cast.lin)
    form = client.get(reverse("complaints:new")).url
    client.post(form, SENT | {"kind": "enquiry", "new_address": "x"})
    assert Complaint.objects.get().new_address == ""


def test_the_list_says_which_limit_is_broken(
    cast, client, django_assert_max_num_queries
):
    for _one in range(3):
        order = make.complaint(cast.lin, cast.wuhan)
        late = now() - timedelta(hours=1)
        Milestone.objects.filter(complaint=order, kind="first").update(due_at=late)
        Complaint.objects.filter(pk=order.pk).update(due_at=late)
    make.sign_in(client, cast.chen)
    with django_assert_max_num_queries(12):
        page = client.get(reverse("complaints:list"), {"view": "overdue"})
    assert page.content.decode().count(" · First answer</span>") == 3


def test_a_seat_can_be_left(cast, client):
    make.sign_in(client, cast.lin)
    take_seat(by=cast.lin, extension="8001")
    client.post(reverse("call:seat"), {"leave": "1", "next": "/complaints/"})
    assert not Seat.objects.exists()


def test_causes_are_reported_and_each_number_opens_its_rows(cast, client):
    for cause in ("sorting", "sorting", "counter"):
        order = make.push(make.complaint(cast.lin, cast.wuhan), cast.yong, "accepted")
        facts = {"by": cast.yong, "how": "phone", "at": now()}
        order = handling.answer(order, text="已答复客户", **facts)
        order = closing.check(
            order, by=cast.lin, result="satisfied", satisfaction=5, note=""
        )
        finding = {"liability": "none", "cause": cause, "measure_needed": False}
        closing.archive(order, by=cast.lin, **finding)
    make.complaint(cast.lin, cast.wuhan)
    make.sign_in(client, cast.chen)
    body = client.get(reverse("complaints:report"), {"by": "cause"}).content.decode()
    links = re.findall(r'href="([^"]+cause=(\w+)[^"]*)">(\d+)</a>', unescape(body))
    totals = [link for link in links if "mark=" not in link[0]]
    assert [(cause, count) for _url, cause, count in totals] == [
        ("sorting", "2"),
        ("counter", "1"),
    ]
    for url, _cause, count in links:
        assert client.get(url).context["page"].total == int(count)
