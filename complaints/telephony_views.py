"""Where the exchange reports; the only door without a session, opened by its signature."""

import json

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from complaints import calls, telephony

MOST_BYTES = 10_000


@csrf_exempt
@login_not_required
@require_POST
def telephony_event(request: HttpRequest, adapter: str) -> HttpResponse:
    """The exchange's news; signed, the same twice is once."""
    read = telephony.ADAPTERS.get(adapter)
    if read is None:
        raise Http404
    if len(request.body) > MOST_BYTES:
        return JsonResponse({"code": "too_long"}, status=413)
    if not telephony.is_signed(request.body, request.headers.get("X-Signature", "")):
        return JsonResponse({"code": "not_signed"}, status=403)
    try:
        said = json.loads(request.body)
        if not isinstance(said, dict):
            raise telephony.NotUnderstood("an object")
        call = calls.note_event(read(said))
    except (ValueError, RecursionError) as error:
        return JsonResponse(
            {"code": "not_understood", "message": str(error)}, status=400
        )
    return JsonResponse({"call": str(call.token), "seat": call.user_id is not None})
