"""Inspections, test letters and card batches of the demo province."""

from datetime import timedelta
from random import Random

from django.utils.timezone import localdate

from crm.access.models import User
from crm.org.models import Office
from customers.models import Customer
from delivery import improving
from delivery.models import (
    CardBatch,
    CardReturn,
    CardSample,
    Check,
    Inspection,
    MailItem,
)
from delivery.quality import batches, inspecting, volumes

# (point, expected, what was found instead)
DESK = (
    ("人工接通率日报", "按日公示，不低于 85 %", ""),
    ("疑难工单当日移交专席", "当日移交", "三件隔日移交"),
    ("话务录音抽检记录", "每人每月五件", ""),
)
CARE = (
    ("协议客户档案更新", "季度内更新", "两户联系人已离职未更新"),
    ("流失预警答复", "期限内答复", ""),
)
POINTS = (
    ("营业时间、资费、查询电话公示", "大厅入口可见", ""),
    ("揽投车辆与邮件装载", "无外露、无抛扔", ""),
    ("妥投签收核验", "核对证件、当面签收", "两件由门卫代签，未电话告知收件人"),
    ("问题邮件当日登记", "全部登记", ""),
)


def seed(
    rng: Random,
    offices: dict[str, Office],
    users: dict[str, User],
    customers: list[Customer],
) -> None:
    today, boss = localdate(), users["supervisor.hubei"]
    who = users["inspector.hubei"]
    _site(offices["420106"], today - timedelta(days=12), boss, who, users)
    for kind, title, points, ago in (
        ("desk", "省 11183 运行季度视检", DESK, 20),
        ("care", "武汉客户管理检查", CARE, 16),
    ):
        office = offices["420000" if kind == "desk" else "420100"]
        day = today - timedelta(days=ago)
        row = Inspection(kind=kind, office=office, title=title, planned_on=day)
        row.inspector = who
        inspecting.plan(row, by=boss)
        for what, wanted, wrong in points:
            check = inspecting.add_check(row, Check(what=what, expected=wanted), by=who)
            verdict = "missed" if wrong else "met"
            inspecting.note(row, check, by=who, verdict=verdict, actual=wrong)
        inspecting.end(row, by=who, summary="问题已当面反馈，限期整改。")
    planned = Inspection(
        office=offices["421100"],
        title="黄冈城区投递段突击视检",
        planned_on=today + timedelta(days=2),
        inspector=who,
    )
    inspecting.plan(planned, by=boss)
    _probe(rng, offices["421100"], boss, who)
    contract = [c for c in customers if c.manager_id == users["manager.wuhan"].pk]
    _cards(rng, offices["420106"], contract[:4], users["supervisor.wuhan"], who)
    volumes.set_capacity(offices["420000"], 100, by=boss)


def _site(office: Office, day, boss: User, who: User, users: dict[str, User]) -> None:
    row = Inspection(office=office, title="武昌月度视检", planned_on=day, inspector=who)
    inspecting.plan(row, by=boss)
    for what, wanted, wrong in POINTS:
        check = inspecting.add_check(row, Check(what=what, expected=wanted), by=who)
        verdict = "missed" if wrong else "met"
        check = inspecting.note(row, check, by=who, verdict=verdict, actual=wrong)
        if wrong:
            improving.mend(
                check,
                by=who,
                what="代签前电话征得收件人同意并登记，班前会讲评",
                owner=users["handler.wuhan"],
                due_on=localdate() + timedelta(days=14),
            )
    inspecting.end(row, by=who, summary="四项中三项符合，代签问题已下达整改。")


def _probe(rng: Random, office: Office, boss: User, who: User) -> None:
    """Test letters to Huanggang, a few of them known to the scans."""
    row = Inspection(
        kind="probe",
        office=office,
        title="武汉至黄冈试投",
        planned_on=localdate() - timedelta(days=30),
        inspector=who,
    )
    inspecting.plan(row, by=boss)
    known = MailItem.objects.filter(
        office__path__startswith=office.path,
        accepted_on__lte=localdate() - timedelta(days=30),
        due_at__isnull=False,
        delivered_at__isnull=False,
    )
    for number, item in enumerate(known.order_by("-accepted_on", "waybill")[:6], 1):
        letter = Check(what=f"试投收件人{number}号", waybill=item.waybill)
        letter = inspecting.add_check(row, letter, by=who)
        came = localdate(item.delivered) + timedelta(days=rng.choice((0, 0, 0, 1)))
        inspecting.note(row, letter, by=who, actual_on=came)
    if row.checks.exists():
        inspecting.end(row, by=who, summary="试投收到日期与扫描基本一致。")


def _cards(
    rng: Random, office: Office, customers: list[Customer], boss: User, who: User
) -> None:
    for number, customer in enumerate(customers, 1):
        pieces = 800 * number
        row = CardBatch(
            office=office,
            customer=customer,
            code=f"HK{localdate():%Y}-{number:03d}",
            posted_on=localdate() - timedelta(days=25 + 3 * number),
            pieces=pieces,
            checked=pieces * 9 // 10,
            faulty=pieces // 60,
            is_presorted=number % 2 == 0,
            saved_hours=4 if number % 2 == 0 else 0,
        )
        row = batches.keep(row, by=boss)
        for cause, share in (("address", 90), ("recipient", 240)):
            back = CardReturn(
                day=row.posted_on + timedelta(days=9),
                cause=cause,
                pieces=pieces // share,
            )
            batches.came_back(row, back, by=boss)
        arrived = 48 - rng.randrange(3)
        sample = CardSample(
            kind="calls",
            day=row.posted_on + timedelta(days=7),
            asked=50,
            arrived=arrived,
            in_time=arrived - rng.randrange(4),
        )
        batches.sampled(row, sample, by=who)
