"""may() and require(): who may act. Who may see is a queryset's visible_to()."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from crm.access.models import User
from crm.access.roles import CAPABILITIES
from crm.org.models import Office


class AuthedRequest(HttpRequest):
    """A request behind LoginRequiredMiddleware: its user is ours."""

    user: User  # type: ignore[assignment]
    htmx: Any


def may(user: User, capability: str, office: Office | None = None) -> bool:
    """Whether a posting of `user` gives `capability`, at or above `office` if one is named.

    An unknown capability is a KeyError: a bug, not a "no".
    """
    roles = CAPABILITIES[capability]
    return any(
        posting.role in roles and (office is None or posting.office.contains(office))
        for posting in getattr(user, "postings_now", [])
    )


def require(user: User | None, capability: str, office: Office | None = None) -> None:
    """Raise PermissionDenied unless `user` may; None is the built-in actor "system"."""
    if user is not None and not may(user, capability, office):
        raise PermissionDenied(capability)


def may_everywhere(user: User, capability: str) -> bool:
    """Whether a posting at the top of the tree gives it: for what is the whole house's."""
    return all(may(user, capability, root) for root in Office.objects.filter(depth=1))


def require_everywhere(user: User | None, capability: str) -> None:
    """For what concerns the whole company: a posting at the top of the tree."""
    for root in Office.objects.filter(depth=1):
        require(user, capability, root)


def needs(capability: str) -> Callable:
    """Close a page to users without `capability`: 403, and an audit row by the middleware."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def guarded(request: AuthedRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            require(request.user, capability)
            return view(request, *args, **kwargs)

        guarded.capability = capability  # type: ignore[attr-defined]
        return guarded

    return decorate
