"""Teams: made, joined, left, ended; and which a house of this kind should have.

Sources: R-ORG-07, 19 to 21, 25, 26, 41, 42, 50.
"""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.capabilities import may, require
from crm.access.models import Posting, User
from crm.access.scoping import offices_of
from crm.audit import services as audit
from crm.errors import Refused
from crm.notify.services import tell
from crm.org.models import Office, paths_above
from crm.teams.models import Member, Team

JOINED = gettext_noop("You are in a team now")  # translated when it is read
Kind, Level = Team.Kind, Office.Level
# What each level is to have (R-ORG-19, 20, 21, 25, 26, 41, 42).
WANTED: tuple[tuple[Team.Kind, tuple[str, ...]], ...] = (
    (Kind.KEY_ACCOUNT, (Level.PROVINCE, Level.PREFECTURE)),
    (Kind.FOLLOW_UP, (Level.PROVINCE,)),
    (Kind.INSPECTION, (Level.PROVINCE,)),
    (Kind.SUPERVISION, (Level.PROVINCE,)),
    (Kind.RELATIONS, (Level.PROVINCE,)),
)


def eligible(team: Team) -> QuerySet[User]:
    """Who could join: posted at or below its office, or above it."""
    posted = Posting.objects.in_force(localdate()).filter(
        Q(office__path__startswith=team.office.path)
        | Q(office__path__in=paths_above(team.office.path))
    )
    return User.objects.filter(pk__in=posted.values("user"), is_active=True)


def reach_of(teams: set[int], *roles: str) -> dict[int, set[str]]:
    """The paths of the offices where people of each team are posted in these roles: what
    lies at or below them, the team reaches. Two queries."""
    members = Member.objects.active().filter(team__in=teams)
    people = list(members.values_list("team", "user"))
    posted = Posting.objects.in_force(localdate()).filter(
        role__in=roles, user__in={user for _team, user in people}, user__is_active=True
    )
    paths: dict[int, set[str]] = {}
    for user, path in posted.values_list("user", "office__path"):
        paths.setdefault(user, set()).add(path)
    found: dict[int, set[str]] = {}
    for team, user in people:
        found.setdefault(team, set()).update(paths.get(user, ()))
    return found


def teams_of(user: User) -> QuerySet[Team]:
    """The teams that somebody is in today."""
    rows = Member.objects.active().filter(user=user)
    return Team.objects.filter(pk__in=rows.values("team"))


def _locked(team: Team, by: User) -> Team:
    rows = Team.objects.select_for_update(of=("self",)).select_related("office")
    row = rows.get(pk=team.pk)
    require(by, "staff.manage", row.office)
    if row.ended_on:
        raise Refused("team.ended", _("This team has ended."))
    return row


def _kept(team: Team) -> None:
    try:
        with transaction.atomic():
            team.save()
    except IntegrityError as error:
        message = _("A team of this office has this name.")
        raise Refused("team.name", message) from error


@transaction.atomic
def make(team: Team, *, by: User) -> Team:
    """A new team of an office. Refused("team.name")."""
    require(by, "staff.manage", team.office)
    team.made_by = by
    _kept(team)
    audit.record(by, "team.made", team, office=team.office)
    return team


@transaction.atomic
def change(team: Team, *, by: User, seen: str, **facts: Any) -> Team:
    """Name, task and whether it is an entity. Refused: "team.ended", "team.name",
    "team.changed" where somebody else has changed it meanwhile."""
    row = _locked(team, by)
    if row.seen != seen:
        message = _("Somebody else has changed it meanwhile: look at it again.")
        raise Refused("team.changed", message)
    for name, value in facts.items():
        setattr(row, name, value)
    _kept(row)
    audit.record(by, "team.changed", row, office=row.office)
    return row


@transaction.atomic
def join(
    team: Team, *, by: User, user: User, duty: str = "", is_leader: bool = False
) -> Member:
    """Somebody joins today, and is told; a new leader takes over from the one before.
    Refused: "team.ended", "member.twice", "member.elsewhere"."""
    row = _locked(team, by)
    if not eligible(row).filter(pk=user.pk).exists():
        message = _("This person is posted elsewhere.")
        raise Refused("member.elsewhere", message)
    active = row.members.filter(until=None)
    if active.filter(user=user).exists():
        raise Refused("member.twice", _("This person is in the team already."))
    if is_leader:
        active.filter(is_leader=True).update(is_leader=False)
    made = row.members.create(
        user=user, duty=duty, is_leader=is_leader, since=localdate()
    )
    tell(
        user,
        "programme",
        subject=JOINED,
        body=row.name,
        url=row.get_absolute_url(),
        key=f"team:{made.pk}",
    )
    details = {"user": user.username, "leads": is_leader}
    audit.record(by, "team.joined", row, office=row.office, details=details)
    return made


def _member(row: Team, pk: int) -> Member:
    found = row.members.filter(pk=pk, until=None).select_related("user").first()
    if found is None:
        raise Refused("member.gone", _("This person is not in the team any more."))
    return found


@transaction.atomic
def lead(team: Team, member: int, *, by: User) -> None:
    """A member leads from now on. Refused: "team.ended", "member.gone"."""
    row = _locked(team, by)
    found = _member(row, member)
    row.members.filter(until=None, is_leader=True).update(is_leader=False)
    row.members.filter(pk=found.pk).update(is_leader=True)
    details = {"user": found.user.username}
    audit.record(by, "team.led", row, office=row.office, details=details)


@transaction.atomic
def leave(team: Team, member: int, *, by: User) -> None:
    """A member leaves today. Refused: "team.ended", "member.gone"."""
    row = _locked(team, by)
    found = _member(row, member)
    row.members.filter(pk=found.pk).update(until=localdate(), is_leader=False)
    details = {"user": found.user.username}
    audit.record(by, "team.left", row, office=row.office, details=details)


@transaction.atomic
def end(team: Team, *, by: User) -> None:
    """The team ends today, and with it everybody's part in it. Refused("team.ended")."""
    row = _locked(team, by)
    row.members.filter(until=None).update(until=localdate(), is_leader=False)
    row.ended_on = localdate()
    row.save()
    audit.record(by, "team.ended", row, office=row.office)


def missing(by: User) -> list[tuple[Team.Kind, list[Office]]]:
    """The kinds of teams that offices which one supervises are to have and lack, with these
    offices. A team without anybody in it does not count. One query a kind."""
    own = offices_of(by, "supervisor").filter(kind=Office.Kind.BUREAU)
    lacking = [
        (kind, own.filter(level__in=levels).exclude(_has(kind)))
        for kind, levels in WANTED
    ]
    lacking.append((Kind.BIU, own.filter(has_biu_team=True).exclude(_has(Kind.BIU))))
    found = [(kind, list(offices)) for kind, offices in lacking]
    return [(kind, offices) for kind, offices in found if offices]


def _has(kind: str) -> Exists:
    members = Member.objects.active().filter(team__kind=kind)
    return Exists(members.filter(team__office=OuterRef("pk")))


def may_keep(user: User, team: Team) -> bool:
    return team.ended_on is None and may(user, "staff.manage", team.office)
