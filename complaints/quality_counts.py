"""How many complaints and appeals fell on whom: brought down to delivery's figures.

A complaint counts on the day it was taken in, for the office that answers for its item;
without a known item, for the office that handles it. Merged ones count once.
"""

from collections import defaultdict
from datetime import timedelta

from django.utils.timezone import localdate, localtime

from complaints.kinds import Kind
from complaints.models import Complaint
from crm.jobs.models import Job
from crm.org.calendar import start_of
from delivery.quality.service_counts import Key, offices_of, put

DAYS = 62  # verdicts of the regulator come within two months
FIELDS = ("complaints", "upheld", "appeals", "appeals_upheld")


def bring_down_step(job: Job) -> bool:
    """Job: count the last two months anew and put the rows into delivery."""
    last = localdate()
    first = last - timedelta(days=DAYS - 1)
    rows = Complaint.objects.filter(
        kind__in=(Kind.COMPLAINT, Kind.APPEAL),
        opened_at__gte=start_of(first),
        merged_into=None,
    ).values_list("opened_at", "kind", "item_no", "handling_office", "is_upheld")
    found = list(rows.order_by())
    items = offices_of({number for _at, _kind, number, _office, _true in found})
    counts: dict[Key, dict[str, int]] = defaultdict(lambda: dict.fromkeys(FIELDS, 0))
    for at, kind, number, handled_by, is_upheld in found:
        office, product = items.get(number, (handled_by, ""))
        fields = counts[localtime(at).date(), office, product]
        name = "appeals" if kind == Kind.APPEAL else "complaints"
        fields[name] += 1
        if is_upheld:
            fields["appeals_upheld" if kind == Kind.APPEAL else "upheld"] += 1
    put(first, last, counts)
    job.done_units = len(found)
    return True
