"""A form sent twice acts once (reliability.md B12)."""

import uuid
from collections.abc import Callable

from django.db import transaction

from crm.access.capabilities import AuthedRequest
from crm.access.models import Submission, User


def once(request: AuthedRequest, act: Callable[[], str]) -> str:
    """The address that `act` returned, now or when this form's token came first.

    RACE: the second of two equal posts waits for the first one's row, then reads its
    answer. What `act` raises undoes the token too. A foreign or missing token acts anew:
    it protects its own sender only.
    """
    try:
        token = uuid.UUID(request.POST.get("token", ""))
    except ValueError:
        return act()
    return once_for(request.user, token, act)


def answered(request: AuthedRequest) -> str:
    """What this form's token was answered with, if it came before: asked first where the
    form itself would refuse the same thing twice."""
    try:
        token = uuid.UUID(request.POST.get("token", ""))
    except ValueError:
        return ""
    known = Submission.objects.filter(token=token, user=request.user)
    return known.values_list("answer", flat=True).first() or ""


def once_for(user: User, token: uuid.UUID, act: Callable[[], str]) -> str:
    """As `once`, for a token that came otherwise: the API's Idempotency-Key."""
    with transaction.atomic():
        row, created = Submission.objects.get_or_create(
            token=token, defaults={"user": user}
        )
        if not created and row.user_id == user.pk:
            return row.answer
        answer = act()
        if created:
            row.answer = answer
            row.save(update_fields=["answer"])
    return answer
