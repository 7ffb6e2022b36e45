"""Card batches in figures and by hand: pieces returned, samples, addresses checked.

A share of a batch is of its pieces or of a sample; there is no item to follow.
"""

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from delivery.models import CardBatch, CardReturn, CardSample, Cause
from delivery.quality.rates import Share


@dataclass(frozen=True)
class CardFigures:
    """Shares of a set of batches."""

    batches: int
    pieces: int
    returned: Share
    by_cause: list[tuple[str, Share]]
    arrived: Share
    in_time: Share
    checked: Share
    faulty: Share
    saved_hours: Any


def figures(rows: QuerySet[CardBatch]) -> CardFigures:
    """Of these batches together. Three queries."""
    rows = rows.order_by()
    sums = rows.aggregate(
        pieces=Sum("pieces", default=0),
        checked=Sum("checked", default=0),
        faulty=Sum("faulty", default=0),
        hours=Sum("saved_hours", default=0),
    )
    pieces = sums["pieces"]
    came_back = CardReturn.objects.filter(batch__in=rows).order_by()
    by_cause = dict(
        came_back.values_list("cause")
        .annotate(n=Sum("pieces"))
        .values_list("cause", "n")
    )
    sampled = CardSample.objects.filter(batch__in=rows).aggregate(
        asked=Sum("asked", default=0),
        arrived=Sum("arrived", default=0),
        in_time=Sum("in_time", default=0),
    )
    return CardFigures(
        batches=rows.count(),
        pieces=pieces,
        returned=Share(sum(by_cause.values()), pieces),
        by_cause=[
            (str(Cause(cause).label), Share(by_cause[cause], pieces))
            for cause in Cause.values
            if cause in by_cause
        ],
        arrived=Share(sampled["arrived"], sampled["asked"]),
        in_time=Share(sampled["in_time"], sampled["asked"]),
        checked=Share(sums["checked"], pieces),
        faulty=Share(sums["faulty"], sums["checked"]),
        saved_hours=sums["hours"],
    )


@transaction.atomic
def keep(row: CardBatch, *, by: User) -> CardBatch:
    """Save a checked batch. Refused("batch.twice") for a number that the office has."""
    require(by, "batch.keep", row.office)
    row.made_by = by
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        message = _("The office has a batch of this number already.")
        raise Refused("batch.twice", message) from error
    audit.record(by, "batch.kept", row, office=row.office)
    return row


def _locked(batch: CardBatch) -> CardBatch:
    rows = CardBatch.objects.select_for_update(of=("self",)).select_related("office")
    return rows.get(pk=batch.pk)


@transaction.atomic
def came_back(batch: CardBatch, row: CardReturn, *, by: User) -> CardReturn:
    """Pieces that came back. Refused("batch.more") for more than were posted."""
    batch = _locked(batch)
    require(by, "batch.keep", batch.office)
    already = batch.returns.aggregate(n=Sum("pieces", default=0))["n"]
    if already + row.pieces > batch.pieces:
        message = _("More would have come back than were posted.")
        raise Refused("batch.more", message)
    row.batch, row.made_by = batch, by
    row.save()
    audit.record(by, "batch.came_back", batch, office=batch.office)
    return row


@transaction.atomic
def sampled(batch: CardBatch, row: CardSample, *, by: User) -> CardSample:
    """What sample calls or test cards of a batch told."""
    batch = _locked(batch)
    require(by, "batch.sample", batch.office)
    row.batch, row.made_by = batch, by
    row.save()
    audit.record(by, "batch.sampled", batch, office=batch.office)
    return row
