"""Logging a complaint: the clocks, the caller, the form sent twice, bad input."""

import re
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from complaints.models import Category, Complaint
from complaints.services import create_complaint
from crm.audit.models import AuditEvent
from crm.errors import Refused
from customers.models import TimelineEntry
from tests import factories as make


@pytest.fixture
def caller(cast):
    make.holidays_of(2026, 2027)
    return make.customer(
        cast.wuhan, phone="13900000001", name="王秀英", kind="individual"
    )


def opened(client) -> str:
    """The address of an empty form."""
    return client.get(reverse("complaints:new")).url


def form(**changes) -> dict:
    return {
        "phone": "139 0000 0001",
        "kind": "complaint",
        "subcategory": Category.objects.get(code="101").pk,
        "channel": "hotline",
        "description": "邮件五天没有送到。",
        **changes,
    }


def look(client, **typed) -> str:
    """What the screen shows beside what is typed."""
    return client.post(opened(client) + "look/", typed).content.decode()


def test_an_agent_logs_it_and_lands_on_it_with_both_limits(cast, caller, client):
    make.sign_in(client, cast.lin)
    answer = client.post(opened(client), form())
    complaint = Complaint.objects.get()
    assert answer.url == complaint.get_absolute_url()
    assert complaint.customer == caller
    assert complaint.legal_due_at - complaint.opened_at == timedelta(days=7)
    assert complaint.opened_at < complaint.due_at <= complaint.legal_due_at
    page = client.get(answer.url).content.decode()
    assert "Legal limit" in page
    assert "139******01" in page
    assert "13900000001" not in page
    assert AuditEvent.objects.filter(action="complaint.created").count() == 1


def test_it_is_on_the_customers_page_and_counted_on_the_board(cast, caller, client):
    make.complaint(cast.lin, cast.wuhan, customer=caller)
    make.sign_in(client, cast.chen)
    entry = TimelineEntry.objects.get(customer=caller)
    assert (entry.title, entry.state, entry.is_open) == ("Delay", "New", True)
    page = client.get(reverse("customers:timeline", args=[caller.pk]))
    assert entry.ref in page.content.decode()
    board = client.get(reverse("dashboards:board")).content.decode()
    assert re.search(r'id="kpi-open">.*?<span class="kpi-value">1<', board, re.S)


def test_the_same_form_twice_is_one_complaint(cast, caller, client):
    make.sign_in(client, cast.lin)
    url, data = opened(client), form()
    first = client.post(url, data)
    second = client.post(url, data)
    assert first.url == second.url
    assert Complaint.objects.count() == 1


def test_somebody_elses_token_is_no_way_to_their_complaint(cast, caller):
    first = make.complaint(cast.lin, cast.wuhan)
    with pytest.raises(Refused):
        make.complaint(cast.chen, cast.wuhan, token=first.token)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("phone", "12", "This is not a phone number."),
        ("phone", "", "This field is required."),
        ("kind", "nonsense", "Select a valid choice."),
        ("subcategory", "99999", "Select a valid choice."),
        ("subcategory", "", "Choose what went wrong."),
        ("description", "ab", "at least 5 characters"),
        ("description", "x" * 4001, "at most 4000 characters"),
        ("channel", "system", "Select a valid choice."),
    ],
)
def test_bad_input_comes_back_with_what_was_typed(
    cast, caller, client, field, value, said
):
    make.sign_in(client, cast.lin)
    answer = client.post(
        opened(client), form(item_no="1055KEEP", **{field: value}), follow=True
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert said in page
    assert "1055KEEP" in page
    assert Complaint.objects.count() == 0


def test_a_stranger_is_logged_by_number_alone(cast, caller, client):
    make.sign_in(client, cast.lin)
    client.post(opened(client), form(phone="13911112222", caller_name="李四"))
    complaint = Complaint.objects.get()
    assert (complaint.customer, complaint.caller_phone) == (None, "+8613911112222")


def test_one_number_of_two_customers_asks_who_is_calling(cast, caller, client):
    other = make.customer(
        cast.wuhan, phone="13900000001", name="王建国", kind="individual"
    )
    make.sign_in(client, cast.lin)
    card = look(client, phone="13900000001")
    assert card.count("their number") == 2
    client.post(opened(client), form(customer=other.pk))
    assert Complaint.objects.get().customer == other


def test_the_card_of_another_bureaus_customer_is_masked_and_audited(cast, client):
    stranger = make.customer(
        cast.yichang, phone="13900000009", name="李小龙", kind="individual"
    )
    make.sign_in(client, cast.lin)
    card = look(client, phone="13900000009")
    assert "李**" in card
    assert "李小龙" not in card
    event = AuditEvent.objects.get(action="customer.looked_up")
    assert event.details == {"found": [stranger.pk]}
    assert client.get(stranger.get_absolute_url()).status_code == 404


def test_looking_numbers_up_has_an_end(cast, client, monkeypatch):
    monkeypatch.setattr("customers.services.LOOKUPS_PER_HOUR", 2)
    make.sign_in(client, cast.lin)
    cards = [look(client, phone=f"1390000000{n}") for n in range(3)]
    assert "in an hour" not in cards[1]
    assert "in an hour" in cards[2]
    assert (
        AuditEvent.objects.filter(action="lookup.too_many", result="denied").count()
        == 1
    )


def test_a_handler_may_not_take_complaints_in(cast):
    with pytest.raises(PermissionDenied):
        make.complaint(cast.yong, cast.wuhan)


def test_an_agent_may_not_log_for_a_sister_office(cast):
    with pytest.raises(PermissionDenied):
        create_complaint(
            by=cast.lin,
            office=cast.yichang,
            category="delay",
            description="…",
            caller_phone="13800138000",
        )


def test_a_year_without_a_decree_marks_the_promise_provisional(cast, time_machine):
    time_machine.move_to("2026-12-31 16:00:00+08:00")
    make.holidays_of(2026, 2027)
    assert make.complaint(cast.lin, cast.wuhan).is_provisional


def test_the_list_costs_the_same_at_any_length(
    cast, caller, client, django_assert_num_queries
):
    make.sign_in(client, cast.chen)
    url = reverse("complaints:list")
    client.get(url)
    for _time in range(2):
        for _row in range(5):
            make.complaint(cast.lin, cast.wuhan, customer=caller)
        with django_assert_num_queries(8):
            client.get(url)


def test_the_api_logs_through_the_same_service(cast, caller, client):
    make.sign_in(client, cast.lin)
    data = {
        "token": "8f14e45f-ceea-467f-a0e6-0242ac120002",
        "phone": "13900000001",
        "category": "loss",
        "text": "没有收到邮件",
        "customer": caller.pk,
    }
    url = reverse("api-complaint-list")
    first = client.post(url, data, content_type="application/json")
    again = client.post(url, data, content_type="application/json")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["ref"] == again.json()["ref"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"state": "archived"}, "state"),
        ({"office": "420500"}, "office"),
        ({"created_by": 1}, "created_by"),
        ({"phone": "12"}, "phone"),
    ],
)
def test_the_api_refuses_fields_it_does_not_offer(cast, caller, client, change, field):
    """B24: an unknown or read-only field is an error, never silently dropped."""
    make.sign_in(client, cast.lin)
    data = {
        "token": "8f14e45f-ceea-467f-a0e6-0242ac120002",
        "phone": "13900000001",
        "category": "loss",
        "text": "没有收到邮件",
        **change,
    }
    answer = client.post(
        reverse("api-complaint-list"), data, content_type="application/json"
    )
    assert answer.status_code == 400
    assert field in answer.json()["errors"]
    assert Complaint.objects.count() == 0


def test_a_foreign_customer_id_in_the_body_reads_like_an_unknown_one(
    cast, caller, client
):
    """B23."""
    foreign = make.customer(cast.yichang)
    make.sign_in(client, cast.lin)
    answers = []
    for pk in (foreign.pk, 99_999_999):
        data = {
            "token": "8f14e45f-ceea-467f-a0e6-0242ac120002",
            "phone": "13900000001",
            "category": "loss",
            "text": "没有收到邮件",
            "customer": pk,
        }
        answer = client.post(
            reverse("api-complaint-list"), data, content_type="application/json"
        )
        answers.append((answer.status_code, answer.json()))
    assert answers[0] == answers[1]
    assert answers[0][0] == 400
