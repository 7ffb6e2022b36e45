"""What an attacker and a newcomer found in delivery quality, so that it stays mended."""

import struct
import zlib
from contextlib import suppress
from datetime import date, timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import localdate, now

from crm import files
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from delivery import improving
from delivery.models import (
    CardBatch,
    Check,
    DeliveryStandard,
    Disturbance,
    Inspection,
    MailItem,
    PickupTally,
)
from delivery.quality import disturbances, figures, inspecting, rates, reckoning
from delivery.quality.figures import Span
from tests import factories as make

SPAN = Span(date(2026, 10, 1), date(2026, 10, 31))


def test_a_standard_until_the_end_of_time_stops_nothing(cast, sign_in):
    row = DeliveryStandard.objects.filter(product="").first()
    row.valid_until = date.max
    assert reckoning.spans([row], "标快", "")[-1][1] == date.max
    head = sign_in(make.user("hubei.s", ("supervisor", cast.hubei)))
    page = head.post(
        reverse("quality:standards"),
        {"product": "新品", "valid_from": "2026-01-01", "valid_until": "9999-12-31"},
    )
    assert "valid_until" in page.context["form"].errors


def chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"pHYs", b"\0\0"),
        chunk(b"IHDR", b"\0\0\0"),
        chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 3_000_000)),
        chunk(b"iCCP", b"a\0\0" + zlib.compress(b"x" * 3_000_000)),
        chunk(b"fcTL", b"\0"),
    ],
)
def test_a_crafted_picture_is_refused_or_drawn_and_never_an_error(extra):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\xff\0\0"))
    data = b"\x89PNG\r\n\x1a\n" + header + extra + pixels + chunk(b"IEND", b"")
    with suppress(Refused):  # anything else fails the test
        assert files.inspect(data)[0] == "image/jpeg"


def test_orders_know_no_product(cast):
    PickupTally.objects.create(
        day=date(2026, 10, 5),
        office=cast.wuhan,
        due=40,
        timely=30,
        collected=40,
        called=0,
        cancelled=0,
    )
    everything = figures.counts_of(cast.wuhan, SPAN)
    assert rates.timely_pickup_rate(everything).denominator == 40
    one = figures.counts_of(cast.wuhan, Span(SPAN.first, SPAN.last, "标快"))
    assert rates.timely_pickup_rate(one).denominator == 0


def test_who_complains_does_not_wait_for_the_day_of_judgement():
    share = rates.complaints_per_10k({"complaints": 3, "items": 100, "unripe": 200})
    assert share.value == 100


def test_strange_digits_and_nul_are_no_errors(cast, sign_in):
    head = sign_in(make.user("hubei.s", ("supervisor", cast.hubei)))
    assert head.post(reverse("quality:premium"), {"remove": "²"}).status_code == 302
    row = Inspection.objects.create(
        office=cast.wuhan,
        title="x",
        planned_on=localdate(),
        inspector=cast.guo,
        made_by=cast.guo,
    )
    url = reverse("quality:inspection_end", args=[row.pk])
    page = head.post(url, {"summary": "没写\0完"})
    assert page.status_code == 422  # nothing was noted yet
    assert "没写完" in page.content.decode()  # and nothing typed is lost


def test_a_test_letter_is_no_way_to_read_foreign_items(cast):
    number = make.item(
        cast.yichang, "2026-10-12T09:00+08:00", promised_at="2026-10-15T18:00+08:00"
    )
    row = Inspection(
        kind="probe",
        office=cast.wuhan,
        title="试投",
        planned_on=localdate(),
        inspector=cast.guo,
    )
    inspecting.plan(row, by=cast.chen)
    letter = inspecting.add_check(row, Check(what="甲", waybill=number), by=cast.guo)
    assert letter.expected_on is None
    assert inspecting.items_of([letter], cast.guo) == {}


def test_a_finding_under_improvement_is_not_turned(cast):
    row = Inspection(
        office=cast.wuhan, title="视检", planned_on=localdate(), inspector=cast.guo
    )
    inspecting.plan(row, by=cast.chen)
    check = inspecting.add_check(row, Check(what="公示"), by=cast.guo)
    check = inspecting.note(row, check, by=cast.guo, verdict="missed")
    improving.mend(check, by=cast.guo, what="补", owner=cast.yong, due_on=localdate())
    with pytest.raises(Refused) as refusal:
        inspecting.note(row, check, by=cast.guo, verdict="met")
    assert refusal.value.code == "check.improved"


def test_a_managers_own_batch_stays_in_sight(cast, sign_in):
    sent = {"office": cast.wuhan.pk, "code": "HK-7", "posted_on": "2026-11-02"}
    sent |= {"pieces": "500", "checked": "0", "faulty": "0", "saved_hours": "0"}
    client = sign_in(cast.zhao)
    made = client.post(reverse("quality:batches"), sent)
    assert client.get(made.url).status_code == 200
    page = client.post(
        made.url,
        {"kind": "calls", "day": "2026-11-05", "asked": "501", "arrived": "1"},
    )
    assert "asked" in page.context["sample"].errors
    assert CardBatch.objects.get().made_by == cast.zhao


def disturbed(cast, **facts) -> Disturbance:
    facts = {"first": date(2026, 10, 20), "last": date(2026, 10, 21)} | facts
    row = Disturbance(office=cast.wuhan, cause="weather", note="大雾", **facts)
    disturbances.propose(row, by=cast.chen)
    other = make.user("other", ("supervisor", cast.wuhan))
    disturbances.decide(row, by=other, approved=True, decision="")
    for job in Job.objects.filter(kind="delivery.excuse"):
        run_inline(job)
    row.refresh_from_db()
    return row


def test_what_was_late_before_it_began_is_not_excused_and_all_are_accounted_for(cast):
    facts = {"promised_at": "2026-10-15T18:00+08:00"}
    make.item(cast.wuhan, **facts, delivered_at="2026-10-25T09:00+08:00")
    facts["promised_at"] = "2026-10-22T18:00+08:00"
    made = [
        make.item(cast.wuhan, **facts, delivered_at="2026-10-25T09:00+08:00"),
        make.item(cast.wuhan, **facts, returned_at="2026-10-25T09:00+08:00"),
        make.item(cast.wuhan, **facts),
    ]
    row = disturbed(cast)
    excused = MailItem.objects.filter(disturbance_id=row.pk)
    assert set(excused.values_list("waybill", flat=True)) == set(made)
    assert row.report["offices"] == [[cast.wuhan.name, 3, 1, 1, 1, 1]]


@pytest.mark.parametrize(
    "said", ["黄梅、麻城", "黄梅,麻城", "黄梅；麻城", "黄梅 ， 麻城"]
)
def test_places_are_told_apart_by_any_comma(cast, sign_in, said):
    today = f"{localdate()}"
    sent = {"office": cast.wuhan.pk, "first": today, "last": today, "places": said}
    sent |= {"cause": "weather", "note": "大雾"}
    sign_in(cast.chen).post(reverse("quality:disturbances"), sent)
    assert Disturbance.objects.get().places == ["黄梅", "麻城"]


def test_nobody_is_told_of_what_is_over(cast, sign_in):
    before = f"{localdate() - timedelta(days=3)}"
    sent = {"office": cast.wuhan.pk, "first": before, "last": before}
    sent |= {"cause": "weather", "note": "大雾", "sms": "可能延误"}
    page = sign_in(cast.chen).post(reverse("quality:disturbances"), sent)
    assert "sms" in page.context["form"].errors


def test_an_item_says_what_excuses_it(cast, sign_in):
    number = make.item(cast.wuhan, promised_at="2026-10-22T18:00+08:00")
    row = disturbed(cast)
    page = sign_in(cast.chen).get(reverse("quality:item", args=[number]))
    assert page.context["disturbance"] == row
    assert now() > row.decided_at
    run_inline(enqueue("delivery.tally"))
