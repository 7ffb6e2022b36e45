"""Sums of items by day: what every figure of delivery quality is read from.

A rate is two of these columns; offices, days, products and routes roll up by adding.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from crm.org.models import Office

# Columns that count marks (delivery.quality.marks), and sums.
COUNTED = (
    *("limited", "delivered", "on_time", "attempt_on_time", "in_72h"),
    *("plus_1", "plus_2", "plus_3", "stepped", "in_first", "in_max"),
    *("attempted", "first_attempt", "returned", "by_address", "by_recipient"),
    *("by_operator", "lost", "damaged", "shortage", "tracked", "scanned"),
    *("false_signed", "wanted", "wanted_met", "staged"),
)
SUMMED = (
    *("undelivered", "undelivered_twice", "minutes", "origin_minutes"),
    *("transport_minutes", "dest_minutes", "delivery_minutes"),
    *("rated_on_time", "rating_on_time", "rated_late", "rating_late"),
    *("flawed", "excluded"),
)
COUNTS = ("items", *COUNTED, *SUMMED)


class Tally(models.Model):
    """Counts of the items accepted on `day` that are evaluated from `ripe_on` on.

    `items` leaves out the flawed and the excluded, which have their own columns.
    `transit` and `transit_items` are a histogram: days in transit and how many took them.
    """

    day = models.DateField()
    ripe_on = models.DateField()
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    product = models.CharField(max_length=20)
    transit = ArrayField(models.SmallIntegerField())
    transit_items = ArrayField(models.IntegerField())

    class Meta:
        abstract = True


for _name in COUNTS:
    big = _name.endswith("minutes")
    field = models.BigIntegerField if big else models.IntegerField
    Tally.add_to_class(_name, field())


class RouteTally(Tally):
    """By who answers for the item, product, route and day: the finest there is."""

    from_region = models.CharField(max_length=40)
    to_region = models.CharField(max_length=40)

    class Meta:
        indexes = [
            models.Index(name="route_tally_day", fields=["day", "office"]),
            models.Index(
                name="route_tally_route", fields=["from_region", "to_region", "day"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.from_region}→{self.to_region}"


class OfficeTally(Tally):
    """By office of any level with all below it, product and day: what boards read."""

    class Meta:
        indexes = [
            models.Index(name="office_tally_office", fields=["office", "day"]),
            models.Index(name="office_tally_day", fields=["day"]),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.office_id}"


class CourierTally(models.Model):
    """By courier: what is theirs to do well (R-DLV: score by courier)."""

    day = models.DateField()
    ripe_on = models.DateField()
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    courier = models.CharField(max_length=40)
    items = models.IntegerField()
    limited = models.IntegerField()
    delivered = models.IntegerField()
    on_time = models.IntegerField()
    attempted = models.IntegerField()
    first_attempt = models.IntegerField()
    lost = models.IntegerField()
    damaged = models.IntegerField()
    by_operator = models.IntegerField()
    false_signed = models.IntegerField()
    returned = models.IntegerField(db_default=0)
    plus_1 = models.IntegerField(db_default=0)
    plus_2 = models.IntegerField(db_default=0)
    plus_3 = models.IntegerField(db_default=0)

    class Meta:
        indexes = [models.Index(name="courier_tally_day", fields=["day", "office"])]

    def __str__(self) -> str:
        return f"{self.day} {self.courier} {self.items}"


class TallyMark(models.Model):
    """A day of acceptance whose tallies are behind its items.

    RACE: imports only append, in their own transaction, and so never wait for the job
    that counts; it takes away the marks that it had seen before it counted.
    """

    day = models.DateField()

    def __str__(self) -> str:
        return f"{self.day}"


class ServiceCount(models.Model):
    """Complaints and appeals of a day: rows that the apps above write downwards.

    The day is when it was registered; the office is whom it concerns.
    """

    day = models.DateField()
    office = models.ForeignKey(Office, models.PROTECT, related_name="+", db_index=False)
    product = models.CharField(max_length=20, blank=True)
    complaints = models.IntegerField(default=0)
    upheld = models.IntegerField(default=0)
    appeals = models.IntegerField(default=0)
    appeals_upheld = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="service_count_once", fields=["day", "office", "product"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.office_id} {self.complaints}"
