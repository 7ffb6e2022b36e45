"""Bulletins from the draft to the archive: counted, edited, approved, published, read.

Sources: R-KPI-02, 18, 40; anchors.md 5.4 item 38.
"""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from crm.access.capabilities import require
from crm.access.models import Posting, User
from crm.access.roles import CAPABILITIES
from crm.audit import services as audit
from crm.dashboards import boards
from crm.dashboards.boards import NOTHING, Read, family_of
from crm.dashboards.models import Bulletin, Receipt, Target
from crm.dashboards.reckoned import BY_NAME
from crm.dashboards.registry import UNITS, Kpi, Shares, plain
from crm.errors import Refused
from crm.jobs.services import enqueue
from crm.notify.services import HOUSE_LANGUAGE, tell
from crm.org.models import Office
from delivery.quality.rates import FEWEST

State = Bulletin.State
PUBLISHED = gettext_noop("A bulletin was published")
MOST = 12  # figures
Targets = dict[tuple[int, str], Target]  # (office, KPI) → what was set
FACTS = ("title", "opening", "closing")


def locked(bulletin: Bulletin, *states: str) -> Bulletin:
    """The row, locked. Refused("bulletin.state") when it has moved on."""
    rows = Bulletin.objects.select_for_update(of=("self",)).select_related("office")
    row = rows.get(pk=bulletin.pk)
    if row.state not in states:
        raise Refused("bulletin.state", _("The bulletin has moved on meanwhile."))
    return row


def table_of(
    kpi: Kpi,
    office: Office,
    units: list[Office],
    here: Read,
    before: Shares,
    targets: Targets,
) -> dict[str, Any]:
    """One figure of all units as plain data: the whole, units in order, who misses.

    Units with fewer than thirty rows are listed without a place and never named as
    failing; of fewer than five nothing is told.
    """
    below = {unit.pk: here.shares[unit.pk] for unit in units}
    untold = boards.untold_units(kpi, below)  # others read it: B30
    lines = _lines(kpi, units, below, targets, untold)
    whole, was_whole = (
        NOTHING if boards.is_telling(kpi, one) else one
        for one in (
            here.shares[office.pk][kpi.name],
            before[office.pk][kpi.name],
        )
    )
    value, was = kpi.shown(whole), kpi.shown(was_whole)
    own = targets.get((office.pk, kpi.name))
    target = own.value if own else kpi.target
    return {
        "kpi": kpi.name,
        "label": f"{kpi.label}",
        "unit": f"{UNITS[kpi.unit]}",
        "definition": f"{kpi.top.words} / {kpi.bottom.words}",
        "version": kpi.version,
        "is_final": here.is_final,
        "whole": _float(value),
        "before": _float(was),
        "target": _float(target),
        "benchmark": _float(own.benchmark if own else None),
        "is_met": kpi.is_met(value, target),
        "top": plain(whole.numerator),
        "bottom": plain(whole.denominator),
        "lines": lines,
        "failing": [line["office"] for line in lines if line["is_met"] is False],
    }


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _lines(
    kpi: Kpi,
    units: list[Office],
    shares: Shares,
    targets: Targets,
    untold: set[int],
) -> list[dict[str, Any]]:
    """A line for each unit that has anything to divide by, best first, the few last."""
    lines = []
    for unit in units:
        found = shares[unit.pk][kpi.name]
        value, own = kpi.shown(found), targets.get((unit.pk, kpi.name))
        if value is None:
            continue
        target = own.value if own else kpi.target
        is_hidden = unit.pk in untold
        is_few = is_hidden or found.denominator < FEWEST
        lines.append(
            {
                "office": unit.name,
                "top": None if is_hidden else plain(found.numerator),
                "bottom": None if is_hidden else plain(found.denominator),
                "value": None if is_hidden else float(value),
                "target": _float(target),
                "is_few": is_few,
                "is_met": None if is_few else kpi.is_met(value, target),
            }
        )
    sign = 1 if kpi.is_low_good else -1
    lines.sort(
        key=lambda line: (line["is_few"], sign * (line["value"] or 0), line["office"])
    )
    return lines


@transaction.atomic
def make(bulletin: Bulletin, *, by: User, units: Iterable[Office]) -> Bulletin:
    """A draft with its figures. Refused("bulletin.kpis") for none or too many,
    ("bulletin.units") without a unit or with one of elsewhere, ("bulletin.empty") when
    the period has no figure of any of them.
    """
    require(by, "bulletin.write", bulletin.office)
    chosen = list(units)
    if (
        not bulletin.kpis
        or len(bulletin.kpis) > MOST
        or set(bulletin.kpis) - set(BY_NAME)
    ):
        message = _("Choose one to %(n)s figures.") % {"n": MOST}
        raise Refused("bulletin.kpis", message)
    if not chosen or not all(bulletin.office.contains(unit) for unit in chosen):
        raise Refused("bulletin.units", _("Choose units of this office."))
    bulletin.made_by = by
    bulletin.save()
    bulletin.units.set(chosen)
    _count(bulletin)
    if not any(table["lines"] for table in bulletin.tables):
        raise Refused("bulletin.empty", _("This period has no such figures."))
    audit.record(by, "bulletin.made", bulletin, office=bulletin.office)
    return bulletin


def _count(row: Bulletin) -> None:
    units = list(row.units.order_by("path"))
    kpis = [BY_NAME[name] for name in row.kpis]
    wanted = list({one.name: one for kpi in kpis for one in family_of(kpi)}.values())
    here = boards.shares_of([row.office, *units], row.span, wanted)
    before = boards.shares_of([row.office], row.span.previous, kpis).shares
    targets = boards.targets_of([row.office, *units], row.span)
    with override(HOUSE_LANGUAGE):
        row.tables = [
            table_of(kpi, row.office, units, here, before, targets) for kpi in kpis
        ]
    row.counted_at = now()
    row.is_final = all(table["is_final"] for table in row.tables)
    row.save(update_fields=["tables", "counted_at", "is_final"])


@transaction.atomic
def edit(
    bulletin: Bulletin, *, by: User, facts: dict[str, str], version: int
) -> Bulletin:
    """Change the words of a draft, or of an approved one, whose approval is void then.

    Refused("bulletin.changed") when somebody saved another version meanwhile.
    """
    row = locked(bulletin, State.DRAFT, State.APPROVED)
    require(by, "bulletin.write", row.office)
    if row.version != version:
        message = _(
            "Somebody has changed this since you opened it. Yours stands below: look at "
            "theirs, then save again to put yours in its place."
        )
        raise Refused("bulletin.changed", message)
    for name in FACTS:
        setattr(row, name, facts[name])
    was_approved = row.state == State.APPROVED
    row.state, row.approved_by, row.approved_at = State.DRAFT, None, None
    row.edited_by = by
    row.version += 1
    row.save()
    details = {"version": row.version, "voided": was_approved}
    audit.record(by, "bulletin.edited", row, office=row.office, details=details)
    return row


@transaction.atomic
def count_anew(bulletin: Bulletin, *, by: User) -> Bulletin:
    """Take the present figures into a draft."""
    row = locked(bulletin, State.DRAFT)
    require(by, "bulletin.write", row.office)
    _count(row)
    row.version += 1
    row.save(update_fields=["version"])
    audit.record(by, "bulletin.counted", row, office=row.office)
    return row


@transaction.atomic
def approve(bulletin: Bulletin, *, by: User, version: int | None = None) -> Bulletin:
    """Another person approves what it has read (`version`). Refused("bulletin.same") for
    who wrote it or changed it last, ("bulletin.changed") when it is not that any more."""
    row = locked(bulletin, State.DRAFT)
    require(by, "bulletin.write", row.office)
    if version is not None and version != row.version:
        message = _("It was changed since you opened it: read it again.")
        raise Refused("bulletin.changed", message)
    if by.pk in (row.made_by_id, row.edited_by_id):
        raise Refused("bulletin.same", _("Whoever wrote it cannot approve it."))
    row.state, row.approved_by, row.approved_at = State.APPROVED, by, now()
    row.version += 1
    row.save()
    audit.record(by, "bulletin.approved", row, office=row.office)
    return row


@transaction.atomic
def publish(bulletin: Bulletin, *, by: User) -> Bulletin:
    """Give it the year's next number, send it to everybody posted at its office and units
    who may read bulletins, and have its files made. Twice is once."""
    row = locked(bulletin, State.APPROVED, State.PUBLISHED)
    require(by, "bulletin.write", row.office)
    if row.state == State.PUBLISHED:
        return row
    Office.objects.select_for_update().get(pk=row.office_id)  # RACE: numbers in order
    row.year = localdate().year
    known = Bulletin.objects.filter(office=row.office, year=row.year)
    row.number = (known.aggregate(n=Max("number"))["n"] or 0) + 1
    row.state, row.published_at = State.PUBLISHED, now()
    row.version += 1
    row.save()
    Receipt.objects.bulk_create(_readers(row), ignore_conflicts=True)
    for receipt in row.receipts.select_related("user"):
        tell(
            receipt.user,
            "bulletin",
            subject=PUBLISHED,
            body=f"{row.ref} {row.title}",
            url=row.get_absolute_url(),
            key=f"bulletin:{row.pk}:{receipt.user_id}",
        )
    enqueue(
        "dashboards.bulletin", {"bulletin": row.pk}, key=f"bulletin:{row.pk}", by=by
    )
    details = {"number": row.ref, "readers": row.receipts.count()}
    audit.record(by, "bulletin.published", row, office=row.office, details=details)
    return row


def _readers(row: Bulletin) -> list[Receipt]:
    """Everybody posted at the office or at one of the units, once."""
    offices = [row.office_id, *row.units.values_list("pk", flat=True)]
    postings = Posting.objects.in_force(localdate()).filter(
        office__in=offices,
        role__in=CAPABILITIES["bulletin.read"],
        user__is_active=True,
    )
    found: dict[int, Receipt] = {}
    for posting in postings.order_by("pk"):
        receipt = Receipt(
            bulletin=row, user_id=posting.user_id, office_id=posting.office_id
        )
        found.setdefault(posting.user_id, receipt)
    return list(found.values())


@transaction.atomic
def archive(bulletin: Bulletin, *, by: User) -> Bulletin:
    """Put a published one away: it stays readable."""
    row = locked(bulletin, State.PUBLISHED, State.ARCHIVED)
    require(by, "bulletin.write", row.office)
    if row.state != State.ARCHIVED:
        row.state = State.ARCHIVED
        row.save(update_fields=["state"])
        audit.record(by, "bulletin.archived", row, office=row.office)
    return row


@transaction.atomic
def drop(bulletin: Bulletin, *, by: User) -> None:
    """Throw a draft away."""
    row = locked(bulletin, State.DRAFT)
    require(by, "bulletin.write", row.office)
    audit.record(by, "bulletin.dropped", row, office=row.office)
    row.delete()


def path_of(bulletin: Bulletin, kind: str) -> Path:
    """Where the PDF or DOCX of a published one lies."""
    return Path(settings.FILES_ROOT) / "bulletins" / f"{bulletin.pk}.{kind}"


def opened(bulletin: Bulletin, by: User) -> None:
    """Note that a receiver has opened a published one; the first time counts."""
    rows = Receipt.objects.filter(bulletin=bulletin, user=by, read_at=None)
    rows.update(read_at=now())
