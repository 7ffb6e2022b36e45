"""What follows an answer, in the demo province: outcomes, quality checks, corrective
actions, text blocks."""

from datetime import timedelta
from random import Random
from typing import Any

from django.utils.timezone import localdate, now

from complaints import measures, quality
from complaints.models import Complaint, Outcome, QualityCheck, TextBlock
from complaints.workflow import State
from crm.access.models import User
from crm.org.models import Office

ANSWERED = {State.REPLIED, State.FOLLOW_UP, State.ARCHIVED}
ANSWERS = {
    "delay": "邮件在中转站滞留，已加急发运，次日投递并致歉，客户认可。",
    "loss": "已调取签收记录和监控，邮件在门卫处找到并送到客户手中。",
    "damage": "核实为运输中受压破损，按规定办理赔偿，客户同意。",
    "attitude": "已向客户道歉，对当事人批评教育并安排服务规范培训。",
    "other": "已核实并向客户说明情况，客户表示理解。",
}
BLOCKS: tuple[dict[str, Any], ...] = (
    {
        "use": "answer",
        "title": "延误致歉",
        "digit": 1,
        "body": "您好，{customer}。工单 {ref} 所涉邮件 {item} 因中转滞留延误，"
        "我们已加急发运，给您带来不便，深表歉意。{office} {agent}",
    },
    {
        "use": "answer",
        "title": "理赔说明",
        "digit": 2,
        "body": "您好，工单 {ref} 已进入理赔办理，最迟 {due} 前给您答复。{office} {agent}",
    },
    {
        "use": "call",
        "title": "网上轨迹停滞",
        "digit": 1,
        "body": "客户反映网上轨迹停在中转站，未按承诺时限送达，要求尽快查询并投递。",
    },
    {
        "use": "call",
        "title": "签收未收到",
        "digit": 2,
        "body": "客户反映显示签收，但本人和家人均未收到，要求查清去向。",
    },
)


def seed(
    rng: Random,
    rows: list[Complaint],
    users: dict[str, User],
    offices: dict[str, Office],
) -> None:
    _outcomes(rng, rows, users)
    wuhan = offices["420100"]
    TextBlock.objects.bulk_create(TextBlock(office=wuhan, **row) for row in BLOCKS)
    _checks(rng, users, wuhan)
    _measures(rows, users, wuhan)


def _outcomes(rng: Random, rows: list[Complaint], users: dict[str, User]) -> None:
    """Nine of ten followed up are content."""
    found = []
    for row in rows:
        if row.state not in ANSWERED:
            continue
        was_asked = row.state != State.REPLIED
        grade = rng.choices([5, 4, 3, 2], [55, 30, 8, 7])[0] if was_asked else None
        is_poor = grade is not None and grade <= 2
        result = "unsatisfied" if is_poor else "satisfied"
        found.append(
            Outcome(
                complaint=row,
                answer=ANSWERS[row.category],
                told_at=row.opened_at + timedelta(hours=20),
                told_how="phone",
                answered_by=users["handler.wuhan"],
                check_result=result if was_asked else "",
                satisfaction=grade,
            )
        )
    Outcome.objects.bulk_create(found)


def _checks(rng: Random, users: dict[str, User], office: Office) -> None:
    """A month's sample, half of it scored, one appealed, one to be coached."""
    by, agent = users["quality.wuhan"], users["agent.wuhan"]
    quality.draw(localdate(), office, by=by)
    if not QualityCheck.objects.exists():  # the first of a month
        quality.draw(localdate() - timedelta(days=3), office, by=by)
    rows = list(QualityCheck.objects.filter(agent=agent).order_by("pk")[:6])
    for number, check in enumerate(rows[: len(rows) // 2 + 1]):
        given: dict[str, Any] = {}
        for point in quality.sheet_for(office).points.all():
            lost = rng.randint(0, 3) + (12 if number == 1 else 0)
            given[str(point.pk)] = max(0, point.marks - lost) if point.marks else False
        note = "没有核实客户诉求就结束通话。" if number == 1 else ""
        done = quality.score(check, by=by, given=given, note=note)
        if number == 0:
            quality.appeal(done, by=agent, words="客户当时要求先挂机，录音可以核对。")


def _measures(rows: list[Complaint], users: dict[str, User], office: Office) -> None:
    """One to be done, one overdue, one to be judged."""
    boss, handler = users["supervisor.wuhan"], users["handler.wuhan"]
    archived = [row for row in rows if row.state == State.ARCHIVED][:3]
    due = localdate() + timedelta(days=20), localdate() - timedelta(days=2), localdate()
    texts = "重排早班投递段道", "中转站增设滞留件清查", "投递前电话联系纳入班前会"
    for row, day, what in zip(archived, due, texts, strict=False):
        facts: dict[str, Any] = {
            "what": what,
            "office": office,
            "owner": handler,
            "due_on": day,
        }
        given = measures.give(row, by=boss, **facts)
        if what == texts[2]:
            measures.do(given, by=handler, words="11 月起每日班前会点名通报")
    archived_at = now() - timedelta(days=9)
    type(given).objects.filter(done_at__isnull=False).update(done_at=archived_at)
