"""Pilots of a programme: one place tries it at one touchpoint before all do.

Sources: R-ORG-52, R-CAM-51.
"""

from django.db import IntegrityError, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.programmes.models import Pilot, Programme
from crm.programmes.services import State, locked, tell_supervisors

CHOSEN = gettext_noop("Your unit tries a programme first")  # translated when it is read


@transaction.atomic
def begin(programme: Programme, pilot: Pilot, *, by: User) -> Pilot:
    """Choose the place for a touchpoint; its supervisors are told. Refused:
    "programme.state", "pilot.where", "pilot.twice" where the touchpoint has a place that
    was not given up."""
    row = locked(programme, State.ISSUED)
    require(by, "programme.manage", row.office)
    if not row.office.contains(pilot.office):
        raise Refused("pilot.where", _("The programme does not reach this office."))
    pilot.programme, pilot.chosen_by = row, by
    try:
        with transaction.atomic():
            pilot.save()
    except IntegrityError as error:
        message = _("This touchpoint has its place already.")
        raise Refused("pilot.twice", message) from error
    tell_supervisors(pilot.office, CHOSEN, row, f"pilot:{pilot.pk}")
    details = {"touchpoint": pilot.touchpoint, "office": pilot.office.code}
    audit.record(by, "programme.pilot", row, office=row.office, details=details)
    return pilot


@transaction.atomic
def conclude(
    programme: Programme, pk: int, *, by: User, verdict: str, result: str
) -> Pilot:
    """What came of it; also once the programme is closed. Refused: "programme.state",
    "pilot.done", "pilot.verdict"."""
    row = locked(programme, State.ISSUED, State.CLOSED)
    require(by, "programme.manage", row.office)
    pilot = row.pilots.select_for_update().filter(pk=pk, verdict="").first()
    if pilot is None:
        raise Refused("pilot.done", _("This pilot has been concluded already."))
    if verdict not in Pilot.Verdict.values or len(result) < 2:
        raise Refused("pilot.verdict", _("Say what came of it, and what follows."))
    pilot.verdict, pilot.result = verdict, result[:1000]
    pilot.concluded_by, pilot.concluded_at = by, now()
    pilot.save()
    details = {"touchpoint": pilot.touchpoint, "verdict": verdict}
    audit.record(by, "programme.piloted", row, office=row.office, details=details)
    return pilot
