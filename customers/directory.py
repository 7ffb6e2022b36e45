"""Prospects from the directory: matched, handed to a developer, accepted, won."""

from typing import Any

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.copying import copy_in
from crm.errors import Refused
from crm.notify.services import tell
from crm.org.models import Office
from crm.transfer.targets import (
    Column,
    Loaded,
    Run,
    Target,
    clean_choice,
    clean_text,
)
from customers.customer_columns import credit_code, phone
from customers.models import Customer, Organisation, choices
from customers.records import create_customer
from customers.reverting import keep_before, put_back

State = Organisation.State
HANDED = gettext_noop("A prospect was handed to you")  # translated when it is read
COLUMNS = (
    Column(
        "name",
        gettext_lazy("Name"),
        clean_text(120, required=True),
        True,
        ("name", "企业名称", "单位名称", "机构名称", "名称"),
    ),
    Column(
        "credit_code",
        gettext_lazy("Credit code"),
        credit_code,
        False,
        ("统一社会信用代码", "信用代码"),
    ),
    Column(
        "industry",
        gettext_lazy("Industry"),
        clean_choice(choices.Industry),
        False,
        ("行业",),
    ),
    Column("size", gettext_lazy("Size"), clean_choice(choices.Size), False, ("规模",)),
    Column("phone", gettext_lazy("Phone"), phone, False, ("电话", "联系电话", "tel")),
    Column("address", gettext_lazy("Address"), clean_text(200), False, ("地址",)),
)
NAMES = ("credit_code", "industry", "size", "phone", "address")


def load(run: Run, lines: list[list], columns: list[str]) -> Loaded:
    """Take entries in by name; those that the office's customers answer to are matched."""
    rows = [(line[0], dict(zip(columns, line[1:], strict=True))) for line in lines]
    names = {row["name"] for _line, row in rows}
    stored = Organisation.objects.filter(office=run.office, name__in=names)
    known = {row.name: row for row in stored}
    fresh: dict[str, Organisation] = {}
    before: dict[int, dict] = {}
    imported = []
    for line, row in rows:
        entry = known.get(row["name"]) or fresh.get(row["name"])
        if entry is None:
            entry = Organisation(office=run.office, imported_by=run.batch_id)
            entry.set_name(row["name"])
            fresh[row["name"]] = entry
        elif run.options.get("on_match") != "update":
            continue
        elif entry.pk:
            before.setdefault(entry.pk, {n: getattr(entry, n) for n in NAMES})
        for name in NAMES:
            if row.get(name):
                setattr(entry, name, row[name])
        imported.append(line)
    _match(run.office, list(fresh.values()))
    copy_in(fresh.values())
    keep_before(run.batch_id, Organisation, before)
    changed = [entry for entry in known.values() if entry.pk in before]
    Organisation.objects.bulk_update(changed, NAMES, batch_size=500)
    return Loaded(imported, len(fresh))


def _match(office: Office, entries: list[Organisation]) -> None:
    """Entries that are customers of the office already, by credit code or core name."""
    codes = {entry.credit_code for entry in entries} - {""}
    spoken = {entry.pinyin for entry in entries} - {""}
    own = Customer.objects.filter(office=office, kind="corporate", merged_into=None)
    by_code = dict(own.filter(credit_code__in=codes).values_list("credit_code", "pk"))
    by_name = dict(own.filter(pinyin__in=spoken).values_list("pinyin", "pk"))
    for entry in entries:
        found = by_code.get(entry.credit_code) or by_name.get(entry.pinyin)
        if found:
            entry.customer_id, entry.state = found, State.MATCHED


def likeness(office: Office, lines: list[list], columns: list[str]) -> float:
    place = columns.index("name") + 1
    names = {line[place] for line in lines}
    stored = Organisation.objects.filter(office=office, name__in=names).count()
    return stored / len(lines)


def revert(run: Run, place: int) -> int | None:
    """Give changed entries their old values back; delete new ones that nobody took up."""
    if not put_back(run.batch_id, Organisation):
        return place + 1
    made = Organisation.objects.filter(imported_by=run.batch_id)
    made.filter(state__in=[State.NEW, State.MATCHED]).delete()
    return None


TARGET = Target(
    "organisations",
    gettext_lazy("Organisation directory"),
    COLUMNS,
    load,
    likeness,
    revert,
    keys=("name",),
    chunk=10_000,
)


def _locked(entry: Organisation, *states: str) -> Organisation:
    """The entry's row, locked. Refused("directory.state") when it is not in such a state."""
    row = Organisation.objects.select_for_update(of=("self",)).get(pk=entry.pk)
    if row.state not in states:
        raise Refused("directory.state", _("This entry has moved on meanwhile."))
    return row


@transaction.atomic
def hand_over(
    entry: Organisation, *, by: User, developer: User, outlet: Office | None = None
) -> Organisation:
    """Give an entry to a market developer, who has to accept it (R-CUS-16)."""
    row = _locked(entry, State.NEW, State.DECLINED, State.HANDED)
    require(by, "directory.assign", row.office)
    row.developer, row.outlet, row.handed_at = developer, outlet, now()
    row.state, row.answered_at, row.answer = State.HANDED, None, ""
    row.save()
    audit.record(by, "directory.handed_over", row, office=row.office)
    tell(
        developer,
        "customer",
        subject=HANDED,
        body=row.name,
        url=row.get_absolute_url(),
        key=f"prospect:{row.pk}:{row.handed_at:%Y%m%d%H%M%S}",
    )
    return row


@transaction.atomic
def answer_handover(
    entry: Organisation, *, by: User, accept: bool, answer: str
) -> Organisation:
    """The developer takes an entry on, or gives it back with a reason."""
    row = _locked(entry, State.HANDED)
    if row.developer_id != by.pk:
        raise Refused("directory.other", _("It was handed to somebody else."))
    if not accept and not answer:
        raise Refused("directory.answer", _("Say why."))
    row.state = State.ACCEPTED if accept else State.DECLINED
    row.answer, row.answered_at = answer, now()
    row.save()
    audit.record(by, f"directory.{row.state}", row, office=row.office)
    return row


@transaction.atomic
def convert(entry: Organisation, *, by: User) -> Customer:
    """Make the accepted entry a prospect of its developer: the record is now a customer's."""
    row = _locked(entry, State.ACCEPTED)
    if row.developer_id != by.pk:
        raise Refused("directory.other", _("It was handed to somebody else."))
    facts: dict[str, Any] = {n: getattr(row, n) for n in NAMES}
    customer = create_customer(
        by=by,
        office=row.office,
        name=row.name,
        kind=choices.Kind.CORPORATE,
        segment=choices.Segment.PROSPECT,
        source=choices.Source.DIRECTORY,
        legal_basis=choices.LegalBasis.PUBLIC,
        manager=by,
        is_potential_key_account=True,
        **facts,
    )
    row.state, row.customer = State.CONVERTED, customer
    row.save()
    audit.record(by, "directory.converted", row, office=row.office)
    return customer
