"""Inspections on the spot (视检) and probe mail: what was expected, what was found.

Source: domain.md 3.1 (EN 13850: real test letters), 3.2, R-DLV-06.
"""

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office


class InspectionQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Those who inspect and supervise, from above; the inspected office's handlers
        once it is over: who knows a test letter treats it well."""
        return (
            subtree(user, "supervisor", "inspector")
            | subtree(user, "handler") & Q(state=Inspection.State.DONE)
            | Q(inspector=user)
        )


class Inspection(models.Model):
    """A planned look at one office: points to check, or test letters to be received."""

    class Kind(models.TextChoices):
        SITE = "site", _("Inspection on the spot")
        DESK = "desk", _("Operation of the call centre")  # R-ORG-25
        CARE = "care", _("Customer management")  # R-ORG-41
        PROBE = "probe", _("Probe mail")

    class State(models.TextChoices):
        PLANNED = "planned", pgettext_lazy("inspection", "Planned")
        DONE = "done", pgettext_lazy("inspection", "Done")
        DROPPED = "dropped", pgettext_lazy("inspection", "Dropped")

    kind = models.CharField(_("kind"), max_length=5, choices=Kind, default=Kind.SITE)
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("inspected office")
    )
    title = models.CharField(_("title"), max_length=80)
    planned_on = models.DateField(_("planned for"))
    inspector = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("who inspects")
    )
    state = models.CharField(max_length=7, choices=State, default=State.PLANNED)
    summary = models.CharField(_("summary"), max_length=500, blank=True)
    ended_at = models.DateTimeField(null=True)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    objects = InspectionQuerySet.as_manager()

    class Meta:
        ordering = ["-planned_on", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="inspection_ended",
                condition=Q(state="planned", ended_at=None)
                | ~Q(state="planned") & Q(ended_at__isnull=False),
            ),
        ]
        indexes = [models.Index(name="inspection_day", fields=["planned_on", "id"])]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("quality:inspection", args=[self.pk])


class Check(models.Model):
    """One planned point or test letter: expected against actual."""

    class Verdict(models.TextChoices):
        MET = "met", pgettext_lazy("check", "As expected")
        MISSED = "missed", pgettext_lazy("check", "Not as expected")

    inspection = models.ForeignKey(
        Inspection, models.CASCADE, related_name="checks", db_index=False
    )
    what = models.CharField(_("what is checked"), max_length=120)
    waybill = models.CharField(_("waybill"), max_length=40, blank=True)
    expected = models.CharField(_("expected"), max_length=120, blank=True)
    expected_on = models.DateField(_("expected by"), null=True, blank=True)
    actual = models.CharField(_("found"), max_length=300, blank=True)
    actual_on = models.DateField(_("received on"), null=True, blank=True)
    verdict = models.CharField(_("verdict"), max_length=6, choices=Verdict, blank=True)
    photo = models.UUIDField(null=True, unique=True)
    noted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                name="check_noted",
                condition=Q(verdict="", noted_at=None)
                | ~Q(verdict="") & Q(noted_at__isnull=False),
            ),
            models.UniqueConstraint(
                name="check_waybill_once",
                fields=["inspection", "waybill"],
                condition=~Q(waybill=""),
            ),
        ]
        indexes = [models.Index(name="check_of", fields=["inspection", "id"])]

    def __str__(self) -> str:
        return self.what

    def get_absolute_url(self) -> str:
        return f"{self.inspection.get_absolute_url()}#check-{self.pk}"

    @property
    def path(self) -> Path:
        return Path(settings.FILES_ROOT) / "inspections" / str(self.photo)
