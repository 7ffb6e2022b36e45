"""Mail items, their events, and what is known of a waybill whatever its month.

Source: domain.md 3.2, R-DLV-08, R-DLV-17.
"""

from datetime import date, datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office
from customers.models import Customer

NOT_HANDED_OVER = date(1970, 1, 1)  # the day of items that nobody has accepted


class Relation(models.TextChoices):
    """How far an item goes; standards differ by it (GB/T 27917.2, YZ/T 0129)."""

    SAME_CITY = "same_city", _("Same city")
    PROVINCE = "province", pgettext_lazy("relation", "Within the province")
    DOMESTIC = "domestic", pgettext_lazy("relation", "Between provinces")
    REGIONAL = "regional", _("Hong Kong, Macao, Taiwan")
    INTERNATIONAL = "international", pgettext_lazy("relation", "International")


class Cause(models.TextChoices):
    """Whose doing a return is: the address's, the recipient's, ours (误退)."""

    ADDRESS = "address", _("The address")
    RECIPIENT = "recipient", _("The recipient")
    OPERATOR = "operator", _("We ourselves")


class Outcome(models.TextChoices):
    LOST = "lost", pgettext_lazy("item", "Lost")
    DAMAGED = "damaged", pgettext_lazy("item", "Damaged")
    SHORTAGE = "shortage", _("Contents short")


class Method(models.TextChoices):
    """R-DLV-14, R-DLV-16: how it was handed out; smart delivery among them."""

    DOOR = "door", _("To the door")
    LOCKER = "locker", _("Parcel locker")
    STATION = "station", _("Service station")
    COUNTER = "counter", pgettext_lazy("method", "Counter")
    ROBOT = "robot", _("Delivery robot")


class Reason(models.TextChoices):
    """Why an attempt failed or an item goes back (domain.md 3.2)."""

    ADDRESS = "address", _("Address incomplete or wrong")
    NO_NUMBER = "no_number", _("No such number")
    UNKNOWN = "unknown", _("Addressee unknown")
    MOVED = "moved", pgettext_lazy("reason", "Moved")
    ABSENT = "absent", pgettext_lazy("reason", "Absent")
    REFUSED = "refused", pgettext_lazy("reason", "Refused")
    UNCLAIMED = "unclaimed", _("Not claimed in time")
    DISSOLVED = "dissolved", _("Organisation dissolved")
    DECEASED = "deceased", _("Addressee deceased")
    NO_BOX = "no_box", _("No letter box")
    BOX_FULL = "box_full", _("Letter box full or locked")
    UNPAID = "unpaid", _("Payment refused")
    NO_CONSENT = "no_consent", _("No consent to locker or station")
    PROHIBITED = "prohibited", _("Prohibited contents")
    FORCE = "force", _("Force majeure")
    OURS = "ours", _("Sent back by mistake")


CAUSES = {
    Cause.ADDRESS: ("address", "no_number", "unknown", "moved", "no_box", "dissolved"),
    Cause.RECIPIENT: (
        *("absent", "refused", "unclaimed", "deceased", "box_full"),
        *("unpaid", "no_consent", "prohibited", "force"),
    ),
    Cause.OPERATOR: ("ours",),
}


class Flaw(models.TextChoices):
    """What cannot have happened; such an item stands in no rate and in a list of its own."""

    EARLY = "early", _("Delivered or attempted before it was accepted")
    SCANS = "scans", _("Scanned on its way before it was accepted")
    UNACCEPTED = "unaccepted", _("Delivered, and nobody accepted it")
    AFTER_RETURN = "after_return", _("Delivered after it had come back")
    AFTER_DELIVERY = "after_delivery", _("Attempted after it was delivered")
    AFTER_LOSS = "after_loss", _("Delivered, and confirmed lost")


class ItemQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Supervisors, agents and checkers: items that an office of theirs answers for or
        accepted; managers: those of their customers."""
        roles = ("supervisor", "agent", "handler", "inspector")
        return (
            subtree(user, *roles)
            | subtree(user, *roles, lookup="accepted_by")
            | subtree(user, "manager", lookup="customer__office")
            & Q(customer__manager=user)
        )

    def of_courier(self, code: str) -> Self:
        return self.filter(Q(e_courier=code) | Q(e_courier="", courier=code))


class MailItem(models.Model):
    """One item: what ledgers said of it, what its events say, and how it counts.

    Partitioned by month of `accepted_on`; filled by imports (delivery.quality.item_import,
    event_import), which also reckon the last block. Ledgers' facts of one `version` are
    merged by the greater value, so that no order of arrival matters; events win over them.
    """

    pk = models.CompositePrimaryKey("waybill", "accepted_on")
    waybill = models.CharField(_("waybill"), max_length=40)
    accepted_on = models.DateField()  # NOT_HANDED_OVER until it is
    # Who answers for it: the delivering office once known, else who accepted it.
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", db_constraint=False
    )
    accepted_by = models.ForeignKey(
        Office, models.PROTECT, related_name="+", db_constraint=False
    )
    to_office_id = models.IntegerField(null=True)
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    source_id = models.BigIntegerField()  # the one file it came from; 0: several
    version = models.SmallIntegerField(default=0)  # -1: known by events alone
    is_by_days = models.BooleanField(default=False)  # judged by calendar days, always
    product = models.CharField(max_length=20, blank=True)
    relation = models.CharField(max_length=13, choices=Relation, blank=True)
    from_region = models.CharField(max_length=40, blank=True)
    to_region = models.CharField(max_length=40, blank=True)
    courier = models.CharField(max_length=40, blank=True)
    status = models.CharField(
        max_length=20, blank=True
    )  # the source's word: moves nothing
    method = models.CharField(max_length=8, choices=Method, blank=True)
    requirement = models.CharField(
        max_length=60, blank=True
    )  # the customer's (R-DLV-03)
    requirement_met = models.BooleanField(null=True)
    ratings = ArrayField(models.SmallIntegerField(), null=True)  # each 1 to 5
    # As ledgers give them.
    accepted_at = models.DateTimeField(null=True)
    promised_at = models.DateTimeField(null=True)
    attempted_at = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(null=True)
    delivered_at = models.DateTimeField(null=True)
    returned_at = models.DateTimeField(null=True)
    return_cause = models.CharField(max_length=9, choices=Cause, blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome, blank=True)
    # As events give them.
    e_accepted_at = models.DateTimeField(null=True)
    e_accepted_by_id = models.IntegerField(null=True)
    e_origin_out_at = models.DateTimeField(null=True)
    e_dest_in_at = models.DateTimeField(null=True)
    e_out_at = models.DateTimeField(null=True)
    e_office_id = models.IntegerField(null=True)
    e_failed = models.SmallIntegerField(null=True)  # attempts before delivery, any
    # Those of them that give a reason, in order; which are valid the standard says.
    e_tries = ArrayField(models.DateTimeField(), null=True)
    e_delivered_at = models.DateTimeField(null=True)
    e_method = models.CharField(max_length=8, blank=True)
    e_courier = models.CharField(max_length=40, blank=True)
    e_returned_at = models.DateTimeField(null=True)
    e_return_cause = models.CharField(max_length=9, blank=True)
    e_outcome = models.CharField(max_length=8, blank=True)
    e_false_signed = models.BooleanField(null=True)
    e_flaw = models.CharField(max_length=14, blank=True)
    # As it counts (delivery.quality.reckoning).
    due_at = models.DateTimeField(null=True)  # the last moment that is on time
    ripe_on = models.DateField(null=True)  # from then on it is evaluated
    days = models.SmallIntegerField(null=True)  # transit, difference of dates
    marks = models.IntegerField(default=0)
    flaw = models.CharField(max_length=14, choices=Flaw, blank=True)
    disturbance_id = models.IntegerField(null=True)

    objects = ItemQuerySet.as_manager()

    class Meta:
        managed = False  # the migration writes the partitioned table
        db_table = "delivery_mailitem"

    def __str__(self) -> str:
        return self.waybill

    def get_absolute_url(self) -> str:
        return reverse("quality:item", args=[self.waybill])

    @property
    def is_accepted(self) -> bool:
        return self.accepted_on != NOT_HANDED_OVER

    @property
    def accepted(self) -> datetime | None:
        return self.e_accepted_at or self.accepted_at

    @property
    def delivered(self) -> datetime | None:
        return self.e_delivered_at or self.delivered_at

    @property
    def returned(self) -> datetime | None:
        return self.e_returned_at or self.returned_at

    @property
    def who_delivers(self) -> str:
        return self.e_courier or self.courier

    @property
    def went_wrong(self) -> str:
        found = self.e_outcome or self.outcome
        return str(Outcome(found).label) if found else ""

    @property
    def handed_out(self) -> str:
        found = self.e_method or self.method
        return str(Method(found).label) if found else ""

    @property
    def state_word(self) -> str:
        if self.delivered:
            return str(_("Delivered"))
        if self.returned:
            return str(_("Returned"))
        if (self.e_outcome or self.outcome) == Outcome.LOST:
            return str(Outcome.LOST.label)
        return str(_("On its way") if self.is_accepted else _("Not handed over"))

    @property
    def tone(self) -> str:
        if self.delivered:
            return "ok" if self.due_at and self.delivered <= self.due_at else "warn"
        return "bad" if self.returned or self.went_wrong else "info"


class MailKey(models.Model):
    """A waybill, once, whatever its month; `owner` is the office that brought it in."""

    waybill = models.CharField(primary_key=True, max_length=40)
    accepted_on = models.DateField()
    owner_id = models.IntegerField()

    def __str__(self) -> str:
        return self.waybill


class ItemEvent(models.Model):
    """One scan. Partitioned by month of `at`; the same id again with a higher version, or
    a greater content, takes its place."""

    class Code(models.TextChoices):
        ACCEPTED = "ACCEPTED", pgettext_lazy("event", "Accepted")
        PICKED_UP = "PICKED_UP", pgettext_lazy("event", "Picked up")
        ORIGIN_OUT = "ORIGIN_OUT", _("Left the origin")
        DEST_IN = "DEST_IN", _("Arrived at the destination")
        OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY", _("Out for delivery")
        ATTEMPT_FAILED = "ATTEMPT_FAILED", _("Attempt failed")
        DELIVERED = "DELIVERED", pgettext_lazy("event", "Delivered")
        RETURN_STARTED = "RETURN_STARTED", _("Return started")
        RETURNED = "RETURNED", pgettext_lazy("event", "Returned")
        LOST_CONFIRMED = "LOST_CONFIRMED", _("Loss confirmed")
        DAMAGED = "DAMAGED", pgettext_lazy("event", "Damaged")
        SHORTAGE = "SHORTAGE", pgettext_lazy("event", "Contents short")
        RECALLED = "RECALLED", pgettext_lazy("event", "Recalled")
        ADDRESS_CHANGED = "ADDRESS_CHANGED", _("Address changed")
        FALSE_SIGNED = "FALSE_SIGNED", _("False signing confirmed")
        VOID = "VOID", _("Void: this never happened")

    pk = models.CompositePrimaryKey("event_id", "at")
    event_id = models.CharField(max_length=60)
    at = models.DateTimeField()
    waybill = models.CharField(max_length=40)
    code = models.CharField(max_length=16, choices=Code)
    version = models.SmallIntegerField(default=0)
    office = models.ForeignKey(
        Office, models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    operator = models.CharField(max_length=40, blank=True)  # a courier's code
    reason = models.CharField(max_length=10, choices=Reason, blank=True)
    method = models.CharField(max_length=8, choices=Method, blank=True)
    source_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "delivery_itemevent"

    def __str__(self) -> str:
        return f"{self.waybill} {self.code}"


class EventKey(models.Model):
    """An event's id, once, whatever its month; `waybill` leads to an item's events."""

    event_id = models.CharField(primary_key=True, max_length=60)
    at = models.DateTimeField()
    waybill = models.CharField(max_length=40)

    class Meta:
        indexes = [models.Index(fields=["waybill"], name="event_key_waybill")]

    def __str__(self) -> str:
        return self.event_id
