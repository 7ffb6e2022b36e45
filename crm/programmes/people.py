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


def posted(by: User) -> QuerySet[Posting]:
    """The postings of today at or below one's offices, one for each person and office."""
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


@transaction.atomic
def keep(record: StaffRecord, *, by: User) -> StaffRecord:
    """Write a record down; what changed is in the trail."""
    if not may_keep(by, record.user):
        raise PermissionDenied("staff.manage")
    User.objects.select_for_update().get(
        pk=record.user_id
    )  # RACE: two forms take turns
    if record.pk is None:
        old = StaffRecord.objects.filter(user=record.user).first()
        record.pk = old.pk if old else None
        record.has_photo = bool(old and old.has_photo)
    record.kept_by = by
    record.save()
    details = {"badge": record.badge, "level": record.level}
    audit.record(by, "staff.record_kept", record.user, details=details)
    return record


@transaction.atomic
def keep_photo(user: User, *, by: User, data: bytes) -> Path:
    """The picture on the badge, drawn anew. Refused: "file.type", "file.size"."""
    if not may_keep(by, user):
        raise PermissionDenied("staff.manage")
    content_type, clean = files.inspect(data)
    if content_type != "image/jpeg":
        raise Refused("file.type", _("Only pictures (JPEG, PNG) can be added."))
    row, _made = StaffRecord.objects.update_or_create(
        user=user, defaults={"has_photo": True, "kept_by": by}
    )
    row.photo.parent.mkdir(parents=True, exist_ok=True)
    row.photo.write_bytes(clean)
    audit.record(by, "staff.photo_kept", user)
    return row.photo
