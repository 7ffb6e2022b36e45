"""Scores by month: counted each night, and read as a league with the change of rank."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm.access.capabilities import require_everywhere
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.services import enqueue
from crm.org.models import Office
from customers.queries import add_months
from customers.seasons import month_span
from delivery.models import Band, Score, ScorePart, ScoreScheme
from delivery.quality.figures import NOTHING, Span, counts_by_office
from delivery.quality.rates import FEWEST, Counts
from delivery.quality.scoring import NOT_OF_COURIERS, scored

KEPT_MONTHS = 13  # counted anew each night: corrections come late
CHUNK = 500
COURIER = "courier"  # beside the levels of offices
COURIER_COUNTS = (
    *("items", "limited", "delivered", "on_time", "attempted", "first_attempt"),
    *("damaged", "by_operator", "returned", "plus_1", "plus_2", "plus_3"),
)
_RIPE = ", ".join(
    f"COALESCE(sum({name}) FILTER (WHERE ripe_on <= %(at)s), 0)"
    for name in COURIER_COUNTS
)
COURIERS = f"""
SELECT office_id, courier, {_RIPE},
       COALESCE(sum(items) FILTER (WHERE ripe_on > %(at)s), 0)
FROM delivery_couriertally WHERE day BETWEEN %(first)s AND %(last)s GROUP BY 1, 2"""
# Those with too few items to tell have no rank, and nobody's rank counts them.
_RANKED = """
SELECT s.id, s.office_id, s.courier, s.value, s.band, s.items, s.unripe,
       jsonb_path_query_array(s.lines, '$[*] ? (@.points != null).measure') AS parts,
       CASE WHEN s.items >= %(fewest)s THEN
           rank() OVER (PARTITION BY s.items >= %(fewest)s ORDER BY s.value DESC) END AS place
FROM delivery_score s JOIN org_office o ON o.id = s.office_id
WHERE s.month = {month} AND o.path LIKE %(path)s
  AND CASE WHEN %(level)s = 'courier' THEN s.courier <> ''
           ELSE s.courier = '' AND o.level = %(level)s END"""
LEAGUE = f"""
WITH now AS ({_RANKED.format(month="%(month)s")}),
     before AS ({_RANKED.format(month="%(before)s")})
SELECT n.office_id, n.courier, n.value, n.band, n.items, n.unripe, n.place,
       b.place, b.value, n.parts IS DISTINCT FROM b.parts AND b.value IS NOT NULL
FROM now n LEFT JOIN before b USING (office_id, courier)
ORDER BY n.place NULLS LAST, n.value DESC, n.office_id, n.courier
LIMIT %(rows)s OFFSET %(start)s"""


@dataclass
class Standing:
    """One row of the league; `place` is None with too few items."""

    office: Office
    courier: str
    value: Decimal
    band: str
    items: int
    unripe: int
    place: int | None
    place_before: int | None
    value_before: Decimal | None
    is_otherwise_made: bool  # other parts were measured a month before

    @property
    def name(self) -> str:
        return self.courier or str(self.office)

    @property
    def is_few(self) -> bool:
        return self.items < FEWEST

    @property
    def change(self) -> int | None:
        """Places won (positive) or lost since the month before."""
        if self.place is None or self.place_before is None:
            return None
        return self.place_before - self.place

    @property
    def band_name(self) -> str:
        return str(Band(self.band).label)


def league(
    office: Office, month: date, level: str, *, start: int = 0, rows: int | None = None
) -> list[Standing]:
    """The units of a level, or couriers, at and below an office, best first; ranks are
    among these, and those of the month before too. Two queries."""
    values: dict[str, Any] = {
        "path": f"{office.path}%",
        "month": month,
        "before": add_months(month, -1),
        "level": level,
        "fewest": FEWEST,
        "rows": rows,
        "start": start,
    }
    with connection.cursor() as cursor:
        cursor.execute(LEAGUE, values)
        found = cursor.fetchall()
    units = Office.objects.in_bulk({row[0] for row in found})
    return [Standing(units[pk], *rest) for pk, *rest in found]


def scheme_of(month: date) -> ScoreScheme | None:
    rows = ScoreScheme.objects.filter(valid_from__lte=month).prefetch_related("parts")
    return rows.order_by("-valid_from").first()


@transaction.atomic
def keep_scheme(row: ScoreScheme, parts: list[ScorePart], *, by: User) -> ScoreScheme:
    """Save a checked scheme; one of the same month is replaced.

    Refused("score.past") for a month that is over: what it came to stays as it was.
    """
    require_everywhere(by, "standard.edit")
    if row.valid_from < localdate().replace(day=1):
        message = _("A scheme begins with this month or a later one.")
        raise Refused("score.past", message)
    # RACE: two who keep a scheme of one month take turns; the later one replaces.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('score_scheme'))")
    if old := ScoreScheme.objects.filter(valid_from=row.valid_from).first():
        row.pk, row.made_at = old.pk, old.made_at
        old.parts.all().delete()
    row.made_by = by
    row.save()
    for part in parts:
        part.scheme = row
    ScorePart.objects.bulk_create(parts)
    details = {part.measure: str(part.weight) for part in parts}
    audit.record(by, "score_scheme.kept", row, details=details)
    enqueue("delivery.scores")
    return row


def scores_step(job: Job) -> bool:
    """Job: one month a step, from this one backwards."""
    done = job.cursor.get("months", 0)
    month = add_months(localdate(), -done)
    job.done_units += count_month(month)
    job.cursor = {"months": done + 1}
    return done + 1 == KEPT_MONTHS


@transaction.atomic
def count_month(month: date) -> int:
    """Replace the scores of a month; how many there are.

    Cost: the month's tallies once a chunk of offices, and once by courier.
    """
    scheme = scheme_of(month)
    if scheme is None:
        return 0
    # RACE: two counters of one month would both insert; the later one waits.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('delivery.scores'))")
    span = Span(*month_span(month))
    made = [*_of_offices(scheme, span), *_of_couriers(scheme, span)]
    Score.objects.filter(month=span.first).delete()
    Score.objects.bulk_create(made, batch_size=1000)
    return len(made)


def _of_offices(scheme: ScoreScheme, span: Span) -> Iterator[Score]:
    units = list(Office.objects.all())
    for start in range(0, len(units), CHUNK):
        chunk = units[start : start + CHUNK]
        for pk, counts in counts_by_office(chunk, span).items():
            if counts["items"] and (row := _made(scheme, span, counts)):
                row.office_id = pk
                yield row


def _of_couriers(scheme: ScoreScheme, span: Span) -> Iterator[Score]:
    names = (*COURIER_COUNTS, "unripe")
    values = {"first": span.first, "last": span.last, "at": span.at}
    with connection.cursor() as cursor:
        cursor.execute(COURIERS, values)
        rows = cursor.fetchall()
    for office, courier, *sums in rows:
        counts = NOTHING | dict(zip(names, map(int, sums), strict=True))
        if counts["items"] and (row := _made(scheme, span, counts, NOT_OF_COURIERS)):
            row.office_id, row.courier = office, courier
            yield row


def _made(
    scheme: ScoreScheme, span: Span, counts: Counts, leave_out: set[str] | None = None
) -> Score | None:
    found = scored(counts, scheme.parts.all(), leave_out=leave_out or ())
    if found is None:
        return None
    return Score(
        month=span.first,
        scheme=scheme,
        value=found.value,
        band=scheme.band_of(found.exact),
        items=counts["items"],
        unripe=counts["unripe"],
        lines=found.lines,
    )
