"""Filling an empty place with the demo province: deterministic, under half a minute."""

import hashlib
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.utils.timezone import localdate, make_aware

from complaints import findings
from complaints.models import Complaint, Finding
from crm.access.models import Posting, User
from crm.audit import services as audit
from crm.dashboards import (
    assessing,
    bulletins,
    combined,
    retention,
    snapshots,
    targets,
)
from crm.dashboards.boards import units_below
from crm.dashboards.models import Bulletin, Opinion, Target
from crm.dashboards.periods import Kind, last_ended, span_of
from crm.demo import (
    calls,
    grading,
    house,
    inspections,
    items,
    names,
    orders,
    pickups,
    province,
    records,
    seasons,
    surveys,
    visits,
    watch,
)
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.notify.services import tell
from crm.org import holidays
from crm.org.models import Office, WorkWindow
from crm.transfer.models import SourceFile
from crm.transfer.targets import Run
from customers.models import Customer
from customers.queries import add_months
from customers.seasons import spring_festival
from customers.usage_import import load

SEED = 20261121
CUSTOMERS = 3000
FOUND = ("未按址投递", "未预约上门", "超时未答复客户")
MONTHS = 13  # of figures
PORTFOLIO = 100  # customers of each demo manager


@transaction.atomic
def seed() -> dict[str, int]:
    """Make the demo province in one transaction: all of it or nothing."""
    rng = Random(SEED)
    today = localdate()
    offices = _offices()
    for year in range(today.year - 1, today.year + 2):
        holidays.load_year(year)
    users = _users(offices)
    customers = _customers(rng, offices, users)
    lines = _usage(rng, customers, today)
    run_inline(enqueue("customers.days"))
    records.finish(rng, customers, users)
    # Nobody else can count what one transaction has made: without this, plans are those
    # of empty tables.
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    grading.seed(offices[province.PROVINCE[0]], users)
    complaints = orders.seed(rng, customers, users, offices)
    calls.seed(rng, users, offices)
    house.papers(rng, users, offices)
    house.programmes(users, offices)
    watch.seed(rng, offices[province.PROVINCE[0]], users)
    visits.seed(rng, customers, users, offices)
    surveys.seed(rng, users, offices)
    made = items.seed(rng, offices, users)
    pickups.seed(rng, offices, users)
    inspections.seed(rng, offices, users, customers)
    seasons.seed(rng, offices, users, customers)
    for kind in ("delivery.scores", "delivery.volume", "delivery.track"):
        run_inline(enqueue(kind))
    base, current = retention.default_periods(today)
    for earlier in range(retention.TREND_POINTS):
        root = offices[province.PROVINCE[0]]
        retention.compute(
            root, retention.earlier(base, earlier), retention.earlier(current, earlier)
        )
    _figures(today, users, offices)
    house.dangers(users, offices)
    _opinions(users, offices[province.PROVINCE[0]], today)
    run_inline(enqueue("risk.warn"))
    _bulletins(users, offices[province.PROVINCE[0]], today)
    _assessment(users, offices, today)
    audit.record(None, "demo.seeded", offices[province.PROVINCE[0]])
    return {
        "offices": len(offices),
        "customers": len(customers),
        "usage_lines": lines,
        "complaints": complaints,
        "items": made,
    }


def _figures(today: date, users: dict[str, User], offices: dict[str, Office]) -> None:
    """The boards' past: a year of months, and what a night counts."""
    house.books(Random(7), users, offices)
    span = last_ended(Kind.MONTH, today)
    for _month in range(MONTHS):
        snapshots.compute(span, today)
        span = span.previous
    run_inline(enqueue("dashboards.figures"))
    root = Office.objects.get(code=province.PROVINCE[0])
    units = targets.units_of(root)
    for name, top, below in (("on_time_rate", 94, 93), ("retention_rate", 78, 76)):
        spans = targets.spans_of(Kind.MONTH, today.year)
        Target.objects.bulk_create(
            Target(
                office=unit,
                kpi=name,
                kind=Kind.MONTH,
                first=span.first,
                value=top if unit == root else below + number % 5,
                benchmark=below if unit == root else None,
            )
            for number, unit in enumerate(units)
            for span in spans
        )


def _assessment(
    users: dict[str, User], offices: dict[str, Office], today: date
) -> None:
    """Last month's, proposed: faults, failed duties, one that the handler objects to."""
    boss, handler = users["supervisor.wuhan"], users["handler.wuhan"]
    last = last_ended(Kind.MONTH, today).last
    moment = make_aware(datetime.combine(last, time(10)))
    orders = Complaint.objects.filter(
        handling_office=offices["420100"], state="archived", opened_at__lt=moment
    )
    about: dict[str, Any] = {"by": boss, "office": offices["420100"]}
    for n, row in enumerate(orders.order_by("pk")[:6]):
        who = handler if n % 2 else None
        basis = "duty" if n % 3 == 2 else "fault"
        findings.add(row, basis=basis, share=50, note=FOUND[n % 3], user=who, **about)
    Finding.objects.filter(found_by=boss).update(found_at=moment)
    sheet = assessing.propose(
        offices[province.PROVINCE[0]], last, by=users["supervisor.hubei"]
    )
    mine = sheet.lines.filter(user=handler).first()
    if mine:
        assessing.object_to(mine, by=handler, objection="客户电话要求放门卫，有录音。")
    for item in assessing.agenda(sheet)["key_items"][:1]:
        due = localdate() + timedelta(days=20)
        what = "录音复听，班前会讲评一周"
        assessing.manage(item, by=boss, what=what, owner=handler, due_on=due)


def _opinions(users: dict[str, User], root: Office, today: date) -> None:
    """How the province weighs, and what it thinks of six bureaux for last month."""
    boss = users["supervisor.hubei"]
    span = last_ended(Kind.MONTH, today)
    weights = {"on_time_rate": 40, "retention_rate": 30, "resolution_in_time": 30}
    combined.weigh(root, span.first.year, by=boss, qualitative=30, weights=weights)
    for n, unit in enumerate(units_below(root)[:6]):
        for source, points in (("customers", 78 + n * 7 % 17), ("house", 90 - n * 3)):
            row = Opinion(office=unit, source=source, points=points)
            row.kind, row.first, row.words = span.kind, span.first, "按季度评议"
            combined.say(row, by=boss)


def _bulletins(users: dict[str, User], root: Office, today: date) -> None:
    """Last month's, published; a draft of this month's calls."""
    boss, other = users["supervisor.hubei"], users["supervisor2.hubei"]
    units = Office.objects.active().under(root).filter(depth=2)
    for span, title, kpis in (
        (
            last_ended(Kind.MONTH, today),
            "投递与服务质量月度通报",
            ["on_time_rate", "delivery_success_rate", "resolution_in_time"],
        ),
        (span_of(Kind.MONTH, today), "客户维护情况通报", ["retention_rate", "revenue"]),
    ):
        row = Bulletin(
            office=root,
            title=title,
            kind=span.kind,
            first=span.first,
            last=span.last,
            kpis=kpis,
            opening="现将各市州局完成情况通报如下。",
            closing="请未达标单位查找原因，于本月底前上报整改措施。",
        )
        made = bulletins.make(row, by=boss, units=units)
        if span.has_ended(today):
            bulletins.publish(bulletins.approve(made, by=other), by=boss)


def _offices() -> dict[str, Office]:
    code, name = province.PROVINCE
    root = Office.objects.add_root({"code": code, "name": name, "level": "province"})
    found = {code: root}
    for code, name in province.PREFECTURES:
        unit = _child(root, code, name, "prefecture")
        found[code] = unit
        for county, county_name in province.COUNTIES.get(code, []):
            middle = _child(unit, county, f"{county_name}分局", "county")
            outlet = _child(
                middle, f"{county}01", f"{county_name}中心支局", "outlet", "sales"
            )
            found |= {county: middle, outlet.code: outlet}
    hotline = _child(
        root, "420000-11183", "省11183客服中心", "prefecture", "call_centre"
    )
    found[hotline.code] = hotline
    teams = [
        code for code, _name in province.PREFECTURES[:9]
    ]  # nine bureaux (R-ORG-07)
    Office.objects.filter(code__in=teams).update(has_biu_team=True)
    Office.objects.filter(level="outlet").update(has_service_area=True)
    WorkWindow.objects.bulk_create(
        WorkWindow(office=root, weekday=day, starts=starts, ends=ends)
        for day in range(5)
        for starts, ends in (("08:30", "12:00"), ("14:00", "18:00"))
    )
    return {code: Office.objects.get(code=code) for code in found}


def _child(
    parent: Office, code: str, name: str, level: str, kind: str = "bureau"
) -> Office:
    return Office.objects.add_child(
        parent, {"code": code, "name": name, "level": level, "kind": kind}
    )


def _users(offices: dict[str, Office]) -> dict[str, User]:
    """The cast. One hash serves them all: it is the same password."""
    password = make_password(settings.DEMO_PASSWORD)
    found = {}
    for username, full_name, role, office in province.CAST:
        user = User.objects.create(
            username=username,
            full_name=full_name,
            email=f"{username}@example.invalid",
            password=password,
            is_demo=True,
        )
        Posting.objects.create(
            user=user, office=offices[office], role=role, valid_from=date(2026, 1, 1)
        )
        welcome = "欢迎使用演示数据 · Welcome to the demo province"
        tell(user, "system", subject=welcome, key=f"welcome:{username}")
        found[username] = user
    return found


def _customers(
    rng: Random, offices: dict[str, Office], users: dict[str, User]
) -> list[Customer]:
    """Three quarters corporate; the three prefectures with counties hold two thirds."""
    big = [o for code, o in offices.items() if code[:4] in ("4201", "4205", "4206")]
    small = [
        o for o in offices.values() if o.level == "prefecture" and o.kind == "bureau"
    ]
    customers = []
    for number in range(1, CUSTOMERS + 1):
        office = rng.choice(big if rng.random() < 0.66 else small)
        is_person = rng.random() < 0.25
        customer = Customer(
            office=office,
            code=f"HB{number:06d}",
            kind="individual" if is_person else "corporate",
            segment=rng.choices(
                ["contract", "standard", "casual", "prospect"], [40, 25, 30, 5]
            )[0],
        )
        place = office.name[:2]
        customer.set_name(names.person(rng) if is_person else names.company(rng, place))
        customers.append(customer)
    for manager, prefix in (("manager.wuhan", "4201"), ("manager.yichang", "4205")):
        own = [c for c in customers if c.office.code.startswith(prefix)][:PORTFOLIO]
        for customer in own:
            customer.manager = users[manager]
    second = [c for c in customers if c.office.code.startswith("4201")][PORTFOLIO:]
    for customer in second[:PORTFOLIO]:
        customer.manager = users["manager2.wuhan"]
    Customer.objects.bulk_create(customers, batch_size=1000)
    records.seed(rng, customers, users)
    return customers


KINDS_OF_LIFE = ["stays", "steady", "leaves", "comes", "returns"]


def _usage(rng: Random, customers: list[Customer], today: date) -> int:
    """Thirteen months: some stay, some leave halfway, some come later, some come back.

    Of the year before, those who stay or leave have the like, with a rush before the
    Spring Festival; those who come back sent something in its last month.
    """
    months = [add_months(today, back) for back in range(-25, 1)]
    per_office: dict[int, list[list]] = {}
    office_of = {}
    for customer in customers:
        if customer.segment == "prospect":
            continue
        life = rng.choices(KINDS_OF_LIFE, [37, 25, 17, 16, 5])[0]
        size = rng.lognormvariate(1.5, 1.0)
        lines = per_office.setdefault(customer.office_id, [])
        office_of[customer.office_id] = customer.office
        for index, month in enumerate(months):
            if not _is_active(rng, life, index - 12):
                continue
            days = [
                month + timedelta(days=rng.randint(0, 27))
                for _sale in range(rng.randint(1, 4))
            ]
            for day in days + _rush(rng, month):
                if day > today:
                    continue
                pieces = max(1, int(size * rng.uniform(0.5, 1.8)))
                revenue = f"{pieces * rng.uniform(8, 26):.2f}"
                product = rng.choice(["标快", "特快", "包裹", "函件"])
                lines.append(
                    [
                        len(lines) + 2,
                        customer.code,
                        day.isoformat(),
                        pieces,
                        revenue,
                        product,
                    ]
                )
    columns = ["code", "posted_on", "pieces", "revenue", "product"]
    for office_id, lines in per_office.items():
        digest = hashlib.sha256(f"demo:{office_id}".encode()).hexdigest()
        source = SourceFile.objects.create(office=office_of[office_id], sha256=digest)
        load(Run(office_of[office_id], source.pk), lines, columns)
    return sum(len(lines) for lines in per_office.values())


def _rush(rng: Random, month: date) -> list[date]:
    """More days with a sale in the three weeks before the Spring Festival."""
    eve = spring_festival(month.year) - timedelta(days=4)
    days = [eve - timedelta(days=rng.randint(0, 20)) for _sale in range(4)]
    return [day for day in days if (day.year, day.month) == (month.year, month.month)]


def _is_active(rng: Random, life: str, month: int) -> bool:
    """Whether a customer sends in the month-th of fourteen months, or before them."""
    if life == "steady":
        return rng.random() < 0.96
    if month < 0:
        return life in ("stays", "leaves") and rng.random() < 0.7
    if life == "returns":
        return month == 0 or (month > 7 and rng.random() < 0.6)
    silent = {
        "stays": False,
        "leaves": month > 6,
        "comes": month < 8,
    }
    return not silent[life] and rng.random() < 0.6
