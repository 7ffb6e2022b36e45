"""Channels that were closed, and the month's bulletin case by case."""

from datetime import datetime, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate, localtime, make_aware, now

from complaints import findings, outages
from complaints.models import ChannelOutage, Complaint
from crm.errors import Refused
from tests import factories as make


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


def closed(cast, **facts) -> ChannelOutage:
    facts = {"channel": "web", "started_at": now(), "reason": "机房断电", **facts}
    return outages.note(by=cast.chen, office=cast.wuhan, **facts)


def test_a_channel_is_closed_once_and_opened_once(cast):
    row = closed(cast)
    with pytest.raises(Refused, match="already"):
        closed(cast)
    closed(cast, channel="wechat")
    outages.end(row, by=cast.chen)
    with pytest.raises(Refused):
        outages.end(row, by=cast.chen)
    closed(cast)


def test_only_supervisors_of_the_office_note_it_and_not_ahead(cast):
    facts = {"office": cast.wuhan, "channel": "web", "started_at": now(), "reason": "x"}
    for other in (cast.lin, cast.mei, cast.yong):
        with pytest.raises(PermissionDenied):
            outages.note(by=other, **facts)
    with pytest.raises(Refused, match="future"):
        closed(cast, started_at=now() + timedelta(hours=1))


@pytest.mark.parametrize(
    ("spans", "percent"),
    [
        ([], 100.0),
        ([(0, 24)], 90.0),
        ([(0, 12), (6, 24)], 90.0),  # together, not twice
        ([(0, 24), (2, 3)], 90.0),
        ([(-48, 12)], 95.0),
        ([(0, None)], 0.0),
        ([(216, 300)], 90.0),
    ],
)
def test_the_share_of_time_counts_overlaps_once(spans, percent):
    start = make_aware(datetime(2026, 3, 1))
    rows = [
        ChannelOutage(
            channel="web",
            started_at=start + timedelta(hours=began),
            ended_at=None if ended is None else start + timedelta(hours=ended),
        )
        for began, ended in spans
    ]
    end = start + timedelta(days=10)
    assert outages.open_share(rows, "web", start, end) == pytest.approx(percent)
    assert outages.open_share(rows, "hotline", start, end) == 100.0


def test_the_page_notes_ends_and_hides_what_is_elsewhere(cast, client):
    outages.note(
        by=cast.mei,
        office=cast.yichang,
        channel="web",
        started_at=now(),
        reason="宜昌断网",
    )
    make.sign_in(client, cast.chen)
    page = reverse("complaints:channels")
    sent = {"channel": "web", "office": "420100", "reason": "光缆被挖断"}
    sent["started_at"] = f"{localtime(now()) - timedelta(minutes=1):%Y-%m-%dT%H:%M}"
    assert client.post(page, sent | {"reason": ""}).status_code == 422
    assert client.post(page, sent).status_code == 302
    twice = client.post(page, sent)
    assert twice.status_code == 422
    assert "already" in twice.content.decode()
    body = client.get(page).content.decode()
    assert "光缆被挖断" in body
    assert "宜昌断网" not in body
    row = ChannelOutage.objects.get(office=cast.wuhan)
    client.post(reverse("complaints:channel_open", args=[row.pk]))
    row.refresh_from_db()
    assert row.ended_at is not None
    assert client.get(page, {"month": "x"}).status_code == 404
    make.sign_in(client, cast.lin)
    assert client.post(page, sent).status_code == 403  # agents read only
    assert ChannelOutage.objects.count() == 2


def test_the_bulletin_tells_the_months_key_cases_one_by_one(cast, client):
    grave = make.complaint(cast.lin, cast.wuhan, severity="major")
    found = make.complaint(cast.lin, cast.wuhan, description="投递员未按址投递")
    for share in (60, 40):
        findings.add(
            found, by=cast.chen, basis="fault", office=cast.wuhan, share=share, note="x"
        )
    plain = make.complaint(cast.lin, cast.wuhan)
    foreign = make.complaint(cast.mei, cast.yichang, severity="major")
    old = make.complaint(cast.lin, cast.wuhan, severity="major")
    Complaint.objects.filter(pk=old.pk).update(opened_at=now() - timedelta(days=40))
    make.sign_in(client, cast.chen)
    page = client.get(reverse("complaints:bulletin"), {"month": f"{localdate():%Y-%m}"})
    body = page.content.decode()
    assert page.context["total"] == 2  # each once, however many findings
    assert grave.ref in body
    assert found.ref in body
    for other in (plain, foreign, old):
        assert other.ref not in body
