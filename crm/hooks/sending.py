"""Delivering events: signed, at least once, never into our own house.

SECURITY (B38): the address is resolved by us and the connection goes to what was resolved,
so that a name cannot point elsewhere between check and use; private networks only when
HOOK_NETWORKS names them; no redirect is followed; little of the answer is read, and not
for long. A row is put off before it is sent: whatever a sending does, the next goes on.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import logging
import socket
import threading
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import F
from django.utils.timezone import localdate, now
from django.utils.translation import gettext_noop
from urllib3.connection import HTTPConnection, HTTPSConnection

from crm.access.models import Posting
from crm.access.roles import Role
from crm.hooks.models import Dispatch, Endpoint
from crm.jobs.models import Job
from crm.notify.services import tell

MAX_ATTEMPTS = 8  # over about two hours
FIRST_WAIT = timedelta(seconds=30)
READ_SECONDS, WHOLE_SECONDS = 5, 10
READ_BYTES = 200
PUBLIC_PORTS = {443, 8443}
# Networks whose addresses carry another address inside, or belong to nobody.
NEVER = [
    ipaddress.ip_network(one)
    for one in (
        *("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"),
        *("2001::/32", "2002::/16", "fec0::/10", "ff00::/8", "224.0.0.0/3"),
    )
]
FAILED = gettext_noop("A webhook could not be delivered")  # translated when read
logger = logging.getLogger(__name__)


class Unsafe(Exception):
    """The address leads where we do not go."""


def is_named(address: str) -> bool:
    """Whether an IP address is in a network that HOOK_NETWORKS names."""
    ip = ipaddress.ip_address(address)
    named = (ipaddress.ip_network(one) for one in settings.HOOK_NETWORKS)
    return any(ip in network for network in named)


def is_open_to(address: str) -> bool:
    """Whether we connect to an IP address: what is public, or named by HOOK_NETWORKS."""
    ip = ipaddress.ip_address(address)
    is_public = ip.is_global and not any(ip in network for network in NEVER)
    return is_public or is_named(address)


def resolved(url: str) -> tuple[str, str, int, str]:
    """(IP address, host, port, path) of an address that is safe; Unsafe otherwise."""
    parts = urlsplit(url)
    try:
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, ValueError) as error:
        raise Unsafe(gettext_noop("The name is not known.")) from error
    if parts.username or parts.password:
        raise Unsafe(gettext_noop("A name and password in the address are not used."))
    addresses = [str(row[4][0]) for row in found]
    if not addresses or not all(is_open_to(one) for one in addresses):
        raise Unsafe(gettext_noop("The address is in a private network."))
    if not is_named(addresses[0]):
        if parts.scheme != "https":
            raise Unsafe(gettext_noop("Only https leaves the house."))
        if port not in PUBLIC_PORTS:
            raise Unsafe(gettext_noop("Only ports 443 and 8443 are used."))
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
    line: HTTPConnection
    if endpoint.url.startswith("https"):
        line = HTTPSConnection(
            address,
            port,
            timeout=READ_SECONDS,
            server_hostname=host,
            assert_hostname=host,
        )
    else:
        line = HTTPConnection(address, port, timeout=READ_SECONDS)
    # A receiver that drips answers in time, again and again: the whole has an end, too.
    guard = threading.Timer(WHOLE_SECONDS, _cut, [line])
    guard.start()
    try:
        line.request("POST", path, body=body, headers=headers, preload_content=False)
        answer = line.getresponse()
        said = answer.read(READ_BYTES, decode_content=False) or b""
        return answer.status, said.decode("utf8", "replace")
    finally:
        guard.cancel()
        line.close()


def _cut(line: HTTPConnection) -> None:
    if line.sock is not None:
        line.sock.shutdown(socket.SHUT_RDWR)


def deliver_step(job: Job) -> bool:
    """Job: take the oldest event that is due, then send it; True when none is left.

    RACE: a row is claimed by putting it off, in a transaction of its own; a crash while it
    is sent leaves it for the next attempt, with the same id.
    """
    if claimed := job.cursor.pop("claimed", ""):
        _send(claimed)
        job.done_units += 1
        return False
    at = now()
    rows = Dispatch.objects.select_for_update(skip_locked=True, of=("self",))
    due = rows.waiting().filter(due_at__lte=at, endpoint__is_active=True)
    dispatch = due.order_by("due_at").first()
    if dispatch is None:
        return True
    dispatch.attempts += 1
    dispatch.due_at = at + FIRST_WAIT * 2 ** (dispatch.attempts - 1)
    dispatch.save(update_fields=["attempts", "due_at"])
    job.cursor["claimed"] = str(dispatch.pk)
    return False


def _send(pk: str) -> None:
    rows = Dispatch.objects.waiting().select_related("endpoint__office")
    dispatch = rows.filter(pk=pk, endpoint__is_active=True).first()
    if dispatch is None:  # removed or stopped meanwhile
        return
    try:
        dispatch.status, dispatch.answer = post(dispatch)
        is_taken = 200 <= dispatch.status < 300
    except Exception as error:  # noqa: BLE001 - a foreign system may fail in any way
        said = str(error) if isinstance(error, Unsafe) else type(error).__name__
        dispatch.status, dispatch.answer, is_taken = None, said[:READ_BYTES], False
    dispatch.answer = dispatch.answer.replace("\0", "")
    if is_taken:
        dispatch.state, dispatch.sent_at = Dispatch.State.SENT, now()
    elif dispatch.attempts >= MAX_ATTEMPTS:
        dispatch.state = Dispatch.State.FAILED
        _give_up(dispatch)
    else:  # one dead system does not hold up the rest
        behind = dispatch.endpoint.dispatches.waiting().exclude(pk=dispatch.pk)
        wait = dispatch.due_at - now()
        behind.filter(due_at__lte=now()).update(due_at=F("due_at") + wait)
    dispatch.save(update_fields=["state", "status", "answer", "sent_at"])


def _give_up(dispatch: Dispatch) -> None:
    """An address that took nothing all the while is stopped; who keeps it is told."""
    endpoint = dispatch.endpoint
    taken = endpoint.dispatches.filter(sent_at__gte=dispatch.created_at)
    if not taken.exists():
        Endpoint.objects.filter(pk=endpoint.pk).update(is_active=False)
    posted = Posting.objects.in_force(localdate()).filter(role=Role.SYSTEM_ADMIN)
    for posting in posted.select_related("user", "office"):
        if posting.office.contains(endpoint.office):
            tell(
                posting.user,
                "system",
                subject=FAILED,
                body=endpoint.name,
                url=f"/webhooks/{endpoint.pk}/",
                key=f"hook:{endpoint.pk}:{now():%Y%m%d}:{posting.user_id}",
            )


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
