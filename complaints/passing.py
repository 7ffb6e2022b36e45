"""Buck-passing (推诿): its signs are found by the system, judged by a person.

Source: domain.md 6.3, R-CMP-15: two bounces, or nothing done for half of the time after
it was assigned. Only a confirmed suspicion weighs on person, team and unit.
"""

from django.db import connection, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from complaints.models import BuckPassing, Complaint, Finding
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.org.models import Office

BOUNCES = 2
IDLE = """
INSERT INTO complaints_buckpassing (complaint_id, office_id, sign, state, raised_at, note)
SELECT c.id, c.handling_office_id, 'idle', 'raised', %(at)s, ''
FROM complaints_complaint c
JOIN complaints_milestone m ON m.complaint_id = c.id AND m.kind = 'resolution'
    AND m.met_at IS NULL
WHERE c.due_at IS NOT NULL AND c.state = 'assigned'
    AND m.starts_at + (m.due_at - m.starts_at) / 2 < %(at)s
    AND NOT EXISTS (
        SELECT 1 FROM complaints_complaintmove v WHERE v.complaint_id = c.id
            AND v.at > m.starts_at + (m.due_at - m.starts_at) / 2)
ON CONFLICT DO NOTHING
"""


def note_bounce(complaint: Complaint, office: Office) -> None:
    """`office` has sent it back; the second time in all is a suspicion."""
    if complaint.bounces >= BOUNCES:
        BuckPassing.objects.get_or_create(
            complaint=complaint,
            office=office,
            sign=BuckPassing.Sign.BOUNCES,
            defaults={"raised_at": now()},
        )


def idle_step(job: Job) -> bool:
    """Job: what was assigned and lies there for half of its time is a suspicion."""
    with connection.cursor() as cursor:
        cursor.execute(IDLE, {"at": now()})
        job.done_units += cursor.rowcount
    return True


@transaction.atomic
def judge(
    suspicion: BuckPassing, *, by: User, confirms: bool, note: str
) -> BuckPassing:
    """A supervisor over the unit confirms or dismisses, with a reason. Confirmed, it is a
    finding of failed duty, open to objection as others are.

    Refused("suspicion.judged") when somebody was first.
    """
    suspicion = (
        BuckPassing.objects.select_for_update(of=("self",))
        .select_related("office", "complaint__office")
        .get(pk=suspicion.pk)
    )
    require(by, "complaint.judge", suspicion.office)
    if suspicion.state != BuckPassing.State.RAISED:
        raise Refused("suspicion.judged", _("This has been judged already."))
    states = BuckPassing.State
    suspicion.state = states.CONFIRMED if confirms else states.DISMISSED
    suspicion.decided_by, suspicion.decided_at = by, now()
    suspicion.note = note
    suspicion.save(update_fields=["state", "decided_by", "decided_at", "note"])
    if confirms:
        Finding.objects.create(
            complaint=suspicion.complaint,
            basis=Finding.Basis.DUTY,
            office=suspicion.office,
            share=100,
            note=f"{suspicion.get_sign_display()}: {note}"[:300],
            found_by=by,
            found_at=now(),
        )
    audit.record(
        by,
        f"suspicion.{suspicion.state}",
        suspicion.complaint,
        office=suspicion.office,
        details={"sign": suspicion.sign, "note": note},
    )
    return suspicion
