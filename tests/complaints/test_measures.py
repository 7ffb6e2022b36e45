"""Corrective actions: named at the archive, done, judged by somebody else."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate, now

from complaints import closing, handling, measures
from complaints.models import Complaint, CorrectiveAction
from crm.errors import Refused
from tests import factories as make

FINDING = {"liability": "unit", "cause": "delivery", "measure": "重排投递段道"}


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


def answered(cast) -> Complaint:
    order = make.push(make.complaint(cast.lin, cast.wuhan), cast.yong, "accepted")
    order = handling.answer(order, by=cast.yong, text="答复", how="phone", at=now())
    return closing.check(
        order, by=cast.lin, result="satisfied", satisfaction=5, note=""
    )


@pytest.fixture
def action(cast) -> CorrectiveAction:
    closing.archive(answered(cast), by=cast.lin, liable_office=cast.wuchang, **FINDING)
    return CorrectiveAction.objects.get()


def test_the_archive_gives_it_to_the_liable_unit_for_thirty_days(cast, action):
    assert (action.office, action.owner) == (cast.wuchang, None)
    assert action.due_on == localdate() + timedelta(days=30)


def test_none_needed_gives_none(cast):
    finding = FINDING | {"measure": "", "measure_needed": False}
    closing.archive(answered(cast), by=cast.lin, **finding)
    assert not CorrectiveAction.objects.exists()


def test_it_may_be_given_to_a_person_until_a_day(cast, client):
    order = answered(cast)
    make.sign_in(client, cast.lin)
    due = localdate() + timedelta(days=7)
    sent = {
        "liability": "none",
        "cause": "delivery",
        "measure": "培训",
        "measure_office": "420106",
        "measure_owner": "yong",
        "measure_due": f"{due}",
    }
    url = reverse("complaints:act", args=[order.ref, "archive"])
    wrong = client.post(url, sent | {"measure_due": "2020-01-01"})
    assert wrong.status_code == 422
    assert "Between today" in wrong.content.decode()
    assert client.post(url, sent).status_code == 302
    row = CorrectiveAction.objects.get()
    assert (row.owner, row.due_on, row.office) == (cast.yong, due, cast.wuchang)


def test_it_is_done_once_and_judged_by_somebody_else(cast, action):
    done = measures.do(action, by=cast.chen, words="已重排")
    with pytest.raises(Refused):
        measures.do(action, by=cast.chen, words="再排")
    with pytest.raises(PermissionDenied):
        measures.judge(done, by=cast.chen, helps=True, words="我觉得好")
    with pytest.raises(PermissionDenied):
        measures.judge(done, by=cast.mei, helps=True, words="外局")
    judged = measures.judge(done, by=cast.shen, helps=True, words="不再发生")
    assert judged.is_effective is True
    with pytest.raises(Refused):
        measures.judge(done, by=cast.shen, helps=False, words="改主意")


def test_what_did_not_help_is_done_again(cast, action):
    measures.do(action, by=cast.chen, words="已重排")
    measures.judge(action, by=cast.shen, helps=False, words="又来三件")
    again = CorrectiveAction.objects.running().get()
    assert (again.what, again.office) == (action.what, action.office)


def test_before_and_after_are_counted_by_category_and_office(cast, action):
    order = action.complaint
    alike = {"subcategory": order.subcategory, "category": order.category}
    for days in (4, 20, 40):
        row = make.complaint(cast.lin, cast.wuhan, **alike)
        opened = order.opened_at - timedelta(days=days)
        Complaint.objects.filter(pk=row.pk).update(
            opened_at=opened, handling_office=cast.wuchang
        )
    Complaint.objects.filter(pk=order.pk).update(handling_office=cast.wuchang)
    action.refresh_from_db()
    action.done_at = now() - timedelta(days=3)
    late = make.complaint(cast.lin, cast.wuhan, **alike)
    Complaint.objects.filter(pk=late.pk).update(handling_office=cast.wuchang)
    other = make.complaint(cast.lin, cast.wuhan, category="loss")
    Complaint.objects.filter(pk=other.pk).update(handling_office=cast.wuchang)
    before, after, days = measures.before_and_after(action)
    assert (before, days) == (3, 3)
    assert after == 2  # the work order itself was opened after the day set above


def test_the_page_offers_what_one_may_do(cast, client, action):
    page = reverse("complaints:measures")
    make.sign_in(client, cast.chen)
    assert "What was done" in client.get(page).content.decode()
    step = reverse("complaints:measure_step", args=[action.pk, "do"])
    client.post(step, {"words": ""})
    action.refresh_from_db()
    assert action.done_at is None
    client.post(step, {"words": "已重排"})
    make.sign_in(client, cast.shen)
    shown = client.get(page, {"view": "judge"}).content.decode()
    assert "Work orders alike: 0 in the 30 days before" in shown
    make.sign_in(client, cast.mei)
    assert "重排" not in client.get(page, {"view": "all"}).content.decode()
