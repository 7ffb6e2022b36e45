"""The way of an order through its fourteen stages; what is late; the load of each day.

Sources: domain.md 4.3, R-CAM-17, R-CAM-18, R-DLV-02, 04, 07.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Sum
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from campaigns.models import (
    CardOrder,
    Department,
    Duty,
    OrderStage,
    ProductionError,
    Season,
    Stage,
)
from campaigns.timetable import shifted
from crm.access.capabilities import may, require
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.notify.services import tell
from crm.org.models import Office
from crm.org.queries import ancestry, calendar_of

LATE = gettext_noop("A stage of a card order is late")
CHUNK = 100
D = Department
# Whose each stage is, and until when: working days before (−) or after the posting.
PLAN: dict[str, tuple[str, int]] = {
    Stage.CONSULT: (D.KEY_ACCOUNT, -40),
    Stage.DESIGN: (D.LETTER, -32),
    Stage.PROOF: (D.KEY_ACCOUNT, -28),
    Stage.APPLY: (D.LETTER, -22),
    Stage.LIST: (D.KEY_ACCOUNT, -20),
    Stage.CLEANSE: (D.LETTER, -15),
    Stage.CONFIRM: (D.KEY_ACCOUNT, -11),
    Stage.PRINT: (D.LETTER, -3),
    Stage.BUNDLE: (D.LETTER, -1),
    Stage.HAND_OVER: (D.LETTER, 0),
    Stage.PROCESS: (D.PROCESSING, 2),
    Stage.DELIVER: (D.OPERATIONS, 8),
    Stage.RETURNS: (D.LETTER, 20),
    Stage.EFFECT: (D.KEY_ACCOUNT, 40),
}
# Kinds of offices whose business a department's stages are, where the bureau has one.
PLACES = {D.LETTER: Office.Kind.LETTER, D.PROCESSING: Office.Kind.PROCESSING}
LOADED = (Stage.PRINT, Stage.HAND_OVER, Stage.DELIVER)


def lay(order: CardOrder) -> None:
    """Give an order its stages: responsible unit and owner by the bureau's service group,
    days counted from its posting. Those that lie behind begin today. Six queries."""
    posting = order.posting_on or order.season.posting_on or order.season.last_day
    office, today = order.customer.office, localdate()
    calendar = calendar_of(office)
    owners: dict[str, User] = {}
    duties = Duty.objects.filter(
        group__season=order.season, group__office__path__in=ancestry(office)
    ).select_related("owner")
    for duty in duties.order_by("-group__office__depth", "pk"):
        owners.setdefault(duty.department, duty.owner)
    units = _units(office)
    rows = []
    for position, (stage, (department, days)) in enumerate(PLAN.items(), start=1):
        rows.append(
            OrderStage(
                order=order,
                position=position,
                stage=stage,
                office=units.get(department, office),
                owner=owners.get(department),
                due_on=max(shifted(calendar, posting, days), today),
            )
        )
    OrderStage.objects.bulk_create(rows)


def _units(office: Office) -> dict[str, Office]:
    """The letter bureau and the processing centre nearest to an office. One query."""
    found: dict[str, Office] = {}
    path = office.path[: 2 * Office.steplen]  # its prefecture
    near = Office.objects.active().filter(
        Q(path__startswith=path) | Q(path__in=ancestry(office)) | Q(depth=2),
        kind__in=PLACES.values(),
    )
    rows = sorted(near, key=lambda unit: not unit.path.startswith(path))
    for department, kind in PLACES.items():
        for unit in rows:
            if unit.kind == kind:
                found.setdefault(department, unit)
    return found


def is_printed(order: CardOrder) -> bool:
    printed = order.stages.filter(stage=Stage.PRINT, done_at__isnull=False)
    return printed.exists() or order.runs.exists()


def may_do(user: User, stage: OrderStage) -> bool:
    """Its owner, the responsible unit's people, or whoever keeps the customer's orders."""
    if stage.owner_id == user.pk:
        return True
    units = (stage.office, stage.order.customer.office)
    return any(may(user, "stage.do", unit) for unit in units)


def _locked(stage: OrderStage, by: User) -> OrderStage:
    order = (
        CardOrder.objects.select_for_update(of=("self",))
        .select_related("season")
        .get(pk=stage.order_id)
    )
    rows = OrderStage.objects.select_for_update(of=("self",))
    row = rows.select_related("order__customer__office", "order__season", "office").get(
        pk=stage.pk
    )
    if not may_do(by, row):
        require(by, "stage.do", row.office)
    if not order.season.is_open:
        raise Refused("season.closed", _("This season is closed."))
    return row


@transaction.atomic
def begin(stage: OrderStage, *, by: User, pieces: int | None = None) -> OrderStage:
    """Say that a stage has begun, with the pieces that came in. Twice is once.

    Refused("stage.order") while an earlier stage is open.
    """
    row = _locked(stage, by)
    if row.began_at:
        return row
    before = row.order.stages.filter(position__lt=row.position, done_at=None)
    if before.exists():
        message = _("An earlier stage is still open: %(name)s.")
        first = before.order_by("position")[0].get_stage_display()
        raise Refused("stage.order", message % {"name": first})
    row.began_at = now()
    row.pieces_in = row.order.pieces if pieces is None else pieces
    row.save(update_fields=["began_at", "pieces_in"])
    audit.record(by, "stage.began", row, office=row.office)
    return row


@transaction.atomic
def finish(stage: OrderStage, *, by: User, pieces: int | None = None) -> OrderStage:
    """Say that a stage is done, with the pieces that went on. Twice is once; what was not
    begun begins now. Refused("stage.pieces") for more than came in, ("stage.short") for
    fewer while the errors of the stage do not say what became of the others."""
    row = begin(stage, by=by)
    if row.done_at:
        return row
    came_in = row.pieces_in or 0
    row.pieces_out = came_in if pieces is None else pieces
    if row.pieces_out > came_in:
        raise Refused("stage.pieces", _("More pieces went out than came in."))
    noted = row.errors.aggregate(n=Sum("pieces", default=0))["n"]
    if row.pieces_out + noted < came_in:
        message = _(
            "%(n)s pieces are missing: note an error of this stage on the order first."
        )
        missing = came_in - row.pieces_out - noted
        raise Refused("stage.short", message % {"n": missing})
    row.done_at, row.done_by = now(), by
    row.save(update_fields=["pieces_out", "done_at", "done_by"])
    following = row.order.stages.filter(position=row.position + 1, began_at=None)
    following.update(began_at=row.done_at, pieces_in=row.pieces_out)
    if row.stage == Stage.EFFECT:
        CardOrder.objects.filter(pk=row.order_id).update(state=CardOrder.State.DONE)
    details = {"stage": row.stage, "in": came_in, "out": row.pieces_out}
    audit.record(by, "stage.done", row, office=row.office, details=details)
    return row


@transaction.atomic
def give(
    stage: OrderStage, *, by: User, office: Office, owner: User | None, due_on: date
) -> OrderStage:
    """Change whose a stage is, and until when. Refused("stage.done") afterwards."""
    row = _locked(stage, by)
    if row.done_at:
        raise Refused("stage.done", _("This stage is done."))
    row.office, row.owner, row.due_on, row.told = office, owner, due_on, 0
    row.save(update_fields=["office", "owner", "due_on", "told"])
    audit.record(by, "stage.given", row, office=row.office)
    return row


@transaction.atomic
def note_error(error: ProductionError, *, by: User) -> ProductionError:
    """Write down an error of a stage; it gets the number that complaints name it by.

    Refused("error.pieces") for more pieces than the order has.
    """
    row = _locked(error.stage, by)
    if error.pieces > row.order.pieces:
        raise Refused("error.pieces", _("The order has fewer pieces."))
    total = ProductionError.objects.filter(stage__order=row.order_id).count()
    error.ref = f"PE-{row.order_id}-{total + 1}"
    error.noted_by = by
    error.save()
    details = {"ref": error.ref, "pieces": error.pieces}
    audit.record(by, "stage.error", row, office=row.office, details=details)
    return error


@transaction.atomic
def settle(error: ProductionError, *, by: User) -> ProductionError:
    """Say that an error is put right. Twice is once."""
    row = _locked(error.stage, by)
    found = ProductionError.objects.select_for_update().get(pk=error.pk)
    if found.settled_at is None:
        found.settled_at, found.settled_by = now(), by
        found.save(update_fields=["settled_at", "settled_by"])
        audit.record(by, "stage.error_settled", found, office=row.office)
    return found


# --- what is late -----------------------------------------------------------------------------


def waiting() -> QuerySet[OrderStage]:
    """The stage that each order under contract stands in: the first open one, which holds
    the others up."""
    rows = OrderStage.objects.filter(
        done_at=None, order__state=CardOrder.State.CONTRACT
    )
    rows = rows.exclude(order__season__state=Season.State.CLOSED)
    return rows.filter(Q(position=1) | Q(began_at__isnull=False))


def late_step(job: Job) -> bool:
    """Job, each morning: the owner is told on the first day, the unit's supervisors on the
    second, those one level above on each day after; by chunks."""
    today = localdate()
    rows = waiting().filter(due_on__lt=today, pk__gt=job.cursor.get("after", 0))
    rows = rows.select_related("office", "owner", "order__season", "order__customer")
    chunk = list(rows.order_by("pk")[:CHUNK])
    for row in chunk:
        days = (today - row.due_on).days
        for person in _to_tell(row, days, today):
            tell(
                person,
                "season",
                subject=LATE,
                body=f"{row.order} · {row.get_stage_display()}",
                url=row.order.get_absolute_url(),
                key=f"stage:{row.pk}:{row.due_on}:{days}:{person.pk}",
            )
        row.told = min(days, 100)
    OrderStage.objects.bulk_update(chunk, ["told"])
    job.cursor = {"after": chunk[-1].pk if chunk else 0}
    return len(chunk) < CHUNK


def _to_tell(row: OrderStage, days: int, today: date) -> list[User]:
    """Whom a stage's lateness concerns today, for the first time or a level higher."""
    upwards = ancestry(row.office)[::-1]
    level = days - (2 if row.owner else 1)
    if level < 0 and row.owner:
        return [row.owner]
    bosses = Posting.objects.in_force(today).filter(role=Role.SUPERVISOR)
    if level >= len(upwards):
        return []  # the top knows
    found = bosses.filter(office__path=upwards[level]).select_related("user")
    return [posting.user for posting in found]


# --- the load of each day ------------------------------------------------------------------------


@dataclass(frozen=True)
class Load:
    """Pieces that are due on one day: printed, handed over, delivered."""

    day: date
    printed: int
    handed: int
    delivered: int

    @property
    def total(self) -> int:
        return self.printed + self.handed + self.delivered


def load_by_day(orders: QuerySet[CardOrder]) -> list[Load]:
    """Pieces by planned day of the orders under contract, from the first to the last day
    with any. One query (R-CAM-18)."""
    sums: dict[date, dict[str, int]] = {}
    rows = OrderStage.objects.filter(
        order__in=orders.filter(state=CardOrder.State.CONTRACT).order_by(),
        stage__in=LOADED,
    )
    for day, stage, pieces in (
        rows.order_by()
        .values_list("due_on", "stage")
        .annotate(pieces=Sum(F("order__pieces")))
    ):
        sums.setdefault(day, {})[stage] = pieces
    if not sums:
        return []
    first, last = min(sums), max(sums)
    found = []
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        there = sums.get(day, {})
        found.append(Load(day, *(there.get(stage, 0) for stage in LOADED)))
    return found


@dataclass(frozen=True)
class Standing:
    """Orders that stand in one stage, those of them that are late, their pieces."""

    stage: str
    orders: int
    late: int
    pieces: int

    @property
    def label(self) -> str:
        return str(Stage(self.stage).label)


def stage_counts(orders: QuerySet[CardOrder]) -> list[Standing]:
    """How many orders under contract stand in each stage, in the stages' order. One query."""
    rows = waiting().filter(order__in=orders.order_by())
    sums = {
        stage: counts
        for stage, *counts in rows.order_by()
        .values_list("stage")
        .annotate(
            n=Count("pk"),
            behind=Count("pk", filter=Q(due_on__lt=localdate())),
            pieces=Sum("order__pieces"),
        )
    }
    return [Standing(stage, *sums.get(stage, (0, 0, 0))) for stage in Stage.values]
