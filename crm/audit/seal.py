"""Chaining the trail, and checking the chain.

Rows are signed in the business transaction and chained here, in a short one of their
own: an in-line chain would make every writer wait for one lock. The head of the chain
is also appended to a file outside the database, so that a cut tail is noticed.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.utils.timezone import now

from crm import fields
from crm.audit.models import AuditEvent, AuditSeal

BATCH = 5000
LOCK = 0x5EA1
logger = logging.getLogger("crm.audit.head")


def head_file() -> Path:
    return Path(settings.DATA_DIR) / "audit-heads.jsonl"


def _link(previous: bytes, seq: int, mac: bytes | memoryview) -> bytes:
    return fields.sign(previous + seq.to_bytes(8, "big") + bytes(mac))


def _oldest_running_txid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return cursor.fetchone()[0]


@transaction.atomic
def seal_events() -> int:
    """Chain the next events; return how many. Safe to run at the same time twice.

    RACE: ids commit out of order, so only rows older than every running transaction
    are taken; a later one would be skipped for good.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return 0
    last = AuditSeal.objects.order_by("-seq").first()
    seq, chain = (last.seq, bytes(last.chain)) if last else (0, b"")
    events = AuditEvent.objects.filter(seal=None, txid__lt=_oldest_running_txid())
    seals = []
    for event_id, mac in events.order_by("pk").values_list("pk", "mac")[:BATCH]:
        seq += 1
        chain = _link(chain, seq, mac)
        seals.append(AuditSeal(seq=seq, event_id=event_id, chain=chain))
    AuditSeal.objects.bulk_create(seals)
    return len(seals)


def anchor_head() -> None:
    """Append the chain's head to the file outside the database (and to the log)."""
    last = AuditSeal.objects.order_by("-seq").first()
    if last is None:
        return
    line = json.dumps(
        {"seq": last.seq, "chain": bytes(last.chain).hex(), "at": str(now())}
    )
    with head_file().open("a") as heads:
        heads.write(line + "\n")
    logger.info("audit head %s %s", last.seq, bytes(last.chain).hex()[:16])


def seal_step(job) -> bool:
    """Job: chain what is new, and anchor the head when it moved."""
    if seal_events():
        anchor_head()
        return False
    return True


@dataclass(frozen=True)
class Verdict:
    rows: int
    sealed: int
    first_bad: str  # "" when all is well, else what and where

    @property
    def is_sound(self) -> bool:
        return not self.first_bad


def verify() -> Verdict:
    """Walk the whole trail. Cost: one pass, about 40 s for a million rows."""
    rows = AuditEvent.objects.count()
    sealed, fault = _walk_chain()
    return Verdict(rows, sealed, fault or _first_forged())


def _walk_chain() -> tuple[int, str]:
    """(links that hold, what is wrong with the next one or "")."""
    seq, chain, heads = 0, b"", _anchored_heads()
    seals = AuditSeal.objects.select_related("event").order_by("seq")
    for seal in seals.iterator(chunk_size=2000):
        if seal.seq != seq + 1:
            return seq, f"seal {seq + 1} is missing"
        if not seal.event.is_genuine():
            return seq, f"event {seal.event_id} was altered"
        chain = _link(chain, seal.seq, seal.event.mac)
        if chain != bytes(seal.chain):
            return seq, f"event {seal.event_id}: the chain breaks at seal {seal.seq}"
        if heads.pop(seal.seq, chain.hex()) != chain.hex():
            return seq, f"seal {seal.seq} differs from the head anchored outside"
        seq = seal.seq
    cut = (
        f"seal {min(heads)} was anchored but is gone: the tail was cut" if heads else ""
    )
    return seq, cut


def _first_forged() -> str:
    """An event that is not sealed yet must carry a right signature too."""
    unsealed = AuditEvent.objects.filter(seal=None).order_by("pk")
    for event in unsealed.iterator(chunk_size=2000):
        if not event.is_genuine():
            return f"event {event.pk} was forged"
    return ""


def _anchored_heads() -> dict[int, str]:
    if not head_file().exists():
        return {}
    lines = map(json.loads, head_file().read_text().splitlines())
    return {line["seq"]: line["chain"] for line in lines}
