"""The steps of outreach: who is due, who has stopped, what is written, by chunks.

A worker that dies leaves its chunk as it was; (contact, step) is unique besides.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Exists, Max, OuterRef, QuerySet
from django.db.models.functions import Coalesce
from django.utils.timezone import localdate, now

from campaigns.models import (
    Campaign,
    CardOrder,
    Contact,
    OutreachStep,
    Season,
    Touch,
)
from campaigns.outreach import locked
from crm.fields import blind_index
from crm.jobs.models import Job
from crm.jobs.services import enqueue
from crm.notify.models import Message
from customers.models import (
    Consent,
    ContactPerson,
    Customer,
    CustomerPhone,
    TimelineEntry,
)
from customers.models.choices import Purpose
from delivery.messaging import mobiles_of
from delivery.models import VisitType
from delivery.visits import request_visit

State, Way, Outcome = Campaign.State, OutreachStep.Way, Touch.Outcome
CHUNK = 500  # contacts a step of the outreach moves on
VISITS = 20  # of these at most so many visits, which cost eight queries each
WRITTEN = {Way.SMS: Message.Channel.SMS, Way.EMAIL: Message.Channel.EMAIL}


def outreach_step(job: Job) -> bool:
    """Job, each minute: contacts of running campaigns whose next step is due, a chunk a
    step. A worker that dies leaves the chunk as it was."""
    at = now()
    running = Campaign.objects.filter(
        state=State.RUNNING, season__state=Season.State.ISSUED
    )
    due = Contact.objects.filter(
        campaign__in=running, state=Contact.State.ACTIVE, due_at__lte=at
    )
    first = due.order_by("due_at").values_list("campaign", flat=True).first()
    if first is None:
        _end(running)
        return True
    # RACE: paused or resumed by somebody: one at a time.
    campaign = locked(Campaign(pk=first))
    if campaign.state == State.RUNNING:
        job.done_units += advance(campaign, at)
    return False


def _end(running: QuerySet[Campaign]) -> None:
    """Campaigns in which nobody is on the way any more."""
    active = Contact.objects.filter(campaign=OuterRef("pk"), state=Contact.State.ACTIVE)
    rows = Campaign.objects.filter(
        ~Exists(active), pk__in=running.order_by().values("pk")
    )
    rows.update(state=State.DONE)


def advance(campaign: Campaign, at: datetime) -> int:
    """Take the next step for a chunk of contacts that are due; how many were looked at.

    RACE: rows are locked and skipped by others; (contact, step) is unique besides.
    """
    due = Contact.objects.select_for_update(skip_locked=True).filter(
        campaign=campaign, state=Contact.State.ACTIVE, due_at__lte=at
    )
    contacts = list(due.order_by("due_at", "pk")[:CHUNK])
    steps = {
        step.position: step for step in campaign.steps.prefetch_related("variants")
    }
    visits = [
        one
        for one in contacts
        if one.position in steps and steps[one.position].way == Way.VISIT
    ]
    for one in visits[VISITS:]:  # the next turn's
        contacts.remove(one)
    customers = Customer.objects.select_related("office").in_bulk(
        [one.customer_id for one in contacts]
    )
    _stop(campaign, contacts, customers, at)
    going = [one for one in contacts if one.state == Contact.State.ACTIVE]
    for position, step in steps.items():
        here = [one for one in going if one.position == position]
        wanted = [one for one in here if _is_met(step, one)]
        if wanted:
            _take(step, wanted, customers, at)
    for one in going:
        _move_on(one, steps, at)
    Contact.objects.bulk_update(
        contacts,
        ["state", "stopped_by", "position", "due_at", "ended_at"],
        batch_size=CHUNK,
    )
    return len(contacts)


def _is_met(step: OutreachStep, contact: Contact) -> bool:
    if step.condition == OutreachStep.If.UNANSWERED:
        return not contact.answer
    if step.condition == OutreachStep.If.ANSWERED:
        return bool(contact.answer)
    return True


def _move_on(contact: Contact, steps: dict[int, OutreachStep], at: datetime) -> None:
    contact.position += 1
    following = steps.get(contact.position)
    if following is None:
        contact.state, contact.ended_at = Contact.State.DONE, at
    else:
        contact.due_at = at + timedelta(days=following.delay)


def _stop(
    campaign: Campaign,
    contacts: Iterable[Contact],
    customers: dict[int, Customer],
    at: datetime,
) -> None:
    """Stop those who have answered or ordered, have an open complaint, or are gone. Two
    queries."""
    ids = list(customers)
    ordered = dict(
        CardOrder.objects.valid()
        .filter(season=campaign.season, customer__in=ids)
        .order_by()
        .values_list("customer")
        .annotate(at=Max(Coalesce("contracted_at", "made_at")))
    )
    upset = set(
        TimelineEntry.objects.filter(
            customer__in=ids, kind="complaint", is_open=True
        ).values_list("customer", flat=True)
    )
    for one in contacts:
        row = customers[one.customer_id]
        bought = ordered.get(one.customer_id)
        reason = ""
        if row.merged_into_id or row.erased_at:
            reason = Contact.Stop.GONE
        elif campaign.stops_on_order and bought and bought > one.entered_at:
            reason = Contact.Stop.ORDER
        elif campaign.stops_on_answer and one.answer:
            reason = Contact.Stop.ANSWER
        elif campaign.stops_on_complaint and one.customer_id in upset:
            reason = Contact.Stop.COMPLAINT
        if reason:
            one.state, one.stopped_by = Contact.State.STOPPED, reason
            one.ended_at = at


def _take(
    step: OutreachStep,
    contacts: list[Contact],
    customers: dict[int, Customer],
    at: datetime,
) -> None:
    """One step for these contacts: messages queued, calls and letters opened, visits
    asked for."""
    touches = [
        Touch(contact=one, step=step, at=at, outcome=Outcome.OPEN) for one in contacts
    ]
    if step.way in WRITTEN:
        _write(step, touches, customers, at)
    elif step.way == Way.CALL:
        for one in touches:
            one.due_at = at
    Touch.objects.bulk_create(touches)
    if step.way == Way.VISIT:
        for one in touches:
            request_visit(
                customers[one.contact.customer_id],
                type=VisitType.ACTIVITY,
                source=f"outreach:{one.pk}",
                note=words_for(step, customers[one.contact.customer_id])[:200],
                due_on=localdate() + timedelta(days=14),
            )
            one.outcome = Outcome.SENT
        Touch.objects.bulk_update(touches, ["outcome"])


def words_for(step: OutreachStep, customer: Customer) -> str:
    """What is said to this customer: its group's own words, or the step's."""
    for variant in step.variants.all():
        if variant.segment == customer.segment:
            return variant.body
    return step.body


def _write(
    step: OutreachStep,
    touches: list[Touch],
    customers: dict[int, Customer],
    at: datetime,
) -> None:
    """Queue an SMS or e-mail to each who has consented to marketing and has an address.

    What is withdrawn afterwards stops at the last gate.
    """
    ids = [one.contact.customer_id for one in touches]
    addresses = _addresses(step.way, ids)
    consented = set(
        Consent.objects.filter(
            customer__in=ids, purpose=Purpose.MARKETING, withdrawn_at=None
        ).values_list("customer", flat=True)
    )
    messages = []
    for one in touches:
        customer = customers[one.contact.customer_id]
        address = addresses.get(customer.pk)
        if address is None or customer.pk not in consented:
            one.outcome = Outcome.REFUSED
            continue
        one.outcome = Outcome.SENT
        one.message = Message(
            channel=WRITTEN[Way(step.way)],
            purpose=Message.Purpose.MARKETING,
            to_address=address,
            contact_index=blind_index(address),
            subject=step.subject or step.campaign.name,
            body=words_for(step, customer),
            key=f"outreach:{step.pk}:{one.contact.pk}",
            due_at=at,
        )
        messages.append(one.message)
    Message.objects.bulk_create(messages, batch_size=CHUNK)
    if messages:
        enqueue("notify.deliver")


def _addresses(way: str, ids: list[int]) -> dict[int, str]:
    """Where each customer is written to. One query."""
    rows = Customer.objects.filter(pk__in=ids)
    if way == Way.SMS:
        phones: list[CustomerPhone] = mobiles_of(rows)
        return {phone.customer_id: phone.number for phone in phones}
    found: dict[int, str] = {}
    for person in ContactPerson.objects.filter(customer__in=ids).order_by("pk"):
        if person.email:
            found.setdefault(person.customer_id, person.email)
    return found
