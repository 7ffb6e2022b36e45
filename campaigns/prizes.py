"""The draw: numbers entered by two people, cards matched in one statement.

Sources: domain.md 4.4, R-CAM-23…27, R-CAM-31. A number is text: its zeros in front count.
"""

import re

from django.db import connection, transaction
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _

from campaigns import seasons
from campaigns.models import (
    PrizeDraw,
    PrizeLevel,
    Season,
    WinningNumber,
)
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.text import ascii_digits

Mode = PrizeLevel.Mode
MOST_NUMBERS = 200  # of one level


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
    """Save the draw's days, place and source. Refused("draw.day") for another day of the
    draw once numbers were entered."""
    season = seasons.locked(draw.season)
    require(by, "draw.enter", season.office)
    if draw.pk:
        old = locked(season)
        draw.matched_at = old.matched_at  # another's matching stays
        is_begun = old.levels.filter(entered_by__isnull=False).exists()
        if is_begun and draw.drawn_on != old.drawn_on:
            message = _("Numbers were entered already: the day of the draw stays.")
            raise Refused("draw.day", message)
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
    draw = locked(season)
    if draw.matched_at:
        message = _("Cards were matched already: the levels stay as they are.")
        raise Refused("draw.matched", message)
    if draw.levels.filter(rank=level.rank).exclude(pk=level.pk).exists():
        raise Refused("level.rank", _("The draw has a level of this rank."))
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
    if groups and not re.fullmatch("[0-9A-Z]{1,10}", groups[0]):
        words = _("“%(line)s”: a group has up to ten digits or capital letters.")
        raise Refused("numbers.form", words % {"line": line})
    if not (value.isascii() and value.isdigit()):
        words = _("“%(line)s” is no number of digits.")
        raise Refused("numbers.form", words % {"line": line})
    if len(value) != level.digits:
        words = _("“%(line)s” has %(n)s digits; this level wants %(want)s.")
        values = {"line": line, "n": len(value), "want": level.digits}
        raise Refused("numbers.length", words % values)


def _check_day(draw: PrizeDraw) -> None:
    if localdate() < draw.drawn_on:
        message = _("The draw is on %(day)s: there are no numbers before.")
        raise Refused("draw.early", message % {"day": f"{draw.drawn_on:%Y-%m-%d}"})


@transaction.atomic
def enter(level: PrizeLevel, *, by: User, written: str) -> PrizeLevel:
    """Enter the numbers of a level, or, as another person, enter them again to confirm.

    Refused("numbers.differ") when the second entry is not the first, without saying where:
    the second person looks at the notice, not at the first one's work; ("draw.early")
    before the day of the draw, ("draw.matched") once cards were matched. Who entered may
    write anew until somebody has confirmed.
    """
    season = seasons.locked(level.draw.season)
    require(by, "draw.enter", season.office)
    draw = locked(season)
    if draw.matched_at:
        raise Refused("draw.matched", _("Cards were matched by these numbers already."))
    _check_day(draw)
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
            message = _(
                "This is not what the first person entered: compare the notice."
            )
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

    Refused("draw.levels") without a level, ("draw.early") before its day,
    ("draw.unconfirmed") while a level's numbers were entered by one person only. Cost: one
    statement, a scan of the cards for each level.
    """
    row = seasons.locked(season)
    require(by, "draw.enter", row.office)
    draw = locked(row)
    _check_day(draw)
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
