"""Key customers' items, watched until they arrive: the owning office hears of a likely delay
before the promise breaks; when it does, the app above opens a work order (R-DLV-12).

Where an item should be is told by how much of its time has passed, whatever its limit.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.capabilities import require
from crm.access.models import Posting, Role, User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.notify.services import tell
from crm.org.models import Office
from customers.models import Task
from customers.services import tell_supervisors
from customers.watching import make_task
from delivery.models import ItemRisk
from delivery.quality.marks import Mark

State = ItemRisk.State
LONGEST_WAY = 60  # days since acceptance
LOOKED_BACK = timedelta(days=3)  # items whose limit passed before anybody could notice
# Of the time between acceptance and limit, when an item should have come so far.
SENT_BY, IN_BY, OUT_BY = 0.5, 0.75, 0.9
MAY_COME_LATE = gettext_noop("Items of key customers may come late")
_KNOWN = f"m.marks & {Mark.TRACKED.value} <> 0"
_PASSED = """extract(epoch FROM %(at)s - COALESCE(m.e_accepted_at, m.accepted_at))
    / greatest(extract(epoch FROM m.due_at - COALESCE(m.e_accepted_at, m.accepted_at)), 1)"""
NOTICE = f"""
INSERT INTO delivery_itemrisk (waybill, accepted_on, customer_id, office_id, due_at, why,
                               state, noticed_at, note, "order")
SELECT waybill, accepted_on, customer_id, office_id, due_at, why, 'open', %(at)s, '', ''
FROM (
    SELECT m.*, CASE
        WHEN m.due_at <= %(at)s THEN 'broken'
        WHEN m.e_failed > 0 AND {_PASSED} >= %(in_by)s THEN 'failed'
        WHEN NOT {_KNOWN} AND {_PASSED} >= %(out_by)s THEN 'silent'
        WHEN {_KNOWN} AND m.e_out_at IS NULL AND {_PASSED} >= %(out_by)s THEN 'not_out'
        WHEN {_KNOWN} AND m.e_out_at IS NULL AND m.e_dest_in_at IS NULL
             AND {_PASSED} >= %(in_by)s THEN 'not_in'
        WHEN {_KNOWN} AND m.e_out_at IS NULL AND m.e_dest_in_at IS NULL
             AND m.e_origin_out_at IS NULL AND {_PASSED} >= %(sent_by)s THEN 'not_sent'
        END AS why
    FROM customers_customergrade g JOIN delivery_mailitem m ON m.customer_id = g.customer_id
    WHERE g.benefits @> '["tracking"]' AND m.accepted_on BETWEEN %(first)s AND %(today)s
      AND m.due_at > %(since)s AND m.flaw = '' AND m.disturbance_id IS NULL
      AND COALESCE(m.e_delivered_at, m.delivered_at, m.e_returned_at, m.returned_at) IS NULL
) watched
WHERE why IS NOT NULL ORDER BY waybill ON CONFLICT (waybill) DO NOTHING RETURNING id"""
# Corrections move the day of acceptance or the limit; `broken` may turn out to be in time.
REFRESH = """
UPDATE delivery_itemrisk r SET due_at = m.due_at, accepted_on = m.accepted_on
FROM delivery_mailkey k
JOIN delivery_mailitem m ON m.waybill = k.waybill AND m.accepted_on = k.accepted_on
WHERE k.waybill = r.waybill AND r.state IN ('open', 'broken')
  AND r.noticed_at > %(long_ago)s AND m.due_at IS NOT NULL
  AND (r.due_at, r.accepted_on) IS DISTINCT FROM (m.due_at, m.accepted_on)"""
SETTLE = """
UPDATE delivery_itemrisk r SET ended_at = %(at)s, state = CASE
    WHEN m.disturbance_id IS NOT NULL THEN 'over'
    WHEN COALESCE(m.e_delivered_at, m.delivered_at) <= r.due_at THEN 'saved'
    WHEN COALESCE(m.e_delivered_at, m.delivered_at) IS NULL
         AND COALESCE(m.e_returned_at, m.returned_at) IS NOT NULL THEN 'over'
    ELSE 'broken' END
FROM delivery_mailitem m
WHERE m.waybill = r.waybill AND m.accepted_on = r.accepted_on
  AND (r.state = 'open'
       AND (r.due_at <= %(at)s OR m.disturbance_id IS NOT NULL
            OR COALESCE(m.e_delivered_at, m.delivered_at, m.e_returned_at, m.returned_at)
               IS NOT NULL)
       OR r.state = 'broken' AND r.noticed_at > %(long_ago)s
       AND (m.disturbance_id IS NOT NULL
            OR COALESCE(m.e_delivered_at, m.delivered_at) <= r.due_at))
RETURNING r.waybill"""
# An import was taken back, and the item with it.
LOSE = """
UPDATE delivery_itemrisk r SET ended_at = %(at)s, state = 'over'
WHERE r.state = 'open' AND NOT EXISTS (
    SELECT FROM delivery_mailkey k WHERE k.waybill = r.waybill) RETURNING r.waybill"""


def track_step(job: Job) -> bool:
    """Job: notice what may come late, settle what has come or has broken."""
    job.done_units = notice(now())
    return True


@transaction.atomic
def notice(at: datetime) -> int:
    """One round at a moment; how many items are newly noticed.

    Cost: the items of the last 60 days of customers with the benefit, by their index.
    """
    today = localdate(at)
    values: dict[str, Any] = {"at": at, "today": today, "since": at - LOOKED_BACK}
    values |= {"first": today - timedelta(days=LONGEST_WAY)}
    values |= {"long_ago": at - timedelta(days=LONGEST_WAY)}
    values |= {"sent_by": SENT_BY, "in_by": IN_BY, "out_by": OUT_BY}
    with connection.cursor() as cursor:
        # RACE: one round at a time; the second finds what the first noticed.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('delivery.track'))")
        cursor.execute(NOTICE, values)
        new = [pk for (pk,) in cursor.fetchall()]
        cursor.execute(REFRESH, values)
        cursor.execute(SETTLE, values)
        ended = {waybill for (waybill,) in cursor.fetchall()}
        cursor.execute(LOSE, values)
        ended |= {waybill for (waybill,) in cursor.fetchall()}
    rows = list(
        ItemRisk.objects.filter(pk__in=new).select_related("customer", "office")
    )
    Task.objects.bulk_create(
        [
            make_task(
                row.customer,
                "item_risk",
                due_on=localdate(row.due_at),
                source=row.source,
                ref=row.waybill,
            )
            for row in rows
            if row.customer.manager_id
        ],
        ignore_conflicts=True,
    )
    sources = [f"item:{waybill}" for waybill in ended]
    Task.objects.filter(source__in=sources, done_at=None).update(done_at=at)
    _tell_offices([row for row in rows if row.waybill not in ended], at)
    return len(new)


def _tell_offices(rows: list[ItemRisk], at: datetime) -> None:
    """One message a person and round, naming the items: to those who handle mail in the
    office that answers for them, else to the supervisors above it."""
    by_office: dict[Office, list[ItemRisk]] = defaultdict(list)
    for row in rows:
        by_office[row.office].append(row)
    posted = Posting.objects.in_force(localdate(at)).select_related("user")
    here = posted.filter(office__in=by_office, role__in=(Role.HANDLER, Role.SUPERVISOR))
    people: dict[int, set[User]] = defaultdict(set)
    for posting in here:
        people[posting.office_id].add(posting.user)
    for office, own in by_office.items():
        key = f"risk:{office.pk}:{at:%Y%m%d%H%M}"
        url = f"/quality/risks/?office={office.code}"
        if not people[office.pk]:
            tell_supervisors(office, MAY_COME_LATE, key=key, url=url)
        for user in people[office.pk]:
            tell(
                user,
                "item.risk",
                subject=MAY_COME_LATE,
                body=", ".join(row.waybill for row in own[:10]),
                url=url,
                key=f"{key}:{user.pk}",
            )


@transaction.atomic
def act(row: ItemRisk, *, by: User, note: str) -> ItemRisk:
    """Write down what was done to save it. Refused("risk.over") once it is settled."""
    row = ItemRisk.objects.select_for_update(of=("self",)).get(pk=row.pk)
    require(by, "risk.act", row.office)
    if row.state not in (State.OPEN, State.BROKEN):
        raise Refused("risk.over", _("This item has arrived or is excused."))
    row.note, row.acted_by, row.acted_at = note, by, now()
    row.save(update_fields=["note", "acted_by", "acted_at"])
    audit.record(by, "item_risk.acted", row, office=row.office)
    return row


def broken_without_order(most: int) -> list[ItemRisk]:
    """Broken promises that no work order stands for yet, locked for who opens them.

    RACE: a second sweeper passes over the rows that the first has in hand.
    """
    rows = ItemRisk.objects.filter(state=State.BROKEN, order="")
    rows = rows.select_related("customer__office", "customer__manager", "office")
    return list(rows.select_for_update(of=("self",), skip_locked=True)[:most])


def ordered(row: ItemRisk, ref: str) -> None:
    """The work order that now stands for it."""
    row.order = ref
    row.save(update_fields=["order"])
