"""Headers, hosts, errors, logs, hostile text (B32, B37, B38, B40)."""

import logging
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.urls import reverse

from crm import checks
from crm.logs import ScrubFilter
from crm.menu import MENU
from crm.templatetags.ui import icon
from tests import factories as make
from tests.routes import ROUTES, things
from tests.test_scoping import address

PAYLOADS = [
    "<script>window.__xss=1</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "${7*7}",
]


def test_every_page_carries_the_headers_and_names_no_foreign_host(cast, client):
    make.holidays_of(2026, 2027)
    own = things(cast, cast.wuhan, cast.zhao, cast.lin)
    roles = ["supervisor", "security_admin", "system_admin", "auditor"]
    for role in roles:
        for name, route in ROUTES.items():
            make.sign_in(client, cast.of_role(role))
            if route.method != "get" or name in (
                "complaints:download",
                "delivery:photo",
                "complaints:clock_export",
                "complaints:regulator",
                "customers:contract_file",
                "customers:recipient_report",
                "customers:movement_file",
                "api-schema",
                "transfer:rejected",
                "dashboards:export",
                "dashboards:assessment_cases",
                "campaigns:phone_list",
            ):
                continue
            answer = client.get(address(name, route, own.get(route.of, {})))
            policy = answer.headers["Content-Security-Policy"]
            assert "unsafe" not in policy, name
            for part in (
                "frame-ancestors 'none'",
                "object-src 'none'",
                "base-uri 'none'",
            ):
                assert part in policy, name
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "same-origin"
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert "camera=()" in answer.headers["Permissions-Policy"]
            assert "no-store" in answer.headers["Cache-Control"], name
            assert "Server" not in answer.headers
            page = answer.content.decode().replace(settings.PUBLIC_URL, "")  # our own
            hosts = re.findall(r"https?://([^/\"']+)", page)
            assert set(hosts) <= {"www.w3.org"}, name


def test_scripts_carry_the_nonce_of_their_answer(cast, client):
    answer = client.get("/accounts/sign-in/")
    nonce = re.search(
        r"script-src 'nonce-([^']+)'", answer.headers["Content-Security-Policy"]
    ).group(1)
    tags = re.findall(r"<script[^>]*>", answer.content.decode())
    assert len(tags) == 3
    assert all(f'nonce="{nonce}"' in tag for tag in tags)


@pytest.mark.parametrize("text", PAYLOADS)
def test_hostile_text_is_shown_as_text(cast, client, text):
    customer = make.customer(cast.wuhan, name=text, code=text[:40], manager=cast.zhao)
    complaint = make.complaint(
        cast.lin,
        cast.wuhan,
        customer=customer,
        description=text + " " * 5,
        caller_name=text,
    )
    make.sign_in(client, cast.chen)
    pages = [
        customer.get_absolute_url(),
        complaint.get_absolute_url(),
        reverse("customers:list"),
        reverse("complaints:list"),
        reverse("complaints:for_customer", args=[customer.pk]),
    ]
    for url in pages:
        body = client.get(url).content.decode()
        assert "<script>window" not in body
        assert "<img src=x" not in body
        assert ">49<" not in body


@pytest.mark.parametrize(
    "value",
    [
        "'; SELECT pg_sleep(5) --",
        "1) OR 1=1",
        "%00",
        "../../etc/passwd",
        "²",
        "cD1hYmM=",
        "9999-12-01..9999-12-31",
        "0001-01-01",
        "\x00",
    ],
)
def test_hostile_parameters_end_in_no_error(cast, client, value):
    make.sign_in(client, cast.chen)
    for url in (
        "/customers/",
        "/complaints/",
        "/kpi/board/",
        "/api/v1/customers/",
        "/api/v1/complaints/",
    ):
        names = (
            "after",
            "q",
            "office",
            "segment",
            "group",
            "base",
            "base_first",
            "current_last",
            "category",
            "days",
            "view",
            "cursor",
        )
        for name in names:
            assert client.get(url, {name: value}).status_code < 500, (url, name)
    for body in ("5", "[{}]", "{"):
        answer = client.post(
            "/api/v1/complaints/", body, content_type="application/json"
        )
        assert answer.status_code == 400
    assert client.get("/complaints/a%00b/").status_code == 400
    answer = client.get("/api/v1/customers/?cursor=%00x")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert answer.headers["X-Request-Id"]
    assert client.post("/customers/search/", {"q": value}).status_code < 500
    assert client.post("/complaints/caller/", {"phone": value}).status_code < 500


def test_a_foreign_host_header_is_refused(client):
    assert client.get("/accounts/sign-in/", HTTP_HOST="evil.example").status_code == 400


def test_a_missing_page_says_what_to_do(cast, client):
    make.sign_in(client, cast.lin)
    answer = client.get("/nowhere/")
    assert answer.status_code == 404
    assert "Check the address" in answer.content.decode()


def test_a_busy_database_is_answered_in_plain_words(cast, client, monkeypatch):
    make.sign_in(client, cast.lin)

    def busy(*args, **kwargs):
        raise OperationalError("canceling statement due to lock timeout")

    monkeypatch.setattr("complaints.views.keyset_page", busy)
    answer = client.get("/complaints/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "Nothing was saved" in answer.content.decode()


def test_an_error_page_shows_an_id_and_no_detail(cast, client, monkeypatch):
    make.sign_in(client, cast.lin)
    client.raise_request_exception = False
    monkeypatch.setattr("complaints.views.keyset_page", lambda *a: {}["13800138000"])
    answer = client.get("/complaints/")
    assert answer.status_code == 500
    assert answer.headers["X-Request-Id"] in answer.content.decode()
    assert "13800138000" not in answer.content.decode()


def test_the_log_keeps_no_number_no_query_and_no_forged_line():
    record = logging.LogRecord(
        "x", 20, "p", 1, "GET %s for %s", ("/a/?q=王秀英", "13800138000\r\nFAKE"), None
    )
    ScrubFilter().filter(record)
    text = record.getMessage()
    assert "13800138000" not in text
    assert "王秀英" not in text
    assert "\n" not in text


def test_phones_of_a_session_are_in_no_log(cast, client, caplog):
    make.sign_in(client, cast.lin)
    with caplog.at_level("DEBUG"):
        client.post("/complaints/caller/", {"phone": "13900001234"})
        client.post("/customers/search/", {"q": "13900001234"})
        client.get("/nowhere/", {"q": "13900001234"})
    own = [r for r in caplog.records if not r.name.startswith("django.db")]
    for record in own:
        ScrubFilter().filter(record)
        assert "13900001234" not in record.getMessage()


def test_language_follows_the_browser_and_the_choice_is_kept(cast, client):
    assert (
        "登录"
        in client.get(
            "/accounts/sign-in/", HTTP_ACCEPT_LANGUAGE="zh-CN"
        ).content.decode()
    )
    client.post("/language/", {"language": "zh-hans", "next": "/"})
    assert (
        "登录"
        in client.get("/accounts/sign-in/", HTTP_ACCEPT_LANGUAGE="en").content.decode()
    )
    make.sign_in(client, cast.lin)
    client.post("/language/", {"language": "zh-hans", "next": "/"})
    cast.lin.refresh_from_db()
    assert cast.lin.language == "zh-hans"
    make.sign_in(client, cast.lin)
    assert (
        "受理来电"
        in client.get("/complaints/", HTTP_ACCEPT_LANGUAGE="en").content.decode()
    )


def test_health_tells_what_is_wrong_and_nothing_of_the_data(db, client):
    answer = client.get("/health/")
    assert answer.status_code == 503
    assert set(answer.json()) == {
        "status",
        "database",
        "broker",
        "worker",
        "beat",
        "job_lag_seconds",
        "outbox_lag_seconds",
    }
    assert client.get("/health/live").json() == {"status": "ok"}


def test_every_icon_that_a_page_names_exists():
    text = "".join(p.read_text() for p in Path("templates").rglob("*.html"))
    names = set(re.findall(r'{% icon "([a-z0-9-]+)"', text))
    names |= set(
        re.findall(
            r'{% badge [^%]*?"(?:ok|bad|warn|info|muted|brand)" "([a-z0-9-]+)"', text
        )
    )
    names |= set(re.findall(r'icon_name="([a-z-]+)"', text)) | {
        entry.icon for entry in MENU
    }
    for name in names:
        assert "<svg" in icon(name)


def test_the_start_up_checks_pass_on_this_database(db):
    assert checks.chinese_is_searchable(None, databases=["default"]) == []
    assert checks.keys_are_keys(None) == []


def test_one_key_for_two_purposes_is_an_error(settings):
    settings.AUDIT_KEY = settings.INDEX_KEY
    assert [error.id for error in checks.keys_are_keys(None)] == ["crm.E002"]


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
def test_health_answers_in_json_however_the_database_goes_away(
    client, db, monkeypatch, kind
):
    """A connection that dies between two statements raises InterfaceError, no DatabaseError."""

    def gone(*args, **kwargs):
        raise kind("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr("django.db.backends.utils.CursorWrapper.execute", gone)
        answer = client.get("/health/")
    assert answer.status_code == 503
    assert answer.json()["status"] != "ok"
