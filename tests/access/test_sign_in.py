"""The way in: throttling, sessions, the second factor, the idle lock (B34–B36)."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP

from crm.access import signin
from crm.access.models import Posting, SecondFactor, SignedInSession
from crm.audit.models import AuditEvent
from crm.org.models import Office
from tests import factories as make

SIGN_IN = "/accounts/sign-in/"


def try_to(client, username="lin", password=make.PASSWORD, ip="10.0.0.1"):
    data = {"username": username, "password": password}
    return client.post(SIGN_IN, data, REMOTE_ADDR=ip)


def test_the_right_password_leads_to_the_first_page(cast, client):
    assert try_to(client).url == "/"
    chain = client.get("/", follow=True).redirect_chain
    assert chain[0][0] == reverse("complaints:new")
    assert AuditEvent.objects.filter(action="session.opened").count() == 1


def test_a_wrong_name_and_a_wrong_password_read_the_same(cast, client):
    pages = []
    for username in ("lin", "nobody-here"):
        answer = try_to(client, username, "wrong")
        assert answer.status_code == 422
        pages.append(re.findall(r"<li>(.*?)</li>", answer.content.decode()))
    assert pages[0] == pages[1] == ["User name or password is wrong."]
    assert AuditEvent.objects.filter(action="session.refused").count() == 2


def test_five_failures_close_the_pair_of_account_and_address_only(cast, client):
    for _time in range(5):
        try_to(client, password="wrong")
    assert try_to(client).status_code == 429  # the right password, too
    assert "15 minutes" in try_to(client).content.decode()
    assert try_to(Client(), ip="10.0.0.2").status_code == 302  # the owner's own desk
    assert try_to(Client(), "chen").status_code == 302  # a colleague behind one NAT


def test_two_hundred_good_sign_ins_from_one_address_are_fine(cast):
    assert all(try_to(Client(), "chen").status_code == 302 for _time in range(20))


def test_a_forged_forwarded_address_does_not_help(cast, client):
    for number in range(5):
        data = {"username": "lin", "password": "wrong"}
        client.post(
            SIGN_IN,
            data,
            REMOTE_ADDR="10.0.0.1",
            HTTP_X_FORWARDED_FOR=f"9.9.9.{number}",
        )
    assert try_to(client).status_code == 429


def test_twenty_failures_of_an_account_slow_it_down_and_raise_an_alarm(cast):
    for number in range(21):
        try_to(Client(), password="wrong", ip=f"10.1.0.{number}")
    assert signin.delay_for("lin") > 0
    assert signin.delay_for("chen") == 0
    assert AuditEvent.objects.filter(action="session.alarm").count() == 1


def test_next_leads_to_our_own_host_only(cast, client):
    for wanted in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        answer = client.post(
            SIGN_IN, {"username": "lin", "password": make.PASSWORD, "next": wanted}
        )
        assert answer.url == "/"
        client.post(reverse("access:sign_out"))


def test_a_session_has_a_new_key_after_the_sign_in(cast, client):
    client.get(SIGN_IN)
    session = client.session
    session["planted"] = 1
    session.save()
    client.cookies["sid"] = before = session.session_key
    try_to(client)
    assert client.cookies["sid"].value != before


def test_a_third_browser_ends_the_oldest(cast):
    browsers = [Client(), Client(), Client()]
    for browser in browsers:
        try_to(browser)
    assert [b.get("/inbox/").status_code for b in browsers] == [302, 200, 200]


def test_fifteen_idle_minutes_lock_the_page_until_the_password_comes(
    cast, client, time_machine
):
    time_machine.move_to("2026-11-21 09:00:00+08:00", tick=False)
    try_to(client)
    client.get("/inbox/")
    time_machine.shift(timedelta(minutes=16))
    answer = client.get("/inbox/")
    assert answer.url.startswith(reverse("access:unlock"))
    assert client.get("/complaints/").url.startswith(reverse("access:unlock"))
    assert client.post(answer.url, {"password": "wrong"}).status_code == 422
    unlocked = client.post(
        reverse("access:unlock"), {"password": make.PASSWORD, "next": "/inbox/"}
    )
    assert unlocked.url == "/inbox/"
    assert client.get("/inbox/").status_code == 200


def test_a_shift_of_eight_hours_ends_the_session_whatever_was_done(
    cast, client, time_machine
):
    time_machine.move_to("2026-11-21 09:00:00+08:00", tick=False)
    try_to(client)
    for _time in range(50):
        client.get("/inbox/")
        time_machine.shift(timedelta(minutes=10))
    assert client.get("/inbox/").url.startswith(SIGN_IN)


def test_sign_out_kills_the_session_on_the_server(cast, client):
    try_to(client)
    key = client.cookies["sid"].value
    answer = client.post(reverse("access:sign_out"))
    assert "cache" in answer.headers["Clear-Site-Data"]
    client.cookies["sid"] = key
    assert client.get("/inbox/").status_code == 302
    assert not SignedInSession.objects.exists()


def test_the_demo_accounts_are_refused_off_loopback(cast, client, settings):
    cast.lin.is_demo = True
    cast.lin.save()
    settings.LOOPBACK_ONLY = False
    assert try_to(client).status_code == 422
    settings.LOOPBACK_ONLY = True
    assert try_to(client).status_code == 302


def code_of(factor: SecondFactor, drift: int = 0) -> str:
    totp = TOTP(bytes.fromhex(factor.secret), drift=drift)
    return f"{totp.token():06d}"


@pytest.fixture
def factor(cast, time_machine) -> SecondFactor:
    time_machine.move_to("2026-11-21 09:00:00+08:00", tick=False)
    made = signin.new_factor(cast.lin)
    made.confirmed = True
    made.save()
    return made


def test_a_code_opens_once_and_the_one_before_it_too(
    cast, client, factor, time_machine
):
    try_to(client)
    assert client.get("/inbox/").url.startswith(reverse("access:second_factor"))
    assert signin.check_code(cast.lin, code_of(factor, -1))
    assert not signin.check_code(cast.lin, code_of(factor, -2))
    code = code_of(factor)
    answer = client.post(
        reverse("access:second_factor"), {"code": code, "next": "/inbox/"}
    )
    assert answer.url == "/inbox/"
    assert client.get("/inbox/").status_code == 200
    assert not signin.check_code(cast.lin, code)  # used


def test_five_wrong_codes_close_the_factor_whatever_the_session(
    cast, factor, time_machine
):
    for _time in range(5):
        browser = Client()
        try_to(browser)
        browser.post(reverse("access:second_factor"), {"code": "000000"})
    assert not signin.check_code(cast.lin, code_of(factor))
    assert AuditEvent.objects.filter(action="second_factor.closed").count() == 1
    time_machine.shift(timedelta(minutes=16))
    assert signin.check_code(cast.lin, code_of(factor))


@pytest.mark.parametrize("page", ["access:password", "access:second_factor_setup"])
def test_without_the_second_factor_nothing_of_the_account_can_be_changed(
    cast, client, factor, page
):
    try_to(client)
    assert client.get(reverse(page)).url.startswith(reverse("access:second_factor"))


@pytest.mark.parametrize("page", ["access:password", "access:second_factor_setup"])
def test_a_locked_screen_opens_no_page_of_the_account(cast, client, page):
    try_to(client)
    client.get(reverse("access:unlock"))
    assert client.get(reverse(page)).url.startswith(reverse("access:unlock"))


def test_guesses_of_the_present_password_are_counted(cast, client):
    try_to(client)
    wrong = {"old": "x", "new": "brand-new-secret-9", "again": "brand-new-secret-9"}
    statuses = [
        client.post(reverse("access:password"), wrong).status_code for _time in range(6)
    ]
    assert statuses[-1] == 429
    assert AuditEvent.objects.filter(action="session.refused").count() >= 5


def test_setting_up_a_factor_asks_for_the_password_again(cast, client, time_machine):
    time_machine.move_to("2026-11-21 09:00:00+08:00", tick=False)
    try_to(client)
    time_machine.shift(timedelta(minutes=6))
    answer = client.get(reverse("access:second_factor_setup"))
    assert answer.url.startswith(reverse("access:unlock"))


def test_a_recovery_code_works_once(cast, factor):
    codes = signin.new_recovery_codes(factor)
    assert signin.check_code(cast.lin, codes[3])
    assert not signin.check_code(cast.lin, codes[3])
    assert signin.check_code(cast.lin, codes[4])


def test_an_office_can_require_it_and_everybody_sets_it_up_first(cast, client):
    Office.objects.filter(pk=cast.wuhan.pk).update(requires_second_factor=True)
    try_to(client)
    setup = reverse("access:second_factor_setup")
    assert client.get("/inbox/").url.startswith(setup)
    assert "otpauth" not in client.get(setup).content.decode()
    factor = SecondFactor.objects.get(user=cast.lin)
    assert client.post(setup, {"code": "123"}).status_code == 422
    shown = client.post(setup, {"code": code_of(factor)}).content.decode()
    assert len(re.findall(r"<li>[0-9a-f]{10}</li>", shown)) == 10
    assert client.get("/inbox/").status_code == 200


def test_the_secret_is_encrypted_at_rest(cast, factor):
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM access_secondfactor")
        assert factor.secret.encode() not in bytes(cursor.fetchone()[0])


def test_a_given_password_must_be_changed_first(cast, client):
    cast.lin.must_change_password = True
    cast.lin.save()
    try_to(client)
    page = reverse("access:password")
    assert client.get("/inbox/").url.startswith(page)
    bad = {"old": make.PASSWORD, "new": "12345678", "again": "12345678"}
    assert client.post(page, bad).status_code == 422
    good = {
        "old": make.PASSWORD,
        "new": "brand-new-secret-9",
        "again": "brand-new-secret-9",
    }
    assert client.post(page, good).status_code == 302
    assert client.get("/inbox/").status_code == 200


def test_changing_the_password_ends_the_other_browsers(cast):
    here, there = Client(), Client()
    try_to(here)
    try_to(there)
    new = "brand-new-secret-9"
    here.post(
        reverse("access:password"), {"old": make.PASSWORD, "new": new, "again": new}
    )
    assert here.get("/inbox/").status_code == 200
    assert there.get("/inbox/").status_code == 302


def test_a_disabled_account_is_out_at_the_next_request(cast, client):
    try_to(client)
    cast.lin.is_active = False
    cast.lin.save()
    assert client.get("/inbox/").status_code == 302


def test_a_posting_counts_from_its_first_to_its_last_day(cast, time_machine):
    Posting.objects.filter(user=cast.lin).update(
        valid_from="2026-03-01", valid_to="2026-03-31"
    )
    seen = []
    for day in ("2026-02-28", "2026-03-01", "2026-03-31", "2026-04-01"):
        time_machine.move_to(f"{day} 12:00:00+08:00")
        seen.append(bool(type(cast.lin).objects.get(pk=cast.lin.pk).postings_now))
    assert seen == [False, True, True, False]
