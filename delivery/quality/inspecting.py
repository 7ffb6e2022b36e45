"""Inspections and probe mail: planned, carried out, ended; findings lead to improvements.

A test letter whose receiver names the day is judged by its expected day; everything else
by who looks. What the scans say of it stands beside it and decides nothing.
"""

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm import files
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.notify.services import tell
from delivery.models import Check, Inspection, MailItem, MailKey
from delivery.quality.rates import Share

State, Verdict = Inspection.State, Check.Verdict
MOST_CHECKS = 200
YEAR = 365  # days that the shares look back
GIVEN = gettext_noop("An inspection for you")  # translated when it is read


@transaction.atomic
def plan(row: Inspection, *, by: User) -> Inspection:
    """Plan an inspection with the points of the last one of its kind and office; who
    inspects is told."""
    require(by, "inspection.plan", row.office)
    row.made_by = by
    last = Inspection.objects.filter(kind=row.kind, office=row.office).first()
    row.save()
    if last and row.kind != Inspection.Kind.PROBE:
        Check.objects.bulk_create(
            Check(inspection=row, what=old.what, expected=old.expected)
            for old in last.checks.all()
        )
    if row.inspector_id != by.pk:
        tell(
            row.inspector,
            "measure",
            subject=GIVEN,
            body=row.title,
            url=row.get_absolute_url(),
            key=f"inspection:{row.pk}",
        )
    audit.record(by, "inspection.planned", row, office=row.office)
    return row


def _locked(row: Inspection, by: User) -> Inspection:
    """The inspection, locked, to somebody who may carry it out; only while it is planned."""
    rows = Inspection.objects.select_for_update(of=("self",)).select_related("office")
    row = rows.get(pk=row.pk)
    if row.inspector_id != by.pk:
        require(by, "inspection.plan", row.office)
    if row.state != State.PLANNED:
        raise Refused("inspection.ended", _("This inspection has ended."))
    return row


@transaction.atomic
def add_check(row: Inspection, check: Check, *, by: User) -> Check:
    """One more point or test letter; a letter without a day gets the day of its limit.

    Refused("check.many"), ("check.twice") for a waybill that is there already.
    """
    row = _locked(row, by)
    if row.checks.count() >= MOST_CHECKS:
        raise Refused("check.many", _("This inspection is long enough."))
    check.inspection = row
    if check.waybill and check.expected_on is None:
        item = items_of([check], by).get(check.waybill)
        check.expected_on = localdate(item.due_at) if item and item.due_at else None
    try:
        with transaction.atomic():
            check.save()
    except IntegrityError as error:
        raise Refused("check.twice", _("This letter is here already.")) from error
    return check


@transaction.atomic
def note(
    row: Inspection, check: Check, *, by: User, data: bytes | None = None, **facts: Any
) -> Check:
    """Write down what was found: actual, actual_on, verdict, and a picture. Where there
    are two days, they decide.

    Refused("check.verdict") where neither a verdict nor two days say how it is,
    ("check.improved") for turning what an improvement stands on.
    """
    row = _locked(row, by)
    check = row.checks.select_for_update().get(pk=check.pk)
    for name, value in facts.items():
        setattr(check, name, value)
    if check.actual_on and check.expected_on:
        is_timely = check.actual_on <= check.expected_on
        check.verdict = Verdict.MET if is_timely else Verdict.MISSED
    if not check.verdict:
        raise Refused("check.verdict", _("Say whether it is as expected."))
    if check.verdict == Verdict.MET and check.improvements.exists():
        message = _("An improvement stands on this finding: it stays as it is.")
        raise Refused("check.improved", message)
    check.noted_at = now()
    if data:
        _keep_picture(check, data)
    check.save()
    audit.record(by, "inspection.noted", row, office=row.office)
    return check


def _keep_picture(check: Check, data: bytes) -> None:
    """Drawn anew, without its EXIF, under a random name; the one before it goes."""
    content_type, clean = files.inspect(data)
    if content_type != "image/jpeg":
        raise Refused("file.type", _("Only pictures (JPEG, PNG) can be added."))
    old = check.path if check.photo else None
    check.photo = uuid.uuid4()
    check.path.parent.mkdir(parents=True, exist_ok=True)
    check.path.write_bytes(clean)
    if old:
        transaction.on_commit(lambda: old.unlink(missing_ok=True))


@transaction.atomic
def end(
    row: Inspection, *, by: User, summary: str, dropped: bool = False
) -> Inspection:
    """It is done, or will not take place. Refused("inspection.open") while a point of it
    is not noted; drop what could not be looked at by saying so in a new one."""
    row = _locked(row, by)
    if not dropped and (not row.checks.exists() or row.checks.filter(verdict="")):
        message = _("Note every point first, or take it away.")
        raise Refused("inspection.open", message)
    row.state = State.DROPPED if dropped else State.DONE
    row.summary, row.ended_at = summary, now()
    row.save(update_fields=["state", "summary", "ended_at"])
    audit.record(by, f"inspection.{row.state}", row, office=row.office)
    return row


@transaction.atomic
def take_away(row: Inspection, check: Check, *, by: User) -> None:
    """A point that is not noted goes. Refused("check.noted")."""
    row = _locked(row, by)
    gone, _kinds = row.checks.filter(pk=check.pk, verdict="").delete()
    if not gone:
        raise Refused("check.noted", _("What is noted stays."))


def items_of(checks: list[Check], user: User) -> dict[str, MailItem]:
    """The items of test letters, by waybill, as far as scans know them and the user may
    see them anyway: a test letter is no way round that. Two queries."""
    numbers = [check.waybill for check in checks if check.waybill]
    if not numbers:
        return {}
    keys = MailKey.objects.filter(waybill__in=numbers)
    days = dict(keys.values_list("waybill", "accepted_on"))
    rows = MailItem.objects.visible_to(user).filter(
        waybill__in=days, accepted_on__in=set(days.values())
    )
    return {row.waybill: row for row in rows}


def counts_of(rows: Iterable[Inspection]) -> dict[int, dict[str, int]]:
    """Points of inspections by verdict, "" for those not noted. One query."""
    found = {row.pk: dict.fromkeys(("", *Verdict.values), 0) for row in rows}
    noted = Check.objects.filter(inspection__in=found).order_by()
    for pk, verdict, n in noted.values_list("inspection", "verdict").annotate(
        n=Count("pk")
    ):
        found[pk][verdict] = n
    return found


def shares(rows: QuerySet[Inspection]) -> list[tuple[str, Share]]:
    """Points and letters as expected, of those noted, in inspections of the last year that
    have ended: samples, to be read with their intervals (EN 13850). One query."""
    ended = rows.filter(
        state=State.DONE, planned_on__gte=localdate() - timedelta(days=YEAR)
    )
    noted = Check.objects.filter(inspection__in=ended.order_by()).exclude(verdict="")
    found = {
        kind: Share(met, n)
        for kind, met, n in noted.order_by()
        .values_list("inspection__kind")
        .annotate(met=Count("pk", filter=Q(verdict=Verdict.MET)), n=Count("pk"))
    }
    return [
        (str(label), found.get(kind, Share(0, 0)))
        for kind, label in Inspection.Kind.choices
    ]
