"""An order from the offer to the contract, and what its customer demands.

Sources: R-CAM-02, 16, 29; R-DLV-03, 05; domain.md 4.1.
"""

from datetime import date, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from campaigns import pipeline, products, seasons
from campaigns.models import CardOrder, Requirement, Season
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from customers.services import add_timeline_entry
from delivery.quality.rates import Share

State = CardOrder.State
ORDERED = gettext_noop("Greeting cards ordered")
OFFER_DAYS = 30  # that an offer holds where nobody says otherwise


def locked(order: CardOrder, *states: str) -> CardOrder:
    """The order's row, locked, its season open. Refused("order.state"), ("season.closed")."""
    rows = CardOrder.objects.select_for_update(of=("self",))
    row = rows.select_related("season__office", "customer__office", "product").get(
        pk=order.pk
    )
    if not row.season.is_open:
        raise Refused("season.closed", _("This season is closed."))
    if states and row.state not in states:
        raise Refused("order.state", _("The order has moved on meanwhile."))
    return row


@transaction.atomic
def offer(order: CardOrder, *, by: User) -> CardOrder:
    """Make or change an offer. Its price is the product's band, unless another was agreed.

    Refused("order.office") for a customer outside the season, ("order.product") for what
    this season does not sell, ("order.pieces") for a number that no band has,
    ("order.days") outside the season, ("order.valid_until") and ("order.posting_on") for a term or
    a posting day before the order, ("order.price") for nothing.
    """
    season, customer = seasons.locked(order.season), order.customer
    require(by, "order.keep", customer.office)
    if not customer.office.path.startswith(season.office.path):
        raise Refused("order.office", _("The customer belongs to another office."))
    if customer.merged_into_id or customer.erased_at:
        raise Refused("order.customer", _("This record is merged or erased."))
    if order.pk:
        old = locked(order, State.OFFER)
        if old.customer_id != customer.pk:
            message = _("An offer stays with its customer: make another one.")
            raise Refused("order.customer", message)
    else:
        order.made_by, order.state = by, State.OFFER
        order.ordered_on = order.ordered_on or localdate()
    if not season.has_day(order.ordered_on):
        raise Refused("order.days", _("This day lies outside the season."))
    _price(order, season)
    order.valid_until = order.valid_until or localdate() + timedelta(days=OFFER_DAYS)
    if order.valid_until < order.ordered_on:
        raise Refused(
            "order.valid_until", _("The offer would expire before it is made.")
        )
    if order.posting_on and order.posting_on < order.ordered_on:
        raise Refused(
            "order.posting_on", _("The cards would be posted before the order.")
        )
    order.save()
    audit.record(
        by, "order.offered", order, office=customer.office, details=_facts(order)
    )
    return order


def _price(order: CardOrder, season: Season) -> None:
    product = order.product
    if product is None:
        raise Refused("order.product", _("Choose a product."))
    if product.pk not in {row.pk for row in products.offered_in(season)}:
        raise Refused("order.product", _("This season does not sell this product."))
    band = products.price_for(product, order.pieces)
    if order.price is None:
        order.price = band.price
    if order.price <= 0:
        raise Refused("order.price", _("A price is more than nothing."))
    order.revenue = order.price * order.pieces


def _facts(order: CardOrder) -> dict[str, Any]:
    return {
        "pieces": order.pieces,
        "price": f"{order.price}",
        "revenue": f"{order.revenue}",
    }


@transaction.atomic
def contract(order: CardOrder, *, by: User, number: str, on: date) -> CardOrder:
    """Turn an offer into an order under contract, with its fourteen stages.

    Refused("season.draft") before the season is issued: the gate comes first;
    ("order.expired") for an offer whose time is over; ("order.number") for a number that
    the season has.
    """
    row = locked(order, State.OFFER)
    require(by, "order.keep", row.customer.office)
    if row.season.state != Season.State.ISSUED:
        message = _("The season is not issued yet: nothing is sold before.")
        raise Refused("season.draft", message)
    if row.valid_until and row.valid_until < on:
        raise Refused("order.expired", _("The offer has expired: make it anew."))
    row.contract_number, row.contracted_on, row.state = number, on, State.CONTRACT
    row.contracted_at = now()
    row.ordered_on = on
    if not row.season.has_day(on):
        raise Refused("order.days", _("This day lies outside the season."))
    row.ref = row.ref or f"{row.season.code}-{row.pk}"
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        message = _("The season has an order of this number.")
        raise Refused("order.number", message) from error
    pipeline.lay(row)
    audit.record(
        by, "order.contracted", row, office=row.customer.office, details=_facts(row)
    )
    add_timeline_entry(
        row.customer,
        kind="card_order",
        at=now(),
        title=ORDERED,
        ref=row.ref,
        url=row.get_absolute_url(),
        source=f"card_order:{row.pk}",
    )
    return row


@transaction.atomic
def drop(order: CardOrder, *, by: User, reason: str) -> CardOrder:
    """Call an offer or order off. Refused("order.reason") without one, ("order.printed")
    once cards are printed."""
    row = locked(order, State.OFFER, State.CONTRACT)
    require(by, "order.keep", row.customer.office)
    if not reason.strip():
        raise Refused("order.reason", _("Say why."))
    if pipeline.is_printed(row):
        message = _("Its cards are printed: it cannot be called off any more.")
        raise Refused("order.printed", message)
    row.state, row.reason = State.DROPPED, reason
    row.save(update_fields=["state", "reason"])
    row.stages.filter(done_at=None, errors=None).delete()  # complaints may name errors
    audit.record(
        by, "order.dropped", row, office=row.customer.office, details={"why": reason}
    )
    return row


# --- what the customer demands of delivery ---------------------------------------------------


@transaction.atomic
def demand(requirement: Requirement, *, by: User) -> Requirement:
    """Keep what the customer demands of delivery. Only before the cards are printed."""
    row = locked(requirement.order, State.OFFER, State.CONTRACT)
    require(by, "order.keep", row.customer.office)
    if pipeline.is_printed(row):
        message = _("Its cards are printed: nothing more can be demanded.")
        raise Refused("order.printed", message)
    requirement.save()
    audit.record(by, "order.demand", requirement, office=row.customer.office)
    return requirement


@transaction.atomic
def judge(requirement: Requirement, *, by: User, is_met: bool) -> Requirement:
    """Say whether delivery did what the customer had demanded."""
    row = locked(requirement.order, State.CONTRACT, State.DONE)
    require(by, "order.keep", row.customer.office)
    requirement.is_met, requirement.noted_by = is_met, by
    requirement.save(update_fields=["is_met", "noted_by"])
    audit.record(
        by,
        "order.demand_judged",
        requirement,
        office=row.customer.office,
        details={"met": is_met},
    )
    return requirement


def fulfilment(orders: QuerySet[CardOrder]) -> Share:
    """Demands of delivery that were met, of those that are judged (R-DLV-05). One query."""
    rows = Requirement.objects.filter(order__in=orders.order_by(), is_met__isnull=False)
    found = rows.aggregate(met=Count("pk", filter=Q(is_met=True)), n=Count("pk"))
    return Share(found["met"], found["n"])
