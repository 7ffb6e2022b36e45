"""Work orders of the demo province, of every type and in every state."""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from django.db import connection
from django.utils.timezone import now
from django.utils.translation import override

from complaints import claims, clocks, findings
from complaints.kinds import Kind
from complaints.models import BuckPassing, Category, Complaint, ComplaintMove, Desk
from complaints.routing import add_usual
from complaints.workflow import CLOSED, State
from crm import text
from crm.access.models import User
from crm.demo import aftercare, province
from crm.fields import blind_index
from crm.improvement.services import decide, submit
from crm.org.calendar import WorkCalendar
from crm.org.models import Office
from crm.org.queries import calendar_of
from customers.models import Customer, TimelineEntry

COMPLAINTS = 300
KINDS = [Kind.COMPLAINT] * 12 + list(Kind)
WITH_CATEGORY = {Kind.COMPLAINT, Kind.APPEAL, Kind.CLAIM, Kind.PROBLEM_ITEM}
PATHS: list[tuple[str, ...]] = [
    ("new",),
    ("new", "accepted"),
    ("new", "accepted", "assigned"),
    ("new", "accepted", "assigned", "verifying"),
    ("new", "accepted", "assigned", "returned"),
    ("new", "accepted", "in_progress"),
    ("new", "accepted", "in_progress", "suspended"),
    ("new", "accepted", "assigned", "escalated"),
    ("new", "accepted", "in_progress", "replied"),
    ("new", "accepted", "in_progress", "replied", "follow_up"),
    ("new", "accepted", "in_progress", "replied", "reopened"),
    ("new", "cancelled"),
    *[
        (
            "new",
            "accepted",
            "assigned",
            "in_progress",
            "replied",
            "follow_up",
            "archived",
        )
    ]
    * 18,
]


def seed(
    rng: Random,
    customers: list[Customer],
    users: dict[str, User],
    offices: dict[str, Office],
) -> int:
    """Three hundred in every state, with the history and the timeline that each implies."""
    at, agent = now(), users["agent.wuhan"]
    calendars: dict[int, WorkCalendar] = {}
    categories = {row.code: row for row in Category.objects.all()}
    rows, moves = [], []
    for number in range(1, COMPLAINTS + 1):
        path = rng.choice(PATHS) if number > len(PATHS) else PATHS[number - 1]
        customer = rng.choice(customers)
        days = 60 if len(path) > 6 else 9
        age = timedelta(minutes=rng.randint(90, 60 * 24 * days))
        if customer.office_id not in calendars:
            calendars[customer.office_id] = calendar_of(customer.office)
        row = _order(rng, categories, customer, at - age, path[-1])
        row.ref = f"C-{row.opened_at:%Y%m%d}-{number:06d}"
        row.created_by = agent
        if customer.office.code.startswith("4201"):
            row.office = offices["420100"]
        rows.append(row)
        moves.append(_moves(row, path, row.opened_at, _spent(rng, path, age), agent))
    for row, steps in zip(rows, moves, strict=True):
        row.state = State.NEW
        clocks.start(row, calendars[row.handling_office_id])
        if row.handling_office == offices["420100"] and len(steps) > 1:
            row.owner = users["handler.wuhan"]
        for step in steps:
            step.office = row.handling_office
            row.state = State(step.after)
            row.closed_at = step.at if step.after in CLOSED else None
            row.rounds += step.after == State.REOPENED
            row.bounces += step.after == State.RETURNED
            clocks.moved(row, step.before, step.after, step.at)
        row.save()
    ComplaintMove.objects.bulk_create([step for steps in moves for step in steps])
    TimelineEntry.objects.bulk_create([_entry(row) for row in rows])
    add_usual(offices[province.PROVINCE[0]], by=users["supervisor.hubei"])
    _money(rows, users)
    aftercare.seed(rng, rows, users, offices)
    _feedback(users, offices)
    desk = Desk.objects.create(name="大客户专席", office=offices["420100"])
    desk.members.add(agent)
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('complaints_ref', %s)", [COMPLAINTS])
    return len(rows)


def _spent(rng: Random, path: tuple[str, ...], age: timedelta) -> timedelta:
    """How long it was worked on: what is closed took hours, now and then more than a week."""
    if path[-1] not in CLOSED:
        return age
    hours = rng.choices([rng.uniform(2, 30), rng.uniform(120, 300)], [88, 12])[0]
    return min(age, timedelta(hours=hours))


def _order(
    rng: Random,
    categories: dict[str, Category],
    customer: Customer,
    opened: datetime,
    state: str,
) -> Complaint:
    kind = rng.choice(KINDS)
    code, words = rng.choice(list(province.COMPLAINTS.items()))
    category = categories[code if kind in WITH_CATEGORY else "599"]
    words = province.REQUESTS.get(kind, words)
    item = f"10{rng.randint(10**9, 10**10 - 1)}42"
    phone = text.normalise_phone(f"1300000{int(customer.code[2:]):04d}")
    return Complaint(
        kind=kind,
        customer=customer,
        caller_phone=phone,
        caller_index=blind_index(phone),
        caller_name=customer.name if customer.kind == "individual" else "",
        office=customer.office,
        handling_office=customer.office,
        category=category.group,
        subcategory=category,
        channel=rng.choices(["hotline", "counter", "web", "wechat"], [70, 10, 8, 12])[
            0
        ],
        item_no=item,
        text=words.format(no=item),
        mood=rng.choice(["", "calm", "worried", "angry"]),
        scope=rng.choice(["", "city", "province", "country"]),
        demand=rng.choice(["", "要求尽快送达", "要求赔偿", "要求道歉"]),
        severity=category.severity,
        state=State(state),
        opened_at=opened,
    )


def _moves(
    row: Complaint, path: tuple[str, ...], opened: datetime, spent: timedelta, by: User
) -> list[ComplaintMove]:
    steps = []
    for index, after in enumerate(path):
        before = path[index - 1] if index else ""
        when = opened + spent * 0.9 * (index / max(1, len(path) - 1))
        steps.append(
            ComplaintMove(complaint=row, at=when, by=by, before=before, after=after)
        )
    return steps


def _entry(row: Complaint) -> TimelineEntry:
    with override("en"):  # message ids
        return TimelineEntry(
            customer=row.customer,
            kind="complaint",
            at=row.opened_at,
            ref=row.ref,
            title=str(row.get_category_display()),
            url=row.get_absolute_url(),
            state=str(row.get_state_display()),
            is_open=row.is_open,
            source=f"complaint:{row.pk}",
        )


def _money(rows: list[Complaint], users: dict[str, User]) -> None:
    """Claims at each step, a finding objected to, a suspicion to be judged."""
    handler, boss = users["handler.wuhan"], users["supervisor.wuhan"]
    ours = [row for row in rows if row.handling_office.code == "420100"]
    claimed = iter(ours[:6])
    facts: dict[str, Any] = {
        "regime": "universal",
        "damage": "lost",
        "postage": Decimal(18),
    }
    for loss in (30, 120, 400):
        claims.propose(next(claimed), by=handler, loss=Decimal(loss), **facts)
    paid = claims.propose(next(claimed), by=handler, loss=Decimal(50), **facts)
    claims.decide(paid, by=boss, grants=True, decision="同意")
    claims.pay(paid, by=boss, voucher="PZ-1101")
    over: dict[str, Any] = {"amount": Decimal(200), "reason": "重点客户，协商一致"}
    claims.propose(next(claimed), by=handler, loss=Decimal(300), **facts, **over)
    office = ours[0].handling_office
    about: dict[str, Any] = {
        "basis": "fault",
        "office": office,
        "user": handler,
        "share": 60,
    }
    found = findings.add(ours[0], by=boss, note="未按址投递", **about)
    findings.object_to(found, by=handler, objection="收件人电话要求放门卫")
    BuckPassing.objects.create(
        complaint=ours[1], office=office, sign="idle", raised_at=now()
    )


def _feedback(users: dict[str, User], offices: dict[str, Office]) -> None:
    """One solved, one passed up, one new."""
    handler, agent = users["handler.wuhan"], users["agent.wuhan"]
    boss, where = users["supervisor.wuhan"], offices["420100"]
    for by, kind, title, words in province.FEEDBACK:
        who = handler if by == "handler" else agent
        row = submit(by=who, office=where, kind=kind, title=title, text=words)
        if kind == "problem":
            decide(row, by=boss, step="solve", note="已更换打印机，本周内送到各网点。")
        elif kind == "need":
            decide(row, by=boss, step="pass_up", note="需省公司统一改造系统。")
