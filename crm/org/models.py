"""The office tree and its working calendar."""

from datetime import date
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from treebeard.mp_tree import MP_Node, MP_NodeManager, MP_NodeQuerySet


class OfficeQuerySet(MP_NodeQuerySet):
    def active(self) -> Self:
        return self.filter(is_active=True)

    def under(self, office: "Office") -> Self:
        """The office and everything below it."""
        return self.filter(path__startswith=office.path)


class OfficeManager(MP_NodeManager.from_queryset(OfficeQuerySet)):  # type: ignore[misc]
    """treebeard's manager makes its own queryset; this one makes ours."""

    def get_queryset(self) -> OfficeQuerySet:
        return OfficeQuerySet(self.model, using=self._db).order_by("path")


class Office(MP_Node):
    """A unit of the company: province → prefecture → county → outlet.

    `path` is treebeard's materialised path (four letters a level), so "at or below" is
    one prefix match. Rows point at their office and keep no copy of the path: moving an
    office moves what can be seen of it.
    """

    class Level(models.TextChoices):
        PROVINCE = "province", _("Province")
        PREFECTURE = "prefecture", _("Prefecture")
        COUNTY = "county", _("County")
        OUTLET = "outlet", _("Outlet")

    class Kind(models.TextChoices):
        BUREAU = "bureau", _("Bureau")
        CALL_CENTRE = "call_centre", _("Call centre")
        KEY_ACCOUNT = "key_account", _("Key-account centre")
        MARKETING = "marketing", _("Marketing department")
        OPERATIONS = "operations", _("Express operations")
        LETTER = "letter", _("Letter bureau")
        PROCESSING = "processing", _("Processing centre")
        DEPOT = "depot", _("Delivery depot")
        SALES = "sales", _("Sales outlet")

    code = models.CharField(
        _("code"), max_length=20, unique=True
    )  # GB/T 2260, then our own
    name = models.CharField(_("name"), max_length=100)
    level = models.CharField(_("level"), max_length=12, choices=Level)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind, default=Kind.BUREAU)
    is_active = models.BooleanField(_("active"), default=True)
    requires_second_factor = models.BooleanField(
        _("requires a second factor"), default=False
    )

    has_biu_team = models.BooleanField(
        _("has a business-intelligence team"),
        default=False,
        help_text=_("Database-marketing proposals are written where one is."),
    )  # R-ORG-07; it holds for the offices below, too
    has_service_area = models.BooleanField(
        _("has a customer-service area of its own"), default=False
    )  # R-ORG-37

    node_order_by = ["code"]
    objects = OfficeManager()

    def __str__(self) -> str:
        return self.name

    def contains(self, other: "Office") -> bool:
        return other.path.startswith(self.path)


def paths_above(path: str) -> list[str]:
    """The paths of an office and of all above it."""
    step = Office.steplen
    return [path[:end] for end in range(step, len(path) + 1, step)]


class WorkWindow(models.Model):
    """Working time of an office on one weekday; several a day are allowed.

    An office without windows of its own uses those of the nearest office above it.
    """

    office = models.ForeignKey(Office, models.CASCADE, related_name="windows")
    weekday = models.PositiveSmallIntegerField()  # 0 = Monday
    starts = models.TimeField()
    ends = models.TimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="window_forward",
                condition=Q(ends__gt=F("starts")) | Q(ends="00:00"),  # 24:00
            ),
            models.CheckConstraint(name="window_weekday", condition=Q(weekday__lte=6)),
            models.UniqueConstraint(
                name="window_once", fields=["office", "weekday", "starts"]
            ),
        ]
        ordering = ["weekday", "starts"]

    def __str__(self) -> str:
        return f"{self.weekday} {self.starts:%H:%M}–{self.ends:%H:%M}"


class CalendarDay(models.Model):
    """An exception: a day off (放假日) or a make-up working day (上班日).

    With an office, it holds for that office and below and wins over those above it;
    without one, it is the national arrangement.
    """

    office = models.ForeignKey(
        Office, models.CASCADE, null=True, blank=True, related_name="days"
    )
    date = models.DateField(_("date"))
    is_working = models.BooleanField(_("working day"))
    name = models.CharField(_("name"), max_length=60, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="calendar_day_once",
                fields=["office", "date"],
                nulls_distinct=False,
            )
        ]
        ordering = ["date"]

    def __str__(self) -> str:
        return f"{self.date} {'+' if self.is_working else '-'} {self.name}"


class HolidayYear(models.Model):
    """Whether the national arrangement of a year is the decreed one, or computed only."""

    year = models.PositiveSmallIntegerField(primary_key=True)
    is_official = models.BooleanField(default=False)
    loaded_on = models.DateField(default=date.today)

    def __str__(self) -> str:
        return f"{self.year} {'official' if self.is_official else 'provisional'}"
