"""Who waits for a follow-up call, and whose calls they are.

Source: R-ORG-26.
"""

from datetime import date

from django.db.models import Q, QuerySet

from crm.access.models import User
from crm.teams.services import reach_of, teams_of
from delivery.models import SurveyMember, SurveyRound

CALLERS = ("agent", "supervisor")  # who sees the members of a round


def to_call(user: User, today: date) -> QuerySet[SurveyMember]:
    """Who in one's offices waits for a call of a round that is open, or opens yet."""
    return (
        SurveyMember.objects.visible_to(user)
        .waiting()
        .filter(
            round__way=SurveyRound.Way.PHONE,
            round__closes_on__gte=today,
            round__ended_at=None,
        )
    )


def free_to_call(user: User, today: date) -> QuerySet[SurveyMember]:
    """Those of `to_call` that are not reserved to a team of others."""
    return to_call(user, today).exclude(reserved(user, today))


def reserved(user: User, today: date) -> Q:
    """Calls that somebody of the round's team can make, where `user` is not in it. What
    none of its people reaches is anybody's. Three queries at most."""
    rounds = SurveyRound.objects.filter(
        way=SurveyRound.Way.PHONE,
        closes_on__gte=today,
        ended_at=None,
        team__isnull=False,
    ).exclude(team__in=teams_of(user))
    teams = dict(rounds.values_list("pk", "team"))
    kept = Q(pk__in=[])
    if not teams:
        return kept
    reach = reach_of(set(teams.values()), *CALLERS)
    for pk, team in teams.items():
        for path in reach.get(team, ()):
            kept |= Q(round=pk, office__path__startswith=path)
    return kept
