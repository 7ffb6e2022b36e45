"""Pilots of a programme: one place tries it at one touchpoint before all do.

Sources: R-ORG-52, R-CAM-51.
"""

from django.db import IntegrityError, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.capabilities import require
from crm.access.models import Posting, User
from crm.audit import services as audit
from crm.errors import Refused
from crm.notify.services import tell
from crm.programmes.models import Pilot, Programme

CHOSEN = gettext_noop("Your unit tries a programme first")  # translated when it is read


def _locked(programme: Programme, by: User) -> Programme:
    rows = Programme.objects.select_for_update(of=("self",)).select_related("office")
    row = rows.get(pk=programme.pk)
    require(by, "programme.manage", row.office)
    if row.state != Programme.State.ISSUED:
        raise Refused("pilot.programme", _("The programme is not under way."))
    return row


@transaction.atomic
def begin(programme: Programme, pilot: Pilot, *, by: User) -> Pilot:
    """Choose the place for a touchpoint; its supervisors are told. Refused:
    "pilot.programme", "pilot.where", "pilot.twice" where the touchpoint has a place."""
    row = _locked(programme, by)
    if not row.office.contains(pilot.office):
        raise Refused("pilot.where", _("The programme does not reach this office."))
    pilot.programme, pilot.chosen_by = row, by
    try:
        with transaction.atomic():
            pilot.save()
    except IntegrityError as error:
        message = _("This touchpoint has its place already.")
        raise Refused("pilot.twice", message) from error
    for posting in Posting.objects.leading(pilot.office.path):
        tell(
            posting.user,
            "programme",
            subject=CHOSEN,
            body=row.title,
            url=row.get_absolute_url(),
            key=f"pilot:{pilot.pk}:{posting.user_id}",
        )
    details = {"touchpoint": pilot.touchpoint, "office": pilot.office.code}
    audit.record(by, "programme.pilot", row, office=row.office, details=details)
    return pilot


@transaction.atomic
def conclude(
    programme: Programme, pk: int, *, by: User, verdict: str, result: str
) -> Pilot:
    """What came of it. Refused: "pilot.programme", "pilot.done", "pilot.verdict"."""
    row = _locked(programme, by)
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
