"""Plans over a frozen list: everybody on it is visited, and the counter says who is left.

Source: R-VIS-01 (all customers of last season), R-VIS-02, R-VIS-04. Seasons will freeze
their lists by `freeze` with customers of their own choice.
"""

from datetime import date
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.dateparse import parse_date
from django.utils.timezone import localdate, now

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.jobs.models import Job
from crm.jobs.services import enqueue
from customers.listing import selection
from customers.models import Customer, SavedView, UsageDay
from delivery import planning
from delivery.models import Visit, VisitPlan, VisitType
from delivery.visit_rules import PRIORITY

INSERT = """
INSERT INTO delivery_visit (type, way, customer_id, office_id, visitor_id, is_given, plan_id,
    source, note, first_day, due_on, priority, state, minutes, place, is_pinned, why, misses,
    made_at, reason)
SELECT %s, %s, q.pk, q.office_id, q.manager_id, false, %s, 'plan:' || %s || ':' || q.pk, '',
       %s, %s, %s, 'open', 60, 0, false, '{}', 0, %s, ''
FROM (SELECT c.id AS pk, c.office_id, c.manager_id FROM customers_customer c
      WHERE c.id IN (CHOSEN)) q
ON CONFLICT DO NOTHING"""


@transaction.atomic
def make(plan: VisitPlan, *, by: User, whom: dict[str, Any]) -> VisitPlan:
    """Make a plan; a worker freezes its list a moment later.

    `whom`: {"product", "since", "until"} or {"view": id}, as the plan's page will say.
    """
    require(by, "visit.plan", plan.office)
    plan.made_by, plan.whom = by, whom
    plan.save()
    enqueue("delivery.freeze", {"plan": plan.pk}, by=by, key=f"freeze:{plan.pk}")
    audit.record(by, "visit.plan_made", plan, office=plan.office)
    return plan


def counted(plan: VisitPlan, *, by: User, whom: dict[str, Any]) -> dict[str, int]:
    """How many a plan would hold, before it is made: names, without a manager, managers."""
    plan.made_by, plan.whom = by, whom
    rows = chosen(plan).order_by()
    return {
        "names": rows.count(),
        "unmanaged": rows.filter(manager=None).count(),
        "managers": rows.exclude(manager=None).values("manager").distinct().count(),
    }


def chosen(plan: VisitPlan) -> QuerySet[Customer]:
    """The customers that a plan's words name, among those that its maker may see and the
    plan's office holds."""
    whom, by = plan.whom, plan.made_by
    if by is None:
        return Customer.objects.none()
    if view := whom.get("view"):
        found = SavedView.objects.visible_to(by).filter(pk=view).first()
        rows = selection(by, found.query) if found else Customer.objects.none()
    else:
        rows = Customer.objects.visible_to(by)
        rows = bought(rows, whom["product"], _day(whom["since"]), _day(whom["until"]))
    inside = rows.filter(office__path__startswith=plan.office.path)
    return inside.filter(erased_at=None)


def _day(written: str) -> date:
    return parse_date(written) or localdate()


def bought(
    rows: QuerySet[Customer], product: str, since: date, until: date
) -> QuerySet[Customer]:
    """Those with usage of a product (or of any that contains the word) in a time; what was
    merged into somebody counts as theirs."""
    used = UsageDay.objects.filter(
        day__range=(since, until), product__contains=product, pieces__gt=0
    )
    merged = Customer.objects.filter(
        merged_into__isnull=False, pk__in=used.values("customer_id")
    )
    own = Exists(used.filter(customer_id=OuterRef("pk")))
    return rows.filter(own) | rows.filter(pk__in=merged.values("merged_into"))


@transaction.atomic
def freeze(plan: VisitPlan, customers: QuerySet[Customer]) -> int:
    """Write the list down as visits; how many. Again adds nobody twice. One statement."""
    sql, params = customers.order_by().values("pk").query.sql_with_params()
    values: list[Any] = [
        plan.type,
        plan.way,
        plan.pk,
        plan.pk,
        max(plan.first_day, localdate()),
        max(plan.due_on, localdate()),
        PRIORITY[VisitType(plan.type)],
        now(),
    ]
    with connection.cursor() as cursor:
        cursor.execute(INSERT.replace("CHOSEN", sql), [*values, *params])
    plan.size = Visit.objects.filter(plan=plan).count()
    plan.save(update_fields=["size"])
    return plan.size


def freeze_step(job: Job) -> bool:
    """Job: freeze the list, then plan its visitors by chunks."""
    plan = VisitPlan.objects.select_related("office", "made_by").get(
        pk=job.params["plan"]
    )
    if "after" not in job.cursor:
        job.total_units = freeze(plan, chosen(plan))
        job.cursor = {"after": 0}
        return False
    rows = Visit.objects.running().filter(plan=plan, visitor__gt=job.cursor["after"])
    users = rows.order_by("visitor").values_list("visitor", flat=True).distinct()
    chunk = list(users[: planning.CHUNK])
    if chunk:
        planning.plan_people(chunk)
        job.cursor = {"after": chunk[-1]}
    return not chunk
