"""The draw: numbers entered by two people, cards matched in one statement, notices, claims.

Sources: domain.md 4.4, R-CAM-23…27, R-CAM-31. A number is text: its zeros in front count.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from campaigns import seasons
from campaigns.models import (
    CardOrder,
    PrizeCard,
    PrizeDraw,
    PrizeLevel,
    Season,
    Win,
    WinningNumber,
)
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.notify.services import tell
from crm.text import ascii_digits
from delivery.quality.rates import Share

Mode = PrizeLevel.Mode
REMIND = gettext_noop("Prizes of your customers' cards wait to be claimed")
MOST_NUMBERS = 200  # of one level
LAST_REMINDERS = (14, 3)  # days before the end; and at half time


def locked(season: Season) -> PrizeDraw:
    """The season's draw, locked, with its season. Refused("draw.none")."""
    row = (
        PrizeDraw.objects.select_for_update(of=("self",)).filter(season=season).first()
    )
    if row is None:
        raise Refused("draw.none", _("There is no draw yet."))
    return row


@transaction.atomic
def keep(draw: PrizeDraw, *, by: User) -> PrizeDraw:
    """Save the draw's days, place and source."""
    season = seasons.locked(draw.season)
    require(by, "draw.enter", season.office)
    draw.save()
    audit.record(by, "draw.kept", draw, office=season.office)
    return draw


@transaction.atomic
def keep_level(level: PrizeLevel, *, by: User) -> PrizeLevel:
    """Save a level; its numbers, if their length no longer fits, are to be entered anew.

    Refused("level.digits") for more digits than a code of this season has.
    """
    season = seasons.locked(level.draw.season)
    require(by, "draw.enter", season.office)
    if level.digits > season.prize_digits:
        message = _("A prize code of this season has %(n)s digits.")
        raise Refused("level.digits", message % {"n": season.prize_digits})
    if level.mode != Mode.SUFFIX and level.digits != season.prize_digits:
        message = _("A whole number has %(n)s digits in this season.")
        raise Refused("level.digits", message % {"n": season.prize_digits})
    if level.draw.matched_at:
        message = _("Cards were matched already: the levels stay as they are.")
        raise Refused("draw.matched", message)
    if level.pk:
        level.numbers.all().delete()
    level.entered_by = level.confirmed_by = None
    level.save()
    audit.record(by, "draw.level", level, office=season.office)
    return level


def parse(level: PrizeLevel, written: str) -> list[tuple[str, str]]:
    """(group, number) of each line, sorted. Refused("numbers.…"), naming the line.

    A line is a number, or group and number with a space between where the level wants it.
    """
    found: list[tuple[str, str]] = []
    for line in (
        ascii_digits(written).replace(",", "\n").replace("，", "\n").splitlines()
    ):
        parts = line.upper().split()
        if not parts:
            continue
        *groups, value = parts
        group = groups[0] if groups else ""
        _check_line(level, line.strip(), groups, value)
        if (group, value) in found:
            message = _("“%(line)s” stands there twice.") % {"line": line.strip()}
            raise Refused("numbers.twice", message)
        found.append((group, value))
    if not found:
        raise Refused("numbers.none", _("Write at least one number."))
    if len(found) > MOST_NUMBERS:
        message = _("At most %(n)s numbers.") % {"n": MOST_NUMBERS}
        raise Refused("numbers.many", message)
    return sorted(found)


def _check_line(level: PrizeLevel, line: str, groups: list[str], value: str) -> None:
    wants_group = level.mode == Mode.GROUP
    if len(groups) != int(wants_group):
        words = (
            _("“%(line)s”: write the group, a space, and the number.")
            if wants_group
            else _("“%(line)s”: one number a line.")
        )
        raise Refused("numbers.form", words % {"line": line})
    if not (value.isascii() and value.isdigit()):
        words = _("“%(line)s” is no number of digits.")
        raise Refused("numbers.form", words % {"line": line})
    if len(value) != level.digits:
        words = _("“%(line)s” has %(n)s digits; this level wants %(want)s.")
        values = {"line": line, "n": len(value), "want": level.digits}
        raise Refused("numbers.length", words % values)


@transaction.atomic
def enter(level: PrizeLevel, *, by: User, written: str) -> PrizeLevel:
    """Enter the numbers of a level, or, as another person, enter them again to confirm.

    Refused("numbers.differ") when the second entry is not the first, with the differences;
    ("draw.matched") once cards were matched. Who entered may write anew until somebody
    has confirmed.
    """
    season = seasons.locked(level.draw.season)
    require(by, "draw.enter", season.office)
    draw = locked(season)
    if draw.matched_at:
        raise Refused("draw.matched", _("Cards were matched by these numbers already."))
    row = PrizeLevel.objects.select_for_update().get(pk=level.pk)
    found = parse(row, written)
    is_first = row.entered_by_id in (None, by.pk)
    if is_first:
        row.numbers.all().delete()
        WinningNumber.objects.bulk_create(
            WinningNumber(level=row, group_code=group, value=value)
            for group, value in found
        )
        row.entered_by, row.confirmed_by = by, None
    else:
        known = sorted(row.numbers.values_list("group_code", "value"))
        if known != found:
            odd = sorted(set(known) ^ set(found))
            said = ", ".join(f"{group} {value}".strip() for group, value in odd[:10])
            message = _("The two entries differ at: %(odd)s.") % {"odd": said}
            raise Refused("numbers.differ", message)
        row.confirmed_by = by
    row.save()
    action = "draw.entered" if is_first else "draw.confirmed"
    details = {"level": row.rank, "numbers": [list(pair) for pair in found]}
    audit.record(by, action, draw, office=season.office, details=details)
    return row


# --- matching --------------------------------------------------------------------------------

# Each level's numbers against the last digits of every card: one hash join a length. A card
# wins its highest level, unless the draw lets it win several.
PART = """SELECT c.id AS card_id, n.level_id, {rank} AS rank, c.run_id
FROM campaigns_prizecard c JOIN campaigns_winningnumber n
  ON n.level_id = {level} AND n.value = {tail}{group}
WHERE c.season_id = %(season)s"""
MATCH = """
INSERT INTO campaigns_win (card_id, level_id, customer_id, recipient_way, customer_way)
SELECT w.card_id, w.level_id, o.customer_id, '', ''
FROM (SELECT {distinct} card_id, level_id, run_id FROM ({parts}) m
      ORDER BY card_id, rank) w
JOIN campaigns_printrun r ON r.id = w.run_id
JOIN campaigns_cardorder o ON o.id = r.order_id
ON CONFLICT (card_id, level_id) DO NOTHING"""


@transaction.atomic
def match(season: Season, *, by: User | None) -> int:
    """Find the season's winning cards; how many. Again finds nobody twice.

    Refused("draw.levels") without a level, ("draw.unconfirmed") while a level's numbers
    were entered by one person only. Cost: one statement, a scan of the cards for each
    level.
    """
    row = seasons.locked(season)
    require(by, "draw.enter", row.office)
    draw = locked(row)
    levels = list(draw.levels.all())
    if not levels:
        raise Refused("draw.levels", _("The draw has no level yet."))
    open_ = [level.name for level in levels if level.confirmed_by_id is None]
    if open_:
        message = _("Not confirmed by a second person: %(names)s.")
        raise Refused("draw.unconfirmed", message % {"names": ", ".join(open_)})
    with connection.cursor() as cursor:
        cursor.execute(_statement(draw, levels), {"season": row.pk})
        number = cursor.rowcount
    draw.matched_at = now()
    draw.save(update_fields=["matched_at"])
    audit.record(by, "draw.matched", draw, office=row.office, details={"n": number})
    return number


def _statement(draw: PrizeDraw, levels: list[PrizeLevel]) -> str:
    """The matching of all levels. Only our own numbers go into the text."""
    parts = []
    for level in levels:
        is_tail = level.mode == Mode.SUFFIX
        parts.append(
            PART.format(
                rank=int(level.rank),
                level=int(level.pk),
                tail=f"right(c.number, {int(level.digits)})" if is_tail else "c.number",
                group=" AND n.group_code = c.group_code"
                if level.mode == Mode.GROUP
                else "",
            )
        )
    distinct = "" if draw.allows_several else "DISTINCT ON (card_id)"
    return MATCH.format(distinct=distinct, parts=" UNION ALL ".join(parts))


# --- told, claimed, missed --------------------------------------------------------------------


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


def note_phone_list(season: Season, *, by: User) -> None:
    """A list with names and numbers left the house: the trail says who took it."""
    audit.record(by, "win.phone_list", season, office=season.office)


def cards_of(season: Season) -> int:
    """How many of the season's cards are known by their codes: retail cards are not."""
    return PrizeCard.objects.filter(season=season).count()
