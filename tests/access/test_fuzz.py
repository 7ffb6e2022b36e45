"""Odd input to every address of the API, made from its own OpenAPI document (B39).

`make test` sends few of them, always the same; `make chaos` many, new ones each time
(FUZZ_EXAMPLES, FUZZ_SEED).
"""

import os
import re
from datetime import timedelta

import hypothesis
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.urls import reverse
from django.utils.timezone import localdate
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

from crm.access import tokens
from tests import factories as make
from tests.routes import ROUTES, things

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
SEED = int(os.environ.get("FUZZ_SEED", "20"))
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
ROLES = ("supervisor", "agent", "manager")


@pytest.fixture(autouse=True)
def one_connection():
    """Requests see the rows of the test's transaction, as with Django's own client."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def templates(own: dict) -> list[tuple[re.Pattern, dict]]:
    """(an address of the API, the names in it) for every row that the tests know."""
    found = []
    for name, route in ROUTES.items():
        if name.startswith("api-") and route.of:
            names = own[route.of]
            found.append((reverse(name, kwargs=names), names))
    return found


def known_names(operation, addresses: list) -> list[dict]:
    """The rows that an operation's address can name."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", operation.path) + "$")
    matches = (pattern.match(address) for address, _names in addresses)
    return [match.groupdict() for match in matches if match]


@pytest.mark.parametrize("role", ROLES)
def test_odd_input_never_breaks_the_api_and_answers_are_as_documented(cast, role):
    make.holidays_of(2026, 2027)
    addresses = templates(things(cast, cast.wuhan, cast.zhao, cast.lin))
    until = localdate() + timedelta(days=30)
    key = tokens.make_token(cast.of_role(role), name="fuzz", expires_on=until)
    headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}
    schema = schemathesis.openapi.from_wsgi(
        reverse("api-schema"), get_wsgi_application(), headers=headers
    )
    faults = []
    for found in schema.get_all_operations():
        operation = found.ok()
        for names in known_names(operation, addresses)[:1] or [None]:
            for mode in GenerationMode:
                faults += _asked(operation, mode, names, headers)
    assert not faults, "\n\n".join(faults)


def _asked(operation, mode, names, headers) -> list[str]:
    """What went wrong when an operation was called in a mode."""
    strategy = operation.as_strategy(mode, path_parameters=names)

    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def call(case):
        case.call_and_validate(headers=headers, checks=CHECKS)

    try:
        call()
    except (Exception, FailureGroup) as error:
        return [f"{operation.label} {mode.name}: {error}"]
    return []
