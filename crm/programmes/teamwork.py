"""What the people of a team have in hand: their customers, alerts, visits, calls, inspections.

Sources: R-ORG-19, 21, 25, 26, 41, 42, 43.
"""

from datetime import timedelta
from typing import Any

from django.db.models import Count, Max, QuerySet
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm.teams.models import Member, Team
from customers.models import Alert, Customer, KeyMonth, Opportunity
from delivery.models import Inspection, SurveyMember, SurveyRound, Visit

CALLS_DAYS, INSPECTIONS_DAYS = 30, 365
Kind = Team.Kind
CARE = (Kind.KEY_ACCOUNT, Kind.RELATIONS, Kind.EXPANSION)
LOOK = (Kind.INSPECTION, Kind.SUPERVISION)


def work_of(team: Team, members: list[Member]) -> tuple[list[str], list[list[Any]]]:
    """The heads of a table and a row for each member: their number of each, at and below
    the team's office. One query for each column; no columns for teams whose work is not
    kept here."""
    columns = _columns(team)
    people = [member.user_id for member in members]
    counts = [
        dict(
            rows.filter(
                **{
                    f"{whose}__in": people,
                    f"{office}__path__startswith": team.office.path,
                }
            )
            .order_by()
            .values_list(whose)
            .annotate(n=Count("pk"))
        )
        for _head, rows, whose, office in columns
    ]
    return (
        [column[0] for column in columns],
        [[found.get(pk, 0) for found in counts] for pk in people],
    )


Column = tuple[str, QuerySet[Any], str, str]


def _columns(team: Team) -> list[Column]:
    """Head, rows, the key that names whose each is, and the one of its office."""
    # SECURITY: numbers only, of the team's offices, to who keeps the team or is in it.
    if team.kind in CARE:
        return _care(team)
    today = localdate()
    if team.kind == Kind.FOLLOW_UP:
        since = today - timedelta(days=CALLS_DAYS)
        heard = SurveyMember.objects.filter(
            round__way=SurveyRound.Way.PHONE,
            round__closes_on__gte=since,
            state=SurveyMember.State.ANSWERED,
        )
        head = _("Customers heard, rounds of 30 days")
        return [(head, heard, "taken_by", "office")]
    if team.kind in LOOK:
        rows = Inspection.objects.all()
        done = rows.filter(
            state=Inspection.State.DONE,
            planned_on__gte=today - timedelta(days=INSPECTIONS_DAYS),
        )
        planned = rows.filter(state=Inspection.State.PLANNED)
        return [
            (_("Inspections to do"), planned, "inspector", "office"),
            (_("Inspections done in a year"), done, "inspector", "office"),
        ]
    return []


def _care(team: Team) -> list[Column]:
    month = KeyMonth.objects.aggregate(last=Max("month"))["last"]
    mine = Customer.objects.filter(merged_into=None, erased_at=None)
    live = Alert.objects.exclude(state=Alert.State.CLOSED)
    open_visits = Visit.objects.filter(state=Visit.State.OPEN)
    found: list[Column] = [
        (_("Customers"), mine, "manager", "office"),
        (
            _("Key customers"),
            KeyMonth.objects.filter(month=month),
            "customer__manager",
            "customer__office",
        ),
        (_("Alerts to answer"), live, "owner", "customer__office"),
        (_("Visits to do"), open_visits, "visitor", "office"),
    ]
    if team.kind == Kind.EXPANSION:
        chances = Opportunity.objects.exclude(stage__in=["won", "lost"])
        found.append((_("Open opportunities"), chances, "owner", "customer__office"))
    return found
