"""Documents on their way: written, issued by another, read by everybody concerned.

Sources: R-ORG-23, 24, 29…31, 34; R-RSK-04. The days to read are own judgement.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.capabilities import require
from crm.access.models import Posting, User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.library.models import Document, Edition, Promise, Reading
from crm.notify.services import tell
from crm.org.models import Office, paths_above

State = Edition.State
DAYS = 7  # to read what is new
PUBLISHED = gettext_noop("Please read and confirm")
LATE = gettext_noop("Still to be read and confirmed")
Lines = Iterable[dict[str, str]]


@transaction.atomic
def write(
    document: Document, edition: Edition, *, by: User, promises: Lines = ()
) -> Document:
    """A new document with its first draft."""
    require(by, "library.write", document.office)
    document.made_by = by
    document.save()
    edition.document, edition.number, edition.written_by = document, 1, by
    _save(edition, promises)
    audit.record(by, "document.written", document, office=document.office)
    return document


def _save(edition: Edition, promises: Lines) -> None:
    edition.save()
    edition.promises.all().delete()
    Promise.objects.bulk_create(Promise(edition=edition, **line) for line in promises)


def _locked(document: Document) -> Document:
    return Document.objects.select_for_update(of=("self",)).get(pk=document.pk)


def draft_of(document: Document) -> tuple[Edition, list[Any]]:
    """The draft of the next edition and its promises; a new one begins as the last one
    stands and is not kept yet."""
    last = document.editions.first()
    if last is None:
        raise ValueError("a document has an edition")
    lines = list(last.promises.values("content", "price", "limit"))
    if last.state == State.DRAFT:
        return last, lines
    made = Edition(
        document=document,
        number=last.number + 1,
        text=last.text,
        effective_on=localdate(),
        version=0,
    )
    return made, lines


@transaction.atomic
def save_draft(
    document: Document,
    *,
    by: User,
    facts: dict[str, Any],
    promises: Lines,
    version: int,
) -> Edition:
    """Keep the draft of the next edition. Refused("edition.changed") when another version
    was saved, or issued, since `version` was read (0: there was no draft)."""
    document = _locked(document)
    require(by, "library.write", document.office)
    row, _lines = draft_of(document)
    if row.version != version:
        message = _("Somebody has changed this since you opened it: read theirs first.")
        raise Refused("edition.changed", message)
    for name, value in facts.items():
        setattr(row, name, value)
    row.written_by, row.version = by, row.version + 1
    _save(row, promises)
    audit.record(by, "document.edited", document, office=document.office)
    return row


@transaction.atomic
def save_facts(document: Document, *, by: User) -> Document:
    """Title, kind, whom it concerns: corrected; who is new among them is asked."""
    _locked(document)
    require(by, "library.write", document.office)
    document.save(update_fields=["title", "kind", "slot", "roles", "is_signed"])
    if document.current:
        document.current.document = document
        ask(document.current)
    audit.record(by, "document.facts", document, office=document.office)
    return document


@transaction.atomic
def drop(document: Document, *, by: User) -> None:
    """Throw away what was never issued. Refused("document.issued")."""
    row = _locked(document)
    require(by, "library.write", row.office)
    if row.editions.exclude(state=State.DRAFT).exists():
        raise Refused("document.issued", _("It was issued: withdraw it."))
    audit.record(by, "document.dropped", row, office=row.office)
    row.delete()


@transaction.atomic
def issue(edition: Edition, *, by: User, version: int) -> Edition:
    """Another than who wrote it last puts it in force; everybody concerned is asked to
    read it. Refused("edition.same", "edition.changed", "edition.promises").
    Twice is once."""
    document = _locked(edition.document)
    require(by, "library.write", document.office)
    row = Edition.objects.select_related("document").get(pk=edition.pk)
    if row.state != State.DRAFT:
        return row
    _check(row, by, version)
    row.effective_on = max(row.effective_on, localdate())  # it was written days ago
    Edition.objects.filter(document=document, state=State.ISSUED).update(
        state=State.REPLACED, replaced_on=row.effective_on
    )
    row.state, row.issued_by, row.issued_at = State.ISSUED, by, now()
    row.save()
    document.current = row
    document.save(update_fields=["current"])
    asked = ask(row)
    details = {"edition": row.number, "readers": asked}
    audit.record(
        by, "document.issued", document, office=document.office, details=details
    )
    return row


def _check(row: Edition, by: User, version: int) -> None:
    if by.pk == row.written_by_id:
        raise Refused("edition.same", _("Whoever wrote it cannot issue it."))
    if row.version != version:
        message = _("It was changed since you opened it: read it again.")
        raise Refused("edition.changed", message)
    is_promise = row.document.kind == Document.Kind.PROMISE
    if is_promise and not row.promises.exists():
        raise Refused("edition.promises", _("Write at least one promise."))


@transaction.atomic
def withdraw(document: Document, *, by: User) -> None:
    """It holds no longer; its editions stay. Refused("document.draft")."""
    row = _locked(document)
    require(by, "library.write", row.office)
    if row.current is None:
        raise Refused("document.draft", _("Nothing of it is in force."))
    Edition.objects.filter(pk=row.current.pk).update(
        state=State.REPLACED, replaced_on=localdate()
    )
    row.current = None
    row.save(update_fields=["current"])
    audit.record(by, "document.withdrawn", row, office=row.office)


def concerned(document: Document) -> QuerySet[Posting]:
    """The postings of the people whom a document concerns, by person."""
    here = Office.objects.filter(path__startswith=document.office.path)
    rows = Posting.objects.in_force(localdate()).filter(
        office__in=here, user__is_active=True
    )
    if document.roles:
        rows = rows.filter(role__in=document.roles)
    return rows.order_by("user", "pk")


def ask(edition: Edition) -> int:
    """Ask everybody concerned who has not been asked; how many. Twice asks nobody twice."""
    document = edition.document
    if not document.is_signed:
        return 0
    known = Reading.objects.filter(edition=edition, user=OuterRef("user"))
    at = now()
    due = max(localdate(), edition.effective_on) + timedelta(days=DAYS)
    rows: dict[int, Reading] = {}
    for posting in concerned(document).exclude(Exists(known)).select_related("user"):
        row = Reading(
            edition=edition,
            user=posting.user,
            office_id=posting.office_id,
            asked_at=at,
            due_on=due,
        )
        rows.setdefault(posting.user_id, row)
    Reading.objects.bulk_create(rows.values(), ignore_conflicts=True)
    for user in (row.user for row in rows.values()):
        _tell(user, PUBLISHED, edition, "asked")
    return len(rows)


def _tell(user: User, subject: str, edition: Edition, what: str) -> None:
    tell(
        user,
        "library",
        subject=subject,
        body=edition.document.title,
        url=edition.document.get_absolute_url(),
        key=f"edition:{edition.pk}:{what}:{user.pk}",
    )


@transaction.atomic
def confirm(document: Document, *, by: User, number: int | None = None) -> Reading:
    """One has read the edition in force. Refused("reading.none") for who was not asked,
    ("reading.edition") when another than `number` is in force by now. Twice is once."""
    if number is not None and document.current and document.current.number != number:
        message = _("There is a newer edition: read that one.")
        raise Refused("reading.edition", message)
    row = (
        Reading.objects.select_for_update(of=("self",))
        .filter(edition__document=document, edition=document.current, user=by)
        .first()
    )
    if row is None:
        raise Refused("reading.none", _("You need not confirm this."))
    if row.read_at is None:
        row.read_at = now()
        row.save(update_fields=["read_at"])
        audit.record(by, "document.read", document, office=row.office)
    return row


def waiting_for(user: User) -> QuerySet[Reading]:
    """What one is still to read, the most urgent first."""
    rows = Reading.objects.filter(
        user=user, read_at=None, edition__state=State.ISSUED
    ).select_related("edition__document__office")
    return rows.order_by("due_on", "pk")


def ask_step(job: Job) -> bool:
    """Job, nightly: who is new is asked, who has left is not waited for, who is late is
    told once. Twice comes to the same."""
    today = localdate()
    asked = 0
    rows = Edition.objects.filter(state=State.ISSUED, document__is_signed=True)
    for edition in rows.select_related("document__office"):
        people = concerned(edition.document).values("user")
        edition.readings.filter(read_at=None).exclude(user__in=people).delete()
        asked += ask(edition)
    late = Reading.objects.filter(
        read_at=None, edition__state=State.ISSUED, due_on__lt=today
    )
    for row in late.select_related("user", "edition__document"):
        _tell(row.user, LATE, row.edition, "late")
    job.result = {"asked": asked}
    return True


def missing_slots(office: Office) -> list[Any]:
    """Of the documents that must exist, those in force neither here nor above."""
    known = Document.objects.filter(
        office__path__in=paths_above(office.path), current__isnull=False
    ).exclude(slot="")
    there = set(known.values_list("slot", flat=True))
    return [label for value, label in Document.Slot.choices if value not in there]
