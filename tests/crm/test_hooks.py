"""Webhooks: signed, retried, logged, and never into our own house."""

import json
import socket
import threading
import time
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.timezone import now

from complaints import handling
from crm.audit.models import AuditEvent
from crm.hooks import sending, services
from crm.hooks.models import Dispatch, Endpoint
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.notify.models import Message
from tests import factories as make


class Listener:
    """A real system over there: remembers what came, answers as it is told."""

    def __init__(self) -> None:
        self.came: list[tuple[dict, bytes]] = []
        self.status = 200
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                listener.came.append((dict(self.headers), self.rfile.read(size)))
                self.send_response(listener.status)
                if listener.status == 302:
                    self.send_header("Location", listener.url + "elsewhere")
                self.end_headers()
                self.wfile.write(b"thanks")

            def log_message(self, *args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def listener(settings):
    settings.HOOK_NETWORKS = ["127.0.0.0/8"]
    found = Listener()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


def told(cast, url, events=("order.created",), office=None) -> Endpoint:
    row = Endpoint(
        name="ERP", url=url, office=office or cast.wuhan, events=list(events)
    )
    services.add_endpoint(row, by=cast.gao)
    return row


def deliver() -> None:
    Dispatch.objects.update(due_at=now())
    run_inline(enqueue("hooks.deliver"))


def test_a_work_order_is_told_signed_and_without_personal_data(cast, listener):
    endpoint = told(cast, listener.url)
    order = make.complaint(
        cast.lin, cast.wuhan, caller_name="王小明", description="邮件丢失在门口"
    )
    deliver()
    ((headers, body),) = listener.came
    data = json.loads(body)
    assert (data["type"], data["data"]["ref"]) == ("order.created", order.ref)
    assert data["data"]["due_at"]
    for personal in ("王小明", "13800138000", "门口"):
        assert personal not in body.decode()
    dispatch = Dispatch.objects.get()
    stamp = int(headers["webhook-timestamp"])
    expected = sending.signature(endpoint.secret, str(dispatch.pk), stamp, body)
    assert headers["webhook-signature"] == expected
    assert headers["webhook-id"] == str(dispatch.pk)
    assert (dispatch.state, dispatch.status, dispatch.answer) == ("sent", 200, "thanks")


def test_only_what_is_wanted_of_ones_own_offices_is_told(cast, listener):
    told(cast, listener.url, ["order.moved"])
    order = make.complaint(cast.lin, cast.wuhan)
    make.complaint(cast.mei, cast.yichang)
    assert not Dispatch.objects.exists()
    make.push(order, cast.yong, "accepted")
    dispatch = Dispatch.objects.get()
    assert dispatch.payload["data"]["state"] == "accepted"
    handling.add_note(order, by=cast.lin, note="x")
    assert Dispatch.objects.count() == 1


def test_what_is_rolled_back_is_not_told(cast, listener):
    told(cast, listener.url)
    with pytest.raises(PermissionDenied):
        make.complaint(cast.yong, cast.wuhan)
    assert not Dispatch.objects.exists()


def test_a_system_that_is_down_is_asked_again_and_again_then_given_up(cast, listener):
    endpoint = told(cast, listener.url)
    listener.status = 500
    make.complaint(cast.lin, cast.wuhan)
    waits = []
    for _attempt in range(sending.MAX_ATTEMPTS):
        before = now()
        deliver()
        waits.append((Dispatch.objects.get().due_at - before).total_seconds())
    assert [round(wait / 30) for wait in waits[:-1]] == [1, 2, 4, 8, 16, 32, 64]
    row = Dispatch.objects.get()
    assert (row.state, row.attempts, row.status) == ("failed", 8, 500)
    assert Message.objects.get(subject=sending.FAILED).to_user == cast.gao
    endpoint.refresh_from_db()
    assert not endpoint.is_active  # it took nothing all the while
    services.switch(endpoint, by=cast.gao, is_active=True)
    row.refresh_from_db()
    listener.status = 200
    services.send_again(row, by=cast.gao)
    deliver()
    assert Dispatch.objects.get().state == "sent"
    ids = {headers["webhook-id"] for headers, _body in listener.came}
    assert ids == {str(row.pk)}  # whoever got it twice can tell
    assert endpoint.dispatches.count() == 1


def test_one_dead_system_does_not_hold_up_another(cast, listener):
    dead = told(cast, "http://127.0.0.1:9/")
    told(cast, listener.url)
    for _one in range(5):
        make.complaint(cast.lin, cast.wuhan)
    deliver()
    assert len(listener.came) == 5
    assert sum(dead.dispatches.values_list("attempts", flat=True)) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://0.0.0.0/",
        "https://localhost/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::1]/",
        "https://[::127.0.0.1]/",
        "https://[fec0::1]/",
        "https://[ff02::1]/",
        "https://224.0.0.1/",
        "https://user:word@1.1.1.1/",
        "https://1.1.1.1:22/",
        "https://nowhere.invalid/",
        "http://1.1.1.1/",
        "ftp://1.1.1.1/",
    ],
)
def test_addresses_inside_are_refused_on_the_page_and_at_sending(cast, client, url):
    make.sign_in(client, cast.gao)
    facts = {"name": "x", "office": "420100", "events": ["order.created"]}
    answer = client.post(reverse("hooks:endpoints"), facts | {"url": url})
    assert answer.status_code == 422
    assert not Endpoint.objects.exists()
    told(cast, url)
    make.complaint(cast.lin, cast.wuhan)
    deliver()
    row = Dispatch.objects.get()
    assert (row.state, row.status, row.attempts) == ("pending", None, 1)
    assert row.answer


def test_a_redirect_is_not_followed(cast, listener):
    told(cast, listener.url)
    listener.status = 302
    make.complaint(cast.lin, cast.wuhan)
    deliver()
    assert len(listener.came) == 1
    assert Dispatch.objects.get().state == "pending"


def test_a_stopped_address_is_told_when_it_goes_on(cast, listener):
    endpoint = told(cast, listener.url)
    make.complaint(cast.lin, cast.wuhan)
    services.switch(endpoint, by=cast.gao, is_active=False)
    deliver()
    assert listener.came == []
    services.switch(endpoint, by=cast.gao, is_active=True)
    deliver()
    assert len(listener.came) == 1


def test_only_the_administrator_of_the_office_keeps_addresses(cast):
    for other in (cast.chen, cast.lin, cast.liang):
        with pytest.raises(PermissionDenied):
            services.add_endpoint(
                Endpoint(name="x", url="https://x.cn", office=cast.wuhan, events=[]),
                by=other,
            )
    with pytest.raises(PermissionDenied):
        services.add_endpoint(
            Endpoint(name="x", url="https://x.cn", office=cast.yichang, events=[]),
            by=cast.gao,
        )


def test_the_secret_is_shown_once_and_kept_sealed(cast, client, listener):
    make.sign_in(client, cast.gao)
    facts = {"name": "ERP", "office": "420100", "events": ["order.created"]}
    page = client.post(reverse("hooks:endpoints"), facts | {"url": listener.url})
    endpoint = Endpoint.objects.get()
    assert endpoint.secret in page.content.decode()
    shown = client.get(reverse("hooks:endpoint", args=[endpoint.pk])).content.decode()
    assert endpoint.secret not in shown
    client.post(reverse("hooks:act", args=[endpoint.pk]), {"test": "1"})
    deliver()
    assert json.loads(listener.came[0][1])["type"] == "test"
    again = reverse("hooks:again", args=[Dispatch.objects.get().pk])
    client.post(again)
    deliver()
    assert len(listener.came) == 2


def test_the_log_is_kept_a_month(cast, listener):
    told(cast, listener.url)
    make.complaint(cast.lin, cast.wuhan)
    deliver()
    Dispatch.objects.update(created_at=now() - timedelta(days=31))
    run_inline(enqueue("hooks.forget"))
    assert not Dispatch.objects.exists()


def test_whatever_a_sending_does_the_next_goes_on(cast, listener, monkeypatch):
    poison = told(cast, listener.url)
    told(cast, listener.url)
    make.complaint(cast.lin, cast.wuhan)
    real = sending.resolved

    def explode(url):
        if not listener.came and not poison.dispatches.filter(
            status=None, answer__gt=""
        ):
            raise UnicodeEncodeError("ascii", "例", 0, 1, "no")
        return real(url)

    monkeypatch.setattr(sending, "resolved", explode)
    deliver()
    assert len(listener.came) == 1
    assert sorted(Dispatch.objects.values_list("state", flat=True)) == [
        "pending",
        "sent",
    ]


def test_a_receiver_that_drips_is_cut_off(cast, settings, monkeypatch):
    settings.HOOK_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(sending, "WHOLE_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def drip() -> None:
            line, _from = server.accept()
            with line, suppress(OSError):
                while not stop.wait(0.2):
                    line.sendall(b"H")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        told(cast, f"http://127.0.0.1:{server.getsockname()[1]}/")
        make.complaint(cast.lin, cast.wuhan)
        began = time.monotonic()
        deliver()
        assert time.monotonic() - began < 5
        stop.set()
        thread.join()
    assert Dispatch.objects.get().state == "pending"


def test_a_key_in_the_address_is_neither_shown_nor_in_the_trail(cast, client, listener):
    endpoint = told(cast, f"{listener.url}robot?key=geheim")
    make.sign_in(client, cast.gao)
    for page in (
        reverse("hooks:endpoints"),
        reverse("hooks:endpoint", args=[endpoint.pk]),
    ):
        assert "geheim" not in client.get(page).content.decode()
    assert "geheim" not in str(AuditEvent.objects.get(action="hook.added").details)
    make.complaint(cast.lin, cast.wuhan)
    deliver()
    assert len(listener.came) == 1
