"""Lists that customers entrust to us: cleansed, kept in versions, handed back, destroyed."""

import csv
import io
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import localdate

from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.jobs.running import run, run_inline
from crm.jobs.services import enqueue
from crm.transfer import services as transfer
from crm.transfer.models import Import
from customers import exporting, merging, privacy, recipients
from customers.models import (
    Customer,
    Export,
    Recipient,
    RecipientList,
    RecipientVersion,
    Task,
)
from tests import factories as make
from tests.transfer.test_customers import bring_in, counts, file_of

HEADER = ["编号", "收件人", "省", "市", "区县", "地址", "电话", "邮编"]
PLACE = ["湖北省", "武汉市", "武昌区"]
ROWS = [
    ["1", "王小明", *PLACE, "中山路1号", "13800138001", "430060"],
    ["2", "李梅", *PLACE, "中山路", "", ""],
    ["3", "赵强", "", "", "", "中山路3号", "12", ""],
    ["4", "王小明", *PLACE, "解放路9号", "13800138001", ""],
    ["5", "孙丽", *PLACE, "中山路5号", "", "510000"],
    ["6", "王小明", "", "", "", "武汉市武昌区中山路1号", "13800138001", "430060"],
    ["7", "", *PLACE, "中山路7号", "", ""],
]


@pytest.fixture
def firm(cast) -> Customer:
    return make.customer(cast.wuhan, manager=cast.zhao)


@pytest.fixture
def listed(firm) -> RecipientList:
    return make.recipient_list(firm)


def bring(listed: RecipientList, rows: list[list[str]], whole: bool = True) -> Import:
    return bring_in(
        file_of(rows, HEADER),
        listed.customer.office,
        target="recipients",
        list=listed.pk,
        whole=whole,
    )


def people(listed: RecipientList) -> dict[str, tuple[str, list[str]]]:
    """Their number → class and flaws, in the newest version."""
    rows = recipients.current(listed)
    return {row.ref: (row.quality, sorted(row.flaws)) for row in rows}


def at(listed: RecipientList, number: int) -> set[str]:
    """The numbers of the recipients that a version has."""
    rows = Recipient.objects.filter(recipient_list=listed, since__lte=number)
    return {row.ref for row in rows if row.until is None or row.until > number}


def test_a_file_becomes_a_version_and_each_address_is_judged(listed):
    assert counts(bring(listed, ROWS)) == (7, 5, 1, 1)
    assert people(listed) == {
        "1": ("B", ["twice"]),
        "2": ("C", ["number"]),
        "3": ("C", ["phone", "region"]),
        "4": ("B", ["twice"]),
        "5": ("C", ["postcode"]),
    }
    version = RecipientVersion.objects.get()
    assert (version.recipients, version.added, version.left) == (5, 5, 0)
    assert version.by_class == {"B": 2, "C": 3}
    assert version.flaws == {
        "twice": 2, "number": 1, "phone": 1, "region": 1, "postcode": 1,
    }  # fmt: skip
    listed.customer.refresh_from_db()
    assert listed.customer.list_state == "inaccurate"


# What the lists of real clients suffer from: (cells put in, what the answer names). A text
# is the reason why the row stays out, a set the flaws that its address keeps (class C).
DAMAGE = [
    ({"收件人": ""}, "missing"),
    ({"收件人": "  \u3000"}, "missing"),
    ({"收件人": "同上"}, "ditto"),
    ({"收件人": "〃"}, "ditto"),
    ({"收件人": "不详"}, "no_name"),
    ({"收件人": "NULL"}, "no_name"),
    ({"收件人": "#N/A"}, "error_cell"),
    ({"收件人": "长" * 61}, "too_long"),
    ({"收件人": "王\x07明"}, "control"),
    ({"收件人": "王\ufffd明"}, "control"),
    ({"编号": "7" * 41}, "too_long"),
    ({"地址": ""}, "missing"),
    ({"地址": "同上"}, "ditto"),
    ({"地址": "#REF!"}, "error_cell"),
    ({"地址": "路" * 201}, "too_long"),
    ({"邮编": "4300601"}, "postcode"),
    ({"电话": "1" * 31}, "too_long"),
    ({"邮编": "43006"}, {"postcode"}),
    ({"邮编": "43OO60"}, {"postcode"}),
    ({"邮编": "510000"}, {"postcode"}),
    ({"电话": "1.38E+10"}, {"phone"}),
    ({"电话": "138001380001"}, {"phone"}),
    ({"电话": "无"}, {"phone"}),
    ({"地址": "中山路", "邮编": ""}, {"number"}),
    ({"地址": "88号", "邮编": ""}, {"road", "number"}),
    ({"省": "", "市": "", "区县": "", "邮编": ""}, {"region"}),
    ({"省": "", "市": "", "区县": "", "地址": "鼓楼区中山路{n}号"}, {"several"}),
]


def test_twenty_seven_kinds_of_damage_are_each_named_and_nobody_is_lost(listed):
    good = dict(
        zip(HEADER, ["", "王{n}明", *PLACE, "中山路{n}号", "", "430060"], strict=True)
    )
    rows, out, flawed = [], {}, {}
    for n in range(1, 1001):
        cells, said = DAMAGE[n // 4 % len(DAMAGE)] if n % 4 == 0 else ({}, set())
        row = {k: v.format(n=n) for k, v in (good | {"编号": str(n)} | cells).items()}
        rows.append([row[name] for name in HEADER])
        if isinstance(said, str):
            out[n] = (next(iter(cells)), said)
        else:
            flawed[str(n)] = said
    rows.append(rows[0])  # the same person at the same place
    rows.append(rows[1][:-1])  # a cell is missing
    out[1002] = ("", "columns")
    batch = bring(listed, rows)
    assert counts(batch) == (1002, len(flawed), 1, len(out))
    found = {row.line - 1: (row.column, row.reason) for row in batch.rejections.all()}
    assert found == out
    judged = people(listed)
    assert {ref: set(said) for ref, (_class, said) in judged.items()} == flawed
    worse = {ref for ref, said in flawed.items() if said - {"phone"}}
    assert {ref for ref, (grade, _said) in judged.items() if grade == "C"} == worse
    version = RecipientVersion.objects.get()
    assert version.recipients == len(flawed)
    assert sum(version.by_class.values()) == len(flawed)


def test_the_next_version_keeps_the_equal_ends_the_missing_and_replaces_the_changed(
    listed,
):
    bring(listed, ROWS[:4])
    changed = [ROWS[1][0], ROWS[1][1], *PLACE, "中山路2号", "", ""]
    bring(listed, [ROWS[0], changed, ["8", "钱进", *PLACE, "中山路8号", "", ""]])
    assert at(listed, 1) == {"1", "2", "3", "4"}
    assert at(listed, 2) == {"1", "2", "8"}
    second = RecipientVersion.objects.get(number=2)
    assert (second.recipients, second.added, second.left) == (3, 2, 3)
    bring(listed, [ROWS[2]], whole=False)
    assert at(listed, 3) == {"1", "2", "3", "8"}
    listed.customer.refresh_from_db()
    assert listed.customer.list_state == "inaccurate"  # 3 of 4 are good, 9 of 10 wanted


def test_the_same_file_may_come_again_and_to_another_list(firm, listed):
    other = make.recipient_list(firm, name="客户答谢")
    bring(listed, ROWS[:2])
    bring(listed, ROWS[2:3])
    assert counts(bring(listed, ROWS[:2])) == (2, 2, 0, 0)
    assert counts(bring(other, ROWS[:2])) == (2, 2, 0, 0)
    assert at(listed, 3) == at(other, 1) == {"1", "2"}


@pytest.mark.parametrize("undone", [1, 2, 3])
def test_any_version_can_be_taken_back_and_the_others_stay_true(listed, undone):
    batches = [
        bring(listed, ROWS[:3]),
        bring(listed, [ROWS[0], ROWS[3]]),
        bring(listed, [ROWS[1], ROWS[4]], whole=False),
    ]
    job = run_inline(transfer.revert_import(batches[undone - 1], by=None).job)
    assert job.state == "done", job.error
    expected = {
        1: {"1", "2", "4", "5"},
        2: {"1", "2", "3", "5"},  # nothing whole came after the first
        3: {"1", "4"},
    }
    assert set(people(listed)) == expected[undone]
    listed.refresh_from_db()
    assert listed.version == (2 if undone == 3 else 3)
    version = RecipientVersion.objects.get(recipient_list=listed, number=listed.version)
    assert version.recipients == len(expected[undone])
    bring(listed, [ROWS[5]])
    assert listed.versions.first().number == 4  # a number is never used again


def test_returned_mail_stays_undeliverable_until_the_address_is_corrected(listed, cast):
    bring(listed, ROWS[:1])
    row = recipients.current(listed).get()
    recipients.report_delivery(row, by=cast.zhao, delivered=False)
    assert people(listed) == {"1": ("D", ["returned"])}
    bring(listed, [ROWS[1]])
    bring(listed, ROWS[:1])  # sent again as it was
    assert people(listed) == {"1": ("D", ["returned"])}
    row = recipients.current(listed).get()
    facts = {name: getattr(row, name) for name in recipients.FACTS}
    recipients.correct(row, by=cast.zhao, facts=facts | {"phone": "027-87654321"})
    assert people(listed) == {"1": ("D", ["returned"])}  # the address is what it was
    row = recipients.current(listed).get()
    facts |= {"address": "武汉市武昌区中山路11号"}
    recipients.correct(row, by=cast.zhao, facts=facts)
    assert people(listed) == {"1": ("B", [])}
    row = recipients.current(listed).get()
    recipients.report_delivery(row, by=cast.zhao, delivered=True)
    assert people(listed) == {"1": ("A", [])}
    assert at(listed, 3) == {"1"}
    listed.customer.refresh_from_db()
    assert listed.customer.list_state == "good"


def test_a_row_that_somebody_changed_meanwhile_is_not_overwritten(listed, cast):
    bring(listed, ROWS[:2])
    row = recipients.current(listed).get(ref="2")
    facts = {name: getattr(row, name) for name in recipients.FACTS}
    recipients.remove(row, by=cast.zhao)
    with pytest.raises(Refused, match="meanwhile"):
        recipients.correct(row, by=cast.chen, facts=facts)
    other = recipients.current(listed).get(ref="1")
    twin = make.recipient(listed, name="王小明", address="武汉市武昌区中山路7号")
    same = {name: getattr(other, name) for name in recipients.FACTS}
    with pytest.raises(Refused, match="already"):
        recipients.correct(twin, by=cast.zhao, facts=same)


def test_the_report_names_lines_and_no_person(client, listed, cast):
    bring(listed, ROWS)
    make.sign_in(client, cast.zhao)
    client.cookies["language"] = "en"
    found = client.get(reverse("customers:recipient_report", args=[listed.pk]))
    content = b"".join(found.streaming_content).decode().removeprefix("\ufeff")
    rows = list(csv.reader(io.StringIO(content)))
    assert rows[0][0] == "Line of your file"
    assert [row[:3] for row in rows[1:]] == [
        ["2", "1", "B"], ["3", "2", "C"], ["4", "3", "C"], ["5", "4", "B"], ["6", "5", "C"],
    ]  # fmt: skip
    for secret in ("王小明", "李梅", "中山路", "138", "解放"):
        assert secret not in content
    assert AuditEvent.objects.filter(action="recipients.reported").count() == 1


def test_the_page_masks_and_the_form_is_audited(client, listed, cast):
    bring(listed, ROWS)
    make.sign_in(client, cast.zhao)
    page = client.get(listed.get_absolute_url()).content.decode()
    for secret in ("王小明", "13800138001", "1号"):
        assert secret not in page
    row = recipients.current(listed).get(ref="1")
    url = reverse("customers:recipient", args=[row.pk])
    assert "王小明" in client.get(url).content.decode()
    assert AuditEvent.objects.filter(action="recipients.read").count() == 1
    flawed = client.get(listed.get_absolute_url(), {"flaw": "twice"})
    assert len(flawed.context["page"].rows) == 2
    for query in ({"flaw": "x"}, {"quality": "E"}):
        assert client.get(listed.get_absolute_url(), query).status_code == 404


def test_only_the_manager_and_the_supervisor_see_a_list(client, listed, cast):
    other = make.user("qian", ("manager", cast.wuhan))
    for who, status in (
        (cast.zhao, 200),
        (cast.chen, 200),
        (other, 404),
        (cast.lin, 403),
    ):
        make.sign_in(client, who)
        assert client.get(listed.get_absolute_url()).status_code == status
    with pytest.raises(PermissionDenied):
        recipients.destroy(listed, by=cast.lin)


def test_a_manager_brings_a_file_in_from_the_lists_page(client, listed, cast):
    make.sign_in(client, cast.zhao)
    url = reverse("customers:recipient_upload", args=[listed.pk])
    assert client.post(url, {}).status_code == 422
    file = io.BytesIO(file_of(ROWS, HEADER))
    file.name = "名单.csv"
    answer = client.post(url, {"file": file, "whole": "on"})
    batch = Import.objects.get()
    assert answer.url == batch.get_absolute_url()
    preview = client.get(batch.get_absolute_url()).content.decode()
    assert "王小明" not in preview
    data = {f"map-{i}": batch.mapping[name] for i, name in enumerate(batch.columns)}
    client.post(reverse("transfer:start", args=[batch.pk]), data)
    batch.refresh_from_db()
    run_inline(batch.job)
    assert recipients.current(listed).count() == 5
    done = client.get(batch.get_absolute_url()).content.decode()
    assert listed.get_absolute_url() in done
    other = io.BytesIO(b"a,b\n1,2\n")
    other.name = "usage.csv"
    new = reverse("transfer:new")
    assert client.post(new, {"target": "usage", "file": other}).status_code == 403


def test_a_list_of_another_office_cannot_be_filled(cast, listed):
    batch = transfer.upload(
        io.BytesIO(file_of(ROWS, HEADER)),
        by=None,
        office=cast.yichang,
        target="recipients",
        file_name="x.csv",
        options={"list": listed.pk, "whole": True},
    )
    batch = transfer.start_import(batch, by=None, mapping=batch.mapping)
    assert run_inline(batch.job).state != "done"
    assert not Recipient.objects.exists()


def test_handing_back_takes_two_people_and_destroying_takes_everything(
    client, listed, cast
):
    batch = bring(listed, ROWS)
    row = exporting.request_hand_back(listed, by=cast.zhao, reason="合同到期")
    with pytest.raises(Refused, match="already"):
        exporting.request_hand_back(listed, by=cast.chen, reason="再来")
    row = exporting.decide_export(row, by=cast.chen, approve=True)
    assert run_inline(row.job).state == "done"
    content = exporting.fetch_export(Export.objects.get(), by=cast.zhao)
    assert "王小明" in content
    assert "中山路1号" in content
    make.sign_in(client, cast.zhao)
    url = reverse("customers:recipient_destroy", args=[listed.pk])
    assert client.post(url, {"typed": "别的"}).status_code == 422
    assert client.post(url, {"typed": listed.name}).status_code == 302
    assert not Recipient.objects.exists()
    assert not batch.path.exists()
    assert not Export.objects.get().path.exists()
    assert not batch.rejections.exists()
    listed.refresh_from_db()
    assert listed.closed_by == cast.zhao
    assert RecipientVersion.objects.get().recipients == 5  # the proof stays
    with pytest.raises(Refused, match="destroyed"):
        recipients.destroy(listed, by=cast.zhao)
    assert client.post(url, {"typed": listed.name}).status_code == 422
    page = client.get(listed.get_absolute_url())
    assert not page.context["may_keep"]


def test_the_end_of_the_agreement_warns_and_then_destroys(listed, cast):
    bring(listed, ROWS)
    RecipientList.objects.update(ends_on=localdate() + timedelta(days=20))
    for _night in range(2):
        run_inline(enqueue("customers.watch"))
    assert Task.objects.get(kind="list_end").assignee == cast.zhao
    RecipientList.objects.update(ends_on=localdate() - timedelta(days=30))
    run_inline(enqueue("customers.retain"))
    assert Recipient.objects.exists()
    RecipientList.objects.update(ends_on=localdate() - timedelta(days=31))
    Customer.objects.update(legal_hold=True)
    run_inline(enqueue("customers.retain"))
    assert Recipient.objects.exists()
    Customer.objects.update(legal_hold=False)
    run_inline(enqueue("customers.retain"))
    assert not Recipient.objects.exists()


def test_erasing_a_customer_destroys_its_lists_and_a_merge_takes_them_along(cast, firm):
    twin = make.customer(cast.wuhan, manager=cast.zhao)
    listed = make.recipient_list(twin)
    bring(listed, ROWS)
    merge = merging.merge(firm, twin, by=None)
    assert firm.recipient_lists.get() == listed
    merging.undo(merge, by=None)
    assert twin.recipient_lists.get() == listed
    privacy.erase(twin, by=None, reason="要求")
    assert not Recipient.objects.exists()


def test_a_list_is_opened_on_the_customers_page_and_mistakes_are_told(
    client, firm, cast
):
    make.sign_in(client, cast.zhao)
    url = reverse("customers:panel", args=[firm.pk, "lists"])
    data = {"name": "贺卡", "purpose": "寄贺卡", "agreement": "W1", "at_end": "return"}
    late = client.post(url, data | {"ends_on": "2020-01-01"})
    assert late.status_code == 422
    good = data | {"ends_on": str(localdate() + timedelta(days=9))}
    for _time in range(2):
        sent = good | {"token": "5f0c2f6e-5a52-4f0e-8f43-0d9b3f1c7a11"}
        assert client.post(url, sent).status_code == 200
    listed = RecipientList.objects.get()
    assert client.post(url, good).status_code == 422
    assert listed.get_absolute_url() in client.get(url).content.decode()
    make.sign_in(client, cast.lin)
    seen = client.get(url).content.decode()
    assert "贺卡" in seen
    assert listed.get_absolute_url() not in seen
    assert client.post(url, good | {"name": "别的"}).status_code == 403


def test_a_hand_back_goes_to_nobody_who_may_not_see_the_list_any_more(listed, cast):
    bring(listed, ROWS)
    row = exporting.request_hand_back(listed, by=cast.zhao, reason="合同到期")
    row = exporting.decide_export(row, by=cast.chen, approve=True)
    assert run_inline(row.job).state == "done"
    Customer.objects.update(manager=None)
    with pytest.raises(PermissionDenied):
        exporting.fetch_export(Export.objects.get(), by=cast.zhao)


def test_destroying_forgets_files_that_were_never_started_and_their_headers(
    client, listed, cast
):
    batch = transfer.upload(
        io.BytesIO(file_of(ROWS, HEADER)),
        by=cast.zhao,
        office=cast.wuhan,
        target="recipients",
        file_name="x.csv",
        options={"list": listed.pk},
    )
    recipients.destroy(listed, by=cast.zhao)
    batch.refresh_from_db()
    assert not batch.path.exists()
    assert (batch.columns, batch.state) == ([], "failed")
    make.sign_in(client, cast.zhao)
    assert client.get(batch.get_absolute_url()).status_code == 200


def test_a_correction_during_an_import_is_newer_than_its_file(
    listed, cast, monkeypatch
):
    monkeypatch.setattr("crm.transfer.importing.CHUNK", 1)
    bring(listed, ROWS[:2])
    changed = [ROWS[1][0], ROWS[1][1], *PLACE, "中山路", "13800138077", ""]
    batch = transfer.upload(
        io.BytesIO(file_of([ROWS[4], changed], HEADER)),
        by=None,
        office=cast.wuhan,
        target="recipients",
        file_name="x.csv",
        options={"list": listed.pk, "whole": False},
    )
    batch = transfer.start_import(batch, by=None, mapping=batch.mapping)
    monkeypatch.setattr("crm.jobs.running.SLICE_SECONDS", -1)
    run(batch.job.pk)  # the first row only
    row = recipients.current(listed).get(ref="2")
    facts = {name: getattr(row, name) for name in recipients.FACTS}
    recipients.correct(row, by=cast.zhao, facts=facts | {"postcode": "430060"})
    assert run_inline(batch.job).state == "done"
    found = recipients.current(listed).get(ref="2")
    assert (found.postcode, found.phone) == ("430060", "")


def test_a_legal_hold_keeps_every_recipient(listed, cast):
    batch = bring(listed, ROWS)
    Customer.objects.update(legal_hold=True)
    with pytest.raises(Refused, match="legal hold"):
        transfer.revert_import(batch, by=cast.chen)
    assert recipients.current(listed).count() == 5


@pytest.mark.parametrize(
    "content",
    [
        "姓名\r地址\r王秀英\r武汉".encode(),
        ("a" * 33_000 + ",地址\n1,2\n").encode(),
        "赵铁柱,武汉市中山路7号,13912345678\n李,武汉,13912345679\n".encode(),
        "姓名,地址\n".encode() + b"x" * 70_000 + b"\x00,y\n",
    ],
)
def test_a_file_that_is_no_table_is_told_so_and_nothing_of_it_is_kept(
    client, listed, cast, content, settings
):
    make.sign_in(client, cast.zhao)
    file = io.BytesIO(content)
    file.name = "x.csv"
    url = reverse("customers:recipient_upload", args=[listed.pk])
    answer = client.post(url, {"file": file, "whole": "on"})
    assert answer.status_code == 422
    assert "file" in answer.context["upload_form"].errors
    folder = settings.FILES_ROOT / "imports"
    assert not list(folder.glob("*")) if folder.exists() else True


def test_an_unclosed_quote_in_the_body_is_told_in_the_preview(client, listed, cast):
    make.sign_in(client, cast.zhao)
    file = io.BytesIO('姓名,地址\n甲,武汉\n乙,"武汉'.encode() + b"x" * 40_000)
    file.name = "x.csv"
    url = reverse("customers:recipient_upload", args=[listed.pk])
    batch_url = client.post(url, {"file": file}).url
    page = client.get(batch_url)
    assert page.status_code == 200
    assert "quote" in page.context["preview"].problem


def test_others_than_the_sender_see_no_cell_and_rejections_keep_none(
    client, listed, cast
):
    batch = transfer.upload(
        io.BytesIO(file_of([["1" * 60, *row[1:]] for row in ROWS], HEADER)),
        by=cast.zhao,
        office=cast.wuhan,
        target="recipients",
        file_name="x.csv",
        options={"list": listed.pk},
    )
    make.sign_in(client, cast.chen)
    wrong = {"map-1": "name", "map-5": "postcode", "map-2": "address"}
    page = client.post(reverse("transfer:preview", args=[batch.pk]), wrong)
    assert "中山路" not in page.content.decode()
    mapping = {"收件人": "name", "地址": "postcode", "省": "address"}
    batch = transfer.start_import(batch, by=cast.zhao, mapping=mapping)
    run_inline(batch.job)
    values = set(batch.rejections.values_list("value", flat=True))
    assert not any("路" in value for value in values)
