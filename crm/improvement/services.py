"""Front-line feedback on its way: submitted, settled by the branch or passed up through
its gate, dispatched by the province, answered; the submitter always knows.

Source: R-CMP-41 to R-CMP-48, R-CMP-51; domain.md 6.2 for the times: the branch has one
working day to look and five to settle, the province fifteen. Points are own judgement.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.capabilities import may, require
from crm.access.models import Posting, User
from crm.audit import services as audit
from crm.errors import Refused
from crm.hooks.services import emit
from crm.improvement.models import Feedback, FeedbackLine
from crm.notify.services import tell
from crm.org.calendar import add_working_time
from crm.org.models import Office
from crm.org.queries import calendar_of

State = Feedback.State
DAY = 450  # working minutes
DAYS = {State.BRANCH: 5, State.PROVINCE: 15, State.DISPATCHED: 15}
POINTS = {
    "submitted": Decimal("0.3"),
    "passed_up": Decimal("0.5"),
    "solved": Decimal(1),
}
NEWS = gettext_noop("News of your feedback")  # translated when they are read
CAME = gettext_noop("Feedback from the front line")
BRANCH_DEPTH = 2  # the prefecture


@dataclass(frozen=True)
class Step:
    """What a decision needs: where it may be taken, what it leads to."""

    before: tuple[str, ...]
    after: str


STEPS = {
    "pass_up": Step((State.BRANCH,), State.PROVINCE),
    "dispatch": Step((State.PROVINCE, State.DISPATCHED), State.DISPATCHED),
    "solve": Step((State.BRANCH, State.PROVINCE, State.DISPATCHED), State.SOLVED),
    "decline": Step((State.BRANCH, State.PROVINCE, State.DISPATCHED), State.DECLINED),
    "send_back": Step((State.PROVINCE,), State.BRANCH),
}


def level_of(feedback: Feedback) -> Office:
    """The office whose supervisors have it now: the branch, or the province."""
    depth = min(feedback.office.depth, BRANCH_DEPTH)
    if feedback.state != State.BRANCH:
        depth = 1
    path = feedback.office.path[: depth * Office.steplen]
    return Office.objects.get(path=path)


def due_from(office: Office, state: str, at: datetime) -> datetime:
    return add_working_time(calendar_of(office), at, DAYS[State(state)] * DAY).at


@transaction.atomic
def submit(*, by: User, office: Office, kind: str, title: str, text: str) -> Feedback:
    """Anybody who works here may; their own office's branch gets it."""
    require(by, "feedback.submit", office)
    at = now()
    feedback = Feedback.objects.create(
        kind=kind,
        title=title,
        text=text,
        by=by,
        office=office,
        at=at,
        due_at=due_from(office, State.BRANCH, at),
        points=POINTS["submitted"],
    )
    _line(feedback, by, text[:2000], at)
    _tell_level(feedback)
    audit.record(by, "feedback.submitted", feedback, office=office)
    _announce(feedback)
    return feedback


def may_decide(user: User, feedback: Feedback) -> bool:
    """Supervisors of the level that has it; nobody decides on their own."""
    return feedback.by_id != user.pk and may(
        user, "feedback.decide", level_of(feedback)
    )


@transaction.atomic
def decide(
    feedback: Feedback, *, by: User, step: str, note: str, department: str = ""
) -> Feedback:
    """One step of its way, with a reply that the submitter reads.

    Refused: "feedback.step" when it is not open from where it stands,
    "feedback.department" when a dispatch names none.
    """
    rows = Feedback.objects.select_for_update(of=("self",))
    feedback = rows.select_related("office", "by").get(pk=feedback.pk)
    taken = STEPS[step]
    if feedback.state not in taken.before:
        raise Refused("feedback.step", _("Somebody else has decided on it already."))
    if not may_decide(by, feedback):
        raise PermissionDenied("feedback.decide")
    if taken.after == State.DISPATCHED and not department:
        raise Refused("feedback.department", _("Say which department."))
    at = now()
    feedback.state = taken.after
    feedback.department = department if taken.after == State.DISPATCHED else ""
    is_closed = taken.after in (State.SOLVED, State.DECLINED)
    feedback.closed_at = at if is_closed else None
    level = level_of(feedback)
    feedback.due_at = None if is_closed else due_from(level, taken.after, at)
    if step == "pass_up" and not feedback.is_passed_up:
        feedback.is_passed_up = True
        feedback.points += POINTS["passed_up"]
    if taken.after == State.SOLVED:
        feedback.points += POINTS["solved"]
    feedback.save()
    _line(feedback, by, note, at)
    key = f"feedback:{feedback.pk}:{feedback.lines.count()}"
    _send(feedback.by, NEWS, feedback, key)
    if not is_closed:
        _tell_level(feedback)
    audit.record(by, f"feedback.{step}", feedback, office=feedback.office)
    _announce(feedback)
    return feedback


def _announce(feedback: Feedback) -> None:
    data = {"feedback": feedback.pk, "kind": feedback.kind, "state": feedback.state}
    data |= {"office": feedback.office.code, "department": feedback.department}
    emit("feedback.moved", [feedback.office], data)


def _line(feedback: Feedback, by: User, note: str, at: datetime) -> None:
    FeedbackLine.objects.create(
        feedback=feedback, at=at, by=by, state=feedback.state, note=note
    )


def _tell_level(feedback: Feedback) -> None:
    for posting in Posting.objects.leading(level_of(feedback).path):
        key = f"feedback:{feedback.pk}:{feedback.state}:{posting.user_id}"
        _send(posting.user, CAME, feedback, key)


def _send(user: User, subject: str, feedback: Feedback, key: str) -> None:
    tell(
        user,
        "feedback",
        subject=subject,
        body=feedback.title,
        url=f"/feedback/{feedback.pk}/",
        key=key,
    )
