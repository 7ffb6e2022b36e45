"""Scoped querysets: who may see which rows. Fail-closed."""

from typing import Self

from django.db import models
from django.db.models import Q

from crm.access.models import User
from crm.org.models import Office


def subtree(user: User, *roles: str, lookup: str = "office") -> Q:
    """Rows at or below the offices where `user` is posted in one of `roles`.

    No posting gives a Q that matches nothing: an empty one would match everything.
    """
    inside = Q(pk__in=[])
    for posting in user.posts(*roles):
        inside |= Q(**{f"{lookup}__path__startswith": posting.office.path})
    return inside


def reaching(user: User, *roles: str) -> Q:
    """Rows at or below the offices where `user` is posted in one of `roles`, and those of
    the offices above, which hold there too."""
    seen = subtree(user, *roles)
    for posting in user.posts(*roles):
        path, step = posting.office.path, Office.steplen
        above = [path[:end] for end in range(step, len(path), step)]
        seen |= Q(office__path__in=above)
    return seen


class ScopedQuerySet(models.QuerySet):
    """Rows that only some may see; each model says who."""

    def rule(self, user: User) -> Q:
        raise NotImplementedError

    def visible_to(self, user: User) -> Self:
        """The rows `user` may see. No posting, no rows. One query for the postings."""
        if not user.postings_now:
            return self.none()
        return self.filter(self.rule(user))


def offices_of(user: User, *roles: str) -> models.QuerySet[Office]:
    """Active offices at or below the user's postings in `roles` (any role if none)."""
    postings = user.posts(*roles) if roles else user.postings_now
    inside = Q(pk__in=[])
    for posting in postings:
        inside |= Q(path__startswith=posting.office.path)
    return Office.objects.active().filter(inside).order_by("path")
