"""Contests, training and awards; requests between units; reports that units owe."""

import re
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate, make_aware, now
from time_machine import travel

from crm.dashboards.periods import span_of
from crm.dashboards.reckoned import BY_NAME
from crm.dashboards.registry import read
from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.notify.models import Message
from crm.programmes import staff, units
from crm.programmes.models import (
    Award,
    DutyReport,
    ReportDuty,
    StaffEvent,
    TakingPart,
    UnitRequest,
)
from tests import factories as make


@pytest.fixture
def top(cast):
    return make.user("top", ("supervisor", cast.hubei))


def contest(office, by, roles=(), **facts) -> StaffEvent:
    facts = {"kind": "skills", "title": "比武", "held_on": localdate()} | facts
    return staff.announce(StaffEvent(office=office, **facts), by=by, roles=list(roles))


def share(name, office):
    span = span_of("month", localdate())
    found = read([office], span, [BY_NAME[name]])[office.pk][name]
    return found.numerator, found.denominator


# --- contests and training ------------------------------------------------------------------


def test_everybody_below_is_to_take_part_and_the_rate_counts_who_did(cast, top):
    row = contest(cast.hubei, top, ["agent"])
    assert {one.user for one in row.parts.all()} == {cast.lin, cast.mei}
    assert Message.objects.filter(to_user=cast.lin, subject=staff.INVITED).count() == 1
    assert staff.invite(row, ["agent"]) == 0  # nobody is asked twice
    mine = row.parts.get(user=cast.lin)
    staff.note(row, by=top, lines={mine.pk: (True, Decimal(95))})
    assert share("contest_participation", cast.hubei) == (1, 2)
    assert share("contest_participation", cast.wuhan) == (1, 1)
    assert share("training_participation", cast.hubei) == (0, 0)


def test_only_the_own_supervisor_notes_who_was_there(cast, top, client):
    row = contest(cast.hubei, top, ["agent"])
    other = row.parts.get(user=cast.mei)
    with pytest.raises(PermissionDenied):
        staff.note(row, by=cast.chen, lines={other.pk: (True, None)})
    make.sign_in(client, cast.chen)
    page = client.get(row.get_absolute_url()).content.decode()
    assert cast.lin.full_name in page
    assert cast.mei.full_name not in page
    mine = row.parts.get(user=cast.lin)
    sent = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-id": mine.pk}
    bad = client.post(row.get_absolute_url(), sent | {"form-0-score": "80"})
    assert bad.status_code == 422
    assert "Who was not there has no score." in bad.content.decode()
    bad = client.post(
        row.get_absolute_url(),
        sent | {"form-0-took_part": "true", "form-0-score": "101"},
    )
    assert bad.status_code == 422
    good = sent | {"form-0-took_part": "true", "form-0-score": "88.5"}
    assert client.post(row.get_absolute_url(), good).status_code == 302
    mine.refresh_from_db()
    assert (mine.took_part, mine.score) == (True, Decimal("88.5"))
    stranger = sent | {"form-0-id": other.pk, "form-0-took_part": "true"}
    client.post(row.get_absolute_url(), stranger)
    assert TakingPart.objects.get(pk=other.pk).took_part is None


def test_what_cannot_be_noted_says_why(cast, top):
    row = contest(cast.wuhan, cast.chen, held_on=localdate() + timedelta(1))
    mine = row.parts.get(user=cast.lin)
    with pytest.raises(Refused) as refusal:
        staff.note(row, by=cast.chen, lines={mine.pk: (True, None)})
    assert refusal.value.code == "event.early"
    with pytest.raises(Refused) as refusal:
        contest(cast.yichang, top, ["finance"])
    assert refusal.value.code == "event.nobody"


def test_an_award_is_given_once_to_somebody_of_the_office(cast, client):
    make.sign_in(client, cast.chen)
    url = reverse("programmes:events")
    about = {"office": cast.wuhan.pk, "kind": "courier", "year": 2026, "give": 1}
    about |= {"reason": "零差错", "person": "yong"}
    assert client.post(url, about).status_code == 302
    bad = client.post(url, about)
    assert bad.status_code == 422
    assert "This award is given already." in bad.content.decode()
    bad = client.post(url, about | {"person": "mei"})
    assert "This person is not posted there." in bad.content.decode()
    bad = client.post(url, about | {"person": "nobody-at-all"})
    assert "Nobody here has this user name." in bad.content.decode()
    assert Award.objects.count() == 1
    make.sign_in(client, cast.yong)
    assert "零差错" in client.get(url).content.decode()


# --- requests between units -----------------------------------------------------------------


def asked(cast, hours=8) -> UnitRequest:
    row = UnitRequest(
        asking=cast.wuhan, asked=cast.yichang, subject="查件", text="x", hours=hours
    )
    return units.ask(row, by=cast.yong)


def test_a_request_runs_in_the_asked_units_working_time(cast):
    make.holidays_of(2026, 2027)
    with travel(
        "2026-10-30T09:00:00+08:00", tick=False
    ):  # a Friday, eight hours until Monday
        row = asked(cast)
    weekend = row.due_at - row.made_at
    assert weekend > timedelta(days=2)
    assert Message.objects.filter(to_user=cast.mei, subject=units.ASKED).count() == 1


def test_a_request_is_taken_answered_asked_again_and_rated(cast):
    make.holidays_of(2026, 2027)
    row = asked(cast)
    with pytest.raises(PermissionDenied):
        units.answer(row, by=cast.chen, words="自问自答")
    units.take(row, by=cast.mei)
    with pytest.raises(Refused):
        units.take(row, by=cast.mei)
    units.answer(row, by=cast.mei, words="已查")
    with pytest.raises(PermissionDenied):
        units.close(row, by=cast.mei, rating=5)
    units.ask_again(row, by=cast.chen, words="缺封志号")
    row.refresh_from_db()
    assert (row.state, row.replied_at) == ("open", None)
    assert "已查" in row.text
    units.answer(row, by=cast.mei, words="封志号 12")
    assert units.close(row, by=cast.yong, rating=4).rating == 4
    with pytest.raises(Refused):
        units.close(row, by=cast.yong, rating=1)
    assert units.tallies(cast.chen, localdate())[0][1:] == (1, 1, 4.0)


def test_a_request_is_withdrawn_by_who_asked_and_measures_nobody(cast, client):
    make.holidays_of(2026, 2027)
    row = asked(cast)
    with pytest.raises(PermissionDenied):
        units.withdraw(row, by=cast.mei, words="不想办")
    make.sign_in(client, cast.chen)
    act = reverse("programmes:unit_request_act", args=[row.pk, "withdraw"])
    assert "withdraw" in client.get(row.get_absolute_url()).content.decode()
    for _twice in range(2):
        client.post(act, {"text": "问错单位"})
    row.refresh_from_db()
    assert row.state == UnitRequest.State.WITHDRAWN
    assert row.text.count("问错单位") == 1
    subject = units.WITHDRAWN
    assert Message.objects.filter(to_user=cast.mei, subject=subject).count() == 1
    UnitRequest.objects.update(due_at=now() - timedelta(1))
    assert share("unit_requests_in_time", cast.yichang) == (0, 0)
    assert units.tallies(cast.chen, localdate()) == []
    with pytest.raises(Refused):
        units.answer(row, by=cast.mei, words="已查")


def test_a_third_unit_sees_nothing_of_it_and_a_late_one_is_told_once(cast, client):
    make.holidays_of(2026, 2027)
    row = asked(cast)
    third = make.office("420600", "襄阳市", "prefecture", cast.hubei)
    make.sign_in(client, make.user("third", ("supervisor", third)))
    assert client.get(row.get_absolute_url()).status_code == 404
    UnitRequest.objects.update(due_at=now() - timedelta(1))
    for _twice in range(2):
        run_inline(enqueue("programmes.units"))
    assert Message.objects.filter(to_user=cast.mei, subject=units.LATE).count() == 1
    assert share("unit_requests_in_time", cast.yichang) in {(0, 1), (0, 0)}


def test_a_request_is_asked_once_and_never_of_oneself(cast, client):
    make.holidays_of(2026, 2027)
    make.sign_in(client, cast.yong)
    url = reverse("programmes:unit_requests")
    about = {"asking": cast.wuhan.pk, "asked": cast.yichang.pk, "hours": 8}
    about |= {"subject": "查件", "text": "<b>请查</b>"}
    token = {"token": "8f14e45f-ceea-467f-a0e6-0242ac120005"}
    for _twice in range(2):
        assert client.post(url, about | token).status_code == 302
    assert UnitRequest.objects.count() == 1
    bad = client.post(url, about | {"asked": cast.wuhan.pk})
    assert bad.status_code == 422
    assert "A unit cannot ask itself." in bad.content.decode()
    assert "&lt;b&gt;请查" in bad.content.decode()
    bad = client.post(url, about | {"asking": cast.yichang.pk, "asked": cast.wuhan.pk})
    assert bad.status_code == 422  # nobody speaks for another unit


# --- reports --------------------------------------------------------------------------------


def owed(cast, top) -> DutyReport:
    duty = ReportDuty(office=cast.wuhan, reader=cast.hubei, title="月报", day=10)
    units.owe(duty, by=top)
    return DutyReport.objects.get(duty=duty)


def test_a_months_report_is_owed_once_told_filed_and_guided(cast, top):
    row = owed(cast, top)
    for _twice in range(2):
        units.due_reports(localdate())
    assert DutyReport.objects.count() == 1
    with pytest.raises(Refused):
        units.comment(row, by=top, words="未报先评")
    with pytest.raises(PermissionDenied):
        units.file(row, by=cast.mei, text="别人的")
    units.file(row, by=cast.chen, text="走访 20 户")
    with pytest.raises(PermissionDenied):
        units.comment(row, by=cast.chen, words="自评")
    units.comment(row, by=top, words="加强回访")
    with pytest.raises(Refused):
        units.file(row, by=cast.chen, text="改写")
    units.release(row.duty, by=top)
    assert units.due_reports(date(2030, 1, 5)) == 0


def test_a_due_report_is_told_once(cast, top):
    row = owed(cast, top)
    DutyReport.objects.update(due_on=localdate())
    for _twice in range(2):
        run_inline(enqueue("programmes.units"))
    told = Message.objects.filter(to_user=cast.chen, subject=units.DUE)
    assert told.count() == 1
    assert row.get_absolute_url() == told.get().url


def test_a_new_month_lays_out_its_report(cast, top):
    with travel(make_aware(datetime(2026, 11, 30, 12)), tick=False):
        owed(cast, top)
    assert units.due_reports(date(2026, 12, 1)) == 1
    newest = DutyReport.objects.first()
    assert (newest.month, newest.due_on) == (date(2026, 11, 1), date(2026, 12, 10))


def test_a_report_is_filed_by_its_page(cast, top, client):
    row = owed(cast, top)
    make.sign_in(client, cast.yong)
    assert client.post(row.get_absolute_url(), {"text": ""}).status_code == 422
    assert client.post(row.get_absolute_url(), {"text": "已走访"}).status_code == 302
    make.sign_in(client, cast.mei)
    assert client.get(row.get_absolute_url()).status_code == 404


def test_a_page_that_is_opened_again_and_saved_changes_nothing(cast, client):
    row = contest(cast.wuhan, cast.chen, ["agent"])
    mine = row.parts.get(user=cast.lin)
    staff.note(row, by=cast.chen, lines={mine.pk: (True, Decimal("88.50"))})
    make.sign_in(client, cast.chen)
    form = client.get(row.get_absolute_url()).context["forms"]
    sent = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-id": mine.pk}
    shown = re.findall(r'value="(\w+)" selected', str(form[0]["took_part"]))
    assert shown == ["true"]
    sent |= {"form-0-took_part": shown[0], "form-0-score": "88.50"}
    assert client.post(row.get_absolute_url(), sent).status_code == 302
    mine.refresh_from_db()
    assert (mine.took_part, mine.score) == (True, Decimal("88.50"))


def test_who_supervises_both_units_comments_and_does_not_overwrite(cast, top, client):
    row = owed(cast, top)
    units.file(row, by=cast.chen, text="走访 20 户")
    make.sign_in(client, top)
    page = client.get(row.get_absolute_url()).content.decode()
    assert 'name="comment"' in page
    assert 'name="file"' not in page
    client.post(row.get_absolute_url(), {"text": "加强回访", "comment": "1"})
    row.refresh_from_db()
    assert (row.text, row.comment) == ("走访 20 户", "加强回访")
    client.post(
        reverse("programmes:report_end", args=[row.duty_id])
    )  # and asked for anew
    again = ReportDuty(office=cast.wuhan, reader=cast.hubei, title="月报", day=10)
    assert units.owe(again, by=top).pk
