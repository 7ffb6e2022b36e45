"""An improvement for a weak figure: opened once, with the figure before and after."""

from datetime import date, datetime, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate, make_aware, now

from complaints.models import Call
from crm.dashboards import effects, snapshots
from crm.dashboards.models import Figure
from crm.dashboards.periods import span_of
from crm.dashboards.reckoned import BY_NAME
from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from delivery import improving
from delivery.models import Improvement
from tests import factories as make

KPI = BY_NAME["service_level"]
AUGUST, SEPTEMBER = (span_of("month", date(2026, month, 1)) for month in (8, 9))


def calls(office, span, quick: int) -> None:
    day = span.first + timedelta(days=3)
    Call.objects.bulk_create(
        Call(
            office=office,
            call_id=f"{office.pk}-{day}-{n}",
            rang_at=f"{day}T10:00:00+08:00",
            answered_at=f"{day}T10:0{0 if n < quick else 5}:00+08:00",
            ended_at=f"{day}T10:06:00+08:00",
        )
        for n in range(40)
    )


def opened(cast, **more) -> Improvement:
    facts = {"what": "加席", "owner": cast.yong, "due_on": localdate()} | more
    return effects.improve(KPI, cast.wuhan, AUGUST, "/kpi/", by=cast.chen, **facts)


def test_the_figure_stands_before_and_after(cast):
    calls(cast.wuhan, AUGUST, 20)
    calls(cast.wuhan, SEPTEMBER, 36)
    row = opened(cast)
    assert (row.kpi_before, row.kpi_after) == (50.0, None)
    improving.finish(row, by=cast.yong, words="已加两席")
    done = make_aware(datetime(2026, 8, 20, 12))
    Improvement.objects.update(done_at=done)
    run_inline(enqueue("dashboards.effects"))
    assert Improvement.objects.get().kpi_after is None  # September is not final yet
    snapshots.compute(SEPTEMBER, now().date())
    assert Figure.objects.filter(kpi=KPI.name, is_frozen=True).exists()
    for _twice in range(2):
        run_inline(enqueue("dashboards.effects"))
    assert Improvement.objects.get().kpi_after == 90.0


def test_one_at_a_time_by_who_may_and_never_of_nothing(cast):
    with pytest.raises(Refused) as refusal:
        opened(cast)
    assert refusal.value.code == "kpi.none"
    calls(cast.wuhan, AUGUST, 20)
    with pytest.raises(PermissionDenied):
        effects.improve(KPI, cast.wuhan, AUGUST, "/", by=cast.mei, what="x")
    opened(cast)
    with pytest.raises(Refused) as refusal:
        opened(cast)
    assert refusal.value.code == "kpi.again"


def test_it_is_opened_by_its_page_once_and_seen_by_its_owner(cast, client):
    calls(cast.wuhan, AUGUST, 20)
    make.sign_in(client, cast.chen)
    query = f"?office={cast.wuhan.code}&kind=month&day=2026-08-01"
    url = reverse("dashboards:kpi_improve", args=[KPI.name]) + query
    sent = {"m0-what": "<b>加席</b>", "m0-owner": "yong", "m0-due_on": f"{localdate()}"}
    bad = client.post(url, sent | {"m0-due_on": "2020-01-01"})
    assert bad.status_code == 422
    assert "&lt;b&gt;加席" in bad.content.decode()
    token = {"token": "8f14e45f-ceea-467f-a0e6-0242ac120009"}
    for _twice in range(2):
        assert client.post(url, sent | token).status_code == 302
    assert Improvement.objects.count() == 1
    make.sign_in(client, cast.yong)
    page = client.get(reverse("delivery:improvements")).content.decode()
    assert "50.00" in page
    make.sign_in(client, cast.mei)
    assert client.get(url).status_code == 404
