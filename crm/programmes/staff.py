"""Contests and training on their way: everybody below is to take part; who did is noted.

Sources: R-ORG-32, 33, 40, 46.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Avg, Count, Exists, OuterRef, Q
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from complaints.models import QualityCheck
from crm.access.capabilities import require
from crm.access.models import Posting, User
from crm.audit import services as audit
from crm.errors import Refused
from crm.notify.services import tell
from crm.programmes.models import Award, StaffEvent, TakingPart

INVITED = gettext_noop("You are to take part")


@transaction.atomic
def announce(event: StaffEvent, *, by: User, roles: list[str]) -> StaffEvent:
    """A contest or training: everybody posted below (in `roles`, if any) is to take part
    and told so. Refused("event.nobody") when that is nobody."""
    require(by, "staff.manage", event.office)
    event.made_by = by
    event.save()
    if not invite(event, roles):
        raise Refused("event.nobody", _("Nobody here has these posts."))
    audit.record(by, "staff.announced", event, office=event.office)
    return event


def invite(event: StaffEvent, roles: list[str]) -> int:
    """Ask who is not asked yet; how many. Cost: two queries and a message each."""
    known = TakingPart.objects.filter(event=event, user=OuterRef("user"))
    posted = Posting.objects.in_force(localdate()).filter(
        office__path__startswith=event.office.path, user__is_active=True
    )
    if roles:
        posted = posted.filter(role__in=roles)
    rows: dict[int, TakingPart] = {}
    for posting in posted.exclude(Exists(known)).select_related("user"):
        row = TakingPart(event=event, user=posting.user, office_id=posting.office_id)
        rows.setdefault(posting.user_id, row)
    TakingPart.objects.bulk_create(rows.values(), ignore_conflicts=True)
    for row in rows.values():
        tell(
            row.user,
            "programme",
            subject=INVITED,
            body=f"{event.held_on} {event.title}",
            url=event.get_absolute_url(),
            key=f"event:{event.pk}:{row.user_id}",
        )
    return len(rows)


@transaction.atomic
def note(
    event: StaffEvent, *, by: User, lines: Mapping[int, tuple[bool, Decimal | None]]
) -> int:
    """Who took part (part's id → whether, and the score of who did); how many were noted.
    Refused("event.early") before its day, ("event.score") for a score of who was not
    there."""
    if event.held_on > localdate():
        raise Refused("event.early", _("Its day has not come."))
    rows = TakingPart.objects.select_for_update(of=("self",)).filter(
        event=event, pk__in=lines
    )
    changed = []
    for row in rows.select_related("office"):
        require(by, "staff.manage", row.office)
        row.took_part, row.score = lines[row.pk]
        if row.score is not None and not row.took_part:
            raise Refused("event.score", _("Who was not there has no score."))
        changed.append(row)
    TakingPart.objects.bulk_update(changed, ["took_part", "score"])
    audit.record(by, "staff.noted", event, office=event.office)
    return len(changed)


@transaction.atomic
def give(award: Award, *, by: User) -> Award:
    """An award. Refused("award.person") for somebody who is not posted there,
    ("award.again") for one that is given already."""
    require(by, "staff.manage", award.office)
    if award.user:
        here = Posting.objects.in_force(localdate()).filter(
            user=award.user, office__path__startswith=award.office.path
        )
        if not here.exists():
            raise Refused("award.person", _("This person is not posted there."))
    same = Award.objects.filter(
        office=award.office, kind=award.kind, year=award.year, user=award.user
    )
    if same.exists():
        raise Refused("award.again", _("This award is given already."))
    award.given_by = by
    award.save()
    audit.record(by, "staff.awarded", award, office=award.office)
    return award


def record_of(user: User) -> dict[str, Any]:
    """What somebody has taken part in, the mean score of each skill, and that of the quality
    checks of a year. Three queries."""
    done = TakingPart.objects.filter(user=user, took_part=True)
    training = done.filter(event__kind=StaffEvent.Kind.TRAINING)
    skills = (
        training.exclude(event__skill="")
        .order_by()
        .values_list("event__skill")
        .annotate(mean=Avg("score"), times=Count("pk"))
    )
    labels = dict(StaffEvent.Skill.choices)
    return {
        "parts": TakingPart.objects.filter(user=user)
        .select_related("event")
        .order_by("-event__held_on")[:20],
        "skills": [(labels[skill], mean, times) for skill, mean, times in skills],
        "checks": QualityCheck.objects.filter(
            agent=user, score__isnull=False, checked_at__gte=now() - timedelta(365)
        ).aggregate(mean=Avg("score"), times=Count("pk")),
    }


def summary(event: StaffEvent, parts: Any) -> dict[str, int]:
    """Of the parts that one sees: how many are asked, took part, are not noted."""
    return parts.order_by().aggregate(
        asked=Count("pk"),
        there=Count("pk", filter=Q(took_part=True)),
        waiting=Count("pk", filter=Q(took_part=None)),
    )
