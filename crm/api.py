"""What every API view shares: who asks, pages, and one shape of error."""

import hashlib
import json
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter
from rest_framework import (
    authentication,
    exceptions,
    parsers,
    permissions,
    serializers,
    status,
)
from rest_framework.pagination import BasePagination, CursorPagination
from rest_framework.response import Response

from crm.access.capabilities import may
from crm.access.once import once_for
from crm.access.signin import trace_of
from crm.access.tokens import user_of
from crm.audit import services as audit
from crm.errors import Refused


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser's session; answers 401, not 403, to somebody who is not signed in."""

    def authenticate_header(self, request: Any) -> str:
        return "Session"


class TokenAuthentication(authentication.BaseAuthentication):
    """Another system's key: `Authorization: Bearer crm_…`; it acts as the key's owner."""

    def authenticate(self, request: Any) -> tuple[Any, str] | None:
        kind, _space, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        user = user_of(token.strip())
        if user is None:
            raise exceptions.AuthenticationFailed
        user.trace = trace_of(request._request)
        return user, "token"

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"


class TokenScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document names a key."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class SessionScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document names the browser's session."""

    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


class DenyByDefault(permissions.BasePermission):
    """A view without `capabilities` for its action is closed to everybody."""

    def has_permission(self, request: Any, view: Any) -> bool:
        capability = getattr(view, "capabilities", {}).get(
            getattr(view, "action", None)
        )
        return bool(capability and request.user and may(request.user, capability))


class Pages(CursorPagination):
    page_size = 50
    ordering = "-pk"

    def decode_cursor(self, request: Any) -> Any:
        """A cursor that is not ours is a 404, never an error of the database."""
        cursor = super().decode_cursor(request)
        if cursor and cursor.position is not None and not cursor.position.isdecimal():
            raise exceptions.NotFound
        return cursor


class AfterPages(BasePagination):
    """Documents the lists that `crm.web.keyset_page` cuts: `next`, "" at the end, is the
    `after` of the page that follows."""

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        following = {"type": "string", "description": "For `after`; empty at the end."}
        return {
            "type": "object",
            "properties": {"next": following, "results": schema},
            "required": ["next", "results"],
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [{"name": "after", "in": "query", "schema": {"type": "string"}}]


class StrictSerializer(serializers.Serializer):
    """Refuses fields it does not know, instead of ignoring them (mass assignment)."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            return super().to_internal_value(data)  # which refuses it
        unknown = set(data) - set(self.fields)
        read_only = {name for name, field in self.fields.items() if field.read_only}
        if wrong := (unknown | read_only & set(data)):
            raise serializers.ValidationError(
                {name: ["Unknown field."] for name in sorted(wrong)}
            )
        return super().to_internal_value(data)


NAMESPACE = uuid.UUID("6f1f6f8e-7a1c-4a52-9a35-0c2b5f0e9d11")


def once_by_key(request: Any, act: Callable[[], str]) -> str:
    """What `act` returned, now or when this Idempotency-Key of the same sender came first.
    Refused("request.key") when the key came with another request."""
    sent = request.headers.get("Idempotency-Key", "")[:200]
    if not sent:
        return act()
    key = uuid.uuid5(NAMESPACE, f"{request.user.pk} {sent}")
    whole = json.dumps([request.method, request.path, request.data], sort_keys=True)
    asked = hashlib.sha256(whole.encode()).hexdigest()[:16]
    known, _space, answer = once_for(
        request.user, key, lambda: f"{asked} {act()}"
    ).partition(" ")
    if known != asked:
        raise Refused("request.key", _("This key came with another request before."))
    return answer


KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Your own name of this request: sent twice, it acts once.",
)


def flat(data: Any, *lists: str) -> dict[str, Any]:
    """A JSON object as a form takes it; nested values are refused, but for the fields
    that take `lists` of words."""
    if not isinstance(data, dict):
        raise exceptions.ValidationError({"body": ["An object is expected."]})
    rows = {n: v for n, v in data.items() if n in lists and isinstance(v, list)}
    wrong = [n for n, v in data.items() if isinstance(v, dict | list) and n not in rows]
    wrong += [n for n, v in rows.items() if not all(isinstance(one, str) for one in v)]
    if wrong:
        raise exceptions.ValidationError({name: ["One value."] for name in wrong})
    return {
        name: "" if value is None or value is False else str(value).replace("\0", "")
        for name, value in data.items()
        if name not in rows
    } | rows


def checked(form: Any, data: dict[str, Any]) -> Any:
    """The form, valid and without fields it does not know; else 400 with their names."""
    if unknown := set(data) - set(form.fields):
        raise exceptions.ValidationError({n: ["Unknown field."] for n in unknown})
    if not form.is_valid():
        raise exceptions.ValidationError(form.errors)
    return form


class StrictJSONParser(parsers.JSONParser):
    """Refuses what nobody can store: half characters, and nesting without an end."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            data = super().parse(*args, **kwargs)
            json.dumps(data, ensure_ascii=False).encode()
        except RecursionError as error:
            raise exceptions.ParseError("Nested too deeply.") from error
        except UnicodeEncodeError as error:
            raise exceptions.ParseError("Not Unicode text.") from error
        return data


def explain(error: Exception, context: dict) -> Response | None:
    """One shape: {"code", "message", "errors"}; unknown and foreign rows look alike."""
    if isinstance(error, Refused):
        body = {"code": error.code, "message": str(error)}
        return Response(body, status=status.HTTP_409_CONFLICT)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    _note_denial(context.get("request"), error.status_code)
    body = {"code": error.default_code, "message": str(error.default_detail)}
    if isinstance(error, exceptions.ValidationError):
        body["errors"] = error.detail
    headers = {}
    if isinstance(error, exceptions.NotAuthenticated):
        headers["WWW-Authenticate"] = "Session"
    return Response(body, status=error.status_code, headers=headers)


def _note_denial(request: Any, status_code: int) -> None:
    """A key that knocks where it may not; a session's denials are the middleware's."""
    if status_code in (403, 404) and getattr(request, "auth", None) == "token":
        details = {"path": request.path[:200], "status": status_code}
        audit.record(request.user, "access.denied", result="denied", details=details)
