"""emit(): an event becomes a row for each address that wants it, in the caller's
transaction; and keeping the addresses."""

import secrets
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.timezone import now

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.hooks.events import TEST
from crm.hooks.models import Dispatch, Endpoint
from crm.jobs.services import enqueue
from crm.org.models import Office
from crm.org.queries import ancestry

PREFIX = "whsec_"


@transaction.atomic
def emit(event: str, offices: Iterable[Office], data: dict[str, Any]) -> int:
    """Queue an event for whoever wants it of one of `offices`; how many do. `data` names rows by
    their public references and carries no personal data. One query when nobody does."""
    wanted = Endpoint.objects.filter(is_active=True, events__contains=[event])
    over = {path for office in offices for path in ancestry(office)}
    found = list(wanted.filter(office__path__in=over))
    return _queue(found, event, data)


def _queue(endpoints: list[Endpoint], event: str, data: dict[str, Any]) -> int:
    at = now()
    payload = {"type": event, "timestamp": at.isoformat(), "data": data}
    Dispatch.objects.bulk_create(
        Dispatch(endpoint=one, event=event, payload=payload, due_at=at, created_at=at)
        for one in endpoints
    )
    if endpoints:
        enqueue("hooks.deliver")
    return len(endpoints)


@transaction.atomic
def add_endpoint(endpoint: Endpoint, *, by: User) -> str:
    """Keep a new address; the secret that signs, to be shown this once."""
    require(by, "hook.manage", endpoint.office)
    secret = PREFIX + secrets.token_urlsafe(32)
    endpoint.secret, endpoint.created_by = secret, by
    endpoint.save()
    details = {"url": endpoint.shown_url, "events": endpoint.events}
    audit.record(by, "hook.added", endpoint, office=endpoint.office, details=details)
    return secret


@transaction.atomic
def switch(endpoint: Endpoint, *, by: User, is_active: bool) -> None:
    """Stop telling an address, or go on; what waits is kept until then."""
    require(by, "hook.manage", endpoint.office)
    endpoint.is_active = is_active
    endpoint.save(update_fields=["is_active"])
    what = "hook.started" if is_active else "hook.stopped"
    audit.record(by, what, endpoint, office=endpoint.office)
    if is_active:
        enqueue("hooks.deliver")


@transaction.atomic
def remove(endpoint: Endpoint, *, by: User) -> None:
    require(by, "hook.manage", endpoint.office)
    audit.record(by, "hook.removed", endpoint, office=endpoint.office)
    endpoint.delete()


@transaction.atomic
def try_out(endpoint: Endpoint, *, by: User) -> None:
    """Send an event that says only that it is a test."""
    require(by, "hook.manage", endpoint.office)
    _queue([endpoint], TEST, {"endpoint": endpoint.name})
    audit.record(by, "hook.tried", endpoint, office=endpoint.office)


@transaction.atomic
def send_again(dispatch: Dispatch, *, by: User) -> None:
    """Another round for one that failed, or was lost over there."""
    rows = Dispatch.objects.select_for_update(of=("self",)).select_related("endpoint")
    dispatch = rows.get(pk=dispatch.pk)
    require(by, "hook.manage", dispatch.endpoint.office)
    if not dispatch.endpoint.is_active:
        raise PermissionDenied("hook.manage")
    dispatch.state, dispatch.attempts = Dispatch.State.PENDING, 0
    dispatch.due_at = now()
    dispatch.save(update_fields=["state", "attempts", "due_at"])
    audit.record(by, "hook.sent_again", dispatch.endpoint)
    enqueue("hooks.deliver")
