"""What holds for every signed-in request: the session's life, the trace, the denials."""

from collections.abc import Callable
from typing import cast

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import Resolver404, resolve, reverse
from django.utils import translation
from django.utils.http import urlencode
from django.utils.timezone import now

from crm.access.models import SignedInSession, User
from crm.access.signin import trace_of
from crm.audit import services as audit

ALWAYS_OPEN = {"access:sign_out", "language"}
NOT_ACTIVITY = {
    "transfer:progress",
    "call:ringing",
    "call:keep",
    "complaints:presence",
}  # a page that asks by itself is nobody at the desk


class SessionGuardMiddleware:
    """Idle lock, ended sessions, second factor, forced password change, denials.

    Rights are read from the database at every request, so a change works at the next.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not user.is_authenticated:
            return self.get_response(request)
        self.follow(request)
        user.trace = trace_of(request)
        if user.language and user.language != translation.get_language():
            translation.activate(user.language)
            request.LANGUAGE_CODE = user.language
        answer = self.gate(request) or self.get_response(request)
        self.note_denial(request, answer)
        return answer

    def follow(self, request: HttpRequest) -> None:
        """A session that was signed under the SECRET_KEY before has just been given a new
        key by Django: it is still the same sign-in (B42)."""
        sent = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        key = request.session.session_key
        if sent and key and sent != key:
            rows = SignedInSession.objects.filter(
                session_key=sent, user=request.user.pk
            )
            rows.update(session_key=key)

    def gate(self, request: HttpRequest) -> HttpResponse | None:
        """Where a session that is not fully open must go first, or None.

        Cost: one query, which also asks for the second factor.
        """
        session = request.session
        rows = SignedInSession.objects.filter(
            session_key=session.session_key, user=request.user.pk
        )
        row = rows.values_list("started_at", "user__second_factor__confirmed").first()
        at = now()
        if row is None or (at - row[0]).total_seconds() > settings.SESSION_COOKIE_AGE:
            logout(request)
            return self.send(request, settings.LOGIN_URL, ended="1")
        if (
            at.timestamp() - session.get("seen", at.timestamp())
            > settings.SESSION_IDLE_SECONDS
        ):
            session["locked"] = True
        name = view_name(request)
        if name in ALWAYS_OPEN:
            return None
        target = "access:unlock" if session.get("locked") else None
        target = target or self.unmet(request, has_factor=bool(row[1]))
        if target:
            return None if name == target else self.send(request, target)
        # Not a write at every request.
        if name not in NOT_ACTIVITY and at.timestamp() - session.get("seen", 0) > 30:
            session["seen"] = at.timestamp()
        return None

    def unmet(self, request: HttpRequest, *, has_factor: bool) -> str | None:
        """The page that settles what the account still owes, or None."""
        user = cast(User, request.user)
        if has_factor and not request.session.get("second_factor_ok"):
            return "access:second_factor"
        if not has_factor and user.must_use_second_factor:
            return "access:second_factor_setup"
        if user.must_change_password:
            return "access:password"
        return None

    def send(self, request: HttpRequest, name: str, **why: str) -> HttpResponse:
        url = reverse(name)
        if request.method == "GET" and not request.headers.get("HX-Request"):
            url += "?" + urlencode({"next": request.get_full_path(), **why})
        if request.headers.get("HX-Request"):
            return HttpResponse(status=204, headers={"HX-Redirect": url})
        return redirect(url)

    def note_denial(self, request: HttpRequest, answer: HttpResponse) -> None:
        """A 403 or 404 of a signed-in user is remembered, outside any rolled-back work."""
        if answer.status_code not in (403, 404):
            return
        path, code = request.path[:200], answer.status_code
        details = {"method": request.method, "path": path, "status": code}
        audit.record(request.user, "access.denied", result="denied", details=details)


def view_name(request: HttpRequest) -> str:
    try:
        return resolve(request.path_info).view_name
    except Resolver404:
        return ""
