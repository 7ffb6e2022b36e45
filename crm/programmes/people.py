"""Staff records: who may look at whose, and who keeps them.

Sources: R-ORG-13, 22, 28, 46. Supervisors keep the records of those posted at or below their
office; everybody sees their own.
"""

from pathlib import Path

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm import files
from crm.access.capabilities import may
from crm.access.models import Posting, User
from crm.access.scoping import offices_of
from crm.audit import services as audit
from crm.errors import Refused
from crm.programmes.models import StaffRecord

KEPT = ("badge", "level", "origin", "joined_on")


def posted(by: User) -> QuerySet[Posting]:
    """The postings of today at or below one's offices, one for each role of a person."""
    rows = Posting.objects.in_force(localdate()).filter(
        office__in=offices_of(by, "supervisor"), user__is_active=True
    )
    return rows.select_related("user__staff_record", "office")


def may_keep(by: User, user: User) -> bool:
    """Who supervises somebody, and nobody of themselves."""
    return by.pk != user.pk and any(
        may(by, "staff.manage", posting.office) for posting in user.postings_now
    )


def may_see(by: User, user: User) -> bool:
    return by.pk == user.pk or may_keep(by, user)


def record_of(user: User) -> StaffRecord:
    """The record, or a new one that is not kept yet."""
    found = StaffRecord.objects.filter(user=user).first()
    return found or StaffRecord(user=user)


def _locked(user: User, by: User) -> StaffRecord:
    """The record as it is now; whoever else keeps it waits."""
    if not may_keep(by, user):
        raise PermissionDenied("staff.manage")
    User.objects.select_for_update().get(pk=user.pk)
    return record_of(user)


@transaction.atomic
def keep(record: StaffRecord, *, by: User, seen: str = "") -> StaffRecord:
    """Write a record down; what changed is in the trail. Refused: "record.stale" when
    somebody else has kept it since the page (`seen`) was made, "record.badge" for a number
    that somebody else wears."""
    now_kept = _locked(record.user, by)
    if now_kept.pk and now_kept.seen != seen:
        raise Refused("record.stale", _("Somebody else has changed it: look again."))
    now_kept.kept_by = by
    for name in KEPT:
        setattr(now_kept, name, getattr(record, name))
    others = StaffRecord.objects.exclude(user=record.user)
    if record.badge and others.filter(badge=record.badge).exists():
        raise Refused("record.badge", _("Somebody else wears this number."))
    now_kept.save()
    details = {"badge": record.badge, "level": record.level}
    audit.record(by, "staff.record_kept", record.user, details=details)
    return now_kept


@transaction.atomic
def keep_photo(user: User, *, by: User, data: bytes) -> Path:
    """The picture on the badge, drawn anew. Refused: "file.type", "file.size"."""
    content_type, clean = files.inspect(data)
    if content_type != "image/jpeg":
        raise Refused("file.type", _("Only pictures (JPEG, PNG) can be added."))
    row = _locked(user, by)
    row.has_photo, row.kept_by = True, by
    row.save()
    row.photo.parent.mkdir(parents=True, exist_ok=True)
    drawn = row.photo.with_suffix(".new")
    drawn.write_bytes(clean)
    transaction.on_commit(lambda: drawn.replace(row.photo))
    audit.record(by, "staff.photo_kept", user)
    return row.photo
