"""Delivering events: signed, at least once, never into our own house.

SECURITY (B38): the address is resolved by us and the connection goes to what was resolved,
so that a name cannot point elsewhere between check and use; private networks only when
HOOK_NETWORKS names them; no redirect is followed; little of the answer is read.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import logging
import socket
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import urllib3
from django.conf import settings
from django.db.models import F
from django.utils.timezone import now
from django.utils.translation import gettext_noop

from crm.hooks.models import Dispatch, Endpoint
from crm.jobs.models import Job
from crm.notify.services import tell

MAX_ATTEMPTS = 8  # over about two hours
FIRST_WAIT = timedelta(seconds=30)
TIMEOUT = urllib3.Timeout(connect=3, read=5)
READ_BYTES = 200
FAILED = gettext_noop("A webhook could not be delivered")  # translated when read
logger = logging.getLogger(__name__)


class Unsafe(Exception):
    """The address leads where we do not go."""


def is_open_to(address: str) -> bool:
    """Whether we connect to an IP address: what is public, or named by HOOK_NETWORKS."""
    ip = ipaddress.ip_address(address)
    allowed = (ipaddress.ip_network(one) for one in settings.HOOK_NETWORKS)
    return ip.is_global or any(ip in network for network in allowed)


def resolved(url: str) -> tuple[str, str, int, str]:
    """(IP address, host, port, path) of an address that is safe; Unsafe otherwise."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, ValueError) as error:
        raise Unsafe(gettext_noop("The name is not known.")) from error
    addresses = [str(row[4][0]) for row in found]
    if not addresses or not all(is_open_to(one) for one in addresses):
        raise Unsafe(gettext_noop("The address is in a private network."))
    if parts.scheme != "https" and ipaddress.ip_address(addresses[0]).is_global:
        raise Unsafe(gettext_noop("Only https leaves the house."))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return addresses[0], host, port, path


def signature(secret: str, message_id: str, stamp: int, body: bytes) -> str:
    """As Standard Webhooks signs: HMAC-SHA256 over id, time and body."""
    signed = f"{message_id}.{stamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def post(dispatch: Dispatch) -> tuple[int, str]:
    """(status, beginning of the answer); raises what the network raises, or Unsafe."""
    endpoint = dispatch.endpoint
    address, host, port, path = resolved(endpoint.url)
    body = json.dumps(dispatch.payload, ensure_ascii=False).encode()
    stamp = int(now().timestamp())
    headers = {
        "Host": host if port in (80, 443) else f"{host}:{port}",
        "Content-Type": "application/json",
        "User-Agent": "postal-crm",
        "webhook-id": str(dispatch.pk),
        "webhook-timestamp": str(stamp),
        "webhook-signature": signature(endpoint.secret, str(dispatch.pk), stamp, body),
    }
    if endpoint.url.startswith("https"):
        pool: urllib3.HTTPConnectionPool = urllib3.HTTPSConnectionPool(
            address, port, server_hostname=host, assert_hostname=host
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port)
    with pool:
        answer = pool.urlopen(
            "POST",
            path,
            body=body,
            headers=headers,
            redirect=False,
            retries=False,
            timeout=TIMEOUT,
            preload_content=False,
        )
        said = answer.read(READ_BYTES, decode_content=False) or b""
        answer.close()
    return answer.status, said.decode("utf8", "replace")


def deliver_step(job: Job) -> bool:
    """Job: send the oldest event that is due; True when none is left.

    RACE: the row is locked and skipped by others; a crash after the send and before the
    commit sends it again, with the same id.
    """
    at = now()
    rows = Dispatch.objects.select_for_update(skip_locked=True, of=("self",))
    due = rows.waiting().filter(due_at__lte=at, endpoint__is_active=True)
    dispatch = due.select_related("endpoint__created_by").order_by("due_at").first()
    if dispatch is None:
        return True
    try:
        dispatch.status, dispatch.answer = post(dispatch)
        is_taken = 200 <= dispatch.status < 300
    except (Unsafe, OSError, urllib3.exceptions.HTTPError) as error:
        said = str(error) if isinstance(error, Unsafe) else type(error).__name__
        dispatch.status, dispatch.answer, is_taken = None, said[:READ_BYTES], False
    dispatch.attempts += 1
    dispatch.answer = dispatch.answer.replace("\0", "")
    if is_taken:
        dispatch.state, dispatch.sent_at = Dispatch.State.SENT, now()
    else:
        _wait_or_give_up(dispatch, at)
    dispatch.save()
    job.done_units += 1
    return False


def _wait_or_give_up(dispatch: Dispatch, at: datetime) -> None:
    """Twice as long after each attempt; meanwhile the address's other events wait, too, so
    that one dead system does not hold up the rest."""
    if dispatch.attempts >= MAX_ATTEMPTS:
        dispatch.state = Dispatch.State.FAILED
        endpoint = dispatch.endpoint
        tell(
            endpoint.created_by,
            "system",
            subject=FAILED,
            body=endpoint.name,
            url=f"/webhooks/{endpoint.pk}/",
            key=f"hook:{endpoint.pk}:{at:%Y%m%d}",
        )
        return
    dispatch.due_at = at + FIRST_WAIT * 2 ** (dispatch.attempts - 1)
    behind = dispatch.endpoint.dispatches.waiting().filter(due_at__lte=at)
    behind.exclude(pk=dispatch.pk).update(due_at=F("due_at") + (dispatch.due_at - at))


KEPT = timedelta(days=30)


def forget_step(job: Job) -> bool:
    """Job: what was delivered or failed over a month ago leaves the log."""
    old = Dispatch.objects.exclude(state=Dispatch.State.PENDING)
    old = old.filter(created_at__lt=now() - KEPT)
    job.done_units += old.delete()[0]
    stopped = Endpoint.objects.filter(is_active=False)
    stale = Dispatch.objects.filter(endpoint__in=stopped, created_at__lt=now() - KEPT)
    job.done_units += stale.delete()[0]
    return True
