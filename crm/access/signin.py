"""Signing in: the backend, the second factor, and what follows a failure."""

import base64
import hashlib
import logging
import secrets
import time
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth import user_logged_in, user_logged_out, user_login_failed
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.db.models import Sum
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.timezone import now
from django_otp.oath import TOTP

from crm.access.models import SecondFactor, SignedInSession, Trace, User
from crm.audit import services as audit

STEP_SECONDS = 30
ALARM_AFTER = 20  # failures of one account from anywhere, within the cool-off time
logger = logging.getLogger("crm.access.alarm")


def client_ip(request: HttpRequest) -> str:
    """The peer's address; X-Forwarded-For counts only behind our own proxy."""
    if settings.TRUSTED_PROXY:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
        if forwarded:
            return forwarded.rsplit(",", 1)[-1].strip()
    return request.META.get("REMOTE_ADDR") or "127.0.0.1"


class Backend(BaseBackend):
    """Password check that takes as long for an unknown name as for a wrong password."""

    def authenticate(
        self, request, username=None, password=None, **_more
    ) -> User | None:
        user = User.objects.filter(username=username).first()
        if user is None:
            User().set_password(password)  # spends the time of one hash
            return None
        if not user.check_password(password) or not self.user_can_authenticate(user):
            return None
        return user

    def user_can_authenticate(self, user: User) -> bool:
        demo_is_safe = settings.LOOPBACK_ONLY or settings.DEBUG
        return user.is_active and (demo_is_safe or not user.is_demo)

    def get_user(self, user_id: int) -> User | None:
        user = User.objects.filter(pk=user_id).first()
        return user if user and self.user_can_authenticate(user) else None


def failures_of(username: str) -> int:
    since = now() - timedelta(hours=settings.AXES_COOLOFF_TIME)
    recent = AccessAttempt.objects.filter(username=username, attempt_time__gte=since)
    return recent.aggregate(total=Sum("failures_since_start"))["total"] or 0


def delay_for(username: str) -> float:
    """Seconds to wait before answering: grows from the 20th failure, never locks out."""
    return min(2.0, 0.1 * max(0, failures_of(username) - ALARM_AFTER + 1))


@receiver(user_logged_in)
def remember_session(
    sender: Any, request: HttpRequest, user: User, **_more: Any
) -> None:
    """Keep at most two browsers signed in: a third ends the oldest."""
    with transaction.atomic():
        new = SignedInSession.objects.create(
            user=user,
            session_key=request.session.session_key or "",
            ip=client_ip(request),
            browser=request.headers.get("User-Agent", "")[:200],
        )
        others = user.sessions.exclude(pk=new.pk).order_by("-started_at")
        extra = others[settings.SESSIONS_PER_USER - 1 :]
        SignedInSession.objects.filter(pk__in=[row.pk for row in extra]).delete()
        audit.record(user, "session.opened", user, trace=trace_of(request))


@receiver(user_logged_out)
def forget_session(
    sender: Any, request: HttpRequest, user: User | None, **_more: Any
) -> None:
    if user is not None:
        SignedInSession.objects.filter(session_key=request.session.session_key).delete()
        audit.record(user, "session.closed", user, trace=trace_of(request))


@receiver(user_login_failed)
def note_failure(
    sender: Any, credentials: dict, request: HttpRequest | None = None, **_m: Any
):
    if request is None:
        return
    username = str(credentials.get("username", ""))[:60]
    details = {"username": username}
    audit.record(
        None,
        "session.refused",
        result="denied",
        details=details,
        trace=trace_of(request),
    )
    if failures_of(username) + 1 == ALARM_AFTER:
        logger.warning("sign-in alarm: %s failures for one account", ALARM_AFTER)
        audit.record(None, "session.alarm", details=details, trace=trace_of(request))


def trace_of(request: HttpRequest) -> Trace:
    """Who knocked: address, a hash of the session, and the request's id."""
    key = request.session.session_key or ""
    hashed = hashlib.sha256(key.encode()).hexdigest()[:16] if key else ""
    return Trace(client_ip(request), hashed, getattr(request, "request_id", ""))


# --- second factor --------------------------------------------------------------------


def new_factor(user: User) -> SecondFactor:
    """A fresh, unconfirmed factor in place of an unconfirmed one."""
    factor, _made = SecondFactor.objects.update_or_create(
        user=user,
        defaults={"secret": secrets.token_hex(20), "confirmed": False, "last_step": -1},
    )
    return factor


def new_recovery_codes(factor: SecondFactor) -> list[str]:
    """Ten one-time codes, shown once; only their hashes are kept."""
    codes = [secrets.token_hex(5) for _ in range(10)]
    factor.recovery_hashes = [make_password(code) for code in codes]
    factor.save(update_fields=["recovery_hashes"])
    return codes


@transaction.atomic
def check_code(user: User, code: str) -> bool:
    """Whether `code` is this or the previous step's, unused, or an unused recovery code.

    RACE: the factor is locked, so one code cannot work twice at the same time.
    """
    factor = SecondFactor.objects.select_for_update().filter(user=user).first()
    if factor is None:
        return False
    if factor.closed_until and factor.closed_until > now():
        return False
    if _matches(factor, code.replace(" ", "").lower()):
        factor.failures, factor.closed_until = 0, None
        factor.save()
        return True
    factor.failures += 1
    if factor.failures >= settings.AXES_FAILURE_LIMIT:
        factor.failures = 0
        factor.closed_until = now() + timedelta(hours=settings.AXES_COOLOFF_TIME)
        audit.record(user, "second_factor.closed", user, result="denied")
    factor.save()
    return False


def _matches(factor: SecondFactor, code: str) -> bool:
    """Whether `code` fits, and if so, use it up. The caller holds the lock and saves."""
    totp = TOTP(bytes.fromhex(factor.secret), step=STEP_SECONDS)
    totp.time = time.time()
    for step in (totp.t(), totp.t() - 1):
        totp.drift = step - int(totp.time // STEP_SECONDS)
        if step > factor.last_step and secrets.compare_digest(
            f"{totp.token():06d}", code
        ):
            factor.last_step = step
            return True
    for hashed in factor.recovery_hashes:
        if len(code) == 10 and check_password(code, hashed):
            factor.recovery_hashes = [h for h in factor.recovery_hashes if h != hashed]
            return True
    return False


def provisioning_uri(factor: SecondFactor) -> str:
    """What the QR code says, in the authenticator apps' own form."""
    label = quote(f"Postal CRM:{factor.user.username}")
    return f"otpauth://totp/{label}?secret={_base32(factor)}&issuer=Postal%20CRM"


def readable_secret(factor: SecondFactor) -> str:
    """The secret in groups of four, for typing."""
    text = _base32(factor)
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def _base32(factor: SecondFactor) -> str:
    return base64.b32encode(bytes.fromhex(factor.secret)).decode().rstrip("=")
