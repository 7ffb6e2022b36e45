"""Surveys of the demo province: one finished by phone, one running, letters between units,
an improvement; greetings of the coming days."""

from datetime import date, timedelta
from random import Random
from typing import Any

from django.db.models import F
from django.utils.timezone import localdate, now

from crm.access.models import User
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.org.models import Office
from delivery import improving, questionnaires, rounds, surveys
from delivery.models import Invitation, QuestionnaireVersion, SurveyMember, SurveyRound

QUESTIONS = [
    ("rating", "How content are you with the pick-up?", "您对上门揽收满意吗？"),
    ("rating", "Was the courier on time?", "揽投员是否按约定时间上门？"),
    ("rating", "How was the courier's manner?", "揽投员服务态度如何？"),
]
WHY = "What should we do better?", "您希望我们改进什么？"
SAID = ["希望下午也能上门", "等了两个小时", "态度很好", "包装箱不够", "希望提前打电话"]


def seed(rng: Random, users: dict[str, User], offices: dict[str, Office]) -> None:
    boss, wuhan = users["supervisor.wuhan"], offices["420100"]
    version = _questionnaire(boss, wuhan)
    today = localdate()
    done = _round(version, boss, wuhan, "三季度揽收回访", today - timedelta(days=80))
    _answers(rng, done, share=0.8, better=0)
    past = timedelta(days=70)
    version.invitations.update(
        sent_at=F("sent_at") - past,
        answered_at=F("answered_at") - past,
        expires_at=F("expires_at") - past,
    )
    running = _round(version, boss, wuhan, "四季度揽收回访", today, before=done)
    _answers(rng, running, share=0.4, better=1)
    _letters(rng, version, boss, wuhan, offices)
    question = version.questions.order_by("position")[1]
    improving.improve(
        done,
        question,
        by=boss,
        office=wuhan,
        what="揽收前半小时电话预约，纳入班前会",
        owner=users["manager.wuhan"],
        due_on=today + timedelta(days=14),
    )
    run_inline(enqueue("delivery.care"))


def _questionnaire(by: User, office: Office) -> QuestionnaireVersion:
    row = questionnaires.make(
        by=by, office=office, name="Pick-up follow-up", name_zh="揽收服务回访"
    )
    lines: list[dict[str, Any]] = [
        {"code": f"r{n}", "kind": kind, "text": text, "text_zh": zh}
        for n, (kind, text, zh) in enumerate(QUESTIONS, 1)
    ]
    lines.append(
        {
            "code": "why",
            "kind": "words",
            "text": WHY[0],
            "text_zh": WHY[1],
            "is_required": False,
            "only_if": "r1",
            "only_values": [1, 2, 3],
        }
    )
    version = questionnaires.save_draft(
        questionnaires.draft_of(row, by=by),
        by=by,
        intro="China Post asks about your last pick-up.",
        intro_zh="您好，这里是中国邮政，想了解您最近一次上门揽收的情况。",
        questions=lines,
    )
    return questionnaires.publish(version, by=by)


def _round(
    version: QuestionnaireVersion,
    by: User,
    office: Office,
    name: str,
    opens_on: date,
    before: SurveyRound | None = None,
) -> SurveyRound:
    today = localdate()
    row = SurveyRound.objects.create(
        name=name,
        version=version,
        way=SurveyRound.Way.PHONE,
        target=SurveyRound.Target.PICKUP,
        office=office,
        opens_on=opens_on,
        closes_on=max(opens_on, today - timedelta(days=60)) + timedelta(days=20),
        quota=2 if before else 3,
        benchmark=79,
        before=before,
        whom={
            "product": "标快" if before else "特快",
            "since": f"{today - timedelta(days=150)}",
            "until": f"{today}",
        },
        made_by=by,
    )
    rounds.draw(row)
    return row


def _answers(rng: Random, row: SurveyRound, share: float, better: int) -> None:
    """So many of those drawn have said something."""
    members = list(row.members.select_related("office", "customer").order_by("pk"))
    for member in members[: int(len(members) * share)]:
        roll = rng.random()
        if roll < 0.12:
            member.state, member.code = "unreached", SurveyMember.Code.NO_ANSWER
            member.attempts = 3
            member.save()
            continue
        invitation = rounds._invited(row, member, Invitation.Way.PHONE)
        member.save()
        first = rng.choices([5, 4, 3, 2], [35, 35, 20, 10])[0]
        given: dict[str, Any] = {
            "r1": first,
            "r2": max(1, first - rng.randint(0, 2 - better)),
            "r3": min(5, first + rng.randint(0, 1)),
        }
        if first <= 3:
            given["why"] = rng.choice(SAID)
        invitation.expires_at = now() + timedelta(days=1)
        invitation.save(update_fields=["expires_at"])
        surveys.answer(invitation, given)


def _letters(
    rng: Random,
    version: QuestionnaireVersion,
    by: User,
    office: Office,
    offices: dict[str, Office],
) -> None:
    """Counties of Wuhan about each other."""
    codes = [o.code for o in offices.values() if o.level == "county"]
    codes = [code for code in codes if offices[code].path.startswith(office.path)]
    row = rounds.make(
        SurveyRound(
            name="内部作业环节征询意见函",
            version=version,
            way=SurveyRound.Way.UNITS,
            office=office,
            opens_on=localdate(),
            closes_on=localdate() + timedelta(days=14),
        ),
        by=by,
        whom={"units": codes, "rated": codes},
    )
    run_inline(Job.objects.get(key=f"draw:{row.pk}"))
    members = list(row.members.select_related("invitation").order_by("pk"))
    for member in rng.sample(members, len(members) // 2):
        given = {f"r{n}": rng.choice([3, 4, 4, 5]) for n in (1, 2, 3)}
        if member.invitation:
            surveys.answer(member.invitation, given)
