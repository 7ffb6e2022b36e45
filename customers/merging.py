"""Two records of one customer become one, and can become two again.

Children move and every moved row is written down; the ledger does not move: a survivor's
usage is read together with that of the customers merged into it, so no total of a customer
or an office ever changes. Source: anchors.md 2.4.
"""

import json
from datetime import date
from typing import Any

from django.db import IntegrityError, models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from customers.models import (
    Customer,
    CustomerPhone,
    DuplicatePair,
    Merge,
    MergedRows,
    Task,
    UsageMonth,
)

# What a person chooses between, side by side; the rest of a record follows from it.
CHOSEN = (
    "name",
    "kind",
    "segment",
    "credit_code",
    "id_number",
    "nature",
    "industry",
    "size",
    "is_headquarters",
    "strategic_class",
    "is_potential_key_account",
    "source",
    "legal_basis",
    "membership",
    "signing_habit",
    "service_plan",
    "list_state",
    "manager",
    "assistant",
    "household",
    "parent",
    "verified_on",
)
STAYS = {"Usage", "UsageMonth", "UsageDay", "KeyMonth", "DuplicatePair", "Merge"}


def differing(survivor: Customer, loser: Customer) -> list[str]:
    """The fields of which somebody has to choose one value. The kind goes with the name."""
    skipped = {"kind"}
    if survivor.pk == loser.parent_id or loser.pk == survivor.parent_id:
        skipped.add("parent")
    return [
        name
        for name in CHOSEN
        if name not in skipped and getattr(survivor, name) != getattr(loser, name)
    ]


def relations(*, moving: bool = True) -> list[tuple[str, type[models.Model], str]]:
    """(name, model, field) of every table whose rows belong to a customer; for `moving`
    without figures that a job makes of each customer anew.

    Asked of Django, so that tables of the apps above move too without being known here.
    """
    found = []
    for relation in Customer._meta.related_objects:
        model = relation.related_model
        if model.__name__ in STAYS or relation.field.name == "merged_into":
            continue
        is_made = relation.field.primary_key or isinstance(
            model._meta.pk, models.CompositePrimaryKey
        )
        if moving and is_made:
            continue
        label = f"{model._meta.label}.{relation.field.name}"
        found.append((label, model, relation.field.name))
    return found


def _lock(*customers: Customer) -> dict[int, Customer]:
    """RACE: in the order of their ids, so that two merges cannot wait for each other."""
    ids = sorted(customer.pk for customer in customers)
    rows = Customer.objects.select_for_update(of=("self",)).filter(pk__in=ids)
    return {row.pk: row for row in rows.select_related("office").order_by("pk")}


@transaction.atomic
def merge(
    survivor: Customer,
    loser: Customer,
    *,
    by: User | None,
    take: set[str] | None = None,
) -> Merge:
    """Make `loser` part of `survivor`; the fields in `take` get the loser's value.

    Refused("merge.same"), ("merge.chain") when either is merged or has members itself,
    ("merge.closed") for an erased or held one. Merging the same two again is the same.
    """
    rows = _lock(survivor, loser)
    survivor, loser = rows[survivor.pk], rows[loser.pk]
    for one in (survivor, loser):
        require(by, "customer.merge", one.office)
    if loser.merged_into_id == survivor.pk and survivor.pk != loser.pk:
        return Merge.objects.get(loser=loser, undone_at=None)
    _refuse(survivor, loser)
    take = _settled(survivor, loser, take or set())
    row = Merge.objects.create(
        loser=loser,
        survivor=survivor,
        by=by,
        replaced=json.dumps(_written(survivor, loser, take)),
    )
    _move_children(row)
    _take_over(survivor, loser, take)
    loser.merged_into = survivor
    loser.version += 1
    loser.save(update_fields=["merged_into", "version"])
    pair = DuplicatePair.objects.filter(
        first=min(survivor.pk, loser.pk), second=max(survivor.pk, loser.pk)
    )
    pair.update(state="merged", decided_by=by, decided_at=now())
    details = {"loser": loser.pk, "took": sorted(take)}
    audit.record(
        by, "customer.merged", survivor, office=survivor.office, details=details
    )
    return row


def _refuse(survivor: Customer, loser: Customer) -> None:
    if survivor.pk == loser.pk:
        raise Refused("merge.same", _("A customer cannot be merged into itself."))
    if survivor.merged_into_id or loser.merged_into_id or loser.merged.exists():
        message = _(
            "One of the two was merged before. Undo that first: merges make no chains."
        )
        raise Refused("merge.chain", message)
    if survivor.erased_at or loser.erased_at or loser.legal_hold:
        message = _("An erased record, or one under legal hold, is not merged.")
        raise Refused("merge.closed", message)


def _settled(survivor: Customer, loser: Customer, take: set[str]) -> set[str]:
    """What is really taken: the kind with the name (a person's name under a firm's kind
    would not be masked), no parent that is the other one."""
    take = take & set(CHOSEN) - {"kind", "parent"} | take & set(
        differing(survivor, loser)
    )
    return take | {"kind"} if "name" in take else take


def _plain(value: Any) -> Any:
    """A field's value as JSON can keep it: rows by their id, dates as text."""
    if isinstance(value, models.Model):
        return value.pk
    return value.isoformat() if isinstance(value, date) else value


def _written(survivor: Customer, loser: Customer, take: set[str]) -> dict:
    """What the survivor had and has now, by field; and each side's primary number."""
    fields = {
        name: [_plain(getattr(survivor, name)), _plain(getattr(loser, name))]
        for name in sorted(take & set(CHOSEN))
    }
    if survivor.parent_id == loser.pk:
        fields["parent"] = [loser.pk, None]
    primary = loser.phones.filter(is_primary=True).values_list("pk", flat=True).first()
    return {"fields": fields, "aliases": survivor.aliases, "primary": primary}


def _take_over(survivor: Customer, loser: Customer, take: set[str]) -> None:
    """Chosen values; the name that is not kept becomes an alias, so it is found."""
    names = {survivor.name, *survivor.aliases} - {""}
    if survivor.kind == loser.kind:
        names |= {loser.name, *loser.aliases} - {""}
    for name in take & set(CHOSEN) - {"id_number"}:
        setattr(survivor, name, getattr(loser, name))
    if "id_number" in take:
        survivor.set_id_number(loser.id_number)
    if survivor.manager_id and survivor.manager_id == survivor.assistant_id:
        survivor.assistant = None
    if survivor.parent_id == loser.pk:
        survivor.parent = None
    survivor.aliases = sorted(name[:60] for name in names - {survivor.name})
    survivor.set_name(survivor.name)
    survivor.version += 1
    survivor.save()


def _close_alerts(loser: Customer) -> None:
    """Alerts that the survivor has too stay with the loser: nobody could answer them."""
    left = loser.alerts.exclude(state="closed")
    sources = [f"alert:{pk}" for pk in left.values_list("pk", flat=True)]
    left.update(state="closed", outcome="overtaken", closed_at=now())
    Task.objects.filter(source__in=sources, done_at=None).update(done_at=now())


def _move_children(row: Merge) -> None:
    """Move what can move; what the survivor has already stays with the loser."""
    row.loser.phones.filter(is_primary=True).update(is_primary=False)
    _join_marks(row)
    for label, model, field in relations():
        manager = model._base_manager
        ids = list(manager.filter(**{field: row.loser}).values_list("pk", flat=True))
        moved = _move(manager, field, row.survivor, ids)
        if moved:
            MergedRows.objects.create(merge=row, relation=label, ids=moved)
    _close_alerts(row.loser)
    phones = row.survivor.phones
    if not phones.filter(is_primary=True).exists():
        first = phones.filter(level="known").order_by("pk").values("pk")[:1]
        phones.filter(pk__in=first).update(is_primary=True)


def _move(manager: Any, field: str, to: Customer, ids: list[int]) -> list[int]:
    """Move rows together, or one by one where the survivor has one of them already."""
    if not ids:
        return []
    try:
        with transaction.atomic():
            manager.filter(pk__in=ids).update(**{field: to})
        return ids
    except IntegrityError:
        if len(ids) == 1:
            return []
    return [pk for one in ids for pk in _move(manager, field, to, [one])]


def _join_marks(row: Merge) -> None:
    """A number that both have keeps the marks of either: invalid, no messages."""
    theirs = {bytes(p.number_index): p for p in row.loser.phones.all()}
    for phone in row.survivor.phones.all():
        other = theirs.get(bytes(phone.number_index))
        if other and (other.is_invalid or other.opted_out):
            phone.is_invalid |= other.is_invalid
            phone.opted_out |= other.opted_out
            phone.save(update_fields=["is_invalid", "opted_out"])


def delete_unused(customers: Any) -> int:
    """Delete those of `customers` that nothing leans on but what they were made with."""
    with_them = {"CustomerPhone", "CustomerAddress", "ExternalId"}
    for _label, model, field in relations():
        if model.__name__ not in with_them:
            leaning = model._base_manager.exclude(**{field: None}).values(field)
            customers = customers.exclude(pk__in=leaning)
    used = UsageMonth.objects.values("customer")
    unused = customers.filter(merged_into=None, merged=None).exclude(pk__in=used)
    deleted, _by_model = Customer.objects.filter(pk__in=unused.values("pk")).delete()
    return deleted


@transaction.atomic
def undo(row: Merge, *, by: User | None) -> list[str]:
    """Make the two customers two again; return the fields that stayed as they are.

    Rows that the merge moved go back unless somebody moved them on; a field that was
    changed since keeps its newer value. Undoing twice is once.
    """
    rows = _lock(row.survivor, row.loser)
    row = Merge.objects.select_for_update().get(pk=row.pk)
    survivor, loser = rows[row.survivor_id], rows[row.loser_id]
    for one in (survivor, loser):
        require(by, "customer.merge", one.office)
    if row.undone_at:
        return []
    if survivor.erased_at:
        message = _("The record was erased: nothing can be undone.")
        raise Refused("merge.closed", message)
    primary = json.loads(row.replaced)["primary"]
    loser_phones = CustomerPhone.objects.filter(pk=primary, customer=survivor)
    loser_phones.update(is_primary=False)
    models_by_label = {label: (model, field) for label, model, field in relations()}
    for moved in row.moved.all():
        model, field = models_by_label[moved.relation]
        still = model._base_manager.filter(pk__in=moved.ids, **{field: survivor})
        still.update(**{field: loser})
    kept = _restore(survivor, json.loads(row.replaced))
    loser.phones.filter(pk=primary).update(is_primary=True)
    loser.merged_into = None
    loser.version += 1
    loser.save(update_fields=["merged_into", "version"])
    row.undone_by, row.undone_at = by, now()
    row.save(update_fields=["undone_by", "undone_at"])
    pair = DuplicatePair.objects.filter(
        first=min(survivor.pk, loser.pk), second=max(survivor.pk, loser.pk)
    )
    pair.update(state="open", decided_by=None, decided_at=None)
    details = {"loser": loser.pk, "kept": kept}
    audit.record(
        by, "customer.unmerged", survivor, office=survivor.office, details=details
    )
    return kept


def _restore(survivor: Customer, written: dict) -> list[str]:
    """Give the survivor its own values back where the merged ones still stand."""
    kept = []
    for name, (before, merged) in written["fields"].items():
        if _plain(getattr(survivor, name)) != merged:
            kept.append(name)
        elif name == "id_number":
            survivor.set_id_number(before)
        else:
            field: Any = Customer._meta.get_field(name)
            setattr(survivor, field.attname, field.to_python(before))
    survivor.aliases = written["aliases"]
    survivor.set_name(survivor.name)
    survivor.version += 1
    survivor.save()
    return kept
