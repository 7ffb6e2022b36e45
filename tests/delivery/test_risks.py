"""Key customers' items: noticed in time, saved or broken, and then a work order."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate, now

from complaints import broken
from complaints.kinds import Channel, Kind
from complaints.models import Complaint
from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.notify.models import Message
from customers.models import CustomerGrade, Task
from delivery.models import Disturbance, ItemRisk, MailItem, MailKey
from delivery.quality import disturbances, risks
from tests import factories as make


@pytest.fixture
def key(cast):
    """A customer whose grade has its items watched and who hears of disturbances."""
    row = make.customer(cast.wuhan, manager=cast.zhao)
    CustomerGrade.objects.create(
        customer=row,
        code="gold",
        name="金",
        rank=2,
        benefits=["tracking", "disturbance_sms"],
        since=now(),
    )
    return row


def sent(cast, customer, hours: float, of: float, **cells) -> str:
    """An item accepted so many hours ago that has `of` hours altogether."""
    at = now() - timedelta(hours=hours)
    due = at + timedelta(hours=of)
    return make.item(
        cast.wuhan,
        at.isoformat(),
        office=cast.wuchang.code,
        customer=customer.code,
        promised_at=due.isoformat(),
        **cells,
    )


def risk(waybill: str) -> ItemRisk | None:
    return ItemRisk.objects.filter(waybill=waybill).first()


def test_an_item_is_noticed_before_its_promise_breaks(cast, key):
    late = sent(cast, key, 46, 48)
    early = sent(cast, key, 20, 48)
    assert risks.notice(now()) == 1
    row = risk(late)
    assert (row.state, row.why, row.office) == ("open", "silent", cast.wuchang)
    assert risk(early) is None
    task = Task.objects.get(kind="item_risk")
    assert (task.ref, task.assignee) == (late, cast.zhao)
    assert task.due_on == localdate(row.due_at)
    told = Message.objects.filter(subject=risks.MAY_COME_LATE)
    assert {m.to_user for m in told} == {cast.chen}  # nobody is posted in the county
    assert risks.notice(now()) == 0  # twice is once
    assert Task.objects.count() == 1


def test_those_who_handle_mail_there_are_told_first(cast, key):
    handler = make.user("wuchang.h", ("handler", cast.wuchang))
    sent(cast, key, 46, 48)
    risks.notice(now())
    told = Message.objects.filter(subject=risks.MAY_COME_LATE)
    assert [m.to_user for m in told] == [handler]


@pytest.mark.parametrize(
    ("known", "hours", "why"),
    [
        ({}, 49, "not_sent"),
        ({}, 51, "not_sent"),
        ({"e_origin_out_at": True}, 60, None),
        ({"e_origin_out_at": True}, 76, "not_in"),
        ({"e_origin_out_at": True, "e_dest_in_at": True}, 76, None),
        ({"e_origin_out_at": True, "e_dest_in_at": True}, 91, "not_out"),
        ({"e_dest_in_at": True, "e_out_at": True}, 95, None),
        ({"e_out_at": True, "e_failed": 1}, 76, "failed"),
        ({"e_out_at": True}, 101, "broken"),
    ],
)
def test_where_an_item_should_be_is_told_by_its_time(cast, key, known, hours, why):
    number = sent(cast, key, hours, 100)
    facts = {k: now() if v is True else v for k, v in known.items()}
    MailItem.objects.filter(waybill=number).update(
        marks=MailItem.objects.get(waybill=number).marks | (1 << 26), **facts
    )
    risks.notice(now())
    found = risk(number)
    if hours == 49:
        why = None  # not half of its time
    assert (found.why if found else None) == why


def test_items_of_others_and_excused_ones_are_left_alone(cast, key):
    plain = make.customer(cast.wuhan)
    sent(cast, plain, 46, 48)
    excused = sent(cast, key, 46, 48)
    MailItem.objects.filter(waybill=excused).update(disturbance_id=1)
    sent(cast, key, 46, 48, returned_at=now().isoformat())
    assert risks.notice(now()) == 0


def test_an_item_that_comes_in_time_is_saved_and_its_task_done(cast, key):
    number = sent(cast, key, 46, 48)
    risks.notice(now())
    MailItem.objects.filter(waybill=number).update(delivered_at=now())
    risks.notice(now())
    assert risk(number).state == "saved"
    assert Task.objects.get(ref=number).done_at
    run_inline(enqueue("complaints.broken"))
    assert not Complaint.objects.exists()


def test_a_broken_promise_opens_one_work_order(cast, key):
    number = sent(cast, key, 46, 48)
    risks.notice(now())
    risks.notice(now() + timedelta(hours=3))
    assert risk(number).state == "broken"
    for _again in range(2):
        run_inline(enqueue("complaints.broken"))
    order = Complaint.objects.get()
    assert (order.item_no, order.kind, order.channel, order.customer) == (
        number,
        Kind.DELIVERY_CHASE,
        Channel.SYSTEM,
        key,
    )
    assert order.created_by == cast.zhao
    assert number in order.text
    assert risk(number).order == order.ref


def test_without_a_manager_the_nearest_supervisor_stands_for_it(cast, key):
    key.manager = None
    key.save()
    number = sent(cast, key, 60, 48)
    risks.notice(now())
    run_inline(enqueue("complaints.broken"))
    assert Complaint.objects.get().created_by == cast.chen
    assert not Task.objects.exists()
    assert risk(number).why == "broken"


def test_where_nobody_may_open_one_the_sweep_does_not_stop(cast, key):
    cast.zhao.postings.all().delete()
    cast.chen.postings.all().delete()
    number = sent(cast, key, 60, 48)
    risks.notice(now())
    run_inline(enqueue("complaints.broken"))
    assert not Complaint.objects.exists()
    assert risk(number).order == broken.NOBODY


def test_an_item_that_an_import_takes_away_is_over(cast, key):
    number = sent(cast, key, 46, 48)
    risks.notice(now())
    MailItem.objects.filter(waybill=number).delete()
    MailKey.objects.filter(waybill=number).delete()
    risks.notice(now())
    assert risk(number).state == "over"


def test_a_correction_moves_the_limit_and_takes_a_break_back(cast, key):
    number = sent(cast, key, 46, 48)
    risks.notice(now())
    later = now() + timedelta(hours=30)
    MailItem.objects.filter(waybill=number).update(due_at=later)
    risks.notice(now() + timedelta(hours=3))
    assert (risk(number).state, risk(number).due_at) == ("open", later)
    risks.notice(later + timedelta(hours=1))
    assert risk(number).state == "broken"
    # The scan of a delivery in time comes in late.
    MailItem.objects.filter(waybill=number).update(delivered_at=later)
    risks.notice(later + timedelta(hours=2))
    assert risk(number).state == "saved"


def test_what_came_too_late_is_said_so_in_the_work_order(cast, key):
    number = sent(cast, key, 60, 48, delivered_at=now().isoformat())
    ItemRisk.objects.create(
        waybill=number,
        accepted_on=MailItem.objects.get(waybill=number).accepted_on,
        customer=key,
        office=cast.wuchang,
        due_at=now() - timedelta(hours=12),
        why="silent",
        noticed_at=now(),
    )
    risks.notice(now())
    run_inline(enqueue("complaints.broken"))
    assert "未妥投" not in Complaint.objects.get().text


def test_what_was_done_is_written_down_by_the_office(cast, key, sign_in):
    number = sent(cast, key, 46, 48)
    risks.notice(now())
    client = sign_in(cast.chen)
    page = client.get(reverse("quality:risks"))
    assert number in page.content.decode()
    url = reverse("quality:risk_act", args=[risk(number).pk])
    client.post(url, {"words": ""})
    assert risk(number).note == ""
    client.post(url, {"words": "已联系投递部优先投递"})
    assert risk(number).note == "已联系投递部优先投递"
    with pytest.raises(PermissionDenied):
        risks.act(risk(number), by=cast.zhao, note="x")
    ItemRisk.objects.update(state="saved", ended_at=now())
    with pytest.raises(Refused):
        risks.act(risk(number), by=cast.chen, note="x")


def test_a_manager_sees_own_customers_items_and_the_next_door_none(cast, key, sign_in):
    number = sent(cast, key, 46, 48)
    risks.notice(now())
    url = reverse("quality:risks")
    assert number in sign_in(cast.zhao).get(url).content.decode()
    assert number not in sign_in(cast.mei).get(url).content.decode()
    act = reverse("quality:risk_act", args=[risk(number).pk])
    assert sign_in(cast.mei).post(act, {"words": "x"}).status_code == 404


def test_entitled_customers_hear_of_an_approved_disturbance_once(cast, key):
    other = make.user("other", ("supervisor", cast.wuhan))
    make.customer(cast.wuhan)  # without the benefit
    row = Disturbance(
        office=cast.wuhan,
        first=localdate(),
        last=localdate(),
        cause="weather",
        note="暴雨",
        sms="受暴雨影响，您的邮件可能延误，敬请谅解。",
    )
    disturbances.propose(row, by=cast.chen)
    run_inline(enqueue("delivery.announce", {"disturbance_id": row.pk}))
    Message.objects.filter(channel="sms").delete()
    disturbances.decide(row, by=other, approved=True, decision="")
    for _again in range(2):
        run_inline(enqueue("delivery.announce", {"disturbance_id": row.pk}))
    (message,) = Message.objects.filter(channel="sms")
    assert (message.body, message.purpose) == (row.sms, "service")
    row.refresh_from_db()
    assert row.told == 1


def test_who_wants_no_messages_gets_none(cast, key):
    key.phones.update(opted_out=True)
    row = Disturbance(
        office=cast.wuhan,
        first=localdate(),
        last=localdate(),
        cause="weather",
        note="暴雨",
        sms="x",
    )
    disturbances.propose(row, by=cast.chen)
    assert disturbances.entitled_to(row).count() == 1
    run_inline(enqueue("delivery.announce", {"disturbance_id": row.pk}))
    assert not Message.objects.filter(channel="sms").exists()
