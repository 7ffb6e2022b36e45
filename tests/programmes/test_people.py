"""Staff records and badges; business supervisors from outside."""

import io
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import reverse
from django.utils.timezone import localdate, now
from PIL import Image

from complaints.models import QualityCheck
from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.programmes import people, testers
from crm.programmes.models import (
    BusinessSupervisor,
    Programme,
    StaffRecord,
    Trial,
)
from crm.teams import services as teams
from crm.teams.models import Team
from tests import factories as make


def page_of(user) -> str:
    return reverse("programmes:person", args=[user.pk])


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (60, 75), "navy").save(out, "PNG")
    return out.getvalue()


def test_a_supervisor_keeps_the_record_and_everybody_sees_their_own(client, cast):
    make.sign_in(client, cast.chen)
    sent = {"badge": "HB001", "level": "senior", "origin": "hired"}
    sent["joined_on"] = "2020-03-01"
    assert client.post(page_of(cast.yong), sent).status_code == 302
    assert client.post(page_of(cast.yong), sent).status_code == 422  # seen before it
    row = StaffRecord.objects.get()
    assert (row.user, row.badge, row.level) == (cast.yong, "HB001", "senior")
    make.sign_in(client, cast.yong)
    page = client.get(page_of(cast.yong)).content.decode()
    assert "HB001" in page
    assert 'name="badge"' not in page
    client.post(page_of(cast.yong), sent | {"badge": "BOSS"})
    row.refresh_from_db()
    assert row.badge == "HB001"
    assert client.get(page_of(cast.lin)).status_code == 404


def test_a_badge_is_worn_by_one_and_what_was_typed_is_kept(client, cast):
    people.keep(StaffRecord(user=cast.yong, badge="HB001"), by=cast.chen)
    make.sign_in(client, cast.chen)
    page = client.post(page_of(cast.lin), {"badge": "HB001", "level": "chief"})
    assert page.status_code == 422
    assert "Somebody else wears this number." in page.content.decode()
    assert StaffRecord.objects.count() == 1


def test_the_picture_is_drawn_anew_and_shown_to_who_may_see_it(
    client, cast, django_capture_on_commit_callbacks
):
    make.sign_in(client, cast.chen)
    file = SimpleUploadedFile("me.png", jpeg(), "image/png")
    with django_capture_on_commit_callbacks(execute=True):
        sent = {"photo": file, "keep_photo": "1"}
        assert client.post(page_of(cast.yong), sent).status_code == 302
    photo = reverse("programmes:person_photo", args=[cast.yong.pk])
    answer = client.get(photo)
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content).startswith(b"\xff\xd8")
    make.sign_in(client, cast.mei)
    assert client.get(photo).status_code == 404
    make.sign_in(client, cast.chen)
    wrong = SimpleUploadedFile("me.png", b"<svg onload=alert(1)>", "image/png")
    page = client.post(page_of(cast.yong), {"photo": wrong, "keep_photo": "1"})
    assert page.status_code == 422


def test_a_picture_that_was_not_chosen_strikes_nothing(client, cast):
    people.keep(StaffRecord(user=cast.yong, badge="HB001"), by=cast.chen)
    make.sign_in(client, cast.chen)
    assert client.post(page_of(cast.yong), {"keep_photo": "1"}).status_code == 422
    assert StaffRecord.objects.get().badge == "HB001"


def test_a_record_that_somebody_else_has_changed_is_refused(client, cast):
    kept = people.keep(StaffRecord(user=cast.yong, badge="HB001"), by=cast.chen)
    make.sign_in(client, cast.chen)
    page = client.post(page_of(cast.yong), {"badge": "HB002", "seen": "1.0"})
    assert page.status_code == 422
    assert StaffRecord.objects.get().badge == "HB001"
    sent = {"badge": "HB002", "seen": kept.seen}
    assert client.post(page_of(cast.yong), sent).status_code == 302


def test_nobody_keeps_their_own_record_or_a_sisters(cast):
    for by, user in ((cast.chen, cast.chen), (cast.mei, cast.yong)):
        with pytest.raises(PermissionDenied):
            people.keep(StaffRecord(user=user, badge="X"), by=by)


def test_the_list_has_ones_own_people_and_finds_them(client, cast):
    people.keep(StaffRecord(user=cast.yong, badge="HB777"), by=cast.chen)
    make.sign_in(client, cast.chen)
    url = reverse("programmes:staff")
    names = {row.user for row in client.get(url).context["page"].rows}
    assert cast.yong in names
    assert cast.mei not in names
    found = client.get(url, {"q": "HB777"}).context["page"].rows
    assert {row.user for row in found} == {cast.yong}


# --- business supervisors -------------------------------------------------------------------


@pytest.fixture
def second(cast):
    return make.user("second", ("supervisor", cast.wuhan))


@pytest.fixture
def applied(cast) -> BusinessSupervisor:
    row = BusinessSupervisor(
        office=cast.wuhan,
        name="胡业主",
        phone="+8613907160001",
        source="public",
        applied_on=localdate(),
        about="常寄快件",
    )
    return testers.apply(row, by=cast.chen)


def term(days: int = 100) -> dict:
    today = localdate()
    return {"first": today - timedelta(10), "last": today + timedelta(days)}


def programme(cast, office, state="issued") -> Programme:
    return Programme.objects.create(
        office=office,
        kind="service",
        title="新服务",
        text="先试后推",
        first=localdate(),
        last=localdate(),
        state=state,
        made_by=cast.chen,
        issued_by=None if state == "draft" else cast.mei,
    )


def test_another_takes_them_for_a_term_once(cast, applied, second):
    with pytest.raises(Refused):
        testers.take(applied, by=cast.chen, **term())
    with pytest.raises(PermissionDenied):
        testers.take(applied, by=cast.mei, **term())
    for days in (-30, 4000):
        with pytest.raises(Refused) as refusal:
            testers.take(applied, by=second, **term(days))
        assert refusal.value.code == "tester.term"
    assert testers.take(applied, by=second, **term()).state == "approved"
    with pytest.raises(Refused):
        testers.refuse(applied, by=second, reason="太晚")


def test_a_no_has_a_reason(cast, applied, second):
    with pytest.raises(Refused):
        testers.refuse(applied, by=second, reason="")
    assert testers.refuse(applied, by=second, reason="同行人员").state == "refused"


def test_name_and_phone_are_sealed(applied):
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, phone FROM programmes_businesssupervisor")
        sealed = cursor.fetchone()
    assert all("胡".encode() not in bytes(one) for one in sealed)
    assert all(b"139" not in bytes(one) for one in sealed)
    assert BusinessSupervisor.objects.get().phone == "+8613907160001"


def test_they_try_services_within_their_term(client, cast, applied, second):
    ours, theirs = programme(cast, cast.wuhan), programme(cast, cast.yichang)
    testers.take(applied, by=second, **term())
    make.sign_in(client, cast.chen)
    act = reverse("programmes:tester_act", args=[applied.pk, "trial"])
    sent = {"programme": ours.pk, "rating": 4, "verdict": "说明不清楚"}
    sent |= {"on": f"{localdate()}", "once": ""}
    assert client.post(act, sent).status_code == 302
    trial = Trial.objects.get()
    assert (trial.programme, trial.rating) == (ours, 4)
    for wrong in (
        {"programme": theirs.pk},
        {"on": f"{localdate() - timedelta(11)}"},
        {"on": f"{localdate() + timedelta(1)}"},
        {"rating": 6},
        {"verdict": ""},
    ):
        assert client.post(act, sent | wrong).status_code == 422
    assert Trial.objects.count() == 1
    page = client.get(ours.get_absolute_url()).content.decode()
    assert "说明不清楚" in page
    make.sign_in(client, cast.lin)
    assert "说明不清楚" not in client.get(ours.get_absolute_url()).content.decode()


def test_names_go_a_year_after_and_what_was_said_stays(cast, applied, second):
    testers.refuse(applied, by=second, reason="同行人员")
    run_inline(enqueue("programmes.forget"))
    assert BusinessSupervisor.objects.get().name == "胡业主"
    old = now() - timedelta(400)
    BusinessSupervisor.objects.update(decided_at=old)
    for _twice in range(2):
        job = run_inline(enqueue("programmes.forget"))
    row = BusinessSupervisor.objects.get()
    assert (row.name, row.phone, row.about) == ("", "", "常寄快件")
    assert job.result == {"forgotten": 0}


def test_who_looked_at_a_name_stands_in_the_trail(client, cast, applied):
    make.sign_in(client, cast.chen)
    listed = client.get(reverse("programmes:testers")).content.decode()
    assert "胡**" in listed
    assert "胡业主" not in listed
    assert "胡业主" in client.get(applied.get_absolute_url()).content.decode()
    assert AuditEvent.objects.filter(action="tester.shown").count() == 1


def test_an_ended_term_takes_no_later_trial(cast, applied, second):
    testers.take(applied, by=second, **term())
    ended = testers.end(applied, by=cast.chen, reason="搬走")
    assert (ended.state, ended.last) == ("ended", localdate())
    trial = Trial(tester=ended, programme=programme(cast, cast.wuhan), rating=3)
    trial.on, trial.verdict = localdate() + timedelta(1), "x"
    with pytest.raises(Refused):
        testers.note(trial, by=cast.chen)
    assert AuditEvent.objects.filter(action="tester.ended").exists()


def test_an_application_is_noted_once_with_a_phone_that_is_one(client, cast):
    make.sign_in(client, cast.chen)
    url = reverse("programmes:testers")
    sent = {"office": cast.wuhan.pk, "name": "宋店主", "phone": "139 0716 0002"}
    sent |= {"source": "public", "applied_on": f"{localdate()}", "about": "网店"}
    assert client.post(url, sent | {"phone": "no"}).status_code == 422
    token = client.get(url).content.decode().split('name="token" value="')[1]
    for _twice in range(2):
        answer = client.post(url, sent | {"token": token.split('"')[0]})
        assert answer.status_code == 302
    assert BusinessSupervisor.objects.get().phone == "+8613907160002"


def test_the_record_shows_checks_and_teams(client, cast):
    for marks in (80, 90):
        QualityCheck.objects.create(
            complaint=make.complaint(cast.lin, cast.wuhan),
            agent=cast.lin,
            office=cast.wuhan,
            month="2026-10-01",
            state="scored",
            score=marks,
            checked_by=cast.shen,
            checked_at=now(),
        )
    team = teams.make(
        Team(office=cast.wuhan, kind="follow_up", name="回访小组"), by=cast.chen
    )
    teams.join(team, by=cast.chen, user=cast.lin)
    make.sign_in(client, cast.lin)
    answer = client.get(page_of(cast.lin))
    assert answer.context["checks"] == {"mean": 85, "times": 2}
    assert team.get_absolute_url() in answer.content.decode()
