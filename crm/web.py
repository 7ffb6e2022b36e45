"""What every HTML page shares: request id, headers, page frame, menu, lists."""

import csv
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseTrouble
from django.db import InterfaceError, OperationalError
from django.db.models.fields.tuple_lookups import (
    Tuple,
    TupleGreaterThan,
    TupleLessThan,
)
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve

from crm.access.capabilities import may
from crm.jobs import health
from crm.notify.models import Message
from crm.text import safe_cell

logger = logging.getLogger("crm.request")
API = "/api/"  # its callers read JSON, errors too


class RequestIdMiddleware:
    """A fresh id for each request, in the answer and the audit trail."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = str(uuid.uuid4())  # type: ignore[attr-defined]
        if "\x00" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            answer = _nul_refused(request)
        else:
            answer = self.get_response(request)
        answer.headers["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return answer


def _nul_refused(request: HttpRequest) -> HttpResponse:
    """PostgreSQL knows no NUL in a text: refused before anything reads it."""
    words = "The address has a NUL character."
    if request.path_info.startswith(API):
        return JsonResponse({"code": "bad_request", "message": words}, status=400)
    return HttpResponse(words, status=400)


class AnswerMiddleware:
    """Nothing of a signed-in page is stored; a busy database answers 503 in plain words."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        if answer.status_code == 405 and request.method == "GET":
            answer = self.upwards(request, answer)
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    def upwards(self, request: HttpRequest, answer: HttpResponse) -> HttpResponse:
        """An address that is only posted to, opened by hand (a page of errors loaded anew,
        the language changed there): the nearest page above it."""
        parts = request.path.strip("/").split("/")
        if parts[0] in ("api", "hooks"):
            return answer
        while len(parts) > 1:
            parts.pop()
            path = "/" + "/".join(parts) + "/"
            with suppress(Resolver404):
                resolve(path)
                return redirect(path)
        return answer

    def process_exception(
        self, request: HttpRequest, error: Exception
    ) -> HttpResponse | None:
        if isinstance(error, OperationalError | InterfaceError):
            logger.error("database busy or away: %s", type(error).__name__)
            answer = render(request, "503.html", status=503)
            answer.headers["Retry-After"] = "5"
            return answer
        return None


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context of every page. Cost: one query when somebody is signed in (unread news)."""
    context: dict[str, Any] = {
        "csp_nonce": request.csp_nonce,  # type: ignore[attr-defined]
        "ui_theme": _cookie(request, "theme", {"light", "dark", "auto"}, "auto"),
        "ui_density": _cookie(request, "density", {"compact", "cosy"}, "compact"),
    }
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or getattr(request, "htmx", False):
        return context
    try:
        context["unread"] = Message.objects.inbox_of(user).unread().count()
        context["roles"] = frozenset(posting.role for posting in user.postings_now)
        context["idle_seconds"] = settings.SESSION_IDLE_SECONDS
        context["may_search"] = may(user, "customer.view")
        context["seat"] = request.session.get("seat", "")  # calls may ring here
    except DatabaseTrouble:
        logger.warning("frame drawn without the database")
    return context


def _cookie(request: HttpRequest, name: str, known: set[str], default: str) -> str:
    value = request.COOKIES.get(name, default)
    return value if value in known else default


def is_degraded() -> bool:
    """Whether the board should say that background work is not being done."""
    return not health.report().is_well


@dataclass(frozen=True)
class Page:
    """A slice of a list by keyset: the rows, and the key that the next page begins after."""

    rows: list
    next_key: str
    has_previous: bool
    total: int
    is_capped: bool


TOTAL_CAP = 1_000  # counting further would cost more than the page
PAGE_ROWS = 50


def keyset_page(
    queryset: Any,
    columns: list[str],
    after: str,
    *,
    cap: int | None = TOTAL_CAP,
    key_field: str = "pk",
    read_key: Callable[[str], tuple | None] | None = None,
    write_key: Callable[[Any], str] | None = None,
) -> Page:
    """Rows ordered by two `columns` (the last unique) behind the row whose `key_field`,
    a number, is `after`.

    Flat at any depth; a minus before both columns orders backwards. The address carries a
    number, never a name. The total is counted up to `cap`, or whole without one (a list
    behind a figure). Where no number names a row, `read_key` gives the two values from
    the address and `write_key` writes them. Cost: two queries, three behind the first page.
    """
    backwards = columns[0].startswith("-")
    if any(column.startswith("-") != backwards for column in columns):
        raise ValueError("columns of a page all run one way")
    names = [column.lstrip("-") for column in columns]
    counted = queryset.order_by()
    total = counted[: cap + 1].count() if cap else counted.count()
    rows_from = queryset
    if read_key:
        key = read_key(after)
    elif after.isascii() and after.isdigit() and len(after) < 19:
        key = queryset.filter(**{key_field: after}).values_list(*names).first()
    else:
        key = None
    if key:
        rows_from = queryset.filter(_beyond(names, key, backwards))
    rows = list(rows_from.order_by(*columns)[: PAGE_ROWS + 1])
    next_key = ""
    if len(rows) > PAGE_ROWS:
        rows.pop()
        last = rows[-1]
        next_key = write_key(last) if write_key else str(getattr(last, key_field))
    is_capped = cap is not None and total > cap
    return Page(rows, next_key, key is not None, min(total, cap or total), is_capped)


def _beyond(names: list[str], key: tuple, backwards: bool) -> Any:
    """(a, b) > (x, y) as PostgreSQL compares rows: the index on (a, b) gives them in order.

    Written out with AND and OR it is estimated so low that the rest is sorted instead.
    """
    compare = TupleLessThan if backwards else TupleGreaterThan
    return compare(Tuple(*names), key)


class Echo:
    """What csv.writer needs of a file: it gives back what it is given."""

    def write(self, line: str) -> str:
        return line


def csv_answer(rows: Iterable[list], name: str) -> StreamingHttpResponse:
    """Rows as a CSV download, as they come, with the mark that Excel needs; no cell is a
    formula."""

    def lines() -> Iterator[str]:
        writer = csv.writer(Echo(), quoting=csv.QUOTE_ALL)
        yield "\ufeff"
        for row in rows:
            yield writer.writerow([safe_cell(str(cell)) for cell in row])

    answer = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def part(
    request: Any, template: str, whole: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """A part of a page: alone for htmx, else (no scripts yet) as `part` of `whole`."""
    name = template if request.htmx else whole
    return render(request, name, {**context, "part": template}, status=status)


def picture(path: Path) -> FileResponse:
    """A kept picture, which no browser may take for anything else; whoever calls has
    checked the right to see it."""
    answer = FileResponse(path.open("rb"), content_type="image/jpeg")
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return answer


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "403.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The same page for what is not there and what is somebody else's."""
    if request.path.startswith(API):
        body = {"code": "not_found", "message": "Not found."}
        return JsonResponse(body, status=404)
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """No detail, only the request's id: the log has the rest."""
    context = {"request_id": getattr(request, "request_id", "")}
    return render(None, "500.html", context, status=500)  # type: ignore[arg-type]
