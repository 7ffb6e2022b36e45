"""The monthly assessment: read from what others have found, objected to, ruled, signed.

The house proposes, people decide (domain.md 7.2, 10): nothing here takes money from anybody;
finance gets a file that two people have signed. Sources: R-KPI-04…12, 26…28.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, pgettext

from crm.access.capabilities import may, require
from crm.access.models import User
from crm.audit import services as audit
from crm.dashboards import found
from crm.dashboards.models import AssessmentLine, AssessmentRule, AssessmentSheet
from crm.dashboards.models.assessment import Source, Whom
from crm.dashboards.periods import Kind, span_of
from crm.errors import Refused
from crm.notify.services import tell
from crm.org.models import Office
from crm.org.queries import ancestry
from customers.queries import add_months
from delivery import improving
from delivery.models import Improvement

State, LineState = AssessmentSheet.State, AssessmentLine.State
Direction = AssessmentLine.Direction
TO_OBJECT = 5  # days from the proposal; own judgement
MOST = Decimal(
    20
)  # percent of a month's wage that may be deducted by law (domain.md 10)
TOLD = gettext_noop("The monthly assessment concerns you")
# What a finding costs whom until somebody decides otherwise (own judgement).
RULES: tuple[tuple[str, str, str], ...] = (
    (Source.FAULT, Whom.PERSON, "2.00"),
    (Source.FAULT, Whom.TEAM, "1.00"),
    (Source.FAULT, Whom.UNIT, "0.50"),
    (Source.DUTY, Whom.PERSON, "1.00"),
    (Source.DUTY, Whom.TEAM, "0.50"),
    (Source.DUTY, Whom.UNIT, "0.50"),
    (Source.PASSING, Whom.PERSON, "3.00"),
    (Source.PASSING, Whom.TEAM, "1.00"),
    (Source.PASSING, Whom.LEADER, "1.00"),
    (Source.QUALITY, Whom.PERSON, "1.00"),
    (Source.INSPECTION, Whom.UNIT, "0.30"),
    (Source.REGULATOR, Whom.LEADER, "2.00"),
)


def sow() -> None:
    """What is missing of the usual rules; what is there stays as it is."""
    for source, whom, percent in RULES:
        AssessmentRule.objects.get_or_create(
            source=source, whom=whom, defaults={"percent": Decimal(percent)}
        )


# --- the sheet ------------------------------------------------------------------------------


def _require_free(office: Office, month: date) -> None:
    """No sheet of the month at, above or below the office: nobody is charged twice."""
    with connection.cursor() as cursor:
        # RACE: sheets of offices above and below are no conflict to the table.
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('dashboards.assessment'))"
        )
    near = Q(office__path__startswith=office.path) | Q(
        office__path__in=ancestry(office)
    )
    known = AssessmentSheet.objects.filter(near, month=month)
    if known.exclude(state=State.DROPPED).exists():
        message = _(
            "This month has a sheet already, of this office or one above or below."
        )
        raise Refused("sheet.again", message)


@transaction.atomic
def propose(office: Office, month: date, *, by: User) -> AssessmentSheet:
    """A sheet of all that was found in a month at or below an office.

    Refused("sheet.month") before it is over, ("sheet.again") when it, or an office above
    or below, has one: nobody is charged twice,
    ("sheet.empty") when nothing was found.
    """
    require(by, "assessment.propose", office)
    span = span_of(Kind.MONTH, month)
    today = localdate()
    if not span.has_ended(today):
        raise Refused("sheet.month", _("The month is not over yet."))
    percents = {
        (rule.source, rule.whom): rule.percent for rule in AssessmentRule.objects.all()
    }
    _require_free(office, span.first)
    sheet = AssessmentSheet(
        office=office,
        month=span.first,
        payroll_month=add_months(span.first, 1),
        object_until=today + timedelta(days=TO_OBJECT),
        made_by=by,
    )
    sheet.save()
    posted = found.leaders()
    lines = [
        AssessmentLine(
            sheet=sheet,
            percent=(
                percents.get((facts["source"], facts["whom"]), Decimal(0)) * share
            ),
            **facts,
        )
        for read in found.READERS
        for facts in read(office, span, posted)
        for share in [facts.pop("share", Decimal(1))]
    ]
    if not lines:
        raise Refused("sheet.empty", _("Nothing was found in this month."))
    AssessmentLine.objects.bulk_create(lines)
    _tell(sheet, posted)
    details = {"month": f"{span.first}", "lines": len(lines)}
    audit.record(by, "assessment.proposed", sheet, office=office, details=details)
    return sheet


def _tell(sheet: AssessmentSheet, posted: found.Leaders) -> None:
    """Everybody named, and the leaders of the units, may object: they are told once."""
    people: set[User] = set()
    for line in sheet.lines.select_related("user", "office"):
        leader = found.leader_of(line.office, posted)
        people |= {one for one in (line.user, leader) if one}
    for person in people:
        tell(
            person,
            "finding",
            subject=TOLD,
            body=f"{sheet.month:%Y-%m}",
            url=reverse("dashboards:assessment_mine"),
            key=f"assessment:{sheet.pk}:{person.pk}",
        )


def locked(sheet: AssessmentSheet) -> AssessmentSheet:
    """The row, locked. Refused("sheet.state") unless it is a proposal."""
    rows = AssessmentSheet.objects.select_for_update(of=("self",))
    row = rows.select_related("office").get(pk=sheet.pk)
    if row.state != State.PROPOSED:
        raise Refused("sheet.state", _("Only a proposal can be changed."))
    return row


def may_object(user: User, line: AssessmentLine) -> bool:
    """The person, or a supervisor of the unit."""
    return line.user_id == user.pk or may(user, "finding.object", line.office)


def _line(line: AssessmentLine, state: str) -> AssessmentLine:
    rows = AssessmentLine.objects.select_for_update(of=("self",))
    row = rows.select_related("office", "sheet__office").get(pk=line.pk)
    if row.state != state:
        raise Refused("line.state", _("This is not open any more."))
    return row


@transaction.atomic
def object_to(line: AssessmentLine, *, by: User, objection: str) -> AssessmentLine:
    """Say why it is not so, once. Refused("line.late") after the last day for it."""
    sheet = locked(line.sheet)
    row = _line(line, LineState.STANDS)
    if not may_object(by, row):
        raise PermissionDenied("finding.object")
    if localdate() > sheet.object_until:
        raise Refused("line.late", _("The days for objections are over."))
    row.state, row.objection, row.objected_by = LineState.OBJECTED, objection, by
    row.save(update_fields=["state", "objection", "objected_by"])
    audit.record(by, "assessment.objected", row, office=row.office)
    return row


@transaction.atomic
def rule(
    line: AssessmentLine, *, by: User, upholds: bool, ruling: str
) -> AssessmentLine:
    """Decide on an objection: a supervisor over the sheet who neither made it nor objected.

    Refused("line.judge").
    """
    sheet = locked(line.sheet)
    row = _line(line, LineState.OBJECTED)
    require(by, "assessment.propose", sheet.office)
    if by.pk in (sheet.made_by_id, row.objected_by_id, row.user_id):
        message = _(
            "Neither who proposed it, who objected nor whom it is about rules on it."
        )
        raise Refused("line.judge", message)
    row.state = LineState.UPHELD if upholds else LineState.LIFTED
    row.ruling, row.ruled_by = ruling, by
    row.save(update_fields=["state", "ruling", "ruled_by"])
    audit.record(by, f"assessment.{row.state}", row, office=row.office)
    return row


@transaction.atomic
def sign(sheet: AssessmentSheet, *, by: User) -> AssessmentSheet:
    """Sign a proposal off, so that it goes to finance.

    Refused("sheet.own") for who proposed it or owes something by it, ("sheet.days") while
    the days for objections run, ("sheet.open") while one is not ruled on.
    """
    row = locked(sheet)
    require(by, "assessment.propose", row.office)
    if row.made_by_id == by.pk:
        raise Refused("sheet.own", _("Somebody else signs what you proposed."))
    if any(line.counts for line in row.lines.filter(user=by)):
        raise Refused("sheet.own", _("Somebody signs whom it does not concern."))
    if localdate() <= row.object_until:
        message = _("People may object until %(day)s.") % {"day": row.object_until}
        raise Refused("sheet.days", message)
    if row.lines.filter(state=LineState.OBJECTED).exists():
        raise Refused("sheet.open", _("An objection waits for its ruling."))
    row.state, row.signed_by, row.signed_at = State.SIGNED, by, now()
    row.save(update_fields=["state", "signed_by", "signed_at"])
    audit.record(by, "assessment.signed", row, office=row.office)
    return row


@transaction.atomic
def drop(sheet: AssessmentSheet, *, by: User) -> AssessmentSheet:
    """Throw a proposal away; the month may get another. Refused("sheet.own") for who made
    it once somebody has objected: rulings would be gone."""
    row = locked(sheet)
    require(by, "assessment.propose", row.office)
    said = row.lines.exclude(state=LineState.STANDS)
    if row.made_by_id == by.pk and said.exists():
        message = _("People have objected: somebody else throws it away.")
        raise Refused("sheet.own", message)
    row.state = State.DROPPED
    row.save(update_fields=["state"])
    audit.record(by, "assessment.dropped", row, office=row.office)
    return row


# --- what goes out ---------------------------------------------------------------------------


def owed(sheet: AssessmentSheet) -> list[dict[str, Any]]:
    """What each person, team, unit and leader owes together, each person at most what the
    law lets be deducted; the reasons with it."""
    found: dict[tuple, dict[str, Any]] = {}
    for line in sheet.lines.select_related("office", "user"):
        if not line.counts or not line.percent:
            continue
        key = (line.whom, line.office_id, line.user_id, line.team)
        one = found.setdefault(key, {"line": line, "sum": Decimal(0), "reasons": []})
        one["sum"] += line.percent
        one["reasons"].append(line.words)
    left: dict[Any, Decimal] = {}  # of the cap, by person: one may lead several units
    for key, one in found.items():
        whose = one["line"].user_id or key
        one["percent"] = min(one["sum"], left.setdefault(whose, MOST))
        left[whose] -= one["percent"]
    return list(found.values())


@transaction.atomic
def export(sheet: AssessmentSheet, *, by: User) -> Iterator[list[Any]]:
    """The file for finance. Refused("sheet.unsigned")."""
    row = AssessmentSheet.objects.select_for_update().get(pk=sheet.pk)
    require(by, "assessment.export", sheet.office)
    if row.state != State.SIGNED:
        raise Refused("sheet.unsigned", _("Only a signed sheet goes to finance."))
    row.exported_at = row.exported_at or now()
    row.save(update_fields=["exported_at"])
    audit.record(by, "assessment.exported", row, office=sheet.office)
    return _rows(row)


def _rows(sheet: AssessmentSheet) -> Iterator[list[Any]]:
    yield [
        _("Payroll month"), _("Unit"), pgettext("assessment", "Whom"), _("Account"), _("Name"),
        _("Percent of performance pay"), _("Before the legal cap"), _("Reasons"),
    ]  # fmt: skip
    for one in owed(sheet):
        line = one["line"]
        yield [
            f"{sheet.payroll_month:%Y-%m}",
            line.office.name,
            line.get_whom_display(),
            line.user.username if line.user else "",
            line.user.full_name if line.user else line.team,
            f"{one['percent']:.2f}",
            f"{one['sum']:.2f}",
            "; ".join(one["reasons"]),
        ]


def _key_items(lines: list[AssessmentLine]) -> list[AssessmentLine]:
    """One line for each error of quality that stands: the managed one, if one is."""
    found: dict[str, AssessmentLine] = {}
    for line in lines:
        if (
            line.is_key_item
            and line.counts
            and (line.improvement or line.key not in found)
        ):
            found[line.key] = line
    return list(found.values())


@transaction.atomic
def manage(line: AssessmentLine, *, by: User, **facts: Any) -> Improvement:
    """Make an error of quality an item that somebody sees to (R-KPI-07). Refused:
    "line.key" for what is none, "line.managed" where it is one already."""
    locked(line.sheet)
    row = line.sheet.lines.select_related("office").get(pk=line.pk)
    if not (row.is_key_item and row.counts):
        raise Refused("line.key", _("Only errors of quality that stand are managed."))
    same = line.sheet.lines.filter(key=row.key, improvement__isnull=False)
    if same.exists():
        raise Refused("line.managed", _("An improvement of this is open already."))
    row.improvement = improving.open_for(
        row.words, row.url, by=by, office=row.office, **facts
    )
    row.save(update_fields=["improvement"])
    return row.improvement


def agenda(sheet: AssessmentSheet) -> dict[str, Any]:
    """For the assessment meeting of the month after (R-KPI-12): lines by direction, key
    items, the regulator's cases."""
    lines = list(sheet.lines.select_related("office", "user", "improvement__owner"))
    span = span_of(Kind.MONTH, sheet.month)
    return {
        "directions": [
            (direction.label, [one for one in lines if one.direction == direction])
            for direction in Direction
        ],
        "key_items": _key_items(lines),
        "cases": list(found.regulator_cases(sheet.office, span)),
    }
