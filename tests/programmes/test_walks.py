"""Programmes and walkthroughs: issued by another, walked, judged, improved, counted."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate

from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.notify.models import Message
from crm.programmes import pilots, services, walking
from crm.programmes.models import (
    Adoption,
    Demand,
    Finding,
    Pilot,
    Programme,
    Step,
    Walk,
)
from delivery.models import Improvement
from tests import factories as make


@pytest.fixture
def boss(cast):
    return make.user("second", ("supervisor", cast.hubei))


@pytest.fixture
def top(cast):
    return make.user("top", ("supervisor", cast.hubei))


@pytest.fixture
def running(cast, top, boss) -> Programme:
    row = Programme(
        office=cast.hubei,
        kind="walkthrough",
        title="流程穿越",
        text="全员参加。",
        first=localdate() - timedelta(200),
        last=localdate() + timedelta(100),
    )
    services.write(row, by=top)
    services.issue(row, by=boss)
    row.refresh_from_db()
    return row


@pytest.fixture
def demand(running) -> Demand:
    return Demand.objects.create(programme=running, process="网点寄递")


def walk(demand, who, office, days=0, **facts) -> Walk:
    row = Walk(demand=demand, office=office, occasion="trip", **facts)
    row.on = localdate() - timedelta(days)
    return walking.book(row, by=who)


def walked(demand, who, office, found=(), days=0) -> Walk:
    return walking.finish(walk(demand, who, office, days), by=who, found=found)


def test_a_programme_is_issued_by_another_and_asks_the_branches(cast, top, boss):
    row = Programme(
        office=cast.hubei,
        kind="walkthrough",
        title="x",
        text="x",
        first=date(2026, 3, 1),
        last=date(2026, 12, 31),
    )
    services.write(row, by=top)
    assert row.steps.count() == len(services.WALK_STEPS)
    with pytest.raises(Refused) as refusal:
        services.issue(row, by=top)
    assert refusal.value.code == "programme.same"
    for _twice in range(2):
        services.issue(row, by=boss)
    assert {one.office for one in Adoption.objects.all()} == {cast.wuhan, cast.yichang}
    assert Message.objects.filter(to_user=cast.chen, subject=services.CAME).count() == 1


def test_a_branchs_plan_is_filed_adjusted_and_agreed(cast, running, top):
    ours = running.adoptions.get(office=cast.wuhan)
    with pytest.raises(Refused):
        services.answer_plan(ours, by=top)
    services.file_plan(ours, by=cast.chen, text="每月两次")
    with pytest.raises(PermissionDenied):
        services.answer_plan(ours, by=cast.chen)
    with pytest.raises(PermissionDenied):
        services.file_plan(ours, by=cast.mei, text="别人的")
    services.answer_plan(ours, by=top, demand="每月四次")
    assert Message.objects.filter(to_user=cast.chen, subject=services.RETURNED).exists()
    services.file_plan(ours, by=cast.chen, text="每月四次")
    assert services.answer_plan(ours, by=top).state == "agreed"


def test_a_revision_is_issued_by_another_as_they_read_it(cast, running, top, boss):
    """Four eyes for a revision as for the plan; the plan stands until then."""
    plan = running.text
    with pytest.raises(Refused, match="no revision"):
        services.issue_revision(running, by=boss, seen="")
    services.revise(running, by=top, text="按结果修订")
    running.refresh_from_db()
    assert (running.text, running.revision) == (plan, 1)
    for by, seen in ((top, "按结果修订"), (boss, "别的文本")):
        with pytest.raises(Refused):
            services.issue_revision(running, by=by, seen=seen)
    with pytest.raises(PermissionDenied):
        services.issue_revision(running, by=cast.chen, seen="按结果修订")
    made = services.issue_revision(running, by=boss, seen="按结果修订\r\n")
    assert (made.text, made.revision, made.wanted) == ("按结果修订", 2, "")
    assert Message.objects.filter(subject=services.REVISED).exists()


def test_a_revision_can_be_dropped_and_is_gone_with_the_programme(
    client, cast, running, top
):
    services.revise(running, by=top, text="再改")
    make.sign_in(client, top)
    page = client.get(running.get_absolute_url()).content.decode()
    assert "再改" in page
    assert "issue_revision" not in page
    act = reverse("programmes:programme_act", args=[running.pk, "drop_revision"])
    client.post(act, {"seen": "什么"})
    running.refresh_from_db()
    assert running.wanted == "再改"
    with pytest.raises(Refused):
        services.revise(running, by=top, text="没读过的人")
    client.post(act, {"seen": "再改"})
    running.refresh_from_db()
    assert (running.wanted, running.wanted_by) == ("", None)
    services.revise(running, by=top, text="三改")
    assert services.close(running, by=top, result="结束").wanted == ""


def test_a_walk_is_withdrawn_by_who_booked_it_before_it_is_walked(
    client, cast, running, demand
):
    row = walk(demand, cast.zhao, cast.wuchang, mode="together")
    with pytest.raises(PermissionDenied):
        walking.withdraw(row, by=cast.lin)
    make.sign_in(client, cast.zhao)
    act = reverse("programmes:walk_act", args=[row.pk, "withdraw"])
    assert client.post(act).status_code == 302
    assert not Walk.objects.exists()
    assert client.post(act).status_code == 404  # sent twice
    done = walked(demand, cast.zhao, cast.wuchang, [], 1)
    with pytest.raises(Refused):
        walking.withdraw(done, by=cast.zhao)


def test_points_are_the_example_of_the_source(cast, running, demand, top):
    """domain.md 7.4: four walks, five problems, two valid of three suggestions: 6.5."""
    found = [("problem", "排队"), ("problem", "无单"), ("suggestion", "设自助机")]
    rows = [
        walked(demand, cast.zhao, cast.wuchang, found[:2], 4),
        walked(demand, cast.zhao, cast.wuchang, found[:2], 3),
        walked(demand, cast.zhao, cast.wuchang, [found[0], found[2], found[2]], 2),
        walked(demand, cast.zhao, cast.wuchang, [found[2]], 1),
    ]
    said = Finding.objects.filter(walk__in=rows, kind="suggestion")
    for one, is_valid in zip(said, (True, True, False), strict=True):
        walking.judge(one, by=top, is_valid=is_valid, words="")
    score = walking.ranking(running)[0]
    assert score.points == Decimal("6.5")
    assert (score.walks, score.alone, score.problems) == (4, 4, 5)


def test_ties_go_to_more_valid_suggestions_then_to_the_earlier(
    cast, running, demand, top
):
    five = [("problem", "x")] * 5
    three = [("suggestion", "x")] * 3
    walked(demand, cast.lin, cast.wuhan, five, 1)
    walked(demand, cast.zhao, cast.wuhan, three, 1)
    walked(demand, cast.yong, cast.wuhan, five, 3)
    for one in Finding.objects.filter(kind="suggestion"):
        walking.judge(one, by=top, is_valid=True, words="")
    names = [(one.name, one.points) for one in walking.ranking(running)]
    assert names == [
        (cast.zhao.full_name, Decimal("2.5")),
        (cast.yong.full_name, Decimal("2.5")),
        (cast.lin.full_name, Decimal("2.5")),
    ]


def test_a_walk_with_the_branch_waits_for_its_answer(cast, demand):
    row = walk(demand, cast.lin, cast.wuchang, mode="together")
    assert row.state == "booked"
    with pytest.raises(Refused):
        walking.finish(row, by=cast.lin, found=[])
    with pytest.raises(Refused) as refusal:
        walking.reply(row, by=cast.chen, agrees=False, words="")
    assert refusal.value.code == "walk.words"
    with pytest.raises(PermissionDenied):
        walking.reply(row, by=cast.mei, agrees=True, words="")
    walking.reply(row, by=cast.chen, agrees=True, words="找李班长")
    assert Message.objects.filter(to_user=cast.lin, subject=walking.ANSWERED).exists()
    assert walking.finish(row, by=cast.lin, found=[]).state == "done"


@pytest.mark.parametrize(
    ("days", "code"), [(400, "walk.day"), (-400, "walk.day"), (0, "walk.again")]
)
def test_what_cannot_be_walked_says_why(cast, demand, days, code):
    walk(demand, cast.lin, cast.wuhan)
    with pytest.raises(Refused) as refusal:
        walk(demand, cast.lin, cast.wuhan, days)
    assert refusal.value.code == code


def test_a_walk_to_come_is_not_written_up(cast, demand, running):
    row = walk(demand, cast.lin, cast.wuhan)
    Walk.objects.filter(pk=row.pk).update(on=localdate() + timedelta(1))
    with pytest.raises(Refused) as refusal:
        walking.finish(row, by=cast.lin, found=[])
    assert refusal.value.code == "walk.early"
    services.close(running, by=make.user("c", ("supervisor", cast.hubei)), result="好")
    with pytest.raises(Refused) as refusal:
        walk(demand, cast.lin, cast.wuhan, 1)
    assert refusal.value.code == "walk.closed"


def test_nobody_judges_what_they_found_and_nothing_twice(cast, demand, top):
    row = walked(demand, top, cast.wuhan, [("suggestion", "x")])
    found = row.findings.get()
    with pytest.raises(PermissionDenied):
        walking.judge(found, by=top, is_valid=True, words="")
    with pytest.raises(PermissionDenied):  # the branch is not the programme's office
        walking.judge(found, by=cast.chen, is_valid=True, words="")
    other = make.user("other", ("supervisor", cast.hubei))
    walking.judge(found, by=other, is_valid=False, words="已有")
    with pytest.raises(Refused):
        walking.judge(found, by=other, is_valid=True, words="")
    with pytest.raises(Refused) as refusal:
        walking.improve(
            found, by=cast.chen, what="x", owner=cast.yong, due_on=localdate()
        )
    assert refusal.value.code == "finding.void"


def test_a_problem_becomes_an_improvement_that_the_finder_follows(cast, demand, client):
    row = walked(demand, cast.lin, cast.wuhan, [("problem", "面单看不清")])
    found = row.findings.get()
    make.sign_in(client, cast.chen)
    url = reverse("programmes:walk_improve", args=[row.pk, found.pk])
    about = {
        f"m{found.pk}-what": "换打印机",
        f"m{found.pk}-owner": "yong",
        f"m{found.pk}-due_on": f"{localdate()}",
    }
    bad = client.post(url, about | {f"m{found.pk}-owner": ""})
    assert bad.status_code == 422
    assert "换打印机" in bad.content.decode()
    for _twice in range(2):
        client.post(url, about)
    made = Improvement.objects.get()
    assert (made.topic, made.owner) == ("面单看不清", cast.yong)
    make.sign_in(client, cast.lin)
    assert "换打印机" in client.get(row.get_absolute_url()).content.decode()
    make.sign_in(client, cast.yong)
    page = client.get(reverse("delivery:improvements")).content.decode()
    assert "面单看不清" in page


def test_a_walk_is_picked_and_written_up_by_the_pages(cast, demand, running, client):
    make.sign_in(client, cast.lin)
    assert client.get(running.get_absolute_url()).status_code == 200
    url = reverse("programmes:walk_new", args=[running.pk])
    about = {
        "demand": demand.pk,
        "office": cast.wuchang.pk,
        "mode": "alone",
        "occasion": "trip",
        "on": f"{localdate()}",
        "token": "8f14e45f-ceea-467f-a0e6-0242ac120004",
    }
    for _twice in range(2):
        assert client.post(url, about).status_code == 302
    row = Walk.objects.get()
    bad = client.post(url, about | {"on": "2019-01-01", "token": ""})
    assert bad.status_code == 422
    assert "outside the programme" in bad.content.decode()
    lines = {
        "found-TOTAL_FORMS": 2,
        "found-INITIAL_FORMS": 0,
        "found-0-kind": "suggestion",
        "found-0-text": "<b>自助机</b>",
    }
    act = reverse("programmes:walk_act", args=[row.pk, "finish"])
    for _twice in range(2):
        client.post(act, lines)
    assert row.findings.count() == 1
    page = client.get(row.get_absolute_url()).content.decode()
    assert "&lt;b&gt;自助机" in page
    make.sign_in(client, cast.mei)  # walked at another branch
    assert client.get(row.get_absolute_url()).status_code == 404


def test_a_late_milestone_is_told_once(cast, running, top):
    Step.objects.all().delete()
    Step.objects.create(
        programme=running, due_on=localdate() - timedelta(1), what="检查"
    )
    for _twice in range(2):
        run_inline(enqueue("programmes.late"))
    assert Message.objects.filter(to_user=top, subject=services.LATE).count() == 1


def test_a_draft_is_changed_or_thrown_away_until_it_is_issued(cast, top, boss, client):
    row = Programme(office=cast.hubei, kind="other", title="x", text="x")
    row.first = row.last = localdate()
    services.write(row, by=top)
    make.sign_in(client, boss)
    url = reverse("programmes:programme_edit", args=[row.pk])
    about = {"office": cast.hubei.pk, "kind": "other", "title": "改", "text": "y"}
    about |= {"first": f"{localdate()}", "last": f"{localdate() - timedelta(1)}"}
    bad = client.post(url, about)
    assert bad.status_code == 422
    assert "lies before the first" in bad.content.decode()
    assert client.post(url, about | {"last": f"{localdate()}"}).status_code == 302
    with pytest.raises(Refused):  # who changed it is its writer now
        services.issue(row, by=boss)
    services.issue(row, by=top)
    act = reverse("programmes:programme_act", args=[row.pk, "drop"])
    client.post(act)
    assert Programme.objects.filter(pk=row.pk).exists()
    other = Programme(office=cast.hubei, kind="other", title="y", text="y")
    other.first = other.last = localdate()
    services.write(other, by=top)
    client.post(reverse("programmes:programme_act", args=[other.pk, "drop"]))
    assert not Programme.objects.filter(pk=other.pk).exists()


def test_a_declined_walk_may_be_asked_for_again_and_an_agreed_plan_adjusted(
    cast, demand, running, top
):
    row = walk(demand, cast.lin, cast.wuchang, mode="together")
    walking.reply(row, by=cast.chen, agrees=False, words="盘点")
    assert walk(demand, cast.lin, cast.wuchang, mode="together").state == "booked"
    ours = running.adoptions.get(office=cast.wuhan)
    services.file_plan(ours, by=cast.chen, text="每月两次")
    services.answer_plan(ours, by=top)
    assert services.answer_plan(ours, by=top, demand="按修订").state == "returned"


def pilot(running, cast, by, **facts) -> Pilot:
    facts = {"touchpoint": "hall", "office": cast.wuhan, "what": "首问负责"} | facts
    row = Pilot(first=localdate(), last=localdate() + timedelta(30), **facts)
    return pilots.begin(running, row, by=by)


def test_one_place_tries_a_touchpoint_first_and_it_is_concluded_once(
    running, cast, top, boss
):
    made = pilot(running, cast, top)
    told = Message.objects.filter(to_user=cast.chen, subject=pilots.CHOSEN)
    assert told.get().url == running.get_absolute_url()
    with pytest.raises(Refused, match="its place already"):
        pilot(running, cast, top, office=cast.yichang)
    pilot(running, cast, top, touchpoint="vip", office=cast.yichang)
    with pytest.raises(PermissionDenied):
        pilots.conclude(running, made.pk, by=cast.chen, verdict="adopt", result="好的")
    for verdict, result in (("", "好的"), ("no", "好的"), ("adopt", "")):
        with pytest.raises(Refused, match="what follows"):
            pilots.conclude(running, made.pk, by=boss, verdict=verdict, result=result)
    pilots.conclude(running, made.pk, by=boss, verdict="change", result="先补叫号机")
    with pytest.raises(Refused, match="concluded already"):
        pilots.conclude(running, made.pk, by=boss, verdict="adopt", result="好的")
    late = pilot(running, cast, top, touchpoint="phone")
    pilots.conclude(running, late.pk, by=boss, verdict="drop", result="试点撤销")
    other = pilot(running, cast, top, touchpoint="phone", office=cast.yichang)
    services.close(running, by=top, result="完成")
    with pytest.raises(Refused, match="not at this step"):
        pilot(running, cast, top, touchpoint="online")
    pilots.conclude(running, other.pk, by=boss, verdict="adopt", result="有效")


def test_a_pilot_lies_within_the_programme(running, cast, top, boss):
    small = Programme(
        office=cast.wuhan,
        kind="service",
        title="武汉",
        text="x",
        first=localdate(),
        last=localdate() + timedelta(9),
    )
    services.write(small, by=top)
    services.issue(small, by=boss)
    small.refresh_from_db()
    with pytest.raises(Refused, match="does not reach"):
        pilot(small, cast, top, office=cast.yichang)


def test_the_page_of_a_programme_keeps_its_pilots(client, running, cast, top):
    make.sign_in(client, top)
    url = reverse("programmes:programme_add", args=[running.pk, "pilot"])
    data = {
        "touchpoint": "complaints",
        "office": cast.wuhan.pk,
        "first": "2026-11-20",
        "last": "2026-11-01",
        "what": "一次说清",
    }
    early = client.post(url, data)
    assert early.status_code == 422
    assert "before the first" in early.content.decode()
    sent = data | {"last": "2026-12-20", "token": "0" * 31 + "3"}
    for _twice in range(2):
        assert client.post(url, sent).status_code == 302
    row = running.pilots.get()
    act = reverse("programmes:programme_act", args=[running.pk, "pilot_end"])
    client.post(act, {"pilot": row.pk, "verdict": "adopt", "text": "投诉降三成"})
    make.sign_in(client, cast.lin)
    page = client.get(running.get_absolute_url()).content.decode()
    assert "投诉降三成" in page
    assert "Choose a place" not in page
    (one,) = client.get(reverse("api-programme-pilots", args=[running.pk])).json()
    assert (one["touchpoint"], one["verdict"]) == ("complaints", "adopt")
