"""Signing in and out, the second factor, the own profile."""

import time
from typing import Any

import segno
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from crm.access import services, signin, tokens
from crm.access.capabilities import AuthedRequest
from crm.access.forms import (
    CodeForm,
    PasswordForm,
    ProfileForm,
    SignInForm,
    TokenForm,
    UnlockForm,
)
from crm.access.fresh import fresh_password
from crm.access.models import SecondFactor, SignedInSession, User
from crm.access.once import once
from crm.access.sessions import end_sessions
from crm.audit import services as audit
from crm.errors import Refused


def next_url(request: HttpRequest) -> str:
    """Where the way in leads; never to another host."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else "/"


@login_not_required
@never_cache
@sensitive_post_parameters()
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect(next_url(request))
    form = SignInForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        username = form.cleaned_data["username"]
        time.sleep(signin.delay_for(username))
        user = authenticate(request, **form.cleaned_data)
        if user is not None:
            login(request, user)
            request.session["password_at"] = time.time()
            return redirect(next_url(request))
        form.add_error(None, _("User name or password is wrong."))
        status = 422
    elif request.method == "POST":
        status = 422
    context = {"form": form, "next": next_url(request)}
    return render(request, "access/sign_in.html", context, status=status)


def locked_out(request: HttpRequest, *_args, **_more) -> HttpResponse:
    """The sign-in page of a pair of account and address that is closed for 15 minutes."""
    form = SignInForm(request.POST)
    form.is_valid()
    form.add_error(None, _("Too many failures. Try again in 15 minutes."))
    context = {"form": form, "next": next_url(request)}
    return render(request, "access/sign_in.html", context, status=429)


@login_not_required
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Switch the language: in the browser's cookie, and with the account."""
    answer = set_language(request)
    chosen = request.POST.get("language", "")
    if request.user.is_authenticated and chosen in dict(settings.LANGUAGES):
        request.user.language = chosen
        request.user.save(update_fields=["language"])
    return answer


@require_POST
def sign_out(request: AuthedRequest) -> HttpResponse:
    logout(request)
    answer = redirect(settings.LOGIN_URL)
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


@sensitive_post_parameters()
def unlock(request: AuthedRequest) -> HttpResponse:
    """Hides the session until the password is typed again: idle, or asked for anew."""
    if request.method == "GET":
        request.session["locked"] = True
    form = UnlockForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = authenticate(
            request,
            username=request.user.get_username(),
            password=form.cleaned_data["password"],
        )
        if user is not None:
            old_key = request.session.session_key
            request.session.pop("locked", None)
            request.session["seen"] = request.session["password_at"] = time.time()
            request.session.cycle_key()
            _follow_key(request, old_key)
            audit.record(request.user, "session.unlocked", request.user)
            return redirect(next_url(request))
        form.add_error("password", _("This is not your password."))
    context = {"form": form, "next": next_url(request)}
    return render(
        request, "access/unlock.html", context, status=422 if form.errors else 200
    )


def _follow_key(request: AuthedRequest, old_key: str) -> None:
    """The session has a new key; the row of the signed-in browser follows it."""
    rows = SignedInSession.objects.filter(user=request.user, session_key=old_key)
    rows.update(session_key=request.session.session_key)


def second_factor(request: AuthedRequest) -> HttpResponse:
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if signin.check_code(request.user, form.cleaned_data["code"]):
            request.session["second_factor_ok"] = time.time()
            audit.record(request.user, "second_factor.passed", request.user)
            return redirect(next_url(request))
        audit.record(
            request.user, "second_factor.refused", request.user, result="denied"
        )
        form.add_error(
            "code",
            _(
                "This code is wrong, used or too old. Five wrong ones close it for 15 minutes."
            ),
        )
    context = {"form": form, "next": next_url(request)}
    return render(
        request,
        "access/second_factor.html",
        context,
        status=422 if form.errors else 200,
    )


@fresh_password
def second_factor_setup(request: AuthedRequest) -> HttpResponse:
    """Show the secret as a QR code; it counts once a code of it has been typed."""
    confirmed = SecondFactor.objects.filter(user=request.user, confirmed=True).exists()
    if confirmed:
        return redirect("access:profile")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if signin.check_code(request.user, form.cleaned_data["code"]):
            services.confirm_second_factor(request.user)
            request.session["second_factor_ok"] = time.time()
            return _show_recovery_codes(request)
        form.add_error("code", _("This code is wrong. Is the phone's clock right?"))
        factor = SecondFactor.objects.get(user=request.user)
    else:
        factor = signin.new_factor(request.user)
    uri = signin.provisioning_uri(factor)
    context = {
        "form": form,
        "qr": segno.make(uri).svg_data_uri(scale=4, dark="#16211c", light="#ffffff"),
        "secret": signin.readable_secret(factor),
    }
    status = 422 if form.errors else 200
    return render(request, "access/second_factor_setup.html", context, status=status)


def _show_recovery_codes(request: AuthedRequest) -> HttpResponse:
    factor = SecondFactor.objects.get(user=request.user)
    codes = signin.new_recovery_codes(factor)
    return render(request, "access/recovery_codes.html", {"codes": codes})


def profile(request: AuthedRequest) -> HttpResponse:
    form = ProfileForm(
        request.POST or None, instance=User.objects.get(pk=request.user.pk)
    )
    if request.method == "POST" and form.is_valid():
        services.change_profile(request.user, **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("access:profile")
    return _profile_page(request, form, 422 if form.errors else 200)


def _profile_page(
    request: AuthedRequest, form: ProfileForm, status: int = 200, **more: Any
) -> HttpResponse:
    context = {
        "form": form,
        "token_form": TokenForm(),
        "tokens": request.user.tokens.all(),
        "postings": request.user.postings_now,
        "sessions": request.user.sessions.all(),
        "this_session": request.session.session_key,
        "factor": SecondFactor.objects.filter(
            user=request.user, confirmed=True
        ).first(),
        **more,
    }
    return render(request, "access/profile.html", context, status=status)


@require_POST
@fresh_password
def token_new(request: AuthedRequest) -> HttpResponse:
    """A key for another system, shown on the page that answers and never again."""
    form, made = TokenForm(request.POST), []

    def act() -> str:
        made.append(tokens.make_token(request.user, **form.cleaned_data))
        return "made"

    if form.is_valid():
        try:
            once(request, act)
        except Refused as refusal:
            form.add_error("expires_on", str(refusal))
    if not made and not form.errors:  # the same form once more: nothing to show again
        return redirect("access:profile")
    facts = {"token_form": form} if form.errors else {"token": made[0]}
    profile_form = ProfileForm(instance=request.user)
    return _profile_page(request, profile_form, 422 if form.errors else 200, **facts)


@require_POST
def token_end(request: AuthedRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(request.user.tokens, pk=pk)
    tokens.end_token(row, by=request.user)
    return redirect("access:profile")


@sensitive_post_parameters()
def password(request: AuthedRequest) -> HttpResponse:
    form = PasswordForm(request.POST or None, request=request)
    if request.method == "POST" and form.is_valid():
        keep = request.session.session_key
        services.change_password(
            request.user, password=form.cleaned_data["new"], keep=keep
        )
        update_session_auth_hash(request, request.user)
        _follow_key(request, keep)
        messages.success(
            request, _("Your password is changed; other browsers are signed out.")
        )
        return redirect("access:profile")
    return render(
        request,
        "access/password.html",
        {"form": form},
        status=422 if form.errors else 200,
    )


@require_POST
def end_session(request: AuthedRequest, pk: str) -> HttpResponse:
    row = get_object_or_404(request.user.sessions, pk=pk)
    if row.session_key == request.session.session_key:
        raise Http404
    end_sessions(request.user, by=request.user, keep=request.session.session_key)
    messages.success(request, _("The other browsers are signed out."))
    return redirect("access:profile")
