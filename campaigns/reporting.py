"""The report of a season: reached, earned, spent, left over, felt; beside another season.

Sources: R-CAM-03, 19, 20, 21, 25, 34…36; domain.md 4.2.
"""

from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import Any

from django.db.models import Avg, Count, F, Q, Sum
from django.utils.translation import gettext as _

from campaigns import figures, winners
from campaigns.models import (
    CardOrder,
    ProductionError,
    Resource,
    Season,
    SeasonMember,
    Win,
)
from campaigns.orders import fulfilment
from crm.org.models import Office
from customers.models import Customer
from delivery.models import VisitReport
from delivery.quality.rates import Share


@dataclass(frozen=True)
class Money:
    """What a season earned and cost, in yuan; `roi` is gain by cost, as a fraction."""

    revenue: Decimal
    production: Decimal
    channel: Decimal
    staff: Decimal

    @property
    def cost(self) -> Decimal:
        return self.production + self.channel + self.staff

    @property
    def roi(self) -> float | None:
        return float((self.revenue - self.cost) / self.cost) if self.cost else None


@dataclass(frozen=True)
class Felt:
    """Mean satisfaction, 1 to 5, by the reports of the visits before and after, and of how
    many."""

    before: float | None
    before_n: int
    after: float | None
    after_n: int

    @property
    def change(self) -> float | None:
        if self.before is None or self.after is None:
            return None
        return self.after - self.before


@dataclass(frozen=True)
class Stock:
    """Cards left over at customers, as the visits after the season found them."""

    customers: int
    pieces: int
    without_proposal: int
    settled: int


@dataclass(frozen=True)
class SeasonReport:
    season: Season
    office: Office
    counts: figures.SeasonCounts
    rates: list[tuple[str, Share, float | None]]
    money: Money
    felt: Felt
    stock: Stock
    lost: list[tuple[str, int]]
    effects: Share
    findings: int
    prizes: winners.PrizeFigures
    fulfilled: Share
    by_office: list[tuple[str, figures.SeasonCounts]]
    buyers: int
    market_share: float | None  # percent; None while nobody has estimated the others

    @property
    def goals(self) -> list[tuple[str, Decimal | int | float | None, Any]]:
        """Campaign targets (R-CAM-34): (name of it, reached, wanted); the wanted ones are
        the whole season's and stand with its own office only."""
        one = self.season
        rows: list[tuple[str, Any, Any]] = [
            ("revenue", self.counts.revenue, one.revenue_target),
            ("customers", self.buyers, one.customers_target),
            ("market_share", self.market_share, one.share_target),
        ]
        is_whole = self.office == one.office
        return [(name, got, goal if is_whole else None) for name, got, goal in rows]


def money_of(season: Season, office: Office) -> Money:
    """Revenue and costs at or below an office; channel and staff costs are the season's and
    stand with its own office only (R-CAM-36). Three queries."""
    orders = CardOrder.objects.valid().filter(
        season=season, customer__office__path__startswith=office.path
    )
    sums = orders.aggregate(r=Sum("revenue", default=0), c=Sum("cost", default=0))
    errors = ProductionError.objects.filter(stage__order__in=orders.order_by())
    wrong = errors.aggregate(c=Sum("cost", default=0))["c"]
    spent = {"people": Decimal(0), "other": Decimal(0)}
    if office == season.office:
        used = Resource.objects.filter(season=season, used__isnull=False)
        for kind, cost in used.values_list("kind").annotate(
            c=Sum(F("used") * F("price"))
        ):
            spent["people" if kind == Resource.Kind.PEOPLE else "other"] += cost
    return Money(sums["r"], sums["c"] + wrong, spent["other"], spent["people"])


def market_share_of(season: Season, office: Office, revenue: Decimal) -> float | None:
    """Our part of all sales in the season's own region, in percent: beside those that
    somebody has estimated of competitors. None below it, and while nobody has. One query."""
    known = season.competitors.aggregate(sales=Sum("sales"))["sales"]
    if known is None or office != season.office or not revenue + known:
        return None
    return float(100 * revenue / (revenue + known))


def felt_of(season: Season, office: Office) -> Felt:
    """Satisfaction before and after (R-CAM-35). One query."""
    reports = VisitReport.objects.filter(
        visit__customer__office__path__startswith=office.path,
        satisfaction__isnull=False,
    )
    before = Q(visit__plan=season.pre_plan_id or 0)
    after = Q(visit__plan=season.after_plan_id or 0)
    found = reports.aggregate(
        b=Avg("satisfaction", filter=before),
        bn=Count("pk", filter=before),
        a=Avg("satisfaction", filter=after),
        an=Count("pk", filter=after),
    )
    return Felt(found["b"], found["bn"], found["a"], found["an"])


def stock_of(season: Season, office: Office) -> Stock:
    """Left-over cards and what was proposed for them (R-CAM-19). Two queries."""
    reports = VisitReport.objects.filter(
        visit__plan=season.after_plan_id or 0,
        visit__customer__office__path__startswith=office.path,
        stock_left__gt=0,
    )
    left: dict[int, int] = {
        customer: pieces or 0
        for customer, pieces in reports.values_list("visit__customer", "stock_left")
    }
    noted = SeasonMember.objects.filter(season=season, customer__in=left).exclude(
        proposal=""
    )
    done = dict(noted.values_list("customer", "is_settled"))
    return Stock(
        len(left), sum(left.values()), len(left) - len(done), sum(done.values())
    )


def report(season: Season, office: Office) -> SeasonReport:
    """All of it, for an office and what is below. About twenty queries."""
    counts = figures.counts_by_office(season, office)
    whole = sum(counts.values(), figures.SeasonCounts())
    members = SeasonMember.objects.filter(
        season=season, customer__office__path__startswith=office.path
    )
    everybody = Customer.objects.filter(
        merged_into=None, office__path__startswith=office.path
    )
    gone = figures.group_of(everybody, "lost", season).order_by().values("pk")
    lost = members.filter(customer__in=gone).exclude(lost="").order_by()
    orders = CardOrder.objects.filter(
        season=season, customer__office__path__startswith=office.path
    )
    bought = orders.valid().order_by().values("customer").distinct()
    buyers = bought.count()
    noted = members.filter(customer__in=bought).exclude(effect="").count()
    wins = Win.objects.filter(
        level__draw__season=season, customer__office__path__startswith=office.path
    )
    return SeasonReport(
        season=season,
        office=office,
        counts=whole,
        rates=[
            (name, read(whole, season), figures.target_of(name, season))
            for name, (read, _target) in figures.RATES.items()
        ],
        money=money_of(season, office),
        felt=felt_of(season, office),
        stock=stock_of(season, office),
        lost=[
            (str(SeasonMember.Lost(reason).label), n)
            for reason, n in lost.values_list("lost")
            .annotate(n=Count("pk"))
            .order_by("-n")
        ],
        effects=Share(noted, buyers),
        findings=members.exclude(finding="").count(),
        prizes=winners.figures(wins, season),
        fulfilled=fulfilment(orders),
        by_office=_by_office(office, counts),
        buyers=buyers,
        market_share=market_share_of(season, office, whole.revenue),
    )


def _by_office(
    office: Office, counts: dict[int, figures.SeasonCounts]
) -> list[tuple[str, figures.SeasonCounts]]:
    """Sums of the offices one level below."""
    below = Office.objects.under(office)
    units = {unit.pk: unit for unit in below}
    found = []
    for unit in units.values():
        if unit.depth != office.depth + 1 or not unit.is_active:
            continue
        inside = [
            one for pk, one in counts.items() if units[pk].path.startswith(unit.path)
        ]
        summed = sum(inside, figures.SeasonCounts())
        if summed.base or summed.orders:
            found.append((unit.name, summed))
    return found


NAMES = {
    "retention_rate": "老客户保有率",
    "new_customer_rate": "新增客户占上季",
    "won_back_rate": "流失重获占上季",
    "follow_up_rate": "老客户跟踪率",
}
GOALS = {
    "revenue": "收入（元）",
    "customers": "客户数",
    "market_share": "市场份额（%）",
}


def as_document(season: Season, office: Office) -> dict[str, Any]:
    """The report as Typst takes it: an official document, which is Chinese."""
    found = report(season, office)
    rates = [["指标", "分子", "分母", "实绩", "目标"]]
    for name, share, target in found.rates:
        reached = "—" if share.percent is None else f"{share.percent:.2f} %"
        wanted = "—" if target is None else f"{100 * target:.0f} %"
        rates.append(
            [NAMES[name], f"{share.numerator}", f"{share.denominator}", reached, wanted]
        )
    for goal, got, aim in found.goals:
        rates.append([GOALS[goal], "", "", *map(_written, (got, aim))])
    money = found.money
    costs = [
        ["收入", "制作成本", "渠道费用", "人工费用", "投入产出"],
        [
            *(f"{one:,.2f}" for one in (money.revenue, money.production)),
            *(f"{one:,.2f}" for one in (money.channel, money.staff)),
            "—" if money.roi is None else f"{100 * money.roi:.1f} %",
        ],
    ]
    offices = [["单位", "上季", "保有", "保有率", "新增", "收入"]]
    for name, one in found.by_office:
        rate = f"{100 * one.kept / one.base:.1f} %" if one.base else "—"
        offices.append(
            [
                name,
                f"{one.base}",
                f"{one.kept}",
                rate,
                f"{one.new}",
                f"{one.revenue:,.0f}",
            ]
        )
    shares = [(n, 100 * one.kept / one.base) for n, one in found.by_office if one.base]
    target = float(season.retention_target)
    sections: list[dict[str, Any]] = [
        {"title": "一、目标完成情况", "table": rates},
        {"title": "二、投入产出", "table": costs},
        {"title": "三、各单位情况", "table": offices, "chart": bars(shares, target)},
        {"title": "四、售后", "paragraphs": _aftermath(found)},
    ]
    if found.lost:
        chart = bars([(name, float(n)) for name, n in found.lost], None)
        sections.append({"title": "五、未续订原因", "chart": chart})
    return {
        "title": f"{season.name}总结报告",
        "subtitle": f"{office.name}　{season.first_day} 至 {season.last_day}",
        "sections": sections,
    }


def _aftermath(found: SeasonReport) -> list[str]:
    felt, stock, won = found.felt, found.stock, found.prizes
    before = "—" if felt.before is None else f"{felt.before:.2f}（{felt.before_n}户）"
    after = "—" if felt.after is None else f"{felt.after:.2f}（{felt.after_n}户）"
    return [
        f"满意度：活动前 {before}，活动后 {after}。",
        f"余卡：{stock.customers}户 {stock.pieces}枚，待提建议 {stock.without_proposal}户，"
        f"已落实 {stock.settled}户。",
        f"中奖 {won.wins}枚，已提示收件人 {won.recipients.numerator}枚、"
        f"寄件客户 {won.customers.numerator}枚，已兑 {won.claimed.numerator}枚，"
        f"弃奖 {won.missed.numerator}枚。",
        f"投递要求达成 {found.fulfilled.numerator}/{found.fulfilled.denominator}；"
        f"效果评估 {found.effects.numerator}户；带入下季的发现 {found.findings}条。",
    ]


ROW = 22  # height of a bar's row


def bars(rows: list[tuple[str, float]], target: float | None) -> str:
    """Bars as plain SVG for print, with a line at the target."""
    top = max([value for _name, value in rows] + [target or 0, 1])
    height = ROW * len(rows) + 4
    places = 0 if all(value == int(value) for _name, value in rows) else 1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 {height}" '
        'font-family="Noto Sans CJK SC" font-size="11">'
    ]
    for number, (name, value) in enumerate(rows):
        y, width = number * ROW + 4, 380 * value / top
        parts.append(
            f'<text x="0" y="{y + 12}">{escape(name)}</text>'
            f'<rect x="150" y="{y}" width="{width:.1f}" height="15" fill="#0b7a4b"/>'
            f'<text x="{156 + width:.1f}" y="{y + 12}">{value:.{places}f}</text>'
        )
    if target:
        x = 150 + 380 * target / top
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}" stroke="#b42318" '
            'stroke-dasharray="4 3"/>'
        )
    return "".join([*parts, "</svg>"])


def compared(left: SeasonReport, right: SeasonReport) -> list[tuple[str, str, str]]:
    """(what, here, there) of two seasons, written out for a table."""
    labels = {
        "retention_rate": _("Kept, %"),
        "new_customer_rate": _("New, %"),
        "won_back_rate": _("Won back, %"),
        "follow_up_rate": _("Followed up, %"),
    }
    rows = [
        (labels[name], _written(one.percent), _written(other.percent))
        for (name, one, _t), (_n, other, _u) in zip(
            left.rates, right.rates, strict=True
        )
    ]
    both = (left, right)
    values: list[tuple[str, list[Any]]] = [
        (_("Customers of the season before"), [one.counts.base for one in both]),
        (_("Orders"), [int(one.counts.orders) for one in both]),
        (_("Pieces"), [int(one.counts.pieces) for one in both]),
        (_("Revenue, yuan"), [one.counts.revenue for one in both]),
        (_("Cost, yuan"), [one.money.cost for one in both]),
        (
            _("Return on cost, %"),
            [None if one.money.roi is None else 100 * one.money.roi for one in both],
        ),
        (_("Satisfaction after"), [one.felt.after for one in both]),
        (_("Cards left over"), [one.stock.pieces for one in both]),
        (_("Prizes missed"), [one.prizes.missed.numerator for one in both]),
    ]
    return rows + [
        (label, _written(here), _written(there)) for label, (here, there) in values
    ]


def _written(value: Any) -> str:
    """A number for a table; a dash for one that is not known."""
    if value is None:
        return "—"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
