"""Rounds of asking: drawn, sent or called, heard."""

from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Q
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from crm import text
from crm.access.capabilities import may, require
from crm.access.models import Posting, User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.services import enqueue
from crm.notify.services import queue_message, tell
from crm.org.calendar import start_of
from crm.org.models import Office
from customers.models import Customer, CustomerPhone
from customers.queries import add_months
from delivery import surveys
from delivery.calling import reserved, to_call
from delivery.models import (
    Invitation,
    SurveyMember,
    SurveyRound,
)

SOURCE = "round"
SMS_SUBJECT = gettext_noop("Your opinion is asked")  # translated when they are read
LETTER = gettext_noop("A consultation letter for your unit")
SEND_CHUNK = 200
CLAIM = timedelta(minutes=15)
PAUSE = 90  # days in which a customer is asked once
State, Code, Way = SurveyMember.State, SurveyMember.Code, SurveyRound.Way

# Of each customer the product most used; of each stratum a random choice that the round's
# number seeds, or all. Who was drawn lately is left in peace.
POOL = """
WITH used AS (
    SELECT coalesce(c.merged_into_id, c.id) AS id, d.product, sum(d.pieces) AS pieces
    FROM customers_usageday d JOIN customers_customer c ON c.id = d.customer_id
    WHERE d.day BETWEEN %(since)s AND %(until)s AND d.product LIKE %(product)s
    GROUP BY 1, 2),
top AS (SELECT DISTINCT ON (id) id, product FROM used ORDER BY id, pieces DESC, product),
pool AS (
    SELECT c.id, c.office_id, c.segment, top.product,
           count(*) OVER stratum AS size,
           row_number() OVER (PARTITION BY c.segment, top.product, c.office_id
                              ORDER BY md5(c.id || ':' || %(round)s)) AS place
    FROM top JOIN customers_customer c ON c.id = top.id
    JOIN org_office o ON o.id = c.office_id
    WHERE o.path LIKE %(path)s AND c.merged_into_id IS NULL AND c.erased_at IS NULL
        AND NOT EXISTS (
            SELECT 1 FROM delivery_surveymember m JOIN delivery_surveyround r
                ON r.id = m.round_id
            WHERE m.customer_id = c.id AND r.made_at > %(lately)s AND r.id <> %(round)s)
    WINDOW stratum AS (PARTITION BY c.segment, top.product, c.office_id))
"""
WANTED = "FROM pool WHERE %(census)s OR place <= %(quota)s"
DRAW = f"""{POOL}
INSERT INTO delivery_surveymember (round_id, customer_id, office_id, segment, product,
    stratum_size, state, code, attempts, next_at, ref)
SELECT %(round)s, id, office_id, segment, product, size, 'waiting', '', 0, %(at)s, ''
{WANTED}
ON CONFLICT DO NOTHING"""


@transaction.atomic
def make(row: SurveyRound, *, by: User, whom: dict[str, Any]) -> SurveyRound:
    """Make a round; a worker draws and sends it. Refused("round.draft") with a
    questionnaire that is not published."""
    require(by, "survey.manage", row.office)
    if row.version.published_at is None:
        raise Refused("round.draft", _("Publish the questionnaire first."))
    row.made_by, row.whom = by, whom
    row.save()
    due = max(now(), start_of(row.opens_on))
    enqueue("delivery.draw", {"round": row.pk}, by=by, key=f"draw:{row.pk}", due_at=due)
    audit.record(by, "survey.round_made", row, office=row.office)
    return row


def draw_step(job: Job) -> bool:
    """Job: draw the sample, then send it by chunks; calls wait for agents."""
    row = SurveyRound.objects.select_related("office", "version").get(
        pk=job.params["round"]
    )
    if row.ended_at:
        return True
    if "sent" not in job.cursor:
        draw(row)
        job.cursor = {"sent": 0}
        return row.way == Way.PHONE
    waiting = row.members.waiting().select_related("customer", "unit", "office")
    chunk = list(waiting.order_by("pk")[:SEND_CHUNK])
    for member in chunk:
        _send(row, member)
    job.done_units += len(chunk)
    return not chunk


def repeat_step(job: Job) -> bool:
    """Job, each night: the next round of those that repeat and whose time has come."""
    today = localdate()
    rows = SurveyRound.objects.filter(repeats__gt=0).exclude(
        pk__in=SurveyRound.objects.exclude(before=None).values("before")
    )
    for row in rows.select_related("office", "version__questionnaire", "made_by"):
        if add_months_to(row.opens_on, row.repeats) <= today:
            _again(row)
    return True


def add_months_to(day: date, months: int) -> date:
    """The same day so many months later; the last of a shorter month."""
    first = add_months(day, months)
    last = add_months(first, 1) - timedelta(days=1)
    return first.replace(day=min(day.day, last.day))


@transaction.atomic
def _again(row: SurveyRound) -> SurveyRound:
    """The same round, so many months on, with the questionnaire's newest version."""

    def later(day: date) -> date:
        return add_months_to(day, row.repeats)

    made = SurveyRound(
        **{
            name: getattr(row, name)
            for name in (
                *("name", "way", "target", "topic", "office", "is_census", "quota"),
                *("attempts", "gap_hours", "benchmark", "repeats", "made_by", "team"),
            )
        },
        version=surveys.current(row.version.questionnaire.code),
        opens_on=later(row.opens_on),
        closes_on=later(row.closes_on),
        whom={
            name: f"{later(date.fromisoformat(value))}"
            if name in ("since", "until")
            else value
            for name, value in row.whom.items()
        },
        before=row,
    )
    made.save()
    enqueue("delivery.draw", {"round": made.pk}, key=f"draw:{made.pk}")
    audit.record(None, "survey.round_made", made, office=made.office)
    return made


@transaction.atomic
def draw(row: SurveyRound) -> int:
    """Write the members down; how many. Again adds nobody twice."""
    if row.way == Way.UNITS:
        SurveyMember.objects.bulk_create(_pairs(row), ignore_conflicts=True)
    else:
        with connection.cursor() as cursor:
            cursor.execute(DRAW, _params(row))
    row.size = row.members.count()
    row.save(update_fields=["size"])
    return row.size


def _params(row: SurveyRound) -> dict[str, Any]:
    return {
        "round": row.pk or 0,
        "path": row.office.path + "%",
        "since": row.whom["since"],
        "until": row.whom["until"],
        "product": f"%{row.whom['product']}%",
        "census": row.is_census,
        "quota": row.quota,
        "lately": now() - timedelta(days=PAUSE),
        "at": now(),
    }


def counted(row: SurveyRound, whom: dict[str, Any]) -> int:
    """How many a round would ask, before it is made."""
    row.whom = whom
    if row.way == Way.UNITS:
        return len(_pairs(row))
    with connection.cursor() as cursor:
        cursor.execute(f"{POOL} SELECT count(*) {WANTED}", _params(row))
        return cursor.fetchone()[0]


@transaction.atomic
def end(row: SurveyRound, *, by: User) -> None:
    """Ask nobody any more: links end, calls are not offered, nothing repeats."""
    require(by, "survey.manage", row.office)
    SurveyRound.objects.filter(pk=row.pk, ended_at=None).update(
        ended_at=now(), repeats=0
    )
    waiting = Invitation.objects.filter(member__round=row, answered_at=None)
    waiting.filter(expires_at__gt=now()).update(expires_at=now())
    audit.record(by, "survey.round_ended", row, office=row.office)


def _pairs(row: SurveyRound) -> list[SurveyMember]:
    """Each of the units about each other: next stage of work is the customer (互为客户)."""
    units = list(Office.objects.filter(code__in=row.whom["units"]))
    rated = list(Office.objects.filter(code__in=row.whom["rated"]))
    return [
        SurveyMember(round=row, unit=unit, office=other, next_at=now())
        for unit in units
        for other in rated
        if unit != other
    ]


def _invited(row: SurveyRound, member: SurveyMember, way: str) -> Invitation:
    """The member's invitation, open until the round closes."""
    if member.invitation is None:
        member.invitation = surveys.invite(
            row.version,
            by=row.made_by,
            office=member.office,
            source=SOURCE,
            subject=str(member.pk),
            way=way,
            customer=member.customer,
            until=start_of(row.closes_on + timedelta(days=1)),
        )
    return member.invitation


def _send(row: SurveyRound, member: SurveyMember) -> None:
    """By SMS to the primary mobile, to a unit's supervisors, or to be printed. Who has no
    number is not reached."""
    state, code = State.SENT, ""
    if row.way == Way.UNITS:
        link = surveys.link(_invited(row, member, Invitation.Way.EMAIL))
        _tell_unit(member, link)
    elif row.way == Way.PRINT:
        _invited(row, member, Invitation.Way.EMAIL)
    else:
        phone = _phone(member.customer)
        if phone is None or not text.is_mobile(phone.number):
            state, code = State.UNREACHED, Code.WRONG
        else:
            link = surveys.link(_invited(row, member, Invitation.Way.SMS))
            with override("zh-hans"):
                body = _("China Post asks for your opinion: %(link)s") % {"link": link}
            queue_message(
                "sms",
                subject=SMS_SUBJECT,
                body=body,
                to_address=phone.number,
                key=f"round:{member.pk}",
            )
    member.state, member.code = state, code
    member.save(update_fields=["state", "code", "invitation"])


def _phone(customer: Customer | None) -> CustomerPhone | None:
    rows = CustomerPhone.objects.filter(customer=customer, is_invalid=False)
    return rows.filter(opted_out=False).order_by("-is_primary", "pk").first()


def _tell_unit(member: SurveyMember, link: str) -> None:
    posts = Posting.objects.in_force(localdate()).filter(
        office=member.unit, role__in=["supervisor", "handler"]
    )
    for posting in posts.select_related("user"):
        tell(
            posting.user,
            "system",
            subject=LETTER,
            body=str(member.office),
            url=link[link.index("/s/") :],
            key=f"round:{member.pk}:{posting.user_id}",
        )


# --- calls ---------------------------------------------------------------------------


@transaction.atomic
def next_call(user: User, at: datetime | None = None) -> SurveyMember | None:
    """The member whom an agent calls next, taken for a quarter of an hour: the one begun,
    else the longest due of the open rounds in their offices.

    RACE: rows that a colleague takes at the same moment are skipped.
    """
    at = at or now()
    today = localdate(at)
    rows = to_call(user, today).filter(round__opens_on__lte=today)
    mine = rows.filter(taken_by=user, taken_until__gt=at)
    free = rows.exclude(reserved(user, today)).filter(
        Q(taken_until=None) | Q(taken_until__lte=at), next_at__lte=at
    )
    found = mine.first()
    if found is None:
        locked = free.select_for_update(of=("self",), skip_locked=True)
        found = locked.order_by("next_at", "pk").first()
    if found is None:
        return None
    found.taken_by, found.taken_until = user, at + CLAIM
    row = SurveyRound.objects.select_related("version").get(pk=found.round_id)
    _invited(row, found, Invitation.Way.PHONE)
    found.save(update_fields=["taken_by", "taken_until", "invitation"])
    return found


def _held(member: SurveyMember, by: User) -> SurveyMember:
    """The member, locked, held by its caller. Refused("call.taken"), ("call.over")."""
    rows = SurveyMember.objects.select_for_update(of=("self",))
    row = rows.select_related("round", "invitation").get(pk=member.pk)
    if not may(by, "survey.call", row.office):
        raise PermissionDenied("survey.call")
    if row.state != State.WAITING:
        raise Refused("call.over", _("This call is finished already."))
    if row.taken_by_id != by.pk:
        raise Refused("call.taken", _("A colleague has this call now."))
    return row


@transaction.atomic
def attempt(
    member: SurveyMember, *, by: User, code: str, later: datetime | None = None
) -> SurveyMember:
    """A call without an answer: tried again after the gap, at most so often; a wrong
    number and a refusal end it; a time that the customer named is no attempt.

    Refused: "call.over", "call.taken", "call.later".
    """
    row = _held(member, by)
    row.code = code
    row.taken_by = row.taken_until = None
    row.next_at = now() + timedelta(hours=row.round.gap_hours)
    if code == Code.LATER:
        ends = start_of(row.round.closes_on + timedelta(days=1))
        if later is None or not now() < later < ends:
            raise Refused(
                "call.later", _("Choose a time ahead, before the round ends.")
            )
        row.next_at = later
    else:
        row.attempts += 1
    if code == Code.REFUSED:
        row.state = State.REFUSED
    elif code in SurveyMember.FINAL or row.attempts >= row.round.attempts:
        row.state = State.UNREACHED
    row.save()
    audit.record(by, "survey.call", row, office=row.office, details={"code": code})
    return row


@transaction.atomic
def take_down(member: SurveyMember, *, by: User, given: dict[str, Any]) -> SurveyMember:
    """The answers of a call. Refused as surveys.answer, and "call.…"."""
    row = _held(member, by)
    if row.invitation is None:
        raise Refused("call.over", _("This call is finished already."))
    row.attempts += 1
    row.save(update_fields=["attempts"])
    surveys.answer(row.invitation, given)
    row.refresh_from_db()
    return row


def heard(invitation: Invitation) -> None:
    """An invitation of a round was answered (settings.SURVEY_HEARERS)."""
    SurveyMember.objects.filter(invitation=invitation).update(
        state=State.ANSWERED, code="", taken_until=None
    )  # taken_by stays: whoever called is credited
