"""Inspections, probe mail, and cards that nobody scans."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import localdate, now

from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.notify.models import Message
from delivery import improving
from delivery.models import (
    CardBatch,
    CardReturn,
    CardSample,
    Check,
    Improvement,
    Inspection,
)
from delivery.quality import batches, inspecting
from tests import factories as make

DAY = date(2026, 11, 2)


def planned(cast, kind: str = "site", **facts) -> Inspection:
    facts = {"title": "视检", "planned_on": DAY, "inspector": cast.guo} | facts
    row = Inspection(kind=kind, office=cast.wuchang, **facts)
    return inspecting.plan(row, by=cast.chen)


def point(row: Inspection, by, **facts) -> Check:
    check = Check(**{"what": "营业时间公示"} | facts)
    return inspecting.add_check(row, check, by=by)


def test_who_inspects_is_told_and_finds_the_points_of_the_last_time(cast):
    first = planned(cast)
    assert Message.objects.filter(
        to_user=cast.guo, url=first.get_absolute_url()
    ).exists()
    check = point(first, cast.guo, expected="门口可见")
    inspecting.note(first, check, by=cast.guo, verdict="missed", actual="没有")
    inspecting.end(first, by=cast.guo, summary="整改")
    again = planned(cast)
    (copied,) = again.checks.all()
    assert (copied.what, copied.expected, copied.verdict) == (
        "营业时间公示",
        "门口可见",
        "",
    )
    assert not planned(cast, "probe").checks.exists()
    assert not planned(cast, "desk").checks.exists()


@pytest.mark.parametrize("kind", ["desk", "care"])
def test_the_call_centre_and_customer_management_are_inspected_too(cast, sign_in, kind):
    first = planned(cast, kind)
    check = point(first, cast.guo, what="接通率公示", expected="每月公示")
    client = sign_in(cast.guo)
    page = client.get(first.get_absolute_url()).content.decode()
    assert f"c{check.pk}-actual_on" not in page  # no test letter
    inspecting.note(first, check, by=cast.guo, verdict="met", actual="已公示")
    inspecting.end(first, by=cast.guo, summary="符合")
    assert planned(cast, kind).checks.get().what == "接通率公示"
    found = dict(inspecting.shares(Inspection.objects.visible_to(cast.chen)))
    share = found[str(Inspection.Kind(kind).label)]
    assert (share.numerator, share.denominator) == (1, 1)


def test_a_test_letter_is_judged_by_its_day(cast):
    number = make.item(
        cast.wuhan, "2026-10-12T09:00+08:00", promised_at="2026-10-15T18:00+08:00"
    )
    row = planned(cast, "probe")
    letter = point(row, cast.guo, what="收件人甲", waybill=number)
    assert letter.expected_on == date(2026, 10, 15)  # the item's limit
    noted = inspecting.note(row, letter, by=cast.guo, actual_on=date(2026, 10, 15))
    assert noted.verdict == "met"
    late = point(row, cast.guo, what="收件人乙", expected_on=DAY)
    noted = inspecting.note(row, late, by=cast.guo, actual_on=DAY)
    assert noted.verdict == "met"
    # A correction of the day is judged anew, whatever is said of it.
    noted = inspecting.note(row, late, by=cast.guo, actual_on=DAY + timedelta(days=1))
    assert noted.verdict == "missed"
    forced = {"actual_on": DAY + timedelta(days=1), "verdict": "met"}
    assert inspecting.note(row, late, by=cast.guo, **forced).verdict == "missed"
    with pytest.raises(Refused) as refusal:
        inspecting.note(row, point(row, cast.guo), by=cast.guo, actual="?")
    assert refusal.value.code == "check.verdict"
    with pytest.raises(Refused) as refusal:
        point(row, cast.guo, waybill=number)
    assert refusal.value.code == "check.twice"


def test_it_ends_once_every_point_is_noted_and_then_stays(cast):
    row = planned(cast)
    with pytest.raises(Refused) as refusal:
        inspecting.end(row, by=cast.guo, summary="")
    assert refusal.value.code == "inspection.open"
    check = point(row, cast.guo)
    spare = point(row, cast.guo, what="多余")
    inspecting.note(row, check, by=cast.guo, verdict="met")
    with pytest.raises(Refused):
        inspecting.end(row, by=cast.guo, summary="")
    inspecting.take_away(row, spare, by=cast.guo)
    with pytest.raises(Refused):
        inspecting.take_away(row, check, by=cast.guo)
    inspecting.end(row, by=cast.guo, summary="合格")
    for late in (
        lambda: point(row, cast.guo),
        lambda: inspecting.note(row, check, by=cast.guo, verdict="missed"),
        lambda: inspecting.end(row, by=cast.guo, summary=""),
    ):
        with pytest.raises(Refused) as refusal:
            late()
        assert refusal.value.code == "inspection.ended"
    found = dict(inspecting.shares(Inspection.objects.all()))
    site, probe = (
        found[str(Inspection.Kind(kind).label)] for kind in ("site", "probe")
    )
    assert (site.numerator, site.denominator, probe.denominator) == (1, 1, 0)


def test_a_finding_leads_to_an_improvement_and_the_next_look_tells(cast, sign_in):
    row = planned(cast)
    check = point(row, cast.guo)
    due = localdate() + timedelta(days=7)
    facts = {"what": "补贴公示牌", "owner": cast.yong, "due_on": due}
    with pytest.raises(Refused) as refusal:
        improving.mend(check, by=cast.guo, **facts)
    assert refusal.value.code == "finding.met"
    inspecting.note(row, check, by=cast.guo, verdict="missed")
    check.refresh_from_db()
    better = improving.mend(check, by=cast.guo, **facts)
    with pytest.raises(Refused) as refusal:
        improving.mend(check, by=cast.guo, **facts)
    assert refusal.value.code == "finding.again"
    improving.finish(better, by=cast.yong, words="已补贴")
    with pytest.raises(PermissionDenied):
        improving.judge(better, by=cast.yong, helps=True, words="x")
    better.refresh_from_db()
    again = planned(cast)
    second = point(again, cast.guo)
    inspecting.note(again, second, by=cast.guo, verdict="met")
    assert improving.verdicts_since([better])[better.pk].verdict == "met"
    page = sign_in(cast.guo).get(reverse("delivery:improvements")).content.decode()
    assert "补贴公示牌" in page
    improving.judge(better, by=cast.guo, helps=True, words="复查合格")
    better.refresh_from_db()
    assert better.is_effective


def test_the_pages_lead_from_the_plan_to_the_improvement(cast, sign_in):
    client = sign_in(cast.guo)
    handler = make.user("wuchang.h", ("handler", cast.wuchang))
    url = reverse("quality:inspections")
    sent = {
        "kind": "site",
        "office": cast.wuchang.pk,
        "title": "十一月视检",
        "planned_on": "2026-11-02",
        "inspector": "guo",
        "token": "6fe3b0a4-7a49-4dc8-9d0a-0f1b6c7c1a11",
    }
    page = client.post(url, sent)
    assert page.status_code == 302, page.context["form"].errors
    assert client.post(url, sent).url == page.url
    row = Inspection.objects.get()
    client.post(page.url, {"what": "台席整洁", "expected": "无杂物"})
    check = row.checks.get()
    note = reverse("quality:check_note", args=[row.pk, check.pk])
    name = f"c{check.pk}-"
    answer = client.post(note, {name + "actual": "有杂物"})
    assert answer.status_code == 422
    assert "有杂物" in answer.content.decode()
    picture = SimpleUploadedFile("a.jpg", make.picture(), "image/jpeg")
    found = {name + "actual": "有杂物", name + "verdict": "missed"}
    assert client.post(note, found | {name + "photo": picture}).status_code == 302
    shown = client.get(reverse("quality:check_photo", args=[row.pk, check.pk]))
    assert shown.headers["Content-Type"] == "image/jpeg"
    assert AuditEvent.objects.filter(action="inspection.photo_seen").exists()
    mend = reverse("quality:check_mend", args=[row.pk, check.pk])
    name = f"m{check.pk}-"
    wrong = client.post(mend, {name + "what": "清理", name + "due_on": "2020-01-01"})
    assert wrong.status_code == 422
    good = {name + "what": "清理", name + "owner": "wuchang.h"}
    good[name + "due_on"] = f"{localdate()}"
    assert client.post(mend, good).status_code == 302
    assert Improvement.objects.get().owner == handler
    client.post(reverse("quality:inspection_end", args=[row.pk]), {"summary": "见整改"})
    row.refresh_from_db()
    assert row.state == "done"


def test_no_more_questions_for_more_findings(cast, sign_in):
    row = planned(cast)
    client = sign_in(cast.guo)
    asked = []
    for number in (1, 8):
        for serial in range(number):
            check = point(row, cast.guo, what=f"项目{number}-{serial}")
            inspecting.note(row, check, by=cast.guo, verdict="missed")
        client.get(row.get_absolute_url())
        with CaptureQueriesContext(connection) as found:
            client.get(row.get_absolute_url())
            client.get(reverse("quality:inspections"))
        asked.append(len(found))
    assert asked[0] == asked[1] <= 30


def test_no_picture_no_photo(cast, sign_in):
    row = planned(cast)
    check = point(row, cast.guo)
    note = reverse("quality:check_note", args=[row.pk, check.pk])
    name = f"c{check.pk}-"
    text = SimpleUploadedFile("a.jpg", b"no picture", "image/jpeg")
    page = sign_in(cast.guo).post(note, {name + "verdict": "met", name + "photo": text})
    assert page.status_code == 422
    check.refresh_from_db()
    assert check.verdict == ""


def test_the_inspected_look_on_and_the_next_door_sees_nothing(cast, sign_in):
    row = planned(cast)
    check = point(row, cast.guo)
    inspected = sign_in(make.user("wuchang.h", ("handler", cast.wuchang)))
    # Who knows a test letter treats it well: they read of it once it is over.
    assert inspected.get(row.get_absolute_url()).status_code == 404
    note = reverse("quality:check_note", args=[row.pk, check.pk])
    assert inspected.post(note, {}).status_code == 403
    inspecting.note(row, check, by=cast.guo, verdict="met")
    inspecting.end(row, by=cast.guo, summary="")
    assert inspected.get(row.get_absolute_url()).status_code == 200
    assert inspected.post(row.get_absolute_url(), {"what": "x"}).status_code == 403
    stranger = sign_in(cast.mei)
    assert stranger.get(row.get_absolute_url()).status_code == 404
    assert stranger.post(note, {f"c{check.pk}-verdict": "met"}).status_code == 404


# --- cards --------------------------------------------------------------------------------


def cards(cast, **facts) -> CardBatch:
    facts = {"code": "HK-1", "posted_on": DAY, "pieces": 1000} | facts
    return batches.keep(CardBatch(office=cast.wuhan, **facts), by=cast.chen)


def test_a_batch_is_told_by_pieces_and_samples(cast):
    row = cards(cast, checked=800, faulty=40, is_presorted=True, saved_hours=6)
    other = cards(cast, code="HK-2", pieces=3000)
    for batch, cause, pieces in ((row, "address", 30), (other, "recipient", 10)):
        batches.came_back(
            batch, CardReturn(day=DAY, cause=cause, pieces=pieces), by=cast.chen
        )
    sample = CardSample(kind="calls", day=DAY, asked=50, arrived=48, in_time=45)
    batches.sampled(row, sample, by=cast.guo)
    found = batches.figures(CardBatch.objects.all())
    assert (found.returned.numerator, found.returned.denominator) == (40, 4000)
    assert [share.numerator for _cause, share in found.by_cause] == [30, 10]
    assert (found.arrived.percent, found.in_time.percent) == (96, 90)
    assert (found.checked.percent, found.faulty.percent) == (20, 5)
    assert found.saved_hours == 6


def test_no_more_comes_back_than_was_posted(cast):
    row = cards(cast, code="HK-0", pieces=10)
    back = CardReturn(day=DAY, cause="address", pieces=6)
    batches.came_back(row, back, by=cast.chen)
    with pytest.raises(Refused) as refusal:
        batches.came_back(
            row, CardReturn(day=DAY, cause="address", pieces=5), by=cast.chen
        )
    assert refusal.value.code == "batch.more"
    cards(cast)
    with pytest.raises(Refused) as refusal:
        cards(cast)
    assert refusal.value.code == "batch.twice"


def test_the_database_knows_the_numbers_too(cast):
    row = cards(cast)
    wrong = {"asked": 5, "arrived": 6, "in_time": 1}
    with pytest.raises(IntegrityError), transaction.atomic():
        CardSample.objects.create(
            batch=row, kind="calls", day=DAY, made_by=cast.chen, **wrong
        )
    with pytest.raises(IntegrityError), transaction.atomic():
        CardBatch.objects.filter(pk=row.pk).update(checked=2000)
    with pytest.raises(IntegrityError), transaction.atomic():
        Improvement.objects.create(
            office=cast.wuhan, owner=cast.chen, due_on=DAY, what="x", made_by=cast.chen
        )


def batch_post(cast, **facts) -> dict:
    values = {"office": cast.wuhan.pk, "code": "HK-9", "posted_on": "2026-11-02"}
    values |= {"pieces": "500", "checked": "400", "faulty": "10", "saved_hours": "0"}
    return values | facts


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"pieces": "0"}, "pieces"),
        ({"checked": "600"}, "checked"),
        ({"faulty": "401"}, "faulty"),
        ({"posted_on": "2999-01-01"}, "posted_on"),
        ({"customer": "nobody"}, "customer"),
        ({"code": ""}, "code"),
    ],
)
def test_a_bad_batch_is_refused_beside_its_field(cast, sign_in, facts, field):
    page = sign_in(cast.chen).post(
        reverse("quality:batches"), batch_post(cast, **facts)
    )
    assert page.status_code == 422
    assert field in page.context["form"].errors


def test_the_pages_of_batches(cast, sign_in):
    client = sign_in(cast.zhao)
    customer = make.customer(cast.wuhan, manager=cast.zhao)
    url = reverse("quality:batches")
    made = client.post(url, batch_post(cast, customer=customer.code))
    assert made.status_code == 302
    row = CardBatch.objects.get()
    client.post(made.url, {"day": "2026-11-05", "cause": "address", "pieces": "12"})
    early = {"day": "2026-11-01", "cause": "address", "pieces": "1"}
    assert client.post(made.url, early).status_code == 422
    sample = {"kind": "letters", "day": "2026-11-06", "asked": "5", "arrived": "6"}
    assert client.post(made.url, sample | {"in_time": "1"}).status_code == 422
    ok = sample | {"arrived": "5", "in_time": "4"}
    assert client.post(made.url, ok).status_code == 302
    assert (row.returns.get().pieces, row.samples.get().in_time) == (12, 4)
    question = {"since": "2026-11-01", "until": "2026-11-30"}
    page = client.get(url, question)
    assert page.context["figures"].returned.numerator == 12
    stranger = make.user("zhao2", ("manager", cast.wuhan))
    assert sign_in(stranger).get(made.url).status_code == 404
    assert now() >= row.made_at
