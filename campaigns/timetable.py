"""The timetable of a season: annex 1 of seed 000 and domain.md 4.2, in working days.

Each row lies so many working days from an anchor: the main posting day, the Spring
Festival that follows it, or the draw. Months and days of the plan of 2009 (posting on
1 December) became the offsets.
"""

from datetime import date, timedelta

from borax.calendars.lunardate import LunarDate
from django.db import transaction
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from campaigns import seasons
from campaigns.models import Department, Milestone, Season
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.org.calendar import WorkCalendar
from crm.org.queries import calendar_of
from customers.seasons import spring_festival

A, D = Milestone.Anchor, Department
LAST_LUNAR_YEAR = 2098  # the lunar table ends soon after
MOST_DAYS = 400  # calendar days that an offset may span
# content, Chinese, responsible unit, anchor, opens, ends (working days from the anchor)
HOUSE: tuple[tuple, ...] = (
    (
        "Plan of the season drawn up",
        "制定贺卡客户服务方案",
        D.MARKETING,
        A.POSTING,
        -126,
        -121,
    ),
    (
        "Service groups set up",
        "各地市局成立客服工作组",
        D.MARKETING,
        A.POSTING,
        -107,
        -102,
    ),
    (
        "Customers of last season visited, market surveyed",
        "老客户前期走访、市场调查、收集客户信息",
        D.KEY_ACCOUNT,
        A.POSTING,
        -107,
        -64,
    ),
    (
        "Customer-orientation review and countersignature",
        "客户导向评估与会签",
        D.MARKETING,
        A.POSTING,
        -63,
        -59,
    ),
    (
        "Pilot with business supervisors",
        "业务监督员试用",
        D.MARKETING,
        A.POSTING,
        -63,
        -54,
    ),
    (
        "Offers, design and contracts",
        "报价、设计、签约",
        D.KEY_ACCOUNT,
        A.POSTING,
        -58,
        -22,
    ),
    (
        "Recipient lists, cleansing, virtual delivery",
        "名址收集、清洗与虚拟投递",
        D.LETTER,
        A.POSTING,
        -45,
        -15,
    ),
    (
        "Capacity for the peak, volumes announced",
        "高峰作业能力安排与业务量预告",
        D.PROCESSING,
        A.POSTING,
        -25,
        -10,
    ),
    (
        "Production, prize codes captured",
        "制作贺卡、采集兑奖码",
        D.LETTER,
        A.POSTING,
        -22,
        -2,
    ),
    ("Posting", "交寄", D.LETTER, A.POSTING, -1, 0),
    (
        "Delivery peak, quality supervised",
        "投递高峰与质量督查",
        D.OPERATIONS,
        A.POSTING,
        0,
        25,
    ),
    ("Greetings delivered", "节前投递完毕", D.OPERATIONS, A.FESTIVAL, -10, -2),
    ("Returned cards worked up", "退件处理与名址修正", D.LETTER, A.FESTIVAL, 1, 15),
    ("Draw, winning numbers entered", "开奖、录入中奖号码", D.MARKETING, A.DRAW, 0, 2),
    ("Winners and senders told", "中奖提示", D.KEY_ACCOUNT, A.DRAW, 2, 10),
    (
        "All customers followed up: satisfaction, shortcomings, stock",
        "客户回访：满意度、不足、库存",
        D.KEY_ACCOUNT,
        A.DRAW,
        1,
        30,
    ),
    ("Reminder of prizes not claimed", "兑奖到期提醒", D.KEY_ACCOUNT, A.DRAW, 40, 60),
    ("Report of the season", "贺卡季总结报告", D.MARKETING, A.DRAW, 31, 45),
)


def lantern_festival(year: int) -> date:
    """The 15th of the first lunar month: the suggested day of the draw."""
    return LunarDate(year, 1, 15).to_solar_date()


def festival_after(day: date) -> date:
    """The first Spring Festival after a day."""
    found = spring_festival(day.year)
    return found if found > day else spring_festival(day.year + 1)


def shifted(calendar: WorkCalendar, anchor: date, days: int) -> date:
    """The day so many working days from an anchor; 0 is the anchor itself, or the next
    working day. Pure."""
    step = timedelta(days=1 if days >= 0 else -1)
    found, left = anchor, abs(days)
    for _turn in range(MOST_DAYS):
        if calendar.windows_on(found):
            if left == 0:
                return found
            left -= 1
        found += step
    raise Refused("milestone.far", _("The calendar has too few working days."))


def anchors_of(season: Season) -> dict[str, date]:
    """The days that the timetable hangs on. Refused("season.posting") without the first."""
    if season.posting_on is None or season.posting_on.year > LAST_LUNAR_YEAR:
        message = _(
            "Give the main posting day first: the timetable is counted back from it."
        )
        raise Refused("season.posting", message)
    festival = festival_after(season.posting_on)
    draw = season.draw_on or lantern_festival(festival.year)
    return {A.POSTING: season.posting_on, A.FESTIVAL: festival, A.DRAW: draw}


@transaction.atomic
def lay(season: Season, *, by: User | None) -> int:
    """Put the preset timetable into a season without one, or count the rows that hang on
    an anchor anew; how many rows. Done ones stay as they were."""
    season = seasons.locked(season)
    require(by, "season.plan", season.office)
    anchors, calendar = anchors_of(season), calendar_of(season.office)
    rows = list(season.milestones.all())
    if not rows:
        names = ("content", "content_zh", "department", "anchor", "opens", "ends")
        rows = [
            Milestone(season=season, **dict(zip(names, row, strict=True)))
            for row in HOUSE
        ]
    for row in rows:
        if row.anchor and row.done_on is None:
            row.first_day = shifted(calendar, anchors[row.anchor], row.opens or 0)
            row.due_on = max(
                row.first_day, shifted(calendar, anchors[row.anchor], row.ends or 0)
            )
            row.told_on = None if row.due_on >= localdate() else row.told_on
    fresh = [row for row in rows if row.pk is None]
    Milestone.objects.bulk_create(fresh)
    old = [row for row in rows if row not in fresh]
    Milestone.objects.bulk_update(old, ["first_day", "due_on", "told_on"])
    audit.record(by, "season.timetable", season, office=season.office)
    return len(rows)
