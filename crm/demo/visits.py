"""Visits of the demo province: a quarter's history, tonight's plan, one list half visited,
appointments, a hand-over begun."""

from datetime import datetime, time, timedelta
from random import Random
from typing import Any

from django.utils.timezone import get_current_timezone, localdate, now

from crm.access.models import Absence, User
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.org.models import Office
from customers.models import Customer
from delivery import handovers, plans, visit_rules
from delivery.models import (
    CareRule,
    Visit,
    VisitPlan,
    VisitReport,
    VisitRule,
    VisitType,
)
from delivery.planning import plan_people

WORDS = [
    "双十一后日均两百件，希望下午增加一次揽收。",
    "年底对账单要电子版，财务换了新人。",
    "准备做企业形象贺卡，二月前要样张。",
    "退件多，想知道能不能先核对名址。",
    "反映派送员不打电话放门卫。",
    "对价格没有意见，关心丢失的赔付快慢。",
]
ADVICE = ["建议改用批量导入寄件", "推荐贺卡封装一条龙", "建议签保价协议", ""]
COMPETITORS = ["", "", "", "顺丰", "中通", "京东物流"]


def seed(
    rng: Random,
    customers: list[Customer],
    users: dict[str, User],
    offices: dict[str, Office],
) -> None:
    managers = [
        users[name] for name in ("manager.wuhan", "manager2.wuhan", "manager.yichang")
    ]
    today = localdate()
    done: list[Visit] = []
    for manager in managers:
        mine = [c for c in customers if c.manager_id == manager.pk]
        for customer in mine[: len(mine) * 2 // 3]:
            day = today - timedelta(days=rng.randint(1, 90))
            done.append(
                _done(customer, manager, VisitType.REGULAR, day, f"demo:{len(done)}")
            )
    Visit.objects.bulk_create(done)
    _reports(rng, done)
    boss = users["supervisor.wuhan"]
    Absence.objects.create(
        user=managers[1],
        first_day=today + timedelta(days=8),
        last_day=today + timedelta(days=12),
        reason="年休",
        substitute=managers[0],
    )
    VisitRule.objects.create(
        office=offices["420000"], type=VisitType.ALERT, days=10, slack=0, made_by=boss
    )
    _rules(offices["420000"], boss)
    _plan(rng, boss, offices["420100"])
    run_inline(enqueue("delivery.night"))
    for job in Job.objects.filter(kind="delivery.plan_office").order_by("pk"):
        run_inline(job)
    _today(rng, managers[0])
    facts: dict[str, Any] = {"giver": managers[1], "taker": managers[0]}
    handovers.start(by=boss, office=offices["420100"], reason="岗位调整", **facts)
    plan_people([manager.pk for manager in managers])


def _done(customer: Customer, by: User, type_: str, day: Any, source: str) -> Visit:
    at = datetime.combine(day, time(16), get_current_timezone())
    return Visit(
        type=type_,
        customer=customer,
        office=customer.office,
        visitor=by,
        source=source,
        first_day=day - timedelta(days=10),
        due_on=day + timedelta(days=4),
        day=day,
        state=Visit.State.DONE,
        closed_by=by,
        closed_at=at,
    )


def _reports(rng: Random, rows: list[Visit]) -> None:
    results = VisitReport.Result
    VisitReport.objects.bulk_create(
        VisitReport(
            visit=row,
            by=row.closed_by,
            visited_on=row.day or localdate(),
            result=rng.choices(
                [
                    results.FINE,
                    results.ORDER,
                    results.INTEREST,
                    results.PROBLEM,
                    results.LEAVING,
                ],
                [50, 15, 20, 12, 3],
            )[0],
            needs=rng.sample(VisitReport.Need.values, rng.randint(0, 2)),
            need_text=rng.choice(WORDS),
            competitor=rng.choice(COMPETITORS),
            satisfaction=rng.choices([5, 4, 3, 2], [40, 40, 15, 5])[0],
            shortcomings=rng.sample(VisitReport.Shortcoming.values, rng.randint(0, 2)),
            advice=rng.choice(ADVICE),
        )
        for row in rows
    )


def _rules(root: Office, boss: User) -> None:
    """Regular visits and greetings by the grades of the province's scheme."""
    grades = list(visit_rules.grade_names())
    VisitRule.objects.bulk_create(
        VisitRule(
            office=root,
            type=VisitType.REGULAR,
            grade=grade,
            days=days,
            slack=slack,
            way=way,
            made_by=boss,
        )
        for grade, days, slack, way in zip(
            grades,
            (30, 90, 365),
            (10, 21, 45),
            ("visit", "visit", "call"),
            strict=False,
        )
    )
    CareRule.objects.update(grades=grades[:2])


def _plan(rng: Random, boss: User, office: Office) -> None:
    """Last winter's letter customers, before the season: half of them visited."""
    today = localdate()
    plan = VisitPlan.objects.create(
        name="贺卡老客户前期走访",
        type=VisitType.PRE_CAMPAIGN,
        office=office,
        first_day=today - timedelta(days=20),
        due_on=today + timedelta(days=25),
        made_by=boss,
        whom={"name": "上一贺卡季有订单的客户"},
    )
    managed = Customer.objects.filter(office__path__startswith=office.path)
    bought = plans.bought(
        managed.exclude(manager=None),
        "函件",
        today - timedelta(days=390),
        today - timedelta(days=300),
    )
    plans.freeze(plan, bought)
    rows = list(plan.visits.exclude(visitor=None).select_related("visitor"))
    seen = rng.sample(rows, len(rows) * 3 // 5)
    for row in seen:
        row.state, row.closed_by, row.closed_at = Visit.State.DONE, row.visitor, now()
        row.day = today - timedelta(days=rng.randint(1, 18))
    Visit.objects.bulk_update(seen, ["state", "closed_by", "closed_at", "day"])
    _reports(rng, seen)


def _today(rng: Random, manager: User) -> None:
    """A list for today, whatever weekday it is, with two appointments."""
    today = localdate()
    rows = Visit.objects.running().filter(visitor=manager).exclude(way="call")
    for number, row in enumerate(rows.order_by("-type", "due_on", "pk")[:5]):
        row.day, row.first_day = today, min(today, row.first_day)
        row.due_on = max(today, row.due_on)
        row.is_pinned, row.why = True, {"code": "hand", "by": str(manager)}
        if number in (1, 3):
            row.at = time(10 if number == 1 else 15, 30)
            row.why = {"code": "asked"}
        row.place = number + 1
        row.save()
