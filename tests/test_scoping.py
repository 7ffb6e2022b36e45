"""The access matrix: every route × role × {own, sister}, walked from the resolver.

A route that is not in ROUTES fails the build. `needs` is the capability that opens it:
"open" for everybody, "any" for everybody signed in. `of` names the object in its
address: with it, a stranger's object must look exactly like a missing one.
"""

import re
from functools import partial

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from crm.access.models import Posting, User
from crm.access.office_admin import move_office
from crm.access.roles import CAPABILITIES, Role
from crm.audit.models import AuditEvent
from crm.org.models import Office
from customers.models import Customer
from tests import factories as make
from tests.routes import MISSING, ROUTES, Route, things


def walk(resolver, prefix=""):
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield prefix + (pattern.name or str(pattern.pattern))
        else:
            space = f"{pattern.namespace}:" if pattern.namespace else ""
            yield from walk(pattern, prefix + space)


def test_every_route_has_an_expected_outcome():
    assert set(walk(get_resolver())) == set(ROUTES)


# Addresses that name no row of an office.
NAMED = {
    "access:calendar_year": [2027],
    "access:token_end": [99999999],
    "quality:standard": [99999999],
    "campaigns:product": [99999999],
    "survey": ["a-token-of-nobody"],
    "delivery:ics": ["a-token-of-nobody"],
    "call:telephony_event": ["generic"],
    "api-item-bring": ["items"],
    "access:duty_add": ["shift"],
    "dashboards:kpi": ["online_share"],
    "dashboards:kpi_improve": ["online_share"],
    "dashboards:export_end": [99999999],
    "dashboards:rows": ["online_share", "bottom"],
    "dashboards:mine_rows": ["online_share", "bottom"],
    "api-kpi-detail": ["online_share"],
}


def address(name: str, route: Route, arguments: dict) -> str:
    if name in NAMED:
        return reverse(name, args=NAMED[name])
    return reverse(name, kwargs=arguments if route.of else {})


def allowed(role: str, route: Route) -> bool:
    return route.needs in ("any", "open") or Role(role) in CAPABILITIES[route.needs]


CHANGING = "|".join(
    rf'{before}"[^"]+"'
    for before in (
        "nonce=",
        'name="csrfmiddlewaretoken" value=',
        'X-CSRFToken": ',
        'name="next" value=',
    )
)


def text_of(response) -> str:
    """The page without what differs at every request."""
    body = (
        b"".join(response.streaming_content) if response.streaming else response.content
    )
    return re.sub(CHANGING, "", body.decode(errors="replace"))


def expected_of(role: str, name: str, route: Route) -> tuple[int, ...]:
    """The status codes that the table allows for the own object."""
    if not allowed(role, route) or route.is_national:
        return (403,)
    if route.is_lost:
        return (404,)
    if route.rows_for and role not in route.rows_for.split():
        return (404,)
    if name.startswith("api-"):
        return (200, 201, 400)
    return (200, 503) if name == "health" else (200, 201, 204, 302, 303, 422)


def foreign_faults(call, role: str, name: str, route: Route, sister: dict) -> list[str]:
    """What is wrong with the answer to a sister office's object: it must look missing."""
    foreign = call(address(name, route, sister[route.of]))
    unknown = call(address(name, route, MISSING[route.of]))
    if (foreign.status_code, unknown.status_code) != (404, 404):
        return [f"{role} {name} sister: {foreign.status_code}/{unknown.status_code}"]
    if text_of(foreign) != text_of(unknown):
        return [f"{role} {name}: a foreign id reads otherwise than an unknown one"]
    return []


@pytest.mark.parametrize("role", Role.values)
def test_a_role_reaches_what_the_table_says_and_nothing_else(client, cast, role):
    make.holidays_of(2026, 2027)
    who = cast.of_role(role)
    own = things(cast, cast.wuhan, cast.zhao, cast.lin)
    sister = things(cast, cast.yichang, cast.mei, cast.mei)
    wrong = []
    for name, route in ROUTES.items():
        if name in ("access:sign_out", "access:end_session", "call:telephony_event"):
            continue  # they end the session, or are signed; tests of their own
        make.sign_in(client, who)
        call = getattr(client, route.method)
        if name.startswith("api-") and route.method == "post":
            call = partial(call, content_type="application/json")
        found = call(address(name, route, own.get(route.of, {})))
        text_of(found)
        expected = expected_of(role, name, route)
        if found.status_code not in expected:
            wrong.append(f"{role} {name} own: {found.status_code}, not {expected}")
        if route.of and allowed(role, route):
            wrong += foreign_faults(call, role, name, route, sister)
    assert wrong == []


def test_nobody_gets_in_without_a_session(client, cast):
    own = things(cast, cast.wuhan, cast.zhao, cast.lin)
    for name, route in ROUTES.items():
        if route.needs == "open":
            continue
        found = getattr(client, route.method)(
            address(name, route, own.get(route.of, {}))
        )
        assert found.status_code in (302, 401, 403), name
        if found.status_code == 302:
            assert "/accounts/sign-in/" in found.url, name


def test_a_denial_is_in_the_trail(client, cast):
    make.sign_in(client, cast.zhao)
    client.get(reverse("dashboards:audit"))
    event = AuditEvent.objects.get(action="access.denied")
    assert (event.actor, event.result, event.details["status"]) == (
        cast.zhao,
        "denied",
        403,
    )


def test_a_post_without_a_token_is_refused_everywhere(cast):
    """B33: each unsafe route, also for somebody who may."""
    own = things(cast, cast.wuhan, cast.zhao, cast.lin)
    strict = Client(enforce_csrf_checks=True)
    for name, route in ROUTES.items():
        if route.method == "post":
            make.sign_in(strict, cast.chen)
            found = strict.post(address(name, route, own.get(route.of, {})))
            assert found.status_code == 403, name


def test_rights_that_end_are_gone_at_the_next_request(client, cast):
    make.sign_in(client, cast.chen)
    assert client.get(reverse("customers:list")).status_code == 200
    Posting.objects.filter(user=cast.chen).delete()
    assert client.get(reverse("customers:list")).status_code == 403


def test_a_moved_office_takes_its_rows_along(cast):
    make.customer(cast.wuchang)
    assert Customer.objects.visible_to(cast.chen).count() == 1
    root_admin = make.user("root-admin", ("system_admin", cast.hubei))
    move_office(cast.wuchang, by=root_admin, parent=cast.yichang)
    assert Customer.objects.visible_to(cast.chen).count() == 0
    mei = User.objects.get(pk=cast.mei.pk)
    assert Customer.objects.visible_to(mei).count() == 1
    assert Office.objects.get(code="420106").path.startswith(cast.yichang.path)
