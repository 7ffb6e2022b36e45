"""Front-line feedback: submitted by anybody, decided level by level, always visible."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.timezone import now

from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.improvement import queries, services
from crm.improvement.models import Feedback
from crm.notify.models import Message
from tests import factories as make


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


@pytest.fixture
def said(cast):
    return make.feedback(cast.yong, cast.wuhan)


@pytest.fixture
def boss(cast):
    return make.user("province", ("supervisor", cast.hubei))


def step(row, by, name, **more):
    return services.decide(row, by=by, step=name, note="已阅", **more)


def test_a_handler_says_it_and_the_branch_hears_it(cast, client):
    make.sign_in(client, cast.yong)
    data = {
        "kind": "suggestion",
        "title": "午间轮班",
        "text": "中午不关门，方便上班的人取件。",
        "token": "8f14e45f-ceea-467f-a0e6-0242ac120002",
    }
    url = reverse("improvement:mine")
    for _twice in range(2):
        client.post(url, data)
    row = Feedback.objects.get()
    assert (row.state, row.office, row.points) == ("branch", cast.wuhan, Decimal("0.3"))
    assert Message.objects.get().to_user == cast.chen
    assert "午间轮班" in client.get(url).content.decode()
    bad = client.post(url, {**data, "title": "", "text": "<b>保留我</b>"})
    assert bad.status_code == 422
    assert "&lt;b&gt;保留我" in bad.content.decode()


def test_the_branch_settles_what_it_can(cast, said):
    row = step(said, cast.chen, "solve")
    assert (row.state, row.due_at, row.points) == ("solved", None, Decimal("1.3"))
    assert Message.objects.filter(to_user=cast.yong, subject=services.NEWS).exists()
    with pytest.raises(Refused, match="decided on it already"):
        step(row, cast.chen, "decline")


def test_through_the_gate_to_the_province_and_on_to_a_department(cast, said, boss):
    with pytest.raises(PermissionDenied):  # the province does not reach past the gate
        step(said, cast.mei, "pass_up")
    row = step(said, cast.chen, "pass_up")
    assert row.is_passed_up
    with pytest.raises(PermissionDenied):
        step(row, cast.chen, "dispatch", department="technology")
    with pytest.raises(Refused, match="which department"):
        step(row, boss, "dispatch")
    row = step(row, boss, "dispatch", department="technology")
    row = step(row, boss, "solve")
    assert row.points == Decimal("1.8")
    assert [line.state for line in row.lines.all()] == [
        "branch",
        "province",
        "dispatched",
        "solved",
    ]
    assert AuditEvent.objects.filter(action__startswith="feedback.").count() == 4


def test_back_and_up_again_earns_nothing_twice(cast, said, boss):
    row = step(said, cast.chen, "pass_up")
    row = step(row, boss, "send_back")
    assert row.state == "branch"
    row = step(row, cast.chen, "pass_up")
    assert row.points == Decimal("0.8")


def test_nobody_decides_on_their_own(cast):
    own = make.feedback(cast.chen, cast.wuhan)
    with pytest.raises(PermissionDenied):
        step(own, cast.chen, "solve")


def test_the_submitter_sees_all_of_it_and_strangers_nothing(cast, client, said):
    step(said, cast.chen, "pass_up")
    url = reverse("improvement:detail", args=[said.pk])
    make.sign_in(client, cast.yong)
    page = client.get(url).content.decode()
    assert "已阅" in page
    assert "Decide" not in page
    make.sign_in(client, cast.lin)
    assert client.get(url).status_code == 404
    make.sign_in(client, cast.mei)
    assert client.get(url).status_code == 404


def test_a_decision_without_a_reply_is_asked_for_it(cast, client, said):
    make.sign_in(client, cast.chen)
    url = reverse("improvement:decide", args=[said.pk])
    answer = client.post(url, {"step": "solve", "note": ""})
    assert answer.status_code == 422
    assert client.post(url, {"step": "fly", "note": "xx"}).status_code == 422
    client.post(url, {"step": "solve", "note": "已更换打印机"})
    said.refresh_from_db()
    assert said.state == "solved"


def test_the_branch_has_five_working_days(cast, said):
    assert timedelta(days=4) < said.due_at - said.at < timedelta(days=12)


def test_the_bulletin_counts_each_office_and_ranks_who_helped(cast, client, said):
    other = make.feedback(cast.lin, cast.wuhan, kind="need")
    step(other, cast.chen, "solve")
    Feedback.objects.filter(pk=said.pk).update(due_at=now() - timedelta(days=1))
    make.feedback(cast.mei, cast.yichang)
    [line] = queries.bulletin(Feedback.objects.visible_to(cast.chen), now())
    assert (line.submitted, line.solved, line.open, line.late) == (2, 1, 1, 1)
    names = [row[0] for row in queries.ranking(Feedback.objects.all())]
    assert names[0] == "Lin"
    make.sign_in(client, cast.chen)
    page = client.get(reverse("improvement:bulletin")).content.decode()
    assert "overdue" in page
    past = client.get(reverse("improvement:bulletin"), {"month": "2020-01"})
    assert "Nothing in this month" in past.content.decode()
    assert (
        client.get(reverse("improvement:bulletin"), {"month": "x"}).status_code == 404
    )


def test_the_database_keeps_it_whole(cast, said):
    for wrong in ({"state": "solved"}, {"due_at": None}, {"state": "dispatched"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Feedback.objects.filter(pk=said.pk).update(**wrong)
