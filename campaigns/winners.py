"""Winning cards: recipients and senders told, prizes claimed or missed, reminders.

Sources: R-CAM-23…27, R-CAM-31.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from campaigns import files
from campaigns.models import (
    CardOrder,
    PrintFile,
    PrizeCard,
    PrizeDraw,
    Season,
    Win,
)
from campaigns.models.seasons import of_customers
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.notify.services import tell
from delivery.quality.rates import Share

REMIND = gettext_noop("Prizes of your customers' cards wait to be claimed")
LAST_REMINDERS = (14, 3)  # days before the end; and at half time


@transaction.atomic
def told(wins: QuerySet[Win], *, by: User, whom: str, way: str) -> int:
    """Write down that recipients or customers of these wins were told today, once; how
    many."""
    rows = list(wins.select_for_update(of=("self",)).select_related("customer__office"))
    field, way_field = f"{whom}_told", f"{whom}_way"
    fresh = [row for row in rows if getattr(row, field) is None]
    for row in fresh:
        require(by, "win.note", row.customer.office)
        setattr(row, field, localdate())
        setattr(row, way_field, way)
        row.noted_by = by
    Win.objects.bulk_update(fresh, [field, way_field, "noted_by"], batch_size=1000)
    for customer in {row.customer for row in fresh}:
        audit.record(
            by,
            f"win.{whom}_told",
            customer,
            office=customer.office,
            details={"way": way},
        )
    return len(fresh)


def told_by(user: User) -> QuerySet[Win]:
    """The wins whose people `user` may tell: of the own customers, or of the offices that a
    supervisor answers for."""
    return Win.objects.filter(of_customers(user, "supervisor"))


@transaction.atomic
def inform(
    season: Season, wins: QuerySet[Win], *, by: User, whom: str, way: str
) -> int:
    """Tell those of these wins whom nobody has told: by a letter that a worker makes, or
    noted as called; how many. A recipient who is not known any more gets no letter."""
    fresh = wins.filter(**{f"{whom}_told": None})
    if whom == "recipient":
        fresh = fresh.filter(card__recipient__isnull=False)
    ids = list(fresh.values_list("pk", flat=True))
    number = told(Win.objects.filter(pk__in=ids), by=by, whom=whom, way=way)
    if number and way == Win.Way.LETTER:
        params = {"wins": ids, "whom": whom}
        files.ask(season, PrintFile.Kind.NOTICES, params, by=by)
    return number


@transaction.atomic
def claim(win: Win, *, by: User, on: date) -> Win:
    """Write down that a prize was handed out. Refused("win.days") outside its days. Twice
    is once."""
    rows = Win.objects.select_for_update(of=("self",)).select_related(
        "level__draw", "customer__office"
    )
    row = rows.get(pk=win.pk)
    require(by, "win.note", row.customer.office)
    draw = row.level.draw
    if not draw.redeem_from <= on <= draw.redeem_until or on > localdate():
        raise Refused("win.days", _("Prizes are not handed out on this day."))
    if row.claimed_on is None:
        row.claimed_on, row.noted_by = on, by
        row.save(update_fields=["claimed_on", "noted_by"])
        audit.record(by, "win.claimed", row, office=row.customer.office)
    return row


@dataclass(frozen=True)
class PrizeFigures:
    """What became of a draw: shares of its wins."""

    wins: int
    recipients: Share
    customers: Share
    claimed: Share
    missed: Share
    again: Share
    untold_again: Share


def figures(
    wins: QuerySet[Win], season: Season, today: date | None = None
) -> PrizeFigures:
    """Told, claimed and missed, of these wins; and whether customers who were told ordered
    again in the season after (R-CAM-31), against those who were not. Five queries."""
    rows = wins.order_by()
    sums: dict[str, Any] = rows.aggregate(
        n=Count("pk"),
        recipients=Count("pk", filter=Q(recipient_told__isnull=False)),
        customers=Count("pk", filter=Q(customer_told__isnull=False)),
        claimed=Count("pk", filter=Q(claimed_on__isnull=False)),
    )
    n = sums["n"]
    draw = PrizeDraw.objects.filter(season=season).first()
    is_over = draw is not None and draw.redeem_until < (today or localdate())
    later = CardOrder.objects.valid().filter(
        season__previous=season, customer=OuterRef("customer")
    )
    people = rows.values("customer").annotate(
        told=Count("pk", filter=Q(customer_told__isnull=False)), again=Exists(later)
    )
    told_again, untold_again = [0, 0], [0, 0]
    for one in people:
        side = told_again if one["told"] else untold_again
        side[0] += bool(one["again"])
        side[1] += 1
    return PrizeFigures(
        n,
        Share(sums["recipients"], n),
        Share(sums["customers"], n),
        Share(sums["claimed"], n),
        Share(n - sums["claimed"] if is_over else 0, n),
        Share(*told_again),
        Share(*untold_again),
    )


def reminder_days(draw: PrizeDraw) -> set[date]:
    """Half time, and 14 and 3 days before the end."""
    half = draw.redeem_from + (draw.redeem_until - draw.redeem_from) / 2
    last = {draw.redeem_until - timedelta(days=days) for days in LAST_REMINDERS}
    return {half, *last}


def remind_step(job: Job) -> bool:
    """Job, each morning: on the days of reminders each manager is told of the prizes of
    their customers' cards that nobody has claimed."""
    today = localdate()
    for draw in PrizeDraw.objects.filter(
        matched_at__isnull=False, redeem_from__lte=today, redeem_until__gte=today
    ).select_related("season"):
        if today not in reminder_days(draw):
            continue
        open_ = Win.objects.filter(level__draw=draw, claimed_on=None)
        counts = (
            open_.filter(customer__manager__isnull=False)
            .order_by()
            .values_list("customer__manager")
            .annotate(n=Count("pk"))
        )
        people = User.objects.in_bulk([pk for pk, _n in counts])
        for pk, number in counts:
            tell(
                people[pk],
                "season",
                subject=REMIND,
                body=f"{draw.season.name} · {number}",
                url=f"{draw.season.get_absolute_url()}draw/wins/?which=open",
                key=f"prizes:{draw.pk}:{today}:{pk}",
            )
    return True


def wins_of(season: Season, user: User | None) -> QuerySet[Win]:
    """The wins of a season that `user` sees, with what a list shows of each."""
    rows = Win.objects.visible_to(user) if user else Win.objects.none()
    return (
        rows.filter(level__draw__season=season)
        .select_related(
            "card__recipient", "card__run__order", "level__draw", "customer__office"
        )
        .annotate(rank=F("level__rank"))
    )


def note_phone_list(season: Season, wins: Iterable[Win], *, by: User) -> None:
    """A list with names and numbers left the house: the trail says who took it, and who is
    in it."""
    rows = list(wins)
    details = {
        "found": sorted({row.customer_id for row in rows}),
        "recipients": sorted(
            {row.card.recipient_id for row in rows if row.card.recipient_id}
        ),
    }
    audit.record(by, "win.phone_list", season, office=season.office, details=details)


def cards_of(season: Season) -> int:
    """How many of the season's cards are known by their codes: retail cards are not."""
    return PrizeCard.objects.filter(season=season).count()
