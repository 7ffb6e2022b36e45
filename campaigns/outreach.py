"""Outreach: a list made once, steps taken once each, stopped by what the customer does.

Sources: R-CAM-14, 15, 39, 52; anchors.md 2.7: one claim for each (campaign, step,
customer), re-entry said openly, consent and caps at the last gate.
"""

from datetime import timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import Max, QuerySet
from django.http import Http404
from django.utils.timezone import now
from django.utils.translation import gettext as _

from campaigns import figures, seasons
from campaigns.models import (
    Campaign,
    Contact,
    OutreachStep,
    Season,
    SeasonMember,
    StepVariant,
)
from crm.access.capabilities import may, require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.services import enqueue
from customers.listing import selection
from customers.models import (
    Customer,
    SavedView,
)

State = Campaign.State
GATHERED = 100_000  # customers' ids a step of the list's making looks at


def locked(campaign: Campaign, *states: str) -> Campaign:
    """The campaign's row, locked, its season open. Refused("campaign.state")."""
    rows = Campaign.objects.select_for_update(of=("self",))
    row = rows.select_related("season__office", "office", "made_by").get(pk=campaign.pk)
    if not row.season.is_open:
        raise Refused("season.closed", _("This season is closed."))
    if states and row.state not in states:
        raise Refused("campaign.state", _("The campaign has moved on meanwhile."))
    return row


@transaction.atomic
def keep(campaign: Campaign, *, by: User) -> Campaign:
    """Save a campaign that has not begun. Refused("campaign.office"), ("campaign.state")."""
    season = seasons.locked(campaign.season)
    require(by, "campaign.plan", campaign.office)
    if not campaign.office.path.startswith(season.office.path):
        message = _("This office does not belong to the season.")
        raise Refused("campaign.office", message)
    if campaign.pk:
        locked(campaign, State.DRAFT)
    for view in (campaign.view, campaign.without):
        if view and not may(by, "customer.view", campaign.office):
            message = _("A saved view lists customers, which you do not see yourself.")
            raise Refused("campaign.view", message)
        if view:
            _selected(by, view)
    campaign.made_by = by
    campaign.save()
    audit.record(by, "campaign.kept", campaign, office=campaign.office)
    return campaign


@transaction.atomic
def keep_step(step: OutreachStep, *, by: User) -> OutreachStep:
    """Save a step; a new one comes last."""
    row = locked(step.campaign, State.DRAFT)
    require(by, "campaign.plan", row.office)
    if step.position is None:
        last = row.steps.aggregate(n=Max("position"))["n"] or 0
        step.position = last + 1
    step.save()
    audit.record(by, "campaign.step", row, office=row.office)
    return step


@transaction.atomic
def keep_variant(variant: StepVariant, *, by: User) -> StepVariant:
    """What a group of customers is told instead. Refused("variant.twice")."""
    row = locked(variant.step.campaign, State.DRAFT)
    require(by, "campaign.plan", row.office)
    if variant.step.variants.filter(segment=variant.segment).exists():
        message = _("This group has its own words already.")
        raise Refused("variant.twice", message)
    variant.save()
    audit.record(by, "campaign.variant", row, office=row.office)
    return variant


@transaction.atomic
def drop_step(step: OutreachStep, *, by: User) -> None:
    """Take a step out; those behind it move up."""
    row = locked(step.campaign, State.DRAFT)
    require(by, "campaign.plan", row.office)
    step.delete()
    for position, later in enumerate(row.steps.order_by("position"), start=1):
        if later.position != position:
            later.position = position
            later.save(update_fields=["position"])
    audit.record(by, "campaign.step_dropped", row, office=row.office)


# --- whom --------------------------------------------------------------------------------------


def _selected(by: User, view: SavedView) -> QuerySet[Customer]:
    """What a saved view names for `by`. Refused("campaign.view") for one that is wrong by
    now."""
    try:
        return selection(by, view.query)
    except Http404 as error:
        message = _("The saved view “%(name)s” names an office that is not yours.")
        raise Refused("campaign.view", message % {"name": view.name}) from error


def chosen(campaign: Campaign) -> QuerySet[Customer]:
    """The customers that a campaign's words name, among those that its maker may choose
    from: planners from all of the office, others from what they see."""
    by = campaign.made_by
    rows: QuerySet[Customer]
    if by is None:
        return Customer.objects.none()
    everybody = Customer.objects.filter(merged_into=None, erased_at=None)
    everybody = everybody.filter(office__path__startswith=campaign.office.path)
    season = campaign.season
    if campaign.whom == Campaign.Whom.VIEW:
        seen = _selected(by, campaign.view) if campaign.view else everybody.none()
        inside = {"office__path__startswith": campaign.office.path}
        rows = seen.filter(merged_into=None, erased_at=None, **inside)
    elif campaign.whom == Campaign.Whom.PROSPECTS:
        led = SeasonMember.objects.filter(season=season, event__isnull=False)
        rows = everybody.filter(pk__in=led.values("customer"))
    else:
        rows = figures.group_of(everybody, campaign.whom, season)
    if campaign.without:
        out = _selected(by, campaign.without).order_by().values("pk")
        rows = rows.exclude(pk__in=out)
    return rows


@transaction.atomic
def start(campaign: Campaign, *, by: User) -> Campaign:
    """Start a campaign: a worker makes its list, then takes the steps.

    Refused("season.draft") before the season is issued, ("campaign.steps") without one.
    """
    row = locked(campaign, State.DRAFT)
    require(by, "campaign.plan", row.office)
    if row.season.state != Season.State.ISSUED:
        message = _("The season is not issued yet: nobody is written to before.")
        raise Refused("season.draft", message)
    if not row.steps.exists():
        raise Refused("campaign.steps", _("Give it at least one step."))
    row.state, row.started_at = State.GATHERING, now()
    row.save(update_fields=["state", "started_at"])
    enqueue("campaigns.gather", {"campaign": row.pk}, by=by, key=f"gather:{row.pk}")
    audit.record(by, "campaign.started", row, office=row.office)
    return row


@transaction.atomic
def pause(campaign: Campaign, *, by: User) -> Campaign:
    """Take no further step until it is resumed; what is handed over goes out."""
    row = locked(campaign, State.RUNNING)
    require(by, "campaign.plan", row.office)
    row.state = State.PAUSED
    row.save(update_fields=["state"])
    audit.record(by, "campaign.paused", row, office=row.office)
    return row


@transaction.atomic
def resume(campaign: Campaign, *, by: User) -> Campaign:
    """Go on. A campaign that has ended takes in who may come in again."""
    row = locked(campaign, State.PAUSED, State.DONE)
    require(by, "campaign.plan", row.office)
    if row.state == State.DONE:
        if row.again_days is None:
            message = _("Nobody comes into this campaign twice.")
            raise Refused("campaign.again", message)
        row.state = State.GATHERING
        enqueue("campaigns.gather", {"campaign": row.pk}, by=by)
    else:
        row.state = State.RUNNING
        enqueue("campaigns.outreach")
    row.save(update_fields=["state"])
    audit.record(by, "campaign.resumed", row, office=row.office)
    return row


# One statement for a range of customers; nobody comes in a second time.
GATHER = """
INSERT INTO campaigns_contact (campaign_id, customer_id, entry, state, stopped_by, position,
    due_at, answer, entered_at)
SELECT %s, q.pk, ENTRY, 'active', '', 1, %s, '', %s FROM (CHOSEN) q WHERE ALLOWED
ON CONFLICT (campaign_id, customer_id, entry) DO NOTHING"""
# Where a campaign allows it: again, once the sequence ended long enough ago.
ENTRY = """coalesce((SELECT max(x.entry) + 1 FROM campaigns_contact x
                   WHERE x.campaign_id = %s AND x.customer_id = q.pk), 1)"""
ALLOWED = """NOT EXISTS (SELECT 1 FROM campaigns_contact x
    WHERE x.campaign_id = %s AND x.customer_id = q.pk
      AND (x.ended_at IS NULL OR x.ended_at > %s))"""


def gather_step(job: Job) -> bool:
    """Job: make a campaign's list, a range of customers a step. Again adds nobody twice."""
    campaign = Campaign.objects.select_related(
        "season__previous", "office", "made_by"
    ).get(pk=job.params["campaign"])
    last = Customer.objects.aggregate(n=Max("pk"))["n"] or 0
    place = job.cursor.get("after", 0)
    if place >= last or campaign.state != State.GATHERING:
        Campaign.objects.filter(pk=campaign.pk, state=State.GATHERING).update(
            state=State.RUNNING,
            size=Contact.objects.filter(campaign=campaign).count(),
        )
        enqueue("campaigns.outreach")
        return True
    gather(campaign, place, place + GATHERED)
    job.cursor = {"after": place + GATHERED}
    job.total_units, job.done_units = last, min(place + GATHERED, last)
    return False


def gather(campaign: Campaign, after: int, until: int) -> int:
    """Take in the chosen customers of a range of ids; how many. One statement."""
    rows = chosen(campaign).filter(pk__gt=after, pk__lte=until).order_by()
    try:
        sql, params = rows.values("pk").query.sql_with_params()
    except EmptyResultSet:  # a view that was dropped, a maker who left
        return 0
    at = now()
    statement = GATHER.replace("CHOSEN", sql)
    if campaign.again_days is None:
        statement = statement.replace("ENTRY", "1").replace("ALLOWED", "true")
        values: list[Any] = [campaign.pk, at, at, *params]
    else:
        again = at - timedelta(days=campaign.again_days)
        statement = statement.replace("ENTRY", ENTRY).replace("ALLOWED", ALLOWED)
        values = [campaign.pk, campaign.pk, at, at, *params, campaign.pk, again]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.rowcount
