"""The demo province's own affairs: documents and who has read them, programmes and walks,
contests and training, requests and reports of units, risks and an incident."""

from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from django.db.models import F
from django.utils.timezone import localdate, now

from crm.access.models import User
from crm.dashboards import standing
from crm.dashboards.models import ServiceCost
from crm.demo import teams
from crm.library import services as library
from crm.library.models import Document, Edition, Reading
from crm.org.models import Office
from crm.programmes import services, staff, testers, units, walking
from crm.programmes.models import (
    Award,
    BusinessSupervisor,
    Demand,
    DutyReport,
    Finding,
    Programme,
    ReportDuty,
    StaffEvent,
    StaffRecord,
    Trial,
    UnitRequest,
    Walk,
)
from crm.risk import services as risks
from crm.risk.models import Contact, Drill, Incident, Risk
from customers.queries import add_months

# (office, kind, slot, title, roles, is it signed, text, promises)
PAPERS: tuple[tuple[Any, ...], ...] = (
    ("420000", "rule", "service", "全省客户服务工作实施办法", [], False,
     "一、客户服务实行省、市两级管理。\n二、客户反映的问题首问负责，不得推诿。\n三、各单位每月十日前报送客户管理情况。", ()),
    ("420000", "rule", "contract", "协议客户服务与管理办法", ["manager", "supervisor"], False,
     "协议客户由客户经理专人维护，按等级走访。\n重点客户异常邮件优先处理。", ()),
    ("420000", "rule", "complaints", "客户投诉处理流程", ["agent", "handler", "supervisor"], True,
     "受理后两小时内响应，按承诺时限答复；升级申诉须经省客服中心。", ()),
    ("420000", "rule", "staff", "各级客服人员绩效考核办法", [], False,
     "有责考核与履职考核并行，考核结果当面告知，五日内可提出异议。", ()),
    ("420000", "policy", "security", "客户信息安全管理制度", [], True,
     "客户电话、地址只在办理业务时查看，查看留痕。\n不得以任何方式导出、拍照、转发客户信息。", ()),
    ("420000", "promise", "", "对外服务承诺", [], True,
     "以下承诺在全省各网点公示，全体员工应知应会。",
     (("省内特快", "首重 12 元", "次日 18:00 前投递"),
      ("上门揽收", "免费", "预约后 2 小时内上门"),
      ("投诉答复", "免费", "5 个工作日内答复处理结果"))),
    ("420000", "post", "", "客户经理岗位职责", ["manager"], False,
     "维护分管客户，完成走访与回访；贺卡季组织保有与新增。", ()),
    ("420000", "post", "", "话务员岗位职责", ["agent"], False,
     "受理咨询、查询、投诉；准确记录，一次说清时限。", ()),
    ("420000", "incentive", "", "一线建议与流程穿越激励办法", [], False,
     "提出问题 0.3 分，有效建议 0.5 分，穿越一个流程 1 分；年度前十名给予奖励。", ()),
    ("420000", "law", "", "邮政法、快递暂行条例、消费者权益保护法、电子商务法（适用条款摘编）", [], False,
     "《邮政法》第四十七条等：损失赔偿。\n《快递暂行条例》第二十七条：投诉七日内处理并告知。\n"
     "《消费者权益保护法》第二十九条：个人信息保护。\n《电子商务法》第五十二条：交付与验收。", ()),
    ("420000", "emergency", "", "客户信息泄露应急预案", [], False,
     "一、发现后立即停用相关账号、留存日志。\n二、一小时内报告上级负责人，两小时内报告当地邮政管理局。\n"
     "三、较大以上事件四小时内报告省网信办。\n四、列出受影响客户并通知本人。", ()),
    ("420000", "emergency", "", "恶劣天气与爆仓应急预案", [], False,
     "启动跨区支援，公示预计时延，客服统一答复口径。", ()),
    ("420100", "guidance", "", "武汉市旺季投递服务指导意见", ["handler", "supervisor"], True,
     "旺季期间上门前电话预约，当面验视。", ()),
)  # fmt: skip


def papers(rng: Random, users: dict[str, User], offices: dict[str, Office]) -> None:
    """The documents, issued by the second supervisor; most have read what they must."""
    boss, other = users["supervisor.hubei"], users["supervisor2.hubei"]
    for code, kind, slot, title, roles, is_signed, text, promises in PAPERS:
        document = Document(
            office=offices[code],
            kind=kind,
            slot=slot,
            title=title,
            roles=roles,
            is_signed=is_signed,
        )
        edition = Edition(text=text, effective_on=localdate())
        lines = [
            {"content": content, "price": price, "limit": limit}
            for content, price, limit in promises
        ]
        library.write(document, edition, by=boss, promises=lines)
        library.issue(edition, by=other, version=edition.version)
    # As of last month: the boards of a new house would be empty otherwise.
    earlier = timedelta(days=60)
    Edition.objects.update(
        effective_on=F("effective_on") - earlier, issued_at=F("issued_at") - earlier
    )
    for row in Reading.objects.all():
        row.asked_at -= earlier
        row.due_on -= earlier
        if rng.random() < 0.8:
            row.read_at = row.asked_at + timedelta(hours=rng.randint(1, 300))
        row.save()


WALKED = (
    ("manager.wuhan", "420106", 40, (("problem", "叫号机故障三天未修"), ("suggestion", "自助面单打印"))),
    ("manager.wuhan", "420106", 20, (("problem", "价目表仍为旧版"),)),
    ("agent.wuhan", "420106", 15, (("suggestion", "来电转接时先报工单号"),)),
    ("handler.wuhan", "420100", 9, ()),
    ("manager.yichang", "420500", 12, (("problem", "揽收预约后无人回电"), ("problem", "网点无指引牌"))),
    ("analyst.hubei", "420600", 6, (("suggestion", "把查询口径放到网点大屏"),)),
)  # fmt: skip
PROCESSES = ("网点寄递国内特快", "11183 电话下单揽收", "投诉与理赔", "查询邮件与改址")


def programmes(users: dict[str, User], offices: dict[str, Office]) -> None:
    """Walkthroughs under way, a satisfaction programme of seven cities, contests, training,
    requests and reports."""
    boss, other = users["supervisor.hubei"], users["supervisor2.hubei"]
    today, root = localdate(), offices["420000"]
    walks = Programme(
        office=root,
        kind="walkthrough",
        title=f"{today.year} 年流程穿越活动",
        text="省公司全体员工利用出差、调研、检查等机会，以客户身份走流程、提问题、出建议。",
        first=today - timedelta(days=200),
        last=today + timedelta(days=60),
    )
    better = Programme(
        office=root,
        kind="satisfaction",
        title="重点城市客户满意度提升方案",
        text="武汉、宜昌、襄阳、荆州、十堰、鄂州、仙桃制定方案，按月通报。",
        first=today - timedelta(days=90),
        last=today + timedelta(days=270),
    )
    for row in (walks, better):
        services.write(row, by=boss)
        services.issue(row, by=other)
    demands = [Demand.objects.create(programme=walks, process=one) for one in PROCESSES]
    for n, (name, code, days, found) in enumerate(WALKED):
        walk = Walk(demand=demands[n % 4], office=offices[code], occasion="trip")
        walk.on = today - timedelta(days=days)
        walk = walking.book(walk, by=users[name])
        walking.finish(walk, by=users[name], found=found)
    for one in Finding.objects.filter(kind="suggestion")[:2]:
        walking.judge(one, by=boss, is_valid=True, words="采纳")
    problem = Finding.objects.filter(kind="problem").first()
    if problem:
        walking.improve(
            problem,
            by=users["supervisor.wuhan"],
            what="更换叫号机",
            owner=users["handler.wuhan"],
            due_on=today + timedelta(days=10),
        )
    ours = walks.adoptions.get(office=offices["420100"])
    services.file_plan(
        ours, by=users["supervisor.wuhan"], text="每月走两个流程，月底通报。"
    )
    services.answer_plan(ours, by=boss)
    _staff(users, root, today)
    _units(users, offices)
    people(users, offices, today)
    teams.seed(users, offices, better)


def _staff(users: dict[str, User], root: Office, today: date) -> None:
    boss = users["supervisor.hubei"]
    for kind, skill, title, days in (
        ("skills", "", "业务技能比武", 45),
        ("style", "", "服务作风评比", 30),
        ("training", "communication", "投诉沟通技巧", 25),
        ("training", "expertise", "禁限寄物品与赔付规定", 10),
        ("results", "", "旺季服务业绩竞赛", -20),
    ):
        event = StaffEvent(office=root, kind=kind, skill=skill, title=title, hours=2)
        event.held_on = today - timedelta(days=days)
        staff.announce(event, by=boss, roles=["agent", "handler", "manager"])
        if days > 0:
            parts = event.parts.order_by("pk")
            lines = {
                part.pk: (n % 7 != 6, Decimal(72 + n * 5 % 27) if n % 7 != 6 else None)
                for n, part in enumerate(parts)
            }
            staff.note(event, by=boss, lines=lines)
    about = {"office": root, "year": today.year - 1}
    staff.give(
        Award(
            kind="pacemaker",
            user=users["agent.wuhan"],
            reason="全年零有责投诉",
            **about,
        ),
        by=boss,
    )
    staff.give(Award(kind="branch", reason="保有率全省第一", **about), by=boss)


def _units(users: dict[str, User], offices: dict[str, Office]) -> None:
    """Two requests, one answered and rated; last month's reports of two bureaux."""
    wuhan, root = offices["420100"], offices["420000"]
    handler, boss = users["handler.wuhan"], users["supervisor.hubei"]
    for subject, hours in (
        ("核对疑似丢失邮件交接清单", 16),
        ("补发旺季面单 5 万套", 8),
    ):
        row = UnitRequest(asking=wuhan, asked=root, subject=subject, hours=hours)
        row.text = "请尽快处理，客户等待答复。"
        units.ask(row, by=handler)
    units.answer(row, by=boss, words="已安排发运，明日到。")
    units.close(row, by=handler, rating=5)
    for code in ("420100", "420500"):
        duty = ReportDuty(office=offices[code], reader=root, title="客户管理工作月报")
        units.owe(duty, by=boss)
    report = DutyReport.objects.get(duty__office=wuhan)
    units.file(
        report,
        by=users["supervisor.wuhan"],
        text="本月走访 126 户，流失预警 9 户，已全部跟进。",
    )


RISKS = (
    ("data", "客户电话、地址经导出外泄", 2, 5, "导出审批、水印、逐次留痕", "", None),
    ("service", "旺季投诉激增，首次答复超时", 4, 3, "旺季加席、兼职坐席培训", "first_answer_in_time", 98),
    ("money", "协议客户欠费累积", 3, 4, "按月对账，超期停收", "arrears_rate", 15),
    ("service", "妥投及时率低于标准", 3, 4, "增开频次、重点段道督导", "on_time_rate", 95),
    ("system", "中心机房停电，系统中断", 1, 5, "双路供电，每季恢复演练", "", None),
)  # fmt: skip


def dangers(users: dict[str, User], offices: dict[str, Office]) -> None:
    """The register, a plan with contacts and a drill, an incident that is under control."""
    boss, root = users["supervisor.hubei"], offices["420000"]
    today = localdate()
    for n, (kind, title, likelihood, impact, measures, kpi, line) in enumerate(RISKS):
        row = Risk(
            office=root,
            kind=kind,
            title=title,
            likelihood=likelihood,
            impact=impact,
            measures=measures,
            owner=boss,
            review_on=today + timedelta(days=30 * n + 10),
            kpi=kpi,
            line=line,
        )
        risks.keep(row, by=boss)
    plan = Document.objects.get(title="客户信息泄露应急预案")
    for name, duty, phone in (
        ("省公司值班室", "报告上级", "027-87770001"),
        ("信息中心值班", "停用账号、留存日志", "027-87770002"),
    ):
        risks.add_contact(plan, Contact(name=name, duty=duty, phone=phone), by=boss)
    drill = Drill(
        held_on=today - timedelta(days=70),
        scenario="员工账号被盗，夜间批量导出",
        people=9,
        minutes=48,
        lessons="值班电话未及时更新；导出告警应同时短信通知。",
    )
    risks.note_drill(plan, drill, by=boss)
    leader = users["supervisor.wuhan"]
    case = Incident(
        office=offices["420100"],
        kind="data",
        grade="minor",
        title="客户反映接到冒充邮政的诈骗电话",
        text="三名客户反映对方知道其订单信息，疑似面单信息外泄。",
        plan=plan,
        noticed_at=now() - timedelta(minutes=40),
        leader=leader,
    )
    risks.declare(case, by=users["agent.wuhan"])
    risks.log(case, by=leader, text="调取近三日查看记录，停用一个异常账号。")
    for told in case.duties.exclude(whom="persons"):
        risks.told(told, by=leader, how="电话并传真")
    risks.contain(case, by=leader)


# Yuan a month: the call centre of the province, and what the bureaux' own service costs; a
# small part of a real province's, as its work orders are.
COSTS = {
    "420000": (("staff", 1_240), ("lines", 260), ("systems", 180)),
    "420100": (("staff", 380), ("lines", 60), ("rooms", 90)),
    "420500": (("staff", 190), ("lines", 25)),
    "420600": (("staff", 240), ("lines", 30)),
}


def books(rng: Random, users: dict[str, User], offices: dict[str, Office]) -> None:
    """A year of costs up to the last month; the province's workbook each month."""
    boss, month = users["supervisor.hubei"], add_months(localdate().replace(day=1), -1)
    months = [add_months(month, -n) for n in range(12)]
    ServiceCost.objects.bulk_create(
        ServiceCost(
            office=offices[code],
            month=one,
            kind=kind,
            amount=Decimal(usual * rng.randrange(94, 107)) / 100,
            noted_by=boss,
        )
        for code, kinds in COSTS.items()
        for kind, usual in kinds
        for one in months
    )
    standing.order(offices["420000"], "month", by=boss, today=localdate())


LEVELS = ("chief", "senior", "middle", "junior")
# (name, phone, office, source, what they know)
TESTERS = (
    ("胡业主", "+8613907160001", "420100", "public", "网购多，常在快递柜取件"),
    ("宋店主", "+8613907160002", "420100", "customer", "经营土特产网店，每天寄三十件"),
    ("潘老师", "+8613907160003", "420500", "public", "学校收发室，熟悉函件与报刊"),
)


def people(users: dict[str, User], offices: dict[str, Office], today: date) -> None:
    """Badges and levels of staff; supervisors from outside, what they tried."""
    boss, other = users["supervisor.hubei"], users["supervisor2.hubei"]
    for number, user in enumerate(sorted(users.values(), key=lambda one: one.pk)):
        if any(
            post.role in ("agent", "handler", "manager") for post in user.postings_now
        ):
            StaffRecord.objects.create(
                user=user,
                badge=f"HB{2026001 + number}",
                level=LEVELS[number % 4],
                origin="within" if number % 3 else "hired",
                joined_on=today.replace(day=1, month=3) - timedelta(200 * number),
                kept_by=boss,
            )
    running = Programme.objects.filter(state="issued", office=offices["420000"]).first()
    for number, (name, phone, code, source, about) in enumerate(TESTERS):
        row = BusinessSupervisor(
            office=offices[code], name=name, phone=phone, source=source, about=about
        )
        row.applied_on = today - timedelta(60 + number)
        testers.apply(row, by=boss)
        if number == 2:
            continue
        first = today - timedelta(40)
        testers.take(row, by=other, first=first, last=first + timedelta(365))
        trial = Trial(tester=row, programme=running, on=today - timedelta(5 + number))
        trial.rating, trial.verdict = 4 - number, "下单方便，揽收时限说得不清楚。"
        testers.note(trial, by=boss)
