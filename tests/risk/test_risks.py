"""The risk register with its warnings; emergency plans; incidents on their clocks."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate, localtime, now

from crm.dashboards import snapshots
from crm.dashboards.periods import Kind, last_ended
from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.library.models import Document
from crm.notify.models import Message
from crm.risk import services, warnings
from crm.risk.models import Contact, Duty, Incident, Risk, Warning
from tests import factories as make
from tests.routes_house import paper


@pytest.fixture
def top(cast):
    return make.user("top", ("supervisor", cast.hubei))


def risk(cast, **facts) -> Risk:
    about = {
        "kind": "service",
        "title": "投诉激增",
        "measures": "加席",
        "owner": cast.chen,
    }
    row = Risk(office=cast.wuhan, review_on=localdate(), **(about | facts))
    return services.keep(row, by=cast.chen)


def incident(cast, *, by=None, **facts) -> Incident:
    about = {"kind": "data", "grade": "large", "title": "泄露", "text": "x"}
    about |= {"noticed_at": now() - timedelta(minutes=30), "leader": cast.yong}
    row = Incident(office=cast.wuhan, **(about | facts))
    return services.declare(row, by=by or cast.lin)


# --- the register ---------------------------------------------------------------------------


def test_a_figure_beyond_the_line_warns_the_owner_once_a_month(cast):
    row = risk(cast, kpi="complaint_rate", line=Decimal(20))
    span = last_ended(Kind.MONTH, localdate())
    order = make.complaint(cast.lin, cast.wuhan, customer=make.customer(cast.wuhan))
    customer = order.customer
    type(customer).objects.update(created_at=now() - timedelta(days=60))
    type(order).objects.update(opened_at=f"{span.first}T10:00:00+08:00", closed_at=None)
    run_inline(enqueue("risk.warn"))
    if localdate() < span.final_on:
        assert not Warning.objects.exists()  # not final: it may still change
    snapshots.compute(span, span.final_on)
    for _twice in range(2):
        run_inline(enqueue("risk.warn"))
    warned = Warning.objects.get()
    assert (warned.risk, warned.value, warned.period) == (row, 100, span.label)
    told = Message.objects.filter(to_user=cast.chen, subject=warnings.WARNED)
    assert told.count() == 1


def test_on_the_good_side_or_without_a_figure_nobody_is_warned(cast):
    risk(cast, kpi="complaint_rate", line=Decimal(20))  # nothing to divide by
    risk(cast, kpi="gone_from_the_registry", line=Decimal(1))
    run_inline(enqueue("risk.warn"))
    assert not Warning.objects.exists()


def test_a_risk_is_entered_once_with_its_faults_named(cast, client):
    make.sign_in(client, cast.chen)
    url = reverse("risk:risk_new")
    about = {
        "office": cast.wuhan.pk,
        "kind": "data",
        "title": "<b>外泄</b>",
        "likelihood": 3,
        "impact": 5,
        "measures": "脱敏",
        "owner": "chen",
        "review_on": f"{localdate()}",
        "state": "watched",
        "token": "8f14e45f-ceea-467f-a0e6-0242ac120006",
    }
    for change, words in (
        ({"impact": 6}, "less than or equal to 5"),
        ({"owner": "mei"}, "This person is not posted there, or may not open it."),
        ({"owner": "nobody-at-all"}, "Nobody here has this user name."),
        ({"kpi": "complaint_rate"}, "A figure that warns has a line"),
        ({"office": cast.yichang.pk}, "Select a valid choice"),
    ):
        bad = client.post(url, about | change | {"token": ""})
        assert bad.status_code == 422, change
        assert words in bad.content.decode()
        assert "&lt;b&gt;外泄" in bad.content.decode()
    for _twice in range(2):
        assert client.post(url, about).status_code == 302
    row = Risk.objects.get()
    assert row.weight == 15
    change = about | {"likelihood": 1, "token": ""}
    assert client.post(row.get_absolute_url(), change).status_code == 302
    row.refresh_from_db()
    assert row.weight == 5
    make.sign_in(client, cast.mei)
    assert client.get(row.get_absolute_url()).status_code == 404


def test_a_risk_to_be_looked_at_is_told_once(cast):
    risk(cast)
    for _twice in range(2):
        run_inline(enqueue("risk.watch"))
    told = Message.objects.filter(to_user=cast.chen, subject=services.REVIEW)
    assert told.count() == 1


# --- emergency plans ------------------------------------------------------------------------


@pytest.fixture
def plan(cast, top) -> Document:
    return paper(cast.wuhan, cast.chen, top, kind="emergency", title="应急预案")


def test_a_plan_names_people_and_its_drills(cast, plan, client):
    make.sign_in(client, cast.chen)
    url = reverse("risk:plan_add", args=[plan.pk, "contact"])
    about = {"name": "张工", "duty": "断网", "phone": "13900001111"}
    token = {"token": "8f14e45f-ceea-467f-a0e6-0242ac120007"}
    for _twice in range(2):
        client.post(url, about | token)
    assert Contact.objects.count() == 1
    drill = {"held_on": f"{localdate()}", "scenario": "演练", "people": 5}
    drill |= {"minutes": 20, "lessons": "补联系人"}
    url = reverse("risk:plan_add", args=[plan.pk, "drill"])
    late = {"held_on": f"{localdate() + timedelta(1)}"}
    bad = client.post(url, drill | late)
    assert bad.status_code == 422
    assert "still to come" in bad.content.decode()
    assert client.post(url, drill).status_code == 302
    page = client.get(reverse("risk:plan", args=[plan.pk])).content.decode()
    assert "13900001111" in page
    assert "补联系人" in page
    contact = Contact.objects.get()
    client.post(reverse("risk:contact_drop", args=[plan.pk, contact.pk]))
    assert not Contact.objects.exists()


def test_the_phone_of_a_contact_lies_sealed(plan, django_db_blocker):
    row = Contact.objects.create(
        document=plan, name="张工", duty="断网", phone="13900001111"
    )
    raw = Contact.objects.raw("SELECT id, phone AS sealed FROM risk_contact")[0]
    assert b"139" not in bytes(raw.sealed)
    assert Contact.objects.get(pk=row.pk).phone == "13900001111"


# --- incidents ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "grade", "hours"),
    [
        ("data", "minor", {"leaders": 1, "postal": 2, "persons": 72}),
        ("data", "large", {"leaders": 1, "postal": 2, "network": 4, "persons": 72}),
        ("system", "major", {"leaders": 1, "network": 4}),
        ("system", "minor", {"leaders": 1}),
        ("safety", "major", {"leaders": 1}),
    ],
)
def test_who_must_be_told_by_when_follows_from_kind_and_grade(cast, kind, grade, hours):
    row = incident(cast, kind=kind, grade=grade)
    found = {
        duty.whom: (duty.due_at - row.noticed_at).total_seconds() / 3600
        for duty in row.duties.all()
    }
    assert found == hours


def test_an_incident_is_led_told_contained_and_closed_with_its_cause(cast, top):
    row = incident(cast)
    assert Message.objects.filter(subject=services.OPENED).count() == 3
    assert Message.objects.filter(to_user=top, subject=services.OPENED).exists()
    with pytest.raises(PermissionDenied):
        services.contain(row, by=cast.mei)
    with pytest.raises(Refused):
        services.close(row, by=cast.yong, cause="x")
    services.contain(row, by=cast.yong)
    with pytest.raises(Refused) as refusal:
        services.close(row, by=cast.yong, cause="弱口令")
    assert refusal.value.code == "incident.untold"
    for duty in row.duties.all():
        services.told(duty, by=cast.yong, how="电话")
    with pytest.raises(Refused):
        services.told(row.duties.first(), by=cast.yong, how="再次")
    with pytest.raises(Refused) as refusal:
        services.close(row, by=cast.yong, cause="  ")
    assert refusal.value.code == "incident.cause"
    assert services.close(row, by=cast.yong, cause="弱口令").state == "closed"
    with pytest.raises(Refused):
        services.log(row, by=cast.yong, text="补记")


def test_a_late_duty_is_told_to_leader_and_supervisors_once(cast, top):
    row = incident(cast, noticed_at=now() - timedelta(minutes=70), kind="safety")
    for _twice in range(2):
        run_inline(enqueue("risk.watch"))
    told = Message.objects.filter(subject=services.LATE)
    assert {one.to_user for one in told} == {cast.yong, cast.chen, top}
    assert told.count() == 3
    Duty.objects.all().delete()
    services.contain(row, by=cast.chen)


def test_an_agent_declares_one_and_a_stranger_sees_nothing(cast, client):
    make.sign_in(client, cast.lin)
    url = reverse("risk:incidents")
    about = {
        "office": cast.wuhan.pk,
        "kind": "data",
        "grade": "minor",
        "title": "诈骗电话",
        "text": "<i>客户来电</i>",
        "noticed_at": f"{localtime():%Y-%m-%dT%H:%M}",
        "leader": "yong",
        "token": "8f14e45f-ceea-467f-a0e6-0242ac120008",
    }
    for change, words in (
        ({"noticed_at": "2199-01-01T10:00"}, "century"),
        ({"noticed_at": "2099-01-01T10:00"}, "still to come"),
        ({"leader": "mei"}, "not posted there"),
    ):
        bad = client.post(url, about | change | {"token": ""})
        assert bad.status_code == 422
        assert words in bad.content.decode()
        assert "&lt;i&gt;客户来电" in bad.content.decode()
    for _twice in range(2):
        assert client.post(url, about).status_code == 302
    row = Incident.objects.get()
    assert client.get(row.get_absolute_url()).status_code == 200  # led by another
    client.post(reverse("risk:incident_act", args=[row.pk, "contain"]))
    row.refresh_from_db()
    assert row.state == "open"
    make.sign_in(client, cast.yong)
    act = reverse("risk:incident_act", args=[row.pk, "log"])
    client.post(act, {"words": "已停用账号"})
    client.post(act, {"words": " "})
    assert [line.text for line in row.log.all()] == ["已停用账号"]
    assert "已停用账号" in client.get(row.get_absolute_url()).content.decode()
    make.sign_in(client, cast.mei)
    assert client.get(row.get_absolute_url()).status_code == 404
    assert "诈骗电话" not in client.get(url).content.decode()
