"""How people want to be told: by event and channel, with a digest."""

import pytest
from django.core import mail
from django.urls import reverse

from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.notify.events import EVENTS
from crm.notify.models import Message
from crm.notify.services import choose, tell
from tests import factories as make

NEWS = {"subject": "A new work order for you", "body": "C-1", "url": "/complaints/C-1/"}


@pytest.fixture
def lin(cast):
    cast.lin.email, cast.lin.mobile = "lin@example.cn", "+8613900000009"
    cast.lin.language = "zh-hans"
    cast.lin.save()
    return cast.lin


def sent(user, event="order.came", key="k", **facts) -> list[tuple[str, str]]:
    fresh = type(user).objects.get(pk=user.pk)
    tell(fresh, event, key=key, is_public=True, **(NEWS | facts))
    return sorted(Message.objects.values_list("channel", "state"))


def test_without_a_choice_it_is_told_in_the_application(lin):
    assert sent(lin) == [("in_app", "sent")]
    assert sent(lin) == [("in_app", "sent")]  # the same news once


def test_every_chosen_channel_is_used_once(lin):
    choose(lin, {"order.came": ["in_app", "email", "sms"]})
    expected = [("email", "pending"), ("in_app", "sent"), ("sms", "pending")]
    assert sent(lin) == expected
    assert sent(lin) == expected


def test_mail_speaks_the_readers_language_and_carries_a_link(lin, settings):
    settings.PUBLIC_URL = "https://crm.example.cn"
    choose(lin, {"order.came": ["email"]})
    sent(lin)
    run_inline(enqueue("notify.deliver"))
    (letter,) = mail.outbox
    assert letter.subject == "有新工单"
    assert "https://crm.example.cn/complaints/C-1/" in letter.body
    assert letter.to == ["lin@example.cn"]


def test_what_nobody_wants_is_not_sent_but_clocks_always_speak(lin):
    choose(lin, {})
    assert sent(lin) == []
    assert sent(lin, "order.clock", key="c") == [("in_app", "sent")]


def test_the_digest_is_one_mail_a_person_with_all_of_it(cast, lin):
    cast.chen.email = "chen@example.cn"
    cast.chen.save()
    for user in (lin, cast.chen):
        choose(user, {"order.came": ["digest"]})
    for number in range(3):
        sent(lin, key=f"a{number}", body=f"C-{number}")
    sent(cast.chen, key="b")
    assert set(Message.objects.values_list("state", flat=True)) == {"held"}
    run_inline(enqueue("notify.deliver"))
    assert mail.outbox == []
    run_inline(enqueue("notify.digest"))
    run_inline(enqueue("notify.digest"))
    run_inline(enqueue("notify.deliver"))
    assert sorted(letter.to[0] for letter in mail.outbox) == [
        "chen@example.cn",
        "lin@example.cn",
    ]
    whole = next(letter.body for letter in mail.outbox if "lin" in letter.to[0])
    assert all(f"C-{number}" in whole for number in range(3))


def test_a_channel_needs_its_address(cast):
    with pytest.raises(Refused, match="e-mail address is missing"):
        choose(cast.lin, {"claim": ["digest"]})
    with pytest.raises(Refused, match="mobile number is missing"):
        choose(cast.lin, {"claim": ["sms"]})


def test_the_page_keeps_the_ticks_and_refuses_others(lin, client):
    make.sign_in(client, lin)
    page = reverse("notify:preferences")
    body = client.get(page).content.decode()
    assert body.count('type="checkbox"') == 4 * len(EVENTS)
    assert "139******09" in body
    assert client.post(page, {"claim": ["email", "pigeon"]}).status_code == 422
    assert client.post(page, {"claim": ["email"]}).status_code == 302
    shown = client.get(page).content.decode()
    assert 'name="claim" value="email"' in shown
    assert lin.preferences.get(event="claim").channels == ["email"]
    assert lin.preferences.get(event="finding").channels == []


def test_the_profile_keeps_a_mobile_number_and_refuses_another(lin, client):
    make.sign_in(client, lin)
    page = reverse("access:profile")
    facts = {"full_name": "Lin", "email": ""}
    assert client.post(page, facts | {"mobile": "027-82345678"}).status_code == 422
    assert client.post(page, facts | {"mobile": "139 0000 0008"}).status_code == 302
    lin.refresh_from_db()
    assert lin.mobile == "+8613900000008"


def test_words_stay_in_the_house_unless_they_are_public(lin):
    choose(lin, {"measure": ["email", "sms", "in_app"]})
    fresh = type(lin).objects.get(pk=lin.pk)
    tell(fresh, "measure", subject="x", body="王小明的投诉", key="m")
    bodies = {m.channel: m.body for m in Message.objects.all()}
    assert "王小明" in bodies["in_app"]
    assert "王小明" not in bodies["email"] + bodies["sms"]


def test_who_has_left_is_told_nothing(lin):
    choose(lin, {"order.came": ["digest"]})
    sent(lin)
    lin.is_active = False
    lin.save()
    sent(lin, key="k2")
    run_inline(enqueue("notify.digest"))
    run_inline(enqueue("notify.deliver"))
    assert mail.outbox == []
    assert set(Message.objects.values_list("state", flat=True)) == {"suppressed"}
