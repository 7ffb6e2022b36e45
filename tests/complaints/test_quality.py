"""Quality checks: the sample, the score, the appeal, the coaching."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.timezone import localdate, now

from complaints import quality
from complaints.models import Complaint, QualityCheck
from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.notify.models import Message
from tests import factories as make


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


@pytest.fixture
def month():
    return localdate().replace(day=1)


def logged(user, where, count) -> None:
    for _one in range(count):
        make.complaint(user, where)


@pytest.fixture
def drawn(cast, month) -> QualityCheck:
    make.complaint(cast.lin, cast.wuhan)
    quality.draw(month, cast.wuhan, by=cast.shen)
    return QualityCheck.objects.get()


def marks(check, **changes) -> dict:
    """Full marks by the sheet in force, but for the points named by position."""
    sheet = quality.sheet_for(check.office)
    return {
        str(p.pk): changes.get(f"p{p.position}", p.marks or False)
        for p in sheet.points.all()
    }


def test_at_least_five_and_a_tenth_of_an_agents_work_orders_are_drawn(cast, month):
    logged(cast.lin, cast.wuhan, 3)
    busy = make.user("busy", ("agent", cast.wuhan))
    logged(busy, cast.wuhan, 61)
    logged(cast.chen, cast.wuhan, 2)  # a supervisor is no agent
    logged(cast.mei, cast.yichang, 2)
    assert quality.draw(month, cast.wuhan, by=cast.shen) == 3 + 7
    counts = {
        row["agent__username"]: row["drawn"]
        for row in quality.by_agent(QualityCheck.objects.all())
    }
    assert counts == {"lin": 3, "busy": 7}


def test_drawing_again_only_fills_up(cast, month):
    logged(cast.lin, cast.wuhan, 4)
    quality.draw(month, cast.wuhan, by=cast.shen)
    assert quality.draw(month, cast.wuhan, by=cast.shen) == 0
    logged(cast.lin, cast.wuhan, 4)
    assert quality.draw(month, cast.wuhan, by=cast.shen) == 1
    assert QualityCheck.objects.count() == 5


def test_the_sample_is_not_always_the_same(cast, month):
    logged(cast.lin, cast.wuhan, 40)
    samples = set()
    for _one in range(4):
        quality.draw(month, cast.wuhan, by=cast.shen)
        drawn = QualityCheck.objects.values_list("complaint", flat=True)
        samples.add(tuple(sorted(drawn)))
        QualityCheck.objects.all().delete()
    assert len(samples) > 1


def test_the_job_draws_last_month(cast, month):
    logged(cast.lin, cast.wuhan, 2)
    Complaint.objects.update(opened_at=now() - timedelta(days=localdate().day + 2))
    for _twice in range(2):
        run_inline(enqueue("complaints.sample"))
    assert QualityCheck.objects.count() == 2
    assert QualityCheck.objects.first().month == (month - timedelta(days=1)).replace(
        day=1
    )


def test_full_marks_pass_and_need_no_coaching(cast, drawn):
    done = quality.score(drawn, by=cast.shen, given=marks(drawn), note="很好")
    assert (done.score, done.has_passed, done.coach_by) == (100, True, None)
    assert Message.objects.filter(to_user=cast.lin, subject=quality.SCORED).exists()


def test_a_fatal_error_takes_all_marks_and_asks_for_coaching(cast, drawn):
    done = quality.score(drawn, by=cast.shen, given=marks(drawn, p6=True), note="")
    assert (done.score, done.is_fatal, done.has_passed) == (0, True, False)
    assert done.coach_by == localdate() + timedelta(days=14)
    coached = quality.coach(done, by=cast.shen, words="重学保密规定")
    assert coached.coached_at is not None
    with pytest.raises(Refused, match="no coaching"):
        quality.coach(done, by=cast.shen, words="再来")


@pytest.mark.parametrize("wrong", [26, -1, None, "25", 2.5])
def test_marks_outside_the_sheet_are_refused(cast, drawn, wrong):
    with pytest.raises(Refused, match="0 to 25"):
        quality.score(drawn, by=cast.shen, given=marks(drawn, p1=wrong), note="")


def test_it_is_scored_once_and_by_somebody_else(cast, drawn):
    Complaint.objects.filter(pk=drawn.complaint_id).update(created_by=cast.shen)
    QualityCheck.objects.update(agent=cast.shen)
    with pytest.raises(Refused, match="own work"):
        quality.score(drawn, by=cast.shen, given=marks(drawn), note="")
    QualityCheck.objects.update(agent=cast.lin)
    quality.score(drawn, by=cast.shen, given=marks(drawn), note="")
    with pytest.raises(Refused, match="Somebody else"):
        quality.score(drawn, by=cast.chen, given=marks(drawn), note="")
    with pytest.raises(IntegrityError), transaction.atomic():
        QualityCheck.objects.update(agent=cast.shen)


def test_an_appeal_is_ruled_on_by_another_supervisor(cast, drawn):
    done = quality.score(drawn, by=cast.chen, given=marks(drawn, p1=0), note="")
    assert (done.score, done.has_passed) == (75, False)
    with pytest.raises(PermissionDenied):
        quality.appeal(done, by=cast.mei, words="不同意")
    quality.appeal(done, by=cast.lin, words="录音可证")
    with pytest.raises(Refused):
        quality.appeal(done, by=cast.lin, words="再说一次")
    with pytest.raises(PermissionDenied):
        quality.rule(done, by=cast.chen, given=marks(done), words="维持")
    with pytest.raises(PermissionDenied):
        quality.rule(done, by=cast.shen, given=marks(done), words="维持")
    boss = make.user("boss", ("supervisor", cast.hubei))
    ruled = quality.rule(done, by=boss, given=marks(done, p1=20), words="有理")
    assert (ruled.score, ruled.score_before, ruled.coach_by) == (95, 75, None)


def test_a_new_version_leaves_what_is_scored_alone(cast, drawn):
    quality.score(drawn, by=cast.shen, given=marks(drawn), note="")
    rows = [("Greets", "问候", 40), ("Solves", "解决", 60), ("Lies", "撒谎", 0)]
    new = quality.publish(cast.wuhan, by=cast.chen, pass_mark=90, rows=rows)
    assert quality.sheet_for(cast.wuchang) == new
    assert quality.sheet_for(cast.yichang).office is None
    drawn.refresh_from_db()
    assert drawn.sheet.office is None
    with pytest.raises(Refused, match="make 99"):
        quality.publish(cast.wuhan, by=cast.chen, pass_mark=90, rows=[("x", "", 99)])


def test_agents_see_what_is_scored_of_them_and_nothing_else(cast, drawn):
    assert not QualityCheck.objects.visible_to(cast.lin).exists()
    quality.score(drawn, by=cast.shen, given=marks(drawn), note="")
    assert QualityCheck.objects.visible_to(cast.lin).exists()
    for other in (cast.mei, cast.yong, cast.zhao, cast.zheng):
        assert not QualityCheck.objects.visible_to(other).exists()


def test_the_pages_lead_from_one_check_to_the_next(cast, client, month):
    logged(cast.lin, cast.wuhan, 2)
    make.sign_in(client, cast.shen)
    client.post(reverse("complaints:quality_draw"), {"month": f"{month:%Y-%m}"})
    first, second = QualityCheck.objects.order_by("pk")
    page = client.get(reverse("complaints:quality_check", args=[first.pk])).content
    assert "Attitude and tone (of 25)" in page.decode()
    untouched = client.post(
        reverse("complaints:quality_step", args=[first.pk, "score"]), {"note": ""}
    )
    assert untouched.status_code == 422  # a blank sheet is no score
    step = reverse("complaints:quality_step", args=[first.pk, "score"])
    sent = {f"p{pk}": value or "" for pk, value in marks(first).items()} | {"note": ""}
    wrong = client.post(step, sent | {next(iter(sent)): "99"})
    assert wrong.status_code == 422
    assert "less than or equal to 25" in wrong.content.decode()
    assert client.post(step, sent).url == reverse(
        "complaints:quality_check", args=[second.pk]
    )
    assert client.post(step, sent).status_code == 302  # a second time changes nothing
    first.refresh_from_db()
    assert first.score == 100
    make.sign_in(client, cast.lin)
    own = client.get(reverse("complaints:quality_check", args=[first.pk]))
    assert "Appeal" in own.content.decode()
    assert (
        client.get(reverse("complaints:quality_check", args=[second.pk])).status_code
        == 404
    )


def test_a_sheet_is_published_from_its_page(cast, client):
    make.sign_in(client, cast.chen)
    page = reverse("complaints:quality_sheet")
    assert "Attitude and tone" in client.get(page).content.decode()
    lines = {"form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "0"}
    lines |= {"form-0-name": "All", "form-0-marks": "90", "form-1-name": "Lies"}
    sent = {"office": "420100", "pass_mark": "80", **lines}
    answer = client.post(page, sent)
    assert answer.status_code == 422
    assert "they must make 100" in answer.content.decode()
    assert client.post(page, sent | {"form-0-marks": "100"}).status_code == 302
    assert quality.sheet_for(cast.wuhan).pass_mark == 80


@pytest.mark.parametrize("month", ["9999-12", "0001-01", "x", "2026-13"])
def test_months_that_cannot_be_break_nothing(cast, client, month):
    make.sign_in(client, cast.shen)
    client.post(reverse("complaints:quality_draw"), {"month": month})
    assert (
        client.get(reverse("complaints:quality"), {"month": month}).status_code == 404
    )


def test_who_scored_may_correct_it_until_the_agent_appeals(cast, drawn):
    quality.score(drawn, by=cast.shen, given=marks(drawn, p1=0), note="")
    again = quality.score(drawn, by=cast.shen, given=marks(drawn, p1=20), note="更正")
    assert (again.score, again.has_passed, again.coach_by) == (95, True, None)
    with pytest.raises(Refused, match="Somebody else"):
        quality.score(drawn, by=cast.chen, given=marks(drawn), note="")
    quality.appeal(drawn, by=cast.lin, words="不同意")
    with pytest.raises(Refused, match="Somebody else"):
        quality.score(drawn, by=cast.shen, given=marks(drawn), note="")
