"""Disturbances: decided by another, their items excused, let back, found again."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.timezone import localdate

from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from delivery.models import Disturbance, MailItem
from delivery.quality import disturbances
from delivery.quality.figures import Span, counts_of
from tests import factories as make

SPAN = Span(date(2026, 10, 1), date(2026, 10, 31))
FACTS = {
    "first": date(2026, 10, 12),
    "last": date(2026, 10, 13),
    "cause": "weather",
    "note": "暴雨",
}


@pytest.fixture
def other(cast):
    return make.user("other", ("supervisor", cast.wuhan))


@pytest.fixture
def mail(cast):
    """Items of Wuhan and Yichang by what became of them."""
    return {
        "before": make.item(
            cast.wuhan, "2026-10-08T09:00+08:00", delivered_at="2026-10-11T09:00+08:00"
        ),
        "caught": make.item(
            cast.wuhan, "2026-10-10T09:00+08:00", delivered_at="2026-10-16T09:00+08:00"
        ),
        "open": make.item(cast.wuhan, "2026-10-12T09:00+08:00"),
        "to Enshi": make.item(cast.wuhan, "2026-10-13T09:00+08:00", to_region="恩施"),
        "behind": make.item(cast.wuhan, "2026-10-14T09:00+08:00"),
        "elsewhere": make.item(cast.yichang, "2026-10-12T09:00+08:00"),
    }


def noted(cast, **facts) -> Disturbance:
    row = Disturbance(office=cast.wuhan, **FACTS | facts)
    return disturbances.propose(row, by=cast.chen)


def approve(row: Disturbance, by) -> None:
    disturbances.decide(row, by=by, approved=True, decision="")
    for job in Job.objects.filter(kind="delivery.excuse"):
        run_inline(job)


def excused(mail: dict) -> set[str]:
    rows = MailItem.objects.exclude(disturbance_id=None)
    found = set(rows.values_list("waybill", flat=True))
    return {name for name, number in mail.items() if number in found}


def test_items_on_their_way_in_the_area_are_excused(cast, mail, other):
    row = noted(cast)
    assert excused(mail) == set()  # nobody has decided
    approve(row, other)
    assert excused(mail) == {"caught", "open", "to Enshi"}
    row.refresh_from_db()
    assert row.touched == 3
    run_inline(enqueue("delivery.tally"))
    counts = counts_of(cast.wuhan, SPAN)
    assert (counts["items"], counts["excluded"]) == (2, 3)


def test_named_places_narrow_the_area(cast, mail, other):
    approve(noted(cast, places=["恩施"]), other)
    assert excused(mail) == {"to Enshi"}


def test_an_overload_that_was_foreseeable_excuses_nothing(cast, mail, other):
    approve(noted(cast, cause="peak", is_excusing=False), other)
    assert excused(mail) == set()


def test_a_withdrawn_one_lets_its_items_back(cast, mail, other):
    row = noted(cast)
    approve(row, other)
    disturbances.withdraw(row, by=other)
    run_inline(Job.objects.filter(kind="delivery.excuse").latest("pk"))
    assert excused(mail) == set()
    run_inline(enqueue("delivery.tally"))
    assert counts_of(cast.wuhan, SPAN)["items"] == 5


def test_the_night_excuses_what_was_brought_in_later(cast, mail, other):
    approve(noted(cast), other)
    late = make.item(cast.wuhan, "2026-10-12T10:00+08:00")
    run_inline(enqueue("delivery.disturbances"))
    run_inline(Job.objects.filter(kind="delivery.excuse").latest("pk"))
    assert MailItem.objects.get(waybill=late).disturbance_id


def test_four_eyes_decide_once(cast, other):
    row = noted(cast)
    with pytest.raises(Refused, match="Somebody else"):
        disturbances.decide(row, by=cast.chen, approved=True, decision="")
    with pytest.raises(PermissionDenied):
        disturbances.decide(row, by=cast.mei, approved=True, decision="")
    with pytest.raises(Refused, match="approved"):
        disturbances.withdraw(row, by=other)
    disturbances.decide(row, by=other, approved=False, decision="x")
    with pytest.raises(Refused, match="already"):
        disturbances.decide(row, by=other, approved=True, decision="")
    assert not Job.objects.filter(kind="delivery.excuse").exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        Disturbance.objects.filter(pk=row.pk).update(decided_by=cast.chen)


SENT = {
    "places": "恩施，宜昌",
    "first": "2026-10-12",
    "last": "2026-10-13",
    "cause": "weather",
    "note": "暴雨",
    "is_excusing": "on",
}


def test_from_the_note_to_the_decision_in_the_browser(cast, mail, other, sign_in):
    client = sign_in(cast.chen)
    url = reverse("quality:disturbances")
    sent = SENT | {"office": cast.wuhan.pk}
    sent["token"] = "6f1f6f8e-7a1c-4a52-9a35-0c2b5f0e9d11"
    made = client.post(url, sent)
    assert client.post(url, sent).url == made.url  # sent twice
    row = Disturbance.objects.get()
    assert row.places == ["恩施", "宜昌"]
    step = reverse("quality:disturbance_step", args=[row.pk, "approve"])
    client.post(step)
    row.refresh_from_db()
    assert row.state == "proposed"
    client = sign_in(other)
    assert "Approve" in client.get(made.url).content.decode()
    client.post(step, {"decision": "情况属实"})
    row.refresh_from_db()
    assert (row.state, row.decision) == ("approved", "情况属实")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"last": "2026-10-01"}, "last"),
        (
            {"last": f"{localdate() + timedelta(days=90)}", "first": f"{localdate()}"},
            "last",
        ),
        ({"first": "2020-01-01"}, "last"),
        ({"cause": "mood"}, "cause"),
        ({"note": ""}, "note"),
        ({"office": "0"}, "office"),
    ],
)
def test_a_bad_note_is_answered_beside_its_field(cast, sign_in, wrong, field):
    sent = SENT | {"office": cast.wuhan.pk} | wrong
    page = sign_in(cast.chen).post(reverse("quality:disturbances"), sent)
    assert page.status_code == 422
    assert field in page.context["form"].errors
    assert not Disturbance.objects.exists()
