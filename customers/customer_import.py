"""Customer files: what an import of kind "customers" checks, and how a chunk is loaded.

Rows are matched inside the office by the column that the user chose (code, credit code,
phone or the number in the contract system) and then update, skip or make another. An
empty cell never erases anything. What an update replaced is kept, so that the whole
import can be taken back.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from crm import text
from crm.copying import copy_in
from crm.fields import blind_index
from crm.org.models import Office
from crm.transfer.targets import Bad, Loaded, Run, Target
from customers.customer_columns import COLUMNS
from customers.models import (
    Customer,
    CustomerAddress,
    CustomerPhone,
    ExternalId,
    SegmentChange,
    choices,
)
from customers.record_forms import managers_of
from customers.records import grade_address, next_code
from customers.reverting import keep_before, take_back_customers

CHUNK = 5_000


PLAIN = (
    "segment",
    "credit_code",
    "nature",
    "industry",
    "size",
    "manager_id",
    "verified_on",
)
SYSTEMS = {"contract_id": "contract", "dispatch_id": "11183"}


@dataclass
class Work:
    """One chunk on its way in: what is new, what changed, what belongs to whom."""

    run: Run
    known: dict[str, Customer] = field(default_factory=dict)  # match value → customer
    fresh: list[Customer] = field(default_factory=list)
    before: dict[int, dict] = field(default_factory=dict)  # customer id → old values
    changed: dict[int, Customer] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)
    managers: dict[str, int] = field(default_factory=dict)
    phones: list[tuple[Customer, str]] = field(default_factory=list)
    places: list[tuple[Customer, str, str]] = field(default_factory=list)
    numbers: list[tuple[Customer, str, str]] = field(default_factory=list)
    segments: list[SegmentChange] = field(default_factory=list)
    imported: list[int] = field(default_factory=list)
    rejected: list[tuple[int, str, str]] = field(default_factory=list)


def load(run: Run, lines: list[list], columns: list[str]) -> Loaded:
    """Put checked rows in, in the caller's transaction.

    Cost: a dozen statements a chunk; pinyin and encryption are the bulk of its time.
    """
    work = Work(run)
    rows = [(line[0], dict(zip(columns, line[1:], strict=True))) for line in lines]
    match = run.options.get("match", "code")
    _find_known(work, match, {row.get(match, "") for _line, row in rows} - {""})
    office = Customer.objects.filter(office=run.office)
    codes = {row.get("code", "") for _line, row in rows} - {""}
    work.codes = set(office.filter(code__in=codes).values_list("code", flat=True))
    if "manager" in columns:
        people = managers_of(run.office.path)
        work.managers = dict(people.values_list("username", "pk"))
    for line, row in rows:
        try:
            _take(work, line, row, match)
        except Bad as bad:
            reason, _sep, column = str(bad).partition(" ")
            work.rejected.append((line, column, reason))
    _write(work)
    return Loaded(work.imported, len(work.fresh), work.rejected)


def _find_known(work: Work, match: str, values: set[str]) -> None:
    """The office's customers that have one of the values, by that value."""
    office: Any = Customer.objects.filter(office=work.run.office)
    office = office.select_related("office")
    if match in ("code", "credit_code"):
        rows = office.filter(**{f"{match}__in": values}, merged_into=None)
        work.known = {getattr(row, match): row for row in rows}
    elif match == "phone":
        by_index = {blind_index(value): value for value in values}
        phones = CustomerPhone.objects.filter(
            number_index__in=list(by_index), level="known", customer__in=office
        )
        for phone in phones.select_related("customer").order_by("-pk"):
            if not phone.customer.merged_into_id:
                value = by_index[bytes(phone.number_index)]
                work.known[value] = phone.customer
    else:
        numbers = ExternalId.objects.filter(
            system=SYSTEMS[match], value__in=values, customer__in=office
        )
        for number in numbers.select_related("customer"):
            work.known[number.value] = number.customer


def _take(work: Work, line: int, row: dict[str, Any], match: str) -> None:
    """Settle one row: new, update, skip, or Bad("reason column")."""
    if row.get("manager"):
        if row["manager"] not in work.managers:
            raise Bad("no_manager manager")
        row["manager_id"] = work.managers[row["manager"]]
    key = row.get(match, "")
    found = work.known.get(key) if key else None
    on_match = work.run.options.get("on_match", "update")
    if found is not None and on_match == "skip":
        return
    if found is not None and on_match == "update":
        if found.merged_into_id or found.erased_at:
            raise Bad(f"closed {match}")
        _update(work, found, row)
    else:
        found = _create(work, row)
        if key:
            work.known.setdefault(key, found)
    _gather(work, found, row)
    work.imported.append(line)


def _create(work: Work, row: dict[str, str]) -> Customer:
    code = row.get("code", "")
    if code in work.codes:
        raise Bad("taken code")
    name = row["name"]
    kind = row.get("kind") or (
        choices.Kind.CORPORATE if text.is_company(name) else choices.Kind.INDIVIDUAL
    )
    customer = Customer(office=work.run.office, code=code or next_code(), kind=kind)
    customer.source, customer.imported_by = choices.Source.IMPORT, work.run.batch_id
    for column in PLAIN:
        if row.get(column):
            setattr(customer, column, row[column])
    customer.is_headquarters = bool(row.get("is_headquarters"))
    if row.get("alias"):
        customer.aliases = [row["alias"]]
    customer.set_id_number(row.get("id_number", ""))
    customer.set_name(name)
    work.codes.add(customer.code)
    work.fresh.append(customer)
    return customer


def _update(work: Work, customer: Customer, row: dict[str, str]) -> None:
    """Put the row's filled cells into a known customer, and keep what they replaced."""
    wanted = {
        name: value
        for name, value in _filled(customer, row).items()
        if getattr(customer, name) != value
    }
    if not wanted:
        return
    if customer.pk:
        kept = work.before.setdefault(customer.pk, {})
        for name in wanted:
            kept.setdefault(name, getattr(customer, name))
        work.changed[customer.pk] = customer
        if "segment" in wanted:
            work.segments.append(_segment_change(work, customer, wanted["segment"]))
    for name, value in wanted.items():
        setattr(customer, name, value)
    customer.set_id_number(customer.id_number)
    customer.set_name(customer.name)


def _filled(customer: Customer, row: dict[str, str]) -> dict[str, Any]:
    """The row's filled cells as the customer's attributes."""
    names = (*PLAIN, "name", "kind", "id_number")
    wanted: dict[str, Any] = {name: row[name] for name in names if row.get(name)}
    if row.get("verified_on"):
        wanted["verified_on"] = date.fromisoformat(row["verified_on"])
    if row.get("is_headquarters"):
        wanted["is_headquarters"] = True
    if row.get("alias") and row["alias"] not in customer.aliases:
        wanted["aliases"] = [*customer.aliases, row["alias"]]
    return wanted


def _segment_change(work: Work, customer: Customer, after: str) -> SegmentChange:
    return SegmentChange(
        customer=customer,
        at=now(),
        before=customer.segment,
        after=after,
        by=work.run.by,
    )


def _gather(work: Work, customer: Customer, row: dict[str, str]) -> None:
    """What hangs on the customer, to be written once it has an id."""
    for column in ("phone", "phone2"):
        if row.get(column):
            work.phones.append((customer, row[column]))
    if row.get("address"):
        work.places.append((customer, row["address"], row.get("postcode", "")))
    for column, system in SYSTEMS.items():
        if row.get(column):
            work.numbers.append((customer, system, row[column]))


def _write(work: Work) -> None:
    copy_in(work.fresh)
    if work.changed:
        names = {name for kept in work.before.values() for name in kept}
        _bulk_update(list(work.changed.values()), names)
        keep_before(work.run.batch_id, Customer, work.before)
    SegmentChange.objects.bulk_create(work.segments)
    _write_phones(work)
    _write_places(work)
    ExternalId.objects.bulk_create(
        [
            ExternalId(customer=c, system=s, value=v, imported_by=_mark(work, c))
            for c, s, v in work.numbers
        ],
        ignore_conflicts=True,  # a number that is another's stays there
    )


def _mark(work: Work, customer: Customer) -> Any:
    """The import's id on rows of a customer that it did not make itself."""
    batch = work.run.batch_id
    return None if customer.imported_by == batch else batch


def _bulk_update(rows: list[Customer], names: set[str]) -> None:
    columns = set(names)
    if names & {"name", "kind", "aliases"}:
        columns |= {"name", "pinyin", "initials", "name_bigrams"}
    if "id_number" in names:
        columns.add("id_index")
    for row in rows:
        row.version += 1
    fields = [name.removesuffix("_id") for name in columns] + ["version"]
    Customer.objects.bulk_update(rows, fields, batch_size=500)


def _write_phones(work: Work) -> None:
    """New numbers; the first of a customer that has none is the primary one."""
    ids = {customer.pk for customer, _number in work.phones}
    stored = CustomerPhone.objects.filter(customer__in=ids - _fresh_ids(work))
    have, led = set(), set()
    for pk, index, is_primary in stored.values_list(
        "customer", "number_index", "is_primary"
    ):
        have.add((pk, bytes(index)))
        if is_primary:
            led.add(pk)
    rows = []
    for customer, number in work.phones:
        phone = CustomerPhone(customer=customer, imported_by=_mark(work, customer))
        phone.set_number(number)
        key = (customer.pk, bytes(phone.number_index))
        if key in have:
            continue
        have.add(key)
        if not number.startswith("+861"):
            phone.type = CustomerPhone.Type.OFFICE
        phone.is_primary = customer.pk not in led
        led.add(customer.pk)
        rows.append(phone)
    copy_in(rows)


def _fresh_ids(work: Work) -> set[int]:
    return {customer.pk for customer in work.fresh}


def _write_places(work: Work) -> None:
    """New addresses; one that the customer has in its standard form is left alone."""
    ids = {customer.pk for customer, _text, _code in work.places} - _fresh_ids(work)
    have = {
        (pk, bytes(index or b""))
        for pk, index in CustomerAddress.objects.filter(
            customer__in=ids, text_index__isnull=False
        ).values_list("customer", "text_index")
    }
    rows = []
    for customer, address, postcode in work.places:
        row = CustomerAddress(
            customer=customer,
            postcode=postcode,
            source="import",
            imported_by=_mark(work, customer),
        )
        grade_address(row, address)
        key = (customer.pk, bytes(row.text_index or b""))
        if key not in have:
            have.add(key)
            rows.append(row)
    copy_in(rows)


def likeness(office: Office, lines: list[list], columns: list[str]) -> float:
    """The share of rows whose code the office has."""
    if "code" not in columns:
        return 0.0
    place = columns.index("code") + 1
    codes = {line[place] for line in lines if line[place]}
    known = Customer.objects.filter(office=office, code__in=codes).count()
    return known / len(lines)


def revert(run: Run, place: int) -> int | None:
    return None if take_back_customers(run.batch_id) else place + 1


TARGET = Target(
    "customers",
    _("Customers"),
    COLUMNS,
    load,
    likeness,
    revert,
    keys=("code", "credit_code", "phone", "contract_id", "dispatch_id"),
    chunk=CHUNK,
)
