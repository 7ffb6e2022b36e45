"""Contract and receivable files: each row is one line of a ledger, matched by its number."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from crm.org.models import Office
from crm.transfer.targets import (
    Bad,
    Column,
    Loaded,
    Run,
    Target,
    clean_amount,
    clean_choice,
    clean_count,
    clean_day,
    clean_flag,
    clean_text,
    optional,
)
from customers.models import Contract, Customer, Receivable
from customers.reverting import keep_before, put_back

CHUNK = 10_000
CODE = Column(
    "code",
    _("Customer code"),
    clean_text(40, required=True),
    True,
    ("customer_id", "customer", "客户代码", "客户编号", "客户号"),
)


CONTRACT_COLUMNS = (
    CODE,
    Column(
        "number",
        _("Contract number"),
        clean_text(40, required=True),
        True,
        ("合同号", "合同编号", "contract"),
    ),
    Column("starts_on", _("From"), clean_day, True, ("起始日期", "生效日期", "from")),
    Column("ends_on", _("To"), clean_day, True, ("终止日期", "到期日期", "to")),
    Column(
        "billing", _("Billing"), clean_choice(Contract.Billing), False, ("结算方式",)
    ),
    Column(
        "credit_days",
        _("Payment term in days"),
        optional(clean_count),
        False,
        ("账期",),
    ),
    Column(
        "credit_limit",
        _("Credit limit"),
        optional(clean_amount),
        False,
        ("信用额度",),
    ),
    Column("price_terms", _("Price terms"), clean_text(200), False, ("价格条款",)),
    Column(
        "has_safety_agreement", _("Safety agreement"), clean_flag, False, ("安全协议",)
    ),
)
RECEIVABLE_COLUMNS = (
    CODE,
    Column(
        "number",
        _("Bill number"),
        clean_text(40, required=True),
        True,
        ("账单号", "发票号", "bill", "invoice"),
    ),
    Column("issued_on", _("Issued on"), clean_day, True, ("开票日期", "账单日期")),
    Column("due_on", _("Due on"), clean_day, True, ("应付日期", "到期日")),
    Column("amount", _("Amount"), clean_amount, True, ("金额", "应收", "amount")),
    Column("paid", _("Paid"), optional(clean_amount), False, ("已付", "已收", "paid")),
)


@dataclass(frozen=True)
class Ledger:
    """Which table a file fills, and what must hold between the cells of a row."""

    model: Any
    first: str
    last: str
    judge: Callable[[dict[str, Any]], None]


def _judge_contract(row: dict[str, Any]) -> None:
    if float(row.get("credit_limit") or 0) < 0:
        raise Bad("negative credit_limit")
    if int(row.get("credit_days") or 0) > 3650:
        raise Bad("whole credit_days")


def _judge_bill(row: dict[str, Any]) -> None:
    amount, paid = float(row["amount"]), float(row.get("paid") or 0)
    if amount <= 0:
        raise Bad("not_positive amount")
    if paid < 0:
        raise Bad("negative paid")
    if paid > amount:
        raise Bad("paid paid")


CONTRACT_LEDGER = Ledger(Contract, "starts_on", "ends_on", _judge_contract)
BILL_LEDGER = Ledger(Receivable, "issued_on", "due_on", _judge_bill)


def _load(ledger: Ledger, run: Run, lines: list[list], columns: list[str]) -> Loaded:
    """Put checked rows in: new numbers are added, known ones updated or left alone."""
    rows = [(line[0], dict(zip(columns, line[1:], strict=True))) for line in lines]
    codes = {row["code"] for _line, row in rows}
    owners = Customer.objects.filter(office=run.office, code__in=codes)
    found = owners.values_list("code", "pk", "merged_into")
    by_code = {code: survivor or pk for code, pk, survivor in found}
    numbers = {row["number"] for _line, row in rows}
    stored = ledger.model.objects.filter(office=run.office, number__in=numbers)
    known = {row.number: row for row in stored}
    fresh: dict[str, Any] = {}
    imported, rejected = [], []
    changed: dict[int, Any] = {}
    before: dict[int, dict] = {}
    for line, row in rows:
        try:
            values = _values(ledger, row, by_code)
        except Bad as bad:
            reason, _sep, column = str(bad).partition(" ")
            rejected.append((line, column, reason))
            continue
        entry = known.get(row["number"]) or fresh.get(row["number"])
        if entry is None:
            entry = ledger.model(office=run.office, imported_by=run.batch_id)
            fresh[row["number"]] = entry
        elif run.options.get("on_match") != "update":
            continue
        elif entry.pk:
            changed[entry.pk] = entry
            before.setdefault(entry.pk, {name: getattr(entry, name) for name in values})
        for name, value in values.items():
            setattr(entry, name, value)
        imported.append(line)
    ledger.model.objects.bulk_create(fresh.values(), batch_size=1000)
    names = ["customer", *[c for c in columns if c not in ("code", "number")]]
    keep_before(run.batch_id, ledger.model, before)
    ledger.model.objects.bulk_update(changed.values(), names, batch_size=500)
    return Loaded(imported, len(fresh), rejected)


def _values(ledger: Ledger, row: dict[str, Any], by_code: dict[str, int]) -> dict:
    """The row as the model's attributes; Bad("reason column") when it cannot be."""
    if row["code"] not in by_code:
        raise Bad("no_customer code")
    if row[ledger.last] < row[ledger.first]:
        raise Bad(f"order {ledger.last}")
    ledger.judge(row)
    values = {k: v for k, v in row.items() if k != "code" and v != ""}
    if "has_safety_agreement" in row:
        values["has_safety_agreement"] = bool(row["has_safety_agreement"])
    return values | {"customer_id": by_code[row["code"]]}


def _likeness(
    ledger: Ledger, office: Office, lines: list[list], columns: list[str]
) -> float:
    place = columns.index("number") + 1
    numbers = {line[place] for line in lines}
    stored = ledger.model.objects.filter(office=office, number__in=numbers)
    return stored.count() / len(lines)


def _revert(ledger: Ledger, run: Run, place: int) -> int | None:
    """Give changed rows their old values back, and delete those that the import made."""
    if not put_back(run.batch_id, ledger.model):
        return place + 1
    ledger.model.objects.filter(imported_by=run.batch_id).delete()
    return None


def _target(name: str, label: Any, columns: tuple, ledger: Ledger) -> Target:
    return Target(
        name,
        label,
        columns,
        lambda run, lines, cols: _load(ledger, run, lines, cols),
        lambda office, lines, cols: _likeness(ledger, office, lines, cols),
        lambda run, place: _revert(ledger, run, place),
        keys=("number",),
        chunk=CHUNK,
    )


CONTRACTS = _target("contracts", _("Contracts"), CONTRACT_COLUMNS, CONTRACT_LEDGER)
RECEIVABLES = _target("receivables", _("Receivables"), RECEIVABLE_COLUMNS, BILL_LEDGER)
