"""A visit logged: the report, what follows from it, and what is kept while it is typed.

Source: R-VIS-05 to 07, 22 to 26; anchors.md 2.8 (the next date stands on the form itself).
"""

import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db import transaction
from django.http import QueryDict
from django.utils.timezone import localdate, localtime, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm import files
from crm.access.capabilities import may, require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.hooks.services import emit
from customers import notes
from customers.models import ContactPerson, Customer, Opportunity, TimelineEntry
from customers.services import add_timeline_entry, tell_supervisors
from delivery import planning
from delivery.models import (
    Visit,
    VisitDraft,
    VisitPhoto,
    VisitReport,
    VisitType,
    Way,
)
from delivery.visit_rules import PRIORITY
from delivery.visits import State, locked, may_act

LEAVING = gettext_noop("A customer thinks of leaving")  # translated when it is read
MOST_PHOTOS = 6
DRAFT_BYTES = 20_000
NEED_NOTES = {
    VisitReport.Need.BASIC: TimelineEntry.Note.NEED_BASIC,
    VisitReport.Need.EXTENDED: TimelineEntry.Note.NEED_EXTENDED,
    VisitReport.Need.DIFFERENTIAL: TimelineEntry.Note.NEED_DIFFERENTIAL,
    VisitReport.Need.LATENT: TimelineEntry.Note.NEED_LATENT,
}


def known_since(customer: Customer) -> date:
    """The first day on which the customer can have been visited: recorded, under contract
    or with usage. Two queries."""
    days = [localtime(customer.created_at).date()]
    first = customer.contracts.order_by("starts_on").values_list("starts_on", flat=True)
    days += first[:1]
    with suppress(ObjectDoesNotExist):
        days.append(customer.value.first_on)
    return min(days)


def others_due(visit: Visit, user: User) -> list[Visit]:
    """Other open visits of the customer that this one might do for: the user's to log,
    their window open or opening within a week; a call does for no visit in person."""
    rows = Visit.objects.visible_to(user).running().filter(customer=visit.customer_id)
    near = localdate() + timedelta(days=7)
    rows = rows.filter(at=None, first_day__lte=near).exclude(pk=visit.pk)
    if visit.way == Way.CALL:
        rows = rows.filter(way=Way.CALL)
    found = rows.select_related("customer__office").order_by("due_on")
    return [row for row in found if may_act(user, row)]


def begin(customer: Customer, *, by: User, type: str, way: str, source: str) -> Visit:
    """A visit that nobody had planned, about to be logged; the same `source` is the same
    visit. Rights as for asking."""
    require(by, "visit.log", customer.office)
    today = localdate()
    made, is_new = Visit.objects.get_or_create(
        source=source,
        defaults={
            "type": type,
            "way": way,
            "customer": customer,
            "office": customer.office,
            "visitor": by,
            "is_given": True,
            "first_day": today,
            "due_on": today,
            "day": today,
            "is_pinned": True,
            "priority": PRIORITY[VisitType(type)],
            "why": {"code": "hand", "by": str(by)},
            "asked_by": by,
        },
    )
    if is_new:
        audit.record(by, "visit.begun", made, office=customer.office)
    return made


@transaction.atomic
def log(
    visit: Visit,
    *,
    by: User,
    visited_on: date,
    result: str,
    met: Iterable[ContactPerson] = (),
    also: Iterable[Visit] = (),
    next_on: date | None = None,
    next_type: str = "",
    **found: Any,
) -> VisitReport:
    """Log a visit once; needs and competitor go onto the customer's timeline, the next
    date becomes a visit. `also` are others of the customer that this one does for.

    Refused: "visit.closed" (somebody was faster), "visit.before" (the customer was not
    there yet), "visit.future", "visit.next".
    """
    row = locked(visit)
    if not may_act(by, row):
        raise PermissionDenied("visit.log")
    customer = row.customer
    _check_day(customer, visited_on)
    report = VisitReport.objects.create(
        visit=row,
        by=by,
        visited_on=visited_on,
        result=result,
        next_on=next_on,
        next_type=next_type if next_on else "",
        **found,
    )
    report.met.set(met)
    row.state, row.closed_by, row.closed_at = State.DONE, by, now()
    row.visitor = by if row.visitor is None else row.visitor
    row.save(update_fields=["state", "closed_by", "closed_at", "visitor"])
    VisitDraft.objects.filter(visit=row).delete()
    _cover(row, also, by)
    _write_down(row, report, by)
    if next_on:
        _next(row, report, by)
    if result == VisitReport.Result.LEAVING:
        key = f"leaving:{row.pk}"
        url = row.get_absolute_url()
        tell_supervisors(customer.office, LEAVING, key=key, url=url, but=by)
    audit.record(by, "visit.logged", row, office=row.office)
    data = {"ref": row.ref, "type": row.type, "result": result}
    emit("visit.done", [row.office], data)
    return report


def _cover(visit: Visit, also: Iterable[Visit], by: User) -> None:
    """Others of the same customer that this visit does for."""
    wanted = {other.pk for other in also}
    mine = [other.pk for other in others_due(visit, by) if other.pk in wanted]
    Visit.objects.running().filter(pk__in=mine).update(
        state=State.DONE,
        closed_by=by,
        closed_at=now(),
        covered_by=visit,
    )


def _check_day(customer: Customer, day: date) -> None:
    if day > localdate():
        raise Refused("visit.future", _("This day has not come yet."))
    if day < (since := known_since(customer)):
        message = _("The customer is known since %(day)s only.") % {"day": since}
        raise Refused("visit.before", message)


def _write_down(visit: Visit, report: VisitReport, by: User) -> None:
    heard = {
        NEED_NOTES[VisitReport.Need(need)]: report.need_text
        or notes.message_id(VisitReport.Need(need))
        for need in report.needs
    }
    if report.competitor:
        heard[TimelineEntry.Note.COMPETITOR] = report.competitor
    for kind, words in heard.items():  # whoever was sent may say what was heard
        TimelineEntry.objects.create(
            customer=visit.customer,
            kind=kind,
            at=now(),
            title=notes.message_id(kind),
            text=words,
            by=by,
            source=f"visit:{visit.pk}:{kind}",
        )
    add_timeline_entry(
        visit.customer,
        kind="visit",
        at=now(),
        ref=visit.ref,
        title=notes.message_id(VisitType(visit.type)),
        url=visit.get_absolute_url(),
        state=notes.message_id(VisitReport.Result(report.result)),
        source=f"visit:{visit.pk}",
    )


def _next(visit: Visit, report: VisitReport, by: User) -> None:
    """The date that was agreed: fixed, on the list of who goes."""
    day, today = report.next_on, localdate()
    if day is None or not today <= day <= today + timedelta(days=400):
        raise Refused("visit.next", _("The next date lies in the past, or too far."))
    made = Visit.objects.create(
        type=report.next_type,
        way=Way.CALL if report.next_type == VisitType.GREETING else visit.way,
        customer=visit.customer,
        office=visit.customer.office,
        visitor=visit.visitor if visit.is_given else visit.customer.manager or by,
        is_given=visit.is_given,
        source=f"next:{visit.pk}",
        first_day=day,
        due_on=day,
        day=day,
        is_pinned=True,
        priority=PRIORITY[VisitType(report.next_type)],
        why={"code": "agreed", "ref": visit.ref},
        asked_by=by,
    )
    planning.plan_soon(made.visitor_id)


# --- what is typed so far -----------------------------------------------------------------


@transaction.atomic
def keep(visit: Visit, *, by: User, typed: QueryDict) -> None:
    """Keep an unfinished form; Refused("visit.closed"), ("draft.size")."""
    row = locked(visit)
    if not may_act(by, row):
        raise PermissionDenied("visit.log")
    text = typed.urlencode()
    if len(text) > DRAFT_BYTES:
        raise Refused("draft.size", _("This text is too long."))
    facts = {"typed": text, "kept_at": now()}
    VisitDraft.objects.update_or_create(visit=row, by=by, defaults=facts)


def draft_of(visit: Visit, user: User) -> VisitDraft | None:
    return VisitDraft.objects.filter(visit=visit, by=user).first()


# --- pictures -----------------------------------------------------------------------------


@transaction.atomic
def add_photo(
    visit: Visit, *, by: User, data: bytes, key: uuid.UUID | None = None
) -> VisitPhoto:
    """Keep a picture, drawn anew; the same `key` again is the same picture.

    Refused: "file.type", "file.size", "photo.many".
    """
    rows = Visit.objects.select_for_update(of=("self",))
    row = rows.select_related("customer__office").get(pk=visit.pk)
    if not may_act(by, row):
        raise PermissionDenied("visit.log")
    if key and (known := row.photos.filter(key=key).first()):
        return known
    if row.photos.count() >= MOST_PHOTOS:
        raise Refused("photo.many", _("Six pictures at most."))
    content_type, clean = files.inspect(data)
    if content_type != "image/jpeg":
        raise Refused("file.type", _("Only pictures (JPEG, PNG) can be added."))
    photo = VisitPhoto(visit=row, key=key, added_by=by)
    photo.save(force_insert=True)
    photo.path.parent.mkdir(parents=True, exist_ok=True)
    photo.path.write_bytes(clean)
    audit.record(by, "visit.photo_added", row, office=row.office)
    return photo


# --- what a visit becomes, in one tap -------------------------------------------------------


def _words(report: VisitReport) -> str:
    return report.need_text or report.note or report.advice


@transaction.atomic
def to_opportunity(report: VisitReport, *, by: User) -> Opportunity:
    """An opportunity named by what was said; again is the same one."""
    visit = locked_done(report, by)
    title = (_words(report) or str(visit))[:70] + f" ({visit.ref})"
    known = visit.customer.opportunities.filter(
        title__endswith=f"({visit.ref})"
    ).first()
    return known or notes.save_opportunity(visit.customer, by=by, title=title[:80])


@transaction.atomic
def to_correction(report: VisitReport, *, by: User) -> None:
    """A correction request with what was noted; again is the same one."""
    visit = locked_done(report, by)
    mark = f"({visit.ref})"
    asked = [row.wanted for row in visit.customer.corrections.filter(raised_by=by)]
    if any(wanted.endswith(mark) for wanted in asked):
        return
    words = f"{_words(report) or visit.get_type_display()} {mark}"
    notes.request_correction(
        visit.customer, by=by, office=visit.office, field="other", wanted=words
    )


def locked_done(report: VisitReport, by: User) -> Visit:
    """The visit of a report, locked, to somebody who may act on it."""
    rows = Visit.objects.select_for_update(of=("self",))
    visit = rows.select_related("customer__office").get(pk=report.visit_id)
    if not (may_act(by, visit) and may(by, "visit.log")):
        raise PermissionDenied("visit.log")
    return visit


def forget_customer(customer: Customer) -> None:
    """The customer is erased: what was written about them and the pictures go; that a
    visit took place stays."""
    rows = Visit.objects.filter(customer=customer)
    empty = dict.fromkeys(
        ["met_others", "need_text", "advice", "note", "competitor"], ""
    )
    for report in VisitReport.objects.filter(visit__in=rows):
        report.met.clear()
    VisitReport.objects.filter(visit__in=rows).update(**empty)
    VisitDraft.objects.filter(visit__in=rows).delete()
    for photo in VisitPhoto.objects.filter(visit__in=rows):
        photo.path.unlink(missing_ok=True)
        photo.delete()
    closed = {"closed_at": now(), "state": State.DROPPED, "reason": ERASED}
    rows.filter(state=State.OPEN).update(
        **closed, day=None, at=None, is_pinned=False, note=""
    )
    rows.update(note="")


ERASED = gettext_noop("The customer was erased")
