"""Recipient lists kept on a customer's behalf: versions, cleansing, hand-back, end."""

import csv
import io
import uuid
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Func, Max, QuerySet, Value
from django.utils.module_loading import import_string
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _

from crm import text
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.fields import blind_index
from crm.transfer.models import Import
from crm.transfer.services import forget
from customers import addresses, services
from customers.models import (
    Customer,
    CustomerAddress,
    Export,
    Recipient,
    RecipientList,
    RecipientVersion,
)
from customers.models.choices import ListState

GOOD_SHARE = 0.9  # of classes A and B: from here on a list is good (own judgement)
FACTS = ("ref", "name", "organisation", "phone", "address", "postcode")
Flaw = Recipient.Flaw


@transaction.atomic
def open_list(customer: Customer, *, by: User | None, **facts: Any) -> RecipientList:
    """Begin a list under an agreement. Refused("recipients.name"), ("recipients.ends")."""
    row = services.locked(customer)
    require(by, "recipients.keep", row.office)
    if facts["ends_on"] <= localdate():
        raise Refused("recipients.ends", _("The agreement must end later than today."))
    if row.recipient_lists.filter(name=facts["name"]).exists():
        message = _("This customer has a list of this name already.")
        raise Refused("recipients.name", message)
    listed = RecipientList.objects.create(customer=row, **facts)
    audit.record(by, "recipients.opened", listed, office=row.office)
    return listed


def locked(listed: RecipientList) -> RecipientList:
    """The list's row, locked with its customer's office. Refused("recipients.closed")."""
    row = (
        RecipientList.objects.select_for_update(of=("self",))
        .select_related("customer__office")
        .get(pk=listed.pk)
    )
    if not row.is_open:
        raise Refused("recipients.closed", _("This list was handed back or destroyed."))
    return row


def refuse_hold(listed: RecipientList) -> None:
    if listed.customer.legal_hold:
        message = _("The customer is under legal hold: nothing may be destroyed.")
        raise Refused("recipients.hold", message)


# --- what a recipient's address is worth ------------------------------------------------


def judge(row: Recipient) -> None:
    """Set all that follows from a recipient's facts, `verified_on` and returned mail."""
    parsed = addresses.parse(row.address)
    number = text.normalise_phone(row.phone) if row.phone else ""
    found = addresses.flaws(parsed, row.postcode)
    if row.phone and not number:
        found.append(Flaw.PHONE)
    if is_returned := Flaw.RETURNED in row.flaws:
        found.append(Flaw.RETURNED)
    row.quality, row.score = addresses.grade(
        row.address,
        row.postcode,
        verified_on=row.verified_on,
        returned=is_returned,
        today=localdate(),
        parsed=parsed,
    )
    row.flaws, row.region = [str(flaw) for flaw in found], parsed.region
    row.phone = number or row.phone
    who = f"{text.fold(row.name)}\n{text.fold(row.organisation)}"
    row.key = blind_index(f"{who}\n{parsed.standard}")
    row.person = blind_index(f"{who}\n{number}") if number else None


def current(listed: RecipientList) -> QuerySet[Recipient]:
    """The recipients of the newest version."""
    return Recipient.objects.filter(recipient_list=listed, until=None)


# --- versions ---------------------------------------------------------------------------


def version_of(listed: RecipientList, batch: uuid.UUID | None, **facts: Any):
    """The version that an import makes; the caller holds the list."""
    found = listed.versions.filter(batch=batch).first() if batch else None
    if found is None:
        last = listed.versions.aggregate(last=Max("number"))["last"] or 0
        found = listed.versions.create(number=last + 1, batch=batch, **facts)
    return found


def _by_hand(listed: RecipientList, by: User | None) -> RecipientVersion:
    """The version that today's corrections of one person make together."""
    newest = listed.versions.filter(is_undone=False, batch=None, made_by=by).first()
    last = listed.versions.first()
    if newest and newest == last and localdate(newest.made_at) == localdate():
        return newest
    return version_of(listed, None, made_by=by)


def count(listed: RecipientList) -> RecipientVersion | None:
    """Renew the figures of the newest version and the customer's class (R-CUS-03).

    Cost: six statements over the list's present recipients.
    """
    rows = current(listed)
    _mark_twice(rows)
    version = listed.versions.filter(is_undone=False).first()
    listed.version = version.number if version else 0
    listed.save(update_fields=["version"])
    state = ListState.NONE
    if version:
        n = version.number
        version.by_class = dict(
            rows.order_by().values_list("quality").annotate(n=Count("pk"))
        )
        flaws = rows.order_by().annotate(flaw=Func(F("flaws"), function="unnest"))
        version.flaws = dict(flaws.values_list("flaw").annotate(n=Count("pk")))
        version.recipients = sum(version.by_class.values())
        version.added = Recipient.objects.filter(recipient_list=listed, since=n).count()
        version.left = Recipient.objects.filter(recipient_list=listed, until=n).count()
        version.is_counted = True
        version.save()
        if share := version.good_share:
            state = ListState.GOOD if share >= GOOD_SHARE else ListState.INACCURATE
    Customer.objects.filter(pk=listed.customer_id).update(list_state=state)
    return version


def _mark_twice(rows: QuerySet[Recipient]) -> None:
    """Flag persons that stand at several addresses, and take the flag off the others."""
    known = rows.filter(person__isnull=False)
    twice = known.order_by().values("person").annotate(n=Count("pk")).filter(n__gt=1)
    persons, flagged = twice.values("person"), [Flaw.TWICE.value]
    fresh = known.filter(person__in=persons).exclude(flaws__contains=flagged)
    mark = Value(Flaw.TWICE.value)
    fresh.update(flaws=Func(F("flaws"), mark, function="array_append"))
    stale = rows.filter(flaws__contains=flagged).exclude(person__in=persons)
    stale.update(flaws=Func(F("flaws"), mark, function="array_remove"))


UNDO = """
UPDATE customers_recipient r SET until = least(%(whole)s, (
    SELECT min(x.since) FROM customers_recipient x
    WHERE x.recipient_list_id = r.recipient_list_id AND x.key = r.key AND x.since > %(number)s))
WHERE r.recipient_list_id = %(list)s AND r.until = %(number)s"""


def undo_version(version: RecipientVersion) -> None:
    """Take a version out, as if its file had never come; later versions stay true.

    What it brought goes, unless a later file had it too; what it ended comes back, until
    a later whole file or another row of the same person and place ends it.
    """
    listed, n = version.recipient_list, version.number
    brought = Recipient.objects.filter(recipient_list=listed, since=n)
    brought.filter(seen__gt=n).update(since=F("seen"))
    brought.filter(since=n).delete()
    later = listed.versions.filter(number__gt=n, is_whole=True, is_undone=False)
    whole = later.order_by("number").values_list("number", flat=True).first()
    with transaction.get_connection().cursor() as cursor:
        cursor.execute(UNDO, {"whole": whole, "number": n, "list": listed.pk})
    version.is_undone = True
    version.save(update_fields=["is_undone"])
    count(listed)


def newest_versions(lists: list[RecipientList]) -> dict[int, RecipientVersion]:
    """The present version of each list, by the list's id. One query."""
    found = RecipientVersion.objects.filter(
        recipient_list__in=lists, number=F("recipient_list__version")
    )
    return {row.recipient_list_id: row for row in found}


# --- changes by hand --------------------------------------------------------------------


def _present(row: Recipient, by: User | None) -> tuple[RecipientList, Recipient]:
    """The list, locked, and the row as it is now. Refused("recipients.gone")."""
    listed = locked(row.recipient_list)
    require(by, "recipients.keep", listed.customer.office)
    found = current(listed).filter(pk=row.pk).first()
    if found is None:
        message = _("Somebody has changed or removed this recipient meanwhile.")
        raise Refused("recipients.gone", message)
    return listed, found


@transaction.atomic
def correct(row: Recipient, *, by: User | None, facts: dict[str, str]) -> Recipient:
    """Put a recipient right: the old row ends, a new one begins in today's version.

    Refused("recipients.twice") when the list has this person there already.
    """
    listed, old = _present(row, by)
    version = _by_hand(listed, by)
    n = version.number
    new = Recipient(
        recipient_list=listed, line=old.line, since=n, seen=n, source=old.source
    )
    for name in FACTS:
        setattr(new, name, facts[name])
    new.verified_on, new.flaws = old.verified_on, old.flaws
    judge(new)
    if new.key != bytes(
        old.key
    ):  # another place: what was known of the old one is void
        new.verified_on, new.flaws = None, []
        judge(new)
        new.source = CustomerAddress.Source.CUSTOMER
    if current(listed).filter(key=new.key).exclude(pk=old.pk).exists():
        message = _("The list has this person at this address already.")
        raise Refused("recipients.twice", message)
    _end(old, n)
    new.save(force_insert=True)
    count(listed)
    audit.record(by, "recipients.corrected", listed, office=listed.customer.office)
    return new


def _end(row: Recipient, number: int) -> None:
    if row.since == number:
        refuse_hold(row.recipient_list)
        row.delete()
    else:
        row.until = number
        row.save(update_fields=["until"])


@transaction.atomic
def report_delivery(row: Recipient, *, by: User | None, delivered: bool) -> None:
    """What delivery found: class A for a year, or class D until somebody corrects it."""
    listed, found = _present(row, by)
    found.verified_on = localdate() if delivered else None
    kept = [flaw for flaw in found.flaws if flaw not in (Flaw.RETURNED, Flaw.TWICE)]
    found.flaws = kept if delivered else [*kept, Flaw.RETURNED]
    found.source = CustomerAddress.Source.DELIVERY
    judge(found)
    found.save()
    count(listed)
    details = {"delivered": delivered}
    office = listed.customer.office
    audit.record(by, "recipients.judged", listed, office=office, details=details)


@transaction.atomic
def remove(row: Recipient, *, by: User | None) -> None:
    """Take a recipient out of the list from today's version on."""
    listed, found = _present(row, by)
    _end(found, _by_hand(listed, by).number)
    count(listed)
    audit.record(by, "recipients.removed", listed, office=listed.customer.office)


# --- what the customer gets -------------------------------------------------------------


def report_rows(listed: RecipientList) -> Iterator[list[str]]:
    """The cleansing report: one row for each recipient with a flaw.

    SECURITY: it names lines and numbers of the customer's own file, so that it can be sent
    by e-mail: no person, no phone, no house.
    """
    yield [
        _("Line of your file"),
        _("Your number"),
        _("Class"),
        _("What is wrong"),
        _("Place as we read it"),
    ]
    rows = current(listed).exclude(flaws=[]).order_by("line", "pk")
    plain = rows.values_list("line", "ref", "quality", "flaws", "region")
    for line, ref, quality, flaws, region in plain.iterator(chunk_size=2000):
        said = "; ".join(str(Flaw(flaw).label) for flaw in flaws)
        place = addresses.name_of(region)
        yield [str(line or ""), ref, quality, said, place]


def written(listed: RecipientList, mark: str) -> tuple[str, list[int]]:
    """The whole list as CSV, clear, for handing it back; and the recipients in it."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow([text.safe_cell(mark)])
    meta: Any = Recipient._meta
    labels = [meta.get_field(name).verbose_name for name in FACTS]
    writer.writerow([*labels, _("Class"), _("What is wrong")])
    rows = current(listed).order_by("line", "pk")
    found = []
    for row in rows.iterator(chunk_size=2000):
        found.append(row.pk)
        said = "; ".join(str(Flaw(flaw).label) for flaw in row.flaws)
        facts = [getattr(row, name) for name in FACTS]
        writer.writerow([*map(text.safe_cell, facts), row.quality, said])
    return out.getvalue(), found


# --- the end ----------------------------------------------------------------------------


@transaction.atomic
def destroy(listed: RecipientList, *, by: User | None) -> RecipientList:
    """Destroy every recipient, the files they came in and those made of them.

    What stays is the list's head, its versions' figures and the audit event: the proof.
    Refused("recipients.hold") under legal hold, ("recipients.closed") the second time.
    """
    row = locked(listed)
    require(by, "recipients.keep", row.customer.office)
    refuse_hold(row)
    gone, _tables = row.recipients.all().delete()
    for batch in Import.objects.filter(target="recipients", options__list=row.pk):
        forget(batch)
    for export in Export.objects.filter(recipients=row):
        export.path.unlink(missing_ok=True)
    for hearer in settings.LIST_DESTROYED_HEARERS:
        import_string(hearer)(row)
    Export.objects.filter(recipients=row).exclude(state="refused").update(
        state=Export.State.EXPIRED
    )
    row.closed_at, row.closed_by = now(), by
    row.save(update_fields=["closed_at", "closed_by"])
    Customer.objects.filter(pk=row.customer_id).update(list_state=ListState.NONE)
    details = {"rows": gone, "versions": row.version}
    audit.record(
        by, "recipients.destroyed", row, office=row.customer.office, details=details
    )
    return row
