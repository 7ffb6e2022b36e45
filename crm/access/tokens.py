"""Keys for other systems: made by their owner, shown once, ended by day or by hand."""

import hashlib
import secrets
from datetime import date, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _

from crm.access.models import ApiToken, SecondFactor, User
from crm.audit import services as audit
from crm.errors import Refused

PREFIX = "crm_"
LONGEST = timedelta(days=366)
MOST = 10  # of one person
NOTED_EVERY = timedelta(minutes=5)


def _digest(token: str) -> bytes:
    """The key is 256 random bits: a plain hash cannot be guessed back."""
    return hashlib.sha256(token.encode()).digest()


@transaction.atomic
def make_token(user: User, *, name: str, expires_on: date) -> str:
    """A new key, to be shown this once. Refused: "token.day", "token.many"."""
    today = localdate()
    if not today <= expires_on <= today + LONGEST:
        raise Refused("token.day", _("Between today and a year from now."))
    User.objects.select_for_update().get(pk=user.pk)  # RACE: two forms take turns
    if user.tokens.filter(expires_on__gte=today).count() >= MOST:
        raise Refused("token.many", _("You have ten keys already: end one."))
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken.objects.create(
        user=user, name=name, digest=_digest(token), expires_on=expires_on
    )
    audit.record(user, "token.made", row, details={"name": name})
    return token


@transaction.atomic
def end_token(row: ApiToken, *, by: User) -> None:
    audit.record(by, "token.ended", row, details={"name": row.name})
    row.delete()


def user_of(token: str) -> User | None:
    """Whose key it is, if it still counts. Three queries or four."""
    rows = ApiToken.objects.select_related("user")
    row = rows.filter(digest=_digest(token), expires_on__gte=localdate()).first()
    if row is None or not row.user.is_active:
        return None
    user = row.user
    if user.is_demo and not settings.LOOPBACK_ONLY:
        return None
    if user.must_change_password or _owes_second_factor(user):
        return None
    if row.last_used_at is None or row.last_used_at < now() - NOTED_EVERY:
        ApiToken.objects.filter(pk=row.pk).update(last_used_at=now())
    return user


def _owes_second_factor(user: User) -> bool:
    factor = SecondFactor.objects.filter(user=user, confirmed=True)
    return user.must_use_second_factor and not factor.exists()
