"""The survey that follows an answer: sent by SMS, heard when the customer has spoken.

Source: R-CMP-36, R-CMP-24, domain.md 6.3: not satisfied leads back to the same office.
"""

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from complaints.handling import begun, changed
from complaints.models import Complaint, ComplaintMove, Outcome
from complaints.services import SURVEYED_AS, locked, move, tell_handlers
from complaints.workflow import State
from crm import text
from crm.access.models import User
from crm.errors import Refused
from crm.notify.services import queue_message
from delivery import surveys
from delivery.models import Invitation

AGAIN = gettext_noop("The customer is not satisfied")  # translated when it is read
SMS_SUBJECT = gettext_noop("How did it go?")
POOR = 2  # of five; who taps no more is not satisfied
Check = Outcome.Check


def pending(complaint: Complaint) -> Invitation | None:
    """The link that the customer has and has not answered. One query."""
    rows = Invitation.objects.filter(source=SURVEYED_AS, subject=complaint.ref)
    return rows.filter(answered_at=None, expires_at__gt=now()).first()


@transaction.atomic
def send(complaint: Complaint, *, by: User, note: str = "") -> Complaint:
    """The link, by SMS to the caller's number; the follow-up call stays possible.

    Refused: "survey.phone", "survey.pending".
    """
    complaint = begun(complaint, "survey", by)
    if not text.is_mobile(complaint.caller_phone):
        raise Refused("survey.phone", _("No mobile number: call the customer."))
    if pending(complaint):
        raise Refused("survey.pending", _("The customer has a link already."))
    invitation = surveys.invite(
        surveys.current(surveys.WORK_ORDER),
        by=by,
        office=complaint.handling_office,
        source=SURVEYED_AS,
        subject=complaint.ref,
        way=Invitation.Way.SMS,
        customer=complaint.customer,
    )
    with override("zh-hans"):  # the customer's language, not the agent's
        said = _("China Post: how did we handle your matter? Tell us: %(link)s")
    queue_message(
        "sms",
        subject=SMS_SUBJECT,
        body=said % {"link": surveys.link(invitation)},
        to_address=complaint.caller_phone,
        key=f"survey:{invitation.pk}",
    )
    return changed(complaint, by, ComplaintMove.What.SURVEYED, note)


def heard(invitation: Invitation) -> None:
    """The customer has answered: the follow-up's result, or a round more. What is closed
    for other reasons keeps its state; the answer is noted."""
    found = Complaint.objects.filter(ref=invitation.subject).first()
    if found is None:
        return
    complaint = locked(found)
    given = surveys.given_of(invitation)
    rating, solved = given.get("rating"), given.get("solved")
    is_poor = solved == 0 or (rating is not None and rating <= POOR)
    words = str(given.get("words", ""))
    facts = {
        "check_result": Check.UNSATISFIED if is_poor else Check.SATISFIED,
        "satisfaction": rating,
        "checked_by": None,  # the customer, not a colleague
        "checked_at": now(),
    }
    if complaint.state in (State.REPLIED, State.FOLLOW_UP, State.ARCHIVED):
        Outcome.objects.update_or_create(complaint=complaint, defaults=facts)
    if is_poor and complaint.state in (State.REPLIED, State.FOLLOW_UP, State.ARCHIVED):
        complaint = move(complaint, by=None, after=State.REOPENED, note=words)
        key = f"again:{complaint.pk}:{complaint.rounds}"
        tell_handlers(complaint, AGAIN, key, "order.asked")
    elif complaint.state == State.REPLIED:
        move(complaint, by=None, after=State.FOLLOW_UP, note=words)
    else:
        changed(complaint, None, ComplaintMove.What.SURVEYED, words)
