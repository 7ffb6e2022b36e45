"""Ending sessions, and clearing what has expired."""

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils.timezone import now

from crm.access.models import SignedInSession, Submission, User
from crm.audit import services as audit
from crm.jobs import schedule


@transaction.atomic
def end_sessions(user: User, *, by: User | None, keep: str = "") -> int:
    """End every browser session of `user` but the one with key `keep`; return how many."""
    rows = list(user.sessions.exclude(session_key=keep))
    Session.objects.filter(session_key__in=[row.session_key for row in rows]).delete()
    SignedInSession.objects.filter(pk__in=[row.pk for row in rows]).delete()
    if rows:
        audit.record(by, "session.ended", user, details={"sessions": len(rows)})
    return len(rows)


def clean_step(job) -> bool:
    """Job: drop expired sessions, tokens of sent forms, and old ledger rows."""
    Session.objects.filter(expire_date__lt=now()).delete()
    alive = Session.objects.values("session_key")
    SignedInSession.objects.exclude(session_key__in=alive).delete()
    Submission.objects.filter(at__lt=now() - timedelta(days=1)).delete()
    schedule.forget_old()
    return True
