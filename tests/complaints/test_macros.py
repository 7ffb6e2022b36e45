"""Macros, staged and then done; and many work orders handed over at once."""

import re

import pytest
from django.urls import reverse
from django.utils.timezone import localtime, now

from complaints import handling
from complaints.models import Complaint, Macro
from tests import factories as make


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


@pytest.fixture
def order(cast) -> Complaint:
    return make.push(make.complaint(cast.lin, cast.wuhan), cast.yong, "accepted")


def a_macro(office, **facts) -> Macro:
    facts = {"title": "升级转办", "action": "note", "text": "{ref} 请速办", **facts}
    return Macro.objects.create(office=office, **facts)


def staged(client, order, macro) -> tuple[str, str, dict]:
    url = reverse("complaints:macro", args=[order.ref, macro.pk])
    page = client.get(url).content.decode()
    shown = re.search(r'name="shown" value="([^"]+)"', page)[1]
    token = re.search(r'name="token" value="([^"]+)"', page)[1]
    return url, page, {"shown": shown, "token": token}


def test_it_is_shown_before_it_is_done(cast, client, order):
    macro = a_macro(cast.wuhan, severity="major")
    make.sign_in(client, cast.yong)
    url, page, sent = staged(client, order, macro)
    assert f"{order.ref} 请速办" in page
    assert re.search(r"Normal → <b>Major</b>", page)
    order.refresh_from_db()
    assert order.severity == "normal"
    done = client.post(url, sent | {"note": "改过的话"})
    assert done.status_code == 302
    order.refresh_from_db()
    assert order.severity == "major"
    assert order.moves.last().note == "改过的话"
    client.post(url, sent | {"note": "改过的话"})  # sent twice
    assert order.moves.filter(note="改过的话").count() == 1


def test_all_of_it_or_nothing(cast, client, order):
    macro = a_macro(cast.wuhan, action="assign", target=cast.wuhan, severity="major")
    Complaint.objects.filter(pk=order.pk).update(state="assigned")
    make.sign_in(client, cast.yong)
    url, _page, sent = staged(client, order, macro)
    answer = client.post(url, sent | {"office": "420100", "note": "转办"})
    assert answer.status_code == 422  # it is there already
    order.refresh_from_db()
    assert order.severity == "normal"


def test_two_people_clash_only_over_what_it_changes(cast, client, order):
    macro = a_macro(cast.wuhan, severity="major")
    make.sign_in(client, cast.yong)
    url, _page, sent = staged(client, order, macro)
    facts = {"shown": {"severity": "normal"}, "typed": {"severity": "urgent"}}
    handling.change(order, by=cast.yong, **facts)
    answer = client.post(url, sent | {"note": "转办"})
    assert answer.status_code == 409
    assert "look at it once more" in answer.content.decode()


def test_what_is_not_open_says_so(cast, client, order):
    macro = a_macro(cast.wuhan, action="suspend", text="等客户材料")
    make.sign_in(client, cast.yong)
    url, page, sent = staged(client, order, macro)
    assert "This is not open from where" in page
    assert client.post(url, sent | {"note": "等客户材料"}).status_code == 422


def test_an_answer_by_macro_still_minds_its_words(cast, client, order):
    macro = a_macro(cast.wuhan, action="answer", text="这事不归我管，工单 {ref}。")
    Complaint.objects.update(
        opened_at=localtime(now()).replace(second=0, microsecond=0)
    )
    make.sign_in(client, cast.yong)
    url, page, sent = staged(client, order, macro)
    sent |= {"how": "phone", "at": f"{localtime(now()):%Y-%m-%dT%H:%M}"}
    answer = client.post(url, sent | {"text": "这事不归我管"})
    assert answer.status_code == 422
    assert client.post(url, sent | {"text": "已为您加急"}).status_code == 302


def test_the_page_keeps_macros_and_refuses_half_ones(cast, client):
    make.sign_in(client, cast.lin)
    page = reverse("complaints:macros")
    sent = {"title": "转武昌", "action": "assign", "text": "请处理"}
    wrong = client.post(page, sent)
    assert wrong.status_code == 422
    assert "Say to whom" in wrong.content.decode()
    assert (
        client.post(page, sent | {"text": "{x}", "target": "420106"}).status_code == 422
    )
    assert client.post(page, sent | {"target": "420106"}).status_code == 302
    macro = Macro.objects.get()
    assert (macro.owner, macro.target) == (cast.lin, cast.wuchang)
    client.post(reverse("complaints:macro_remove", args=[macro.pk]))
    assert not Macro.objects.exists()


def test_a_supervisor_hands_over_many_and_is_told_what_stayed(cast, client, order):
    other = make.complaint(cast.lin, cast.wuhan)
    closed = make.push(make.complaint(cast.lin, cast.wuhan), cast.yong, "cancelled")
    foreign = make.complaint(cast.mei, cast.yichang)
    make.sign_in(client, cast.chen)
    refs = [row.ref for row in (order, other, closed, foreign)]
    sent = {"ref": refs, "office": "420106", "note": "片区调整"}
    answer = client.post(reverse("complaints:hand_over"), sent, follow=True)
    page = answer.content.decode()
    assert "2 handed over." in page
    assert f"{closed.ref}: The work order is now" in page
    assert foreign.ref not in page
    for row in (order, other):
        row.refresh_from_db()
        assert (row.handling_office, row.state) == (cast.wuchang, "assigned")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ref": []}, "Tick the work orders"),
        ({"office": "nowhere"}, "No office has this code"),
        ({"note": ""}, "Why"),
        ({"owner": "nobody"}, "Nobody of this name"),
    ],
)
def test_a_hand_over_that_cannot_be_is_explained(cast, client, order, wrong, said):
    make.sign_in(client, cast.chen)
    sent = {"ref": [order.ref], "office": "420106", "note": "调整", **wrong}
    page = client.post(reverse("complaints:hand_over") + "?view=free", sent)
    assert page.status_code == 422
    assert said in page.content.decode()
    assert page.context["view"] == "free"  # where one was
    order.refresh_from_db()
    assert order.handling_office == cast.wuhan


def test_agents_are_not_offered_the_boxes(cast, client, order):
    make.sign_in(client, cast.lin)
    page = client.get(reverse("complaints:list")).content.decode()
    assert 'name="ref"' not in page
    assert client.post(reverse("complaints:hand_over")).status_code == 403
