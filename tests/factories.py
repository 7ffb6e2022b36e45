"""Plain factories and the named cast. Every person is posted at Wuhan but Mei.

Mei works next door, in Yichang, in every business role: she must see nothing of Wuhan.
"""

import io
import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from itertools import count

from django.conf import settings
from django.contrib.auth import login
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils.timezone import localdate, now
from PIL import Image

from complaints import claims, clocks, services
from complaints.models import Claim, Complaint
from complaints.services import create_complaint
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.improvement.models import Feedback
from crm.improvement.services import submit
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.org import holidays
from crm.org.models import CalendarDay, Office, WorkWindow
from crm.org.queries import calendar_of
from crm.transfer.targets import Run
from customers.grade_runs import save_scheme, start_run
from customers.grading import PRESETS
from customers.models import (
    Alert,
    Customer,
    DuplicatePair,
    Forecast,
    GradeRun,
    GradeScheme,
    KeyMonth,
    Organisation,
    Recipient,
    RecipientList,
    Task,
    WatchRule,
)
from customers.queries import add_months
from customers.recipients import count as count_recipients
from customers.recipients import judge, open_list
from customers.records import create_customer
from delivery import questionnaires, rounds
from delivery.models import (
    QuestionnaireVersion,
    SurveyMember,
    SurveyRound,
    Visit,
)
from delivery.quality import item_import
from delivery.quality.waybills import check_digit
from delivery.visits import request_visit

PASSWORD = "a-long-password-1"
numbers = count(1)


@dataclass
class Cast:
    hubei: Office
    wuhan: Office
    wuchang: Office  # a county of Wuhan
    yichang: Office
    lin: User  # agent
    chen: User  # supervisor
    zhao: User  # customer manager
    yong: User  # outlet handler
    zheng: User  # analyst
    he: User  # import operator
    gao: User  # system administrator
    liang: User  # security administrator
    xie: User  # the second one
    tang: User  # auditor
    shen: User  # quality checker
    guo: User  # inspector
    jing: User  # finance
    ping: User  # campaign planner
    rui: User  # service reviewer
    mei: User  # next door

    def of_role(self, role: str) -> User:
        names = {
            Role.AGENT: self.lin,
            Role.SUPERVISOR: self.chen,
            Role.MANAGER: self.zhao,
            Role.HANDLER: self.yong,
            Role.ANALYST: self.zheng,
            Role.IMPORTER: self.he,
            Role.SYSTEM_ADMIN: self.gao,
            Role.SECURITY_ADMIN: self.liang,
            Role.AUDITOR: self.tang,
            Role.QUALITY_CHECKER: self.shen,
            Role.INSPECTOR: self.guo,
            Role.FINANCE: self.jing,
            Role.PLANNER: self.ping,
            Role.REVIEWER: self.rui,
        }
        return names[Role(role)]


def office(code: str, name: str, level: str, parent: Office | None = None) -> Office:
    facts = {"code": code, "name": name, "level": level}
    if parent is None:
        return Office.objects.add_root(facts)
    return Office.objects.add_child(parent, facts)


def user(username: str, *postings: tuple[str, Office], **facts) -> User:
    facts.setdefault("full_name", username.title())
    made = User.objects.create_user(username, PASSWORD, **facts)
    for role, where in postings:
        Posting.objects.create(
            user=made, office=where, role=role, valid_from=date(2020, 1, 1)
        )
    return made


def cast() -> Cast:
    hubei = office("420000", "湖北省", "province")
    wuhan = office("420100", "武汉市", "prefecture", hubei)
    wuchang = office("420106", "武昌区", "county", wuhan)
    yichang = office("420500", "宜昌市", "prefecture", hubei)
    hubei, wuhan = Office.objects.get(pk=hubei.pk), Office.objects.get(pk=wuhan.pk)
    next_door = [("agent", yichang), ("supervisor", yichang), ("manager", yichang)]
    return Cast(
        hubei=hubei,
        wuhan=wuhan,
        wuchang=wuchang,
        yichang=yichang,
        lin=user("lin", ("agent", wuhan)),
        chen=user("chen", ("supervisor", wuhan)),
        zhao=user("zhao", ("manager", wuhan)),
        yong=user("yong", ("handler", wuhan)),
        zheng=user("zheng", ("analyst", wuhan)),
        he=user("he", ("importer", wuhan)),
        gao=user("gao", ("system_admin", wuhan)),
        liang=user("liang", ("security_admin", wuhan)),
        xie=user("xie", ("security_admin", hubei)),
        tang=user("tang", ("auditor", wuhan)),
        shen=user("shen", ("quality_checker", wuhan)),
        guo=user("guo", ("inspector", wuhan)),
        jing=user("jing", ("finance", wuhan)),
        ping=user("ping", ("planner", wuhan)),
        rui=user("rui", ("reviewer", wuhan)),
        mei=user("mei", *next_door),
    )


def phone() -> str:
    return f"1310000{next(numbers):04d}"


def customer(where: Office, **facts) -> Customer:
    number = next(numbers)
    facts = {
        "code": f"K{number:05d}",
        "name": f"武汉长江{number}电子有限公司",
        "kind": "corporate",
        "phone": phone(),
        **facts,
    }
    return create_customer(by=None, office=where, **facts)


def pair(first: Customer, second: Customer, **facts) -> DuplicatePair:
    facts = {"reasons": ["phone"], "score": 90, "seen_at": now(), **facts}
    ordered = sorted((first, second), key=lambda row: row.pk)
    return DuplicatePair.objects.create(first=ordered[0], second=ordered[1], **facts)


def entry(where: Office, name: str = "武汉目录企业有限公司", **facts) -> Organisation:
    made = Organisation(office=where, **facts)
    made.set_name(name)
    made.save()
    return made


def scheme(where: Office, name: str = "分级", **facts) -> GradeScheme:
    facts = {"valid_from": date(2026, 1, 1), **facts}
    draft = GradeScheme(office=where, name=name, **facts)
    return save_scheme(draft, PRESETS["guangdong"], by=None)


def run_jobs(kind: str) -> None:
    """Run what waits of a kind, and what that queues of the same kind."""
    while job := Job.objects.filter(kind=kind, state="queued").order_by("pk").first():
        assert run_inline(job).state == "done", job.error


def grade_run(where: Office) -> GradeRun:
    """A run that is computed, by the very job."""
    made = start_run(scheme(where), where, date(2026, 6, 30), by=None)
    run_jobs("customers.grade")
    made.refresh_from_db()
    return made


def recipient_list(customer: Customer, **facts) -> RecipientList:
    facts = {
        "name": "贺卡名单",
        "purpose": "2027年贺卡寄递",
        "agreement": "WT-1",
        "ends_on": localdate() + timedelta(days=200),
        **facts,
    }
    return open_list(customer, by=None, **facts)


def recipient(listed: RecipientList, **facts) -> Recipient:
    """A recipient in the list's newest version, which is made if there is none."""
    version = listed.versions.first() or listed.versions.create(number=1)
    facts = {
        "name": f"收件人{next(numbers)}",
        "address": "武汉市武昌区中山路1号",
        **facts,
    }
    n = version.number
    row = Recipient(recipient_list=listed, since=n, seen=n, **facts)
    judge(row)
    row.save()
    count_recipients(listed)
    return row


def task(about: Customer, assignee: User | None) -> Task:
    return Task.objects.create(
        customer=about,
        kind="stale",
        title="Check the record with the customer",
        due_on=localdate(),
        assignee=assignee,
        source=f"test:{next(numbers)}",
    )


def waybill(serial: int) -> str:
    digits = f"{serial:08d}"
    return f"EA{digits}{check_digit(digits)}CN"


def item(where: Office, accepted_at: str = "2026-10-12T09:00+08:00", **cells) -> str:
    """An item of a ledger of this office; its waybill."""
    number = waybill(next(numbers))
    columns = ["waybill", "accepted_at", *cells]
    line = [2, number, accepted_at, *cells.values()]
    with transaction.atomic():
        item_import.load(Run(where, 0), [line], columns)
    return number


def visit(customer: Customer, days: int = 10, **facts) -> Visit:
    """A visit that is due within so many days."""
    today = localdate()
    facts = {"type": "regular", "source": f"test:{next(numbers)}", **facts}
    facts = {"first_day": today, "due_on": today + timedelta(days=days), **facts}
    return request_visit(customer, **facts)


def questionnaire(where: Office, by: User, ratings: int = 1) -> QuestionnaireVersion:
    """A published one with so many ratings and a line for words."""
    row = questionnaires.make(by=by, office=where, name="Satisfaction")
    version = questionnaires.draft_of(row, by=by)
    lines = [
        {"code": f"r{n}", "kind": "rating", "text": f"Item {n}?"}
        for n in range(1, ratings + 1)
    ]
    lines.append({"code": "w", "kind": "words", "text": "Why?", "is_required": False})
    typed = {"intro": "Hello", "intro_zh": "您好", "questions": lines}
    questionnaires.save_draft(version, by=by, **typed)
    return questionnaires.publish(version, by=by)


def survey(
    where: Office, by: User, *customers: Customer, way: str = "print", **facts
) -> SurveyRound:
    """A round that has been drawn: these customers, sent or waiting for calls."""
    today = localdate()
    facts = {"opens_on": today, "closes_on": today + timedelta(days=9), **facts}
    facts.setdefault(
        "version", questionnaire(where, by) if "version" not in facts else 0
    )
    row = SurveyRound.objects.create(
        name="Survey", way=way, office=where, made_by=by, **facts
    )
    for one in customers:
        SurveyMember.objects.create(
            round=row,
            customer=one,
            office=one.office,
            segment=one.segment,
            next_at=now(),
        )
    if way != "phone":
        for member in row.members.select_related("customer", "office", "unit"):
            rounds._send(row, member)
    return row


def picture(width: int = 8, height: int = 8) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "green").save(out, "PNG")
    return out.getvalue()


def alert(customer: Customer, level: int = 1, often: int = 0) -> Alert:
    """An open alert of a rule of the customer's office."""
    rule = WatchRule.objects.create(
        office=customer.office,
        kind="year",
        level=level,
        often=often,
        percent=10,
        segments=["contract"],
    )
    return Alert.objects.create(
        rule=rule,
        customer=customer,
        level=level,
        episode="2026-10-01",
        evidence={"month": "2026-10-01", "now": 1, "then": 9, "expected": 9},
        raised_at=now(),
        due_on=localdate(),
        owner=customer.manager,
    )


def judged(customer: Customer, product: str = "标快") -> None:
    """A month of a key customer, and a forecast of the office: for pages of figures."""
    month = add_months(localdate(), -1)
    KeyMonth.objects.create(
        month=month,
        customer=customer,
        office=customer.office,
        pieces=7,
        revenue=70,
        base_pieces=8,
        base_revenue=80,
    )
    for ahead, actual in enumerate([9, None]):
        Forecast.objects.create(
            office=customer.office,
            product=product,
            month=add_months(month, ahead),
            pieces=8.5,
            naive=8,
            actual=actual,
        )


def complaint(by: User, where: Office, **facts) -> Complaint:
    facts = {
        "category": "delay",
        "description": "邮件五天没有送到。",
        "caller_phone": "13800138000",
        **facts,
    }
    return create_complaint(by=by, office=where, **facts)


def complaint_at(by: User, where: Office, at: datetime, **facts) -> Complaint:
    """A work order opened then, with the clocks of then."""
    made = complaint(by, where, **facts)
    made.milestones.all().delete()
    made.opened_at = at
    clocks.start(made, calendar_of(made.handling_office))
    return made


def push(row: Complaint, by: User, *states: str) -> Complaint:
    """Lead a work order through states, whatever each would ask for."""
    for after in states:
        with transaction.atomic():
            row = services.move(services.locked(row), by=by, after=after, note="n")
    return row


def claim(row: Complaint, by: User, **facts) -> Claim:
    """A parcel that was not insured: three postages at most."""
    facts = {
        "regime": "universal",
        "damage": "lost",
        "postage": Decimal(20),
        "loss": Decimal(100),
        **facts,
    }
    return claims.propose(row, by=by, **facts)


def feedback(by: User, where: Office, **facts) -> Feedback:
    facts = {
        "kind": "problem",
        "title": "面单打印模糊",
        "text": "网点打印机老化，面单条码扫不出来。",
        **facts,
    }
    return submit(by=by, office=where, **facts)


def look_up(client: Client, phone: str) -> HttpResponse:
    """What the call screen shows of a number."""
    form = client.get(reverse("complaints:new")).url
    return client.post(f"{form}look/", {"phone": phone})


def always_open(where: Office) -> None:
    """Working time is all time: tests run at any hour."""
    for weekday in range(7):
        WorkWindow.objects.create(
            office=where, weekday=weekday, starts=time_of_day(0), ends=time_of_day(0)
        )
    for day in CalendarDay.objects.filter(is_working=False):
        CalendarDay.objects.create(
            office=where, date=day.date, is_working=True, name="open"
        )


def sign_in(client: Client, who: User) -> Client:
    """A session as the sign-in page makes it, without the page's password work."""
    client.cookies.clear()
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = "127.0.0.1"
    request.session = client.session
    login(request, who, backend="crm.access.signin.Backend")
    request.session["password_at"] = time.time()
    request.session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = request.session.session_key
    return client


def holidays_of(*years: int) -> None:
    for year in years:
        holidays.load_year(year)
