"""Customer, contract and receivable files: damage, matching, correcting, taking back."""

import csv
import io
import random

import pytest
from django.urls import reverse

from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.numbers import CREDIT_DIGITS, CREDIT_WEIGHTS
from crm.transfer import services
from crm.transfer.models import Import, SavedMapping
from customers.models import (
    Contract,
    Customer,
    CustomerAddress,
    CustomerPhone,
    ExternalId,
    Receivable,
    UsageDay,
    UsageMonth,
)
from tests import factories as make

HEADER = [
    "客户代码", "客户名称", "类型", "手机", "地址", "邮政编码", "统一社会信用代码",
    "身份证号", "行业", "总部", "核实日期", "协议客户编号",
]  # fmt: skip
GOOD = {
    "客户名称": "武汉长江{n}电子有限公司",
    "类型": "单位",
    "手机": "138{n:08d}",
    "地址": "武汉市武昌区中山路{n}号",
    "邮政编码": "430060",
    "行业": "电子",
    "总部": "否",
    "核实日期": "2026-03-01",
}
# What people's files suffer from: (column, cell, the reason that is given).
DAMAGE = [
    ("客户名称", "", "missing"),
    ("客户名称", "   ", "missing"),
    ("客户名称", "长" * 121, "too_long"),
    ("客户名称", "长江\x07电子", "control"),
    ("客户名称", "长江\ufffd电子", "control"),
    ("客户代码", "C" * 41, "too_long"),
    ("类型", "公司或个人", "choice"),
    ("手机", "1.38E+10", "rounded"),
    ("手机", "1.3800138E+10", "rounded"),
    ("手机", "138001380001", "phone"),
    ("手机", "无", "phone"),
    ("手机", "138001380001380", "phone"),
    ("手机", "#N/A", "phone"),
    ("地址", "路" * 201, "too_long"),
    ("邮政编码", "43006", "postcode"),
    ("邮政编码", "43OO60", "postcode"),
    ("统一社会信用代码", "91420100MA4KMGEH6T", "credit_code"),
    ("统一社会信用代码", "9.142E+17", "rounded"),
    ("身份证号", "110105194912310021", "id_number"),
    ("身份证号", "1.10105E+17", "rounded"),
    ("身份证号", "11010519490230002X", "id_number"),
    ("行业", "养猪", "choice"),
    ("总部", "也许", "choice"),
    ("核实日期", "2026-02-30", "date"),
    ("核实日期", "30/13/2026", "date"),
]


def row_of(number: int, **cells: str) -> list[str]:
    filled = {name: cell.format(n=number) for name, cell in GOOD.items()}
    filled |= {"客户代码": f"K{number:06d}", **cells}
    return [filled.get(name, "") for name in HEADER]


def file_of(rows: list[list[str]], header: list[str] = HEADER) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    return out.getvalue().encode()


def bring_in(
    content: bytes, office, *, target="customers", by=None, **options
) -> Import:
    batch = services.upload(
        io.BytesIO(content), by=by, office=office, target=target, file_name="x.csv"
    )
    options = {**batch.options, **options}
    batch = services.start_import(batch, by=by, mapping=batch.mapping, options=options)
    job = run_inline(batch.job)
    assert job.state == "done", job.error
    batch.refresh_from_db()
    return batch


def counts(batch: Import) -> tuple[int, int, int, int]:
    return batch.rows, batch.imported, batch.duplicates, batch.rejected


def state_of_all() -> list:
    """Everything that a customer import may touch, without counters of versions."""
    skipped = {"version", "imported_by", "created_at"}
    found = []
    for model in (Customer, CustomerPhone, CustomerAddress, ExternalId):
        names = [
            f.attname for f in model._meta.concrete_fields if f.name not in skipped
        ]
        for row in model.objects.order_by("pk"):
            values = [getattr(row, name) for name in names]
            found.append([bytes(v) if isinstance(v, memoryview) else v for v in values])
    return found


def test_twenty_five_kinds_of_damage_are_each_named_and_nothing_is_lost(cast):
    rng = random.Random(7)
    rows, expected = [], {}
    for number in range(2000):
        if number % 4:
            rows.append(row_of(number))
            continue
        column, cell, reason = DAMAGE[number // 4 % len(DAMAGE)]
        rows.append(row_of(number, **{column: cell}))
        expected[number] = (column, reason)
    for number in rng.sample(range(1, 2000, 4), 20):
        rows[number] = rows[number][:-1]  # a cell is missing
        expected[number] = ("", "columns")
    batch = bring_in(file_of(rows), cast.wuhan)
    assert batch.imported + batch.rejected == batch.rows == 2000
    assert batch.duplicates == 0
    found = {row.line - 2: (row.column, row.reason) for row in batch.rejections.all()}
    assert found == expected
    assert Customer.objects.count() == batch.imported == batch.created_rows


def test_digits_of_any_width_and_bytes_of_any_encoding_come_in(cast):
    rows = [row_of(1, 手机="１３９０００００００１", 客户名称="武漢長江電子有限公司")]
    content = file_of(rows).decode().encode("gb18030")
    assert counts(bring_in(content, cast.wuhan)) == (1, 1, 0, 0)
    customer = Customer.objects.get()
    assert customer.phones.get().number == "+8613900000001"
    assert customer.initials == "cjdz"
    assert customer.source == "import"


def test_a_match_updates_what_is_filled_and_erases_nothing(cast):
    bring_in(file_of([row_of(1)]), cast.wuhan)
    before = Customer.objects.get()
    again = row_of(1, 客户名称="武汉长江新电子有限公司", 行业="", 手机="13911112222")
    assert counts(bring_in(file_of([again]), cast.wuhan)) == (1, 1, 0, 0)
    customer = Customer.objects.get()
    assert (customer.pk, customer.name) == (before.pk, "武汉长江新电子有限公司")
    assert customer.industry == "electronics"
    assert customer.initials != before.initials
    assert customer.phones.count() == 2
    assert customer.addresses.count() == 1
    assert customer.version == before.version + 1


@pytest.mark.parametrize(
    ("on_match", "expected"),
    [("skip", (3, 1, 2, 0)), ("create", (3, 1, 0, 2)), ("update", (3, 3, 0, 0))],
)
def test_known_rows_are_treated_as_the_user_chose(cast, on_match, expected):
    bring_in(file_of([row_of(1)]), cast.wuhan)
    rows = [row_of(1, 行业="医药卫生"), row_of(2), row_of(1, 行业="教育")]
    assert counts(bring_in(file_of(rows), cast.wuhan, on_match=on_match)) == expected
    industry = Customer.objects.get(code="K000001").industry
    assert industry == ("education" if on_match == "update" else "electronics")


def credit_code(number: int) -> str:
    body = f"91420100MA4K{number:05d}"
    total = sum(
        CREDIT_DIGITS.index(sign) * weight
        for sign, weight in zip(body, CREDIT_WEIGHTS, strict=True)
    )
    return body + CREDIT_DIGITS[(31 - total % 31) % 31]


@pytest.mark.parametrize(
    ("match", "column", "value"),
    [
        ("credit_code", "统一社会信用代码", credit_code(7)),
        ("phone", "手机", "13912345678"),
        ("contract_id", "协议客户编号", "XY-7"),
    ],
)
def test_rows_match_by_the_column_that_the_user_chose(cast, match, column, value):
    bring_in(file_of([row_of(1, **{column: value})]), cast.wuhan)
    row = row_of(2, **{column: value, "行业": "教育", "客户代码": ""})
    batch = bring_in(file_of([row]), cast.wuhan, match=match)
    assert counts(batch) == (1, 1, 0, 0)
    assert Customer.objects.get().industry == "education"


def test_another_offices_customer_is_never_matched(cast):
    bring_in(file_of([row_of(1)]), cast.yichang)
    bring_in(file_of([row_of(1, 行业="教育")]), cast.wuhan, match="phone")
    assert Customer.objects.get(office=cast.yichang).industry == "electronics"
    assert Customer.objects.count() == 2


def test_a_whole_import_is_taken_back(client, cast):
    bring_in(file_of([row_of(n) for n in range(1, 6)]), cast.wuhan)
    before = state_of_all()
    rows = [
        row_of(n, 行业="教育", 手机=f"1391111{n:04d}", 地址=f"宜昌市西陵区解放路{n}号")
        for n in range(3, 9)
    ]
    rows[0][HEADER.index("协议客户编号")] = "XY-1"
    make.sign_in(client, cast.chen)
    batch = bring_in(file_of(rows), cast.wuhan, by=cast.chen)
    assert state_of_all() != before
    url = reverse("transfer:revert", args=[batch.pk])
    for _time in range(2):
        assert client.post(url).status_code == 302
    batch.refresh_from_db()
    run_inline(batch.job)
    assert state_of_all() == before
    batch.refresh_from_db()
    assert batch.state == "reverted"
    again = bring_in(file_of(rows), cast.wuhan, by=cast.chen)
    assert counts(again) == (6, 6, 0, 0)


def test_taking_back_spares_a_customer_that_somebody_used_since(cast):
    make.holidays_of(2026, 2027)
    batch = bring_in(file_of([row_of(1), row_of(2)]), cast.wuhan)
    used = Customer.objects.get(code="K000001")
    make.complaint(cast.lin, cast.wuhan, customer=used)
    batch = services.revert_import(batch, by=None)
    run_inline(batch.job)
    assert list(Customer.objects.all()) == [used]


def test_rejected_rows_are_sent_back_whole_and_come_in_corrected(client, cast):
    make.sign_in(client, cast.chen)
    rows = [row_of(1), row_of(2, 邮政编码="4300"), row_of(3, 手机="12")]
    batch = bring_in(file_of(rows), cast.wuhan, by=cast.chen)
    assert counts(batch) == (3, 1, 0, 2)
    answer = client.get(reverse("transfer:correct", args=[batch.pk]))
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    sent = list(csv.DictReader(io.StringIO(text)))
    assert [one["客户代码"] for one in sent] == ["K000002", "K000003"]
    assert "postcode" in sent[0]["Reason"]
    sent[0]["邮政编码"], sent[1]["手机"] = "430070", "13900000003"
    fixed = file_of([list(one.values()) for one in sent], list(sent[0]))
    assert counts(bring_in(fixed, cast.wuhan, by=cast.chen)) == (2, 2, 0, 0)
    boss = make.user("boss", ("supervisor", cast.hubei))
    make.sign_in(client, boss)  # sees the import, but did not send the file
    url = reverse("transfer:correct", args=[batch.pk])
    assert client.get(url).status_code == 404


def test_the_next_file_with_these_headers_is_mapped_as_the_last_one(cast):
    content = file_of([row_of(1)], ["A", "B", *HEADER[2:]])
    batch = services.upload(
        io.BytesIO(content),
        by=None,
        office=cast.wuhan,
        target="customers",
        file_name="x",
    )
    assert "code" not in batch.mapping.values()
    mapping = {**batch.mapping, "A": "code", "B": "name"}
    options = {"match": "code", "on_match": "skip"}
    services.start_import(batch, by=None, mapping=mapping, options=options)
    assert SavedMapping.objects.count() == 1
    again = services.upload(
        io.BytesIO(content),
        by=None,
        office=cast.wuhan,
        target="customers",
        file_name="y",
    )
    assert (again.mapping, again.options) == (mapping, options)


def test_the_form_wants_a_column_to_match_by(client, cast):
    make.sign_in(client, cast.chen)
    batch = services.upload(
        io.BytesIO(file_of([row_of(1)])),
        by=cast.chen,
        office=cast.wuhan,
        target="customers",
        file_name="x.csv",
    )
    url = reverse("transfer:start", args=[batch.pk])
    mapping = {
        f"map-{n}": batch.mapping.get(c, "") for n, c in enumerate(batch.columns)
    }
    answer = client.post(url, {**mapping, "match": "dispatch_id", "on_match": "update"})
    assert answer.status_code == 422
    assert "Choose a column of the file to match rows by." in answer.content.decode()
    good = {**mapping, "match": "phone", "on_match": "skip"}
    assert client.post(url, good).status_code == 302


def test_contracts_and_bills_come_in_change_and_go_again(cast):
    customer = make.customer(cast.wuhan, code="K1")
    header = ["客户代码", "合同号", "起始日期", "终止日期", "信用额度", "安全协议"]
    rows = [
        ["K1", "HT-1", "2026-01-01", "2027-12-31", "50,000", "是"],
        ["K9", "HT-2", "2026-01-01", "2027-12-31", "", ""],
        ["K1", "HT-3", "2026-01-01", "2025-12-31", "", ""],
        ["K1", "HT-4", "2026-01-01", "2027-12-31", "-5", ""],
    ]
    batch = bring_in(file_of(rows, header), cast.wuhan, target="contracts")
    assert counts(batch) == (4, 1, 0, 3)
    reasons = {r.line: (r.column, r.reason) for r in batch.rejections.all()}
    assert reasons == {
        3: ("客户代码", "no_customer"),
        4: ("终止日期", "order"),
        5: ("信用额度", "negative"),
    }
    contract = Contract.objects.get()
    assert (contract.customer, contract.credit_limit) == (customer, 50_000)
    assert contract.has_safety_agreement
    header = ["客户代码", "账单号", "账单日期", "到期日", "金额", "已付"]
    first = [["K1", "B1", "2026-01-01", "2026-01-31", "100", "0"]]
    bring_in(file_of(first, header), cast.wuhan, target="receivables")
    later = [
        ["K1", "B1", "2026-01-01", "2026-01-31", "100", "60"],
        ["K1", "B2", "2026-02-01", "2026-02-28", "100", "160"],
        ["K1", "B3", "2026-02-01", "2026-02-28", "0", "0"],
        ["K1", "B4", "2026-02-01", "2026-02-28", "80", ""],
    ]
    batch = bring_in(file_of(later, header), cast.wuhan, target="receivables")
    assert counts(batch) == (4, 2, 0, 2)
    assert Receivable.objects.get(number="B1").paid == 60
    batch = services.revert_import(batch, by=None)
    run_inline(batch.job)
    assert [(b.number, b.paid) for b in Receivable.objects.all()] == [("B1", 0)]


def test_usage_is_taken_back_to_the_last_cent(cast):
    header = ["customer_id", "date", "件数", "金额", "成本", "邮件号"]
    first = [["A", "2026-01-05", "2", "10.50", "4", "E1"]]
    bring_in(file_of(first, header), cast.wuhan, target="usage")
    before = months()
    more = [
        ["A", "2026-01-06", "1", "5", "1", "E2"],
        ["A", "2026-02-06", "1", "5", "1", "E3"],
        ["B", "2026-02-06", "1", "5", "1", "E4"],
    ]
    batch = bring_in(file_of(more, header), cast.wuhan, target="usage")

    run_inline(enqueue("customers.days"))
    assert Customer.objects.count() == 2
    batch = services.revert_import(batch, by=None)
    run_inline(batch.job)
    run_inline(enqueue("customers.days"))
    assert months() == before
    assert [c.code for c in Customer.objects.all()] == ["A"]
    assert counts(bring_in(file_of(more, header), cast.wuhan, target="usage"))[1] == 3


def months() -> list:

    sums = UsageMonth.objects.order_by("month", "customer")
    days = UsageDay.objects.filter(customer__code="B")
    return [
        *sums.values_list("customer", "month", "lines", "pieces", "revenue", "cost"),
        days.count(),
    ]
