"""Keeping standards and premium routes: what is promised is the whole house's."""

from django.db import IntegrityError, transaction
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm.access.capabilities import require_everywhere
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused
from delivery.models import DeliveryStandard, PremiumRoute
from delivery.quality.again import ask_for_reckoning


@transaction.atomic
def keep(row: DeliveryStandard, *, by: User | None) -> DeliveryStandard:
    """Save a checked standard and have the items of its days counted anew.

    Refused("standard.again") when another of these days came first."""
    require_everywhere(by, "standard.edit")
    before = DeliveryStandard.objects.filter(pk=row.pk).first()
    row.made_by = row.made_by or by
    _save(row)
    first = min(row.valid_from, before.valid_from) if before else row.valid_from
    ask_for_reckoning(first, localdate())
    audit.record(by, "standard.kept", row, details={"limit": row.limit})
    return row


def _save(row: DeliveryStandard | PremiumRoute) -> None:
    """RACE: of two who keep the same at once, the second is told."""
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        message = _("Somebody else has just kept such a one.")
        raise Refused("standard.again", message) from error


@transaction.atomic
def remove(row: DeliveryStandard, *, by: User | None) -> None:
    """Take a standard away. Refused("standard.last") for the one that holds for all."""
    require_everywhere(by, "standard.edit")
    if not row.product and not row.relation:
        others = DeliveryStandard.objects.filter(product="", relation="")
        if others.count() == 1:
            message = _("One standard must hold for everything.")
            raise Refused("standard.last", message)
    first = row.valid_from
    audit.record(by, "standard.removed", row, details={"limit": row.limit})
    row.delete()
    ask_for_reckoning(first, localdate())


@transaction.atomic
def keep_route(row: PremiumRoute, *, by: User | None) -> PremiumRoute:
    require_everywhere(by, "standard.edit")
    row.made_by = by
    _save(row)
    audit.record(by, "route.kept", row, details={"route": str(row)})
    return row


@transaction.atomic
def remove_route(row: PremiumRoute, *, by: User | None) -> None:
    require_everywhere(by, "standard.edit")
    audit.record(by, "route.removed", row, details={"route": str(row)})
    row.delete()
