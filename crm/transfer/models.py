"""Imports: a file, its mapping, what became of each row."""

import uuid
from pathlib import Path

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, RangeOperators
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.jobs.models import Job
from crm.org.models import Office


class SourceFile(models.Model):
    """A file's bytes at one office: a usage line's key is (this, its line number)."""

    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="source_file_once", fields=["office", "sha256"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.office_id} {self.sha256[:12]}"


class ImportedLines(models.Model):
    """A run of lines of a source that are in. The database refuses a line twice."""

    source = models.ForeignKey(SourceFile, models.CASCADE, related_name="imported")
    lines = BigIntegerRangeField()

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="imported_line_once",
                expressions=[
                    ("source", RangeOperators.EQUAL),
                    ("lines", RangeOperators.OVERLAPS),
                ],
            )
        ]

    def __str__(self) -> str:
        return str(self.lines)


class ImportQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Supervisors see the imports of their offices, others their own."""
        own = subtree(user, "importer", "manager") & Q(created_by=user)
        return subtree(user, "supervisor") | own


class Import(models.Model):
    """One upload on its way in: uploaded → running → done or failed.

    `mapping` goes from a source column to a target column. rows = imported + duplicates
    + rejected once it is done.
    """

    class State(models.TextChoices):
        UPLOADED = "uploaded", _("Waiting for its mapping")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        REVERTING = "reverting", _("Being undone")
        REVERTED = "reverted", _("Undone")

    class OnMatch(models.TextChoices):
        UPDATE = "update", _("Update it")
        SKIP = "skip", _("Leave it as it is")
        CREATE = "create", _("Create another")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    target = models.CharField(max_length=20)
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    file_name = models.CharField(max_length=200)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    encoding = models.CharField(max_length=12)
    delimiter = models.CharField(max_length=1)
    columns = models.JSONField(default=list)
    mapping = models.JSONField(default=dict)
    options = models.JSONField(default=dict)  # {"match": column, "on_match": OnMatch}
    state = models.CharField(max_length=10, choices=State, default=State.UPLOADED)
    job = models.OneToOneField(Job, models.SET_NULL, null=True, related_name="+")
    rows = models.BigIntegerField(default=0)
    imported = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    created_rows = models.BigIntegerField(
        default=0
    )  # of the target's parent: customers
    counts = models.JSONField(default=dict)  # what else the target counts
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["office", "-created_at"], name="import_office")]
        constraints = [
            models.CheckConstraint(
                name="import_adds_up",
                condition=Q(
                    rows=models.F("imported")
                    + models.F("duplicates")
                    + models.F("rejected")
                ),
            )
        ]

    def __str__(self) -> str:
        return self.file_name

    def get_absolute_url(self) -> str:
        return reverse("transfer:detail", args=[self.pk])

    @property
    def path(self) -> Path:
        """The stored copy, always delimited text; the name tells nothing."""
        return Path(settings.FILES_ROOT) / "imports" / str(self.pk)


class SavedMapping(models.Model):
    """How an office last mapped files with these headers: the first guess next time."""

    office = models.ForeignKey(Office, models.CASCADE, related_name="+")
    target = models.CharField(max_length=20)
    headers = models.CharField(max_length=64)  # SHA-256 of the header row
    mapping = models.JSONField()
    options = models.JSONField(default=dict)
    used_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="saved_mapping_once", fields=["office", "target", "headers"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.target} {self.headers[:12]}"


class RejectedRow(models.Model):
    """A row that did not go in: where and why. The value is cut and masked."""

    batch = models.ForeignKey(Import, models.CASCADE, related_name="rejections")
    line = models.BigIntegerField()  # as a spreadsheet counts: the header is 1
    column = models.CharField(max_length=100)
    value = models.CharField(max_length=60, blank=True)
    reason = models.CharField(max_length=30)

    class Meta:
        indexes = [models.Index(fields=["batch", "line"], name="rejected_line")]
        ordering = ["line"]

    def __str__(self) -> str:
        return f"{self.line} {self.column} {self.reason}"
