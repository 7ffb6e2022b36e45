"""Recipients, prints, the draw of last season, and outreach of the demo province."""

from datetime import date, timedelta
from random import Random

from django.utils.timezone import localdate, now

from campaigns import (
    addressing,
    events,
    files,
    gatherings,
    outreach,
    planning,
    printing,
    prizes,
    stepping,
)
from campaigns.models import (
    Campaign,
    CardOrder,
    CardProduct,
    Gathering,
    MarketingEvent,
    Offer,
    OutreachStep,
    PrizeDraw,
    PrizeLevel,
    Season,
    SeasonDocument,
    StepVariant,
    Win,
)
from crm.access.models import User
from crm.demo import names
from customers import recipients
from customers.models import (
    Consent,
    Customer,
    Recipient,
    RecipientList,
    SavedView,
)

ROADS = ("中山路", "和平大道", "珞喻路", "解放大道")
COUNTIES = (("武昌区", "430060"), ("江岸区", "430014"), ("洪山区", "430070"))
PEOPLE = 160


def _list(rng: Random, customer: Customer, year: int) -> RecipientList:
    """A list as a customer sends it: most addresses fine, some doubtful, some gone."""
    listed = RecipientList.objects.create(
        customer=customer,
        name=f"{year}年贺卡名单",
        purpose="贺卡寄递与中奖提示",
        agreement=f"HKMD-{year}",
        ends_on=date(year, 12, 31),
    )
    version = recipients.version_of(listed, None, made_by=None, is_whole=True)
    rows, seen = [], set()
    for number in range(PEOPLE):
        county, postcode = rng.choice(COUNTIES)
        house = (
            f"{rng.choice(ROADS)}{rng.randint(1, 300)}号" if rng.random() < 0.93 else ""
        )
        row = Recipient(recipient_list=listed, line=number + 2, ref=f"{number + 1:04d}")
        row.since = row.seen = version.number
        row.name = names.person(rng)
        row.address, row.postcode = f"湖北省武汉市{county}{house}", postcode
        if rng.random() < 0.04:
            row.flaws = [Recipient.Flaw.RETURNED]
        recipients.judge(row)
        if bytes(row.key) not in seen:
            seen.add(bytes(row.key))
            rows.append(row)
    Recipient.objects.bulk_create(rows)
    recipients.count(listed)
    return listed


def last(
    rng: Random, season: Season, customers: list[Customer], users: dict[str, User]
) -> None:
    """Last season's printed cards, its draw, and what became of the prizes."""
    managers = {users["manager.wuhan"].pk: users["manager.wuhan"]}
    mine = [one for one in customers if one.manager_id in managers][:3]
    product = CardProduct.objects.get(code="custom-card")
    for number, customer in enumerate(mine):
        order = CardOrder.objects.create(
            season=season,
            customer=customer,
            product=product,
            ordered_on=season.first_day + timedelta(days=120),
            pieces=200,
            price="7.50",
            revenue=1500,
            cost=600,
            state="contract",
            contract_number=f"HK{season.code}-L{number}",
            recipients=_list(rng, customer, season.last_day.year),
        )
        printing.make(
            order,
            by=None,
            first=f"{number + 1}00000",
            without_blocked=True,
            doubtful_confirmed=True,
        )
        CardOrder.objects.filter(pk=order.pk).update(state="done")
    _draw(rng, season, users)


def _draw(rng: Random, season: Season, users: dict[str, User]) -> None:
    planner, boss = users["planner.hubei"], users["supervisor.hubei"]
    drawn = season.draw_on or season.last_day - timedelta(days=90)
    draw = PrizeDraw(
        season=season,
        drawn_on=drawn,
        source="中国邮政官网开奖公告",
        redeem_from=drawn + timedelta(days=35),
        redeem_until=season.last_day + timedelta(days=30),
        place="全省各邮政支局",
    )
    prizes.keep(draw, by=planner)
    for rank, name, prize, mode, digits, numbers in (
        (1, "一等奖", "智能手机", "exact", 6, "200017"),
        (2, "二等奖", "生肖金币", "suffix", 4, "0042\n0108"),
        (3, "三等奖", "贺年邮票小版", "suffix", 1, "7"),
    ):
        level = PrizeLevel(draw=draw, rank=rank, name=name, prize=prize)
        level.mode, level.digits = mode, digits
        prizes.keep_level(level, by=planner)
        prizes.enter(level, by=planner, written=numbers)
        prizes.enter(level, by=boss, written=numbers)
    prizes.match(season, by=planner)
    wins = list(Win.objects.filter(level__draw=draw))
    for win in wins:
        win.recipient_told = win.customer_told = drawn + timedelta(days=6)
        win.recipient_way, win.customer_way = "letter", "call"
        if rng.random() < 0.72:
            win.claimed_on = drawn + timedelta(days=35 + rng.randint(1, 50))
    fields = ["recipient_told", "customer_told", "recipient_way", "customer_way"]
    Win.objects.bulk_update(wins, [*fields, "claimed_on"])


def now_order(season: Season) -> CardOrder | None:
    rows = CardOrder.objects.filter(season=season, state="contract")
    return (
        rows.filter(customer__office__code__startswith="4201")
        .select_related("customer")
        .order_by("pk")
        .first()
    )


def current(rng: Random, season: Season, users: dict[str, User]) -> None:
    """The running season: a list under virtual delivery, a print, events, two campaigns."""
    boss, planner = users["supervisor.hubei"], users["planner.hubei"]
    order = now_order(season)
    if order:
        listed = _list(rng, order.customer, season.last_day.year)
        addressing.choose_list(order, listed, by=boss)
        addressing.deliver_virtually(order, by=boss)
        run = printing.make(
            order,
            by=boss,
            first="100000",
            without_blocked=True,
            doubtful_confirmed=True,
        )
        files.ask_run(run, "labels", by=boss)
        proposal = SeasonDocument(season=season, customer=order.customer)
        proposal.kind, proposal.title = "proposal", "会员贺卡与回访数据库方案"
        proposal.body = (
            "按会员等级分三组：贺卡加回执、贺卡加二维码、电话回访；名单季前核对。"
        )
        proposal.expected = "回执率一成，到店增加百分之五"
        planning.issue_document(planning.write(proposal, by=boss), by=boss)
    event = MarketingEvent.objects.filter(season=season).first()
    if event:
        event.industry = ""
        event.save(update_fields=["industry"])
        events.add(event, list(events.found(event)[:8]), by=planner)
    _campaigns(season, users)
    _gatherings(season, users)


def _gatherings(season: Season, users: dict[str, User]) -> None:
    """A forum that was held, a show to come, an offer for key customers."""
    boss, manager = users["supervisor.wuhan"], users["manager.wuhan"]
    office, today = boss.postings.get().office, localdate()
    held = Gathering(
        office=office, kind="forum", name="贺卡客户座谈会", place="市局二楼会议室"
    )
    held.day, held.agenda = today - timedelta(days=20), "上季效果、今年样品、名址核对"
    gatherings.keep(held, by=boss)
    guests = Customer.objects.filter(manager=manager, kind="corporate").order_by("pk")[
        :12
    ]
    for number, customer in enumerate(guests):
        gatherings.invite(held, by=boss, customer=customer)
        guest = held.invitations.get(customer=customer)
        said = "希望提前看样张" if number % 4 == 0 else ""
        gatherings.note(guest, by=boss, answer="comes", came=number % 5 != 0, said=said)
    minutes = "与会客户肯定虚拟投递；建议样张提前一个月、余卡可折抵。"
    gatherings.hold(held, by=boss, minutes=minutes, adjusted="春节前增加一次电话问候")
    show = Gathering(
        office=office, kind="show", name="贺卡样品展", place="江汉路邮政大厅"
    )
    show.day = today + timedelta(days=12)
    gatherings.keep(show, by=boss)
    offer = Offer(office=office, name="老客户早订优惠", words="十二月十日前签约九五折")
    offer.segment, offer.first_day = "contract", today - timedelta(days=10)
    offer.last_day = today + timedelta(days=30)
    gatherings.keep_offer(offer, by=boss)


def _campaigns(season: Season, users: dict[str, User]) -> None:
    boss, manager = users["supervisor.hubei"], users["manager.wuhan"]
    lost = Campaign(season=season, office=season.office, name="老客户挽回", whom="lost")
    outreach.keep(lost, by=boss)
    words = "您好，去年的贺卡效果如何？今年新增在线校对，老客户九五折。"
    for way, delay, condition in (
        ("sms", 0, "always"),
        ("call", 2, "unanswered"),
        ("letter", 5, "unanswered"),
    ):
        step = OutreachStep(campaign=lost, way=way, delay=delay, condition=condition)
        step.subject, step.body = "贺卡季老客户优惠", words
        outreach.keep_step(step, by=boss)
    first = lost.steps.get(position=1)
    special = StepVariant(step=first, segment="contract", body=f"协议客户您好！{words}")
    outreach.keep_variant(special, by=boss)
    view = SavedView.objects.create(
        owner=boss, office=season.office, name="武汉协议客户", query="segment=contract"
    )
    call = Campaign(
        season=season, office=manager.postings.get().office, name="电话邀约"
    )
    call.whom, call.view = "view", view
    outreach.keep(call, by=boss)
    step = OutreachStep(campaign=call, way="call", delay=0, condition="always")
    step.body = "邀请参加贺卡样品展，问候并了解今年的计划。"
    outreach.keep_step(step, by=boss)
    _consents(boss)
    for campaign in (lost, call):
        _begin(campaign, boss)


def _consents(boss: User) -> None:
    ids = list(
        Customer.objects.filter(kind="corporate")
        .order_by("pk")
        .values_list("pk", flat=True)
    )[::3]
    given = Consent.objects.filter(purpose="marketing", withdrawn_at=None)
    known = set(given.values_list("customer", flat=True))
    Consent.objects.bulk_create(
        Consent(
            customer_id=pk, purpose="marketing", how="合同条款", given_at=now(), by=boss
        )
        for pk in ids
        if pk not in known
    )


def _begin(campaign: Campaign, boss: User) -> None:
    """Start it, and take the first steps at once."""
    outreach.start(campaign, by=boss)
    outreach.gather(campaign, 0, 10**12)
    campaign.refresh_from_db()
    campaign.size = campaign.contacts.count()
    campaign.state = Campaign.State.RUNNING
    campaign.save(update_fields=["size", "state"])
    due = campaign.contacts.filter(state="active", due_at__lte=now())
    while stepping.advance(campaign, now()) and due.exists():
        pass
