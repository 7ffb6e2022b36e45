"""Card seasons of the demo province: two that are over, one that runs."""

from datetime import date, timedelta
from random import Random

from django.utils.timezone import localdate, now

from campaigns import orders, pipeline, planning, review, seasons, timetable
from campaigns.models import (
    CardOrder,
    CardProduct,
    CompetitorNote,
    MarketingEvent,
    Milestone,
    PilotFinding,
    PilotUser,
    ProductionError,
    Requirement,
    Resource,
    ReviewRisk,
    Season,
    SeasonDocument,
    SeasonMember,
)
from crm.access.models import User
from crm.demo import season_cards
from crm.org.models import Office
from customers.models import Customer
from delivery.models import Visit

ORDERED = (420, 480)  # customers of the two seasons that are over
SHARE = {"4201": 0.86, "4205": 0.81, "4206": 0.64}  # kept, by prefecture; others:
KEPT = 0.78
REVIEW = {
    "affected": "全省上季贺卡客户及目录中的政府、金融、电信、学校、医院类单位",
    "changes": "新增在线校对与虚拟投递；付款期由三十天改为十五天",
    "complaints": 40,
    "script": "您好，这里是邮政贺卡服务。您的贺卡现在到了哪一步，我马上为您查询……",
}
RISKS = (
    ("名址不准，退件增多", 4, 3, "印制前虚拟投递，丁类名址不予印制"),
    ("高峰期投递延误", 3, 4, "分拣前移，节前增加频次，每日通报"),
    ("付款期缩短引起不满", 2, 3, "老客户过渡一季，由客户经理逐户说明"),
)
BODIES = {
    "plan": (
        "贺卡客户服务工作方案",
        "目标：老客户保有率80%，新增客户50%，回访率100%。",
    ),
    "visits": (
        "客户走访内容及安排",
        "联系人、上季用量、今年计划、预算、名址、满意度。",
    ),
    "support": ("后台支撑方案", "业务量预告、退件专岗、再投前试投。"),
    "quality": ("投递质量考核办法", "每月至少两次电话抽查，退件稽核。"),
}
LOST = ("price", "budget", "digital", "policy", "competitor")


def seed(
    rng: Random,
    offices: dict[str, Office],
    users: dict[str, User],
    customers: list[Customer],
) -> Season:
    root, today = offices["420000"], localdate()
    year = today.year + (today.month >= 6)
    rows = [_season(root, year - back, users) for back in (2, 1, 0)]
    for earlier, later in zip(rows, rows[1:], strict=False):
        later.previous = earlier
        later.save(update_fields=["previous"])
    firms = [row for row in customers if row.kind == "corporate"]
    rng.shuffle(firms)
    first, second = firms[: ORDERED[0]], firms[100 : 100 + ORDERED[1]]
    _retail(rng, rows[0], first)
    _retail(rng, rows[1], second)
    _end(rng, rows[1], second, users)
    season_cards.last(rng, rows[1], second, users)
    for row in rows[:2]:
        seasons.close(row, by=users["supervisor.hubei"])
    _run(rng, rows[2], second, firms, users)
    return rows[2]


def _season(root: Office, year: int, users: dict[str, User]) -> Season:
    draw = timetable.lantern_festival(year)
    row = Season(
        office=root,
        code=f"{year}",
        name=f"{year}年贺卡季",
        first_day=date(year - 1, 6, 1),
        last_day=date(year, 5, 31),
        posting_on=date(year - 1, 12, 15),
        draw_on=draw,
        content="新春贺卡、答谢信、台历",
        pre_visits_wanted=80,
        revenue_target=1_800_000,
        customers_target=600,
    )
    return seasons.keep(row, by=users["planner.hubei"])


def _retail(rng: Random, season: Season, customers: list[Customer]) -> None:
    """Delivered orders of ready-made cards."""
    products = list(
        CardProduct.objects.filter(sale="retail", last_year=None).exclude(
            type__in=["lucky_cover", "maximum"]
        )
    )
    bands = {row.pk: row.bands.get() for row in products}
    made, last = [], min(season.last_day, localdate())
    for customer in customers:
        product = rng.choice(products)
        pieces = rng.choice((100, 200, 300, 500, 800, 1200, 2000))
        day = season.first_day + timedelta(days=rng.randint(90, 190))
        price = bands[product.pk].price
        made.append(
            CardOrder(
                season=season,
                customer=customer,
                product=product,
                ordered_on=min(day, last),
                pieces=pieces,
                price=price,
                revenue=price * pieces,
                cost=price * pieces * 45 / 100,
                state="done",
            )
        )
    CardOrder.objects.bulk_create(made)


def _end(
    rng: Random, season: Season, customers: list[Customer], users: dict[str, User]
) -> None:
    """What was noted after last season."""
    noted = []
    for customer in customers[:60]:
        row = SeasonMember(season=season, customer=customer)
        row.effect = rng.choice(("客户反响好，回信增多", "到店人数约增一成", ""))
        row.finding = rng.choice(("要提前一个月给样张", "名单一半陈旧，先核对名址", ""))
        if rng.random() < 0.3:
            row.proposal, row.is_settled = "余卡折价抵下季订单", rng.random() < 0.7
        noted.append(row)
    SeasonMember.objects.bulk_create(noted)


def _run(
    rng: Random,
    season: Season,
    base: list[Customer],
    firms: list[Customer],
    users: dict[str, User],
) -> None:
    planner, boss = users["planner.hubei"], users["supervisor.hubei"]
    _plan(season, users)
    seasons.freeze_base(season, by=planner)
    plan = seasons.plan_visits(season, by=planner, when="before")
    visits = list(
        Visit.objects.filter(plan=plan).order_by("pk").values_list("pk", flat=True)
    )
    done = [pk for pk in visits if rng.random() < 0.88]
    Visit.objects.filter(pk__in=done).update(state="done", closed_at=now())
    season.refresh_from_db()
    _review(season, users)
    seasons.issue(season, by=boss)
    kept = [one for one in base if rng.random() < SHARE.get(one.office.code[:4], KEPT)]
    fresh = firms[580:760] + firms[:40]
    _retail(rng, season, kept + fresh)
    gone = [one for one in base if one not in kept]
    for customer in gone[: len(gone) // 2]:
        SeasonMember.objects.filter(season=season, customer=customer).update(
            lost=rng.choice(LOST), lost_by=boss
        )
    season.refresh_from_db()
    _custom(rng, season, kept, users)
    season_cards.current(rng, season, users)


def _plan(season: Season, users: dict[str, User]) -> None:
    planner, boss = users["planner.hubei"], users["supervisor.hubei"]
    timetable.lay(season, by=planner)
    today = localdate()
    Milestone.objects.filter(season=season, due_on__lt=today).update(
        done_on=today, done_by=planner
    )
    latest = season.milestones.filter(done_on=today).order_by("-due_on").first()
    if latest:
        latest.done_on = latest.done_by = None
        latest.save()
    for office in seasons.bureaux(season):
        leader = users["supervisor.wuhan"] if office.code == "420100" else boss
        planning.set_group(season, office, by=boss, leader=leader)
    for kind, (title, body) in BODIES.items():
        made = SeasonDocument(season=season, kind=kind, title=title, body=body)
        kept = planning.write(made, by=planner)
        if kind != "quality":
            planning.issue_document(kept, by=planner)
    for kind, name, unit, planned, price in (
        ("people", "外呼与走访人员", "人天", 320, 260),
        ("material", "卡品与信封", "万枚", 62, 9000),
        ("money", "宣传费", "元", 60000, 1),
    ):
        row = Resource(
            season=season, kind=kind, name=name, unit=unit, planned=planned, price=price
        )
        row.used = planned * 4 // 5
        planning.keep(row, by=planner)
    note = CompetitorNote(
        season=season, name="电子贺卡平台", strategy="免费、即时、可统计打开"
    )
    note.answer = "强调实物与兑奖，附二维码统计到店"
    planning.keep(note, by=planner)
    MarketingEvent.objects.create(
        season=season,
        office=season.office,
        name="全省医院建院周年",
        day=season.posting_on or season.last_day,
        analysis="周年院庆需向患者与合作单位致谢",
        industry="health",
        made_by=planner,
    )


def _review(season: Season, users: dict[str, User]) -> None:
    planner, boss = users["planner.hubei"], users["supervisor.hubei"]
    risks = [
        ReviewRisk(words=words, likelihood=likely, impact=bad, measure=measure)
        for words, likely, bad, measure in RISKS
    ]
    review.write(season, by=planner, facts=REVIEW, risks=risks)
    review.submit(season, by=planner)
    customer = Customer.objects.filter(kind="corporate", manager__isnull=False).first()
    if customer:
        row = PilotUser(
            season=season,
            customer=customer,
            applied_on=season.first_day,
            first_day=season.first_day,
            last_day=season.first_day + timedelta(days=60),
            waiver=300,
        )
        row = review.accept(review.apply(row, by=boss), by=boss, is_accepted=True)
        found = PilotFinding(user=row, kind="problem", words="校对页面在手机上看不全")
        found.reward, found.done = 50, "已改版"
        review.found(found, by=boss)
    reviewer = users["reviewer.hubei"]
    review.decide(
        season, by=reviewer, is_signed=True, reply="同意；付款期变化须逐户说明。"
    )


def _custom(
    rng: Random, season: Season, customers: list[Customer], users: dict[str, User]
) -> None:
    """Custom cards: offers, and orders somewhere in the fourteen stages."""
    boss = users["supervisor.hubei"]
    product = CardProduct.objects.get(code="custom-card")
    today = localdate()
    managed = [one for one in customers if one.manager_id]
    for number, customer in enumerate(managed[:16]):
        row = CardOrder(season=season, customer=customer, product=product)
        row.pieces = rng.choice((500, 1000, 2000, 4000))
        row.ordered_on, row.content = today, "企业形象贺卡"
        row.cost = row.pieces * 2
        made = orders.offer(row, by=boss)
        demand = Requirement(order=made, kind="whom", words="送到办公室主任本人")
        orders.demand(demand, by=boss)
        if number >= 12:
            continue
        made = orders.contract(
            made, by=boss, number=f"HK{season.code}-{number + 1:03d}", on=today
        )
        stages = list(made.stages.all())
        for stage in stages[: number % 9]:
            pipeline.finish(stage, by=boss)
        if number % 5 == 4:
            error = ProductionError(stage=stages[3], kind="content", pieces=200)
            error.words = "公司名称少一字，重印"
            pipeline.note_error(error, by=boss)
