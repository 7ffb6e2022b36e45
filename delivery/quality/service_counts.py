"""Complaints and appeals per office, product and day: rows that the apps above bring down.

Whoever writes them gives whole days; writing twice gives the same rows.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from django.db import transaction

from delivery.models import MailItem, MailKey, ServiceCount

Key = tuple[date, int, str]  # day, office, product


def offices_of(waybills: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Waybill → (who answers for the item, its product), of those known. Two queries."""
    keys = MailKey.objects.filter(waybill__in=list(waybills))
    days = dict(keys.values_list("waybill", "accepted_on"))
    rows = MailItem.objects.filter(
        waybill__in=days, accepted_on__in=set(days.values())
    ).values_list("waybill", "office_id", "product")
    return {waybill: (office, product) for waybill, office, product in rows}


@transaction.atomic
def put(first: date, last: date, counts: Mapping[Key, Mapping[str, int]]) -> None:
    """Replace the counts of these days; `counts` has fields of ServiceCount by key."""
    # RACE: two writers of the same days would both insert; the later one waits.
    ServiceCount.objects.select_for_update().filter(day__range=(first, last)).delete()
    ServiceCount.objects.bulk_create(
        [
            ServiceCount(day=day, office_id=office, product=product, **fields)
            for (day, office, product), fields in sorted(counts.items())
        ],
        update_conflicts=True,
        unique_fields=["day", "office", "product"],
        update_fields=["complaints", "upheld", "appeals", "appeals_upheld"],
        batch_size=2000,
    )
