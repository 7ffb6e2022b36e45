"""What people keep of the customer list: views, and files taken out of it."""

import uuid
from pathlib import Path

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.jobs.models import Job
from crm.org.models import Office


class SavedViewQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """One's own, and those shared at an office at or above one's posting."""
        shared = Q(pk__in=[])
        for posting in user.postings_now:
            path = posting.office.path
            above = [path[:end] for end in range(4, len(path) + 1, 4)]
            shared |= Q(is_shared=True, office__path__in=above)
        return Q(owner=user) | shared


class SavedView(models.Model):
    """Filters and columns under a name. Only known filters are kept, never look-ups."""

    owner = models.ForeignKey(User, models.CASCADE, related_name="+")
    office = models.ForeignKey(Office, models.CASCADE, related_name="+")
    name = models.CharField(_("name"), max_length=40)
    query = models.CharField(max_length=300, blank=True)  # as in the address
    is_shared = models.BooleanField(_("share with my office"), default=False)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(name="saved_view_once", fields=["owner", "name"])
        ]

    def __str__(self) -> str:
        return self.name


class ExportQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """One's own; supervisors see those asked for at or below their offices."""
        return Q(requested_by=user) | subtree(user, "supervisor")


class Export(models.Model):
    """A file of customers on its way out (reliability.md B21): asked for with a reason,
    above 500 rows approved by a second person, masked, marked, fetched thrice at most."""

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("export", "Waits for approval")
        MAKING = "making", pgettext_lazy("export", "Being made")
        READY = "ready", pgettext_lazy("export", "Ready")
        REFUSED = "refused", pgettext_lazy("export", "Refused")
        EXPIRED = "expired", pgettext_lazy("export", "Expired")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    requested_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    query = models.CharField(max_length=300, blank=True)
    recipients = models.ForeignKey(  # or a list that goes back to its customer
        "RecipientList", models.SET_NULL, null=True, related_name="exports"
    )
    reason = models.CharField(_("reason"), max_length=200)
    rows = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    job = models.ForeignKey(Job, models.SET_NULL, null=True, related_name="+")
    sha256 = models.CharField(max_length=64, blank=True)
    # Who is in the file: customers, or recipients of the list (B46). None: an older file.
    subjects = ArrayField(models.BigIntegerField(), null=True)
    downloads = models.PositiveSmallIntegerField(default=0)
    asked_at = models.DateTimeField(auto_now_add=True)
    ready_at = models.DateTimeField(null=True)

    objects = ExportQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at"]
        constraints = [
            models.CheckConstraint(
                name="export_second_person",
                condition=Q(decided_by=None) | ~Q(decided_by=models.F("requested_by")),
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def path(self) -> Path:
        """Encrypted; the name tells nothing."""
        return Path(settings.FILES_ROOT) / "exports" / str(self.pk)
