"""Users, postings and resets: what the security administrator does."""

import secrets
from datetime import date

from django.db import transaction
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from crm.access.capabilities import require
from crm.access.models import PendingReset, Posting, SecondFactor, User
from crm.access.roles import APART, UPPER_ROLES
from crm.access.sessions import end_sessions
from crm.audit import services as audit
from crm.errors import Refused
from crm.org.models import Office


def _require_over(by: User, user: User) -> None:
    """`by` must manage users at or above every office where `user` is posted."""
    require(by, "user.manage")
    for posting in user.postings.select_related("office"):
        require(by, "user.manage", posting.office)


@transaction.atomic
def create_user(
    *, by: User | None, username: str, full_name: str, email: str = ""
) -> tuple:
    """Make an account with a one-time password; return (user, password) to hand over."""
    require(by, "user.manage")
    password = secrets.token_urlsafe(9)
    user = User.objects.create_user(
        username, password, full_name=full_name, email=email, must_change_password=True
    )
    audit.record(by, "user.created", user, details={"username": username})
    return user, password


@transaction.atomic
def change_user(
    user: User, *, by: User, full_name: str, email: str, is_active: bool
) -> User:
    """Change an account; disabling it ends its sessions at once."""
    user = User.objects.select_for_update().get(pk=user.pk)
    _require_over(by, user)
    if user.pk == by.pk and not is_active:
        raise Refused("user.self", _("You cannot disable your own account."))
    facts = {"full_name": full_name, "email": email, "is_active": is_active}
    _save_facts(user, facts, by=by, action="user.changed")
    if not is_active:
        end_sessions(user, by=by)
        user.tokens.all().delete()
    return user


@transaction.atomic
def reset_user(user: User, *, by: User, second_factor: bool) -> str | None:
    """Give a one-time password (and drop the second factor); all sessions end.

    An account with an upper role is reset only when a second administrator asks for it
    too: the first call notes the wish and returns None. Refused("user.self") for one's
    own account, ("reset.second_person") when the same person asks twice.
    """
    user = User.objects.select_for_update().get(pk=user.pk)
    _require_over(by, user)
    if user.pk == by.pk:
        raise Refused("user.self", _("Somebody else must reset your account."))
    if user.postings.filter(role__in=UPPER_ROLES).exists():
        asked = PendingReset.objects.filter(user=user).first()
        if asked is None:
            PendingReset.objects.create(
                user=user, asked_by=by, second_factor=second_factor
            )
            audit.record(
                by, "user.reset_asked", user, details={"second_factor": second_factor}
            )
            return None
        if asked.asked_by_id == by.pk:
            raise Refused(
                "reset.second_person", _("A second administrator must approve this.")
            )
        second_factor = asked.second_factor
        asked.delete()
    password = secrets.token_urlsafe(9)
    user.set_password(password)
    user.must_change_password = True
    user.save(update_fields=["password", "must_change_password"])
    if second_factor:
        SecondFactor.objects.filter(user=user).delete()
    end_sessions(user, by=by)
    user.tokens.all().delete()
    audit.record(by, "user.reset", user, details={"second_factor": second_factor})
    return password


@transaction.atomic
def grant_posting(
    user: User,
    *,
    by: User,
    office: Office,
    role: str,
    valid_from: date,
    valid_to: date | None = None,
) -> Posting:
    """Post `user` in `role` at `office`. An upper role waits for a second administrator.

    Refused("posting.self") for one's own account, ("posting.apart") when the user would
    hold two of the three administrations, ("posting.twice") for the same posting again.
    """
    user = User.objects.select_for_update().get(pk=user.pk)
    require(by, "user.manage", office)
    if user.pk == by.pk:
        raise Refused("posting.self", _("Nobody grants a posting to themselves."))
    others = user.postings.exclude(valid_to__lt=localdate())
    if role in APART and others.filter(role__in=APART - {role}).exists():
        raise Refused("posting.apart", _("System, security and audit are kept apart."))
    if others.filter(office=office, role=role).exists():
        raise Refused("posting.twice", _("This posting is in force already."))
    posting = Posting.objects.create(
        user=user,
        office=office,
        role=role,
        valid_from=valid_from,
        valid_to=valid_to,
        approved=role not in UPPER_ROLES,
        granted_by=by,
    )
    details = {"user": user.username, "role": role, "approved": posting.approved}
    audit.record(by, "posting.granted", posting, office=office, details=details)
    return posting


@transaction.atomic
def approve_posting(posting: Posting, *, by: User) -> Posting:
    """The second administrator's word: only now does an upper role count."""
    posting = (
        Posting.objects.select_for_update().select_related("office").get(pk=posting.pk)
    )
    require(by, "user.manage", posting.office)
    if by.pk in (posting.granted_by_id, posting.user_id):
        raise Refused(
            "posting.second_person", _("A second administrator must approve this.")
        )
    posting.approved = True
    posting.save(update_fields=["approved"])
    audit.record(by, "posting.approved", posting, office=posting.office)
    return posting


@transaction.atomic
def end_posting(posting: Posting, *, by: User) -> None:
    """End a posting now: its rights are gone at the user's next request."""
    posting = (
        Posting.objects.select_for_update().select_related("office").get(pk=posting.pk)
    )
    require(by, "user.manage", posting.office)
    details = {"user": posting.user_id, "role": posting.role}
    audit.record(by, "posting.ended", posting, office=posting.office, details=details)
    posting.delete()


def _save_facts(user: User, facts: dict, *, by: User, action: str) -> None:
    """Write `facts` and which of them changed; addresses are personal and only named."""
    changed = {name: [getattr(user, name), new] for name, new in facts.items()}
    changed = {name: pair for name, pair in changed.items() if pair[0] != pair[1]}
    for personal in {"email", "mobile"} & set(changed):
        changed[personal] = ["…", "…"]
    for name, value in facts.items():
        setattr(user, name, value)
    user.save(update_fields=list(facts))
    audit.record(by, action, user, details=changed)


@transaction.atomic
def change_profile(user: User, *, full_name: str, email: str, mobile: str) -> None:
    """Change one's own name and addresses."""
    locked = User.objects.select_for_update().get(pk=user.pk)
    facts = {"full_name": full_name, "email": email, "mobile": mobile}
    _save_facts(locked, facts, by=user, action="profile.changed")


@transaction.atomic
def confirm_second_factor(user: User) -> None:
    """From now on the account asks for a code."""
    SecondFactor.objects.filter(user=user).update(confirmed=True)
    audit.record(user, "second_factor.set_up", user)


@transaction.atomic
def change_password(user: User, *, password: str, keep: str) -> None:
    """Set one's own password; every other session ends."""
    user.set_password(password)
    user.must_change_password = False
    user.save(update_fields=["password", "must_change_password"])
    end_sessions(user, by=user, keep=keep)
    user.tokens.all().delete()
    audit.record(user, "password.changed", user)
