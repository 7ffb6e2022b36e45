"""The outbox: queued with the change, sent later, suppressed at the last gate."""

from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils.timezone import now

from crm.fields import blind_index
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.notify import channels
from crm.notify.models import Message, Suppression
from crm.notify.sending import oldest_waiting
from crm.notify.services import queue_message
from tests import factories as make


def deliver() -> None:
    for job in Job.objects.filter(kind="notify.deliver", state="queued"):
        run_inline(job)


def test_an_e_mail_is_sent_once_by_the_job(db):
    message = queue_message(
        "email", subject="Hello", body="text", to_address="a@example.invalid"
    )
    assert mail.outbox == []
    deliver()
    deliver()
    message.refresh_from_db()
    assert message.state == "sent"
    assert [sent.subject for sent in mail.outbox] == ["Hello"]


def test_the_same_news_is_queued_once(db):
    first = queue_message("email", subject="x", to_address="a@example.invalid", key="k")
    assert (
        queue_message("email", subject="x", to_address="a@example.invalid", key="k")
        == first
    )


def test_a_suppression_made_after_queueing_still_holds(db):
    message = queue_message(
        "sms",
        subject="x",
        body="offer",
        to_address="+8613800138000",
        purpose="marketing",
    )
    Suppression.objects.create(
        contact_index=blind_index("+8613800138000"), purpose="marketing"
    )
    deliver()
    message.refresh_from_db()
    assert message.state == "suppressed"


def test_a_channel_that_fails_is_tried_again_later(db, monkeypatch):
    monkeypatch.setattr(channels, "send", lambda message: 1 / 0)
    message = queue_message("email", subject="x", to_address="a@example.invalid")
    deliver()
    message.refresh_from_db()
    assert (message.state, message.attempts) == ("pending", 1)
    assert message.due_at > now()
    for _time in range(4):
        Message.objects.update(due_at=now() - timedelta(seconds=1))
        queue_message("email", subject="y", to_address="b@example.invalid")
        deliver()
    message.refresh_from_db()
    assert message.state == "failed"


def test_the_console_sms_never_writes_the_number_or_the_text(caplog):
    with caplog.at_level("INFO"):
        channels.ConsoleSms().send("+8613800138000", "your code is 4711")
    assert "13800138000" not in caplog.text
    assert "4711" not in caplog.text
    assert "138******00" in caplog.text


def test_the_oldest_waiting_message_is_the_lag(db):
    assert oldest_waiting() is None
    message = queue_message("email", subject="x", to_address="a@example.invalid")
    assert oldest_waiting() == message.due_at


@pytest.mark.parametrize("who", ["lin", "mei"])
def test_everybody_reads_the_own_news_only(cast, client, who):
    queue_message("in_app", subject="For Lin only", to_user=cast.lin)
    make.sign_in(client, getattr(cast, who))
    page = client.get(reverse("notify:inbox")).content.decode()
    assert ("For Lin only" in page) == (who == "lin")
    client.post(reverse("notify:read_all"))
    assert Message.objects.unread().exists() == (who == "mei")
