"""A portfolio changes hands: a checklist, two signatures, then all at once.

Source: anchors.md 5.3 (29); domain.md 5.3 (AB rule: a leaver must not take the customer
along).
"""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, Q
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.access.capabilities import may, require
from crm.access.models import Posting, User
from crm.audit import services as audit
from crm.errors import Refused
from crm.notify.services import tell
from crm.org.models import Office
from customers.models import Alert, Contract, Customer, Opportunity, Task, TimelineEntry
from delivery import planning
from delivery.models import Handover, Visit

ASKED = gettext_noop("A portfolio is handed over: your signature is asked")
DONE = gettext_noop("The portfolio has been handed over")
Item = Handover.Item


def portfolio(row: Handover) -> Any:
    """The giver's customers in the office."""
    return Customer.objects.filter(
        manager=row.giver, merged_into=None, office__path__startswith=row.office.path
    )


def contents(row: Handover) -> dict[str, int]:
    """What each point of the checklist is about, counted now."""
    customers = portfolio(row)
    today = localdate()
    return {
        Item.VISITS: Visit.objects.running().filter(customer__in=customers).count(),
        Item.COMPLAINTS: TimelineEntry.objects.filter(
            customer__in=customers, kind="complaint", is_open=True
        ).count(),
        Item.CONTRACTS: Contract.objects.filter(
            customer__in=customers, ends_on__gte=today, ended_on=None
        ).count(),
        Item.ARREARS: customers.filter(
            receivables__due_on__lt=today,
            receivables__paid__lt=F("receivables__amount"),
        )
        .distinct()
        .count(),
        Item.PROJECTS: Opportunity.objects.filter(customer__in=customers)
        .exclude(stage__in=["won", "lost"])
        .count(),
        Item.PERSONS: customers.exclude(contacts=None).count(),
    }


@transaction.atomic
def start(
    *, by: User, office: Office, giver: User, taker: User, reason: str
) -> Handover:
    """Begin a hand-over. Refused: "handover.same", "handover.taker" (no manager there),
    "handover.open", "handover.empty"."""
    require(by, "handover.start", office)
    if giver == taker:
        raise Refused("handover.same", _("Both are the same person."))
    row = Handover(office=office, giver=giver, taker=taker, reason=reason, made_by=by)
    _check_taker(row)
    if Handover.objects.filter(
        giver=giver, taker_signed_at=None, cancelled_at=None
    ).exists():
        raise Refused("handover.open", _("A hand-over of this person is open already."))
    row.save()
    for user in (giver, taker):
        tell(
            user,
            "visit",
            subject=ASKED,
            url=row.get_absolute_url(),
            key=f"handover:{row.pk}:{user.pk}",
        )
    audit.record(by, "handover.started", row, office=office)
    return row


def _check_taker(row: Handover) -> None:
    """Whoever takes over is a manager where the customers are, now."""
    posts = Posting.objects.in_force(localdate()).filter(
        user=row.taker, role="manager", user__is_active=True
    )
    places = [p.office for p in posts.select_related("office")]
    offices = set(portfolio(row).values_list("office__path", flat=True))
    if not offices:
        raise Refused("handover.empty", _("This person looks after no customers here."))
    if not all(any(path.startswith(p.path) for p in places) for path in offices):
        message = _("%(who)s is not posted as manager where these customers are.")
        raise Refused("handover.taker", message % {"who": row.taker})


def _locked(row: Handover) -> Handover:
    rows = Handover.objects.select_for_update(of=("self",))
    found = rows.select_related("office", "giver", "taker").get(pk=row.pk)
    if not found.is_open:
        raise Refused("handover.closed", _("This hand-over is closed."))
    return found


@transaction.atomic
def check(row: Handover, *, by: User, items: list[str]) -> Handover:
    """Tick what has been gone through: either side, until the giver has signed."""
    row = _locked(row)
    if by.pk not in (row.giver_id, row.taker_id):
        require(by, "handover.start", row.office)
    if row.giver_signed_at:
        raise Refused("handover.signed", _("It is signed: the list does not change."))
    row.checked = [item for item in Item.values if item in items]
    row.save(update_fields=["checked"])
    return row


@transaction.atomic
def sign(row: Handover, *, by: User) -> Handover:
    """The giver first (for one who has left: a supervisor), then the taker: with the
    second signature everything changes hands.

    Refused: "handover.closed", "handover.unchecked", "handover.order".
    """
    row = _locked(row)
    if set(row.checked) != set(Item.values):
        raise Refused("handover.unchecked", _("Go through the whole list first."))
    _check_taker(row)
    if row.giver_signed_at is None:
        is_left = not row.giver.is_active or not row.giver.posts("manager")
        if by.pk != row.giver_id and not (
            is_left and may(by, "handover.start", row.office) and by.pk != row.taker_id
        ):
            if by.pk == row.taker_id:
                message = _("%(who)s signs first.") % {"who": row.giver}
                raise Refused("handover.order", message)
            raise PermissionDenied("handover.sign")
        row.giver_signed_by, row.giver_signed_at = by, now()
        row.save(update_fields=["giver_signed_by", "giver_signed_at"])
        audit.record(by, "handover.given", row, office=row.office)
        return row
    if by.pk != row.taker_id:
        raise PermissionDenied("handover.sign")
    row.taker_signed_at = now()
    row.customers = _change_hands(row)
    row.save(update_fields=["taker_signed_at", "customers"])
    audit.record(
        by,
        "handover.taken",
        row,
        office=row.office,
        details={"customers": row.customers, "giver": row.giver.username},
    )
    for user in (row.giver, row.made_by):
        tell(
            user,
            "visit",
            subject=DONE,
            url=row.get_absolute_url(),
            key=f"handover:{row.pk}:done:{user.pk}",
        )
    return row


def _change_hands(row: Handover) -> int:
    """Customers, tasks, alerts, opportunities and visits; whoever was assistant and takes
    over is assistant no more. RACE: under the customers' locks, in the order of ids."""
    ids = list(
        portfolio(row).order_by("pk").select_for_update().values_list("pk", flat=True)
    )
    mine = Customer.objects.filter(pk__in=ids)
    mine.filter(assistant=row.taker).update(assistant=None)
    mine.update(manager=row.taker, version=F("version") + 1)
    of = Q(customer__in=ids)
    Task.objects.filter(of, assignee=row.giver, done_at=None).update(assignee=row.taker)
    Alert.objects.filter(of, owner=row.giver).exclude(state="closed").update(
        owner=row.taker
    )
    running = Opportunity.objects.filter(of, owner=row.giver)
    running.exclude(stage__in=["won", "lost"]).update(owner=row.taker)
    visits = Visit.objects.running().filter(of, visitor=row.giver)
    visits.filter(is_pinned=False).update(visitor=row.taker, day=None, is_given=False)
    visits.update(visitor=row.taker, is_given=False)
    planning.plan_soon(row.taker_id)
    planning.plan_soon(row.giver_id)
    return len(ids)


@transaction.atomic
def cancel(row: Handover, *, by: User) -> Handover:
    row = _locked(row)
    require(by, "handover.start", row.office)
    row.cancelled_at = now()
    row.save(update_fields=["cancelled_at"])
    audit.record(by, "handover.cancelled", row, office=row.office)
    return row
