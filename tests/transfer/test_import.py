"""Importing usage: the real ledger, bad rows, doors, repeats (contract of the import)."""

import csv
import io
import json
from datetime import date
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.db.models import Count, Sum
from django.urls import reverse

from crm.access.models import Posting
from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.transfer import importing, services
from crm.transfer.forms import EXAMPLE
from crm.transfer.models import Import, RejectedRow
from crm.transfer.preview import preview
from crm.transfer.targets import (
    target_named,
)
from customers.models import Customer, Usage, UsageMonth
from tests import factories as make
from tests.transfer.workbooks import bomb, workbook

MAP = {
    "customer_id": "code",
    "date": "posted_on",
    "pieces": "pieces",
    "amount": "revenue",
}
HEADER = "customer_id,date,pieces,amount\n"


def bring_in(
    content: bytes, office, *, mapping=MAP, name="ledger.csv", by=None
) -> Import:
    batch = services.upload(
        io.BytesIO(content), by=by, office=office, target="usage", file_name=name
    )
    batch = services.start_import(batch, by=by, mapping=mapping)
    assert run_inline(batch.job).state == "done"
    batch.refresh_from_db()
    return batch


def counts(batch: Import) -> tuple[int, int, int, int]:
    return batch.rows, batch.imported, batch.duplicates, batch.rejected


def test_the_real_ledger_comes_in_whole(cast):
    batch = bring_in(EXAMPLE.read_bytes(), cast.wuhan)
    assert counts(batch) == (6919, 6919, 0, 0)
    assert batch.created_rows == Customer.objects.count() == 2357
    found = Usage.objects.aggregate(n=Count("line"), p=Sum("pieces"), r=Sum("revenue"))
    assert found == {"n": 6919, "p": 16479, "r": Decimal("244091.94")}
    assert Usage.objects.filter(revenue=0).count() == 8
    months = UsageMonth.objects.aggregate(n=Sum("lines"), r=Sum("revenue"))
    assert months == {"n": 6919, "r": Decimal("244091.94")}


def test_the_same_file_twice_changes_nothing_whatever_its_name_and_door(
    cast, tmp_path, capsys
):
    content = b"".join(EXAMPLE.read_bytes().splitlines(keepends=True)[:200])
    assert counts(bring_in(content, cast.wuhan)) == (199, 199, 0, 0)
    assert counts(bring_in(content, cast.wuhan, name="other.txt")) == (199, 0, 199, 0)
    path = tmp_path / "third.csv"
    path.write_bytes(content)
    mapping = ",".join(f"{source}={to}" for source, to in MAP.items())
    call_command("import_usage", str(path), office="420100", map=mapping)
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said == {
        "rows": 199,
        "imported": 0,
        "duplicates": 199,
        "rejected": 0,
        "customers_created": 0,
    }
    assert Usage.objects.count() == 199


def test_an_imported_person_is_masked_and_a_company_is_not(cast):
    header = "customer_id,date,pieces,amount,客户名称\n"
    rows = "A,2026-01-05,1,1,王秀英\nB,2026-01-05,1,1,长江电子有限公司\n"
    bring_in((header + rows).encode(), cast.wuhan, mapping={**MAP, "客户名称": "name"})
    shown = {
        c.code: c.name_for(cast.chen) for c in Customer.objects.select_related("office")
    }
    assert shown == {"A": "王**", "B": "长江电子有限公司"}


def test_rights_that_end_stop_a_running_import(cast):
    batch = services.upload(
        io.BytesIO((HEADER + "A,2026-01-05,1,1\n").encode()),
        by=cast.chen,
        office=cast.wuhan,
        target="usage",
        file_name="x",
    )
    batch = services.start_import(batch, by=cast.chen, mapping=MAP)
    Posting.objects.filter(user=cast.chen).delete()
    assert (
        run_inline(batch.job).state == "queued"
    )  # refused; parked after three attempts
    assert Usage.objects.count() == 0


def test_two_offices_have_two_sets_of_customers(cast):
    content = (HEADER + "A,2026-01-05,1,10.00\n").encode()
    bring_in(content, cast.wuhan)
    assert counts(bring_in(content, cast.yichang)) == (1, 1, 0, 0)
    assert sorted(Customer.objects.values_list("office__code", "code")) == [
        ("420100", "A"),
        ("420500", "A"),
    ]


def test_equal_lines_inside_a_file_are_two_sales(cast):
    content = (HEADER + "A,2026-01-05,1,10.00\n" * 3).encode()
    assert counts(bring_in(content, cast.wuhan)) == (3, 3, 0, 0)
    month = UsageMonth.objects.get()
    assert (month.lines, month.pieces, month.revenue) == (3, 3, Decimal(30))


def test_a_reference_is_the_key_when_a_column_has_it(cast):
    mapping = {**MAP, "no": "ref"}
    header = "customer_id,date,pieces,amount,no\n"
    first = (
        header + "A,2026-01-05,1,10,X1\nA,2026-01-05,1,10,X2\nB,2026-02-05,1,10,X1\n"
    )
    batch = bring_in(first.encode(), cast.wuhan, mapping=mapping)
    assert counts(batch) == (3, 2, 1, 0)
    second = header + "A,2026-03-05,1,10,X2\nA,2026-03-05,1,10,X3\n"
    assert counts(bring_in(second.encode(), cast.wuhan, mapping=mapping)) == (
        2,
        1,
        1,
        0,
    )
    assert counts(bring_in(second.encode(), cast.yichang, mapping=mapping)) == (
        2,
        2,
        0,
        0,
    )


BAD_ROWS = [
    ("A,1997-02-30,1,10.00", "date", "date"),
    ("A,31/12/2025,1,10.00", "date", "date"),
    ("A,2999-01-01,1,10.00", "date", "date_range"),
    ("A,,1,10.00", "date", "missing"),
    (",2026-01-05,1,10.00", "customer_id", "missing"),
    ("A,2026-01-05,-1,10.00", "pieces", "negative"),
    ("A,2026-01-05,1.5,10.00", "pieces", "whole"),
    ("A,2026-01-05,,10.00", "pieces", "missing"),
    ("A,2026-01-05,1,ten", "amount", "amount"),
    ("A,2026-01-05,1,10.001", "amount", "amount"),
    ("A,2026-01-05,1,1.38E+10", "amount", "amount"),
    ("A,2026-01-05,1", "", "columns"),
    ("A,2026-01-05,1,10,more", "", "columns"),
    (f"{'A' * 41},2026-01-05,1,10", "customer_id", "too_long"),
]


def test_each_kind_of_bad_row_is_named_and_the_good_ones_go_in(cast):
    rows = [bad for bad, _column, _reason in BAD_ROWS] + [
        "A,2026-01-05,1,-5.50",
        "B,2026-01-06,0,0",
    ]
    batch = bring_in((HEADER + "\n".join(rows)).encode(), cast.wuhan)
    assert counts(batch) == (len(rows), 2, 0, len(BAD_ROWS))
    found = list(RejectedRow.objects.values_list("line", "column", "reason"))
    assert found == [(n + 2, c, r) for n, (_bad, c, r) in enumerate(BAD_ROWS)]
    assert Usage.objects.get(revenue__lt=0).revenue == Decimal("-5.50")  # a refund


def test_ten_thousand_bad_rows_of_twenty_thousand(cast, client):
    rows = ["A,2026-01-05,1,10.00", "A,1997-02-30,1,10.00"] * 10_000
    batch = bring_in((HEADER + "\n".join(rows)).encode(), cast.wuhan)
    assert counts(batch) == (20_000, 10_000, 0, 10_000)
    make.sign_in(client, cast.chen)
    answer = client.get(reverse("transfer:rejected", args=[batch.pk]))
    lines = list(csv.reader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))
    assert len(lines) == 10_001
    assert lines[1][:3] == ["3", "date", "1997-02-30"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encodings_and_full_width_digits(cast, encoding):
    header, row = (
        "客户代码,日期,件数,金额,客户名称",
        "A１,２０２６/０１/０５,１２,１０．５０,长江𠮷电子",
    )
    content = f"{header}\n{row}\n"
    batch = services.upload(
        io.BytesIO(content.encode(encoding)),
        by=None,
        office=cast.wuhan,
        target="usage",
        file_name="x",
    )
    assert set(batch.mapping.values()) == {
        "code",
        "posted_on",
        "pieces",
        "revenue",
        "name",
    }
    services.start_import(batch, by=None, mapping=batch.mapping)
    batch.refresh_from_db()
    run_inline(batch.job)
    customer = Customer.objects.get()
    assert (customer.code, customer.name) == ("A1", "长江𠮷电子")
    assert Usage.objects.get().pieces == 12


def test_an_xlsx_reads_like_a_csv(cast):
    content = workbook(
        [["customer_id", "date", "pieces", "amount"], ["A", date(2026, 1, 5), 2, 9.5]]
    )
    assert counts(bring_in(content, cast.wuhan, name="x.xlsx")) == (1, 1, 0, 0)
    line = Usage.objects.get()
    assert (line.posted_on, line.pieces, line.revenue) == (
        date(2026, 1, 5),
        2,
        Decimal("9.50"),
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file.empty"),
        (b"%PDF-1.7 ...", "file.type"),
        (b"\x89PNG\r\n", "file.type"),
        (b"\xd0\xcf\x11\xe0 an old workbook", "file.type"),
        (b"PK\x03\x04 not a zip", "file.type"),
        (b"a\x00b", "file.type"),
        (b"\n\n", "file.header"),
        (b"a,a\n1,2\n", "file.header"),
        (bomb(), "file.bomb"),
    ],
)
def test_what_is_no_table_is_refused_and_leaves_nothing(cast, settings, content, code):
    with pytest.raises(Refused) as refusal:
        bring_in(content, cast.wuhan)
    assert refusal.value.code == code
    assert Import.objects.count() == 0
    assert not any((settings.FILES_ROOT / "imports").iterdir())


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        ({"customer_id": "code"}, "mapping.missing"),
        ({**MAP, "nowhere": "name"}, "mapping.no_column"),
        ({**MAP, "date": "rubbish"}, "mapping.unknown"),
        ({**MAP, "date": "code"}, "mapping.twice"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(cast, mapping, code):
    with pytest.raises(Refused) as refusal:
        bring_in((HEADER + "A,2026-01-05,1,10\n").encode(), cast.wuhan, mapping=mapping)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing.csv", "--office", "420100"], "no such file"),
        (["manage.py", "--office", "999999"], "unknown office"),
    ],
)
def test_the_shell_exits_2_with_one_line(cast, capsys, arguments, said):
    with pytest.raises(SystemExit) as stop:
        call_command("import_usage", *arguments)
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert said in err


def test_a_crash_in_a_chunk_loses_the_chunk_and_not_the_place(cast, monkeypatch):
    monkeypatch.setattr(importing, "CHUNK", 50)
    content = b"".join(EXAMPLE.read_bytes().splitlines(keepends=True)[:201])
    batch = services.upload(
        io.BytesIO(content),
        by=None,
        office=cast.wuhan,
        target="usage",
        file_name="x.csv",
    )
    batch = services.start_import(batch, by=None, mapping=MAP)
    usage = target_named("usage")
    calls = []

    def dies_in_the_third(*args, **kwargs):
        calls.append(1)
        loaded = usage.load(*args, **kwargs)
        if len(calls) == 3:
            raise ConnectionError("the database went away")
        return loaded

    dying = type(usage)(
        usage.name,
        usage.label,
        usage.columns,
        dies_in_the_third,
        usage.likeness,
        usage.revert,
    )
    monkeypatch.setattr(importing, "target_named", lambda name: dying)
    job = run_inline(batch.job)
    assert job.state == "queued"
    assert Usage.objects.count() == 100
    type(job).objects.filter(pk=job.pk).update(due_at=job.created_at)
    assert run_inline(job).state == "done"
    batch.refresh_from_db()
    assert counts(batch) == (200, 200, 0, 0)
    assert Usage.objects.count() == 200


def test_the_preview_warns_when_most_lines_are_known(cast):
    rows = "".join(f"A,2026-01-{day:02},1,10\n" for day in range(1, 11))
    bring_in((HEADER + rows).encode(), cast.wuhan)
    again = services.upload(
        io.BytesIO((HEADER + rows + "B,2026-01-05,1,10\n").encode()),
        by=None,
        office=cast.wuhan,
        target="usage",
        file_name="x.csv",
    )
    seen = preview(again, MAP, by_sender=True)
    assert seen.looks_known
    assert (seen.checked, seen.good, seen.likeness_percent) == (11, 11, 91)


def test_the_browser_door_maps_previews_starts_and_shows(cast, client):
    make.sign_in(client, cast.chen)
    file = SimpleUploadedFile(
        "ledger.csv", (HEADER + "A,2026-01-05,1,10\nB,x,1,1\n").encode()
    )
    answer = client.post(
        reverse("transfer:new"),
        {"target": "usage", "office": cast.wuhan.pk, "file": file},
    )
    batch = Import.objects.get()
    assert answer.url == batch.get_absolute_url()
    page = client.get(answer.url).content.decode()
    assert "1 of the first 2 rows are good" in page
    mapping = {
        f"map-{n}": to for n, to in enumerate(["code", "posted_on", "", "revenue"])
    }
    shown = client.post(
        reverse("transfer:preview", args=[batch.pk]), mapping
    ).content.decode()
    assert "No column is given for: Pieces" in shown
    mapping["map-2"] = "pieces"
    assert (
        client.post(reverse("transfer:start", args=[batch.pk]), mapping).status_code
        == 302
    )
    assert (
        client.post(reverse("transfer:start", args=[batch.pk]), mapping).status_code
        == 302
    )
    batch.refresh_from_db()
    run_inline(batch.job)
    page = client.get(batch.get_absolute_url()).content.decode()
    assert "is not a date" in page
    assert client.get(reverse("transfer:progress", args=[batch.pk])).headers[
        "HX-Refresh"
    ]


def test_a_broken_upload_says_what_is_wrong_beside_the_field(cast, client):
    make.sign_in(client, cast.chen)
    file = SimpleUploadedFile("x.pdf", b"%PDF-1.7")
    answer = client.post(
        reverse("transfer:new"),
        {"target": "usage", "office": cast.wuhan.pk, "file": file},
    )
    assert answer.status_code == 422
    assert "This is a PDF file" in answer.content.decode()


def test_an_import_to_a_foreign_office_is_refused(cast, client):
    make.sign_in(client, cast.chen)
    file = SimpleUploadedFile("x.csv", (HEADER + "A,2026-01-05,1,10\n").encode())
    answer = client.post(
        reverse("transfer:new"),
        {"target": "usage", "office": cast.yichang.pk, "file": file},
    )
    assert answer.status_code == 422
    assert Import.objects.count() == 0


def test_usage_lies_in_a_partition_of_its_month(cast):
    bring_in((HEADER + "A,2026-01-31,1,1\nA,2026-02-01,1,1\n").encode(), cast.wuhan)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text FROM customers_usage ORDER BY posted_on"
        )
        assert [row[0] for row in cursor.fetchall()] == [
            "customers_usage_p202601",
            "customers_usage_p202602",
        ]
