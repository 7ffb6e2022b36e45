"""Channels that could not be reached: noted, ended, and the share of time they were open.

Source: R-CMP-40 (every channel stays open).
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from complaints.kinds import Channel
from complaints.models import ChannelOutage
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.org.models import Office


def note(
    *, by: User, office: Office, channel: str, started_at: datetime, reason: str
) -> ChannelOutage:
    """A channel is closed. Refused: "outage.when", "outage.running"."""
    require(by, "outage.keep", office)
    if started_at > now():
        raise Refused("outage.when", _("Not in the future."))
    facts = {"channel": channel, "started_at": started_at, "reason": reason}
    try:
        with transaction.atomic():
            row = ChannelOutage.objects.create(office=office, noted_by=by, **facts)
            audit.record(by, "outage.noted", row, office=office)
    except IntegrityError as error:  # RACE: two saw it at once
        message = _("This channel is noted as closed already.")
        raise Refused("outage.running", message) from error
    return row


@transaction.atomic
def end(row: ChannelOutage, *, by: User) -> ChannelOutage:
    """It is open again. Refused("outage.ended")."""
    row = ChannelOutage.objects.select_for_update(of=("self",)).get(pk=row.pk)
    require(by, "outage.keep", row.office)
    if row.ended_at:
        raise Refused("outage.ended", _("It is open again already."))
    row.ended_at = now()
    row.save(update_fields=["ended_at"])
    audit.record(by, "outage.ended", row, office=row.office)
    return row


def open_share(
    rows: Iterable[ChannelOutage], channel: str, start: datetime, end: datetime
) -> float:
    """Percent of the time from `start` to `end` in which a channel was open: what several
    outages cover together counts once."""
    spans = sorted(
        (max(row.started_at, start), min(row.ended_at or end, end))
        for row in rows
        if row.channel == channel
    )
    closed, until = 0.0, start
    for began, ended in spans:
        began = max(began, until)
        if ended > began:
            closed += (ended - began).total_seconds()
            until = ended
    whole = (end - start).total_seconds()
    return 100 * (1 - closed / whole) if whole > 0 else 100.0


def shares(
    rows: list[ChannelOutage], start: datetime, end: datetime
) -> list[tuple[str, float]]:
    """(label, percent open) of every channel that people reach us by."""
    channels = [c for c in Channel if c not in (Channel.SYSTEM, Channel.REGULATOR)]
    return [(str(c.label), open_share(rows, c, start, end)) for c in channels]
