"""Marketing events, and the organisations of the directory that they lead to.

Sources: R-CAM-12, 13, 15.
"""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from campaigns import seasons
from campaigns.models import CardOrder, MarketingEvent, Prospect, SeasonMember
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from customers.models import Organisation
from delivery.quality.rates import Share

State = Organisation.State


@transaction.atomic
def keep(event: MarketingEvent, *, by: User) -> MarketingEvent:
    """Save an event. Refused("event.office") outside the season's office."""
    season = seasons.locked(event.season)
    require(by, "season.plan", event.office)
    if not event.office.path.startswith(season.office.path):
        raise Refused("event.office", _("This office does not belong to the season."))
    event.made_by = event.made_by or by
    event.save()
    audit.record(by, "event.kept", event, office=event.office)
    return event


def found(event: MarketingEvent) -> QuerySet[Organisation]:
    """Organisations of the directory that fit an event and are not on its list yet: by
    industry, size and a word of the name; without the event's office they are none."""
    rows = Organisation.objects.filter(office__path__startswith=event.office.path)
    if event.industry:
        rows = rows.filter(industry=event.industry)
    if event.size:
        rows = rows.filter(size=event.size)
    if event.words:
        rows = rows.filter(name__contains=event.words)
    taken = Prospect.objects.filter(event=event, organisation=OuterRef("pk"))
    return rows.filter(~Exists(taken)).select_related("office").order_by("pinyin", "pk")


@transaction.atomic
def add(event: MarketingEvent, entries: Iterable[Organisation], *, by: User) -> int:
    """Put organisations on the event's list; who is a customer already joins the season's
    prospects. How many are new."""
    season = seasons.locked(event.season)
    require(by, "season.plan", event.office)
    rows = list(entries)
    before = event.prospects.count()
    Prospect.objects.bulk_create(
        [Prospect(event=event, organisation=row, added_by=by) for row in rows],
        ignore_conflicts=True,
    )
    join(event)
    number = event.prospects.count() - before
    details = {"n": number, "season": season.code}
    audit.record(by, "event.prospects", event, office=event.office, details=details)
    return number


def join(event: MarketingEvent) -> None:
    """Prospects that have become customers are members of the season, by this event."""
    known = event.prospects.filter(organisation__customer__isnull=False)
    for customer in known.values_list("organisation__customer", flat=True):
        member, made = SeasonMember.objects.get_or_create(
            season=event.season, customer_id=customer, defaults={"event": event}
        )
        if not made and member.event_id is None and not member.in_base:
            member.event = event
            member.save(update_fields=["event"])


def conversion(event: MarketingEvent) -> Share:
    """Prospects of an event that ordered in its season, of all of them (R-CAM-15). Two
    queries."""
    ordered = CardOrder.objects.valid().filter(
        season=event.season, customer=OuterRef("organisation__customer")
    )
    rows = event.prospects
    return Share(rows.filter(Exists(ordered)).count(), rows.count())
