"""Forums and activities from the invitation to the minutes; offers that hold for whom.

Sources: R-CAM-42, R-CAM-43, R-CAM-44.
"""

from datetime import date

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import Http404
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from campaigns.models import Gathering, Invitation, Offer
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from crm.org.queries import ancestry
from customers.listing import selection
from customers.models import Customer, SavedView

State = Gathering.State
MOST = 500  # guests of one gathering


def locked(gathering: Gathering) -> Gathering:
    rows = Gathering.objects.select_for_update(of=("self",)).select_related("office")
    return rows.get(pk=gathering.pk)


@transaction.atomic
def keep(gathering: Gathering, *, by: User) -> Gathering:
    """Save a gathering's facts. Refused("gathering.state") once it was held or called off."""
    require(by, "gathering.plan", gathering.office)
    if gathering.pk and locked(gathering).state != State.PLANNED:
        message = _("It was held or called off: only its minutes change.")
        raise Refused("gathering.state", message)
    gathering.made_by = gathering.made_by or by
    gathering.save()
    audit.record(by, "gathering.kept", gathering, office=gathering.office)
    return gathering


@transaction.atomic
def invite(
    gathering: Gathering,
    *,
    by: User,
    view: SavedView | None = None,
    customer: Customer | None = None,
) -> int:
    """Invite one customer, or those of a saved view at or below the gathering's office; how
    many are new. Refused("gathering.many"), ("gathering.state"), ("gathering.nobody")."""
    row = locked(gathering)
    require(by, "gathering.plan", row.office)
    if row.state != State.PLANNED:
        raise Refused("gathering.state", _("It was held or called off."))
    found: QuerySet[Customer] = Customer.objects.none()
    if customer:
        found = Customer.objects.visible_to(by).filter(pk=customer.pk)
    elif view:
        try:
            found = selection(by, view.query)
        except Http404:  # it names an office that is not the reader's
            found = Customer.objects.none()
    found = found.filter(office__path__startswith=row.office.path, erased_at=None)
    found = found.exclude(pk__in=row.invitations.values("customer"))
    if customer and row.invitations.filter(customer=customer).exists():
        return 0
    ids = list(found.order_by("pk").values_list("pk", flat=True)[: MOST + 1])
    if not ids and not row.invitations.exists():
        raise Refused("gathering.nobody", _("Nobody of this office is meant by that."))
    before = row.invitations.count()
    if len(ids) + before > MOST:
        message = _("At most %(n)s guests.") % {"n": MOST}
        raise Refused("gathering.many", message)
    Invitation.objects.bulk_create(
        [Invitation(gathering=row, customer_id=pk) for pk in ids], ignore_conflicts=True
    )
    number = row.invitations.count() - before
    audit.record(by, "gathering.invited", row, office=row.office, details={"n": number})
    return number


@transaction.atomic
def note(
    invitation: Invitation, *, by: User, answer: str, came: bool | None, said: str
) -> Invitation:
    """What a guest answered, whether it came, what it said."""
    rows = Invitation.objects.select_for_update(of=("self",)).select_related(
        "customer__office", "gathering"
    )
    row = rows.get(pk=invitation.pk)
    require(by, "gathering.note", row.customer.office)
    if row.gathering.state == State.DROPPED:
        raise Refused("gathering.state", _("It was held or called off."))
    if came is not None and row.gathering.day > localdate():
        raise Refused("gathering.early", _("This day is still to come."))
    row.answer, row.came, row.said, row.noted_by = answer, came, said, by
    row.save()
    audit.record(by, "gathering.noted", row, office=row.customer.office)
    return row


@transaction.atomic
def hold(gathering: Gathering, *, by: User, minutes: str, adjusted: str) -> Gathering:
    """Write the minutes, and what our care changes by them; written again they replace.

    Refused("gathering.early") before its day, ("gathering.minutes") without a text.
    """
    row = locked(gathering)
    require(by, "gathering.plan", row.office)
    if row.state == State.DROPPED:
        raise Refused("gathering.state", _("It was held or called off."))
    if row.day > localdate():
        raise Refused("gathering.early", _("This day is still to come."))
    if not minutes.strip():
        raise Refused("gathering.minutes", _("Write the minutes."))
    row.minutes, row.adjusted, row.state = minutes, adjusted, State.HELD
    row.save(update_fields=["minutes", "adjusted", "state"])
    audit.record(by, "gathering.held", row, office=row.office)
    return row


@transaction.atomic
def call_off(gathering: Gathering, *, by: User) -> Gathering:
    """Call it off. Twice is once. Refused("gathering.state") once it was held."""
    row = locked(gathering)
    require(by, "gathering.plan", row.office)
    if row.state == State.HELD:
        raise Refused("gathering.state", _("It was held or called off."))
    if row.state != State.DROPPED:
        row.state = State.DROPPED
        row.save(update_fields=["state"])
        audit.record(by, "gathering.called_off", row, office=row.office)
    return row


def attendance(gatherings: list[Gathering]) -> dict[int, dict[str, int]]:
    """Invited, coming and come, by gathering. One query."""
    rows = Invitation.objects.filter(gathering__in=gatherings).order_by()
    counts = rows.values("gathering").annotate(
        invited=Count("pk"),
        coming=Count("pk", filter=Q(answer="comes")),
        came=Count("pk", filter=Q(came=True)),
    )
    names = ("invited", "coming", "came")
    return {
        pk: dict(zip(names, numbers, strict=True))
        for pk, *numbers in counts.values_list("gathering", *names)
    }


# --- offers ------------------------------------------------------------------------------------


@transaction.atomic
def keep_offer(offer: Offer, *, by: User) -> Offer:
    require(by, "gathering.plan", offer.office)
    offer.made_by = offer.made_by or by
    offer.save()
    audit.record(by, "offer.kept", offer, office=offer.office)
    return offer


def offers_for(customer: Customer, on: date | None = None) -> list[Offer]:
    """What is offered to this customer on a day: by its office and those above, its grade
    and its group. One query beside the customer's grade."""
    day = on or localdate()
    rows = Offer.objects.filter(
        office__path__in=ancestry(customer.office),
        first_day__lte=day,
        last_day__gte=day,
        segment__in=["", customer.segment],
    )
    grade = getattr(customer, "grade", None)
    code = grade.code if grade else ""
    return [row for row in rows if not row.grades or code in row.grades]
