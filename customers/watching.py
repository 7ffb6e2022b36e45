"""What the night looks for: stale records, ending contracts, birthdays, missing lists."""

from datetime import date, timedelta

from django.db.models import F, Q
from django.utils.timezone import localdate

from crm.jobs.models import Job
from customers.ledger import CONTRACT_ALERTS
from customers.models import ContactPerson, Contract, Customer, RecipientList, Task
from customers.models.choices import ListState, Segment
from customers.notes import TASK_TITLES
from customers.records import set_birthday

CHUNK = 2000
STALE_DAYS = {"contract": 180, "standard": 365}  # by segment (R-CUS-39)
STALE_TASK_DAYS = 14
LIST_END_DAYS = 30


def watch_step(job: Job) -> bool:
    """Job: one kind of watch a step. Twice a night is once: tasks have unique sources."""
    watches = (_contracts, _lists, _ending_lists, _birthdays, _stale)
    place = job.cursor.get("watch", 0)
    after = watches[place](localdate(), job.cursor.get("after", 0))
    if after is None:
        job.cursor = {"watch": place + 1}
        return place + 1 == len(watches)
    job.cursor = {"watch": place, "after": after}
    return False


def make_task(
    customer: Customer, kind: str, *, due_on: date, source: str, ref: str = ""
) -> Task:
    """The unsaved task of a rule, for the customer's manager."""
    return Task(
        customer=customer,
        kind=kind,
        title=TASK_TITLES[kind],
        ref=ref,
        due_on=due_on,
        assignee_id=customer.manager_id,
        source=source,
    )


def _keep(tasks: list[Task]) -> None:
    Task.objects.bulk_create(tasks, ignore_conflicts=True)


def _contracts(today: date, after: int) -> int | None:
    """One task at 60, 30 and 7 days before the end, for the stage that is reached."""
    last = today + timedelta(days=CONTRACT_ALERTS[0])
    rows = Contract.objects.filter(
        ended_on=None, ends_on__range=(today, last), customer__merged_into=None
    ).select_related("customer")
    tasks = []
    for row in rows:
        days = (row.ends_on - today).days
        stage = min(one for one in CONTRACT_ALERTS if days <= one)
        source = f"contract:{row.pk}:{stage}"
        due = min(row.ends_on, today + timedelta(days=stage // 4))
        tasks.append(
            make_task(
                row.customer,
                "contract",
                due_on=due,
                source=source,
                ref=f"{row.number} → {row.ends_on}",
            )
        )
    _keep(tasks)
    return None


def _lists(today: date, after: int) -> int | None:
    """R-CUS-03: contract customers without a good recipient list, once a year."""
    rows = Customer.objects.filter(
        segment=Segment.CONTRACT,
        manager__isnull=False,
        merged_into=None,
        erased_at=None,
        list_state=ListState.INACCURATE,
    )
    due = today + timedelta(days=30)
    _keep(
        [
            make_task(row, "list", due_on=due, source=f"list:{row.pk}:{today.year}")
            for row in rows.only("manager_id")
        ]
    )
    return None


def _ending_lists(today: date, after: int) -> int | None:
    """Lists whose agreement ends within a month: hand back or destroy them."""
    last = today + timedelta(days=LIST_END_DAYS)
    rows = RecipientList.objects.filter(closed_at=None, ends_on__lte=last)
    _keep(
        [
            make_task(
                row.customer,
                "list_end",
                due_on=max(row.ends_on, today),
                source=f"list_end:{row.pk}:{row.ends_on}",
                ref=f"{row.name} → {row.ends_on}",
            )
            for row in rows.select_related("customer")
        ]
    )
    return None


def _birthdays(today: date, after: int) -> int | None:
    """The next date of those whose birthday was yesterday or before."""
    past = ContactPerson.objects.filter(next_birthday__lt=today)[:CHUNK]
    found = list(past)
    for contact in found:
        set_birthday(contact, today)
    ContactPerson.objects.bulk_update(found, ["next_birthday"])
    return 0 if len(found) == CHUNK else None


def _stale(today: date, after: int) -> int | None:
    """A task for each managed record that nobody has checked for too long."""
    rule = Q()
    for segment, days in STALE_DAYS.items():
        before = today - timedelta(days=days)
        never = Q(verified_on=None, created_at__date__lt=before)
        rule |= Q(segment=segment) & (Q(verified_on__lt=before) | never)
    rows = Customer.objects.filter(
        rule, manager__isnull=False, merged_into=None, erased_at=None, pk__gt=after
    )
    found = list(
        rows.order_by("pk").annotate(on=F("verified_on")).only("manager_id")[:CHUNK]
    )
    due = today + timedelta(days=STALE_TASK_DAYS)
    _keep(
        [
            make_task(row, "stale", due_on=due, source=f"stale:{row.pk}:{row.on}")
            for row in found
        ]
    )
    return found[-1].pk if len(found) == CHUNK else None
