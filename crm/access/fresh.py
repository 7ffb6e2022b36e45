"""Step-up: what is highly sensitive asks for the password again after five minutes."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from crm.access.capabilities import AuthedRequest


def fresh_password(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Send the user through the unlock page unless the password is five minutes young.

    A form that was sent is not replayed: the user comes back to its page and sends it
    again, knowing why.
    """

    @wraps(view)
    def guarded(request: AuthedRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        age = time.time() - request.session.get("password_at", 0)
        if age <= settings.STEP_UP_SECONDS:
            return view(request, *args, **kwargs)
        back = request.get_full_path()
        if request.method == "POST":
            back = request.headers.get("Referer", "/")
            messages.error(
                request, _("Your password was asked for again: please repeat the step.")
            )
        return redirect(f"{reverse('access:unlock')}?{urlencode({'next': back})}")

    return guarded
