"""Alerts between levels: a city reports upwards, the province tracks and answers (R-ORG-27)."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import now

from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.notify.models import Message
from customers import alerts
from customers.models import Alert, AlertReport
from customers.privacy import erase, subject_data
from tests import factories as make
from tests.customers.test_watch import LAST_DAY, night, rule_of, seen


@pytest.fixture
def alert(cast):
    firm = make.customer(cast.wuchang, segment="contract", manager=cast.zhao)
    return make.alert(firm)


@pytest.fixture
def boss(cast):
    return make.user("boss", ("supervisor", cast.hubei))


def told(user) -> list[str]:
    rows = Message.objects.filter(to_user=user).order_by("pk")
    return list(rows.values_list("subject", flat=True))


def test_each_level_reports_to_the_next_and_hears_its_word(cast, alert, boss):
    one = alerts.report_alert(alert, by=cast.zhao, text="客户要转给顺丰")
    assert (one.office, told(cast.chen)) == (cast.wuhan, [alerts.REPORTED])
    assert told(boss) == []
    two = alerts.report_alert(alert, by=cast.chen, text="请省公司支持报价")
    assert (two.office, told(boss)) == (cast.hubei, [alerts.REPORTED])
    alerts.answer_report(alert, by=boss, text="同意九折")
    assert told(cast.zhao) == [alerts.ANSWERED]
    assert told(cast.chen) == [alerts.REPORTED, alerts.ANSWERED]
    alerts.close_alert(alert, by=cast.zhao, outcome="kept", note="已续签")
    assert told(boss)[-1] == told(cast.chen)[-1] == alerts.ENDED
    assert AuditEvent.objects.filter(action="alert.reported").count() == 2


def test_nobody_above_no_report_and_a_closed_one_make_no_word(cast, alert, boss):
    with pytest.raises(Refused, match="above you"):
        alerts.report_alert(alert, by=boss, text="没有上级")
    with pytest.raises(Refused, match="Nobody has reported"):
        alerts.answer_report(alert, by=cast.chen, text="知道了")
    alerts.report_alert(alert, by=cast.chen, text="上报")
    with pytest.raises(Refused, match="Nobody has reported"):
        alerts.answer_report(alert, by=cast.chen, text="自己答自己")
    below = make.user("below", ("supervisor", cast.wuchang))
    beside = make.user("beside", ("supervisor", cast.wuhan))
    for by in (below, beside):  # a word from above comes from above
        with pytest.raises(Refused, match="Nobody has reported"):
            alerts.answer_report(alert, by=by, text="知道了")
    with pytest.raises(PermissionDenied):
        alerts.report_alert(alert, by=cast.mei, text="别的市")
    alerts.close_alert(alert, by=cast.zhao, outcome="lost", note="已流失")
    for say in (alerts.report_alert, alerts.answer_report):
        with pytest.raises(Refused, match="closed"):
            say(alert, by=boss, text="太晚")
    assert AlertReport.objects.count() == 1


def test_it_goes_up_past_closed_accounts_and_never_down(cast, alert, boss):
    county = make.user("county", ("supervisor", cast.wuchang))
    top = make.user("top", ("manager", cast.hubei))
    assert [one.user for one in alerts.nearest_above(top, cast.wuchang)] == [boss]
    assert [one.user for one in alerts.nearest_above(county, cast.wuchang)] == [
        cast.chen
    ]
    assert [one.user for one in alerts.nearest_above(cast.zhao, cast.wuchang)] == [
        cast.chen
    ]
    cast.chen.is_active = False
    cast.chen.save()
    assert [one.user for one in alerts.nearest_above(county, cast.wuchang)] == [boss]


def test_what_is_reported_is_in_hand_and_closed_again_is_told_again(
    cast, alert, boss, time_machine
):
    alerts.report_alert(alert, by=cast.chen, text="上报")
    alert.refresh_from_db()
    assert (alert.state, alert.owner) == ("taken", cast.zhao)
    for number in (1, 2):
        time_machine.move_to(now() + timedelta(minutes=number))
        alerts.close_alert(alert, by=cast.zhao, outcome="kept", note="留住")
        assert told(boss).count(alerts.ENDED) == number
        alerts.reopen_alert(alert, by=cast.zhao)


def test_the_words_stay_at_the_alert(cast, alert, boss):
    alerts.report_alert(alert, by=cast.chen, text="王经理说要走")
    (message,) = Message.objects.filter(to_user=boss)
    assert message.body == alert.ref
    found = subject_data(alert.customer, by=cast.chen, reason="asked")
    assert found["alert reports"][0]["text"] == "王经理说要走"


def test_a_graver_alert_takes_what_was_said_along(cast):
    firm = make.customer(cast.wuchang, segment="contract", manager=cast.zhao)
    make.user("boss", ("supervisor", cast.hubei))
    rule_of(cast.hubei, "silent", level=3)
    rule_of(cast.hubei, "silent", level=4, days=60)
    seen(make.customer(cast.wuhan))
    seen(firm, LAST_DAY - timedelta(days=40))
    night()
    alerts.report_alert(Alert.objects.get(), by=cast.chen, text="上报")
    seen(firm, LAST_DAY - timedelta(days=60))
    night()
    red, churned = Alert.objects.order_by("pk")
    assert red.outcome == "overtaken"
    assert not red.reports.exists()
    assert churned.reports.get().text == "上报"


def test_the_page_reports_once_and_keeps_what_was_typed(client, cast, alert):
    make.sign_in(client, cast.chen)
    url = reverse("customers:alert_report", args=[alert.pk])
    page = client.get(alert.get_absolute_url()).content.decode()
    assert "Report to" not in page  # nobody is there
    boss = make.user("boss", ("supervisor", cast.hubei))
    page = client.get(alert.get_absolute_url()).content.decode()
    assert "Report to 湖北省" in page
    short = client.post(url, {"text": "好", "up": "1"})
    assert short.status_code == 422
    assert 'aria-invalid="true"' in short.content.decode()
    sent = {"text": "请省公司支持", "up": "1", "token": "0" * 31 + "1"}
    for _twice in range(2):
        assert client.post(url, sent).status_code == 302
    assert AlertReport.objects.count() == 1
    listed = client.get(reverse("customers:alerts"), {"reported": "1"})
    assert [row.pk for row in listed.context["page"].rows] == [alert.pk]
    assert listed.context["reported"] == 1
    make.sign_in(client, boss)
    assert (
        "Tell those who reported it"
        in client.get(alert.get_absolute_url()).content.decode()
    )
    client.post(url, {"text": "同意", "word": "1"})
    assert AlertReport.objects.filter(is_from_above=True).count() == 1


def test_other_offices_neither_see_nor_report(client, cast, alert):
    make.sign_in(client, cast.mei)
    url = reverse("customers:alert_report", args=[alert.pk])
    assert client.post(url, {"text": "看一看", "up": "1"}).status_code == 404


def test_the_api_reports_and_shows_it(client, cast, alert, boss):
    make.sign_in(client, cast.chen)
    url = reverse("api-alert-report", args=[alert.pk])
    assert client.post(url, {"text": ""}, "application/json").status_code == 400
    key = {"Idempotency-Key": "00000000-0000-0000-0000-000000000009"}
    for _twice in range(2):
        answer = client.post(url, {"text": "请支持"}, "application/json", headers=key)
        found = answer.json()
    assert [(one["by"], one["office"]) for one in found["reports"]] == [
        ("chen", cast.hubei.code)
    ]
    make.sign_in(client, boss)
    assert client.post(url, {"text": "再报"}, "application/json").status_code == 409


def test_erased_with_its_customer(cast, alert, boss):
    alerts.report_alert(alert, by=cast.chen, text="王经理电话里说")
    alerts.close_alert(alert, by=cast.zhao, outcome="lost", note="x")
    erase(alert.customer, by=None, reason="asked")
    assert not AlertReport.objects.exists()
