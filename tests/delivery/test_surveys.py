"""Surveys: sent by link, answered once without a login, heard by who asked."""

import re
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from complaints import closing, handling, surveying
from complaints.models import Complaint
from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.notify.models import Message
from delivery import surveys
from delivery.models import (
    Answer,
    Invitation,
    Questionnaire,
    QuestionnaireVersion,
)
from tests import factories as make

GOOD = {"solved": "1", "rating": "5"}
POOR = {"solved": "0", "rating": "1", "words": "还是没有收到"}


@pytest.fixture(autouse=True)
def year(db):
    make.holidays_of(2026, 2027)


@pytest.fixture
def replied(cast) -> Complaint:
    customer = make.customer(cast.wuhan)
    order = make.complaint(
        cast.lin, cast.wuhan, customer=customer, caller_phone="13900000001"
    )
    order = make.push(order, cast.yong, "accepted")
    return handling.answer(order, by=cast.yong, text="答复", how="phone", at=now())


@pytest.fixture
def asked(cast, replied) -> Invitation:
    surveying.send(replied, by=cast.lin)
    return Invitation.objects.get()


@pytest.fixture
def address(asked) -> str:
    return reverse("survey", args=[asked.token])


def test_the_link_goes_to_the_callers_mobile_and_names_nobody(cast, asked, replied):
    message = Message.objects.get(channel="sms")
    assert message.to_address == "+8613900000001"
    assert message.body.endswith(surveys.link(asked))
    assert replied.ref not in message.body
    assert asked.customer == replied.customer
    assert replied.moves.filter(what="surveyed").exists()


def test_one_link_at_a_time_and_none_without_a_mobile(cast, asked, replied):
    with pytest.raises(Refused, match="a link already"):
        surveying.send(replied, by=cast.lin)
    other = make.push(
        make.complaint(cast.lin, cast.wuhan, caller_phone="027-82345678"),
        cast.yong,
        "accepted",
    )
    other = handling.answer(other, by=cast.yong, text="答复", how="phone", at=now())
    with pytest.raises(Refused, match="No mobile number"):
        surveying.send(other, by=cast.lin)


def test_the_page_needs_no_login_and_three_taps(address, client, replied):
    shown = client.get(address)
    body = shown.content.decode()
    assert shown.status_code == 200
    assert replied.ref not in body
    assert shown["X-Robots-Tag"] == "noindex"
    assert len(set(re.findall(r'type="radio" name="(\w+)"', body))) == 2
    assert client.post(address, GOOD).status_code == 302
    assert "Thank you" in client.get(address).content.decode()


def test_it_is_there_in_both_languages(address, client):
    client.cookies["language"] = "zh-hans"
    assert "您的问题解决了吗" in client.get(address).content.decode()
    client.cookies["language"] = "en"
    assert "Was your matter settled" in client.get(address).content.decode()


def test_content_customers_close_the_follow_up(address, client, replied, asked):
    client.post(address, GOOD)
    replied.refresh_from_db()
    asked.refresh_from_db()
    assert replied.state == "follow_up"
    assert (replied.outcome.check_result, replied.outcome.satisfaction) == (
        "satisfied",
        5,
    )
    assert replied.outcome.checked_by is None
    assert asked.rating == 5
    assert AuditEvent.objects.filter(action="survey.answered").exists()


@pytest.mark.parametrize(
    "given", [POOR, {"solved": "0", "rating": "4"}, {"solved": "1", "rating": "2"}]
)
def test_who_is_not_content_is_taken_up_again_by_the_same_office(
    address, client, replied, given
):
    office = replied.handling_office
    client.post(address, given)
    replied.refresh_from_db()
    assert (replied.state, replied.rounds) == ("reopened", 2)
    assert replied.handling_office == office
    line = replied.moves.last()
    assert (line.by, line.note) == (
        None,
        given.get("words", "") if given["rating"] != "4" else "",
    )
    assert Message.objects.filter(subject=surveying.AGAIN).exists()


def test_what_is_archived_is_opened_again_by_a_poor_answer(
    cast, address, client, replied
):
    order = closing.check(
        replied, by=cast.lin, result="satisfied", satisfaction=5, note=""
    )
    finding = {"liability": "none", "cause": "other", "measure_needed": False}
    closing.archive(order, by=cast.lin, **finding)
    client.post(address, POOR)
    replied.refresh_from_db()
    assert replied.state == "reopened"


def test_an_answer_about_what_is_being_worked_on_is_only_noted(cast, asked, replied):
    closing.reopen(replied, by=cast.lin, note="客户来电")
    Invitation.objects.update(expires_at=now() + timedelta(days=1))  # a race
    surveys.answer(asked, {"solved": 1, "rating": 5})
    replied.refresh_from_db()
    assert replied.state == "reopened"
    assert replied.moves.last().what == "surveyed"


def test_it_is_answered_once(address, client, asked):
    client.post(address, GOOD)
    again = Client().post(address, POOR)
    assert again.status_code == 200
    assert "Your answer is kept" in again.content.decode()
    assert Answer.objects.count() == 2
    with pytest.raises(Refused, match="already"):
        surveys.answer(asked, {"solved": 1, "rating": 5})


def test_after_seven_days_it_is_closed(address, client, asked, replied):
    Invitation.objects.update(expires_at=now() - timedelta(seconds=1))
    for answer in (client.get(address), client.post(address, GOOD)):
        assert answer.status_code == 410
        assert "not open any more" in answer.content.decode()
    with pytest.raises(Refused, match="not open"):
        surveys.answer(asked, {"solved": 1, "rating": 5})
    replied.refresh_from_db()
    assert replied.state == "replied"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"solved": "1"},
        {"solved": "2", "rating": "5"},
        {"solved": "1", "rating": "6"},
        {"solved": "1", "rating": "<b>"},
        {"solved": "1", "rating": "1", "words": "x" * 501},
    ],
)
def test_bad_answers_are_told_and_keep_what_was_typed(address, client, given, asked):
    answer = client.post(address, given)
    assert answer.status_code == 422
    assert (
        'class="error"' in answer.content.decode()
        or "at most 500" in answer.content.decode()
    )
    asked.refresh_from_db()
    assert asked.answered_at is None


def test_words_are_kept_only_where_they_were_asked_for(address, client, asked):
    client.post(address, GOOD | {"words": "<script>x</script>"})
    assert surveys.given_of(asked) == {"solved": 1, "rating": 5}


def test_markup_in_words_stays_words(cast, address, client, replied):
    client.post(address, POOR | {"words": "<script>alert(1)</script>"})
    make.sign_in(client, cast.yong)
    body = client.get(replied.get_absolute_url()).content.decode()
    assert "&lt;script&gt;alert(1)" in body


def test_a_wrong_token_is_a_missing_page(client):
    assert client.get(reverse("survey", args=["nobody"])).status_code == 404


def test_erasing_the_customer_takes_the_words_and_leaves_the_number(
    cast, address, client, replied, asked
):
    client.post(address, POOR)
    surveys.forget_customer(replied.customer)
    asked.refresh_from_db()
    assert (asked.customer, asked.rating) == (None, 1)
    assert not Answer.objects.exclude(words="").exists()


def test_sowing_twice_leaves_one_of_each_questionnaire():
    surveys.sow()
    rows = Questionnaire.objects.values_list("code", flat=True)
    assert sorted(rows) == ["card_season", "outside", "work_order"]
    assert QuestionnaireVersion.objects.count() == 3
    asked = surveys.current(surveys.CARD_SEASON).questions
    assert asked.get(code="value").kind == "rating"  # worth its price (R-CAM-03)


def test_a_rating_stands_only_with_an_answer(asked):
    with pytest.raises(IntegrityError), transaction.atomic():
        Invitation.objects.update(rating=5)


def test_a_link_of_an_earlier_round_is_closed_by_reopening(
    cast, address, client, replied
):
    closing.reopen(replied, by=cast.lin, note="客户来电")
    assert client.post(address, GOOD).status_code == 410
    order = handling.answer(
        Complaint.objects.get(), by=cast.yong, text="再次答复", how="phone", at=now()
    )
    surveying.send(order, by=cast.lin)
    assert Invitation.objects.filter(expires_at__gt=now()).count() == 1
