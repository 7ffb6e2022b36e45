"""Keeping what an import changes, and taking the import back."""

import json
import uuid
from typing import Any

from customers.merging import delete_unused
from customers.models import (
    Customer,
    CustomerAddress,
    CustomerPhone,
    ExternalId,
    ImportedChange,
)

STEP_ROWS = 2000


def keep_before(batch: uuid.UUID, model: Any, before: dict[int, dict]) -> None:
    """Write down what rows of `model` were; the first state is the one to go back to."""
    ImportedChange.objects.bulk_create(
        [
            ImportedChange(
                batch=batch,
                table=model.__name__,
                row=pk,
                before=json.dumps(kept, default=str),
            )
            for pk, kept in before.items()
        ],
        batch_size=1000,
        ignore_conflicts=True,
    )


def put_back(batch: uuid.UUID, model: Any) -> bool:
    """Give some changed rows their old values back; whether all of them have been."""
    changes = ImportedChange.objects.filter(batch=batch, table=model.__name__)
    found = list(changes.order_by("pk")[:STEP_ROWS])
    rows = model.objects.in_bulk([change.row for change in found])
    for change in found:
        row = rows.get(change.row)
        if row is None:
            continue  # erased since
        for name, value in json.loads(change.before).items():
            column = model._meta.get_field(name.removesuffix("_id"))
            setattr(row, name, column.to_python(value) if value else value)
        if model is Customer:
            row.set_id_number(row.id_number)
            row.set_name(row.name)
            row.version += 1
        row.save()
    changes.filter(pk__in=[change.pk for change in found]).delete()
    return len(found) < STEP_ROWS


def take_back_customers(batch: uuid.UUID) -> bool:
    """Undo changes, added numbers and places, and new customers that nobody has used."""
    if not put_back(batch, Customer):
        return False
    for model in (CustomerPhone, CustomerAddress, ExternalId):
        model._base_manager.filter(imported_by=batch).delete()
    delete_unused(Customer.objects.filter(imported_by=batch))
    return True
