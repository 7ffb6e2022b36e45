"""The pickup assessment: a proposal, another pair of eyes, finance.

Deductions of wages have limits in law: the house proposes, people decide (domain.md 10).
"""

import hashlib
from dataclasses import dataclass
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.org.models import Office
from customers.services import tell_supervisors
from delivery.models import PickupLine, PickupSheet
from delivery.models.pickups import DAYS_TAKEN, month_behind
from delivery.quality.penalty import deduction, points_below
from delivery.quality.pickups import PickupCounts, counts_by_office

State, Standing = PickupSheet.State, PickupLine.Standing


@dataclass(frozen=True)
class Owed:
    """What became of one unit's figures under a sheet's settings."""

    standing: str
    is_excellent: bool
    percent: Decimal


def judged(counts: PickupCounts, sheet: PickupSheet) -> Owed:
    """A unit at or above the line owes nothing, nor one with too few orders to tell."""
    excellent = counts.timely * 100 >= sheet.excellent * counts.due
    if counts.is_few:
        return Owed(Standing.FEW, False, Decimal(0))
    points = points_below(counts.timely, counts.due, sheet.target)
    if not points:
        return Owed(Standing.FREE, excellent, Decimal(0))
    percent = deduction(
        points, per_point=sheet.per_point, rounding=sheet.rounding, cap=sheet.cap
    )
    return Owed(Standing.DEDUCTED, False, percent)


@transaction.atomic
def propose(sheet: PickupSheet, *, by: User | None) -> PickupSheet:
    """Freeze the units' figures of the sheet's days under its settings.

    Refused("sheet.again") when the days have one already, ("sheet.empty") without orders.
    """
    require(by, "pickup.propose", sheet.office)
    sheet.made_by, sheet.payroll_month = by, month_behind(sheet.last)
    units = list(
        Office.objects.under(sheet.office).filter(depth=sheet.office.depth + 1)
    )
    found = counts_by_office(units, sheet.first, sheet.last)
    lines = []
    for unit in units:
        counts = found[unit.pk]
        if not counts.due:
            continue
        owed = judged(counts, sheet)
        lines.append(
            PickupLine(
                sheet=sheet,
                unit=unit,
                timely=counts.timely,
                due=counts.due,
                called=counts.called,
                standing=owed.standing,
                is_excellent=owed.is_excellent,
                percent=owed.percent,
            )
        )
    if not lines:
        raise Refused("sheet.empty", _("No unit below had an order due in these days."))
    try:
        with transaction.atomic():
            sheet.save()
    except IntegrityError as error:
        raise Refused("sheet.again", str(DAYS_TAKEN)) from error
    PickupLine.objects.bulk_create(lines)
    audit.record(by, "pickup_sheet.proposed", sheet, office=sheet.office)
    return sheet


def _locked(sheet: PickupSheet) -> PickupSheet:
    rows = PickupSheet.objects.select_for_update(of=("self",))
    return rows.select_related("office").get(pk=sheet.pk)


def _require_proposed(sheet: PickupSheet) -> None:
    if sheet.state != State.PROPOSED:
        raise Refused("sheet.state", _("Only a proposal can be changed."))


@transaction.atomic
def set_bases(
    sheet: PickupSheet, bases: dict[int, Decimal | None], *, by: User | None
) -> None:
    """Write down the managers' performance pay of units: {line: yuan or None}."""
    sheet = _locked(sheet)
    require(by, "pickup.base", sheet.office)
    _require_proposed(sheet)
    lines = list(sheet.lines.filter(pk__in=bases))
    for line in lines:
        line.base = bases[line.pk]
    PickupLine.objects.bulk_update(lines, ["base"])
    audit.record(by, "pickup_sheet.bases_set", sheet, office=sheet.office)


def fingerprint(sheet: PickupSheet) -> str:
    """Of what a signature stands for. One query."""
    lines = sheet.lines.order_by("pk").values_list("pk", "percent", "base")
    return hashlib.sha256(repr(list(lines)).encode()).hexdigest()[:32]


@transaction.atomic
def sign(sheet: PickupSheet, *, by: User, seen: str | None = None) -> PickupSheet:
    """Sign a proposal off, so that it goes to finance; the units below the line are told.

    Refused("sheet.own") for who proposed it, ("sheet.base") while pay is missing,
    ("sheet.changed") when it is not what was `seen`, a fingerprint of it.
    """
    sheet = _locked(sheet)
    require(by, "pickup.sign", sheet.office)
    _require_proposed(sheet)
    if sheet.made_by_id == by.pk:
        raise Refused("sheet.own", _("Somebody else signs what you proposed."))
    if seen is not None and seen != fingerprint(sheet):
        message = _("The pay was changed since you read it: read it again.")
        raise Refused("sheet.changed", message)
    failing = sheet.lines.filter(standing=Standing.DEDUCTED).select_related("unit")
    if failing.filter(base=None).exists():
        message = _("The performance pay of a unit below the line is missing.")
        raise Refused("sheet.base", message)
    sheet.state, sheet.signed_by, sheet.signed_at = State.SIGNED, by, now()
    sheet.save(update_fields=["state", "signed_by", "signed_at"])
    audit.record(by, "pickup_sheet.signed", sheet, office=sheet.office)
    for line in failing:
        tell_supervisors(
            line.unit,
            gettext_noop("Timely pickup of a unit was below the line"),
            key=f"sheet:{sheet.pk}:{line.pk}",
            url=sheet.get_absolute_url(),
            but=by,
        )
    return sheet


@transaction.atomic
def drop(sheet: PickupSheet, *, by: User) -> PickupSheet:
    """Withdraw a proposal."""
    sheet = _locked(sheet)
    require(by, "pickup.propose", sheet.office)
    _require_proposed(sheet)
    sheet.state = State.DROPPED
    sheet.save(update_fields=["state"])
    audit.record(by, "pickup_sheet.dropped", sheet, office=sheet.office)
    return sheet


@transaction.atomic
def export(sheet: PickupSheet, *, by: User) -> list[list]:
    """The rows for finance: unit, month, base, percent, amount, reason; noted.

    Refused("sheet.state") unless it is signed.
    """
    sheet = _locked(sheet)
    require(by, "pickup.export", sheet.office)
    if sheet.state != State.SIGNED:
        raise Refused("sheet.state", _("Only a signed sheet goes to finance."))
    PickupSheet.objects.filter(pk=sheet.pk, exported_at=None).update(exported_at=now())
    audit.record(by, "pickup_sheet.exported", sheet, office=sheet.office)
    head = [
        *(_("Code of the unit"), _("Unit"), _("Payroll month"), _("Base, yuan")),
        *(_("Percent"), _("Amount, yuan"), _("Reason")),
    ]
    rows: list[list] = [head]
    for line in failing_of(sheet):
        rows.append(
            [
                *(line.unit.code, line.unit.name, f"{sheet.payroll_month:%Y-%m}"),
                *(line.base, line.percent, line.amount, reason_of(line, sheet)),
            ]
        )
    return rows


def failing_of(sheet: PickupSheet) -> list[PickupLine]:
    """The units below the line, the lowest rate first."""
    lines = sheet.lines.filter(standing=Standing.DEDUCTED).select_related("unit")
    return sorted(lines, key=lambda line: line.timely / line.due)


def reason_of(line: PickupLine, sheet: PickupSheet) -> str:
    return _(
        "Timely pickup %(first)s to %(last)s: %(timely)s of %(due)s, %(rate).2f %%;"
        " the line is %(target)s %%."
    ) % {
        "first": sheet.first,
        "last": sheet.last,
        "timely": line.timely,
        "due": line.due,
        "rate": line.rate or 0,
        "target": sheet.target,
    }
