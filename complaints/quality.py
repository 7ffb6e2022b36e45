"""Quality checks: drawn at random, scored by a sheet, appealed, coached.

Source: domain.md 6.4: at least 5 and at least 10 % of an agent's work orders of a month;
100 marks, passed from 85; a fatal error (privacy, abuse, false record) takes them all.
"""

from datetime import date, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Avg, Count, Q, QuerySet
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from complaints.models import QualityCheck, QualityPoint, QualitySheet
from complaints.models.quality import FULL_MARKS
from crm.access.capabilities import may, require
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.notify.services import tell
from crm.org.models import Office
from crm.org.queries import ancestry

State = QualityCheck.State
AT_LEAST, SHARE = 5, 10  # work orders; percent of an agent's
COACHED_WITHIN = timedelta(days=14)
SCORED = gettext_noop("Your work was checked")  # translated when they are read
APPEALED = gettext_noop("A quality check is appealed")
RULED = gettext_noop("Your appeal is ruled on")
HOUSE: tuple[tuple[str, str, int], ...] = (
    ("Attitude and tone", "服务态度", 25),
    ("Communication", "沟通技巧", 20),
    ("Solves the matter", "问题解决", 30),
    ("Keeps to the process", "流程规范", 15),
    ("Data entered right and whole", "录入准确完整", 10),
    ("Told what is private", "泄露隐私", 0),
    ("Insulted the customer", "辱骂客户", 0),
    ("False record", "虚假记录", 0),
)
# What is drawn already counts; of the rest each is equally likely.
DRAW = """
INSERT INTO complaints_qualitycheck
    (complaint_id, agent_id, office_id, month, state, given, is_fatal, note, appeal,
     ruling, coaching)
SELECT id, created_by_id, office_id, %(month)s, 'drawn', '{}', false, '', '', '', ''
FROM (
    SELECT c.id, c.created_by_id, c.office_id, q.id AS drawn_before,
           greatest(%(least)s, ceil(count(*) OVER mine * %(share)s / 100.0)) AS wanted,
           row_number() OVER (PARTITION BY c.created_by_id
                              ORDER BY q.id IS NULL, random()) AS place
    FROM complaints_complaint c
    JOIN org_office o ON o.id = c.office_id
    LEFT JOIN complaints_qualitycheck q ON q.complaint_id = c.id
    WHERE c.opened_at >= %(start)s AND c.opened_at < %(end)s
      AND starts_with(o.path, %(path)s)
      AND c.created_by_id IN (SELECT user_id FROM access_posting WHERE role = 'agent')
    WINDOW mine AS (PARTITION BY c.created_by_id)
) theirs
WHERE place <= wanted AND drawn_before IS NULL
"""


def sow() -> None:
    """The sheet of the house, where there is none."""
    sheet, made = QualitySheet.objects.get_or_create(office=None, version=1)
    if made:
        save_points(sheet, HOUSE)


def save_points(sheet: QualitySheet, rows: Any) -> None:
    points = [
        QualityPoint(
            sheet=sheet,
            position=place,
            name=name,
            name_zh=name_zh,
            marks=marks,
            is_fatal=not marks,
        )
        for place, (name, name_zh, marks) in enumerate(rows, 1)
    ]
    QualityPoint.objects.bulk_create(points)


def sheet_for(office: Office) -> QualitySheet:
    """The newest version of the nearest office that has one, else the house's."""
    rows = QualitySheet.objects.filter(
        Q(office=None) | Q(office__path__in=ancestry(office))
    )
    related = rows.select_related("office")
    return max(
        related, key=lambda row: (row.office.depth if row.office else 0, row.version)
    )


@transaction.atomic
def publish(
    office: Office, *, by: User, pass_mark: int, rows: list[tuple[str, str, int]]
) -> QualitySheet:
    """A new version of an office's sheet; checks that are scored keep theirs.

    Refused("sheet.marks") unless the marks make 100.
    """
    require(by, "quality.edit", office)
    total = sum(marks for _name, _zh, marks in rows)
    if total != FULL_MARKS:
        message = _("The marks make %(n)s: they must make 100.")
        raise Refused("sheet.marks", message % {"n": total})
    # RACE: two who publish take turns.
    Office.objects.select_for_update().get(pk=office.pk)
    last = QualitySheet.objects.filter(office=office).order_by("-version").first()
    sheet = QualitySheet.objects.create(
        office=office,
        version=last.version + 1 if last else 1,
        pass_mark=pass_mark,
        published_by=by,
        published_at=now(),
    )
    save_points(sheet, rows)
    audit.record(by, "quality.sheet", sheet, office=office)
    return sheet


@transaction.atomic
def draw(month: date, office: Office, *, by: User | None) -> int:
    """Fill up the month's sample of each agent at or below `office`; how many work orders
    were drawn. One statement. RACE: two who draw take turns."""
    require(by, "quality.draw", office)
    start, end = _bounds(month)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('quality.draw'))")
        facts = {"month": start, "start": start, "end": end, "path": office.path}
        cursor.execute(DRAW, {**facts, "least": AT_LEAST, "share": SHARE})
        drawn = cursor.rowcount
    audit.record(by, "quality.drawn", office=office, details={"drawn": drawn})
    return drawn


def _bounds(month: date) -> tuple[date, date]:
    start = month.replace(day=1)
    return start, (start + timedelta(days=32)).replace(day=1)


def draw_step(job: Job) -> bool:
    """Job: fill up last month's sample for the whole company."""
    last = localdate().replace(day=1) - timedelta(days=1)
    for root in Office.objects.filter(depth=1):
        job.done_units += draw(last, root, by=None)
    return True


def _locked(check: QualityCheck) -> QualityCheck:
    rows = QualityCheck.objects.select_for_update(of=("self",))
    return rows.select_related("office", "agent", "complaint", "sheet").get(pk=check.pk)


def _total(sheet: QualitySheet, given: dict[str, Any]) -> tuple[int, bool]:
    """(marks, whether a fatal error takes them). Refused("check.marks")."""
    total, is_fatal = 0, False
    for point in sheet.points.all():
        value = given.get(str(point.pk))
        if point.is_fatal:
            is_fatal = is_fatal or bool(value)
        elif not isinstance(value, int) or not 0 <= value <= point.marks:
            message = _("“%(point)s”: 0 to %(most)s marks.")
            raise Refused(
                "check.marks", message % {"point": point, "most": point.marks}
            )
        else:
            total += value
    return (0 if is_fatal else total), is_fatal


def may_correct(user: User, check: QualityCheck) -> bool:
    is_theirs = check.checked_by_id == user.pk and check.coached_at is None
    return check.state == State.SCORED and is_theirs


@transaction.atomic
def score(
    check: QualityCheck, *, by: User, given: dict[str, Any], note: str
) -> QualityCheck:
    """Score it by the sheet that is in force now; under the pass mark a coaching task of
    14 days begins. Who scored may correct it, until the agent appeals or is coached.

    Refused: "check.scored", "check.self", "check.marks".
    """
    check = _locked(check)
    require(by, "quality.check", check.office)
    if check.state != State.DRAWN and not may_correct(by, check):
        raise Refused("check.scored", _("Somebody else has scored it."))
    if check.agent_id == by.pk:
        raise Refused("check.self", _("Nobody checks their own work."))
    check.sheet = check.sheet or sheet_for(check.office)
    check.score, check.is_fatal = _total(check.sheet, given)
    check.given, check.note = given, note
    check.state, check.checked_by, check.checked_at = State.SCORED, by, now()
    check.coach_by = None if check.has_passed else localdate() + COACHED_WITHIN
    check.save()
    _tell([check.agent], SCORED, check, "scored")
    _record(by, "scored", check)
    return check


@transaction.atomic
def appeal(check: QualityCheck, *, by: User, words: str) -> QualityCheck:
    """The agent does not agree; once. Refused("check.appeal")."""
    check = _locked(check)
    if check.agent_id != by.pk:
        raise PermissionDenied("quality.appeal")
    if check.state != State.SCORED:
        raise Refused("check.appeal", _("There is nothing to appeal, or not any more."))
    check.appeal, check.appealed_at, check.state = words, now(), State.APPEALED
    check.save()
    _tell(_judges(check), APPEALED, check, "appeal")
    _record(by, "appealed", check)
    return check


def may_rule(user: User, check: QualityCheck) -> bool:
    """A supervisor over it who neither checked nor was checked."""
    is_other = user.pk not in (check.checked_by_id, check.agent_id)
    return is_other and may(user, "quality.rule", check.office)


@transaction.atomic
def rule(
    check: QualityCheck, *, by: User, given: dict[str, Any], words: str
) -> QualityCheck:
    """Another supervisor's last word: the marks as they stand from now on.

    Refused: "check.rule", "check.marks".
    """
    check = _locked(check)
    if not may_rule(by, check):
        raise PermissionDenied("quality.rule")
    if check.state != State.APPEALED or check.sheet is None:
        raise Refused("check.rule", _("It is ruled on already."))
    check.score_before = check.score
    check.score, check.is_fatal = _total(check.sheet, given)
    check.given, check.ruling = given, words
    check.state, check.ruled_by, check.ruled_at = State.RULED, by, now()
    if check.has_passed:
        check.coach_by = None if check.coached_at is None else check.coach_by
    check.save()
    _tell([check.agent], RULED, check, "ruled")
    _record(by, "ruled", check)
    return check


@transaction.atomic
def coach(check: QualityCheck, *, by: User, words: str) -> QualityCheck:
    """The coaching has taken place: what was agreed. Refused("check.coach")."""
    check = _locked(check)
    require(by, "quality.check", check.office)
    if check.coach_by is None or check.coached_at or check.agent_id == by.pk:
        raise Refused("check.coach", _("There is no coaching to record here."))
    check.coach, check.coached_at, check.coaching = by, now(), words
    check.save()
    _record(by, "coached", check)
    return check


def _judges(check: QualityCheck) -> list[User]:
    posted = Posting.objects.in_force(localdate()).filter(role=Role.SUPERVISOR)
    for path in reversed(ancestry(check.office)):
        here = posted.filter(office__path=path).exclude(user=check.checked_by)
        if found := [row.user for row in here.select_related("user")]:
            return found
    return []


def _tell(people: list[User], subject: str, check: QualityCheck, what: str) -> None:
    for user in people:
        tell(
            user,
            "quality",
            subject=subject,
            body=check.complaint.ref,
            url=f"/complaints/quality/{check.pk}/",
            key=f"quality:{check.pk}:{what}:{user.pk}",
            is_public=True,
        )


def _record(by: User, what: str, check: QualityCheck) -> None:
    details = {"score": check.score, "agent": check.agent.username}
    audit.record(by, f"quality.{what}", check, office=check.office, details=details)


def by_agent(rows: QuerySet[QualityCheck]) -> list[dict[str, Any]]:
    """Per agent: drawn, scored, mean score, failed, fatal, coaching open. One query."""
    figures = rows.values("agent", "agent__full_name", "agent__username").annotate(
        drawn=Count("pk"),
        scored=Count("pk", filter=~Q(state=State.DRAWN)),
        mean=Avg("score"),
        failed=Count("pk", filter=Q(coach_by__isnull=False)),
        fatal=Count("pk", filter=Q(is_fatal=True)),
        to_coach=Count("pk", filter=Q(coach_by__isnull=False, coached_at=None)),
    )
    return [dict(row) for row in figures.order_by("agent__full_name")]
