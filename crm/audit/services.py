"""record(): the one way into the trail."""

from typing import Any

from django.db import models
from django.utils.timezone import now

from crm import fields
from crm.audit.models import AuditEvent


def record(
    by: Any,
    action: str,
    target: models.Model | str = "",
    *,
    office: Any = None,
    result: str = AuditEvent.Result.OK,
    details: dict | None = None,
    trace: Any = None,
) -> AuditEvent:
    """Append one event in the caller's transaction; if it cannot be written, nothing is.

    `by` is a user, or None for the system. The request's address and session come from
    `by.trace`, which the session middleware sets (or `trace`, before anybody has signed
    in). `details` holds masked values and names of encrypted fields, never their text.
    """
    trace = trace or getattr(by, "trace", None)
    is_user = by is not None and by.pk is not None
    event = AuditEvent(
        at=now(),
        actor_id=by.pk if is_user else None,
        actor_name=by.get_username() if is_user else "system",
        role=",".join(sorted({p.role for p in by.postings_now}))[:120]
        if is_user
        else "",
        office_path=office.path if office is not None else "",
        action=action,
        target=target
        if isinstance(target, str)
        else f"{target._meta.label_lower}:{target.pk}",
        result=result,
        details=details or {},
        ip=getattr(trace, "ip", None) or None,
        session=getattr(trace, "session", ""),
        request_id=getattr(trace, "request_id", ""),
    )
    event.mac = fields.sign(event.message())
    event.save(force_insert=True)
    return event
