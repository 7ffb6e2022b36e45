"""Bulletins: from the draft to the archive, who sees what, two writers, the files."""

import io
from datetime import date

import docx
import pytest
import python_calamine
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.timezone import localdate, now

from complaints.models import Call
from crm.audit.models import AuditEvent
from crm.dashboards import bulletin_files, bulletins
from crm.dashboards.models import Bulletin, Receipt
from crm.dashboards.periods import span_of
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.notify.models import Message
from tests import factories as make


@pytest.fixture
def boss(cast):
    return make.user("boss", ("supervisor", cast.hubei))


@pytest.fixture
def second(cast):
    return make.user("second", ("supervisor", cast.hubei))


def calls(where, answered: int, lost: int) -> None:
    """Calls of today: so many answered after five seconds, so many never."""
    at = now()
    Call.objects.bulk_create(
        Call(
            office=where,
            call_id=f"{where.code}-{n}",
            rang_at=at,
            answered_at=at if n < answered else None,
            ended_at=at,
        )
        for n in range(answered + lost)
    )


@pytest.fixture
def draft(cast, boss) -> Bulletin:
    calls(cast.wuhan, 36, 4)
    calls(cast.yichang, 20, 20)
    calls(cast.wuchang, 1, 2)
    span = span_of("month", localdate())
    row = Bulletin(
        office=cast.hubei,
        title="服务质量通报",
        kind=span.kind,
        first=span.first,
        last=span.last,
        kpis=["service_level", "abandon_rate"],
    )
    return bulletins.make(row, by=boss, units=[cast.wuhan, cast.yichang])


def published(draft, boss, second) -> Bulletin:
    return bulletins.publish(bulletins.approve(draft, by=second), by=boss)


def test_a_draft_has_units_in_order_and_the_failing_by_name(draft):
    level, lost = draft.tables
    assert level["whole"] == pytest.approx(100 * 57 / 83)
    assert [line["office"] for line in level["lines"]] == ["武汉市", "宜昌市"]
    assert level["failing"] == ["宜昌市"]
    assert [line["office"] for line in lost["lines"]] == [
        "武汉市",
        "宜昌市",
    ]  # low first
    assert lost["failing"] == ["武汉市", "宜昌市"]
    assert not draft.is_final


def test_few_rows_have_no_place_and_fewer_than_five_people_no_figure(cast, boss, draft):
    make.visit(make.customer(cast.wuchang), days=0)
    row = Bulletin(
        office=cast.wuhan,
        title="武汉",
        kind=draft.kind,
        first=draft.first,
        last=draft.last,
        kpis=["service_level", "visit_coverage"],
    )
    made = bulletins.make(row, by=boss, units=[cast.wuchang])
    of_calls, of_visits = (table["lines"][0] for table in made.tables)
    assert (of_calls["top"], of_calls["bottom"], of_calls["is_few"]) == (1, 3, True)
    assert (of_visits["value"], of_visits["top"], of_visits["is_few"]) == (
        None,
        None,
        True,
    )
    assert [table["failing"] for table in made.tables] == [[], []]


def test_it_is_approved_by_another_numbered_and_sent_to_its_units(
    cast, boss, second, draft
):
    with pytest.raises(Refused) as refusal:
        bulletins.approve(draft, by=boss)
    assert refusal.value.code == "bulletin.same"
    with pytest.raises(Refused):
        bulletins.publish(draft, by=boss)
    row = published(draft, boss, second)
    again = bulletins.publish(row, by=boss)
    assert (row.number, again.number) == (1, 1)
    receivers = set(row.receipts.values_list("user__username", flat=True))
    assert {"boss", "second", cast.chen.username, cast.mei.username} <= receivers
    told = Message.objects.filter(key=f"bulletin:{row.pk}:{cast.chen.pk}")
    assert told.count() == 1
    assert Receipt.objects.filter(bulletin=row, user=cast.chen, read_at=None).exists()


def test_opening_it_is_a_receipt_once(client, cast, boss, second, draft):
    row = published(draft, boss, second)
    make.sign_in(client, cast.chen)
    assert "武汉市" in client.get(row.get_absolute_url()).content.decode()
    first = row.receipts.get(user=cast.chen).read_at
    assert first
    client.get(row.get_absolute_url())
    assert row.receipts.get(user=cast.chen).read_at == first
    make.sign_in(client, boss)
    page = client.get(row.get_absolute_url())
    assert page.context["read"] == 2
    archived = bulletins.archive(row, by=boss)
    assert bulletins.archive(archived, by=boss).state == "archived"
    make.sign_in(client, cast.chen)
    assert client.get(row.get_absolute_url()).status_code == 200


def test_a_draft_is_closed_to_its_units_and_to_sisters(
    client, cast, boss, second, draft
):
    for who in (cast.chen, cast.mei, cast.zhao, cast.zheng):
        make.sign_in(client, who)
        assert client.get(draft.get_absolute_url()).status_code == 404
        listed = client.get(reverse("dashboards:bulletins")).content.decode()
        assert draft.title not in listed
        act = reverse("dashboards:bulletin_act", args=[draft.pk])
        assert client.post(act, {"act": "publish"}).status_code in (403, 404)
    stranger = make.user("stranger", ("supervisor", cast.wuchang))
    row = published(draft, boss, second)
    make.sign_in(client, stranger)  # a county that is no unit of it
    assert client.get(row.get_absolute_url()).status_code == 404


def test_two_writers_are_told_and_neither_text_is_lost(client, boss, second, draft):
    words = {
        "title": draft.title,
        "opening": "甲",
        "closing": "",
        "version": draft.version,
    }
    make.sign_in(client, boss)
    assert client.post(draft.get_absolute_url(), words).status_code == 302
    make.sign_in(client, second)
    late = client.post(draft.get_absolute_url(), words | {"opening": "乙"})
    assert late.status_code == 422
    assert "乙" in late.content.decode()
    draft.refresh_from_db()
    assert draft.opening == "甲"
    again = words | {"opening": "乙", "version": late.context["version"]}
    assert client.post(draft.get_absolute_url(), again).status_code == 302
    draft.refresh_from_db()
    assert draft.opening == "乙"


def test_an_edit_voids_the_approval_and_a_published_one_is_closed(boss, second, draft):
    row = bulletins.approve(draft, by=second)
    facts = {"title": "新", "opening": "", "closing": ""}
    row = bulletins.edit(row, by=boss, facts=facts, version=row.version)
    assert (row.state, row.approved_by) == ("draft", None)
    row = published(row, boss, second)
    with pytest.raises(Refused) as refusal:
        bulletins.edit(row, by=boss, facts=facts, version=row.version)
    assert refusal.value.code == "bulletin.state"
    with pytest.raises(Refused):
        bulletins.count_anew(row, by=boss)


def test_who_changed_it_last_does_not_approve_it_nor_what_nobody_read(
    client, cast, boss, second, draft
):
    facts = {"title": "新", "opening": "", "closing": ""}
    row = bulletins.edit(draft, by=second, facts=facts, version=draft.version)
    with pytest.raises(Refused) as refusal:
        bulletins.approve(row, by=second)
    assert refusal.value.code == "bulletin.same"
    third = make.user("third", ("supervisor", cast.hubei))
    make.sign_in(client, third)
    act = reverse("dashboards:bulletin_act", args=[row.pk])
    client.post(act, {"act": "approve", "version": row.version - 1})
    row.refresh_from_db()
    assert row.state == "draft"
    client.post(act, {"act": "approve", "version": row.version})
    row.refresh_from_db()
    assert (row.state, row.approved_by) == ("approved", third)


def test_figures_are_taken_anew_into_a_draft_only(cast, boss, draft):
    Call.objects.filter(
        office__in=[cast.wuhan, cast.wuchang], answered_at=None
    ).delete()
    assert bulletins.count_anew(draft, by=boss).tables[0]["lines"][0]["value"] == 100


def test_the_files_are_made_by_a_worker_and_each_download_is_told(
    client, cast, boss, second, draft
):
    row = published(draft, boss, second)
    url = reverse("dashboards:bulletin_file", args=[row.pk, "pdf"])
    make.sign_in(client, cast.chen)
    assert client.get(url).status_code == 404  # not made yet
    run_inline(Job.objects.get(key=f"bulletin:{row.pk}"))
    answer = client.get(url)
    assert b"".join(answer.streaming_content).startswith(b"%PDF")
    word = client.get(reverse("dashboards:bulletin_file", args=[row.pk, "docx"]))
    book = docx.Document(io.BytesIO(b"".join(word.streaming_content)))
    text = "\n".join(line.text for line in book.paragraphs)
    assert row.title in text
    assert "未达标1个单位：宜昌市" in text
    assert [cell.text for cell in book.tables[0].rows[1].cells][:2] == ["1", "武汉市"]
    assert AuditEvent.objects.filter(action="bulletin.fetched").count() == 2
    assert client.get(url.replace("pdf", "exe")).status_code == 404


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"kpis": []}, "kpis"),
        ({"kpis": ["nonsense"]}, "kpis"),
        ({"title": ""}, "title"),
        ({"day": "2026-02-30"}, "day"),
        ({"day": "2019-01-01"}, "day"),
        ({"office": "0"}, "office"),
    ],
)
def test_a_bad_question_is_told_beside_its_field(
    client, cast, boss, draft, sent, field
):
    make.sign_in(client, boss)
    whole = {
        "office": cast.hubei.pk,
        "title": "通报",
        "kind": "month",
        "day": f"{localdate()}",
        "kpis": ["service_level"],
    }
    answer = client.post(reverse("dashboards:bulletins"), whole | sent)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert Bulletin.objects.count() == 1


def test_a_form_sent_twice_makes_one_draft(client, cast, boss, draft):
    make.sign_in(client, boss)
    sent = {
        "office": cast.hubei.pk,
        "title": "通报",
        "kind": "month",
        "day": f"{localdate()}",
        "kpis": ["service_level"],
        "token": "11111111-1111-4111-8111-111111111111",
    }
    for _time in range(2):
        assert client.post(reverse("dashboards:bulletins"), sent).status_code == 302
    assert Bulletin.objects.filter(title="通报").count() == 1


def test_four_eyes_and_numbers_stand_in_the_table(cast, boss, second, draft):
    with pytest.raises(IntegrityError), transaction.atomic():
        Bulletin.objects.filter(pk=draft.pk).update(approved_by=boss)
    with pytest.raises(IntegrityError), transaction.atomic():
        Bulletin.objects.filter(pk=draft.pk).update(state="published")


def test_sections_are_numbered_as_officials_do():
    numbers = [bulletin_files.numeral(n) for n in (1, 10, 11, 12)]
    assert numbers == ["一", "十", "十一", "十二"]


def test_a_period_of_the_past_has_its_days(draft):
    assert draft.span == span_of("month", localdate())
    assert date(2026, 1, 1) < draft.span.first


def test_the_workbook_has_the_boards_cells(client, cast, boss, draft):
    make.sign_in(client, boss)
    query = {"office": cast.hubei.code, "kind": "month", "day": f"{localdate()}"}
    answer = client.get(reverse("dashboards:export"), query)
    assert answer.status_code == 200

    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(answer.content))
    rows = book.get_sheet_by_index(0).to_python()
    labels = ("20 秒内接通率", "Answered within 20 seconds")
    line = next(row for row in rows if row[0] in labels)
    assert line[6:8] == [57, 83]
    assert line[2] == pytest.approx(100 * 57 / 83)
    assert "导出" in rows[1][0] or "exported" in rows[1][0]
    units = book.get_sheet_by_index(1).to_python()
    assert {"武汉市", "宜昌市"} <= {row[0] for row in units}
    assert AuditEvent.objects.filter(action="kpi.exported").count() == 1
    make.sign_in(client, cast.chen)
    assert client.get(reverse("dashboards:export"), query).status_code == 404
