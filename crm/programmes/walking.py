"""Walkthroughs on their way: a process picked, booked with the branch or not, walked, its
suggestions judged, its problems improved; points and the top ten.

Source: R-KPI-47…56; domain.md 7.4 (rules of points and ties).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Max, Q
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.capabilities import may, require
from crm.access.models import Posting, User
from crm.audit import services as audit
from crm.errors import Refused
from crm.notify.services import tell
from crm.programmes.models import Demand, Finding, Programme, Walk
from delivery import improving
from delivery.models import Improvement

State, Mode = Walk.State, Walk.Mode
PER_WALK, PER_PROBLEM, PER_SUGGESTION = Decimal(1), Decimal("0.3"), Decimal("0.5")
TOP = 10
BOOKED = gettext_noop("A walkthrough with your branch is asked for")
WITHDRAWN = gettext_noop("A walkthrough with your branch is withdrawn")
ANSWERED = gettext_noop("Your walkthrough is answered")
JUDGED = gettext_noop("What you found in a walkthrough is judged")


def may_pick(user: User, demand: Demand) -> bool:
    """Everybody who sees the programme, while it runs."""
    return Programme.objects.visible_to(user).filter(pk=demand.programme_id).exists()


@transaction.atomic
def book(walk: Walk, *, by: User) -> Walk:
    """Pick a process. Alone: at any time; together: the branch is asked first.

    Refused: "walk.closed" when the programme does not run or the process is not walked any
    more, "walk.day" for a day outside it, "walk.where" for an office that it does not
    cover, "walk.again" for the same walk on the same day.
    """
    demand = Demand.objects.select_related("programme__office").get(pk=walk.demand.pk)
    programme = demand.programme
    if not may_pick(by, demand):
        raise PermissionDenied("walk.do")
    if programme.state != Programme.State.ISSUED or not demand.is_open:
        raise Refused("walk.closed", _("This is not walked any more."))
    if not programme.first <= walk.on <= programme.last:
        raise Refused("walk.day", _("This day lies outside the programme."))
    if not programme.office.contains(walk.office):
        raise Refused("walk.where", _("The programme does not cover this office."))
    same = Walk.objects.filter(demand=demand, user=by, office=walk.office, on=walk.on)
    if same.exclude(state=State.DECLINED).exists():
        raise Refused("walk.again", _("You have this walk on that day already."))
    walk.user = by
    walk.state = State.BOOKED if walk.mode == Mode.TOGETHER else State.AGREED
    walk.save()
    if walk.state == State.BOOKED:
        for posting in Posting.objects.leading(walk.office.path):
            _tell(posting.user, BOOKED, walk, "booked")
    audit.record(by, "walk.booked", walk, office=walk.office)
    return walk


def _tell(user: User, subject: str, walk: Walk, what: str) -> None:
    tell(
        user,
        "programme",
        subject=subject,
        body=f"{walk}",
        url=walk.get_absolute_url(),
        key=f"walk:{walk.pk}:{what}:{user.pk}",
    )


def _locked(walk: Walk, *states: str) -> Walk:
    rows = Walk.objects.select_for_update(of=("self",))
    rows = rows.select_related("office", "user", "demand__programme__office")
    row = rows.filter(pk=walk.pk).first()  # none: withdrawn meanwhile
    if row is None or row.state not in states:
        raise Refused("walk.state", _("The walk is not at this step."))
    return row


@transaction.atomic
def reply(walk: Walk, *, by: User, agrees: bool, words: str) -> Walk:
    """The branch agrees to a walk with it, or says why not. Refused("walk.words") for a
    no without a reason."""
    row = _locked(walk, State.BOOKED)
    require(by, "walk.answer", row.office)
    if not agrees and not words:
        raise Refused("walk.words", _("Say why it is not possible."))
    row.state = State.AGREED if agrees else State.DECLINED
    row.answer, row.answered_by = words, by
    row.save()
    _tell(row.user, ANSWERED, row, "answered")
    return row


@transaction.atomic
def withdraw(walk: Walk, *, by: User) -> None:
    """Whoever booked a walk takes it back before it is walked; nothing is kept but the
    trail, and the branch that was asked is told."""
    row = _locked(walk, State.BOOKED, State.AGREED)
    if by.pk != row.user_id:
        raise PermissionDenied("walk.do")
    if row.mode == Mode.TOGETHER:
        for posting in Posting.objects.leading(row.office.path):
            tell(
                posting.user,
                "programme",
                subject=WITHDRAWN,
                body=f"{row} {row.on}",
                key=f"walk:{row.pk}:withdrawn:{posting.user_id}",
            )
    audit.record(by, "walk.withdrawn", row, office=row.office)
    row.delete()


@transaction.atomic
def finish(walk: Walk, *, by: User, found: Iterable[tuple[str, str]]) -> Walk:
    """It is walked: `found` are (kind, text) of problems and suggestions, none is fine.
    Refused("walk.early") before its day. Twice is refused ("walk.state")."""
    row = _locked(walk, State.AGREED)
    if by.pk != row.user_id:
        raise PermissionDenied("walk.do")
    if row.demand.programme.state != Programme.State.ISSUED:
        raise Refused("walk.closed", _("This is not walked any more."))
    if row.on > localdate():
        raise Refused("walk.early", _("The day of this walk has not come."))
    Finding.objects.bulk_create(
        Finding(walk=row, kind=kind, text=text) for kind, text in found
    )
    row.state, row.done_at = State.DONE, now()
    row.save()
    audit.record(by, "walk.done", row, office=row.office)
    return row


def may_judge(user: User, walk: Walk) -> bool:
    """Who manages the programme, but never what they found themselves."""
    return user.pk != walk.user_id and may(
        user, "programme.manage", walk.demand.programme.office
    )


@transaction.atomic
def judge(finding: Finding, *, by: User, is_valid: bool, words: str) -> Finding:
    """Whether a finding holds. Refused("finding.judged") once somebody has said so."""
    row = Finding.objects.select_for_update(of=("self",)).get(pk=finding.pk)
    walk = _locked(row.walk, State.DONE)
    if not may_judge(by, walk):
        raise PermissionDenied("programme.manage")
    if row.is_valid is not None:
        raise Refused("finding.judged", _("It is judged already."))
    row.is_valid, row.judged_by, row.judged_note = is_valid, by, words
    row.save()
    _tell(walk.user, JUDGED, walk, f"judged:{row.pk}")
    audit.record(by, "walk.judged", walk, office=walk.office)
    return row


@transaction.atomic
def improve(finding: Finding, *, by: User, **facts: Any) -> Improvement:
    """Open an improvement for what was found; whoever found it follows it on the walk's
    page. Refused("finding.again") when one is open, ("finding.void") for what does not
    hold."""
    row = Finding.objects.select_for_update(of=("self",)).get(pk=finding.pk)
    walk = _locked(row.walk, State.DONE)
    if row.improvement_id:
        raise Refused("finding.again", _("An improvement of this is open already."))
    if row.is_valid is False:
        raise Refused("finding.void", _("There is nothing to improve here."))
    row.improvement = improving.open_for(
        row.text, walk.get_absolute_url(), by=by, office=walk.office, **facts
    )
    row.save(update_fields=["improvement"])
    return row.improvement


# --- points ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Score:
    """What somebody's walks in a programme came to."""

    user: int
    name: str
    walks: int
    alone: int
    problems: int
    suggestions: int  # valid ones
    last: date

    @property
    def points(self) -> Decimal:
        """Points, one decimal place: exact, because shares of one tenth are not in binary."""
        return (
            PER_WALK * self.walks
            + PER_PROBLEM * self.problems
            + PER_SUGGESTION * self.suggestions
        )


def ranking(programme: Programme) -> list[Score]:
    """Everybody who has walked, the most points first; ties: more valid suggestions, then
    who was ready earlier. Two queries."""
    done = Walk.objects.filter(demand__programme=programme, state=State.DONE).order_by()
    walks = done.values("user", "user__full_name").annotate(
        walks=Count("pk"),
        alone=Count("pk", filter=Q(mode=Mode.ALONE)),
        last=Max("on"),
    )
    found = {
        line["walk__user"]: line
        for line in Finding.objects.filter(walk__in=done.values("pk"))
        .order_by()
        .values("walk__user")
        .annotate(
            problems=Count(
                "pk", filter=Q(kind=Finding.Kind.PROBLEM) & ~Q(is_valid=False)
            ),
            suggestions=Count(
                "pk", filter=Q(kind=Finding.Kind.SUGGESTION, is_valid=True)
            ),
        )
    }
    none = {"problems": 0, "suggestions": 0}
    scores = [
        Score(
            user=line["user"],
            name=line["user__full_name"],
            walks=line["walks"],
            alone=line["alone"],
            problems=found.get(line["user"], none)["problems"],
            suggestions=found.get(line["user"], none)["suggestions"],
            last=line["last"],
        )
        for line in walks
    ]
    return sorted(scores, key=lambda one: (-one.points, -one.suggestions, one.last))
