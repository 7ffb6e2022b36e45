"""Users, their postings, their sessions and their second factor."""

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import models
from django.db.models import F, Q
from django.utils.timezone import localdate
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.roles import Role
from crm.fields import EncryptedText
from crm.org.models import Office


@dataclass(frozen=True)
class Trace:
    """Where a request came from; put on `user.trace` for the audit."""

    ip: str = ""
    session: str = ""
    request_id: str = ""


class UserManager(BaseUserManager["User"]):
    def create_user(
        self, username: str, password: str | None = None, **facts: Any
    ) -> "User":
        user = self.model(username=User.normalize_username(username), **facts)
        user.set_password(password)
        user.save()
        return user


class User(AbstractBaseUser):
    """A person who signs in. Has no right of its own: rights come from postings."""

    username = models.CharField(
        _("user name"),
        max_length=60,
        unique=True,
        validators=[UnicodeUsernameValidator()],
    )
    full_name = models.CharField(_("full name"), max_length=60)
    email = models.EmailField(_("e-mail"), blank=True)
    mobile = EncryptedText()  # for news by SMS, if they want it
    is_active = models.BooleanField(_("active"), default=True)
    is_demo = models.BooleanField(default=False)  # may sign in on loopback only
    must_change_password = models.BooleanField(default=False)
    language = models.CharField(_("language"), max_length=10, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()
    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = ["full_name"]
    trace: Trace | None = None

    class Meta:
        ordering = ["username"]

    def __str__(self) -> str:
        return self.full_name or self.username

    @cached_property
    def postings_now(self) -> list["Posting"]:
        """Postings in force today, with their office. One query, once per instance."""
        if not self.is_active:
            return []
        return list(self.postings.in_force(localdate()).select_related("office"))

    def posts(self, *roles: str) -> list["Posting"]:
        return [posting for posting in self.postings_now if posting.role in roles]

    @property
    def must_use_second_factor(self) -> bool:
        """Whether an office of a posting, or one above it, requires it. One query."""
        requiring = Office.objects.filter(requires_second_factor=True)
        return any(
            posting.office.path.startswith(path)
            for path in requiring.order_by().values_list("path", flat=True)
            for posting in self.postings_now
        )


class PostingQuerySet(models.QuerySet):
    def in_force(self, on: date) -> Self:
        ended = Q(valid_to__isnull=True) | Q(valid_to__gte=on)
        return self.filter(
            ended, valid_from__lte=on, approved=True, office__is_active=True
        )

    def leading(self, *paths: str) -> Self:
        """Of those who supervise one of these offices today, with the person."""
        rows = self.in_force(localdate()).filter(
            role=Role.SUPERVISOR, office__path__in=paths, user__is_active=True
        )
        return rows.select_related("user")


class Posting(models.Model):
    """A user in a role at an office, for a time: the source of every right.

    A posting to an upper role counts only once a second security administrator has
    approved it.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="postings")
    office = models.ForeignKey(
        Office, models.PROTECT, related_name="postings", verbose_name=_("office")
    )
    role = models.CharField(_("role"), max_length=20, choices=Role)
    valid_from = models.DateField(_("valid from"), default=localdate)
    valid_to = models.DateField(_("valid to"), null=True, blank=True)  # its last day
    approved = models.BooleanField(default=True)
    granted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = PostingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="posting_forward",
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")),
            ),
            models.UniqueConstraint(
                name="posting_once", fields=["user", "office", "role", "valid_from"]
            ),
        ]
        ordering = ["-valid_from", "pk"]

    def __str__(self) -> str:
        return f"{self.user.username} {self.role} @ {self.office.code}"


class PendingReset(models.Model):
    """A reset of an account with an upper role: it waits for a second administrator."""

    user = models.OneToOneField(User, models.CASCADE, related_name="pending_reset")
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    second_factor = models.BooleanField(default=False)
    asked_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"reset of {self.user}"


class SignedInSession(models.Model):
    """One signed-in browser of a user; ending it here ends it there at the next request."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    user = models.ForeignKey(User, models.CASCADE, related_name="sessions")
    session_key = models.CharField(max_length=40, unique=True)
    ip = models.GenericIPAddressField(null=True)
    browser = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["started_at"]

    def __str__(self) -> str:
        return f"{self.user} {self.started_at:%Y-%m-%d %H:%M}"


class ApiToken(models.Model):
    """A key with which another system acts as its owner, with the owner's rights as they
    are at the time. Kept as a digest: nobody can read it back."""

    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    name = models.CharField(_("used by"), max_length=60)
    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_on = models.DateField(_("last day"))
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.user} {self.name}"


class SecondFactor(models.Model):
    """A user's authenticator app (TOTP, 30 s, six digits) and recovery codes.

    `last_step` is the last time step that was used: each code works once. Five wrong
    codes close it for 15 minutes, whichever session they come from.
    """

    user = models.OneToOneField(User, models.CASCADE, related_name="second_factor")
    secret = EncryptedText()  # hex
    confirmed = models.BooleanField(default=False)
    last_step = models.BigIntegerField(default=-1)
    recovery_hashes = models.JSONField(default=list)
    failures = models.PositiveSmallIntegerField(default=0)  # since the last right code
    closed_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"second factor of {self.user_id}"


class Submission(models.Model):
    """A form that was sent: the same token again gets the same answer, and no second row.

    Tokens are forgotten after a day by access.clean.
    """

    token = models.UUIDField(primary_key=True)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    answer = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["at"], name="submission_at")]

    def __str__(self) -> str:
        return str(self.token)


class Shift(models.Model):
    """Hours in which somebody works. Who has none is taken to work in office hours."""

    user = models.ForeignKey(
        User,
        models.CASCADE,
        related_name="shifts",
        verbose_name=pgettext_lazy("duty", "person"),
    )
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("to"))

    class Meta:
        ordering = ["starts_at"]
        constraints = [
            models.CheckConstraint(
                name="shift_forward",
                condition=Q(
                    ends_at__gt=F("starts_at"),
                    ends_at__lte=F("starts_at") + timedelta(hours=24),
                    starts_at__gte=datetime(2000, 1, 1, tzinfo=UTC),
                ),
            ),
            models.UniqueConstraint(name="shift_once", fields=["user", "starts_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.starts_at} – {self.ends_at}"


class Absence(models.Model):
    """Days on which somebody is away: leave, illness, training."""

    user = models.ForeignKey(
        User,
        models.CASCADE,
        related_name="absences",
        verbose_name=pgettext_lazy("duty", "person"),
    )
    first_day = models.DateField(_("from"))
    last_day = models.DateField(_("to"))
    reason = models.CharField(
        pgettext_lazy("duty", "reason"), max_length=60, blank=True
    )
    substitute = models.ForeignKey(
        User,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("substitute"),
    )

    class Meta:
        ordering = ["first_day"]
        constraints = [
            models.CheckConstraint(
                name="absence_forward", condition=Q(last_day__gte=F("first_day"))
            ),
            models.CheckConstraint(
                name="absence_other_substitute",
                condition=Q(substitute=None) | ~Q(substitute=F("user")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first_day} – {self.last_day}"
