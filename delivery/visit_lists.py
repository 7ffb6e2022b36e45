"""Lists of visits and the figures over them: the same filter makes both, so that a number
opens exactly its rows."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.utils.timezone import localdate

from crm.access.models import User
from crm.org.models import Office
from delivery.models import Visit, VisitPlan, VisitReport

State = Visit.State


def narrowed(rows: QuerySet[Visit], chosen: dict[str, Any]) -> QuerySet[Visit]:
    """The visits that a filter asks for. `since` and `until` are days of reports for what
    is done, and the windows' ends for the rest."""
    today = localdate()
    states: dict[str, Q] = {
        "open": Q(state=State.OPEN),
        "overdue": Q(state=State.OPEN, due_on__lt=today),
        "unplanned": Q(state=State.OPEN, day=None),
        "late": Q(state=State.OPEN, day__gt=F("due_on")),
        "done": Q(state=State.DONE),
        "dropped": Q(state=State.DROPPED),
        "left": ~Q(state=State.DONE),
    }
    state = chosen.get("state") or ""
    if state:
        rows = rows.filter(states[state])
    lookups = {
        "type": "type",
        "way": "way",
        "result": "report__result",
        "who": "visitor__username",
        "plan": "plan",
        "customer": "customer",
    }
    for name, lookup in lookups.items():
        if chosen.get(name):
            rows = rows.filter(**{lookup: chosen[name]})
    if code := chosen.get("office"):
        office = Office.objects.filter(code=code).first()
        inside = (
            Q(customer__office__path__startswith=office.path) if office else Q(pk=None)
        )
        rows = rows.filter(inside)
    moment = (
        "report__visited_on" if state == "done" or chosen.get("result") else "due_on"
    )
    if since := chosen.get("since"):
        rows = rows.filter(**{f"{moment}__gte": since})
    if until := chosen.get("until"):
        rows = rows.filter(**{f"{moment}__lte": until})
    return rows


@dataclass
class Cover:
    """How much of a frozen list is visited, at one office and below."""

    office: Office
    size: int = 0
    done: int = 0
    dropped: int = 0
    overdue: int = 0

    @property
    def open(self) -> int:
        """Names still to be visited: whoever was dropped is one of them."""
        return self.size - self.done

    @property
    def share(self) -> float:
        return 100 * self.done / self.size if self.size else 0.0


def coverage(plan: VisitPlan, user: User) -> list[Cover]:
    """The counter by office, each with those below it, the plan's office first; of what
    the user may see. Two queries.

    Counted by the customer's office of today, as the list behind each number is.
    """
    rows = Visit.objects.visible_to(user).filter(plan=plan).order_by()
    counts = rows.values_list("customer__office__path").annotate(
        size=Count("pk"),
        done=Count("pk", filter=Q(state=State.DONE)),
        dropped=Count("pk", filter=Q(state=State.DROPPED)),
        overdue=Count("pk", filter=Q(state=State.OPEN, due_on__lt=localdate())),
    )
    found: dict[str, Cover] = {}
    top = plan.office.path
    offices = {o.path: o for o in Office.objects.filter(path__startswith=top)}
    for path, size, done, dropped, overdue in counts:
        for end in range(len(top), len(path) + 1, Office.steplen):
            office = offices.get(path[:end])
            if office is None:
                continue
            cover = found.setdefault(office.path, Cover(office))
            cover.size += size
            cover.done += done
            cover.dropped += dropped
            cover.overdue += overdue
    return [found[path] for path in sorted(found)]


def counts_of(rows: QuerySet[Visit], first: date, last: date) -> dict[str, int]:
    """The board's figures: overdue and without a day now; due, kept and made in the days.

    Cost: four queries, each by an index of its own.
    """
    rows = rows.order_by()
    due = rows.filter(due_on__range=(first, last)).exclude(state=State.DROPPED)
    done = rows.filter(state=State.DONE, report__visited_on__range=(first, last))
    overdue = rows.filter(state=State.OPEN, due_on__lt=localdate())
    kept = due.aggregate(due=Count("pk"), kept=Count("pk", filter=Q(state=State.DONE)))
    return {
        "overdue": overdue.count(),
        "unplanned": rows.filter(state=State.OPEN, day=None).count(),
        "done": done.count(),
        **kept,
    }


@dataclass
class PersonRow:
    """One visitor's month: what was due in it, what was done, what is open and overdue."""

    user: User
    due: int = 0
    in_time: int = 0
    done: int = 0
    overdue: int = 0

    @property
    def share(self) -> float:
        return 100 * self.in_time / self.due if self.due else 0.0


def by_person(rows: QuerySet[Visit], first: date, last: date) -> list[PersonRow]:
    """Visits by who goes: due within the days, of these done; all done in the days;
    overdue now. Four queries."""
    rows = rows.exclude(visitor=None).order_by()
    due = rows.filter(due_on__range=(first, last)).exclude(state=State.DROPPED)
    done = rows.filter(state=State.DONE, report__visited_on__range=(first, last))
    overdue = rows.filter(state=State.OPEN, due_on__lt=localdate())
    lines: dict[int, PersonRow] = defaultdict(lambda: PersonRow(User()))
    for user, count, kept in due.values_list("visitor").annotate(
        n=Count("pk"), kept=Count("pk", filter=Q(state=State.DONE))
    ):
        lines[user].due, lines[user].in_time = count, kept
    for user, count in done.values_list("visitor").annotate(Count("pk")):
        lines[user].done = count
    for user, count in overdue.values_list("visitor").annotate(Count("pk")):
        lines[user].overdue = count
    people = User.objects.filter(pk__in=lines).order_by("full_name")
    for person in people:
        lines[person.pk].user = person
    return [lines[person.pk] for person in people]


def by_result(
    rows: QuerySet[Visit], first: date, last: date
) -> list[tuple[str, str, int, float]]:
    """(value, label, how many, percent) of what visits of the days found. One query."""
    done = rows.order_by().filter(
        state=State.DONE, report__visited_on__range=(first, last)
    )
    counts = dict(done.values_list("report__result").annotate(Count("pk")))
    total = sum(counts.values()) or 1
    return [
        (value, str(label), counts.get(value, 0), 100 * counts.get(value, 0) / total)
        for value, label in VisitReport.Result.choices
    ]
